"""Workers and sinks in processes that can be killed, and the judge who reads what the sink has written."""

import asyncio
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sink_process
import worker_process
from psycopg.conninfo import conninfo_to_dict
from worker_process import Orders

from ledger_rows import add_issue
from nursery import process
from publisher.stores.database import Database

PROVE = bool(os.environ.get("PROVE"))
PATIENCE = 3600.0 if PROVE else 180.0
"""Long, for machines are slow and shared."""


class Sink:
    """The relay's process and its log."""

    def __init__(self, log: Path, delay: float = 0.0) -> None:
        self._log = log
        self._delay = delay
        self.port = 0
        self.revive()

    def die(self) -> None:
        """Kills the relay, whoever it still owes an answer."""
        self.process.kill()
        self.process.join()

    def revive(self) -> None:
        """Starts the relay, at the port it had before, its log going on."""
        told = Path(f"{self._log}.port")
        told.unlink(missing_ok=True)
        self.process = process(sink_process.serve, str(self._log), self._delay, self.port)
        deadline = time.monotonic() + PATIENCE
        while not told.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.port = int(told.read_text())

    def arrivals(self) -> list[tuple[float, str, str]]:
        """Returns moment, recipient and Message-ID of every message that arrived."""
        lines = self._whole().decode().splitlines()
        return [(float(at), recipient, identity) for recipient, identity, _, at in (line.split(" ") for line in lines)]

    def count(self) -> int:
        """Returns how many messages have arrived; for those who ask again and again."""
        return self._whole().count(b"\n")

    def _whole(self) -> bytes:
        """Returns the lines of the log that are written to their end."""
        written = self._log.read_bytes() if self._log.exists() else b""
        return written[: written.rfind(b"\n") + 1]

    def copies(self) -> list[tuple[str, str]]:
        """Returns recipient and Message-ID of every message that arrived."""
        return [(recipient, identity) for _, recipient, identity in self.arrivals()]


@dataclass
class Place:
    """Where one crash happens: a database, a sink, and the workers that come and go."""

    orders: Orders
    sink: Sink
    workers: list[Any] = field(default_factory=list)

    def start(self, **changes: Any) -> Any:
        """Starts a worker."""
        self.workers.append(process(worker_process.work, replace(self.orders, port=self.sink.port, **changes)))
        return self.workers[-1]

    async def run(self, **changes: Any) -> int:
        """Runs a worker to its end; returns its exit code, that of a killed one is negative."""
        return await ended(self.start(**changes))

    async def killed(self, point: str, number: int = 1, **changes: Any) -> None:
        """Runs a worker that dies at a point."""
        code = await self.run(point=point, number=number, until_done=True, **changes)
        assert code == -9, f"{point} {number}: ended with {code}"

    async def finish(self, **changes: Any) -> None:
        """Runs a worker that nobody kills until the issue is done."""
        assert await self.run(until_done=True, **changes) == 0

    def rows(self) -> dict[str, str]:
        """Returns the state of each recipient's delivery, by address; and that the database is whole."""
        query = "SELECT s.address, d.state FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id"
        return dict(self.ask(query))

    def issue(self) -> tuple[str, int]:
        """Returns state of the issue and how many deliveries were planned."""
        ((state, expected),) = self.ask("SELECT state, expected FROM issues")
        return str(state), int(expected)

    def close(self) -> None:
        """Ends every process that is still there."""
        for each in [*self.workers, self.sink.process]:
            each.kill()
            each.join()

    def ask(self, query: str) -> list[Any]:
        """Returns what the ledger answers; and that the database is whole."""
        if not self.orders.url.startswith("sqlite"):
            with psycopg.connect(self.orders.url) as connection:
                return connection.execute(query).fetchall()
        connection = sqlite3.connect(Path(self.orders.folder) / "publisher.db")
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return connection.execute(query).fetchall()
        finally:
            connection.close()


async def ended(process: Any) -> int:
    """Returns the exit code once the process is gone; asked from one thread only, for it can be read just once."""
    async with asyncio.timeout(PATIENCE):
        while process.exitcode is None:
            await asyncio.sleep(0.005)
    return int(process.exitcode)


def judge(place: Place, people: int, *, crashes: int, resend: bool = True, at_most: int | None = None) -> int:
    """Holds the sink's log and the ledger against the promise; returns how many second copies there were."""
    copies, rows = place.sink.copies(), place.rows()
    bound = place.orders.connections * crashes if at_most is None else at_most
    per_person = Counter(recipient for recipient, _ in copies)
    state, expected = place.issue()
    uncertain = [address for address, row in rows.items() if row == "uncertain"]
    assert len(rows) == expected == people
    assert set(rows.values()) <= {"accepted", "uncertain"}, Counter(rows.values())
    assert state == ("done_with_uncertain" if uncertain else "done"), state
    assert all(per_person[address] for address, row in rows.items() if row == "accepted")  # none falsely accepted
    assert len(set(copies)) == len(per_person)  # one Message-ID each
    assert max(per_person.values()) <= 2
    extra = len(copies) - len(per_person)
    if resend:
        assert len(per_person) == people  # lost: none
        # In doubt twice stays in doubt: nobody gets a third copy. One kill cannot bring that about.
        assert not uncertain or crashes > 1
        assert extra <= bound
    else:
        assert extra == 0
        assert len(uncertain) <= place.orders.connections * crashes
    return extra


class Yard:
    """Makes places: each its own database, copied from one that was made once."""

    def __init__(self, folder: Path, people: int, postgresql: str | None, migrated: Path | str) -> None:
        """`postgresql`: the server's URL; None: SQLite. `migrated`: an empty database of the kind, to be copied."""
        self._migrated = migrated
        self._folder = folder
        self._people = people
        self._server = postgresql
        self._count = 0

    async def prepare(self) -> None:
        """Makes the database that every place copies: an issue to so many people, due now."""
        if self._server is None:
            shutil.copy(self._migrated, self._folder / "publisher.db")
            await _planned("sqlite:///publisher.db", self._folder, self._people)
            return
        self._make("seed", str(conninfo_to_dict(str(self._migrated))["dbname"]))
        await _planned(self._url("seed"), self._folder, self._people)

    @asynccontextmanager
    async def place(self, delay: float = 0.0, **orders: Any) -> AsyncIterator[Place]:
        """Gives a place of its own."""
        self._count += 1
        name = f"crash{os.getpid()}_{self._count}"
        folder = self._folder / name
        folder.mkdir()
        if self._server is None:
            shutil.copy(self._folder / "publisher.db", folder / "publisher.db")
            url = "sqlite:///publisher.db"
        else:
            await asyncio.to_thread(self._make, name, "seed")
            url = self._url(name)
        place = Place(Orders(folder=str(folder), url=url, **orders), Sink(folder / "sink.log", delay))
        try:
            yield place
        finally:
            place.close()
            if self._server is not None:
                await asyncio.to_thread(self._drop, name)

    def _url(self, name: str) -> str:
        assert self._server is not None
        return self._server.replace("/postgres?", f"/{name}?")

    def _make(self, name: str, template: str) -> None:
        with self._admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def _drop(self, name: str) -> None:
        with self._admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _admin(self) -> "psycopg.Connection[Any]":
        assert self._server is not None
        return psycopg.connect(self._server, autocommit=True)


async def _planned(url: str, folder: Path, people: int) -> None:
    database = Database.open(url, folder)
    try:
        if people:
            await add_issue(database, range(1, people + 1), now=datetime.now(UTC) - timedelta(minutes=1))
    finally:
        await database.close()


def positions(people: int) -> Iterator[int]:
    """Returns the first message, one in the middle and the last."""
    yield from (1, people // 2, people)
