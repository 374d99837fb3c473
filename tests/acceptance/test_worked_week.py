"""The worked week of docs/ledger.md, played by the installed command: every slot, issue and mail is the page's.

The service runs with a clock that stands and is set from one happening to the next, mails to a relay of the test's own,
and is killed twice: with a body on the wire, and between the grant of a slot and its issue.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from acceptance.running import eventually
from acceptance.stage import Live, Sent, Stage, relay
from ledger_page import MAILS, NOTICES, table
from publications import story

CONFIG = """
[site]
title = "Harbour Wire"
language = "en"
languages = ["en", "tr"]
timezone = "Europe/Berlin"
contact = "mailto:desk@wire.example"

[articles]
access = "summary"

[[sections]]
id = "asia"
title = { en = "Asia", tr = "Asya" }

[[sections]]
id = "economy"
title = { en = "Economy", tr = "Ekonomi" }

[[products]]
id = "asia"
title = { en = "Asia desk", tr = "Asya masası" }
sections = ["asia"]

[[newsletters]]
id = "alerts"
title = "Alerts"
audience = "subscribers"
schedule = "instant"
urgency_max = 2

[[newsletters]]
id = "daily"
title = "Daily"
audience = "subscribers"
schedule = "daily 07:00"
max_articles = 3

[smtp]
sandbox = false
sender = "Harbour Wire <news@wire.example>"
"""
PEOPLE = """email,language,timezone,newsletters,rhythm,products,valid_until
ada@reader.example,en,Europe/Berlin,alerts;daily,,*,
bora@reader.example,tr,Europe/Berlin,daily,weekly sun 02:30,*,
chloe@reader.example,en,America/New_York,alerts;daily,,asia,2026-10-22T04:00Z
"""
RELAY_ANSWERS = {
    "bora@reader.example": ["451 4.7.1 later", "451 4.7.1 later"],
    "chloe@reader.example": [*["250 2.0.0 kept"] * 3, ""],
}
"""Bora's first mail is put off twice; nothing is said to the body that is on the wire when the process is killed."""
MARKS = {
    "updated": "updated: {}",
    "killed": "status: killed\nkill_reason: wrong",
    "corrected": "corrections:\n  - date: {}\n    kind: correction\n    text: It is GGI.",
}
"""What the desk writes into a file, for the page's words."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BEGIN, CONFIRMED = at("2026-10-18 12:00"), at("2026-10-18 13:00")
HELD, CRASH, BACK, RESENT = (
    at("2026-10-19 09:30:02"),
    at("2026-10-21 12:00:02"),
    at("2026-10-21 12:01"),
    at("2026-10-21 12:16"),
)
CRASH_PLANNING, BACK_AGAIN = at("2026-10-23 05:00"), at("2026-10-23 05:03")
PUT_OFF, PUT_OFF_AGAIN, STALE, TAKEN = (at(f"2026-10-25 00:{minute}") for minute in ("30", "36", "40", "54"))
"""The relay is asked again after 5 and then 15 minutes, each up to a fifth longer."""
TWICE = at("2026-10-25 01:30")
"""When Berlin's clocks show 02:30 for the second time."""
SLOTS = [(*row[:2], at(row[2]), *row[3:]) for row in table("Slots")]
GRANTED = [due + timedelta(seconds=2 if period.startswith("story:") else 0) for _, period, due, _, _ in SLOTS]
"""When each slot is granted at the earliest: a story is mailed once its text has stood still."""


class Week:
    """The week, being played."""

    def __init__(self, stage: Stage, services: ExitStack) -> None:
        self.stage = stage
        self._services = services
        self.live: Live | None = None
        self.numbers: dict[str, int] = {}

    def run(self, moment: datetime, **environment: str) -> None:
        """Starts the service at a moment; it looks through its folder when told of a change, and hardly by itself."""
        self.stage.stop_clock(moment)
        running = self.stage.running(rounds=0.25, SHIFTED_RESCAN_SECONDS="5", **environment)
        self.live = self._services.enter_context(running)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Asks the ledger itself."""
        path = self.stage.folder / "var" / "publisher.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
            return connection.execute(query).fetchall()

    def states(self) -> list[tuple[str, str]]:
        """Returns everybody's deliveries, without those of their own service mail, in the order of planning."""
        query = (
            "SELECT s.address, d.state || iif(d.state = 'deferred', ' ' || d.attempts, '') FROM deliveries d"
            " JOIN subscribers s ON s.id = d.subscriber_id JOIN issues i ON i.id = d.issue_id"
            " WHERE i.kind != 'message' ORDER BY d.issue_id, s.id"
        )
        return [(str(address).split("@")[0].title(), str(state)) for address, state in self.rows(query)]

    def file(self, name: str, section: str, urgency: str, published: str, version: int = 1, extra: str = "") -> None:
        """Saves a story, and waits until the service has it."""
        text = story(
            name, body=f"All of {name}, version {version}.", section=section, urgency=urgency, date=f"{published}Z"
        )
        self.stage.write(f"{name.lower()}.md", text.replace("---\n\n", f"{extra}---\n\n", 1))
        query = f"SELECT id FROM articles WHERE slug = '{name.lower()}' AND version = {version}"
        [(number,)] = eventually(lambda: self.rows(query), f"{name}, version {version}")
        self.numbers[name] = int(str(number))

    def named(self, text: object) -> str:
        """Returns a period or event with the names of stories in place of numbers: `story:S2:1`."""
        names = {str(number): name for name, number in self.numbers.items()}
        return re.sub(r"^(story|correction|kill):(\d+)", lambda found: f"{found[1]}:{names[found[2]]}", str(text))

    def slots(self) -> list[tuple[str, str, datetime, str, str]]:
        """Returns the slots as the page tells them."""
        query = (
            "SELECT c.newsletter || '/' || c.cadence || '/' || c.timezone, l.period, l.due_at, l.state,"
            " coalesce(i.newsletter || ' ' || i.edition, '') FROM slots l JOIN cohorts c ON c.id = l.cohort_id"
            " LEFT JOIN issues i ON i.slot_id = l.id ORDER BY l.due_at, l.id"
        )
        return [
            (str(who), self.named(period), _moment(due), str(state), str(issue))
            for who, period, due, state, issue in self.rows(query)
        ]

    def settled(self, now: datetime) -> bool:
        """Returns whether everything that is due by now was done: slots, and mail that reached its end."""
        if len(self.slots()) < sum(granted <= now for granted in GRANTED):
            return False
        states = self.states()
        return "granted" not in {state for _, _, _, state, _ in self.slots()} and states == expected_states(now)


def _moment(stored: object) -> datetime:
    return datetime.fromtimestamp(int(str(stored)) / 1_000_000, UTC)


def expected_states(now: datetime) -> list[tuple[str, str]]:
    """Returns whom mail was planned for by now, and how it stands, in the order of planning."""
    told = []
    for _, planned, _, reader, _, _, how in table("Issues and mails"):
        if at(planned) > now or "in place of" in how:
            continue
        state = "accepted"
        if "uncertain" in how and now < RESENT:
            state = "uncertain"
        if "deferred" in how and now < TAKEN:
            state = "deferred 1" if now < PUT_OFF_AGAIN else "deferred 2"
        told.append((reader, state))
    return told


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    """The week, before it begins."""
    mails = tmp_path / "mails"
    with relay(mails) as port, ExitStack() as services:
        stage = Stage(tmp_path / "wire", CONFIG, port, mails)
        stage.script(RELAY_ANSWERS)
        yield Week(stage, services)


def happenings() -> list[datetime]:
    """Returns every moment of the week at which somebody does something or something is due."""
    found = {RESENT, BACK_AGAIN, PUT_OFF_AGAIN, STALE, TAKEN, TWICE, *(due for _, _, due, _, _ in SLOTS)}
    for _, *told in table("The stories")[1:]:
        found |= {at(when) for when in re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", " ".join(told))}
    return sorted(found | {at(row[1]) for row in table("Issues and mails")})


def play(week: Week) -> None:
    """Plays the week, event by event."""
    week.stage.stop_clock(BEGIN)
    name, published, section, urgency, _ = table("The stories")[0]
    week.stage.write("s0.md", story(name, section=section, urgency=urgency, date=f"{published}Z"))
    week.run(BEGIN)
    week.stage.stop_clock(CONFIRMED)
    people = week.stage.folder / "people.csv"
    people.write_text(PEOPLE)
    week.stage.command("subscribers", "import", str(people), "--confirmed")
    for now in happenings():
        week.stage.stop_clock(now)
        for told in table("The stories")[1:]:
            _save(week, told, now)
        if now == HELD:
            eventually(
                lambda: week.rows("SELECT 1 FROM issues WHERE state = 'held'"), "the first issue waits for a word"
            )
            week.stage.command("issues", "release", "1")
        if now == CRASH:
            _killed_with_a_body_on_the_wire(week)
            now = BACK
        if now == CRASH_PLANNING:
            assert week.live is not None
            assert week.live.process.wait(60) == -9
            assert ("daily/daily 07:00/Europe/Berlin", "daily:2026-10-23", now, "granted", "") in week.slots()
            week.run(BACK_AGAIN)
            now = BACK_AGAIN
        if now == STALE:
            eventually(lambda: week.rows("SELECT 1 FROM variants WHERE stale"), "the waiting mail is stale")
        eventually(partial(week.settled, now), f"{now}: {week.slots()[-2:]} {week.states()[-3:]}")


def _save(week: Week, told: list[str], now: datetime) -> None:
    """Saves what the desk has at one moment."""
    name, published, section, urgency, later = told
    if now == at(published):
        week.file(name, section, urgency, published)
    match = re.fullmatch(r"v2, (\w+) (.*)", later)
    if match and now == at(match[2]):
        week.file(name, section, urgency, published, 2, MARKS[match[1]].format(f"{match[2]}Z") + "\n")


def _killed_with_a_body_on_the_wire(week: Week) -> None:
    """Kills the service when Ada's mail has arrived and the relay has Chloe's, unanswered; starts it a minute later."""
    live, stage = week.live, week.stage
    assert live is not None
    eventually(lambda: any(not sent.answer for sent in stage.attempts()), "the body is on the wire")
    eventually(lambda: week.states()[-2:] == [("Ada", "accepted"), ("Chloe", "in_flight")], "the marks are made")
    live.kill()
    week.run(BACK, SHIFTED_DIES_AT="daily:2026-10-23")


def test_the_installed_command_plays_the_worked_week(week: Week) -> None:
    play(week)
    assert week.slots() == SLOTS
    query = "SELECT newsletter || ' ' || edition, planned_at FROM issues WHERE kind = 'digest' ORDER BY id"
    planned = [(name, _moment(moment)) for name, moment in week.rows(query)]
    assert planned == list(dict.fromkeys((row[0], at(row[1])) for row in MAILS))
    events = week.rows("SELECT event, planned_at FROM issues WHERE kind = 'notice' ORDER BY id")
    assert [(week.named(event), _moment(moment)) for event, moment in events] == [
        (row[2], at(row[1])) for row in NOTICES
    ]
    for reader in ("Ada", "Bora", "Chloe"):
        arrived = [sent for sent in week.stage.attempts() if sent.recipient == f"{reader.lower()}@reader.example"]
        told = [row for row in table("Issues and mails") if row[3] == reader]
        accepted = [sent for sent in arrived if sent.accepted]
        assert [brought(week, sent) for sent in accepted] == [row[5] for row in told if "stale" not in row[6]]
        assert [sent.message["Date"].datetime for sent in arrived] == [each for row in told for each in sent_at(row)]
        identities = [str(sent.message["Message-ID"]) for sent in arrived]
        assert len(set(identities)) == len(accepted), "one Message-ID, however often a mail is tried"
    night = week.stage.mails("bora@reader.example")[0]
    assert "25 Ekim 2026" in night.subject
    assert 'lang="tr"' in night.html
    waited = week.rows("SELECT count(*), count(DISTINCT variant_id) FROM deliveries WHERE decided_at IS NOT NULL")
    assert waited == [(1, 1)], "Bora's row alone was decided anew"


def brought(week: Week, sent: Sent) -> str:
    """Returns what a mail brought in the page's words: `S3, S1 v2 upd also S7`."""
    text, _, named = sent.text.replace("\r\n", "\n").partition("Already sent to you")
    told = []
    for part in text.split("----\n")[1:]:
        for name, version in re.findall(r"All of (S\d+), version (\d)", part):
            updated = "Updated" in part and "Correction" not in sent.subject
            told.append(f"{name}{' v2' if version == '2' else ''}{' upd' if updated else ''}")
    if killed := re.search(r"KILL \(ref (\d+)\)", sent.subject):
        told.append(f"{next(name for name, number in week.numbers.items() if number == int(killed[1]))} v2")
    also = re.findall(r"^\* (S\d+)$", named, re.MULTILINE)
    return ", ".join(told) + (f" also {', '.join(also)}" if also else "")


def sent_at(row: list[str]) -> list[datetime]:
    """Returns when a mail of the page is handed to the relay; with the jitter of what is tried again."""
    planned, how = at(row[1]), row[6]
    if "uncertain" in how:
        return [planned, RESENT]
    if "deferred" in how:
        return [planned, PUT_OFF_AGAIN]
    return [TAKEN] if "in place of" in how else [planned]
