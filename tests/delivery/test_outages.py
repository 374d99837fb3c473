"""The store fails, fills up, or says no in the middle of an issue: nothing is lost, nothing goes out that must not."""

import asyncio
import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from crashes import PROVE, Yard, ended, judge
from test_delivering import desk, until

from ledger_rows import add_issue, issue_state, states
from publisher.disk import Disk
from publisher.model.delivery import Policy, Stop
from publisher.stores.database import Database
from publisher.stores.issues import Issues

PEOPLE = 10_000 if PROVE else 200
LEAVING = 1_000 if PROVE else 60


def moment() -> int:
    """Returns the time of day in microseconds."""
    return (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


async def test_unsubscribing_beats_sending(migrated_sqlite: Path, tmp_path: Path) -> None:
    """T-UNSUBRACE: no transaction begins for a person after the commit; one that is open may end."""
    yard = Yard(tmp_path, PEOPLE, None, migrated_sqlite)
    await yard.prepare()
    chance = random.Random(3)
    leaving = chance.sample(range(1, PEOPLE + 1), LEAVING)
    committed: dict[str, int] = {}
    async with yard.place(connections=4, delay=0.01) as place:
        process = place.start(until_done=True)
        database = Database.open(place.orders.url, Path(place.orders.folder))
        for number in leaving:
            async with database.write() as connection:
                await connection.execute(
                    sa.text("UPDATE subscriptions SET status = 'unsubscribed' WHERE subscriber_id = :n"), {"n": number}
                )
            committed[f"reader{number}@example.com"] = moment()
            await asyncio.sleep(chance.random() * 0.02)
        await database.close()
        assert await ended(process) == 0
        arrived = {recipient for _, recipient, _ in place.sink.arrivals()}
        rows, began = place.rows(), _beginnings(Path(place.orders.folder))
    for address, at in committed.items():
        assert rows[address] == ("accepted" if address in arrived else "suppressed")
        assert address not in arrived or began[address] <= at
    assert len(arrived) == PEOPLE - list(rows.values()).count("suppressed")
    assert "suppressed" in rows.values()


def _beginnings(folder: Path) -> dict[str, int]:
    connection = sqlite3.connect(folder / "publisher.db")
    try:
        query = "SELECT s.address, d.in_flight_at FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id"
        return dict(connection.execute(query).fetchall())
    finally:
        connection.close()


async def test_a_server_that_cuts_every_connection_again_and_again_costs_no_mail(
    postgresql_server: str, migrated_postgresql: str, tmp_path: Path
) -> None:
    """`pg_terminate_backend` in whatever is going on, commits among it: it recovers by itself."""
    yard = Yard(tmp_path, PEOPLE, postgresql_server, migrated_postgresql)
    await yard.prepare()
    async with yard.place(connections=4, delay=0.03) as place:
        process = place.start(until_done=True)
        name = psycopg.conninfo.conninfo_to_dict(place.orders.url)["dbname"]
        cuts = 0
        while process.exitcode is None and cuts < 12:
            await asyncio.sleep(0.25)
            cuts += await asyncio.to_thread(_cut, postgresql_server, str(name))
        assert cuts > 2
        assert await ended(process) == 0
        assert judge(place, PEOPLE, crashes=0) == 0


def _cut(server: str, name: str) -> int:
    with psycopg.connect(server, autocommit=True) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        found = connection.execute(query, [name]).fetchone()
    return 1 if found and found[0] else 0


class Scarce:
    """A disk whose room is the database's own limit of pages, with a reserve of a few of them."""

    def __init__(self, database: Database) -> None:
        self._pages: int | None = None
        self.full = False
        self.relieved = 0
        sa.event.listen(database._writers.sync_engine, "begin", self._limited)
        sa.event.listen(database._direct, "checkout", lambda raw, *_: self._limited_directly(raw))

    def stop(self) -> Stop | None:
        """Returns why nothing new may begin."""
        return Stop(code="disk", reason="full") if self.relieved and self.full else None

    def stock(self) -> None:
        """There is always as much."""

    def relieve(self) -> None:
        """Gives the reserve free."""
        self.relieved += 1
        self.limit(200)

    def limit(self, pages: int) -> None:
        """Lets the database grow by so many pages and no more, from its next transaction on."""
        self._pages = pages

    def _limited_directly(self, raw: sqlite3.Connection) -> None:
        if self._pages is not None:
            count = raw.execute("PRAGMA page_count").fetchone()[0]
            raw.execute(f"PRAGMA max_page_count = {count + self._pages}")
            self._pages = None

    def _limited(self, connection: Any) -> None:
        if self._pages is not None:
            count = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {count + self._pages}")
            self._pages = None


async def test_on_a_full_disk_nothing_begins_and_what_was_answered_is_still_recorded(
    sqlite_database: Database,
) -> None:
    issue = await add_issue(sqlite_database, range(1, 401))
    disk = Scarce(sqlite_database)
    policy = Policy(connections=4)
    async with desk(sqlite_database, policy=policy, guards=[disk], reserve=disk) as (service, relay), service.running():
        await until(lambda: len(relay.received) > 20)
        disk.full = True
        disk.limit(0)

        async def recorded() -> bool:
            found = await states(sqlite_database, issue)
            return bool(disk.relieved and found["accepted"] == len(relay.received) and "in_flight" not in found)

        await until(recorded)
        arrived = len(relay.received)
        assert arrived < 400
        await asyncio.sleep(1.5)  # longer than any poll
        assert len(relay.received) == arrived
        assert await recorded()
        disk.full = False
        disk.limit(10_000)

        async def is_done() -> bool:
            return await issue_state(sqlite_database, issue) == "done"

        await until(is_done)
    assert len(relay.received) == 400


def test_the_disk_says_when_there_is_too_little_room_and_keeps_a_reserve(tmp_path: Path) -> None:
    disk = Disk(tmp_path, floor=0)
    assert disk.stop() is None
    disk.stock()
    reserve = tmp_path / "ballast"
    assert reserve.stat().st_blocks * 512 >= 2**20
    Disk(tmp_path).relieve()
    assert not reserve.exists()
    Disk(tmp_path).relieve()  # there is none
    stop = Disk(tmp_path, floor=2**62)._judged(free=300 * 2**20, size=2**40)
    assert str(stop) == f"disk: 300 MiB are free where {tmp_path.name}/ is, {int(2**40 * 0.05) // 2**20} are needed"
    assert Disk(tmp_path)._judged(free=300 * 2**20, size=2**40) is None
    assert Disk(tmp_path)._judged(free=60 * 2**20, size=2**30) is None
    assert Disk(tmp_path)._judged(free=40 * 2**20, size=2**30) is not None


@pytest.mark.parametrize("what", ["hold", "cancel"])
async def test_an_operators_word_takes_effect_within_the_open_transactions(
    sqlite_database: Database, what: str
) -> None:
    issue = await add_issue(sqlite_database, range(1, 401))
    ledger = Issues(sqlite_database, sandbox=False)
    async with desk(sqlite_database, policy=Policy(connections=4)) as (service, relay), service.running():
        await until(lambda: len(relay.received) > 20)
        now = service.clock.at
        assert await (ledger.hold(issue, "operator: wait") if what == "hold" else ledger.cancel(issue, now))
        before = len(relay.received)

        async def is_quiet() -> bool:
            return not {"claimed", "in_flight"} & (await states(sqlite_database, issue)).keys()

        await until(is_quiet)
        assert len(relay.received) <= before + 4
        if what == "hold":
            assert await ledger.release(issue, now)
            service.engine.ring()

            async def is_done() -> bool:
                return await issue_state(sqlite_database, issue) == "done"

            await until(is_done)
            assert len(relay.received) == 400
            return
        await service.store.expire(now, timedelta(days=2))
        counts = await states(sqlite_database, issue)
        assert counts == {"accepted": len(relay.received), "cancelled": 400 - len(relay.received)}
