"""Clocks are found by an index, and kept right by whatever changes what they are made of."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from publisher.model.choices import Wish
from publisher.model.people import (
    Allowance,
    ConsentEvent,
    Enrolment,
    Proof,
    SignUpLimits,
    SubscriptionStatus,
)
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.readers import Readers

NOW = datetime(2026, 10, 19, 5, tzinfo=UTC)
OWN = ("daily", "daily 07:00", "Europe/Berlin")
PROOF = Proof(origin="command", evidence="test")
WEEKLY = {"cadence": "weekly sun 02:30"}


def enrolment(name: str, zone: str = "", **changes: Any) -> Enrolment:
    key = f"{name}@x.org"
    plain = {"newsletters": ("daily",), "timezone": zone, "trusted": True, "event": ConsentEvent.ADDED, "proof": PROOF}
    return Enrolment(
        address=key,
        address_key=key,
        address_hash=key,
        language="en",
        **{"status": SubscriptionStatus.CONFIRMED, **plain, **changes},
    )


async def enrol(database: Database, *some: Enrolment) -> list[int]:
    none = Allowance(most=0, window=timedelta(0))
    limits = SignUpLimits(per_address=(none,), per_network=(none,))
    found = await People(database).enrol(some, lambda number, generation: f"{number}.{generation}", limits, NOW)
    return [one.subscriber or 0 for one in found]


async def told(database: Database) -> set[tuple[str, str]]:
    """Returns the clocks there are, and fails where an index says something else than the rows."""
    store = Readers(database)
    found = set(await store.clocks(*OWN))
    assert found == {(one.cadence, one.timezone) for one in await store.page(*OWN)}
    for clock in found:
        numbers = [one.number for one in await store.page(*OWN, clock=clock)]
        assert numbers == [one.number for one in await store.page(*OWN) if (one.cadence, one.timezone) == clock]
        assert await store.count(*OWN, clock=clock) == len(numbers)
        audience = store.audience(*OWN, clock=clock, licensed_at=None, turns=[], moments=[])
        assert [await audience.reach(number - 1, 1) for number in numbers] == numbers
    return found


async def test_clocks_follow_whatever_is_said_of_a_reader(database: Database) -> None:
    """One by one and many at once, of the person and of one newsletter; those who leave take theirs with them."""
    store, choices = People(database), ReaderChoices(database)
    assert await told(database) == set()
    ada, bora = await enrol(database, enrolment("ada"), enrolment("bora", "Asia/Tokyo"))
    assert await told(database) == {OWN[1:], ("daily 07:00", "Asia/Tokyo")}
    await store.describe(ada, timezone="America/New_York")
    assert await told(database) == {("daily 07:00", "America/New_York"), ("daily 07:00", "Asia/Tokyo")}
    await enrol(database, enrolment("ada", "Asia/Tokyo"))
    assert await told(database) == {("daily 07:00", "Asia/Tokyo")}
    await choices.alter(bora, ["daily"], lambda one, _: replace(one, **WEEKLY))
    assert await told(database) == {("daily 07:00", "Asia/Tokyo"), ("weekly sun 02:30", "Asia/Tokyo")}
    await choices.alter(bora, ["daily"], lambda one, _: replace(one, timezone="UTC"), timezone="Asia/Seoul")
    assert await told(database) == {("daily 07:00", "Asia/Tokyo"), ("weekly sun 02:30", "UTC")}
    await choices.alter(bora, ["daily"], lambda one, _: replace(one, cadence="instant", timezone=None))
    assert await told(database) == {("daily 07:00", "Asia/Tokyo"), ("daily 07:00", "Asia/Seoul")}
    await store.unsubscribe(bora, None, PROOF, NOW)
    assert await told(database) == {("daily 07:00", "Asia/Tokyo")}
    await store.describe(bora, timezone="")
    await store.subscribe(bora, ["daily"], PROOF, NOW)
    assert await told(database) == {("daily 07:00", "Asia/Tokyo"), OWN[1:]}
    await enrol(database, *(enrolment(f"r{n}", "Asia/Kolkata" if n % 2 else "") for n in range(20)))
    assert await told(database) == {("daily 07:00", "Asia/Tokyo"), OWN[1:], ("daily 07:00", "Asia/Kolkata")}
    own = Wish(cadence="weekly fri 18:00", timezone="Asia/Tashkent")
    await enrol(database, *(enrolment(f"w{n}", wishes={"daily": own}) for n in range(20)))
    assert ("weekly fri 18:00", "Asia/Tashkent") in await told(database)
    await enrol(database, enrolment("x", wishes={"daily": replace(own, timezone="Asia/Almaty")}))
    assert ("weekly fri 18:00", "Asia/Almaty") in await told(database)
    (chloe,) = await enrol(database, enrolment("chloe", "UTC", newsletters=()))
    await store.subscribe(chloe, ["daily"], PROOF, NOW)
    assert ("daily 07:00", "UTC") in await told(database)


@asynccontextmanager
async def statements(database: Database) -> AsyncIterator[list[tuple[str, Any]]]:
    """Gives what is asked of the database meanwhile, with its values."""
    said: list[tuple[str, Any]] = []

    def listen(_: Any, __: Any, text: str, values: Any, *___: Any) -> None:
        if text != "BEGIN":
            said.append((text, values))

    sa.event.listen(database._readers.sync_engine, "before_cursor_execute", listen)
    yield said
    sa.event.remove(database._readers.sync_engine, "before_cursor_execute", listen)


async def plans(database: Database, said: Sequence[tuple[str, Any]]) -> list[str]:
    """Returns how SQLite would go about these statements."""
    async with database.read() as connection:
        return [
            str(row[3])
            for text, values in said
            for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]


async def test_clocks_and_their_readers_come_out_of_an_index(sqlite_database: Database) -> None:
    """A million readers on three clocks cost no more than three: neither their rows nor they themselves are read."""
    await enrol(sqlite_database, *(enrolment(f"r{n}", "Asia/Kolkata" if n % 2 else "") for n in range(20)))
    store = Readers(sqlite_database)
    async with statements(sqlite_database) as said:
        await store.clocks(*OWN)
        rare = store.audience(*OWN, clock=OWN[1:], licensed_at=None, turns=[], moments=[])
        await rare.reach(0, 5)
        await store.count(*OWN, clock=OWN[1:])
    assert len(said) == 3
    tables = [step for step in await plans(sqlite_database, said) if "subscri" in step]
    assert tables
    assert all(step.startswith("SEARCH subscriptions USING COVERING INDEX") for step in tables), tables
    assert all("clock" in step for step in tables), tables


async def test_one_reader_is_found_by_their_address(sqlite_database: Database) -> None:
    """What somebody's next issue brings is asked for at every look at their page: no other reader is read for it."""
    await enrol(sqlite_database, *(enrolment(f"r{n}") for n in range(20)))
    async with statements(sqlite_database) as said:
        (one,) = await Readers(sqlite_database).page(*OWN, address_key="r7@x.org")
    assert one.address == "r7@x.org"
    steps = await plans(sqlite_database, said)
    assert any("address_key=?" in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps
    assert any("subscriber_id=?" in step for step in steps if "subscriptions" in step), steps
