"""The engine of many processes, on a real PostgreSQL: who is told, and what it costs when nobody can be."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from engine_tables import done_to_the_engine
from publisher.engines import jobs, postgresql
from publisher.engines.postgresql import PostgresqlEngine
from publisher.model.delivery import Lot

PATIENCE = 60.0
LOT = Lot(issue=7, first=1, last=20_000)


@pytest.fixture
def url(postgresql_server: str) -> Iterator[str]:
    """A database of the test's own."""
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE engine")
    yield postgresql_server.replace("/postgres?", "/engine?")
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("DROP DATABASE engine WITH (FORCE)")


@asynccontextmanager
async def serving(*engines: PostgresqlEngine) -> AsyncIterator[None]:
    """Runs engines until the end of the block."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(engine.serve(stop)) for engine in engines]
    yield
    stop.set()
    await asyncio.gather(*tasks)


async def rings(engine: PostgresqlEngine) -> bool:
    """Returns whether somebody rings here."""
    before = time.monotonic()
    await engine.wait(PATIENCE)
    return time.monotonic() - before < PATIENCE


async def test_one_process_hears_what_another_announces(url: str) -> None:
    """Each doorbell is heard by one of them, so it is rung until it was the other."""
    here, there = PostgresqlEngine(url), PostgresqlEngine(url)

    async def announce() -> None:
        while True:
            await here.announce(LOT)
            await asyncio.sleep(0.05)

    async with serving(here, there):
        announcing = asyncio.create_task(announce())
        assert await rings(there)
        announcing.cancel()


async def test_the_tables_may_be_emptied_or_dropped_at_any_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ringing in this process never depends on them, and they are made again."""
    monkeypatch.setattr(postgresql, "_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.2)
    engine = PostgresqlEngine(url)
    async with serving(engine):
        await done_to_the_engine(url, "TRUNCATE {}.procrastinate_jobs CASCADE")
        await engine.announce(LOT)
        assert await rings(engine)
        await done_to_the_engine(url, "DROP SCHEMA {} CASCADE")
        await engine.announce(LOT)
        assert await rings(engine)
        await done_to_the_engine(url, "SELECT 1 FROM {}.procrastinate_jobs")


async def test_without_its_server_it_rings_in_this_process_and_stops_when_told() -> None:
    engine = PostgresqlEngine("postgresql://nobody@127.0.0.1:1/nothing")
    async with serving(engine):
        await engine.announce(LOT)
        assert await rings(engine)
