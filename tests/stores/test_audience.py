"""Readers told apart by the database, on both: who is alike is so in all that matters, as one by one they are read."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from publisher.model.reader import Alike, Reader
from publisher.services.draft import in_force
from publisher.stores.audience import marked
from publisher.stores.clocks import keep_clocks
from publisher.stores.database import Database, maybe_micros, micros
from publisher.stores.readers import Readers
from publisher.stores.schema import licences, profiles, subscribers, subscriptions, suppressions

NOW = datetime(2026, 10, 19, 5, tzinfo=UTC)
DAY = timedelta(days=1)
TURNS = [NOW - 3 * DAY, NOW - 2 * DAY, NOW - DAY]
MOMENTS = [NOW - 4 * DAY, NOW - timedelta(hours=30)]
JOINED = [NOW - 9 * DAY, TURNS[0] - timedelta(microseconds=1), *TURNS, TURNS[1] + timedelta(hours=1), NOW]
LICENCES: list[list[dict[str, Any]]] = [
    [],
    [{"product": "*"}],
    [{"product": "asia"}, {"product": "economy", "archive_days": 7}],
    [{"product": "economy", "archive_days": 7}, {"product": "asia"}],
    [{"product": "asia", "valid_until": NOW}, {"product": "*", "embargo_cleared": True, "valid_from": NOW}],
    [{"product": "asia", "valid_until": NOW + timedelta(microseconds=1)}],
    [{"product": "asia", "active": False}],
    [{"product": "asia", "valid_from": NOW + timedelta(microseconds=1)}, {"product": "economy", "active": False}],
]
PLAIN = {
    "active": True, "valid_from": None, "valid_until": None, "archive_days": None, "embargo_cleared": False,
    "origin": "test", "created_at": 0,
}  # fmt: skip
CLOCKS: list[tuple[str | None, str | None, str | None]] = [
    (None, None, None),
    (None, None, "Asia/Tokyo"),
    (None, "UTC", "Asia/Tokyo"),
    ("weekly sun 02:30", None, None),
]


async def fill(database: Database) -> None:
    """Adds readers of `daily` who differ in every way, and some who are not meant."""
    kinds = itertools.product(range(len(LICENCES)), range(len(CLOCKS)), ("en", "tr"), range(3))
    people, reads, held, bad = [], [], [], []
    for number, (terms, clock, language, wish) in enumerate(kinds, 1):
        cadence, own_zone, zone = CLOCKS[clock]
        key, joined = f"r{number}@x.org", micros(JOINED[number % len(JOINED)])
        people.append(
            {
                "id": number, "address": key, "address_key": key, "language": language, "timezone": zone,
                "created_at": joined,
            }
        )  # fmt: skip
        reads.append(
            {
                "subscriber_id": number, "newsletter": "daily",
                "status": "paused" if number % 11 == 0 else "confirmed", "cadence": cadence, "timezone": own_zone,
                "profile_id": wish or None, "created_at": joined,
                "pending_since": micros(JOINED[number % 5]) if number % 7 == 0 else None,
                "confirmed_at": None if number % 13 == 0 else joined,
            }
        )  # fmt: skip
        held += [PLAIN | {"subscriber_id": number} | one for one in LICENCES[terms]]
        if number % 17 == 0:
            bad.append({"address_hash": key, "address": key, "reason": "manual", "at": 0, "origin": "test"})
    for one in held:
        one |= {name: maybe_micros(one[name]) for name in ("valid_from", "valid_until")}
    choices = [{"id": 1, "choices": '{"sections":["asia"]}'}, {"id": 2, "choices": '{"tags":["x"],"form":"brief"}'}]
    async with database.write() as connection:
        for table, rows in (
            (profiles, choices), (subscribers, people), (subscriptions, reads), (licences, held), (suppressions, bad),
        ):  # fmt: skip
            await connection.execute(table.insert(), rows)
        await keep_clocks(connection, (one["id"] for one in people))


def told(reader: Reader, *, licensed: bool) -> tuple[object, ...]:
    """Returns all that planning looks at in a reader."""
    entitlement = in_force(reader.licences, NOW) if licensed else frozenset()
    lapsed = licensed and bool(reader.licences) and not entitlement
    wish = (reader.choices, reader.form)
    return (
        reader.language,
        reader.timezone,
        reader.cadence,
        since(reader),
        *wish,
        entitlement,
        lapsed,
        reader.suppressed,
    )


def alike_told(alike: Alike) -> tuple[object, ...]:
    wish = (alike.choices, alike.form)
    rights = (alike.entitlement, alike.lapsed, alike.suppressed)
    return (alike.language, alike.timezone, alike.cadence, since(alike), *wish, *rights)


def since(one: Reader | Alike) -> tuple[bool, int]:
    """Returns whether stories are pending for somebody since a moment of their own, and between which it is."""
    if one.pending_since is not None:
        return True, sum(moment <= one.pending_since for moment in MOMENTS)
    return False, sum(turn <= one.confirmed_at for turn in TURNS)


@pytest.mark.parametrize("licensed", [True, False], ids=["subscribers", "public"])
@pytest.mark.parametrize("clock", [None, ("daily 07:00", "Europe/Berlin"), ("daily 07:00", "Asia/Tokyo")])
async def test_the_database_tells_readers_apart_as_they_are(
    database: Database, clock: tuple[str, str] | None, licensed: bool
) -> None:
    """Range by range everybody who is meant is there once, in one kind, and the kind says of them what is so."""
    await fill(database)
    store, own = Readers(database), ("daily", "daily 07:00", "Europe/Berlin")
    expected = {reader.number: told(reader, licensed=licensed) for reader in await store.page(*own, clock=clock)}
    audience = store.audience(*own, clock=clock, licensed_at=NOW if licensed else None, turns=TURNS, moments=MOMENTS)
    found: dict[int, tuple[object, ...]] = {}
    last, kinds = 0, []
    while (end := await audience.reach(last, 60)) is not None:
        for alike in await audience.alike(last + 1, end):
            kinds.append((last, alike_told(alike)))
            assert found.keys().isdisjoint(alike.numbers)
            found |= dict.fromkeys(alike.numbers, alike_told(alike))
        last = end
    assert found == expected
    assert len(expected) > 10
    assert len(kinds) == len(set(kinds))


async def test_a_range_ends_with_its_last_reader(database: Database) -> None:
    await fill(database)
    audience = Readers(database).audience("daily", "x", "UTC", clock=None, licensed_at=None, turns=[], moments=[])
    assert await audience.reach(0, 10) == 10
    assert await audience.reach(10, 2) == 13  # 11 has paused
    assert await audience.reach(13, 10**6) == 192
    assert await audience.reach(192, 10) is None


def test_numbers_with_the_same_marks_share_one_set() -> None:
    found = marked([("a", [1, 2, 3]), ("b", [2, 3]), ("a", [3, 4]), ("b", [1])])
    assert found == {1: {"a", "b"}, 2: {"a", "b"}, 3: {"a", "b"}, 4: {"a"}}
    assert len({id(each) for each in found.values()}) == 2
