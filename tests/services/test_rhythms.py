"""Readers with a rhythm of their own: each story once, at their hour, whatever they change."""

import random
from datetime import datetime, timedelta

import pytest
from planning_world import World, at, newsletter, publication

from publisher.errors import NotFoundError, UsageError
from publisher.model.catalogue import Filter
from publisher.model.choices import Change, Form
from publisher.services.choose import Choosing
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database

SUNDAY = at("2026-10-18 12:00")
RHYTHMS = ("instant", "daily", "weekdays", "weekly", "monthly")


async def world(database: Database, **values: object) -> World:
    """Returns a publication with a daily newsletter that offers every rhythm, and alerts that may come daily."""
    w = World(
        database,
        publication(
            newsletter("daily", "daily 07:00", **{"rhythms": RHYTHMS, **values}),
            newsletter("alerts", "instant", filter=Filter(urgency_max=2), rhythms=("daily",)),
        ),
    )
    await w.due(SUNDAY)
    return w


async def choose(w: World, name: str, now: datetime, **change: object) -> None:
    await w.choosing.change(w.people[name], ["daily"], Change(**change), now)  # type: ignore[arg-type]


async def play(w: World, until: datetime, since: datetime = SUNDAY) -> None:
    """Lets the service look every quarter of an hour."""
    now = since
    while now <= until:
        ahead = await w.planning.next_due(now)
        await w.due(now)
        now = min(now + timedelta(hours=6), max(ahead or now, now + timedelta(minutes=15)))


async def test_an_instant_reader_gets_each_story_after_its_grace_and_no_digest(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    await w.reader("ada", ["daily"], SUNDAY)
    await w.reader("bea", ["daily"], SUNDAY)
    await choose(w, "ada", SUNDAY, rhythm="instant")
    for i, hour in enumerate((14, 15)):
        now = at(f"2026-10-18 {hour}:00")
        await w.story(f"S{i}", now)
        await w.due(now + timedelta(minutes=14))
        assert len((await w.got())["ada"]) == i
        await w.due(now + timedelta(minutes=15))
    await w.due(at("2026-10-19 05:00"))
    assert await w.got() == {
        "ada": ["daily story:1:1: S0", "daily story:2:1: S1"],
        "bea": ["daily daily:2026-10-19: S1, S0"],
    }


async def test_what_does_not_reach_an_instant_reader_at_once_comes_with_the_others(sqlite_database: Database) -> None:
    """From weekly to instant: what was pending for Friday comes with the next digest, once."""
    w = await world(sqlite_database)
    await w.reader("ada", ["daily"], SUNDAY)
    await choose(w, "ada", SUNDAY, rhythm="weekly fri 18:00")
    await w.story("Waiting", at("2026-10-18 14:00"))
    await play(w, at("2026-10-20 10:00"))
    assert (await w.got())["ada"] == []
    await choose(w, "ada", at("2026-10-20 10:00"), rhythm="instant")
    await w.story("Fresh", at("2026-10-20 11:00"))
    await play(w, at("2026-10-24 12:00"), at("2026-10-20 11:00"))
    assert (await w.got())["ada"] == ["daily story:2:1: Fresh", "daily daily:2026-10-21: Waiting"]


@pytest.mark.parametrize("seed", range(2))
async def test_changing_ones_mind_again_and_again_brings_each_story_once(sqlite_database: Database, seed: int) -> None:
    dice = random.Random(seed)
    w = await world(sqlite_database)
    await w.reader("ada", ["daily"], SUNDAY)
    now, last = SUNDAY, SUNDAY + timedelta(days=12)
    words = ["", "instant", "daily 21:00", "weekdays 06:00", "weekly wed 12:00", "monthly 25 08:00"]
    zones = ["", "America/New_York", "Asia/Tokyo"]
    told = 0
    while now < last:
        await w.due(now)
        if dice.random() < 0.15:
            await choose(w, "ada", now, rhythm=dice.choice(words), timezone=dice.choice(zones))
        if dice.random() < 0.25:
            await w.story(f"S{told}", now)
            told += 1
        now += timedelta(hours=6)
    await choose(w, "ada", last, rhythm="")
    await play(w, last + timedelta(days=2), last)
    brought = [story for mail in (await w.got())["ada"] for story in mail.split(": ")[1].split(", ")]
    assert sorted(brought) == sorted(f"S{i}" for i in range(told))


async def test_an_instant_newsletter_may_come_daily(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    await w.reader("ada", ["alerts"], SUNDAY)
    await w.choosing.change(w.people["ada"], ["alerts"], Change(rhythm="daily 20:00"), SUNDAY)
    await w.story("Flash", at("2026-10-18 14:00"), urgency=1)
    await w.story("Calm", at("2026-10-18 14:00"), urgency=4)
    await play(w, at("2026-10-18 19:00"), at("2026-10-18 14:00"))
    assert (await w.got())["ada"] == ["alerts daily:2026-10-18: Flash"]


async def test_a_pause_ends_by_itself_without_a_backlog(sqlite_database: Database) -> None:
    """On Thursday morning it is as if they had joined: what came out since the last issue before, and what comes."""
    w = await world(sqlite_database)
    await w.reader("ada", ["daily"], SUNDAY)
    until = at("2026-10-22 00:00")
    for day in range(18, 23):
        await w.story(f"S{day}", at(f"2026-10-{day} 20:00"))
    begun = at("2026-10-19 12:00")
    await play(w, begun)
    await choose(w, "ada", begun, paused=True, paused_until=until)
    await play(w, at("2026-10-23 12:00"), begun)
    assert (await w.got())["ada"] == [
        "daily daily:2026-10-19: S18",
        "daily daily:2026-10-22: S21",
        "daily daily:2026-10-23: S22",
    ]


async def test_a_pause_that_skipped_no_issue_changes_nothing(sqlite_database: Database) -> None:
    w = await world(sqlite_database, max_articles=1)
    await w.reader("ada", ["daily"], SUNDAY)
    for name in ("One", "Two"):
        await w.story(name, at("2026-10-18 20:00"))
    await w.due(at("2026-10-19 05:00"))
    await choose(w, "ada", at("2026-10-19 06:00"), paused=True)
    await choose(w, "ada", at("2026-10-19 09:00"), paused=False)
    await w.due(at("2026-10-20 05:00"))
    assert (await w.got())["ada"] == ["daily daily:2026-10-19: Two", "daily daily:2026-10-20: One"]


async def test_a_profile_picks_stories_and_its_form(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    wishes = {
        "urgent": Change(urgency_max=2),
        "asia": Change(sections=("asia",)),
        "rail": Change(tags=("Rail",)),
        "turkish": Change(languages=("tr",)),
        "brief": Change(form=Form.BRIEF),
    }
    for name, change in wishes.items():
        await w.reader(name, ["daily"], SUNDAY)
        await w.choosing.change(w.people[name], ["daily"], change, SUNDAY)
    then = at("2026-10-18 20:00")
    await w.story("A", then, urgency=2, section="economy")
    await w.story("B", then, urgency=4, section="asia", tags=("rail",))
    await w.story("C", then, urgency=5, section="economy", language="tr")
    await w.due(at("2026-10-19 05:00"))
    got = {name: mails[0].split(": ")[1] for name, mails in (await w.got()).items()}
    assert got == {"urgent": "A", "asia": "B", "rail": "B", "turkish": "C", "brief": "A, B, C"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"rhythm": "0 7 * * *"}, "does not offer"),
        ({"rhythm": "now and then"}, "is no schedule"),
        ({"timezone": "Mars/Base"}, "is not a time zone"),
        ({"paused": True, "paused_until": SUNDAY}, "is over already"),
        ({"sections": ("sport",)}, "there is no section 'sport'; there are: asia, economy"),
        ({"languages": ("de",)}, "the languages are: en, tr"),
        ({"urgency_max": 10}, "urgency goes from 1"),
    ],
)
async def test_what_is_not_offered_changes_nothing(
    sqlite_database: Database, change: dict[str, object], complaint: str
) -> None:
    w = await world(sqlite_database)
    await w.reader("ada", ["daily"], SUNDAY)
    with pytest.raises(UsageError, match=complaint):
        await choose(w, "ada", SUNDAY, **{"form": Form.BRIEF, **change})
    (after,) = await ReaderChoices(w.database).alter(w.people["ada"], ["daily"], lambda one, _: one)
    assert after.choices.form is Form.FULL


async def test_who_does_not_read_it_is_told_so(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    await w.reader("ada", ["alerts"], SUNDAY)
    for name, complaint in (("daily", "no subscription to daily"), ("weekly", "no newsletter 'weekly'")):
        with pytest.raises(NotFoundError, match=complaint):
            await w.choosing.change(w.people["ada"], [name], Change(form=Form.TEXT), SUNDAY)


async def test_a_move_to_another_zone_loses_nothing(sqlite_database: Database) -> None:
    """Berlin's last issue was at five, New York's at eleven: what came between is pending still."""
    w = await world(sqlite_database)
    confirmed = at("2026-10-19 12:00")
    await w.story("Between", at("2026-10-19 08:00"))
    await w.reader("ada", ["daily"], confirmed, timezone="Europe/Berlin")
    await Choosing(w.catalogue, ReaderChoices(w.database)).move(w.people["ada"], "America/New_York")
    await play(w, at("2026-10-20 12:00"), confirmed)
    assert (await w.got())["ada"] == ["daily daily:2026-10-20: Between"]
