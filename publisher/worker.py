"""The worker: delivery only, beside a service on another machine (contract: Commands)."""

import asyncio
from contextlib import suppress

from publisher.app import App, Node
from publisher.errors import UnreachableError
from publisher.stores.nodes import BEAT_SECONDS


class Worker:
    """One node that sends what others plan."""

    def __init__(self, app: App, node: Node) -> None:
        self._app = app
        self._node = node
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Asks the worker to end cleanly."""
        self._stop.set()

    async def run(self) -> None:
        """Sends until `stop`; a part that ends by itself ends the others, and says why."""
        parts = [self._app.delivering.run(self._stop), self._app.engine.serve(self._stop), self._beat()]
        tasks = [asyncio.create_task(part) for part in parts]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        await asyncio.gather(*tasks)

    async def _beat(self) -> None:
        while not self._stop.is_set():
            with suppress(UnreachableError):  # who delivers says so
                await self._node.beat(self._app.clock.now())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), BEAT_SECONDS)
