"""The days to come, played on a copy: what is foretold is what planning then does, and nothing is changed."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from planning_world import Desktop, World, at, newsletter, publication

from publisher.model.article import Status
from publisher.model.catalogue import Audience, Filter
from publisher.model.choices import Change
from publisher.model.forecast import Turn
from publisher.model.people import SubscriptionStatus
from publisher.stores.database import Database
from publisher.stores.foresight import Foresight
from publisher.stores.schema import metadata

MONDAY = at("2026-10-19 00:00")
THURSDAY = at("2026-10-22 00:00")


def four_hourly(database: Database, **values: object) -> World:
    """Returns a publication with one newsletter of many slots."""
    values = {"timezone": "UTC", "grace_seconds": 0.0, **values}
    return World(database, publication(newsletter("often", "0 */4 * * *", **values)))


def brought(turns: list[Turn]) -> list[tuple[str, int, tuple[str, ...]]]:
    """Returns the slots that bring something, with what and to how many."""
    return [(turn.slot, turn.recipients, turn.stories) for turn in turns if turn.issue]


async def test_what_overflows_comes_in_the_slots_after(sqlite_database: Database, tmp_path: Path) -> None:
    w = four_hourly(sqlite_database, max_articles=2)
    await w.due(MONDAY)
    await w.reader("ada", ["often"], MONDAY)
    for i in range(5):
        await w.story(f"S{i}", MONDAY + timedelta(minutes=1 + i))
    turns = await w.simulate(1, MONDAY + timedelta(minutes=10), tmp_path)
    assert [stories for _, _, stories in brought(turns)] == [("S4", "S3"), ("S2", "S1"), ("S0",)]
    assert len(turns) == 6
    assert {turn.readers for turn in turns} == {1}
    assert {turn.why for turn in turns if not turn.issue} == {"nothing new since the last mail"}


async def test_a_story_waits_out_its_grace(sqlite_database: Database, tmp_path: Path) -> None:
    w = four_hourly(sqlite_database, grace_seconds=3600.0)
    await w.due(MONDAY)
    await w.reader("ada", ["often"], MONDAY)
    await w.story("One", MONDAY + timedelta(hours=2, minutes=50))
    await w.story("Two", MONDAY + timedelta(hours=3, minutes=20))
    turns = await w.simulate(1, MONDAY + timedelta(hours=3, minutes=25), tmp_path)
    assert [stories for _, _, stories in brought(turns)] == [("One",), ("Two",)]


async def test_an_embargo_that_ends_tomorrow_brings_the_story_tomorrow(
    sqlite_database: Database, tmp_path: Path
) -> None:
    w = four_hourly(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["often"], MONDAY)
    released = MONDAY + timedelta(hours=20, minutes=10)
    await w.story("Secret", MONDAY + timedelta(minutes=1), embargo=released)
    turns = await w.simulate(2, MONDAY + timedelta(minutes=10), tmp_path)
    assert brought(turns) == [(f"cron:{released + timedelta(hours=3, minutes=50):%Y-%m-%dT%H:%M}", 1, ("Secret",))]


async def test_who_sends_nothing_says_why(sqlite_database: Database, tmp_path: Path) -> None:
    """Nobody reads it, nothing is new, too few stories, no slot in these days, nothing known to come."""
    w = World(
        sqlite_database,
        publication(
            newsletter("unread", "daily 07:00"),
            newsletter("calm", "daily 07:00", filter=Filter(sections=("economy",))),
            newsletter("few", "daily 07:00", min_articles=3),
            newsletter("seldom", "monthly 1 07:00"),
            newsletter("alerts", "instant"),
            newsletter("good", "daily 07:00"),
        ),
    )
    await w.due(MONDAY)
    await w.reader("ada", ["calm", "few", "seldom", "alerts"], MONDAY)
    await w.reader("bea", ["good"], MONDAY)
    await w.story("One", MONDAY - timedelta(minutes=1), published_at=MONDAY - timedelta(minutes=1))
    turns = await w.simulate(3, MONDAY + timedelta(minutes=10), tmp_path)
    silent = {turn.newsletter: turn.why for turn in turns if not turn.slot}
    assert silent == {
        "unread": "nobody reads it",
        "calm": "nothing new since the last mail",
        "few": "fewer stories than min_articles",
        "seldom": "'monthly 1 07:00' has no slot in these days",
        "alerts": "each story goes out as it comes, and none is known to come",
    }
    (issue,) = [turn for turn in turns if turn.issue]
    assert (issue.newsletter, issue.mentions, issue.left_out) == ("good", ("story",), {})


async def test_a_slot_says_who_is_left_out_and_why(sqlite_database: Database, tmp_path: Path) -> None:
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00")))
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("lapsed", ["daily"], MONDAY, until=MONDAY + timedelta(hours=1))
    await w.reader("elsewhere", ["daily"], MONDAY, products=["asia"])
    await w.reader("gone", ["daily"], MONDAY)
    await w.suppress("gone", MONDAY)
    await w.story("One", MONDAY - timedelta(minutes=30), section="economy")
    (turn, *_) = await w.simulate(1, MONDAY + timedelta(minutes=10), tmp_path)
    assert (turn.readers, turn.recipients) == (4, 1)
    assert turn.left_out == {
        "the licence has ended": 1,
        "nothing new since the last mail": 1,
        "the address is suppressed": 1,
    }


async def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Returns all there is."""
    async with database.read() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(sa.select(table))]
            for table in metadata.sorted_tables
        }


async def busy_week(w: World, seed: int) -> datetime:
    """Fills a publication with readers of every kind and stories out and to come; returns when that is done."""
    dice = random.Random(seed)
    zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", None]
    rhythms = [None, None, "weekdays 06:30", "weekly wed 18:00", "daily 02:30"]
    now = THURSDAY + timedelta(hours=12)
    await w.due(THURSDAY)
    for i in range(14):
        name = f"reader{i}"
        until = now + timedelta(days=dice.randint(1, 4)) if dice.random() < 0.3 else None
        products = ["*"] if dice.random() < 0.7 else ["asia"]
        lists = dice.choice([["daily"], ["daily", "alerts"], ["weekly", "daily"], ["weekly"]])
        number = await w.reader(
            name,
            lists,
            THURSDAY + timedelta(hours=dice.randint(0, 11)),
            products=products,
            until=until,
            timezone=dice.choice(zones),
            cadence=dice.choice(rhythms),
            language=dice.choice(["en", "tr"]),
        )
        if dice.random() < 0.3:
            pause = Change(paused=True, paused_until=now + timedelta(days=dice.randint(1, 3)))
            await w.choosing.change(number, lists, pause, now)
        if dice.random() < 0.3:
            await w.choosing.change(
                number, [lists[0]], Change(sections=("asia",), urgency_max=dice.choice([2, 4])), now
            )
    for i in range(12):
        out = THURSDAY + timedelta(hours=dice.uniform(0, 11.9))
        section, urgency = dice.choice(["asia", "economy"]), dice.choice([1, 2, 4, 4, 4])
        await w.story(f"out{i}", out, section=section, urgency=urgency, language=dice.choice(["en", "en", "tr"]))
    for i in range(10):
        hour = now + timedelta(minutes=dice.randint(30, 4 * 1440))
        section, urgency = dice.choice(["asia", "economy"]), dice.choice([2, 4])
        await w.story(f"later{i}", now, section=section, urgency=urgency, out=False, publish_at=hour)
    return now


@pytest.mark.parametrize(("seed", "sandbox"), [(0, True), (1, False)])
async def test_what_is_foretold_is_what_comes(
    sqlite_database: Database, tmp_path: Path, seed: int, sandbox: bool
) -> None:
    """Four days with the night the clocks change: every slot, its recipients, stories and holds are as foretold."""
    w = World(
        sqlite_database,
        publication(
            newsletter("alerts", "instant", filter=Filter(urgency_max=2)),
            newsletter("daily", "daily 07:00", max_articles=3, rhythms=("instant", "daily", "weekdays", "weekly")),
            newsletter("weekly", "weekly sun 02:30", audience=Audience.PUBLIC, min_articles=2, approval=True),
        ),
        sandbox=sandbox,
    )
    now = await busy_week(w, seed)
    before = await rows(w.database)
    foretold = [turn for turn in await w.simulate(4, now, tmp_path) if turn.slot]
    assert await rows(w.database) == before
    marks, desk = await Foresight(w.database, sandbox=sandbox).marks(), Desktop(w)
    await desk.load()
    # A service that wakes every six hours, needed or not, and when it says that it has to.
    moment, end = now, now + timedelta(days=4)
    while moment <= end:
        await desk.take(moment)
        await w.due(moment)
        ahead = (desk.next_change_at(moment), await w.planning.next_due(moment), await w.announcing.next_due(moment))
        moment = min([moment + timedelta(hours=6), *(at for at in ahead if at and at > moment)])
    came = await Foresight(w.database, sandbox=sandbox).turns(marks, ())
    assert [_facts(turn) for turn in foretold] == [_facts(turn) for turn in came]
    assert [turn.stories for turn in foretold] == [await _titles(w, turn) for turn in came]
    assert sum(bool(turn.issue) for turn in came) > 8
    assert any(reason.startswith("first-issue") for turn in came for reason in turn.held) is not sandbox
    assert any(reason.startswith("approval") for turn in came for reason in turn.held)
    for mails in (await w.got()).values():
        for one in ("daily", "alerts", "weekly"):
            stories = _stories([mail for mail in mails if mail.startswith(one)])
            assert len(stories) == len(set(stories)), mails


def _facts(turn: Turn) -> Turn:
    return replace(turn, readers=0, stories=(), mentions=(), why="", left_out={})


async def _titles(w: World, turn: Turn) -> tuple[str, ...]:
    refs = await w.issues.stories(turn.issue) if turn.issue else []
    found = await w.articles.by_numbers(ref.article for ref in refs)
    return tuple(found[ref.article].title for ref in refs)


def _stories(mails: list[str]) -> list[str]:
    told = [story for mail in mails for story in mail.split(": ")[1].split(", ")]
    return [story for story in told if not story.endswith(" already")]


async def test_withdrawn_and_paused_for_good_are_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00")))
    await w.due(MONDAY)
    number = await w.reader("ada", ["daily"], MONDAY)
    await w.story("One", MONDAY)
    await w.revise("One", "withdrawn", MONDAY + timedelta(minutes=1), status=Status.WITHDRAWN)
    assert brought(await w.simulate(2, MONDAY + timedelta(hours=1), tmp_path / "a")) == []
    await w.story("Two", MONDAY + timedelta(minutes=3))
    assert len(brought(await w.simulate(2, MONDAY + timedelta(hours=1), tmp_path / "b"))) == 1
    (after,) = await w.choosing.change(number, ["daily"], Change(paused=True), MONDAY + timedelta(hours=1))
    assert after.status is SubscriptionStatus.PAUSED
    turns = await w.simulate(2, MONDAY + timedelta(hours=1), tmp_path / "c")
    assert {turn.why for turn in turns} == {"nobody reads it on this clock", "nobody reads it"}
