"""Cells of a list of people: lists, moments, and what a spreadsheet would run as a formula; pure."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from publisher.errors import UsageError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by."""
_LIST = ";"
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?\s*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?(?: [A-Z+0-9]+)?)?"
)


def guarded(cell: str) -> str:
    """Returns a cell that no spreadsheet runs: what looks like a formula gets an apostrophe (OWASP CSV injection)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def unguarded(cell: str) -> str:
    """Returns a cell without white space around it, and without the apostrophe that `guarded` gave it."""
    return cell[1:].strip() if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell.strip()


def listed(parts: Iterable[str]) -> str:
    """Returns a list as one cell."""
    return _LIST.join(parts)


def parse_list(text: str) -> tuple[str, ...]:
    """Returns the parts of a list written with semicolons or commas, each once."""
    parts = (part.strip() for part in text.replace(",", _LIST).split(_LIST))
    return tuple(dict.fromkeys(part for part in parts if part))


def parse_moment(text: str, zone: str, *, end: bool) -> datetime | None:
    """Returns when something begins or ends, None for ""; a day begins at its first moment and ends after its last.

    UsageError when `text` is neither a day (2026-12-31) nor an ISO 8601 time with its offset.
    """
    if not text:
        return None
    try:
        if len(text) == len("2026-12-31"):
            day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
            return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day such as 2026-12-31, or a time such as 2026-12-31T18:00Z") from error
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} needs its offset from UTC, such as {text}Z")
    return moment.astimezone(UTC)


def parse_consented(text: str) -> datetime | None:
    """Returns when consent was given, None for ""; without an offset it is UTC. UsageError when it is no time."""
    if not text:
        return None
    match = _MOMENT.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        offset = (match["offset"] or "Z").replace("Z", "+00:00")
        return datetime.fromisoformat(f"{match['day']}T{match['time'] or '00:00'}{offset}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is not when consent was given, such as 2025-11-03 or 2025-11-03T10:00Z") from error
