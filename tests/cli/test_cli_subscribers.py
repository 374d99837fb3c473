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
from publisher.model.segment import Comparison, Held, Segment
from publisher.model.text import Localized
from publisher.services.bounces import Bounces
from publisher.services.choose import Choosing
from publisher.services.circulation import Circulation
from publisher.stores import bounces
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database
from publisher.stores.facts import Facts
from publisher.stores.people import People
from publisher.stores.records import Records

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CATALOGUE = Catalogue(
    site=Site(title="News", url="https://news.example.org", languages=("en", "tr")),
    sections={},
    products={"asia": Product(id="asia", title=Localized.of("Asia"))},
    newsletters={
        "daily": Newsletter(
            id="daily", title=Localized.of("Daily"), audience=Audience.SUBSCRIBERS, rhythms=("weekly",)
        ),
        "alerts": Newsletter(id="alerts", title=Localized.of("Alerts"), schedule="instant"),
    },
    default_access=Access.SUMMARY,
    segments={"turkish": Segment(id="turkish", condition=Held("language", (), Comparison.EQUAL, "tr"))},
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
                records=Records(database, self.tokens.address_hash),
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


@pytest.mark.parametrize(
    ("encoding", "warned"),
    [
        ("utf-8", False),
        ("utf-8-sig", False),
        ("utf-16", False),
        ("utf-16-le", False),
        ("utf-16-be", False),
        ("cp1252", True),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lists_are_read_whatever_program_wrote_them(
    terminal: Terminal, encoding: str, warned: bool, delimiter: str
) -> None:
    path = terminal.folder / "people.csv"
    text = f'email{delimiter}name\r\na@example.org{delimiter}"Zoë\r\nÉluard"\r\n'
    path.write_bytes(text.encode(encoding))
    done = terminal.run(subscribers_command, "import", str(path), "--confirmed")
    assert (f"{path}:2: this is not UTF-8" in done.stderr) is warned
    assert terminal.subscribers("show", "a@example.org")["name"] == "Zoë Éluard"


def test_more_remarks_than_fit_on_a_screen_are_in_the_report(terminal: Terminal) -> None:
    path, report = terminal.folder / "people.csv", terminal.folder / "report.csv"
    path.write_text("email,name\n" + "".join(f"=bad{n},\n" for n in range(500)) + "a@example.org,A\n")
    done = terminal.run(subscribers_command, "import", str(path), "--consent", "fair of 2026", "--report", str(report))
    assert (done.return_value, json.loads(done.stdout)["added"]) == (1, 1)
    assert "and 300 more lines" in done.stderr
    rows = list(csv.DictReader(io.StringIO(report.read_text())))
    assert [int(row["line"]) for row in rows] == list(range(2, 502))
    assert {row["outcome"] for row in rows} == {"skipped"}
    assert rows[0]["email"] == "'=bad0"
    assert report.stat().st_mode & 0o077 == 0
    (consent,) = terminal.subscribers("show", "a@example.org")["consents"]
    assert (consent["evidence"], consent["given_at"]) == ("fair of 2026", None)


def test_columns_can_be_named(terminal: Terminal) -> None:
    path = terminal.folder / "people.csv"
    path.write_text("E-Mail,First name,Sur,City,Phone\nada@example.org,Ada,Lovelace,London,123\n")
    named = 'email=E-mail,first_name="First name",last_name=sur'
    done = terminal.run(
        subscribers_command, "import", str(path), "--confirmed", "--map", named, "--map", "attributes.city=City"
    )
    assert "left out: phone" in done.stderr
    shown = terminal.subscribers("show", "ada@example.org")
    assert (shown["name"], shown["attributes"]) == ("Ada Lovelace", {"city": "London"})
    for mapping, words in [
        ("email", "not OURS=THEIRS"),
        ("email=", "needs a column"),
        ("mail=E-Mail", "no column 'mail' of ours"),
        ("email=Address", "has no column 'address'"),
        ("email=E-Mail,name=E-Mail", "given twice"),
        ("name=Sur", "email is needed"),
    ]:
        with pytest.raises(UsageError, match=words):
            terminal.subscribers("import", str(path), "--map", mapping)


def test_people_are_picked(terminal: Terminal) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--attribute", "city=Izmir", "--attribute", "age=36")
    terminal.subscribers("add", "bob@example.org", "--confirmed", "--language", "tr", "--newsletters", "alerts")
    assert terminal.subscribers("edit", "bob@example.org", "--attribute", "age=")["attributes"] == {}

    def picked(*options: str) -> list[str]:
        found = [person["address"] for person in terminal.subscribers("list", *options)]
        assert [row["email"] for row in terminal.subscribers("export", *options)] == found
        return found

    assert picked("--where", "attributes.age > 18") == ["ada@example.org"]
    assert picked("--where", "language = tr") == ["bob@example.org"]
    assert picked("--newsletter", "alerts", "--where", "language = en") == []
    assert picked("--segment", "turkish") == ["bob@example.org"]
    with pytest.raises(UsageError, match=r"there is no segment 'french' .* there are: turkish"):
        picked("--segment", "french")
    with pytest.raises(UsageError, match="column 1 of the condition"):
        picked("--where", "x = 1")
    lines = terminal.run(subscribers_command, "export", "--format", "jsonl", "-o", str(terminal.folder / "x.jsonl"))
    assert json.loads(lines.stdout)["rows"] == 2
    first, _ = (json.loads(line) for line in (terminal.folder / "x.jsonl").read_text().splitlines())
    assert json.loads(first["attributes"]) == {"age": 36, "city": "Izmir"}


def test_all_that_is_held_of_one_person_can_be_handed_over(terminal: Terminal) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--name", "Ada", "--attribute", "city=Izmir")
    terminal.subscribers("add", "bob@example.org", "--confirmed")
    held = terminal.subscribers("export", "--address", "Ada@Example.org")
    assert held["subscriber"]["address"] == "ada@example.org"
    assert held["subscriber"]["attributes"] == {"city": "Izmir"}
    assert {each["event"] for each in held["consents"]} == {"added"}
    assert {each["newsletter"] for each in held["subscriptions"]} == {each["newsletter"] for each in held["consents"]}
    assert "bob" not in json.dumps(held)
    path = terminal.folder / "ada.json"
    terminal.subscribers("export", "--address", "ada@example.org", "-o", str(path))
    assert json.loads(path.read_text()) == held
    assert path.stat().st_mode & 0o077 == 0
    terminal.suppressions("add", "never@example.org")
    never = terminal.subscribers("export", "--address", "never@example.org")
    assert (never["subscriber"], never["suppressions"][0]["reason"]) == (None, "manual")
    with pytest.raises(NotFoundError, match="nothing is held of cem@"):
        terminal.subscribers("export", "--address", "cem@example.org")
    with pytest.raises(UsageError, match="--address is one person"):
        terminal.subscribers("export", "--address", "ada@example.org", "--where", "language = en")


def test_a_list_of_suppressions_comes_and_goes(terminal: Terminal) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed")
    path = terminal.folder / "never.txt"
    path.write_text("Ada@example.org\nnonsense\nbob@example.org\nada@example.org\n")
    dry = terminal.run(suppressions_command, "import", str(path), "--reason", "bounce", "--dry-run")
    done = terminal.run(suppressions_command, "import", str(path), "--reason", "bounce")
    assert json.loads(dry.stdout) == {**json.loads(done.stdout), "dry_run": True}
    assert done.return_value == 1
    assert f"{path}:2: nonsense is not an email address" in done.stderr
    assert f"{path}:4: repeated: ada@example.org: is in line 1 already" in done.stderr
    assert {s["address"]: s["reason"] for s in terminal.suppressions("list")} == {
        "ada@example.org": "bounce",
        "bob@example.org": "bounce",
    }
    out = terminal.folder / "never.csv"
    terminal.suppressions("export", "-o", str(out))
    for address in ("ada@example.org", "bob@example.org"):
        terminal.suppressions("remove", address)
    assert terminal.suppressions("import", str(out))["suppressed"] == 2
    assert {s["reason"] for s in terminal.suppressions("list")} == {"bounce"}
    assert [row["status"] for row in terminal.subscribers("export")] == ["suppressed"]


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


def test_edit_sets_what_a_reader_chose(terminal: Terminal) -> None:
    """Rhythm, pause and profile, for the newsletters that are named; a day begins where the reader is."""
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--newsletters", "daily,alerts")
    edit = ("edit", "ada@example.org", "--only", "daily")
    chosen = terminal.subscribers(
        *edit, "--timezone", "Asia/Tokyo", "--rhythm", "Weekly friday 18:00", "--urgency", "2",
        "--tags", "rail,port", "--languages", "tr", "--form", "text", "--pause-until", "2099-01-01",
    )["choices"]  # fmt: skip
    assert chosen["alerts"]["rhythm"] is None
    assert chosen["daily"] == {
        "rhythm": "weekly fri 18:00",
        "timezone": None,
        "paused_until": "2098-12-31T15:00:00+00:00",
        "sections": [],
        "tags": ["port", "rail"],
        "languages": ["tr"],
        "urgency": 2,
        "form": "text",
    }
    again = terminal.subscribers(*edit, "--rhythm", "", "--urgency", "0", "--tags", "", "--resume")
    assert again["newsletters"] == {"alerts": "confirmed", "daily": "confirmed"}
    assert (again["choices"]["daily"]["rhythm"], again["choices"]["daily"]["tags"]) == (None, [])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--rhythm", "instant"], "daily does not offer 'instant'"),
        (["--rhythm", "hourly"], "is no schedule"),
        (["--sections", "sport"], "there is no section 'sport'"),
        (["--pause-until", "2020-01-01"], "is over already"),
        (["--pause-until", "2099-01-01", "--resume"], "leave --pause or --resume out"),
    ],
)
def test_edit_refuses_what_is_not_offered_before_it_changes_anything(
    terminal: Terminal, options: list[str], complaint: str
) -> None:
    terminal.subscribers("add", "ada@example.org", "--confirmed", "--newsletters", "daily")
    with pytest.raises(UsageError, match=complaint):
        terminal.run(subscribers_command, "edit", "ada@example.org", "--name", "Ada", *options)
    assert terminal.subscribers("show", "ada@example.org")["name"] == ""
