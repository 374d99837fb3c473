"""preview, send, simulate and issues as a user calls them, over a publication of their own."""

import asyncio
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

import publisher.app
from publisher.app import open_app
from publisher.cli import main
from publisher.clock import SystemClock
from publisher.owner import owning

CONFIG = """
[site]
title = "Example"
url = "http://127.0.0.1:8000"
timezone = "Europe/Istanbul"
contact = "mailto:desk@example.org"
[articles]
access = "summary"
[[sections]]
id = "economy"
title = "Economy"
[[newsletters]]
id = "daily"
title = "Daily"
audience = "subscribers"
open = true
schedule = "daily 07:00"
[[newsletters]]
id = "weekly"
title = "Weekly"
schedule = "weekly fri 16:00"
[smtp]
sender = "Example <news@example.org>"
sandbox = true
"""


class Publication:
    """A folder and the command line in it."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd

    def story(self, name: str, date: str = "") -> None:
        text = f"---\ntitle: {name}\nsection: economy\n{date}---\nIt begins so.\n\nThe whole of {name}.\n"
        (self.folder / "articles" / f"{name}.md").write_text(text)

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Runs a command; returns its exit code and what it said on stdout."""
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(self.folder), *arguments])
        said = self._capfd.readouterr()
        print(said.err)
        return int(ended.value.code or 0), said.out

    def json(self, *arguments: str) -> tuple[int, Any]:
        """Runs a command with `--json`; returns its exit code and result."""
        code, out = self("--json", *arguments)
        return code, json.loads(out)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the noon after next: no slot of any newsletter is near, whatever the time is."""
    now = datetime.now(UTC)
    ahead = now.replace(hour=9, minute=0, second=0) + timedelta(days=2) - now

    class Noon(SystemClock):
        def now(self) -> datetime:
            return super().now() + ahead

    monkeypatch.setattr(publisher.app, "SystemClock", Noon)


@pytest.fixture
def publication(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Publication:
    """A publication with an old story and two readers of the daily digest."""
    (tmp_path / "articles").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    made = Publication(tmp_path, capfd)
    made.story("Old", "date: 2026-01-05\n")
    made("build")
    for name in ("ada", "bora"):
        code, _ = made(
            "subscribers", "add", f"{name}@example.org", "--confirmed", "--newsletters", "daily", "--products", "*"
        )
        assert code == 0
    return made


def mails(publication: Publication) -> list[str]:
    """Returns what the sandbox caught."""
    return [path.read_text() for path in sorted((publication.folder / "var" / "inbox").glob("*.eml"))]


def test_send_takes_in_plans_and_delivers(publication: Publication) -> None:
    """A story dropped in goes out by one command, once."""
    publication.story("Harbour")
    code, plan = publication.json("send", "daily", "--dry-run")
    assert (code, plan["planned"]) == (0, 2)
    assert plan["recipients"][0] == {
        "address": "ada@example.org",
        "language": "en",
        "stories": ["Harbour"],
        "already_sent": [],
    }
    assert mails(publication) == []
    code, told = publication.json("send", "daily")
    assert code == 0
    assert told == {
        "issue": 1, "planned": 2, "accepted": 2, "deferred": 0, "rejected": 0, "suppressed": 0, "uncertain": 0,
    }  # fmt: skip
    assert len(mails(publication)) == 2
    assert all("The whole of Harbour" in mail for mail in mails(publication))
    code, told = publication.json("send", "daily")
    assert (code, told["issue"], told["planned"]) == (0, None, 0)
    code, plan = publication.json("send", "daily", "--dry-run")
    assert plan["left_out"][0] == {"address": "ada@example.org", "reason": "nothing new since the last mail"}
    assert len(mails(publication)) == 2


def test_test_mail_is_marked_and_leaves_no_trace(publication: Publication) -> None:
    """`--to` shows the newest story to anybody; the ledger knows nothing of it."""
    publication.story("Harbour")
    publication("build")
    code, told = publication.json("send", "daily", "--to", "boss@example.org")
    assert (code, told["to"], told["accepted"]) == (0, "boss@example.org", True)
    (mail,) = mails(publication)
    assert "Subject: [TEST] " in mail
    assert publication.json("issues", "list") == (0, [])
    assert publication.json("send", "daily")[1]["planned"] == 2


def test_preview_shows_one_readers_mail(publication: Publication, tmp_path: Path) -> None:
    """What a reader would get now, in three formats; it changes nothing."""
    publication.story("Harbour")
    publication("build")
    code, told = publication.json("preview", "daily", "--as", "ADA@example.org")
    assert (code, told["stories"], told["sample"]) == (0, ["Harbour"], False)
    _, text = publication("preview", "daily", "--as", "ada@example.org")
    assert "The whole of Harbour" in text
    _, html = publication("preview", "daily", "--format", "html")
    assert html.lstrip().lower().startswith("<!doctype html")
    publication("preview", "daily", "--format", "eml", "-o", str(tmp_path / "mail.eml"))
    assert "List-Unsubscribe: <http" in (tmp_path / "mail.eml").read_text()
    _, weekly = publication("preview", "weekly")
    assert "The whole of" not in weekly
    assert publication("preview", "daily", "--as", "nobody@example.org")[0] == 1
    assert publication("preview", "nope")[0] == 1
    assert publication("preview", "daily", "--at", "soon")[0] == 2
    assert publication.json("issues", "list") == (0, [])


def test_preview_without_anything_pending_shows_a_sample(publication: Publication) -> None:
    """A publication that has sent all there is still shows what its mail looks like."""
    _, told = publication.json("preview", "daily")
    assert (told["stories"], told["sample"]) == (["Old"], True)
    _, told = publication.json("preview", "daily", "--as", "ada@example.org")
    assert told["stories"] == []


def test_simulate_lists_the_slots_to_come(publication: Publication) -> None:
    """Each slot of the next days, the first with what is pending; none twice."""
    publication.story("Harbour")
    publication("build")
    code, ahead = publication.json("simulate", "--days", "8")
    assert code == 0
    daily = [slot for slot in ahead if slot["newsletter"] == "daily"]
    assert len(daily) == 8
    assert len({slot["slot"] for slot in daily}) == 8
    assert all("T07:00:00+03:00" in slot["local_time"] for slot in daily)
    assert (daily[0]["recipients"], daily[0]["stories"]) == (2, ["Harbour"])
    assert {slot["why"] for slot in daily[1:]} == {"nothing new since the last mail"}
    assert {slot["readers"] for slot in daily} == {2}
    assert publication.json("issues", "list") == (0, [])


def test_held_issue_is_explained_and_let_go(publication: Publication) -> None:
    """With the sandbox off the first issue waits for a word; a refusing relay leaves the mail to be tried later."""
    config = publication.folder / "config.toml"
    config.write_text(config.read_text().replace("sandbox = true", "sandbox = false\nport = 1"))
    publication.story("Harbour")
    code, told = publication.json("send", "daily")
    assert code == 1
    assert [reason.split(":")[0] for reason in told["held"]] == ["first-issue"]
    shown = publication.json("issues", "show", "1")[1]
    assert (shown["state"], shown["preflight"]) == ("held", [])
    publication.story("Harbour", "deck: TK\n")
    found = "articles/Harbour.md:4: 'TK' was left in; write what belongs there [placeholder]"
    assert publication.json("issues", "show", "1")[1]["preflight"] == [found]
    assert found in publication("issues", "show", "1")[1]
    publication.story("Harbour")
    assert publication.json("issues", "release", "1")[1]["state"] == "sending"
    assert publication("issues", "release", "1")[0] == 1
    assert publication.json("issues", "hold", "1")[1]["state"] == "held"
    code, told = publication.json("send", "daily", "--yes")
    assert (code, told["issue"], told["planned"], told["deferred"]) == (1, 1, 2, 2)
    assert publication.json("issues", "cancel", "1")[1]["rejected"] == 2
    assert publication.json("issues", "retry", "1")[1]["again"] == 0
    assert publication("issues", "show", "99")[0] == 1


@contextmanager
def service(folder: Path) -> Iterator[None]:
    """A running service's part in it: holds the owner lock, answers wishes and delivers."""
    stop = threading.Event()

    async def serve() -> None:
        async with open_app(folder) as app:
            while not stop.is_set():
                if await app.planning.answer_requests(app.clock.now()):
                    for issue in await app.issues.latest():
                        await app.delivering.drain(issue.number)
                await asyncio.sleep(0.05)

    with owning(folder / "var"):
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def test_send_beside_a_service_follows_its_work(publication: Publication) -> None:
    """While a service runs it plans and delivers; the command shows the outcome."""
    publication.story("Harbour")
    publication("build")
    with service(publication.folder):
        code, told = publication.json("send", "daily")
        assert (code, told["issue"], told["planned"], told["accepted"]) == (0, 1, 2, 2)
        assert publication.json("send", "daily")[1]["issue"] is None
        assert publication("send", "nope")[0] == 1
    assert len(mails(publication)) == 2


def test_all_that_is_held_goes_by_one_command(publication: Publication) -> None:
    """Everything held at once; what is no number is named, and losses are only released where there are some."""
    config = publication.folder / "config.toml"
    config.write_text(config.read_text().replace("sandbox = true", "sandbox = false\nport = 1"))
    publication.story("Harbour")
    assert publication("send", "daily")[0] == 1
    assert publication("issues", "release", "everything")[0] == 2
    code, released = publication.json("issues", "release", "all")
    assert (code, [(one["issue"], one["state"]) for one in released]) == (0, [(1, "sending")])
    assert publication("issues", "release", "all")[1].strip() == "nothing is held"
    assert publication("issues", "release", "losses")[0] == 1


@pytest.mark.parametrize("command", ["show", "hold", "release", "cancel", "retry"])
def test_numbers_no_issue_can_have_are_refused(publication: Publication, command: str) -> None:
    """Too large for the database is misuse; what could be there and is not is a problem."""
    assert publication("issues", command, "99999999999999999999")[0] == 2
    assert publication("issues", command, "0")[0] == 2
    assert publication("issues", command, str(2**63 - 1))[0] == 1


def configure(publication: Publication, old: str, new: str) -> None:
    """Changes config.toml."""
    config = publication.folder / "config.toml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))


def test_test_mail_tells_an_unreachable_relay_from_one_that_refuses(publication: Publication) -> None:
    """Nobody there is exit code 3, a no is 1."""
    publication.story("Harbour")
    publication("build")
    configure(publication, "sandbox = true", 'sandbox = false\nsecurity = "none"\nhost = "127.0.0.1"\nport = 1')
    code, told = publication.json("send", "daily", "--to", "boss@example.org")
    assert (code, told["accepted"]) == (3, False)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            session, _ = server.accept()
            with session:
                session.sendall(b"554 5.3.2 go away\r\n")
                session.recv(100)

        thread = threading.Thread(target=refuse)
        thread.start()
        configure(publication, "port = 1\n", f"port = {server.getsockname()[1]}\n")
        code, told = publication.json("send", "daily", "--to", "boss@example.org")
        thread.join()
    assert (code, told["accepted"]) == (1, False)
    assert "go away" in told["reply"]


def planned_only(publication: Publication) -> None:
    """Plans an issue as a process does that is killed before it delivers."""

    async def plan() -> None:
        async with open_app(publication.folder) as app:
            assert (await app.planning.send("daily", app.clock.now(), release=True)).issue

    asyncio.run(plan())


def test_what_the_sandbox_left_unfinished_is_not_sent_to_real_people(publication: Publication) -> None:
    """It says so while it is there, cannot be let go, and is cancelled by the first run for real people."""
    publication.story("Harbour")
    publication("build")
    planned_only(publication)
    configure(publication, "sandbox = true", "sandbox = false\nport = 1")
    (issue,) = publication.json("issues", "list")[1]
    assert (issue["state"], issue["stopped"]) == ("sending", "planned in the sandbox: real people do not get it")
    assert "planned in the sandbox" in publication("issues", "list")[1]
    assert "planned in the sandbox" in publication("issues", "show", "1")[1]
    assert publication.json("issues", "hold", "1")[1]["state"] == "held"
    assert publication("issues", "release", "1")[0] == 1
    assert publication("issues", "retry", "1")[0] == 1
    code, told = publication.json("send", "daily")
    assert (code, [reason.split(":")[0] for reason in told["held"]]) == (1, ["first-issue"])
    code, told = publication.json("send", "daily", "--yes")
    assert (code, told["issue"], told["deferred"]) == (1, 2, 2)
    cancelled = publication.json("issues", "show", "1")[1]
    assert (cancelled["state"], cancelled["stopped"], cancelled["rejected"]) == ("cancelled", "sandbox", 2)


def test_a_real_issue_waits_while_the_sandbox_is_on(publication: Publication) -> None:
    """The sandbox does not swallow it; it is as it was once the sandbox is off again."""
    publication.story("Harbour")
    configure(publication, "sandbox = true", "sandbox = false\nport = 1")
    assert publication.json("send", "daily", "--yes")[1]["deferred"] == 2
    configure(publication, "sandbox = false", "sandbox = true")
    publication.story("Quay")
    publication("build")
    code, told = publication.json("send", "daily")
    assert (code, told["issue"], told["accepted"]) == (0, 2, 2)
    waiting = publication.json("issues", "show", "1")[1]
    assert (waiting["state"], waiting["deferred"]) == ("paused", 2)
    assert waiting["stopped"] == "planned for real people: it waits until the sandbox is off"
    configure(publication, "sandbox = true", "sandbox = false")
    assert publication.json("issues", "show", "1")[1]["stopped"].startswith("relay: 3 failures in a row (connect")
    told = publication.json("status")[1]
    assert [stop["code"] for stop in told["stopped"]] == ["relay"]
    assert "stopped    relay: 3 failures in a row" in publication("status")[1]


def test_a_copy_mails_nobody_until_it_is_confirmed(
    publication: Publication, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the original has under way is held in the copy: somebody decides whether it had gone out already."""
    publication.story("Harbour")
    configure(publication, "sandbox = true", "sandbox = false\nport = 1")
    assert publication.json("send", "daily", "--yes")[1]["deferred"] == 2
    shutil.copytree(publication.folder, tmp_path / "copy")
    copy = Publication(tmp_path / "copy", capfd)
    told = copy.json("status")[1]
    assert [stop["code"] for stop in told["stopped"]] == ["copy", "relay"]
    assert "publisher migrate --confirm-copy" in copy("status")[1]
    assert copy.json("send", "daily")[1]["accepted"] == 0
    assert copy("issues", "cancel", "1")[0] == 0
    copy.story("Quay")
    held = copy.json("send", "daily")[1]["held"]
    assert "restored: this is a restored copy; it mails nobody until told" in held
    assert copy.json("send", "daily", "--yes")[1]["deferred"] == 2
    confirmed = copy.json("migrate", "--confirm-copy")[1]
    assert confirmed["held"] == [2]
    assert copy.json("issues", "show", "2")[1]["held"] == ["restored: it may have gone out from where this was copied"]
    assert "copy" not in [stop["code"] for stop in copy.json("status")[1]["stopped"]]
    assert "copy" not in [stop["code"] for stop in publication.json("status")[1]["stopped"]]
