"""Writers take turns, and a long piece of work is cut so that they can."""

import asyncio
import fcntl
from pathlib import Path

import pytest
import sqlalchemy as sa

from publisher.stores.database import Database
from publisher.stores.pace import Pace


async def test_whoever_waits_for_the_lock_is_next(tmp_path: Path) -> None:
    """A process that writes one transaction after the other does not keep others out (two connections, as two)."""
    busy, other = (Database.open("sqlite:///publisher.db", tmp_path) for _ in range(2))
    order: list[str] = []

    async def once() -> None:
        async with other.write() as connection:
            await connection.execute(sa.text("SELECT 1"))
            order.append("other")

    async def stands_in_the_door() -> None:
        with (tmp_path / "db.next").open("w") as door:
            while True:
                try:
                    fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                fcntl.flock(door, fcntl.LOCK_UN)
                await asyncio.sleep(0.001)

    async with busy.write():
        waiting = asyncio.create_task(once())
        await stands_in_the_door()
        order.append("busy")
    for _ in range(3):
        async with busy.write():
            order.append("busy")
    await waiting
    assert order == ["busy", "other", "busy", "busy", "busy"]
    await busy.close()
    await other.close()


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        (0.04, 1000),  # as long as is wanted
        (0.08, 500),
        (0.16, 250),  # at once, not in steps
        (9.0, 100),  # never less
        (0.02, 1500),  # half as much again, though twice as many would fit
        (0.0, 1500),
    ],
)
def test_a_step_is_as_large_as_the_last_one_took_time(seconds: float, rows: int) -> None:
    pace = Pace(rows=1000, least=100, most=2000)
    pace.took(1000, seconds)
    assert pace.rows == rows


def test_steps_grow_to_the_most_and_no_further() -> None:
    pace = Pace(rows=1000, least=100, most=2000)
    for _ in range(5):
        pace.took(pace.rows, 0.001)
    assert pace.rows == 2000


def test_a_few_rows_that_took_long_say_little_of_many() -> None:
    """The last rows of a range wait for the disk as long as a thousand do."""
    pace = Pace(rows=1000, least=100, most=2000)
    pace.took(3, 0.01)
    assert pace.rows == 1000
