"""Waking: what fails is told, what the end of the service interrupts is not."""

import asyncio

import pytest

from publications import ManualClock
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
