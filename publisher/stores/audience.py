"""A newsletter's readers by what can make a difference to their mail, counted and told apart by the database.

A million readers differ in few ways (decisions 7): what comes back is a row for each way and the numbers of those who
share it, never a row for each reader.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from publisher.model.choices import Choices
from publisher.model.reader import Alike, Entitlement
from publisher.model.segment import Picked
from publisher.newsletters.schedule import INSTANT
from publisher.stores.clocks import on, reads, words
from publisher.stores.database import Database, chunks, maybe_moment, micros, moment
from publisher.stores.people_rows import choices_of, in_force
from publisher.stores.schema import licences, profiles, subscribers, subscriptions, suppressions
from publisher.stores.segments import matching

_Mark = TypeVar("_Mark", bound=Hashable)
_FIRST, _LAST = sa.bindparam("first", type_=sa.BigInteger), sa.bindparam("last", type_=sa.BigInteger)


_LICENCE = ("product", "archive_days", "embargo_cleared")


class Audience:
    """The readers of one newsletter on one clock, or on all; remembers the choices it has met."""

    def __init__(
        self,
        database: Database,
        newsletter: str,
        cadence: str,
        zone: str,
        *,
        clock: tuple[str, str] | None,
        licensed_at: datetime | None,
        turns: Sequence[datetime],
        moments: Sequence[datetime],
        picked: Picked | None = None,
    ) -> None:
        """`cadence` and `zone` are the newsletter's own; `clock` picks a rhythm and zone.

        `licensed_at`: the moment whose licences count; None: none do. Who confirmed between two of the `turns`, the
        first of them included, is alike; for whom stories are pending since a moment of their own, between `moments`.
        """
        self._database = database
        self._clock = clock
        self._reach = _reach(newsletter, words(clock, cadence, zone) if clock else ())
        self._query = _query(database, newsletter, cadence, zone, clock, licensed_at, turns, moments, picked)
        self._choices: dict[int | None, Choices] = {None: choices_of(None)}

    async def reach(self, after: int, limit: int) -> int | None:
        """Returns the number of the last of the `limit` readers that come after a number; None: there are no more."""
        async with self._database.read() as connection:
            last: int | None = await connection.scalar(self._reach, {"after": after, "many": limit})
        return last

    async def alike(self, first: int, last: int) -> list[Alike]:
        """Returns the confirmed readers with numbers from `first` to `last`, by what can make a difference."""
        async with self._database.read() as connection:
            rows = (await connection.execute(self._query, {"first": first, "last": last})).all()
            unmet = {row.profile_id for row in rows}.difference(self._choices)
            for some in chunks(sorted(unmet)):
                found = await connection.execute(sa.select(profiles).where(profiles.c.id.in_(some)))
                self._choices |= {row.id: choices_of(row.choices) for row in found}
        kinds: dict[object, list[Any]] = {}
        for row in rows:
            kinds.setdefault(tuple(row[: len(_KIND)]), []).append(row)
        return [
            self._alike(kind[0], terms, numbers)
            for kind in kinds.values()
            for terms, numbers in self._by_entitlement(kind)
        ]

    def _by_entitlement(self, rows: Sequence[Any]) -> Iterable[tuple[Entitlement, Sequence[int]]]:
        """Yields readers of one kind by what licences they have in force; each row is one licence and its holders."""
        held = [(_terms(row), self._database.gathered(row.numbers)) for row in rows]
        if len(held) == 1:  # nobody has two
            return [(frozenset(terms), numbers) for terms, numbers in held]
        by_reader = marked((term, numbers) for terms, numbers in held for term in terms)
        everybody = {number for _, numbers in held for number in numbers}
        return apart(sorted(everybody), by_reader)

    def _alike(self, row: Any, entitlement: Entitlement, numbers: Sequence[int]) -> Alike:
        cadence, zone = self._clock or (row.rhythm, row.zone)
        chosen = self._choices[row.profile_id]
        return Alike(
            language=row.language,
            timezone=zone,
            cadence=cadence,
            confirmed_at=moment(row.confirmed),
            pending_since=maybe_moment(row.pending),
            choices=chosen.filter,
            form=chosen.form,
            entitlement=entitlement,
            lapsed=bool(row.licensed) and not entitlement,
            suppressed=bool(row.suppressed),
            numbers=numbers,
        )


def marked(marks: Iterable[tuple[_Mark, Iterable[int]]]) -> dict[int, frozenset[_Mark]]:
    """Returns by number which marks it has; numbers with the same marks share one set."""
    sets: list[frozenset[_Mark]] = [frozenset()]
    places = {sets[0]: 0}
    found: dict[int, int] = {}
    for mark, numbers in marks:
        step: dict[int, int] = {}
        for number in numbers:
            before = found.get(number, 0)
            after = step.get(before)
            if after is None:
                grown = sets[before] | {mark}
                after = step[before] = places.setdefault(grown, len(sets))
                if after == len(sets):
                    sets.append(grown)
            found[number] = after
    return {number: sets[place] for number, place in found.items()}


def apart(
    numbers: Iterable[int], marks: Mapping[int, frozenset[_Mark]]
) -> Iterable[tuple[frozenset[_Mark], list[int]]]:
    """Yields numbers by the marks they have."""
    parts: dict[frozenset[_Mark], list[int]] = {}
    nothing: frozenset[_Mark] = frozenset()
    for number in numbers:
        parts.setdefault(marks.get(number, nothing), []).append(number)
    return parts.items()


def joined() -> sa.Join:
    """Returns subscriptions with their subscribers."""
    return subscriptions.join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)


def rhythm_of(default: str) -> sa.Label[str]:
    """Returns the rhythm of a reader's issues: what does not reach them at once comes with the newsletter's own."""
    return sa.func.coalesce(sa.func.nullif(subscriptions.c.cadence, INSTANT), default).label("cadence")


def zone_of(default: str) -> sa.Label[str]:
    """Returns a reader's time zone, where none is known the newsletter's."""
    return sa.func.coalesce(subscriptions.c.timezone, subscribers.c.timezone, default).label("zone")


CONFIRMED_AT = sa.func.coalesce(subscriptions.c.confirmed_at, subscriptions.c.created_at)


_KIND = ("profile_id", "since", "language", "suppressed", "rhythm", "zone", "licensed")
"""What tells readers apart beside their licences."""


def _query(
    database: Database,
    newsletter: str,
    cadence: str,
    zone: str,
    clock: tuple[str, str] | None,
    licensed_at: datetime | None,
    turns: Sequence[datetime],
    moments: Sequence[datetime],
    picked: Picked | None,
) -> sa.Select[Any]:
    """Returns the grouping of a range of readers: one row for each kind, and for each licence that is in force."""
    of = subscriptions.c
    source = joined()
    suppressed = sa.exists().where(suppressions.c.address == subscribers.c.address_key)
    kinds: dict[str, sa.ColumnElement[Any]] = {
        "profile_id": of.profile_id,
        "since": sa.case(
            (of.pending_since.is_not(None), -1 - _rank(of.pending_since, [micros(moment) for moment in moments])),
            else_=_rank(CONFIRMED_AT, [micros(turn) for turn in turns]),
        ),
        "language": subscribers.c.language,
        "suppressed": sa.case((suppressed, 1), else_=0),
    }
    if clock is None:
        kinds |= {"rhythm": rhythm_of(cadence), "zone": zone_of(zone)}
    if licensed_at is not None:
        source = source.outerjoin(
            licences, sa.and_(licences.c.subscriber_id == of.subscriber_id, in_force(licensed_at))
        )
        ended = licences.alias()
        other = sa.exists().where(ended.c.subscriber_id == of.subscriber_id)
        kinds |= {name: licences.c[name] for name in _LICENCE}
        kinds["licensed"] = sa.case((licences.c.id.is_not(None), 1), (other, 1), else_=0)
    everybody = (
        sa.select(
            *(column.label(name) for name, column in kinds.items()),
            CONFIRMED_AT.label("confirmed"),
            of.pending_since.label("pending"),
            of.subscriber_id.label("number"),
        )
        .select_from(source)
        .where(
            reads(newsletter),
            of.subscriber_id.between(_FIRST, _LAST),
            sa.true() if clock is None else on(clock, cadence, zone),
            sa.true() if picked is None else matching(database, picked),
        )
        .subquery()
    )
    same = {name: everybody.c[name] for name in kinds}
    return sa.select(
        *(same.get(name, sa.null()).label(name) for name in (*_KIND, *_LICENCE)),
        sa.func.min(everybody.c.confirmed).label("confirmed"),
        sa.func.min(everybody.c.pending).label("pending"),
        database.gather(everybody.c.number).label("numbers"),
    ).group_by(*same.values())


def _reach(newsletter: str, clocks: Sequence[str]) -> sa.Select[Any]:
    """Returns the last of the `many` readers after `after`, out of the index alone; `clocks`: of those on one of them.

    Each clock is walked by itself: together they would be sorted first, all of them for each range.
    """
    of = subscriptions.c
    after, many = sa.bindparam("after", type_=sa.BigInteger), sa.bindparam("many", type_=sa.BigInteger)
    everybody = sa.select(of.subscriber_id).where(reads(newsletter), of.subscriber_id > after)
    each = [everybody.where(of.clock == clock) for clock in clocks] or [everybody]
    first = [sa.select(one.order_by(of.subscriber_id).limit(many).subquery()) for one in each]
    some = sa.union_all(*first).subquery()
    some = sa.select(some).order_by(some.c.subscriber_id).limit(many).subquery()
    return sa.select(sa.func.max(some.c.subscriber_id))


def _rank(value: sa.ColumnElement[int], turns: Sequence[int], first: int = 0) -> sa.ColumnElement[int]:
    """Returns how many of the sorted `turns` are not above a value, `first` more, by halves."""
    if not turns:
        return sa.literal_column(str(first))
    middle = len(turns) // 2
    below, above = _rank(value, turns[:middle], first), _rank(value, turns[middle + 1 :], first + middle + 1)
    return sa.case((value < sa.literal_column(str(turns[middle])), below), else_=above)


def _terms(row: Any) -> list[tuple[str, int | None, bool]]:
    return [] if row.product is None else [(row.product, row.archive_days, bool(row.embargo_cleared))]
