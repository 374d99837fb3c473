"""The engine of many processes: a doorbell that rings on one of them, through PostgreSQL.

A doorbell carries no work and no truth. Whoever hears it looks into the store, and every process does so each
second in any case: jobs that are lost, late or double, tables that were emptied, a LISTEN that hears nothing cost
a second and nobody's mail. So whatever fails here is logged and tried again, and never stops who delivers.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import structlog

from publisher.engines.local import LocalEngine
from publisher.model.delivery import Lot

if TYPE_CHECKING:
    from publisher.engines.jobs import Jobs

CONNECTIONS = 3
"""That it has open at most: one listens, one asks for jobs, one leaves them."""
_AGAIN_SECONDS = 5.0
"""Before the engine is tried again; twice as long each time, up to the longest, while it fails at once."""
_LONGEST_SECONDS = 60.0
_log = structlog.get_logger(__name__)


class PostgresqlEngine(LocalEngine):
    """A bell that other processes hear as well, while `serve` runs."""

    def __init__(self, url: str) -> None:
        """`url`: the database that all processes share."""
        super().__init__()
        self._url = url
        self._jobs: Jobs | None = None

    async def announce(self, lot: Lot) -> None:
        """Says that deliveries wait; one process hears it, and those that do not find them by themselves."""
        self.ring()
        if self._jobs is not None:
            await self._jobs.announce(lot)

    async def serve(self, stop: asyncio.Event) -> None:
        """Hears what is announced, by whomever, until `stop`."""
        from publisher.engines.jobs import Jobs  # heavy, and only who serves needs it

        stopped = asyncio.create_task(stop.wait())
        pause = _AGAIN_SECONDS
        try:
            while not stop.is_set():
                began = time.monotonic()
                self._jobs = Jobs(self._url, self.ring, CONNECTIONS)
                hearing = asyncio.create_task(self._jobs.hear())
                await asyncio.wait([hearing, stopped], return_when=asyncio.FIRST_COMPLETED)
                hearing.cancel()
                (end,) = await asyncio.gather(hearing, return_exceptions=True)
                self._jobs = None
                if not stop.is_set():
                    _log.warning("engine.deaf", error=repr(end.__cause__ or end) if end else "it ended")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), pause)
                lasted = time.monotonic() - began - pause
                pause = _AGAIN_SECONDS if lasted > _LONGEST_SECONDS else min(2 * pause, _LONGEST_SECONDS)
        finally:
            stopped.cancel()
