"""Which deliveries may be claimed now, in which order, and how fast."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from publisher.mail.throttle import ALL, Lane, Place, Throttle
from publisher.model.delivery import Boot, Claimed, Rates, Route
from publisher.model.issue import DUE, DeliveryState, IssueKind
from publisher.model.people import SubscriptionStatus, SuppressionReason
from publisher.stores.compiled import Compiled, one_of
from publisher.stores.database import Database, micros, moment
from publisher.stores.revisions import unfit
from publisher.stores.schema import deliveries, issues, lanes, subscribers, subscriptions, suppressions, variants

_MICROSECOND = timedelta(microseconds=1)
FRUITLESS_CLAIMS = 3
"""Claims without any outcome after which a delivery is taken to be what kills the process."""
STATE = sa.func.coalesce(deliveries.c.state, "")
"""A state beside numbers of rows: SQLite would rather read all rows in that state from the index on it."""
PLAIN_MESSAGE = issues.c.kind == IssueKind.MESSAGE
_ABOUT_A_STORY = one_of(issues.c.kind, (IssueKind.NOTICE, IssueKind.EMBARGO))
NEWSLETTER = sa.func.coalesce(issues.c.newsletter, variants.c.newsletter)
"""Whose mail a delivery is."""
STANDS = suppressions.c.reason != SuppressionReason.ERASED
"""Somebody who was erased has a row again only because they signed up anew: their word wins over the old one."""
SUSPECT = sa.and_(deliveries.c.attempts >= FRUITLESS_CLAIMS - 1, deliveries.c.reply_phase.is_(None))


def goes_by(route: Route, of: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether what is of a newsletter, or of none, goes by a relay."""
    if route.everything:
        return sa.true()
    if not route.newsletters:
        return sa.false()
    named = one_of(of, route.newsletters)
    return sa.or_(of.is_(None), sa.not_(named)) if route.others else named


def wanted() -> sa.ColumnElement[bool]:
    """Whether the reader still wants this mail; a notice overrides a pause, never an unsubscription (decisions 12)."""
    confirmed = subscriptions.c.status == SubscriptionStatus.CONFIRMED
    paused = subscriptions.c.status == SubscriptionStatus.PAUSED
    asked = (
        sa.exists()
        .where(
            subscriptions.c.subscriber_id == deliveries.c.subscriber_id,
            sa.or_(
                subscriptions.c.newsletter == issues.c.newsletter,
                sa.and_(issues.c.newsletter.is_(None), issues.c.kind != IssueKind.EMBARGO),
                sa.and_(subscriptions.c.newsletter == variants.c.newsletter, issues.c.kind == IssueKind.EMBARGO),
            ),
            sa.or_(confirmed, sa.and_(paused, issues.c.kind == IssueKind.NOTICE)),
        )
        .correlate(deliveries, issues, variants)
    )
    return sa.or_(PLAIN_MESSAGE, asked)


class Wish(NamedTuple):
    """What a process may claim."""

    limit: int
    lease: timedelta
    issue: int | None
    """Of this one alone."""
    alone: bool
    """It has nothing else in hand, so that one which may be poison can be tried."""
    digests: bool
    rates: Rates


class _Row(NamedTuple):
    number: int
    issue: int
    kind: str
    newsletter: str | None
    edition: int | None
    event: str | None
    sending_at: int | None
    variant: int
    subscriber: int
    address: str
    address_key: str
    name: str
    token_generation: int
    attempts: int
    refusals: int
    resends: int
    wanted: bool
    suspect: bool

    @property
    def domain(self) -> str:
        """Returns the recipient's domain; never the name of the lane of all mail."""
        return self.address.rpartition("@")[2].lower() or ALL


_NOW = sa.bindparam("b_now", type_=sa.BigInteger)
_ISSUE = sa.bindparam("b_issue", type_=sa.BigInteger)
_DIGESTS = sa.bindparam("b_digests", type_=sa.Integer)
_DUE = (
    sa.select(
        deliveries.c.id,
        deliveries.c.issue_id,
        issues.c.kind,
        NEWSLETTER,
        issues.c.edition,
        issues.c.event,
        issues.c.sending_at,
        deliveries.c.variant_id,
        deliveries.c.subscriber_id,
        subscribers.c.address,
        subscribers.c.address_key,
        subscribers.c.name,
        subscribers.c.token_generation,
        deliveries.c.attempts,
        deliveries.c.refusals,
        deliveries.c.resends,
        wanted(),
        SUSPECT,
    )
    .select_from(deliveries)
    .join(issues, issues.c.id == deliveries.c.issue_id)
    .join(variants, variants.c.id == deliveries.c.variant_id)
    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(one_of(deliveries.c.state, DUE), deliveries.c.next_at <= _NOW, sa.not_(unfit(_NOW)))
    .limit(sa.bindparam("b_limit", type_=sa.Integer))
)
_BY_NUMBER = sa.and_(deliveries.c.id == sa.bindparam("b_id"), one_of(deliveries.c.state, DUE))
_SUPPRESSED = (
    sa.update(deliveries)
    .where(_BY_NUMBER)
    .values(state=DeliveryState.SUPPRESSED, reason=sa.bindparam("b_reason"), ended_at=sa.bindparam("b_now"))
)
_PUT_OFF = sa.update(deliveries).where(_BY_NUMBER).values(next_at=sa.bindparam("b_next_at"))
_LANES = (
    sa.update(lanes)
    .where(lanes.c.name == sa.bindparam("b_name"))
    .values(free_at=sa.bindparam("b_free_at"), tail_at=sa.bindparam("b_tail_at"))
)


class Claims:
    """Takes what is due; made once, for it runs all the time."""

    def __init__(
        self,
        database: Database,
        address_hash: Callable[[str], str],
        being_sent: sa.ColumnElement[bool],
        route: Route,
    ) -> None:
        """Takes what suppressions keep of an address key, which issues may be claimed of, and which relay's mail."""
        self._database = database
        self._route = route
        self._lane = f"{route.name}:" if route.name else ""
        self._address_hash = address_hash
        groups = (PLAIN_MESSAGE, _ABOUT_A_STORY, sa.not_(sa.or_(PLAIN_MESSAGE, _ABOUT_A_STORY)))
        self._groups = [self._candidates(being_sent, kinds, sa.not_(SUSPECT)) for kinds in groups]
        self._suspects = self._candidates(being_sent, sa.true(), SUSPECT)
        of_these = database.among(suppressions.c.address_hash, "b_hashes")
        self._reasons = Compiled(
            database, sa.select(suppressions.c.address_hash, suppressions.c.reason).where(of_these, STANDS)
        )
        self._suppressed = Compiled(database, _SUPPRESSED)
        self._put_off = Compiled(database, _PUT_OFF)
        self._taken = Compiled(database, _taken(database))
        first = sa.update(issues).where(database.among(issues.c.id, "b_ids"), issues.c.sending_at.is_(None))
        self._first = Compiled(database, first.values(sending_at=_NOW))
        self._clock = Compiled(database, sa.select(database.present(_NOW)))
        fresh = database.insert(lanes).values(
            {name: sa.bindparam(f"b_{name}") for name in ("name", "free_at", "tail_at")}
        )
        self._fresh_lanes = Compiled(database, fresh.on_conflict_do_nothing())
        known = sa.select(lanes.c.name, lanes.c.free_at, lanes.c.tail_at).where(database.among(lanes.c.name, "b_names"))
        self._known_lanes = Compiled(database, known.order_by(lanes.c.name).with_for_update())
        self._lanes = Compiled(database, _LANES)

    def take(self, cursor: Any, boot: Boot, now: datetime, wish: Wish) -> list[Claimed]:
        """Claims what is due, each with its place in the rates; who has opted out is recorded as suppressed."""
        throttle = self._throttle(cursor, now, wish.rates)
        rows = self._due(cursor, now, throttle.room(wish.limit), wish)
        if not rows:
            return []
        hashes = {row.number: self._address_hash(row.address_key) for row in rows}
        suppressed = self._never_mailed(cursor, hashes)
        refused = {row.number: "unsubscribed" for row in rows if not row.wanted} | suppressed
        if refused:
            values = [{"b_id": number, "b_reason": why, "b_now": micros(now)} for number, why in refused.items()]
            self._suppressed.run_each(cursor, values)
        able = [row for row in rows if row.number not in refused] if refused else rows
        places = self._places(cursor, throttle, able, now)
        taken = [row for row in able if row.number not in places or places[row.number].granted]
        self._own(cursor, boot, now, taken, wish.lease)
        return [_claimed(row, hashes[row.number], places.get(row.number)) for row in taken]

    def _due(self, cursor: Any, now: datetime, limit: int, wish: Wish) -> list[_Row]:
        """Returns what is due: service mail first, then what is told of stories, then by issue.

        It is read from the index, however much waits, without what must be decided anew. What was claimed repeatedly
        without any outcome comes by itself, and only to those who have nothing else in hand.
        """
        values = {"b_now": micros(now), "b_issue": wish.issue, "b_digests": int(wish.digests)}
        rows: list[_Row] = []
        for group in self._groups:
            if len(rows) < limit:
                rows += map(_Row._make, group.run(cursor, {**values, "b_limit": limit - len(rows)}))
        if not rows and wish.alone and limit:
            rows = list(map(_Row._make, self._suspects.run(cursor, {**values, "b_limit": 1})))
        return rows

    def _never_mailed(self, cursor: Any, hashes: Mapping[int, str]) -> dict[int, str]:
        """Returns which rows, by the hashes of their addresses, are for people who are never mailed, and why."""
        reasons = dict(self._reasons.run(cursor, {"b_hashes": self._database.several(list(hashes.values()))}))
        return {number: reasons[digest] for number, digest in hashes.items() if digest in reasons} if reasons else {}

    def _own(self, cursor: Any, boot: Boot, now: datetime, rows: Sequence[_Row], lease: timedelta) -> None:
        """Makes rows ours that nobody else can have meanwhile: they are locked by this transaction."""
        if not rows:
            return
        values = {"b_boot": boot.id, "b_now": micros(now), "b_lease": lease // _MICROSECOND}
        self._taken.run_each(cursor, [{**values, "b_ids": self._database.several([row.number for row in rows])}])
        fresh = {row.issue for row in rows if row.sending_at is None}
        if fresh:
            self._first.run_each(cursor, [{"b_now": micros(now), "b_ids": self._database.several(list(fresh))}])

    def _candidates(
        self, being_sent: sa.ColumnElement[bool], kinds: sa.ColumnElement[bool], which: sa.ColumnElement[bool]
    ) -> Compiled:
        of_issues = sa.select(issues.c.id).where(
            being_sent,
            kinds,
            sa.or_(_ISSUE.is_(None), issues.c.id == _ISSUE),
            sa.or_(_DIGESTS == 1, issues.c.kind != IssueKind.DIGEST),
            sa.or_(issues.c.newsletter.is_(None), goes_by(self._route, issues.c.newsletter)),
        )
        query = _DUE.where(deliveries.c.issue_id.in_(of_issues), which, goes_by(self._route, NEWSLETTER))
        if not self._database.embedded:
            query = query.with_for_update(of=deliveries, skip_locked=True)
        return Compiled(self._database, query)

    # Rates -----------------------------------------------------------------------------------------------------------

    def _throttle(self, cursor: Any, now: datetime, rates: Rates) -> Throttle:
        """Returns the throttle as of now; lanes are in the time of the database, for the clocks of machines differ."""
        if not (rates.rate or rates.per_domain):
            return Throttle({}, rates, now)
        present = moment(int(self._clock.run(cursor, {"b_now": micros(now)})[0][0]))
        return Throttle(self._read_lanes(cursor, [ALL], present) if rates.rate else {}, rates, present)

    def _places(self, cursor: Any, throttle: Throttle, rows: Sequence[_Row], now: datetime) -> dict[int, Place]:
        """Gives rows their places, and puts those off whose domain has had enough; empty where nothing is limited."""
        if not rows or not throttle.limits:
            return {}
        if throttle.limits_domains:
            throttle.lanes |= self._read_lanes(cursor, sorted({row.domain for row in rows}), throttle.now)
        behind = now - throttle.now
        places = {row.number: throttle.place(row.domain).moved(behind) for row in rows}
        later = [{"b_id": n, "b_next_at": micros(place.at)} for n, place in places.items() if not place.granted]
        if later:  # due again when their turn may come; nobody has tried them
            self._put_off.run_each(cursor, later)
        self._write_lanes(cursor, throttle)
        return places

    def _read_lanes(self, cursor: Any, names: list[str], now: datetime) -> dict[str, Lane]:
        """Returns the memory of some of the relay's limits, locked until the transaction ends."""
        at = micros(now)
        kept = [self._lane + name for name in sorted(names)]
        self._fresh_lanes.run_each(cursor, [{"b_name": name, "b_free_at": at, "b_tail_at": at} for name in kept])
        known = self._known_lanes.run(cursor, {"b_names": self._database.several(kept)})
        return {
            name.removeprefix(self._lane): Lane(free_at=moment(free_at), tail_at=moment(tail_at))
            for name, free_at, tail_at in known
        }

    def _write_lanes(self, cursor: Any, throttle: Throttle) -> None:
        """Remembers which places were given out."""
        values = [
            {"b_name": self._lane + name, "b_free_at": micros(lane.free_at), "b_tail_at": micros(lane.tail_at)}
            for name, lane in sorted(throttle.lanes.items())
        ]
        if values:
            self._lanes.run_each(cursor, values)


def _taken(database: Database) -> sa.Update:
    """Makes due rows those of a process."""
    lease = sa.bindparam("b_lease", type_=sa.BigInteger)
    return (
        sa.update(deliveries)
        .where(database.among(deliveries.c.id, "b_ids"), one_of(STATE, DUE))
        .values(
            state=DeliveryState.CLAIMED,
            attempts=deliveries.c.attempts + 1,
            boot_id=sa.bindparam("b_boot"),
            lease_until=database.present(_NOW) + lease,
        )
    )


def _claimed(row: _Row, digest: str, place: Place | None) -> Claimed:
    """Returns a row as the one who claimed it gets it."""
    return Claimed(
        number=row.number,
        issue=row.issue,
        kind=IssueKind(row.kind),
        newsletter=row.newsletter,
        edition=row.edition,
        event=row.event,
        variant=row.variant,
        subscriber=row.subscriber,
        address=row.address,
        address_hash=digest,
        name=row.name,
        token_generation=row.token_generation,
        attempts=row.attempts + 1,
        refusals=row.refusals,
        resends=row.resends,
        not_before=place.at if place else None,
        suspect=bool(row.suspect),
    )
