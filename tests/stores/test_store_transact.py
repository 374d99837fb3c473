"""Transactions that run in a thread as a whole: alone, undone on errors, and found by number however much waits."""

import asyncio
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_rows import NOW, add_issue, states
from publisher.errors import UnreachableError
from publisher.model.delivery import Boot
from publisher.stores.compiled import Compiled
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.schema import deliveries, facts

_CLIENTS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
_PUT = sa.insert(facts).values(name=sa.bindparam("name"), value="1")


async def _names(database: Database) -> list[str]:
    async with database.read() as connection:
        return list(await connection.scalars(sa.select(facts.c.name).order_by(facts.c.name)))


async def test_what_fails_is_undone(database: Database) -> None:
    before = await _names(database)

    def work(cursor: Any) -> None:
        Compiled(database, _PUT).run_each(cursor, [{"name": "a"}, {"name": "b"}])
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transact(work)
    assert await _names(database) == before


async def test_what_the_driver_says_comes_as_from_sqlalchemy(database: Database) -> None:
    def twice(cursor: Any) -> None:
        Compiled(database, _PUT).run_each(cursor, [{"name": "a"}, {"name": "a"}])

    with pytest.raises(sa.exc.IntegrityError):
        await database.transact(twice)

    def nonsense(cursor: Any) -> None:
        cursor.execute("SELECT nothing FROM nowhere")

    with pytest.raises((sa.exc.ProgrammingError, UnreachableError)):
        await database.transact(nonsense)


async def test_who_is_cancelled_gives_the_lock_back_after_the_commit(sqlite_database: Database) -> None:
    going, may_end = threading.Event(), threading.Event()

    put = Compiled(sqlite_database, _PUT)

    def slow(cursor: Any) -> None:
        going.set()
        may_end.wait(10)
        put.run_each(cursor, [{"name": "slow"}])

    task = asyncio.create_task(sqlite_database.transact(slow))
    await asyncio.to_thread(going.wait, 10)
    task.cancel()
    after = asyncio.create_task(sqlite_database.transact(lambda cursor: put.run_each(cursor, [{"name": "x"}])))
    await asyncio.sleep(0.05)
    assert not task.done()
    assert not after.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await after
    assert {"slow", "x"} <= set(await _names(sqlite_database))


async def test_claims_and_marks_find_rows_by_number(sqlite_database: Database) -> None:
    """By the index on states SQLite would read everything that waits, for every claim and mark."""
    issue = await add_issue(sqlite_database, range(1, 51))
    store = Deliveries(sqlite_database, lambda key: key, sandbox=False)
    boot = Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW)
    said: list[str] = []
    async with sqlite_database.write():
        pass
    sa.event.listen(sqlite_database._direct, "connect", lambda raw, _: raw.set_trace_callback(said.append))
    rows = await store.claim(boot, NOW, limit=10, lease=timedelta(minutes=20))
    assert await store.mark(boot, NOW, rows, [], margin=timedelta(minutes=15)) == {row.number for row in rows}
    assert await states(sqlite_database, issue) == {"pending": 40, "in_flight": 10}
    updates = [statement for statement in said if statement.startswith(f"UPDATE {deliveries.name}")]
    assert len(updates) == 2
    async with sqlite_database.read() as connection:
        for update in updates:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {update}")
            assert plan.all()[0].detail == "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"


@pytest.mark.parametrize("brief", [False, True])
async def test_a_stranger_who_writes_keeps_the_transaction_waiting_and_not_the_loop(
    sqlite_database: Database, brief: bool
) -> None:
    """Somebody with a shell on the database, who does not know our lock."""
    assert sqlite_database.path is not None
    put = Compiled(sqlite_database, _PUT)
    stranger = sqlite3.connect(sqlite_database.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(
        sqlite_database.transact(lambda cursor: put.run_each(cursor, [{"name": "patient"}]), brief=brief)
    )
    # Whoever kept the loop waiting would keep this one waiting too, and then give up.
    asyncio.get_running_loop().call_later(0.1, stranger.execute, "ROLLBACK")
    await writing
    stranger.close()
    assert "patient" in await _names(sqlite_database)


async def test_a_brief_one_that_fails_is_undone(database: Database) -> None:
    before = await _names(database)
    put = Compiled(database, _PUT)

    def work(cursor: Any) -> None:
        put.run_each(cursor, [{"name": "a"}])
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transact(work, brief=True)
    await database.transact(lambda cursor: put.run_each(cursor, [{"name": "b"}]), brief=True)
    assert set(await _names(database)) - set(before) == {"b"}


async def test_a_process_has_no_more_connections_than_it_may(shared_postgresql: str, tmp_path: Path) -> None:
    """However much is asked at a time: the rest waits for its turn, and is answered."""
    database = Database.open(shared_postgresql, tmp_path, connections=5)
    most = 0

    async def look() -> None:
        nonlocal most
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT pg_sleep(0.01)"))
            there = await connection.scalars(sa.text(_CLIENTS))
            most = max(most, len(set(there) - before))

    def write(cursor: Any) -> None:
        cursor.execute("SELECT pg_sleep(0.01)")

    try:
        with psycopg.connect(shared_postgresql) as watcher:  # whom others left behind may take a while to go
            before = {pid for (pid,) in watcher.execute(_CLIENTS.encode())}
            await asyncio.gather(*(look() for _ in range(20)), *(database.transact(write) for _ in range(10)))
    finally:
        await database.close()
    assert most == 5


async def test_what_need_not_last_waits_for_no_disk_and_what_follows_does(database: Database) -> None:
    """The setting is the transaction's alone, also where that fails."""

    async def waits(connection: AsyncConnection) -> bool:
        asked = "PRAGMA synchronous" if database.embedded else "SHOW synchronous_commit"
        return (await connection.exec_driver_sql(asked)).scalar() in (2, "on")

    for durable in (True, False, True):
        async with database.write(durable=durable) as connection:
            assert await waits(connection) is durable

    async def fail() -> None:
        async with database.write(durable=False) as connection:
            await connection.execute(_PUT, {"name": "hasty"})
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    async with database.write() as connection:
        assert await waits(connection)
    assert "hasty" not in await _names(database)


async def test_whoever_is_cancelled_in_haste_leaves_what_follows_durable(sqlite_database: Database) -> None:
    """At any moment, and once more while it cleans up."""

    async def hasty() -> None:
        async with sqlite_database.write(durable=False) as connection:
            await connection.execute(_PUT, {"name": "hasty"})

    for moments in range(40):
        task = asyncio.create_task(hasty())
        for _ in range(moments):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        async with sqlite_database.write() as connection:
            assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2
            await connection.execute(sa.delete(facts))


@pytest.mark.parametrize("brief", [False, True])
async def test_a_change_is_whole_or_none(database: Database, brief: bool) -> None:
    before = await _names(database)

    def work(connection: sa.Connection) -> None:
        connection.execute(_PUT, {"name": "a"})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.change(work, brief=brief)
    await database.change(lambda connection: connection.execute(_PUT, {"name": "b"}), brief=brief)
    assert set(await _names(database)) - set(before) == {"b"}


async def test_rows_at_hand_are_those_of_the_last_commit_and_keep_nobody_out(sqlite_database: Database) -> None:
    """They are read while somebody writes, and leave nothing open that a checkpoint would wait for."""
    query = sa.select(facts.c.name).where(facts.c.name == "a")
    async with sqlite_database.write() as connection:
        await connection.execute(_PUT, {"name": "a"})
        assert not await sqlite_database.rows(query)
    assert [row.name for row in await sqlite_database.rows(query)] == ["a"]
    assert await sqlite_database.scrub()


async def test_rows_at_hand_cannot_write(sqlite_database: Database) -> None:
    with pytest.raises(UnreachableError, match="readonly"):
        await sqlite_database.rows(sa.text("DELETE FROM facts"))  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY])
async def test_rows_wait_for_a_stranger_who_lets_nobody_read_and_the_loop_does_not(
    code: int, sqlite_database: Database
) -> None:
    assert sqlite_database.path is not None
    query = sa.select(facts.c.name)
    expected = len(await sqlite_database.rows(query))
    at_hand = sqlite_database._at_hand
    assert at_hand is not None
    busy = sqlite3.OperationalError("locked")
    busy.sqlite_errorcode = code  # type: ignore[misc]

    def refuse(*_: Any) -> None:
        raise busy

    sa.event.listen(at_hand, "before_cursor_execute", refuse)
    assert len(await sqlite_database.rows(query)) == expected
