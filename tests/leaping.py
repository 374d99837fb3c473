"""Time that passes only by leaps: what sleeps is woken in the right order, however slow the machine is."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _LeapingSelector(selectors.DefaultSelector):
    """Leaps over what it would have to wait."""

    leapt = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(timeout if timeout is None else 0)
        if not found and timeout is not None:
            self.leapt += timeout
        return found


class LeapingLoop(asyncio.SelectorEventLoop):
    """For coroutines that only sleep and wait for each other: neither sockets nor threads are waited for."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Returns the seconds that have been leapt over."""
        return self._leaping.leapt


def leap(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(work)
