"""The worker: delivery only, beside a service on another machine (contract: Commands)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from publisher.app import App, Node
from publisher.errors import UnreachableError
from publisher.stores.nodes import BEAT_SECONDS
from publisher.web import health
from publisher.web.server import address_of, listen, serve


class Worker:
    """One node that sends what others plan."""

    def __init__(self, app: App, node: Node) -> None:
        self._app = app
        self._node = node
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Asks the worker to end cleanly."""
        self._stop.set()

    async def run(self, ready: Callable[[str], None]) -> None:
        """Sends until `stop`; a part that ends by itself ends the others, and says why.

        `ready` is told where it says how it is; empty: nowhere.
        """
        http = self._app.settings.http
        listener = None if http.worker_port is None else listen(http.host, http.worker_port, "http.worker_port")
        try:
            parts = [self._app.delivering.run(self._stop), self._app.engine.serve(self._stop), self._beat()]
            if listener is not None:
                parts.append(serve(health.alone(self._app), listener, self._stop))
            tasks = [asyncio.create_task(part) for part in parts]
            ready("" if listener is None else address_of(listener))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._stop.set()
            await asyncio.gather(*tasks)
        finally:
            if listener is not None:
                listener.close()

    async def _beat(self) -> None:
        while not self._stop.is_set():
            with suppress(UnreachableError):  # who delivers says so
                await self._node.beat(self._app.clock.now())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), BEAT_SECONDS)
