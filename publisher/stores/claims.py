"""Which deliveries may be claimed now, in which order, and how fast."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from publisher.mail.throttle import ALL, Lane, Place, Throttle
from publisher.model.delivery import Claimed
from publisher.model.issue import DUE, DeliveryState, IssueKind
from publisher.model.people import SubscriptionStatus, SuppressionReason
from publisher.stores.database import Database, micros, moment
from publisher.stores.revisions import unfit
from publisher.stores.schema import deliveries, issues, lanes, subscribers, subscriptions, suppressions, variants

FRUITLESS_CLAIMS = 3
"""Claims without any outcome after which a delivery is taken to be what kills the process."""
STATE = sa.func.coalesce(deliveries.c.state, "")
"""A state beside numbers of rows: SQLite would rather read all rows in that state from the index on it."""
_STILL_DUE = sa.or_(*(deliveries.c.state == state for state in sorted(DUE)))  # an IN cannot be executed with many rows
PLAIN_MESSAGE = issues.c.kind == IssueKind.MESSAGE
_ABOUT_A_STORY = issues.c.kind.in_((IssueKind.NOTICE, IssueKind.EMBARGO))
STANDS = suppressions.c.reason != SuppressionReason.ERASED
"""Somebody who was erased has a row again only because they signed up anew: their word wins over the old one."""
SUSPECT = sa.and_(deliveries.c.attempts >= FRUITLESS_CLAIMS - 1, deliveries.c.reply_phase.is_(None))


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


_REASONS = sa.select(suppressions.c.address_hash, suppressions.c.reason)
_ROW = (
    sa.select(
        deliveries.c.id,
        deliveries.c.issue_id,
        issues.c.kind,
        sa.func.coalesce(issues.c.newsletter, variants.c.newsletter).label("newsletter"),
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
        wanted().label("wanted"),
    )
    .select_from(deliveries)
    .join(issues, issues.c.id == deliveries.c.issue_id)
    .join(variants, variants.c.id == deliveries.c.variant_id)
    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(deliveries.c.state.in_(DUE))
)


def candidates(
    database: Database,
    connection: sa.Connection,
    sending: sa.Select[tuple[int]],
    now: datetime,
    limit: int,
    *,
    issue: int | None,
    alone: bool,
) -> list[sa.Row[Any]]:
    """Returns what is due of the issues `sending`: service mail first, then what is told of stories, then by issue.

    It is read from the index, however much waits, without what must be decided anew. What was claimed repeatedly
    without any outcome comes by itself, and only to those who have nothing else in hand.
    """
    due = _ROW.where(deliveries.c.next_at <= micros(now), sa.not_(unfit(now)))
    if issue is not None:
        due = due.where(deliveries.c.issue_id == issue)
    rows: list[sa.Row[Any]] = []
    for kinds in (PLAIN_MESSAGE, _ABOUT_A_STORY, sa.not_(sa.or_(PLAIN_MESSAGE, _ABOUT_A_STORY))):
        if len(rows) < limit:
            query = due.where(deliveries.c.issue_id.in_(sending.where(kinds)), sa.not_(SUSPECT))
            rows += _locked(database, connection, query.limit(limit - len(rows)))
    if not rows and alone and limit:
        rows = _locked(database, connection, due.where(deliveries.c.issue_id.in_(sending), SUSPECT).limit(1))
    return rows


def _locked(database: Database, connection: sa.Connection, query: sa.Select[Any]) -> list[sa.Row[Any]]:
    if not database.embedded:
        query = query.with_for_update(of=deliveries, skip_locked=True)
    return list(connection.execute(query).all())


def suppressed(database: Database, connection: sa.Connection, hashes: Mapping[int, str]) -> dict[int, str]:
    """Returns which rows, given with the hashes of their addresses, are for people who are never mailed, and why."""
    of_these = database.among(suppressions.c.address_hash, "hashes")
    found = connection.execute(_REASONS.where(of_these, STANDS), {"hashes": database.several(list(hashes.values()))})
    reasons = {row.address_hash: row.reason for row in found.all()}
    return {number: reasons[digest] for number, digest in hashes.items() if digest in reasons} if reasons else {}


def claimed(row: sa.Row[Any], digest: str, place: Place | None) -> Claimed:
    """Returns a row as the one who claimed it gets it."""
    return Claimed(
        number=row.id,
        issue=row.issue_id,
        kind=IssueKind(row.kind),
        newsletter=row.newsletter,
        edition=row.edition,
        event=row.event,
        variant=row.variant_id,
        subscriber=row.subscriber_id,
        address=row.address,
        address_hash=digest,
        name=row.name,
        token_generation=row.token_generation,
        attempts=row.attempts + 1,
        refusals=row.refusals,
        resends=row.resends,
        not_before=place.at if place else None,
    )


def suppress(connection: sa.Connection, reasons: dict[int, str], now: datetime) -> None:
    """Ends rows of people who have opted out or are never mailed."""
    if not reasons:
        return
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == sa.bindparam("b_id"), _STILL_DUE)
        .values(state=DeliveryState.SUPPRESSED, reason=sa.bindparam("b_reason"), ended_at=micros(now)),
        [{"b_id": number, "b_reason": reason} for number, reason in reasons.items()],
    )


def put_off(connection: sa.Connection, places: dict[int, Place]) -> None:
    """Makes rows due again when their turn may come; nobody has tried them."""
    if not places:
        return
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == sa.bindparam("b_id"), _STILL_DUE)
        .values(next_at=sa.bindparam("b_next_at")),
        [{"b_id": number, "b_next_at": micros(place.at)} for number, place in places.items()],
    )


def read_lanes(database: Database, connection: sa.Connection, names: Sequence[str], now: datetime) -> dict[str, Lane]:
    """Returns the memory of some limits, locked until the transaction ends."""
    if not names:
        return {}
    fresh = [{"name": name, "free_at": micros(now), "tail_at": micros(now)} for name in sorted(names)]
    connection.execute(database.insert(lanes).on_conflict_do_nothing(), fresh)
    query = sa.select(lanes).where(lanes.c.name.in_(names)).order_by(lanes.c.name).with_for_update()
    return {
        row.name: Lane(free_at=moment(row.free_at), tail_at=moment(row.tail_at)) for row in connection.execute(query)
    }


def write_lanes(connection: sa.Connection, throttle: Throttle) -> None:
    """Remembers which places were given out."""
    if not throttle.lanes:
        return
    connection.execute(
        sa.update(lanes)
        .where(lanes.c.name == sa.bindparam("b_name"))
        .values(free_at=sa.bindparam("b_free_at"), tail_at=sa.bindparam("b_tail_at")),
        [
            {"b_name": name, "b_free_at": micros(lane.free_at), "b_tail_at": micros(lane.tail_at)}
            for name, lane in sorted(throttle.lanes.items())
        ],
    )


def domain_of(row: sa.Row[Any]) -> str:
    """Returns the recipient's domain; never the name of the lane of all mail."""
    return str(row.address).rpartition("@")[2].lower() or ALL
