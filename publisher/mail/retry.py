"""When a deferred delivery is tried again: the one table."""

from datetime import timedelta

DELAYS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120, 240, 480))
"""After the first, second … attempt; the last one repeats (RFC 5321 §4.5.4.1; greylisting lets go after minutes)."""
ATTEMPTS = 12
RELAY_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 10, 20, 40, 80, 160, 300))
"""How long to leave a relay alone that cannot be talked to, after the first, second … failure in a row."""


def delay(attempt: int, first: timedelta = DELAYS[0]) -> timedelta:
    """Returns how long to wait after an attempt (1, 2, 3 …); `first` stretches or shrinks the whole table."""
    return DELAYS[min(attempt, len(DELAYS)) - 1] * (first / DELAYS[0])


def relay_pause(failures: int) -> timedelta:
    """Returns how long to leave the relay alone after so many failures in a row (1, 2, 3 …)."""
    return RELAY_PAUSES[min(failures, len(RELAY_PAUSES)) - 1]
