"""The nodes that share a database: which of them live, and whose turn it is. Time is the database's throughout."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from publisher.model.delivery import Boot, Living, Lot
from publisher.model.issue import IssueState
from publisher.stores.database import Database, micros, moment
from publisher.stores.schema import boots, deliveries, facts, files, issues, turns

BEAT_SECONDS = 2.0
"""How often a process that shares a database says that it lives."""
_LATELY = timedelta(seconds=10 * BEAT_SECONDS)
_LOOK = timedelta(milliseconds=250)
_MICROSECOND = timedelta(microseconds=1)


class Nodes:
    """Who is there beside this process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def server(self) -> str:
        """Returns what the server calls this database: another one after it was dumped and read in elsewhere."""
        if self._database.embedded:
            return ""
        async with self._database.read() as connection:
            known = await connection.scalar(sa.text("SELECT has_function_privilege('pg_control_system()', 'execute')"))
            system = "(SELECT system_identifier FROM pg_control_system())" if known else "0"
            named = f"SELECT {system} || '/' || oid FROM pg_database WHERE datname = current_database()"  # noqa: S608
            return str(await connection.scalar(sa.text(named)))

    async def beat(self, boot: Boot, home: str, now: datetime) -> None:
        """Says that a process lives."""
        row = {
            "id": boot.id,
            "folder": boot.folder,
            "host": boot.host,
            "pid": boot.pid,
            "started_at": micros(boot.started_at),
            "home": home,
            "seen_at": self._present(now),
        }
        said = self._database.insert(boots).values(row)
        said = said.on_conflict_do_update(
            index_elements=["id"], set_={"home": said.excluded.home, "seen_at": said.excluded.seen_at}
        )
        async with self._database.write() as connection:
            await connection.execute(said)

    async def living(self, now: datetime) -> tuple[Living, ...]:
        """Returns the processes that said lately that they live, by folder."""
        alive = sa.and_(boots.c.ended_at.is_(None), boots.c.seen_at > self._present(now) - _LATELY // _MICROSECOND)
        query = sa.select(boots).where(alive).order_by(boots.c.host, boots.c.folder, boots.c.started_at)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return tuple(
                Living(host=r.host, folder=r.folder, pid=r.pid, home=r.home, seen_at=moment(r.seen_at)) for r in rows
            )

    async def last_beat(self, homes: Collection[str]) -> datetime | None:
        """Returns when any process of these homes last said that it lives."""
        latest = sa.select(sa.func.max(boots.c.seen_at)).where(boots.c.home.in_(homes))
        async with self._database.read() as connection:
            found = await connection.scalar(latest)
        return None if found is None else moment(found)

    async def is_at_work(self, homes: Collection[str], *, patient: bool) -> bool:
        """Returns whether a process of these homes is seen to live: that it did so once, a copy says as well.

        `patient`: it is waited for even if none lived lately. Never so where the database has just one process.
        """
        if self._database.embedded:
            return False
        before = await self.last_beat(homes)
        lately = any(node.home in homes for node in await self.living(datetime.now(UTC)))
        for _ in range(_LATELY // _LOOK if lately or patient else 0):
            await asyncio.sleep(_LOOK.total_seconds())
            if await self.last_beat(homes) != before:
                return True
        return False

    # Turns -----------------------------------------------------------------------------------------------------------

    async def hold(self, name: str, holder: str, now: datetime, lasting: timedelta) -> bool:
        """Returns whether it is this holder's turn, which lasts so long from now: one UPDATE decides."""
        present = self._present(now)
        taken = self._database.insert(turns).values(name=name, holder=holder, until=present + lasting // _MICROSECOND)
        taken = taken.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": taken.excluded.holder, "until": taken.excluded.until},
            where=sa.or_(turns.c.holder == holder, turns.c.until < present),
        )
        async with self._database.write() as connection:
            return (await connection.execute(taken.returning(turns.c.name))).first() is not None

    async def holder(self, name: str, now: datetime) -> str | None:
        """Returns whose turn it is at present; None: nobody's."""
        at_present = sa.and_(turns.c.name == name, turns.c.until >= self._present(now))
        async with self._database.read() as connection:
            return await connection.scalar(sa.select(turns.c.holder).where(at_present))

    async def supersede(self, name: str, before: str, after: str) -> bool:
        """Changes a fact that is `before` to `after` while no file was ever taken in; returns whether it did."""
        nothing = sa.not_(sa.exists(sa.select(files.c.path)))
        changed = sa.update(facts).where(facts.c.name == name, facts.c.value == before, nothing).values(value=after)
        async with self._database.write() as connection:
            return (await connection.execute(changed)).rowcount == 1

    def _present(self, now: datetime) -> sa.ColumnElement[int]:
        return self._database.present(sa.literal(micros(now), sa.BigInteger))


class IssuesAhead:
    """What there is to deliver, as a doorbell says it."""

    def __init__(self, database: Database, *, sandbox: bool) -> None:
        self._database = database
        self._sandbox = sandbox

    async def lots(self) -> tuple[Lot, ...]:
        """Returns one lot per issue that is being sent: read from the ends of an index, however many it goes to."""

        def end(of: "sa.sql.functions.GenericFunction[int]") -> sa.ScalarSelect[int]:
            return sa.select(of).where(deliveries.c.issue_id == issues.c.id).correlate(issues).scalar_subquery()

        subscriber = deliveries.c.subscriber_id
        first, last = end(sa.func.min(subscriber)), end(sa.func.max(subscriber))
        query = sa.select(issues.c.id, first, last).where(
            issues.c.state == IssueState.SENDING, issues.c.sandbox.is_(self._sandbox)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(issues.c.id))
            return tuple(Lot(issue, first, last) for issue, first, last in rows if first is not None)
