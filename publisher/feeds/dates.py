"""Dates for machines: the same bytes whatever the locale."""

from datetime import datetime
from email.utils import format_datetime


def rfc822(moment: datetime) -> str:
    """Returns a date as RSS has it: `Tue, 02 Sep 2025 12:30:00 +0000`, English whatever the locale."""
    return format_datetime(moment)


def rfc3339(moment: datetime) -> str:
    """Returns a date as Atom and W3C-DTF have it, to the second."""
    return moment.isoformat(timespec="seconds")
