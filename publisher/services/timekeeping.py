"""Keeps durations right while clocks are set: one who waits five minutes waits five minutes.

Whoever delivers looks every second. With PostgreSQL the time is the server's, so a machine whose own clock is wrong
neither takes what is another's nor lets its own lie. A jump (a clock set by more than five minutes, judged by the
clock that nobody can set) is logged, what waits is moved along with it, once, and timers are set anew.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog

from publisher.ports import MomentStore, SteadyClock

_PROMPT = timedelta(seconds=1)
"""An answer of the server that took longer says its time too vaguely."""
_log = structlog.get_logger(__name__)


class Timekeeping:
    """One process's time."""

    def __init__(self, clock: SteadyClock, moments: MomentStore) -> None:
        self._clock = clock
        self._moments = moments
        self._moved: timedelta | None = None
        self._hands: list[Callable[[], None]] = []

    def on_jump(self, hand: Callable[[], None]) -> None:
        """Has `hand` called after each jump: it sets timers anew."""
        self._hands.append(hand)

    async def begin(self) -> None:
        """Learns the time."""
        self._moved = await self._moments.moved()
        await self._ask()

    async def look(self) -> bool:
        """Learns the time, and reckons with a jump; returns whether there was one."""
        if self._moved is None:
            await self.begin()
        await self._ask()
        jump = self._clock.jump
        if not jump:
            return False
        before = self._clock.now()
        # Between the two steps what waits lies further ahead than it should: nothing is done too early.
        if jump < timedelta(0):
            self._clock.reckon(jump)
        try:
            self._moved = await self._moments.move(jump, self._moved or timedelta(0), before)
        except BaseException:
            if jump < timedelta(0):
                self._clock.reckon(-jump)
            raise
        if jump > timedelta(0):
            self._clock.reckon(jump)
        _log.warning("clock.jumped", seconds=round(jump.total_seconds()), now=str(self._clock.now()))
        for hand in self._hands:
            hand()
        return True

    async def _ask(self) -> None:
        asked = self._clock.steady()
        server = await self._moments.server_time()
        answered = self._clock.steady()
        if server is not None and (answered - asked <= _PROMPT or self._moved is None):
            self._clock.follow(server, asked + (answered - asked) / 2)
