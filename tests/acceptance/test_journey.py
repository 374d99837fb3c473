"""The whole journey: sign up, confirm, read in full, leave; through the service, over HTTP and real SMTP."""

from email.message import EmailMessage
from pathlib import Path

import feedparser

from acceptance.running import Running, ask, eventually, form_fields, link_in, press_sign_up, publisher, running
from publications import AGENCY, make_publication, story, write

READER = "reader@example.org"
PARAGRAPHS = 25
BODY = "\n\n".join(
    f"Paragraph {n} of the story, which is told in full to subscribers." for n in range(1, PARAGRAPHS + 1)
)


def sign_up(service: Running, newsletter: str) -> EmailMessage:
    """Fills in the form; returns the confirmation mail."""
    page = service.get("/subscribe")
    assert page.status == 200
    fields = {**form_fields(page.text), "email": READER, "newsletter": newsletter, "website": "", "language": "en"}
    press_sign_up(service.url, fields)
    return eventually(lambda: service.mails(READER), "a confirmation mail")[0]


def html_of(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_from_sign_up_to_unsubscribe(tmp_path: Path) -> None:
    """Everything that a subscriber of alerts meets, in order."""
    folder = make_publication(tmp_path / "wire", AGENCY)
    with running(folder) as service:
        assert service.get("/").status == 200
        assert service.get("/healthz").status == 200

        confirmation = sign_up(service, "alerts")
        confirm_url = link_in(confirmation, "/confirm/")
        assert "List-Unsubscribe-Post" not in confirmation
        page = ask(confirm_url)
        assert page.status == 200
        assert publisher("subscribers", "show", READER, "--json", folder=folder).stdout.count('"confirmed"') == 0
        confirmed = ask(confirm_url, form_fields(page.text), origin=service.url)
        assert confirmed.status == 200, confirmed.text

        shown = publisher("subscribers", "token", READER, folder=folder, PUBLISHER_SITE__URL=service.url).stdout
        private = next(word for word in shown.split() if "/u/" in word).rsplit("/", 1)[0]

        write(folder, "island.md", story("Island story", section="asia-pacific", date="02.09.2025", body=BODY))
        public = eventually(lambda: _entries(service, "/feeds/all.atom"), "the story in the public feed")
        assert "Paragraph 2 " not in str(public)
        assert "desk@wire.example" in str(public)
        [entry] = eventually(lambda: feedparser.parse(ask(f"{private}/all.atom").body).entries, "the private feed")
        assert entry.content[0].value.count("<p>") >= PARAGRAPHS
        assert entry.id == public[0].id
        assert "desk@wire.example" not in str(entry)
        alert = eventually(lambda: _about(service, "Island story"), "the instant mail")[0]
        for words in (html_of(alert), text_of(alert)):
            assert all(f"Paragraph {n} " in words for n in range(1, PARAGRAPHS + 1))
            assert "publishes only part" not in words

        assert alert["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        header = str(alert["List-Unsubscribe"])
        one_click = next(part.strip("<> ") for part in header.split(",") if "http" in part)
        assert ask(one_click).status == 200
        assert '"confirmed"' in publisher("subscribers", "show", READER, "--json", folder=folder).stdout
        left = ask(one_click, {"List-Unsubscribe": "One-Click"})
        assert left.status == 200
        assert '"unsubscribed"' in publisher("subscribers", "show", READER, "--json", folder=folder).stdout

        write(folder, "second.md", story("Second story", section="economy", body=BODY))
        eventually(lambda: len(_entries(service, "/feeds/all.atom")) == 2, "the second story")
        again = publisher("run", folder=folder, check=False)
        assert again.returncode == 1
        assert "already being run" in again.stderr
        assert service.stop() == 0
    assert len(_about(service, "Island story")) == 1
    assert not _about(service, "Second story")


def _about(service: Running, subject: str) -> list[EmailMessage]:
    return [mail for mail in service.mails(READER) if mail["Subject"] == subject]


def _entries(service: Running, path: str) -> list[feedparser.FeedParserDict]:
    parsed = feedparser.parse(service.get(path).body)
    assert not parsed.bozo
    return list(parsed.entries)


def test_a_reader_who_polls_gets_304(tmp_path: Path) -> None:
    """The ETag of a private feed and of a public one holds until something changes."""
    folder = make_publication(tmp_path / "wire", AGENCY)
    write(folder, "a.md", story("One", body=BODY))
    publisher("subscribers", "add", READER, "--confirmed", "--products", "*", folder=folder)
    with running(folder) as service:
        shown = publisher("subscribers", "token", READER, folder=folder, PUBLISHER_SITE__URL=service.url).stdout
        private = next(word for word in shown.split() if "/u/" in word).rsplit("/", 1)[0]
        for url in (f"{service.url}/feeds/all.json", f"{private}/all.rss", f"{private}/feeds.opml"):
            first = ask(url)
            assert first.status == 200
            again = ask(url, if_none_match=first.headers["ETag"])
            assert (again.status, again.body) == (304, b"")
        answer = ask(f"{private}/all.atom")
        assert "private" in answer.headers["Cache-Control"]
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert f"{private}/all.atom".encode() in answer.body
        assert service.get("/u/" + "A" * 43 + "/all.atom").status == 404
        assert service.get("/articles/never-there/").status == 404
