"""What waits moves along with a clock that is set, once, whoever sees the jump."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_rows import NOW, add_issue
from publisher.stores.database import Database, micros
from publisher.stores.moments import Moments
from publisher.stores.schema import deliveries, issues, lanes, relays

ZERO = timedelta(0)
HOUR = timedelta(hours=1)
WAIT = timedelta(minutes=5)
ROWS = {1: "pending", 2: "deferred", 3: "claimed", 4: "in_flight", 5: "uncertain", 6: "accepted", 7: "uncertain"}


async def waiting(database: Database) -> None:
    """Puts one delivery into each state that has a while in it, one that has ended and one in doubt for good."""
    await add_issue(database, ROWS)
    async with database.write() as connection:
        await connection.execute(sa.update(issues).values(sending_at=micros(NOW - WAIT)))
        for number, state in ROWS.items():
            leased = micros(NOW + WAIT) if state in ("claimed", "in_flight") else None
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == number)
                .values(
                    state=state, lease_until=leased, next_at=micros(NOW - 3 * HOUR if number == 1 else NOW + WAIT),
                    ended_at=micros(NOW) if number > 4 else None, resends=int(number == 7),
                )
            )  # fmt: skip
        open_until = {"open_until": micros(NOW + WAIT), "trips": 1, "reason": "gone", "probe_until": 0}
        await connection.execute(sa.insert(relays).values(name="relay:25", **open_until))
        await connection.execute(
            sa.insert(lanes).values(name="", free_at=micros(NOW + WAIT), tail_at=micros(NOW + WAIT))
        )


async def offsets(database: Database) -> dict[str, timedelta]:
    """Returns every moment as a distance from now."""
    columns = (deliveries.c.id, deliveries.c.next_at, deliveries.c.lease_until, deliveries.c.ended_at)
    found: dict[str, int | None] = {}
    async with database.read() as connection:
        for number, next_at, lease, ended in await connection.execute(sa.select(*columns)):
            found |= {f"next {number}": next_at, f"lease {number}": lease, f"ended {number}": ended}
        found["sending"] = await connection.scalar(sa.select(issues.c.sending_at))
        found["open"], found["probe"] = (
            await connection.execute(sa.select(relays.c.open_until, relays.c.probe_until))
        ).one()
        found["free"] = await connection.scalar(sa.select(lanes.c.free_at))
    return {name: timedelta(microseconds=at - micros(NOW)) for name, at in found.items() if at}


@pytest.mark.parametrize("jump", [3 * 24 * HOUR, -2 * HOUR])
async def test_what_waits_waits_as_long_as_before(database: Database, jump: timedelta) -> None:
    await waiting(database)
    before = await offsets(database)
    assert await Moments(database).move(jump, ZERO, NOW) == jump
    moved = {name for name, at in (await offsets(database)).items() if at - before[name] == jump}
    assert moved == {"next 2", "lease 3", "lease 4", "ended 5", "sending", "open", "free"}
    assert {name for name, at in (await offsets(database)).items() if at != before[name]} == moved


async def test_two_processes_that_see_one_jump_move_it_once(database: Database) -> None:
    await waiting(database)
    before = (await offsets(database))["next 2"]
    one, other = Moments(database), Moments(database)
    assert await one.moved() == await other.moved() == ZERO
    assert await one.move(HOUR, ZERO, NOW) == HOUR
    assert await other.move(HOUR + timedelta(seconds=2), ZERO, NOW) == HOUR
    assert (await offsets(database))["next 2"] - before == HOUR
    # One that slept meanwhile sees this jump and the next as one.
    assert await one.move(2 * HOUR, HOUR, NOW + HOUR) == 3 * HOUR
    assert await other.move(3 * HOUR, ZERO, NOW) == 3 * HOUR
    assert (await offsets(database))["next 2"] - before == 3 * HOUR


async def test_only_a_server_has_a_time_of_its_own(database: Database) -> None:
    told = await Moments(database).server_time()
    assert (told is None) == database.embedded
