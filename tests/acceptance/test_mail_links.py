"""Where mail leads: every link of a digest answers, and a long one goes on at a page that is its reader's alone."""

import html as markup
import re
import sqlite3
from email.message import EmailMessage
from pathlib import Path

from acceptance.running import Running, ask, eventually, publisher, running
from publications import AGENCY, make_publication, story, write

READER, BRIEF, TEXT = "reader@example.org", "brief@example.org", "text@example.org"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
LINK = re.compile(r'(?:href|src)="([^"]+)"')
ADDRESS = re.compile(r"https?://\S+")
STORIES = 6


def test_every_link_answers_and_what_is_cut_is_read_on(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "wire", AGENCY)
    for address, form in ((READER, "full"), (BRIEF, "brief"), (TEXT, "text")):
        publisher(
            "subscribers", "add", address, "--confirmed", "--products", "*", "--newsletters", "daily", folder=folder
        )
        prefer(folder, address, form)
    with running(folder) as service:
        publish(folder, service)
        publisher("send", "daily", "--yes", folder=folder, PUBLISHER_SITE__URL=service.url)
        (mail,) = eventually(lambda: service.mails(READER), "the digest")
        (brief,) = eventually(lambda: service.mails(BRIEF), "the digest in brief")
        (text,) = eventually(lambda: service.mails(TEXT), "the digest as text")

        html = part(mail, "html")
        assert len(html.encode()) < 102_000
        assert all(f"Story {n}" in html for n in range(STORIES))
        assert 0 < html.count("the canary of") < STORIES
        assert "the canary of" not in part(brief, "html") + part(brief, "plain")
        assert text.get_content_type() == "text/plain"
        for one in (mail, brief, text):
            every_link_answers(one)

        before = stored(folder)
        (page,) = {link.partition("#")[0] for link in links(mail) if "/read/" in link}
        answer = ask(page)
        assert all(f"the canary of {n} sings" in answer.text for n in range(STORIES))
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert {link.partition("#")[2] for link in links(mail) if "/read/" in link} - {""} <= set(
            re.findall(r'id="(a\d+)"', answer.text)
        )
        assert "the canary of" not in ask(page.replace("/read/", "/unsubscribe/")).text
        assert stored(folder) == before

        publisher("subscribers", "edit", READER, "--end", "*", folder=folder, PUBLISHER_SITE__URL=service.url)
        ended = ask(page).text
        assert "the canary of" not in ended
        assert "Your subscription ended on" in ended
        assert service.stop() == 0


def prefer(folder: Path, address: str, form: str) -> None:
    """Has a reader want their mail in another form."""
    with sqlite3.connect(folder / "var" / "publisher.db") as connection:
        choices = f'{{"form": "{form}"}}'
        connection.execute("INSERT OR IGNORE INTO profiles (choices) VALUES (?)", (choices,))
        connection.execute(
            "UPDATE subscriptions SET profile_id = (SELECT id FROM profiles WHERE choices = ?) "
            "WHERE subscriber_id = (SELECT id FROM subscribers WHERE address = ?)",
            (choices, address),
        )
    connection.close()


def publish(folder: Path, service: Running) -> None:
    """Writes stories that are too long for one mail, with pictures, and one without a page."""
    (folder / "articles" / "quay.png").write_bytes(PNG)
    for n in range(STORIES):
        body = f"The story begins, and the canary of {n} sings.\n\n" + "Words that are told in full. " * 700
        access = "subscriber" if n == 2 else "summary"
        image = "{ src: quay.png, alt: The quay, width: 600, height: 300 }"
        text = story(f"Story {n}", body=body, section="economy", access=access, image=image, summary=f"In short, {n}.")
        write(folder, f"story-{n}.md", text)
    eventually(lambda: service.get("/feeds/all.atom").text.count("<entry>") == STORIES - 1, "the stories")


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def links(mail: EmailMessage) -> set[str]:
    """Returns every address in both parts."""
    found = set(ADDRESS.findall(part(mail, "plain")))
    if mail.get_body(("html",)) is not None:
        found |= {markup.unescape(link) for link in LINK.findall(part(mail, "html")) if not link.startswith("#")}
    return found


def every_link_answers(mail: EmailMessage) -> None:
    found = links(mail)
    assert any("/preferences/" in link for link in found)
    for link in sorted(found):
        if not link.startswith("mailto:"):
            assert ask(link.partition("#")[0]).status == 200, link


def stored(folder: Path) -> str:
    """Returns all that the database holds."""
    connection = sqlite3.connect(f"file:{folder / 'var' / 'publisher.db'}?mode=ro", uri=True)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()
