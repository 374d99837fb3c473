"""What survives a crash: SIGKILL at every point that matters, judged by the sink's own log.

`make test` sends to 200 people from each point, with one and with eight connections, resending and holding, on
SQLite and on PostgreSQL, paired so that each meets each; `make prove` sends to 10,000 in every combination.
"""

import asyncio
import os
import random
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crashes import PROVE, Place, Yard, ended, judge, positions

PEOPLE = 10_000 if PROVE else 200
LEASE_SECONDS = 2.0
AT_ONCE = 1 if PROVE else 4
RANDOM_KILLS = 50 if PROVE else 5
GROUPS = [
    ("sqlite", True, 8),
    ("sqlite", False, 1),
    ("postgresql", True, 1),
    ("postgresql", False, 8),
    *([("sqlite", True, 1), ("sqlite", False, 8), ("postgresql", True, 8), ("postgresql", False, 1)] if PROVE else []),
]

POINTS = {
    "claimed": 1,
    "before_mark": 1,
    "marked": 0,
    "mid_body": 0,
    "dot": 1,
    "sent": 1,
    "recorded": 0,
}
"""Points met once per message, and how many second copies a kill there may cause with a single connection.

With one connection an answer that was read is recorded with the next mark (decision 5): until then it is repeated.
"""


@dataclass(frozen=True)
class Crash:
    """The kills of one case, in a row."""

    kills: tuple[tuple[str, int], ...]
    at_most: int
    """Second copies with a single connection."""

    def __str__(self) -> str:
        return " then ".join(f"{point} at {number}" for point, number in self.kills)


def crashes(point: str) -> list[Crash]:
    """Returns the cases of a point: at the first, a middle and the last message."""
    match point:
        case "recovery":  # inside it, twice in a row
            kills = [(("sent", at), ("recovering", 1), ("recovered", 1)) for at in positions(PEOPLE)]
            return [Crash(each, 1) for each in kills]
        case "finish":
            return [Crash((("finishing", PEOPLE),), 0), Crash((("finished", 1),), 0)]
        case _:
            return [Crash(((point, at),), POINTS[point]) for at in positions(PEOPLE)]


def yard_on(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Yard:
    """Returns a yard on one of the two databases."""
    server = None if dialect == "sqlite" else str(request.getfixturevalue("postgresql_server"))
    return Yard(folder, PEOPLE, server, request.getfixturevalue(f"migrated_{dialect}"))


@pytest.fixture
def yard(request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    """A yard on SQLite."""
    return yard_on("sqlite", request, tmp_path)


@pytest.fixture
def either_yard(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    """A yard on the database that the test names."""
    return yard_on(dialect, request, tmp_path)


@pytest.fixture
def far_yard(request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    """A yard on PostgreSQL."""
    return yard_on("postgresql", request, tmp_path)


async def gathered(cases: "list[Coroutine[Any, Any, None]]") -> None:
    """Runs cases side by side, a few at a time: they mostly wait."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: "Coroutine[Any, Any, None]") -> None:
        async with room:
            await case

    failures = [error for error in await asyncio.gather(*map(one, cases), return_exceptions=True) if error is not None]
    if failures:
        raise ExceptionGroup("crashes that cost more than was promised", failures)  # type: ignore[type-var]


async def survived(yard: Yard, crash: Crash, resend: bool, connections: int) -> None:
    """Kills as the case says, lets the next process finish, and judges."""
    async with yard.place(connections=connections, resend=resend) as place:
        try:
            for point, number in crash.kills:
                await place.killed(point, number)
            await place.finish()
            bound = crash.at_most if connections == 1 else None
            judge(place, PEOPLE, crashes=len(crash.kills), resend=resend, at_most=bound)
        except AssertionError as error:
            error.add_note(f"killed {crash}; {connections} connections, {'resend' if resend else 'hold'}")
            raise


@pytest.mark.parametrize("point", [*POINTS, "recovery", "finish"])
@pytest.mark.parametrize(("dialect", "resend", "connections"), GROUPS)
async def test_a_kill_loses_nobody_and_repeats_no_more_than_what_was_open(
    either_yard: Yard, resend: bool, connections: int, point: str
) -> None:
    """K5 to K13 of the test programme."""
    await either_yard.prepare()
    await gathered([survived(either_yard, crash, resend, connections) for crash in crashes(point)])


async def test_killed_again_and_again_at_random(yard: Yard) -> None:
    chance = random.Random(7)
    await yard.prepare()
    async with yard.place(connections=4) as place:
        for _ in range(RANDOM_KILLS):
            process = place.start()
            goal = place.sink.count() + chance.randrange(1, PEOPLE // (RANDOM_KILLS + 1))
            while place.sink.count() < min(goal, PEOPLE) and process.is_alive():
                await asyncio.sleep(0.002)
            await asyncio.sleep(chance.random() * 0.01)
            process.kill()
            await ended(process)
        await place.finish()
        judge(place, PEOPLE, crashes=RANDOM_KILLS)


async def told_to_stop(yard: Yard, moments: list[int]) -> None:
    """Stops one worker after the other politely, each once so many have arrived; a last one finishes."""
    async with yard.place(delay=0.002) as place:
        for n, after in enumerate(moments):
            process = place.start(connections=1 + (after + n) % 8)
            goal = min(PEOPLE, max(after, place.sink.count() + 1))
            while place.sink.count() < goal:
                await asyncio.sleep(0.001)
            os.kill(process.pid, signal.SIGTERM)
            assert await ended(process) == 0
            rows = place.rows()
            assert set(rows.values()) <= {"pending", "accepted"}
            assert list(rows.values()).count("accepted") == place.sink.count()
        await place.finish()
        assert judge(place, PEOPLE, crashes=0) == 0


async def test_a_worker_told_to_stop_loses_nobody_and_repeats_nothing(yard: Yard) -> None:
    """SIGTERM at twenty moments: of one issue in the long form, of four in the short one."""
    await yard.prepare()
    chance = random.Random(11)
    moments = [chance.randrange(1, PEOPLE - 20) for _ in range(20)]
    issues = [moments] if PROVE else [moments[n::4] for n in range(4)]
    await gathered([told_to_stop(yard, sorted(each)) for each in issues])


async def paused_in(place: Place) -> None:
    """Stops a worker with SIGSTOP in the middle, for longer than its lease lasts."""
    process = place.start(home="/elsewhere")
    while place.sink.count() < PEOPLE // 4:
        await asyncio.sleep(0.001)
    os.kill(process.pid, signal.SIGSTOP)
    # The next one looks for what dead workers held as it starts, and then every half minute.
    await asyncio.sleep(LEASE_SECONDS * 2)
    try:
        await place.finish(home="/here")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    await asyncio.sleep(0.5)
    os.kill(process.pid, signal.SIGTERM)
    assert await ended(process) == 0


async def test_a_paused_worker_sends_nothing_after_its_lease(far_yard: Yard) -> None:
    """A second worker on another machine takes over; what was open at the pause is all that may come twice."""
    await far_yard.prepare()
    async with far_yard.place(connections=2, lease=LEASE_SECONDS, delay=0.002) as place:
        await paused_in(place)
        judge(place, PEOPLE, crashes=1)


async def test_a_mail_that_kills_the_process_stops_nobody_else(yard: Yard) -> None:
    """It is tried three times, at last by itself, then given up."""
    await yard.prepare()
    async with yard.place(connections=4, poison=PEOPLE // 2) as place:
        deaths = 0
        while (code := await place.run(until_done=True)) != 0:
            assert code == -signal.SIGKILL
            deaths += 1
            assert deaths <= 3
        rows = place.rows()
        assert rows.pop(f"reader{PEOPLE // 2}@example.com") == "expired"
        assert set(rows.values()) == {"accepted"}
        assert len({recipient for recipient, _ in place.sink.copies()}) == PEOPLE - 1
        assert deaths == 3
