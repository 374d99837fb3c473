"""The database dies, is stopped, or is kept from writing in the middle of an issue: it costs time and no mail."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from crashes import PATIENCE, PROVE, Place, Yard, ended, judge

from mortal_server import MortalServer, mortal_server
from publisher.stores import migrate
from publisher.stores.database import Database

PEOPLE = 120
LOCKED_SECONDS = 30.0 if PROVE else 8.0
BACK_SECONDS = 30.0 if PROVE else 120.0
"""After which, at most, everybody has theirs: in the short form nothing is said of how fast the machine is."""


@pytest.fixture(scope="module")
def server() -> Iterator[MortalServer]:
    """A server that may die."""
    with mortal_server() as found:
        yield found


@pytest.fixture
async def yard(server: MortalServer, tmp_path: Path) -> Yard:
    """A yard on that server, an issue in it."""
    yard = Yard(tmp_path, PEOPLE, server.url, server.url)
    if not await _exists(server):
        database = Database.open(server.url, tmp_path)
        await migrate.upgrade(database)
        await database.close()
        await yard.prepare()
    return yard


async def _exists(server: MortalServer) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = 'seed'").fetchone() is not None


async def comes_back(place: Place, server: MortalServer) -> None:
    """Starts the server again after a while; mail goes on soon, and everybody gets it once."""
    before = place.sink.count()
    await asyncio.sleep(1.5)
    assert place.sink.count() - before <= place.orders.connections  # no body goes without its mark
    assert place.workers[0].is_alive()
    answers = await asyncio.to_thread(server.start)
    assert await ended(place.workers[0]) == 0
    assert time.monotonic() - answers < BACK_SECONDS
    assert judge(place, PEOPLE, crashes=0) == 0


@pytest.mark.parametrize(
    ("point", "number"),
    [
        ("claim_commit", 2),
        ("mark_commit", 1),
        ("both_commit", 10),
        ("record_commit", 1),
    ],
)
async def test_a_server_killed_in_a_commit_costs_no_mail(
    yard: Yard, server: MortalServer, point: str, number: int
) -> None:
    """T-DB: kill -9 with the transaction done and its COMMIT on the way: of a claim, of marks, of the last results."""
    async with yard.place(connections=4, delay=0.002) as place:
        place.start(until_done=True, point=point, number=number, server=server.pid)
        await _gone(server.pid)
        await comes_back(place, server)


async def test_a_server_that_is_stopped_and_started_costs_no_mail(yard: Yard, server: MortalServer) -> None:
    async with yard.place(connections=4, delay=0.01) as place:
        place.start(until_done=True)
        await _until(lambda: place.sink.count() > PEOPLE // 4)
        await asyncio.to_thread(server.stop)
        await comes_back(place, server)


async def test_a_stranger_who_keeps_the_write_lock_costs_no_mail(migrated_sqlite: Path, tmp_path: Path) -> None:
    """Some program that knows nothing of our lock file holds SQLite's own write lock for longer than SQLite waits."""
    yard = Yard(tmp_path, PEOPLE, None, migrated_sqlite)
    await yard.prepare()
    async with yard.place(connections=4, delay=0.01) as place:
        place.start(until_done=True)
        await _until(lambda: place.sink.count() > PEOPLE // 4)
        stranger = sqlite3.connect(Path(place.orders.folder) / "publisher.db", isolation_level=None, timeout=PATIENCE)
        stranger.execute("BEGIN IMMEDIATE")
        held = place.sink.count()
        await asyncio.sleep(LOCKED_SECONDS)
        assert place.sink.count() - held <= place.orders.connections
        assert place.workers[0].is_alive()
        stranger.execute("ROLLBACK")
        stranger.close()
        free = time.monotonic()
        assert await ended(place.workers[0]) == 0
        assert time.monotonic() - free < BACK_SECONDS
        assert judge(place, PEOPLE, crashes=0) == 0


async def _gone(pid: int) -> None:
    await _until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await asyncio.sleep(0.01)
