"""Dates and times as editors write them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

from publisher.errors import RefusedError

FORMS = "2025-09-02T14:30:00+03:00, 2025-09-02 14:30, 2025-09-02 or 02.09.2025"
"""The forms that messages name; a few more are read."""

_CLOCK = r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?"
_ZONE = r"(Z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/](\d{{1,2}})[-/](\d{{1,2}})(?:[T ]\s*{_CLOCK}\s*{_ZONE}?)?", re.IGNORECASE)
_DAY_FIRST = re.compile(rf"(\d{{1,2}})\.(\d{{1,2}})\.(\d{{4}})(?:[T ,]\s*{_CLOCK}\s*{_ZONE}?)?", re.IGNORECASE)
_MAIL = re.compile(r"(?:[A-Za-z]{3}, *)?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d")
_YEARS = range(1000, 9999)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in UTC; `day_only` when the text named a day and no time, which then is its midnight."""

    at: datetime
    day_only: bool


def read(value: object, zone: tzinfo, line: int, key: str) -> Moment:
    """Returns the moment that a front matter value names, in `zone` where it names none."""
    try:
        return _read(value, zone)
    except (ValueError, OverflowError, TypeError) as error:
        shown = " ".join(str(value).split())[:60]
        raise RefusedError(f"{key}: {shown!r} is not a date; write {FORMS}", line) from error


def _read(value: object, zone: tzinfo) -> Moment:
    if isinstance(value, datetime):
        return Moment(_utc(value, zone), day_only=False)
    if isinstance(value, date):
        return Moment(_utc(datetime.combine(value, time()), zone), day_only=True)
    if not isinstance(value, str):
        raise TypeError(value)
    text = value.strip()
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day, *rest = match.groups()
    elif match := _DAY_FIRST.fullmatch(text):
        day, month, year, *rest = match.groups()
    elif _MAIL.match(text):
        return Moment(_utc(parsedate_to_datetime(text), zone), day_only=False)
    else:
        raise ValueError(text)
    hour, minute, second, fraction, offset = rest
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    local = datetime(  # noqa: DTZ001 - its zone follows
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond
    )
    return Moment(_utc(local.replace(tzinfo=_offset(offset)), zone), day_only=hour is None)


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if text[0] == "-" else span)


def _utc(moment: datetime, zone: tzinfo) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError(moment.year)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC)
