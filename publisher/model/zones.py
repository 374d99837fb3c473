"""The time zones that this machine knows."""

from functools import cache
from zoneinfo import available_timezones


@cache
def time_zones() -> frozenset[str]:
    """Returns the names of the IANA time zones; found once, for it takes a walk through hundreds of files."""
    return frozenset(available_timezones())
