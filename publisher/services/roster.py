"""The CSV of people, as `subscribers import` reads it and `subscribers export` writes it; pure."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from publisher.errors import UsageError
from publisher.model.people import Person, SubscriptionStatus

COLUMNS = (
    "email",
    "name",
    "status",
    "language",
    "timezone",
    "newsletters",
    "products",
    "valid_from",
    "valid_until",
    "consent",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by."""
_LIST = ";"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the CSV, its cells stripped; a list is None when its cell is empty or missing."""

    line: int
    email: str
    fault: str = ""
    """Why nothing in it can be used; empty when it can be read."""
    name: str = ""
    status: str = ""
    language: str = ""
    timezone: str = ""
    newsletters: tuple[str, ...] | None = None
    products: tuple[str, ...] | None = None
    valid_from: str = ""
    valid_until: str = ""
    consent: str = ""


def read_roster(lines: Iterable[str]) -> Iterator[Row]:
    """Yields the rows of a CSV with a header; UsageError when it has no `email` column, or one twice or unknown.

    What cannot be read, or goes over several lines, is one row with a `fault`: no cell needs a line break, and an
    open quote would make one cell of everybody up to the next.
    """
    lines = iter(lines)
    header = next(lines, "").removeprefix("\ufeff")
    delimiter = max(",;\t", key=header.count)
    names = _names(header, delimiter)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line=first, email="", fault=_fault(first, reader.line_num + 1, str(error)))
            continue
        if reader.line_num + 1 > first:
            yield Row(line=first, email="", fault=_fault(first, reader.line_num + 1, "a cell has a line break"))
        elif any(cell.strip() for cell in cells):
            yield _row(first, dict(zip(names, map(_unguarded, cells), strict=False)))


def roster_rows(person: Person) -> Iterator[dict[str, str]]:
    """Yields the lines of one person: one for each status and each term of licences, so that nothing is lost."""
    subscriber = person.subscriber
    common = {
        "email": subscriber.address,
        "name": subscriber.name,
        "language": subscriber.language,
        "timezone": subscriber.timezone or "",
    }
    wishes, rights = _wishes(person), _rights(person)
    for i in range(max(len(wishes), len(rights))):
        yield {**common, **wishes[min(i, len(wishes) - 1)], **rights[min(i, len(rights) - 1)]}


def guarded(cell: str) -> str:
    """Returns a cell that no spreadsheet runs: what looks like a formula gets an apostrophe (OWASP CSV injection)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


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


def parse_list(text: str) -> tuple[str, ...]:
    """Returns the parts of a list written with semicolons or commas, each once."""
    parts = (part.strip() for part in text.replace(",", _LIST).split(_LIST))
    return tuple(dict.fromkeys(part for part in parts if part))


def _names(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise UsageError(f"line 1: the header cannot be read: {error}; check its quotes") from error
    names = [name.strip().lower() for name in cells]
    unknown = [name for name in names if name not in COLUMNS]
    if "email" not in names or unknown:
        wrong = f"; it has {', '.join(map(repr, unknown))}" if unknown else ""
        raise UsageError(f"line 1: the columns are {', '.join(COLUMNS)}; email is needed{wrong}")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise UsageError(f"line 1: there is more than one column {', '.join(twice)}; leave one of them")
    return names


def _fault(first: int, last: int, reason: str) -> str:
    if last <= first:
        return f"the line cannot be read: {reason}; check its quotes"
    return f"lines {first} to {last} were left out: a quote opens in line {first} ({reason}); check its quotes"


def _row(line: int, cells: dict[str, str]) -> Row:
    return Row(
        line=line,
        email=cells.get("email", ""),
        name=cells.get("name", ""),
        status=cells.get("status", "").lower(),
        language=cells.get("language", ""),
        timezone=cells.get("timezone", ""),
        newsletters=parse_list(cells.get("newsletters", "")) or None,
        products=parse_list(cells.get("products", "")) or None,
        valid_from=cells.get("valid_from", ""),
        valid_until=cells.get("valid_until", ""),
        consent=cells.get("consent", ""),
    )


def _unguarded(cell: str) -> str:
    return cell[1:].strip() if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell.strip()


def _wishes(person: Person) -> list[dict[str, str]]:
    """What the person gets, one entry per status; without any subscription the status is `unsubscribed`."""
    entries = []
    for status in dict.fromkeys(subscription.status for subscription in person.subscriptions):
        chosen = [s for s in person.subscriptions if s.status is status]
        confirmed = [s.confirmed_at for s in chosen if s.confirmed_at]
        entries.append(
            {
                "status": status.value,
                "newsletters": _LIST.join(s.newsletter for s in chosen),
                "consent": f"confirmed {max(confirmed).isoformat()}" if confirmed else "",
            }
        )
    return entries or [{"status": SubscriptionStatus.UNSUBSCRIBED.value, "newsletters": "", "consent": ""}]


def _rights(person: Person) -> list[dict[str, str]]:
    """The active licences, one entry per pair of dates."""
    by_dates: dict[tuple[str, str], list[str]] = {}
    for licence in person.licences:
        if licence.active:
            dates = (_iso(licence.valid_from), _iso(licence.valid_until))
            by_dates.setdefault(dates, []).append(licence.product)
    entries = [
        {"products": _LIST.join(products), "valid_from": valid_from, "valid_until": valid_until}
        for (valid_from, valid_until), products in by_dates.items()
    ]
    return entries or [{"products": "", "valid_from": "", "valid_until": ""}]


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
