"""Moments as people type them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App


def parse_moment(text: str, zone: str) -> datetime:
    """Returns the moment that `2026-10-19`, `2026-10-19T07:00` (in `zone`) or the same with an offset or Z means."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no moment: write 2026-10-19, 2026-10-19T07:00 or 2026-10-19T07:00+03:00"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def moment_option(app: "App", text: str | None) -> datetime | None:
    """Returns the moment of an option, in the publication's zone unless it says another; None when it was not given."""
    return None if text is None else parse_moment(text, app.catalogue.site.timezone)
