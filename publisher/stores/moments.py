"""Stored moments that mean a while: they move when the clock is set by which they were meant.

The time by which everything is stored is that of one machine: with SQLite the one machine there is, with PostgreSQL
the server, for the clocks of the machines that use it differ.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from publisher.model.issue import DUE, UNFINISHED, DeliveryState
from publisher.stores.database import SERVER_CLOCK, Database, micros, moment
from publisher.stores.schema import deliveries, facts, issues, lanes, relays

_MOVED = "clock_moved"
_MICROSECOND = timedelta(microseconds=1)
_SLIGHT = timedelta(minutes=1)
"""Two processes that measure the same jump differ by less."""
_LEASED = (DeliveryState.CLAIMED, DeliveryState.IN_FLIGHT)


class Moments:
    """Reads the database's clock, and moves what waits when it is set."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def server_time(self) -> datetime | None:
        """Returns the time of the database's server; None: the data are on this machine."""
        if self._database.embedded:
            return None
        async with self._database.read() as connection:
            return moment((await connection.execute(sa.select(SERVER_CLOCK))).scalar_one())

    async def moved(self) -> timedelta:
        """Returns by how much all jumps so far have moved what waits."""
        async with self._database.read() as connection:
            said = await connection.scalar(sa.select(facts.c.value).where(facts.c.name == _MOVED))
        return int(said or 0) * _MICROSECOND

    async def move(self, by: timedelta, known: timedelta, now: datetime) -> timedelta:
        """Moves what waits by a jump and returns what `moved()` is now; `now`: the time as it was before.

        What other processes have moved since `moved()` was `known` is part of this jump: it is moved once only.
        """
        async with self._database.write() as connection:
            fresh = self._database.insert(facts).values(name=_MOVED, value="0").on_conflict_do_nothing()
            await connection.execute(fresh)
            query = sa.select(facts.c.value).where(facts.c.name == _MOVED).with_for_update()
            moved = int((await connection.execute(query)).scalar_one()) * _MICROSECOND
            rest = by - (moved - known)
            if abs(rest) < _SLIGHT:
                return moved
            if not self._database.embedded:
                await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            for change in _moving(rest // _MICROSECOND, micros(min(now, now + rest))):
                await connection.execute(change)
            moved += rest
            await connection.execute(
                sa.update(facts).where(facts.c.name == _MOVED).values(value=str(moved // _MICROSECOND))
            )
            return moved


def _moving(by: int, past: int) -> list[sa.Update]:
    """Returns the changes; what was due `past` already stays due, however many rows that are."""
    waiting = sa.update(deliveries).where(deliveries.c.state.in_(DUE), deliveries.c.next_at > past)
    leased = sa.update(deliveries).where(deliveries.c.state.in_(_LEASED))
    doubtful = sa.update(deliveries).where(deliveries.c.state == DeliveryState.UNCERTAIN, deliveries.c.resends == 0)
    begun = sa.update(issues).where(issues.c.state.in_(UNFINISHED))
    tried = sa.update(relays).where(relays.c.probe_until > 0)
    return [
        waiting.values(next_at=deliveries.c.next_at + by),
        leased.values(lease_until=deliveries.c.lease_until + by),
        doubtful.values(ended_at=deliveries.c.ended_at + by),
        begun.values(sending_at=issues.c.sending_at + by, released_at=issues.c.released_at + by),
        sa.update(relays).values(open_until=relays.c.open_until + by),
        tried.values(probe_until=relays.c.probe_until + by),
        sa.update(lanes).values(free_at=lanes.c.free_at + by, tail_at=lanes.c.tail_at + by),
    ]
