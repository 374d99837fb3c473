"""Schedules: what config says of a newsletter's rhythm, and the slots that come of it.

A slot is a local calendar period with the instant it is due. A local time
that does not exist on a day (clocks go forward) is due at the first valid
instant after it; one that exists twice is due once, at the first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

INSTANT = "instant"
_FORMS = (
    '"daily HH:MM", "weekdays HH:MM", "weekly mon HH:MM", "monthly 1 HH:MM" (or "monthly last HH:MM"), "instant" '
    "or a cron line of five fields"
)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PERIODS = {
    "daily": "%Y-%m-%d",
    "weekdays": "%Y-%m-%d",
    "weekly": "%G-W%V",
    "monthly": "%Y-%m",
    "cron": "%Y-%m-%dT%H:%M",
}
_LOOKBACK = timedelta(days=31)
_LOOKBACK_SLOTS = 3
_LONGEST_REPEAT = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rhythm; `text` is its one spelling, so that equal rhythms make one cohort."""

    text: str
    kind: str
    """`daily`, `weekdays`, `weekly`, `monthly`, `cron` or `instant`."""
    cron: str = ""
    """The same as a cron line of five fields."""
    at: time | None = None
    """The local time of one that is not `cron` or `instant`."""


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """One period and the instant (aware UTC) its issue is due."""

    due_at: datetime
    period: str


def parse(text: str) -> Schedule:
    """Returns the schedule that config's words mean; ValueError says what is wrong with them."""
    words = text.lower().split()
    match words:
        case ["instant"]:
            return Schedule(text=INSTANT, kind=INSTANT)
        case ["daily", clock]:
            at = _time(clock)
            return Schedule(text=f"daily {at:%H:%M}", kind="daily", cron=_cron(at), at=at)
        case ["weekdays", clock]:
            at = _time(clock)
            return Schedule(text=f"weekdays {at:%H:%M}", kind="weekdays", cron=_cron(at, weekday="1-5"), at=at)
        case ["weekly", day, clock]:
            at, weekday = _time(clock), _weekday(day)
            cron = _cron(at, weekday=str(_WEEKDAYS.index(weekday)))
            return Schedule(text=f"weekly {weekday} {at:%H:%M}", kind="weekly", cron=cron, at=at)
        case ["monthly", day, clock]:
            at, month_day = _time(clock), _month_day(day)
            cron = _cron(at, day="L" if month_day == "last" else month_day)
            return Schedule(text=f"monthly {month_day} {at:%H:%M}", kind="monthly", cron=cron, at=at)
        case [_, _, _, _, _]:
            return _parse_cron(" ".join(words))
    raise ValueError(f"{text!r} is no schedule: write {_FORMS}")


def _time(text: str) -> time:
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text, re.ASCII)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError(f"{text!r} is no time of day: write HH:MM, 00:00 to 23:59")
    return time(int(found[1]), int(found[2]))


def _weekday(text: str) -> str:
    if len(text) < 3 or text[:3] not in _WEEKDAYS or not _full_name(text[:3]).startswith(text):
        raise ValueError(f"{text!r} is no day of the week: write mon, tue, wed, thu, fri, sat or sun")
    return text[:3]


def _full_name(weekday: str) -> str:
    return {"tue": "tuesday", "wed": "wednesday", "thu": "thursday", "sat": "saturday"}.get(weekday, f"{weekday}day")


def _month_day(text: str) -> str:
    if text in ("last", "31"):
        return "last"
    if not re.fullmatch(r"\d{1,2}", text, re.ASCII) or not 1 <= int(text) <= 28:
        raise ValueError(f"{text!r} is no day that every month has: write 1 to 28, or last")
    return str(int(text))


def _cron(at: time, day: str = "*", weekday: str = "*") -> str:
    return f"{at.minute} {at.hour} {day} * {weekday}"


def _parse_cron(line: str) -> Schedule:
    try:
        next(CronSim(line, datetime(2026, 1, 1)))  # noqa: DTZ001  (only whether it ever comes)
    except CronSimError as error:
        raise ValueError(f"{line!r} is no cron line: {str(error)[:1].lower()}{str(error)[1:]}") from error
    except StopIteration:
        raise ValueError(f"{line!r} names a day that never comes") from None
    return Schedule(text=line, kind="cron", cron=line)


def slots(schedule: Schedule, zone: str, after: datetime, until: datetime) -> list[Due]:
    """Returns the slots due in (after, until], oldest first; an instant schedule has none of its own."""
    return list(_until(upcoming(schedule, zone, after), until))


def _until(dues: Iterator[Due], until: datetime) -> Iterator[Due]:
    for due in dues:
        if due.due_at > until:
            return
        yield due


def next_slot(schedule: Schedule, zone: str, after: datetime) -> Due | None:
    """Returns the first slot due after an instant; None for an instant schedule."""
    return next(upcoming(schedule, zone, after), None)


def previous_slot(schedule: Schedule, zone: str, at: datetime) -> Due | None:
    """Returns the last slot due at or before an instant; None for an instant schedule."""
    return next(_downwards(schedule, zone, at), None)


def upcoming(schedule: Schedule, zone: str, after: datetime) -> Iterator[Due]:
    """Yields the slots due after an instant, without end."""
    return (due for due in _walk(schedule, zone, after, backwards=False) if due.due_at > after)


def looks_back_to(schedule: Schedule, zone: str, due_at: datetime) -> datetime:
    """Returns how far an issue may reach back: 31 days, or three slots of a slower rhythm; older is no news."""
    earlier = [due for due in islice(_downwards(schedule, zone, due_at), _LOOKBACK_SLOTS + 1) if due.due_at < due_at]
    return min(due_at - _LOOKBACK, *(due.due_at for due in earlier[:_LOOKBACK_SLOTS]), due_at)


def _downwards(schedule: Schedule, zone: str, at: datetime) -> Iterator[Due]:
    """Yields the slots due at or before an instant, newest first."""
    # The wall clock of a repeated hour hides slots of its first pass: begin behind it.
    return (due for due in _walk(schedule, zone, at + _LONGEST_REPEAT, backwards=True) if due.due_at <= at)


def _walk(schedule: Schedule, zone: str, start: datetime, *, backwards: bool) -> Iterator[Due]:
    if schedule.kind == INSTANT:
        return
    seen: Due | None = None
    for local in CronSim(schedule.cron, start.astimezone(ZoneInfo(zone)), reverse=backwards):
        due = _due(schedule, local)
        if due is None or (seen and due.period == seen.period):
            continue
        seen = due
        yield due


def _due(schedule: Schedule, local: datetime) -> Due | None:
    """Returns the slot at a local time that cronsim gave; None where the calendar has no such period."""
    if local.fold or _day_is_missing(schedule, local):
        return None
    return Due(due_at=local.astimezone(UTC), period=f"{schedule.kind}:{local.strftime(_PERIODS[schedule.kind])}")


def _day_is_missing(schedule: Schedule, local: datetime) -> bool:
    """Whether a daily slot was moved out of a day that a zone left out (Apia had no 30 December 2011)."""
    by_day = schedule.kind in ("daily", "weekdays")
    return by_day and schedule.at is not None and local.time() < schedule.at
