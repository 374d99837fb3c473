"""What survives a crash: the sink's log is the judge (delivery.md §9.1)."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger_rows import add_issue, issue_state, states
from publisher.stores.database import Database
from publisher.stores.schema import boots

HERE = Path(__file__).parent
PEOPLE = 200
CONNECTIONS = 4
PATIENCE = 40.0


@dataclass
class Sink:
    """The relay's process and its log."""

    port: int
    log: Path
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def copies(self) -> list[tuple[str, str]]:
        """Returns recipient and Message-ID of every message that arrived."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(recipient, identity) for recipient, identity, _ in (line.split(" ") for line in lines)]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """A mail server in a process of its own."""
    log = tmp_path / "sink.log"
    command = [sys.executable, str(HERE / "sink_process.py"), str(log)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    sink = Sink(int(process.stdout.readline()), log)
    yield sink
    for each in [*sink.workers, process]:
        each.kill()
        each.wait()
    process.stdout.close()


def worker(folder: Path, sink: Sink, *kill: str, connections: int = CONNECTIONS) -> "subprocess.Popen[bytes]":
    """Starts the delivery; `kill`: the point and the number of times at which it kills itself."""
    arguments = [str(folder), str(sink.port), str(connections), "0.2", *kill]
    process = subprocess.Popen(
        [sys.executable, str(HERE / "worker_process.py"), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sink.workers.append(process)
    return process


async def planned(database: Database, people: int = PEOPLE) -> int:
    """Returns an issue that is due now."""
    return await add_issue(database, range(1, people + 1), now=datetime.now(UTC) - timedelta(minutes=1))


async def started(database: Database) -> bool:
    """Returns whether the worker has begun to deliver."""
    async with database.read() as connection:
        return bool(await connection.scalar(sa.select(sa.func.count()).select_from(boots)))


async def ended(process: "subprocess.Popen[bytes]") -> int:
    """Returns the exit code once the process is gone."""
    return await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE)


async def finished(database: Database, issue: int, folder: Path, sink: Sink, connections: int = CONNECTIONS) -> None:
    """Runs a worker that nobody kills until the issue is done, then stops it politely."""
    process = worker(folder, sink, connections=connections)
    deadline = time.monotonic() + PATIENCE
    while (await issue_state(database, issue)) not in ("done", "done_with_uncertain"):
        assert time.monotonic() < deadline, await states(database, issue)
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == 0


def judge(sink: Sink, people: int, crashes: int, connections: int = CONNECTIONS) -> int:
    """Holds the log against the promise; returns how many second copies there were."""
    copies = sink.copies()
    per_person = Counter(recipient for recipient, _ in copies)
    assert len(per_person) == people  # lost: 0
    assert len(set(copies)) == people  # one Message-ID each
    assert max(per_person.values()) <= 2
    extra = len(copies) - people
    assert extra <= connections * crashes
    return extra


@pytest.mark.parametrize(
    ("point", "number"),
    [("claimed", 1), ("before_mark", 20), ("marked", 1), ("marked", 30), ("sent", 1), ("sent", 40), ("recorded", 20)],
)
async def test_a_killed_worker_loses_nobody(
    sqlite_database: Database, tmp_path: Path, sink: Sink, point: str, number: int
) -> None:
    issue = await planned(sqlite_database)
    assert await ended(worker(tmp_path, sink, point, str(number))) == -signal.SIGKILL
    await finished(sqlite_database, issue, tmp_path, sink)
    judge(sink, PEOPLE, crashes=1)
    assert (await states(sqlite_database, issue)) == {"accepted": PEOPLE}


async def test_with_one_connection_a_second_copy_needs_a_lost_answer(
    sqlite_database: Database, tmp_path: Path, sink: Sink
) -> None:
    issue = await planned(sqlite_database, 60)
    points = ["before_mark", "marked", "recorded", "sent"]
    for point in points:
        assert await ended(worker(tmp_path, sink, point, "5", connections=1)) == -signal.SIGKILL
    await finished(sqlite_database, issue, tmp_path, sink, connections=1)
    # `before_mark` and `sent` are where an answer was read and not yet recorded; elsewhere there is nothing to repeat.
    assert 1 <= judge(sink, 60, len(points), connections=1) <= 2


async def test_killed_again_and_again_at_random(sqlite_database: Database, tmp_path: Path, sink: Sink) -> None:
    chance = random.Random(7)
    issue = await planned(sqlite_database)
    crashes = 0
    for _ in range(4):
        process = worker(tmp_path, sink)
        before = len(sink.copies())
        goal = before + chance.randrange(1, 40)
        while len(sink.copies()) < goal and process.poll() is None and len(sink.copies()) < PEOPLE:
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.random() * 0.01)
        process.kill()
        await ended(process)
        crashes += 1
    await finished(sqlite_database, issue, tmp_path, sink)
    judge(sink, PEOPLE, crashes)


@pytest.mark.parametrize("after", [0, 10, 90])
async def test_a_worker_told_to_stop_loses_nobody_and_repeats_nothing(
    sqlite_database: Database, tmp_path: Path, sink: Sink, after: int
) -> None:
    issue = await planned(sqlite_database)
    process = worker(tmp_path, sink)
    while len(sink.copies()) < after:
        await asyncio.sleep(0.001)
    while not await started(sqlite_database):
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert await ended(process) == 0
    assert time.monotonic() - begun < 5
    left = await states(sqlite_database, issue)
    assert set(left) <= {"pending", "accepted"}
    assert left.get("accepted", 0) == len(sink.copies())
    await finished(sqlite_database, issue, tmp_path, sink)
    assert judge(sink, PEOPLE, crashes=0) == 0
