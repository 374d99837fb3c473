"""The commands about people, over a real store; only the composition of the publication is stood in for."""

import asyncio
import csv
import io
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from publisher.cli.context import Context
from publisher.cli.subscribers import subscribers_command
from publisher.cli.suppressions import suppressions_command
from publisher.errors import NotFoundError, StoreError, UsageError
from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Product, Site
from publisher.model.issue import MailText
from publisher.model.text import Localized
from publisher.services.bounces import Bounces
from publisher.services.choose import Choosing
from publisher.services.circulation import Circulation
from publisher.stores import bounces
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database
from publisher.stores.facts import Facts
from publisher.stores.people import People

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CATALOGUE = Catalogue(
    site=Site(title="News", url="https://news.example.org", languages=("en", "tr")),
    sections={},
    products={"asia": Product(id="asia", title=Localized.of("Asia"))},
    newsletters={
        "daily": Newsletter(id="daily", title=Localized.of("Daily"), audience=Audience.SUBSCRIBERS),
        "alerts": Newsletter(id="alerts", title=Localized.of("Alerts"), schedule="instant"),
    },
    default_access=Access.SUMMARY,
)


class Plain:
    """A renderer and an outbox in one, for mails that nobody reads."""

    def message(self, kind: str, language: str, **context: Any) -> MailText:
        return MailText(subject=kind, preheader="", html="", text="")

    async def post(self, event: str, subscriber: int, language: str, mail: MailText, now: datetime) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Opened(Context):
    """Opens what the commands about people need."""

    tokens: Tokens = field(default_factory=lambda: Tokens(bytes(32)))

    def run(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def opened() -> Any:
            database = Database.open("sqlite:///publisher.db", self.folder)
            plain: Any = Plain()
            choosing = Choosing(CATALOGUE, ReaderChoices(database))
            circulation = Circulation(
                catalogue=CATALOGUE,
                people=People(database),
                outbox=plain,
                renderer=plain,
                tokens=self.tokens,
                links=Links(CATALOGUE.site.url, self.tokens),
                choosing=choosing,
            )
            clock = SimpleNamespace(now=lambda: NOW)
            store = bounces.Bounces(database, self.tokens.address_hash)
            taking = Bounces(store, Facts(database), self.tokens, bytes(32))
            app = SimpleNamespace(
                catalogue=CATALOGUE, clock=clock, circulation=circulation, choosing=choosing, bounces=taking
            )
            try:
                return await work(app)
            finally:
                await database.close()

        return asyncio.run(opened())


@dataclass
class Terminal:
    """Runs commands as a person does."""

    folder: Path

    def run(self, command: click.Command, *arguments: str, stdin: str | None = None) -> Result:
        """Returns what came of it; what a command returns is its exit code."""
        context = Opened(folder=self.folder, json=True)
        return CliRunner().invoke(
            command, list(arguments), obj=context, input=stdin, catch_exceptions=False, standalone_mode=False
        )

    def subscribers(self, *arguments: str, stdin: str | None = None) -> Any:
        """Returns the JSON that `publisher subscribers …` prints."""
        return json.loads(self.run(subscribers_command, *arguments, stdin=stdin).stdout)

    def suppressions(self, *arguments: str) -> Any:
        """Returns the JSON that `publisher suppressions …` prints."""
        return json.loads(self.run(suppressions_command, *arguments).stdout)


@pytest.fixture
def terminal(migrated_sqlite: Path, tmp_path: Path) -> Terminal:
    shutil.copy(migrated_sqlite, tmp_path / "publisher.db")
    return Terminal(tmp_path)


def test_add_show_list_edit(terminal: Terminal) -> None:
    added = terminal.subscribers("add", "Ada@example.org", "--confirmed", "--name", "Ada", "--products", "asia")
    assert (added["result"], added["confirmation"]) == ("added", False)
    shown = terminal.subscribers("show", "ada@example.org")
    assert shown["newsletters"] == {"daily": "confirmed"}
    assert [licence["product"] for licence in shown["licences"]] == ["asia"]
    assert [consent["event"] for consent in shown["consents"]] == ["added"]
    assert [person["address"] for person in terminal.subscribers("list")] == ["Ada@example.org"]
    assert terminal.subscribers("list", "--newsletter", "alerts") == []
    edited = terminal.subscribers("edit", "ada@example.org", "--newsletters", "alerts", "--products", "")
    assert edited["newsletters"] == {"alerts": "confirmed", "daily": "unsubscribed"}
    assert edited["products"] == []


def test_add_without_their_word_asks_them(terminal: Terminal) -> None:
    added = terminal.subscribers("add", "ada@example.org", "--newsletters", "daily,alerts")
    assert added["confirmation"]
    statuses = terminal.subscribers("show", "ada@example.org")["newsletters"]
    assert statuses == {"alerts": "unconfirmed", "daily": "unconfirmed"}


def test_valid_until_is_the_last_day(terminal: Terminal) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--products", "*", "--valid-until", "2026-12-31")
    (licence,) = terminal.subscribers("show", "ada@example.org")["licences"]
    assert licence["valid_until"] == "2027-01-01T00:00:00+00:00"


def test_mistakes_are_named(terminal: Terminal) -> None:
    for error, arguments in [
        (UsageError, ["add", "nonsense"]),
        (UsageError, ["add", "ada@example.org", "--newsletters", "dayly"]),
        (UsageError, ["add", "ada@example.org", "--valid-until", "soon"]),
        (UsageError, ["list", "--newsletter", "dayly"]),
        (UsageError, ["edit", "ada@example.org"]),
        (NotFoundError, ["show", "ada@example.org"]),
        (NotFoundError, ["erase", "ada@example.org"]),
        (NotFoundError, ["token", "ada@example.org"]),
    ]:
        with pytest.raises(error):
            terminal.subscribers(*arguments)


def test_import_reports_and_fails_for_skipped_lines(terminal: Terminal) -> None:
    path = terminal.folder / "people.csv"
    path.write_text("email,status,consent\nada@example.org,confirmed,form\nnonsense,,\n", encoding="utf-8-sig")
    dry = terminal.run(subscribers_command, "import", str(path), "--dry-run")
    assert dry.return_value == 1
    assert f"{path}:3: nonsense is not an email address" in dry.stderr
    assert terminal.subscribers("list") == []
    report = terminal.subscribers("import", str(path))
    assert (report["added"], [line["line"] for line in report["skipped"]]) == (1, [3])
    again = terminal.subscribers("import", "-", "--confirmed", stdin="email\nada@example.org\n")
    assert (again["added"], again["unchanged"], again["skipped"]) == (0, 1, [])


def test_import_of_another_encoding_is_refused_by_line(terminal: Terminal) -> None:
    path = terminal.folder / "people.csv"
    path.write_bytes("email,name\na@example.org,Ayşe\n".encode("cp1254"))
    with pytest.raises(UsageError, match=r"people\.csv:2: this is not UTF-8"):
        terminal.subscribers("import", str(path))


def test_export_guards_formulas_and_comes_back(terminal: Terminal) -> None:
    terminal.subscribers("add", "+ada@example.org", "--confirmed", "--name", '=HYPERLINK("https://x.example")')
    path = terminal.folder / "people.csv"
    assert terminal.subscribers("export", "-o", str(path)) == {"file": str(path), "rows": 1}
    (row,) = csv.DictReader(io.StringIO(path.read_text()))
    assert (row["email"], row["name"]) == ("'+ada@example.org", '\'=HYPERLINK("https://x.example")')
    assert path.stat().st_mode & 0o077 == 0
    report = terminal.subscribers("import", str(path))
    assert (report["added"], report["updated"], report["unchanged"]) == (0, 0, 1)
    terminal.subscribers("export", "--raw", "-o", str(path))
    assert '"=HYPERLINK' in path.read_text()
    assert terminal.subscribers("export")[0]["email"] == "+ada@example.org"


def test_token_prints_a_private_address_and_erase_ends_everything(terminal: Terminal) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed")
    first, second = (terminal.subscribers("token", "ada@example.org")["url"] for _ in range(2))
    assert first != second
    assert first.startswith("https://news.example.org/u/")
    assert first.endswith("/all.atom")
    assert terminal.subscribers("erase", "ada@example.org")["erased"]
    (left,) = terminal.suppressions("list")
    assert (left["address"], left["reason"]) == (None, "erased")


def test_suppressions(terminal: Terminal) -> None:
    assert terminal.suppressions("add", "Ada@example.org")["added"]
    assert not terminal.suppressions("add", "ada@example.org")["added"]
    assert [s["address"] for s in terminal.suppressions("list")] == ["ada@example.org"]
    with pytest.raises(StoreError, match="suppressed"):
        terminal.subscribers("add", "ada@example.org", "--confirmed")
    terminal.suppressions("remove", "ada@example.org")
    assert terminal.suppressions("list") == []
    with pytest.raises(NotFoundError):
        terminal.suppressions("remove", "ada@example.org")


def test_words_for_people(terminal: Terminal) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--products", "*")
    context = Opened(folder=terminal.folder)
    for arguments, words in [
        (["list"], "ada@example.org  daily confirmed\n1 subscribers"),
        (["show", "ada@example.org"], "licence      * from the start until further notice"),
        (["add", "ada@example.org"], "ada@example.org: unchanged"),
        (["export"], "email,name,status"),
    ]:
        result = CliRunner().invoke(subscribers_command, arguments, obj=context, catch_exceptions=False)
        assert words in result.stdout


def licences(terminal: Terminal) -> dict[str, Any]:
    shown = terminal.subscribers("show", "ada@example.org")["licences"]
    return {licence.pop("product"): licence for licence in shown}


def test_licences_are_dated_cleared_ended_and_renewed_one_by_one(terminal: Terminal) -> None:
    """What is not said stays as it was, for this licence and for the others."""
    dates = ("--valid-from", "2026-01-01", "--valid-until", "2026-12-31")
    terms = ("--archive-days", "30", "--embargo-cleared")
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--products", "asia", *dates, *terms)
    first = licences(terminal)["asia"]
    assert (first["archive_days"], first["embargo_cleared"]) == (30, True)

    terminal.subscribers("edit", "ada@example.org", "--renew", "*", "--valid-until", "2026-06-30")
    terminal.subscribers("edit", "ada@example.org", "--end", "asia")
    had = licences(terminal)
    assert had["asia"] == {**first, "active": False, "valid_until": NOW.isoformat()}
    assert (had["*"]["active"], had["*"]["valid_until"]) == (True, "2026-07-01T00:00:00+00:00")

    terminal.subscribers("edit", "ada@example.org", "--renew", "asia", "--valid-until", "2027-12-31")
    terminal.subscribers("edit", "ada@example.org", "--no-embargo-cleared", "--archive-days", "0")
    assert licences(terminal) == {
        "asia": {
            "active": True,
            "valid_from": None,
            "valid_until": "2028-01-01T00:00:00+00:00",
            "archive_days": None,
            "embargo_cleared": False,
        },
        "*": {**had["*"], "archive_days": None},
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--valid-from", "2026-06-01", "--valid-until", "2026-05-01"], "before it begins"),
        (["--valid-until", "2026-01-01"], "before it begins"),
        (["--products", "*", "--valid-from", "2026-06-01", "--valid-until", "2026-05-31"], "before it begins"),
        (["--renew", "asia", "--valid-from", "2026-06-01", "--valid-until", "2026-05-01"], "before it begins"),
        (["--renew", "sport"], "no product 'sport'"),
        (["--end", "*"], r"no licence '\*'; there are: asia"),
        (["--products", "asia", "--end", "asia"], "leave them out"),
    ],
)
def test_a_wrong_licence_changes_nothing(terminal: Terminal, arguments: list[str], words: str) -> None:
    """Also not what else was asked for in the same breath."""
    added = ("add", "ada@example.org", "--confirmed", "--products", "asia", "--valid-from", "2026-02-01")
    terminal.subscribers(*added)
    before = terminal.subscribers("show", "ada@example.org")
    with pytest.raises(UsageError, match=words):
        terminal.subscribers("edit", "ada@example.org", "--name", "Ada", "--newsletters", "alerts", *arguments)
    assert terminal.subscribers("show", "ada@example.org") == before


def test_nobody_is_added_with_a_licence_that_ends_before_it_begins(terminal: Terminal) -> None:
    dates = ("--valid-from", "2026-06-02", "--valid-until", "2026-06-01")
    with pytest.raises(UsageError, match="before it begins"):
        terminal.subscribers("add", "ada@example.org", "--confirmed", "--products", "asia", *dates)
    assert terminal.subscribers("list") == []
