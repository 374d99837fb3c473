"""Several nodes on one PostgreSQL, killed and stopped at random, judged by the sink's log alone.

`make test` sends to a few hundred; `make prove-nodes` to 50,000, and for minutes at a rate (prove_rates.py).
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from crashes import PATIENCE, Place, Yard, ended, judge

from engine_tables import done_to_the_engine

PROVE = bool(os.environ.get("PROVE_NODES"))
PEOPLE = int(os.environ.get("PROVE_NODES") or 400)
NODES = 4
CONNECTIONS = 4
LEASE = 20.0 if PROVE else 1200.0
BLOWS = 1000 if PROVE else 5
EVERY = (2.0, 5.0) if PROVE else (0.1, 0.3)
"""Seconds between two blows."""
STOPPED = (1.0, 40.0) if PROVE else (0.1, 2.0)
"""Seconds for which a node is stopped; in the long form some of them longer than its leases last."""
MOVING_OUT = 0.5 if PROVE else 0.0
"""How often a killed node is not started again in its folder: what it had then waits for the end of its lease."""


@pytest.fixture
async def yard(postgresql_server: str, migrated_postgresql: str, tmp_path: Path) -> Yard:
    """A yard on PostgreSQL, an issue in it."""
    yard = Yard(tmp_path, PEOPLE, postgresql_server, migrated_postgresql)
    await yard.prepare()
    return yard


class Nodes:
    """Nodes that come, go and hang; each has a folder of its own, whose lock no two of them hold at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._joined = 0
        self.running: dict[str, Any] = {}
        self.stopped: set[str] = set()

    def join(self, home: str = "") -> None:
        """Starts a node, in a new folder or in one whose last node is gone."""
        self._joined += 1
        home = home or f"/node{self._joined}"
        self.running[home] = self._place.start(home=home, until_done=True)

    async def kill(self, home: str) -> None:
        """Kills a node."""
        process = self.running.pop(home)
        process.kill()
        await ended(process)

    async def stop(self, home: str, seconds: float) -> None:
        """Stops a node for a while; it may be over with it by then."""
        self.stopped.add(home)
        process = self.running[home]
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(process.pid, signal.SIGCONT)
        self.stopped.discard(home)

    async def end(self) -> None:
        """Returns once every node has found that nothing is left to do."""
        for process in self.running.values():
            assert await ended(process) == 0


def state(place: Place) -> str:
    """Returns the state of the issue."""
    return place.issue()[0]


async def test_nodes_that_die_and_hang_cost_nobody_a_mail(yard: Yard) -> None:
    """T-KILL for nodes: every few moments one is killed or stopped; others join, some of them where it was."""
    chance = random.Random(5)
    async with yard.place(connections=CONNECTIONS, lease=LEASE, delay=0.02, resend_after=0.5, engine=True) as place:
        nodes = Nodes(place)
        for _ in range(NODES):
            nodes.join()
        hanging: set[asyncio.Task[None]] = set()
        blows = 0
        deadline = time.monotonic() + PATIENCE
        while blows < BLOWS and state(place) == "sending":
            await asyncio.sleep(chance.uniform(*EVERY))
            assert time.monotonic() < deadline
            awake = [home for home in nodes.running if home not in nodes.stopped]
            if not place.sink.count() or not awake:
                continue
            blows += 1
            home = chance.choice(awake)
            if chance.random() < 0.5:
                await nodes.kill(home)
                nodes.join("" if chance.random() < MOVING_OUT else home)
            else:
                hanging.add(asyncio.create_task(nodes.stop(home, chance.uniform(*STOPPED))))
        await asyncio.gather(*hanging)
        await nodes.end()
        extra = judge(place, PEOPLE, crashes=blows)
        print(f"{PEOPLE} people, {blows} blows, {extra} second copies, rows {Counter(place.rows().values())}")


async def test_the_engine_may_lose_everything_and_be_deaf(yard: Yard) -> None:
    """Its tables are emptied, what tells of new jobs is silenced, then they are dropped: all in one issue."""
    async with yard.place(connections=CONNECTIONS, delay=0.02, engine=True) as place:
        nodes = Nodes(place)
        nodes.join()
        nodes.join()
        blows = [
            "ALTER TABLE {}.procrastinate_jobs DISABLE TRIGGER ALL",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND '{}' <> ''",
            "TRUNCATE {0}.procrastinate_jobs, {0}.procrastinate_workers CASCADE",
            "DROP SCHEMA {} CASCADE",
        ]
        for number, blow in enumerate(blows, 1):
            while place.sink.count() < PEOPLE * number // (2 * len(blows)):
                await asyncio.sleep(0.01)
            await done_to_the_engine(place.orders.url, blow)
        await nodes.end()
        assert judge(place, PEOPLE, crashes=0) == 0
