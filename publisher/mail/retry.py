"""When a deferred delivery is tried again: the one table."""

import zlib
from datetime import timedelta

DELAYS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120, 240, 480))
"""After the first, second … attempt; the last one repeats (RFC 5321 §4.5.4.1; greylisting lets go after minutes)."""
ATTEMPTS = 12
JITTER = 0.2
"""At most so much of a delay is added, so that what was put off together does not come back together."""


def delay(attempt: int, number: int, first: timedelta = DELAYS[0]) -> timedelta:
    """Returns how long delivery `number` waits after an attempt (1, 2, 3 …); the same number, always the same wait.

    `first` stretches or shrinks the whole table.
    """
    share = zlib.crc32(f"{number}:{attempt}".encode()) / 2**32
    return DELAYS[min(attempt, len(DELAYS)) - 1] * (first / DELAYS[0]) * (1 + JITTER * share)
