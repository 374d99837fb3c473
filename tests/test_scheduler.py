"""Waking: what fails is told, what the end of the service interrupts is not."""

import asyncio

import pytest
from structlog.testing import capture_logs

from publications import ManualClock
from publisher.errors import UnreachableError
from publisher.scheduler import Scheduler


async def test_an_action_that_the_end_interrupts_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def action() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    clock = ManualClock()
    scheduler = Scheduler(clock)
    scheduler.start()
    scheduler.at("long", clock.now(), action)
    await begun.wait()
    scheduler.stop()
    await ended.wait()
    await asyncio.sleep(0)
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


async def test_of_what_is_away_is_told_once_and_once_more_when_it_is_back() -> None:
    looks = 0
    enough = asyncio.Event()

    async def action() -> None:
        nonlocal looks
        looks += 1
        if looks == 8:
            enough.set()
        if looks in (2, 3, 4, 6):
            raise UnreachableError("the database does not answer")

    with capture_logs() as told:
        scheduler = Scheduler(ManualClock())
        scheduler.start()
        scheduler.every("requests", 0.01, action)
        await enough.wait()
        scheduler.stop()
    assert [line["event"] for line in told if line.get("action") == "requests"] == [
        "scheduler.waiting", "scheduler.goes_on", "scheduler.waiting", "scheduler.goes_on",
    ]  # fmt: skip
