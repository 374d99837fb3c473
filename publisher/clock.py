"""What time it is, and what keeps the time from jumping when somebody sets the machine's clock.

Moments are stored, and many of them mean a while: tried again in five minutes, ours for twenty. A clock that is set
by days would end all of them at once. So what this clock says goes on as before until somebody has reckoned with
the jump (`services.timekeeping`), measured against the one clock of a machine that nobody can set.
"""

import time
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
"""A clock that is set by no more is simply followed: time servers do so, and nothing here is that exact."""
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # on Linux the monotonic one stands while it sleeps


def wall() -> datetime:
    """Returns what the machine's clock says, aware UTC."""
    return datetime.now(UTC)


class SystemClock:
    """The machine's clock, or that of the database's server once it was told by how much that one differs."""

    def __init__(self) -> None:
        self._server: datetime | None = None
        self._began = self._measured(self.steady())

    def steady(self) -> timedelta:
        """Returns the time since the machine was started, its sleep included: nobody can set it."""
        return timedelta(microseconds=time.clock_gettime_ns(_STEADY) // 1000)

    def now(self) -> datetime:
        """Returns the present moment, aware UTC; a jump shows as soon as it was reckoned with, and not before."""
        steady = self.steady()  # once: a mail asks for the time twice, and each reading costs
        measured = self._measured(steady)
        if abs(measured - self._began) <= TOLERANCE:
            self._began = measured
        return self._began + steady

    @property
    def jump(self) -> timedelta:
        """Returns by how much the clock was set and that has not been reckoned with; zero: it was not, or by little."""
        by = self._measured(self.steady()) - self._began
        return by if abs(by) > TOLERANCE else timedelta(0)

    def reckon(self, by: timedelta) -> None:
        """Goes on by so much later, or earlier."""
        self._began += by

    def follow(self, server: datetime, at: timedelta) -> None:
        """Goes by another machine's clock, which said `server` at `at` by `steady()`: the first time at once."""
        first, self._server = self._server is None, server - at
        if first:
            self._began = self._server

    def _measured(self, steady: timedelta) -> datetime:
        """Returns when the machine would have been started, by the clock that counts, so long after that."""
        return self._server if self._server is not None else wall() - steady
