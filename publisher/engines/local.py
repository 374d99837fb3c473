"""The engine of one process: ringing wakes its own delivery loop."""

import asyncio
import contextlib

from publisher.model.delivery import Lot


class LocalEngine:
    """A bell within this process; other processes' work is found by polling."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Says that there is something to deliver."""
        self._bell.set()

    async def wait(self, seconds: float) -> None:
        """Returns once somebody rang since the last call, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()

    async def announce(self, lot: Lot) -> None:
        """Says that deliveries wait, to the only process there is."""
        self.ring()

    async def serve(self, stop: asyncio.Event) -> None:
        """Hears nothing from elsewhere, until `stop`."""
        await stop.wait()
