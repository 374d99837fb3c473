"""Dates as a reader writes them; never for machines, and never dependent on this machine's locale."""

from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from publisher.languages.locales import locale_of
from publisher.languages.numbers import in_digits

_KEPT = 4096
"""Days and minutes kept as they are written: pages and feeds say the same few again and again."""


def date_text(moment: datetime, language: str, zone: str) -> str:
    """Returns the day of an aware `moment` in the IANA time zone `zone`: `2 Eylül 2025`."""
    return _day(_local(moment, zone).date(), language)


@lru_cache(_KEPT)
def _day(day: date, language: str) -> str:
    return _plain(format_date(day, "long", locale=locale_of(language)), language)


def full_date_text(moment: datetime, language: str, zone: str) -> str:
    """Returns the day with its weekday: `2 Eylül 2025 Salı`."""
    return _plain(format_date(_local(moment, zone), "full", locale=locale_of(language)), language)


def time_text(moment: datetime, language: str, zone: str) -> str:
    """Returns the hour and minute of an aware `moment` in `zone`: `14:30`."""
    return clock_text(_local(moment, zone).time(), language)


def clock_text(at: time, language: str) -> str:
    """Returns a time of day: `14:30`."""
    return _minute(at.replace(second=0, microsecond=0), language)


@lru_cache(_KEPT)
def _minute(at: time, language: str) -> str:
    return _plain(format_time(at, "short", locale=locale_of(language)), language)


def datetime_text(moment: datetime, language: str, zone: str) -> str:
    """Returns day, hour and minute of an aware `moment` in `zone`, joined as the language does."""
    local = _local(moment, zone)
    return (
        _joined(language)
        .replace("{0}", clock_text(local.time(), language))
        .replace("{1}", _day(local.date(), language))
    )


@lru_cache(256)
def _joined(language: str) -> str:
    """Returns how a day {1} and a time {0} are put together."""
    return str(locale_of(language).datetime_formats["long"]).replace("'", "")


def _local(moment: datetime, zone: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be shown")
    return moment.astimezone(ZoneInfo(zone))


def _plain(text: str, language: str) -> str:
    # Many mail programs' fonts lack the narrow no-break space that the CLDR puts before AM and PM.
    return in_digits(text.replace("\u202f", "\u00a0"), language)
