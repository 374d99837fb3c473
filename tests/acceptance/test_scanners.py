"""I25: programs that open every link of every mail and page change nothing, whatever tokens are in them."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from acceptance.crawl import Crawl
from acceptance.running import Answer, Running, ask, eventually, form_fields, link_in, press_sign_up, running
from publications import AGENCY, make_publication, story, write

READER, OTHER, NEW = "reader@example.org", "other@example.org", "new@example.org"
PRESSED = {"form": "preferences"}


def test_every_link_of_every_mail_and_page_is_only_looked_at(tmp_path: Path) -> None:
    """All kinds of mail, all kinds of token, all of it found from the inbox: the database is unchanged."""
    folder = make_publication(tmp_path / "wire", AGENCY)
    with running(folder) as service:
        _everything_happens(service, folder)
        before = _people(folder)
        crawl = Crawl(service.url).everything(scanning=True)
        after = _people(folder)
        good = [path.split("/")[1:] for path, status in crawl.statuses.items() if status == 200]
        kinds = {"confirm", "unsubscribe", "preferences", "account", "address", "u", "subscribe", "inbox"}
        assert kinds <= {kind for kind, *_ in good}
        assert len([rest for kind, *rest in good if kind == "address"]) == 2
        assert after == before
        # And they are all still good for what they are for.
        assert _press(service, link_in(_mail(service, OTHER, "/confirm/"), "/confirm/"), {}).status == 200
        for who in (READER, NEW):
            answer = _press(service, link_in(_mail(service, who, "/address/"), "/address/"), {"action": "agree"})
        assert "Address changed" in answer.text
        assert service.stop() == 0


def _everything_happens(service: Running, folder: Path) -> None:
    _sign_up(service, READER)
    confirmed = _press(service, link_in(_mail(service, READER, "/confirm/"), "/confirm/"), {}).text
    found = re.search(r'href="([^"]*/preferences/[^"]*)"', confirmed)
    assert found is not None
    _press(service, found[1], {**PRESSED, "action": "account"})
    account = link_in(_mail(service, READER, "/account/"), "/account/")
    _press(service, account, {"action": "move", "email": NEW})
    _sign_up(service, OTHER)
    write(folder, "island.md", story("Island story", section="asia-pacific", date="02.09.2025", body="It is told."))
    for who, part in ((READER, "/unsubscribe/"), (READER, "/address/"), (NEW, "/address/"), (OTHER, "/confirm/")):
        _mail(service, who, part)
    eventually(lambda: _settled(folder), "every mail to be on record")


def _sign_up(service: Running, who: str) -> None:
    fields = {**form_fields(service.get("/subscribe").text), "email": who, "newsletter": "alerts", "website": ""}
    press_sign_up(service.url, fields)


def _press(service: Running, url: str, fields: dict[str, str]) -> Answer:
    return ask(url, fields or {"pressed": "yes"}, origin=service.url)


def _mail(service: Running, who: str, part: str):  # type: ignore[no-untyped-def]
    def holding():  # type: ignore[no-untyped-def]
        return [mail for mail in service.mails(who) if part in str(mail.get_body(("plain",)).get_content())]  # type: ignore[union-attr]

    return eventually(holding, f"a mail to {who} with {part}")[0]


def _settled(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "var" / "publisher.db")) as database:
        states = {state for (state,) in database.execute("SELECT DISTINCT state FROM issues")}
    return states == {"done"}


def _people(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Returns every row that is about people or mail; what a service notes of itself is left out."""
    theirs = {"boots", "facts", "files", "outputs", "lanes"}
    with closing(sqlite3.connect(folder / "var" / "publisher.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(database.execute(f'SELECT * FROM "{name}"'), key=repr) for name in {*tables} - theirs}
