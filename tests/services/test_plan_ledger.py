"""The worked week of docs/ledger.md, played through the real store: the page's tables are what must come out."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_page import MAILS, NOTICES, table
from publisher.model.article import Correction, Status
from publisher.model.catalogue import Filter
from publisher.model.issue import Issue
from publisher.stores.database import Database, micros
from publisher.stores.schema import cohorts, deliveries, issues, slots, variants

_NOTE = Correction(at=at("2026-10-23 07:00"), kind="correction", text="It is GGI.")
_SAID: dict[str, dict[str, object]] = {
    "killed": {"status": Status.KILLED, "kill_reason": "wrong"},
    "corrected": {"corrections": (_NOTE,)},
}
"""What the desk writes into the file."""


AGAIN = at("2026-10-25 00:50")
"""When the relay takes Bora's mail."""


class KilledError(Exception):
    """The process was killed."""


async def played(w: World) -> list[tuple[Issue, str]]:
    """Plays the week, event by event; returns the issues and when they were planned."""
    happenings = {at("2026-10-18 12:00"), at("2026-10-18 13:00")}
    for _, published, *_, later in table("The stories"):
        happenings |= {at(published), at(published) + timedelta(seconds=2)}
        changes = {at(when) for when in re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", later)}
        happenings |= changes | {change + timedelta(seconds=2) for change in changes}
    happenings |= {at(due) for _, _, due, *_ in table("Slots")}
    happenings |= {at("2026-10-23 05:03"), AGAIN, at("2026-10-25 01:30")}
    planned = []
    for now in sorted(moment for moment in happenings if moment >= at("2026-10-18 12:00")):
        await happen(w, now)
        await w.revising().run(now)
        if now == AGAIN:
            await w.try_again("Bora")
        if now == at("2026-10-23 05:00"):
            await killed_while_planning(w)
        else:
            planned += [(issue, f"{now:%Y-%m-%d %H:%M:%S}".removesuffix(":00")) for issue in await w.due(now)]
        if now == at("2026-10-25 00:30"):
            await w.defer("Bora")
    return planned


async def happen(w: World, now: object) -> None:
    """Does what the desk and the readers do at one moment."""
    if now == at("2026-10-18 12:00"):
        await w.story("S0", at("2026-10-18 12:00"), published_at=at("2026-09-02 00:00"))
    if now == at("2026-10-18 13:00"):
        then = at("2026-10-18 13:00")
        await w.reader("Ada", ["alerts", "daily"], then, timezone="Europe/Berlin")
        await w.reader("Bora", ["daily"], then, timezone="Europe/Berlin", language="tr", cadence="weekly sun 02:30")
        await w.reader(
            "Chloe",
            ["alerts", "daily"],
            then,
            timezone="America/New_York",
            products=["asia"],
            until=at("2026-10-22 04:00"),
        )
    for name, published, section, urgency, later in table("The stories"):
        if name != "S0" and now == at(published):
            await w.story(name, at(published), section=section, urgency=int(urgency))
        match = re.fullmatch(r"v2, (\w+) (.*)", later)
        if match and now == at(match[2]):
            await w.revise(name, match[1], at(match[2]), recalls=match[1] in _SAID, **_SAID.get(match[1], {}))


async def killed_while_planning(w: World) -> None:
    """Plans Friday's slot in a process that dies once the slot is granted."""
    write = w.database.write

    @asynccontextmanager
    async def killed(**how: bool) -> AsyncIterator[AsyncConnection]:
        async with write(**how) as connection:
            yield connection
        raise KilledError

    w.database.write = killed  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        await w.planning.due(at("2026-10-23 05:00"))
    w.database.write = write  # type: ignore[method-assign]


def named(text: str, w: World) -> str:
    """Returns a period or event with story names in place of numbers: `story:S2:1`, `kill:S2`."""
    names = {str(number): name for name, number in w.names.items()}
    return re.sub(r"^(story|correction|kill):(\d+)", lambda match: f"{match[1]}:{names[match[2]]}", text)


@pytest.fixture
async def week(sqlite_database: Database) -> tuple[World, list[tuple[Issue, str]]]:
    """The week, played."""
    alerts = newsletter("alerts", "instant", filter=Filter(urgency_max=2))
    w = World(sqlite_database, publication(alerts, newsletter("daily", "daily 07:00", max_articles=3)))
    return w, await played(w)


async def test_the_week_comes_out_as_the_ledger_says(week: tuple[World, list[tuple[Issue, str]]]) -> None:
    """It is played once, for it takes a while."""
    w, planned = week
    await _slots_issues_and_mails(w, planned)
    await _waiting_mail_is_decided_anew(w, planned)
    await _who_has_the_error_is_told(w)


async def _slots_issues_and_mails(w: World, planned: list[tuple[Issue, str]]) -> None:
    """They are those of the page's tables, row by row."""
    query = (
        sa.select(cohorts, slots.c.period, slots.c.due_at, slots.c.state, issues.c.edition)
        .join(slots, slots.c.cohort_id == cohorts.c.id)
        .outerjoin(issues, issues.c.slot_id == slots.c.id)
        .order_by(slots.c.due_at, slots.c.id)
    )
    async with w.database.read() as connection:
        rows = [
            [
                f"{row.newsletter}/{row.cadence}/{row.timezone}",
                named(row.period, w),
                f"{at('1970-01-01 00:00') + timedelta(microseconds=row.due_at):%Y-%m-%d %H:%M}",
                row.state,
                f"{row.newsletter} {row.edition}" if row.edition else "",
            ]
            for row in await connection.execute(query)
        ]
    assert rows == table("Slots")
    heads = [(f"{i.newsletter} {i.edition}", moment, named(i.period, w)) for i, moment in planned]
    assert heads == list(dict.fromkeys(tuple(row[:3]) for row in MAILS))
    for reader, mails in (await w.got()).items():
        last = {row[0]: row for row in MAILS if row[3] == reader}  # variant b in place of a
        expected = [f"{row[0].split()[0]} {row[2]}: {row[5]}" for row in last.values()]
        assert [as_told(mail, w) for mail in mails] == expected


async def _waiting_mail_is_decided_anew(w: World, planned: list[tuple[Issue, str]]) -> None:
    """Bora's row is the same, with other contents, in Turkish like the first; nobody else's changed."""
    night = next(issue.number for issue, moment in planned if moment == "2026-10-25 00:30")
    query = (
        sa.select(deliveries.c.subscriber_id, deliveries.c.state, deliveries.c.decided_at, variants.c.language)
        .join(variants, variants.c.id == deliveries.c.variant_id)
        .where(sa.or_(deliveries.c.issue_id == night, deliveries.c.decided_at.is_not(None)))
    )
    async with w.database.read() as connection:
        rows = (await connection.execute(query)).all()
    killed = micros(at("2026-10-25 00:40"))
    assert [tuple(row) for row in rows] == [(w.people["Bora"], "accepted", killed, "tr")]


async def _who_has_the_error_is_told(w: World) -> None:
    """The correction and the kill go to those who have an earlier version, once, and to nobody else."""
    found = [
        ["notice", planned, named(event, w), reader, "a", story, state]
        for planned, event, reader, story, _, state in await w.notices()
    ]
    assert found == NOTICES


def as_told(mail: str, w: World) -> str:
    """Returns a mail in the page's words: `daily daily:2026-10-20: S1 also S2`."""
    head, _, stories = mail.partition(": ")
    newsletter_id, period = head.split(" ", maxsplit=1)
    parts = stories.split(", ")
    brought = [part.replace(" updated", " upd") for part in parts if not part.endswith(" already")]
    only_named = [part.removesuffix(" already") for part in parts if part.endswith(" already")]
    also = f" also {', '.join(only_named)}" if only_named else ""
    return f"{newsletter_id} {named(period, w)}: {', '.join(brought)}{also}"


def test_the_page_agrees_with_itself() -> None:
    """Every issued slot has its mails, every edition its slot; no number is missing; nobody has a story twice."""
    slots_of = {row[4]: row[1] for row in table("Slots") if row[4]}
    assert {row[0]: row[2] for row in MAILS} == slots_of
    for one in ("alerts", "daily"):
        editions = [int(name.split()[1]) for name in dict.fromkeys(row[0] for row in MAILS) if name.startswith(one)]
        assert editions == list(range(1, len(editions) + 1))
    has: dict[str, set[str]] = {}
    for _, _, _, reader, variant, stories, how in table("Issues and mails"):
        if "stale" in how:
            continue
        for story in stories.split(" also ")[0].split(", "):
            version = story.removesuffix(" upd")
            assert version not in has.setdefault(reader, set()), f"{reader} has {version} twice"
            has[reader].add(version)
        assert variant in "ab"
    latest = {reader: _latest(stories) for reader, stories in has.items()}
    told = {reader: set(stories.split(", ")) for reader, stories in table("Why, day by day")}
    assert latest == told


def _latest(stories: set[str]) -> set[str]:
    return {story for story in stories if " v" in story or f"{story} v2" not in stories}


def test_the_page_counts_right() -> None:
    """The numbers in the schema's table are those of the tables above it."""
    counts = {row[0].strip("`"): row[3] for row in table("How the schema carries it")}
    mails = table("Issues and mails")
    assert counts["slots"] == str(len(table("Slots")))
    editions, notices = len({row[0] for row in MAILS}), sum(row[0] == "notice" for row in mails)
    assert counts["issues"] == f"{editions} editions, {notices} notices"
    assert counts["deliveries"] == str(len({(row[2], row[3]) for row in mails}))
    assert counts["variants"] == str(
        len({(row[2], row[0], row[4], row[3] if row[0] == "daily" else "") for row in mails})
    )
