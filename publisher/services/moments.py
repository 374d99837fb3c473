"""Moments as people type them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from publisher.errors import UsageError


def parse_moment(text: str, zone: str) -> datetime:
    """Returns the moment that `2026-10-19`, `2026-10-19T07:00` (in `zone`) or the same with an offset or Z means."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no moment: write 2026-10-19, 2026-10-19T07:00 or 2026-10-19T07:00+03:00"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
