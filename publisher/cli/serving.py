"""How what runs until it is told to stop is run and told."""

import asyncio
import signal
from collections.abc import Awaitable, Callable


async def until_told(work: Awaitable[None], stop: Callable[[], None]) -> None:
    """Awaits `work`; SIGTERM and Ctrl-C say `stop`.

    Whoever says it again is not kept waiting: what is open is found in doubt then.
    """
    loop = asyncio.get_running_loop()

    def told(number: int) -> None:
        stop()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    await work
