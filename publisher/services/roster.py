"""The CSV of people, as `subscribers import` reads it and `subscribers export` writes it; pure."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from publisher.errors import UsageError
from publisher.model.people import Consent, ConsentEvent, Person, Subscription, SubscriptionStatus, SuppressionReason
from publisher.segments import parse_attribute
from publisher.segments.attributes import parse_attributes
from publisher.services.admission import CURRENT
from publisher.services.cells import listed, parse_list, unguarded
from publisher.services.columns import layout_of
from publisher.services.origins import origin_of
from publisher.services.wishes import WISHES, wish_cells

_PLAIN = (
    "language",
    "timezone",
    "valid_from",
    "valid_until",
    "archive_days",
    "embargo_cleared",
    "consent",
    "consented_at",
)
"""Columns whose cells are taken as they are."""
_LISTS = ("tags", "labels", "tiers")
"""Attributes of other programs that are lists."""
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
SUPPRESSED, NOTHING = "suppressed", "none"
"""Statuses of a list beside those of subscriptions: is never mailed; is known, and gets nothing."""
_IN_ORDER = [
    SubscriptionStatus.CONFIRMED,
    SubscriptionStatus.PAUSED,
    SubscriptionStatus.UNCONFIRMED,
    SubscriptionStatus.UNSUBSCRIBED,
]
"""How the lines of a person follow: who has left something is not asked into more by what comes later."""
_ADDRESS_COLUMNS = ("email", "address", "e-mail", "email address", "email_address", "subscriber", "recipient")
"""What lists of suppressed addresses call them."""
_GIVING = (ConsentEvent.CONFIRMED, ConsentEvent.ADDED, ConsentEvent.IMPORTED)
_SAYING = {SubscriptionStatus.UNSUBSCRIBED: (ConsentEvent.UNSUBSCRIBED,), SubscriptionStatus.UNCONFIRMED: ()}
"""What tells of a status; of the others that they said yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the CSV, its cells stripped; a list is None when its cell is empty or missing."""

    line: int
    email: str
    fault: str = ""
    """Why nothing in it can be used; empty when it can be read."""
    name: str = ""
    status: str = ""
    reason: str = ""
    """Why an address is never mailed, of a line whose status is `suppressed`."""
    language: str = ""
    timezone: str = ""
    newsletters: tuple[str, ...] | None = None
    products: tuple[str, ...] | None = None
    valid_from: str = ""
    valid_until: str = ""
    archive_days: str = ""
    embargo_cleared: str = ""
    consent: str = ""
    consented_at: str = ""
    wishes: Mapping[str, str] = field(default_factory=dict)
    """What is chosen of the newsletters of the line, by column (`wishes.WISHES`); nothing that is empty."""
    attributes: Mapping[str, Any] = field(default_factory=dict)


class _Tape:
    """Lines that are counted, and kept until the record is over that they belong to."""

    def __init__(self, lines: Iterator[str], number: int) -> None:
        self._lines = lines
        self.number = number
        self.record: list[str] = []

    def __iter__(self) -> "_Tape":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self.record.append(line)
        return line


class Roster:
    """A CSV of people, being read."""

    def __init__(self, lines: Iterable[str], mapping: Mapping[str, str] | None = None, line: int = 1) -> None:
        """Reads the header; UsageError when it has no column for the address, or one that nobody knows.

        `mapping`: their columns (in lower case) → ours; `line`: the number of the first one.
        """
        self._tape = _Tape(iter(lines), line - 1)
        header = next((line for line in self._tape if line.strip("\ufeff \t\r\n,;")), "").removeprefix("\ufeff")
        self._delimiter = max(",;\t", key=header.count)
        self.layout = layout_of(header, self._delimiter, mapping or {})

    def rows(self) -> Iterator[Row]:
        """Yields the rows. What cannot be read is one row with a `fault`, which says what was left out with it.

        A cell may go over several lines, unless one of them looks like somebody's row: an open quote would
        make one cell of everybody up to the next.
        """
        reader = csv.reader(self._tape, delimiter=self._delimiter, strict=True)
        while True:
            self._tape.record.clear()
            first = self._tape.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(line=first, email="", fault=_fault(first, self._tape.number, str(error)))
                continue
            fault = self._doubt(first, cells)
            if fault:
                yield Row(line=first, email=self._cells(cells, "email"), fault=fault)
            elif any(cell.strip() for cell in cells):
                yield self._row(first, [unguarded(cell) for cell in cells])

    def _doubt(self, first: int, cells: Sequence[str]) -> str:
        """Returns why a record cannot be believed; empty when it can."""
        if any("\0" in line for line in self._tape.record):
            return "the line has a NUL byte; save the list as CSV UTF-8"
        if any(cell.strip() for cell in cells[len(self.layout.names) :]):
            return f"the line has {len(cells)} cells, the header {len(self.layout.names)}; check its quotes"
        column = self.layout.columns_of("email")[0]
        for line in self._tape.record[1:]:
            parts = line.split(self._delimiter)
            if column < len(parts) and _ADDRESS.fullmatch(parts[column].strip(' \t\r\n"')):
                return _fault(first, self._tape.number, "a line of its cell looks like somebody's row")
        return ""

    def _cells(self, cells: Sequence[str], target: str) -> str:
        """Returns what stands in the column of this target."""
        found = (cells[i].strip() for i in self.layout.columns_of(target) if i < len(cells))
        return next(filter(None, found), "")

    def _row(self, line: int, cells: Sequence[str]) -> Row:
        try:
            attributes = self._attributes(cells)
            status, reason = self._status(cells)
        except UsageError as error:
            return Row(line=line, email=self._cells(cells, "email"), fault=str(error))
        name = self._cells(cells, "name")
        parts = (self._cells(cells, "first_name"), self._cells(cells, "last_name"))
        return Row(
            line=line,
            email=self._cells(cells, "email"),
            name=name or " ".join(filter(None, parts)),
            status=status,
            reason=reason,
            newsletters=parse_list(self._cells(cells, "newsletters")) or None,
            products=parse_list(self._cells(cells, "products")) or None,
            wishes={column: cell for column in WISHES if (cell := self._cells(cells, column))},
            attributes=attributes,
            **{target: self._cells(cells, target) for target in _PLAIN},
        )

    def _status(self, cells: Sequence[str]) -> tuple[str, str]:
        """Returns the status in our words, and the reason of one who is never mailed."""
        origin, told = self.layout.origin, self._cells(cells, "status").lower()
        if origin is None:
            return told, self._cells(cells, "reason").lower()
        always = next((status for column, status in origin.told_by.items() if column in self.layout.names), "")
        if told and told not in origin.statuses:
            raise UsageError(f"{told!r} is no status that {origin.title} is known to have")
        status, _, reason = (always or origin.statuses.get(told, "")).partition(" ")
        return status, reason

    def _attributes(self, cells: Sequence[str]) -> dict[str, Any]:
        text = self._cells(cells, "attributes")
        found = parse_attributes(text) if text else {}
        for index, target in enumerate(self.layout.targets):
            cell = cells[index] if index < len(cells) else ""
            if target.startswith("attributes.") and cell:
                key = target.removeprefix("attributes.")
                found[key] = _tags(cell) if key in _LISTS and self.layout.origin else parse_attribute(cell)
        return found


def address_list(lines: Iterable[str]) -> Roster:
    """Returns a list that is about addresses and nothing else: with a header, or one address on each line."""
    lines = iter(lines)
    first = next(lines, "").removeprefix("\ufeff")
    if "@" in first:
        return Roster(chain(["email\n", first], lines), line=0)
    delimiter = max(",;\t", key=first.count)
    names = [name.strip(' \t\r\n"').lower() for name in first.split(delimiter)]
    if any(origin_of(names) is not None for _ in names[:1]):
        return Roster(chain([first], lines))
    address = next((name for name in _ADDRESS_COLUMNS if name in names), "")
    reasons = {"reason": "reason"} if "reason" in names else {}
    return Roster(chain([first], lines), {address: "email", **reasons} if address else {})


def roster_rows(
    person: Person, consents: Sequence[Consent] = (), suppressed: SuppressionReason | None = None
) -> Iterator[dict[str, str]]:
    """Yields the lines of one person: one for each status and each term of licences, so that nothing is lost."""
    subscriber = person.subscriber
    common = {
        "email": subscriber.address,
        "name": subscriber.name,
        "reason": suppressed or "",
        "language": subscriber.language,
        "timezone": subscriber.timezone or "",
        "attributes": json.dumps(dict(subscriber.attributes), ensure_ascii=False) if subscriber.attributes else "",
    }
    wishes, rights = _wishes(person, consents), _rights(person)
    if suppressed is not None:
        wishes = [{**_NO_WISH, "status": SUPPRESSED}]
    for i in range(max(len(wishes), len(rights))):
        yield {**common, **wishes[min(i, len(wishes) - 1)], **rights[min(i, len(rights) - 1)]}


def _fault(first: int, last: int, reason: str) -> str:
    if last <= first:
        return f"the line cannot be read: {reason}; check its quotes"
    return f"lines {first} to {last} were left out: a quote opens in line {first} ({reason}); check its quotes"


def _tags(cell: str) -> list[str]:
    """Returns the tags of a cell: a JSON list, or texts with commas between, quoted or not."""
    value = parse_attribute(cell)
    if isinstance(value, list):
        return [str(each) for each in value]
    return [tag for tag in (part.strip(' "') for part in cell.split(",")) if tag]


_NO_WISH = dict.fromkeys(("newsletters", "consent", "consented_at", *WISHES), "") | {"status": NOTHING}


def _wishes(person: Person, consents: Sequence[Consent]) -> list[dict[str, str]]:
    """What the person gets, one entry for each status with the same choices; without any the status is `none`."""
    entries = []
    for status in _IN_ORDER:
        alike: dict[tuple[str, ...], list[Subscription]] = {}
        for subscription in person.subscriptions:
            if subscription.status is status:
                alike.setdefault(tuple(wish_cells(subscription).values()), []).append(subscription)
        entries += [_wish(status, chosen, consents) for chosen in alike.values()]
    return entries or [_NO_WISH]


def _wish(status: SubscriptionStatus, chosen: Sequence[Subscription], consents: Sequence[Consent]) -> dict[str, str]:
    names = [s.newsletter for s in chosen]
    events = _SAYING.get(status, _GIVING)
    said = next((c for c in reversed(consents) if c.newsletter in names and c.event in events), None)
    confirmed = max((s.confirmed_at for s in chosen if s.confirmed_at), default=None)
    at = said.given_at or said.at if said else confirmed
    return {
        "status": status.value,
        "newsletters": listed(names),
        **wish_cells(chosen[0]),
        "consent": (said.evidence if said else "") or (f"confirmed {_iso(at)}" if at and status in CURRENT else ""),
        "consented_at": _iso(at),
    }


def _rights(person: Person) -> list[dict[str, str]]:
    """The active licences, one entry for those with the same terms."""
    by_terms: dict[tuple[str, str, str, str], list[str]] = {}
    for licence in person.licences:
        if licence.active:
            days, cleared = str(licence.archive_days or ""), "true" if licence.embargo_cleared else ""
            terms = (_iso(licence.valid_from), _iso(licence.valid_until), days, cleared)
            by_terms.setdefault(terms, []).append(licence.product)
    names = ("valid_from", "valid_until", "archive_days", "embargo_cleared")
    entries = [
        {"products": listed(products), **dict(zip(names, terms, strict=True))} for terms, products in by_terms.items()
    ]
    return entries or [{"products": "", **dict.fromkeys(names, "")}]


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
