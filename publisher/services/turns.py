"""Long work beside others: the event loop gets its turn, and whoever waits is told how far it is."""

import asyncio
import enum
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


class Phase(enum.StrEnum):
    """What a long pass is at."""

    READING = "reading stories"
    WRITING = "writing files"


Progress = Callable[[Phase, int, int], None]
"""Is told how much is done, of how much."""
_TURN = 100


def unseen(phase: Phase, done: int, total: int) -> None:
    """Is the progress that nobody watches."""


async def in_turns(things: Iterable[_T]) -> AsyncIterator[_T]:
    """Yields things one by one, and lets others in every hundred."""
    for number, thing in enumerate(things):
        if number % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        yield thing
