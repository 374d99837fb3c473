"""Clocks that are set while mail goes out, and clocks that differ: nobody twice, nobody lost, nothing too early."""

import asyncio
import os
import shutil
import signal
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from crashes import PATIENCE, Place, Yard, ended, judge
from test_delivering import Desk, desk, until

from ledger_rows import add_issue, issue_state, states
from publisher.clock import SystemClock
from publisher.model.delivery import Policy
from publisher.stores.database import Database
from relays import CLOSE

PEOPLE = 150
AGAIN = timedelta(seconds=3)
"""After a deferral, and after an uncertain end."""
JUMPS = [timedelta(hours=-2), timedelta(days=3), timedelta(hours=1), timedelta(hours=-1)]
"""Two of them are what the ends of summer time do to a machine whose clock keeps local time."""


class SettableClock(SystemClock):
    """A machine's clock that somebody sets."""

    def __init__(self, by: timedelta = timedelta(0)) -> None:
        self.by = by
        super().__init__()

    def _measured(self, steady: timedelta) -> datetime:
        return super()._measured(steady) + (self.by if self._server is None else timedelta(0))


async def survives(database: Database, jump: timedelta) -> None:
    """Sets the clock in the middle, starts again by that clock, and judges by a clock that nobody sets."""
    issue = await add_issue(database, range(1, PEOPLE + 1), now=SystemClock().now() - timedelta(minutes=1))
    policy = Policy(connections=2, resend_after=AGAIN, retry_after=AGAIN)
    script: dict[str, list[str | bytes]] = {"DOT": ["451 4.7.1 later"] * 5 + [CLOSE] + ["451 4.7.1 later"] * 2}
    clock = SettableClock()
    async with desk(database, script, policy, clock=clock) as (service, relay):
        relay.delay = 0.002
        async with service.running():
            await until(lambda: len(relay.received) >= PEOPLE // 3)
            clock.by = jump
            await until(lambda: len(relay.received) >= PEOPLE)
            await until(lambda: not clock.jump)
            assert abs(clock.now() - SystemClock().now() - jump) < timedelta(minutes=1)
        # What runs next knows nothing but the clock as it now is.
        again = Desk(database, relay, policy, sandbox=False, clock=SettableClock(jump))
        async with again.running():

            async def done() -> bool:
                return await issue_state(database, issue) == "done"

            await until(done)
    assert await states(database, issue) == {"accepted": PEOPLE}
    seen: dict[str, list[float]] = defaultdict(list)
    for received in relay.received:
        seen[received.recipient].append(received.at)
    assert len(seen) == PEOPLE
    twice = {recipient: moments for recipient, moments in seen.items() if len(moments) > 1}
    assert Counter(map(len, seen.values())) == {1: PEOPLE - 8, 2: 8}
    waits = [second - first for first, second in twice.values()]
    assert min(waits) > AGAIN.total_seconds() - 0.1, waits
    assert max(waits) < 120, waits  # and not hours


async def test_a_clock_that_is_set_in_the_middle_of_an_issue_changes_nothing(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    """T-CLOCK: who was put off is tried again after that while, who is in doubt too, and nobody is too old."""

    async def one(number: int, jump: timedelta) -> None:
        shutil.copy(migrated_sqlite, tmp_path / f"{number}.db")
        database = Database.open(f"sqlite:///{number}.db", tmp_path)
        try:
            await survives(database, jump)
        finally:
            await database.close()

    async with asyncio.TaskGroup() as group:
        for number, jump in enumerate(JUMPS):
            group.create_task(one(number, jump))


def test_a_clock_goes_on_until_its_jump_was_reckoned_with_and_follows_a_small_step_at_once() -> None:
    clock, real = SettableClock(), SystemClock()

    def ahead() -> int:
        return round((clock.now() - real.now()).total_seconds())

    for step in (60, 299, 500, 270):
        clock.by = timedelta(seconds=step)
        assert (ahead(), clock.jump) == (step, timedelta(0))
    clock.by = timedelta(days=3)
    assert ahead() == 270
    jump = clock.jump
    assert abs(jump - timedelta(days=3, seconds=-270)) < timedelta(seconds=1)
    clock.reckon(jump)
    assert (ahead(), clock.jump) == (3 * 86400, timedelta(0))


def test_the_time_of_a_server_counts_from_the_first_answer_on() -> None:
    clock, real = SettableClock(timedelta(hours=1)), SystemClock()
    clock.follow(real.now(), clock.steady())
    assert abs(clock.now() - real.now()) < timedelta(seconds=1)
    clock.by = timedelta(days=1)  # the machine's own clock is of no interest any more
    assert abs(clock.now() - real.now()) < timedelta(seconds=1)
    clock.follow(real.now() - timedelta(hours=2), clock.steady())
    assert abs(clock.jump + timedelta(hours=2)) < timedelta(seconds=1)
    assert abs(clock.now() - real.now()) < timedelta(seconds=1)


@pytest.fixture
async def far_yard(postgresql_server: str, migrated_postgresql: str, tmp_path: Path) -> Yard:
    """A yard on PostgreSQL, an issue in it."""
    yard = Yard(tmp_path, PEOPLE, postgresql_server, migrated_postgresql)
    await yard.prepare()
    return yard


async def never_steals(yard: Yard, wrong: float) -> None:
    """A node is paused in the middle; the other, whose clock is wrong, must leave alone what the first has."""
    async with yard.place(connections=2, delay=0.005) as place:
        first = place.start(home="/one", until_done=True)
        while place.sink.count() < PEOPLE // 5:
            await asyncio.sleep(0.002)
        await _stopped(place, first.pid)
        try:
            second = place.start(home="/two", until_done=True, clock_wrong=wrong)
            await _settled(place)
            states = Counter(place.rows().values())
            assert set(states) <= {"accepted", "claimed", "in_flight"}, states
            assert place.sink.count() > PEOPLE // 2
        finally:
            os.kill(first.pid, signal.SIGCONT)
        assert [await ended(first), await ended(second)] == [0, 0]
        assert judge(place, PEOPLE, crashes=0) == 0


async def _stopped(place: Place, process: int) -> None:
    """Pauses a node between two transactions: in the middle of one it would keep rows by the server's locks."""
    busy = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    while True:
        os.kill(process, signal.SIGSTOP)
        await asyncio.sleep(0.2)
        if not place.ask(busy):
            return
        os.kill(process, signal.SIGCONT)
        await asyncio.sleep(0.01)


async def _settled(place: Place) -> None:
    """Returns once nothing has come for a while, and what waits is in somebody's hands."""
    arrived, since = -1, time.monotonic()
    while time.monotonic() - since < 2 or "pending" in place.rows().values():
        if place.sink.count() != arrived:
            arrived, since = place.sink.count(), time.monotonic()
        assert time.monotonic() - since < PATIENCE, Counter(place.rows().values())
        await asyncio.sleep(0.05)


async def never_resends_early(yard: Yard, wrong: float) -> None:
    """Killed after the dot: the other node waits the whole while, by the server's clock, before it sends again."""
    async with yard.place(connections=1, resend_after=2.0) as place:
        await place.killed("dot", 5)
        began = time.time()
        await place.finish(clock_wrong=wrong)
        assert judge(place, PEOPLE, crashes=1) == 1
        copies = Counter(recipient for _, recipient, _ in place.sink.arrivals())
        again = [at for at, recipient, _ in place.sink.arrivals() if copies[recipient] == 2]
        assert again[1] - began > 2.0


async def test_a_node_whose_clock_is_wrong_neither_steals_nor_lets_lie(far_yard: Yard) -> None:
    """An hour slow, an hour fast, or three days: on PostgreSQL the server's time is all that counts."""
    async with asyncio.TaskGroup() as group:
        for wrong in (-3600.0, 3 * 86400.0):
            group.create_task(never_steals(far_yard, wrong))
    await never_resends_early(far_yard, 3600.0)
