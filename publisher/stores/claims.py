"""Which deliveries may be claimed now, in which order, and how fast."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.mail.throttle import ALL, Lane, Place, Throttle
from publisher.model.delivery import Claimed
from publisher.model.issue import DUE, DeliveryState, IssueKind
from publisher.model.people import SubscriptionStatus, SuppressionReason
from publisher.stores.database import Database, maybe_moment, micros, moment
from publisher.stores.revisions import unfit
from publisher.stores.schema import deliveries, issues, lanes, subscribers, subscriptions, suppressions, variants

FRUITLESS_CLAIMS = 3
"""Claims without any outcome after which a delivery is taken to be what kills the process."""
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


async def candidates(
    database: Database,
    connection: AsyncConnection,
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
            rows += await _locked(database, connection, query.limit(limit - len(rows)))
    if not rows and alone and limit:
        rows = await _locked(database, connection, due.where(deliveries.c.issue_id.in_(sending), SUSPECT).limit(1))
    return rows


async def _locked(database: Database, connection: AsyncConnection, query: sa.Select[Any]) -> list[sa.Row[Any]]:
    if not database.embedded:
        query = query.with_for_update(of=deliveries, skip_locked=True)
    return list(await connection.execute(query))


async def suppressed(
    connection: AsyncConnection, rows: Iterable[sa.Row[Any]], address_hash: Callable[[str], str]
) -> dict[int, str]:
    """Returns which of the rows are for people who are never mailed, and why."""
    by_hash: dict[str, list[int]] = {}
    for row in rows:
        by_hash.setdefault(address_hash(row.address_key), []).append(row.id)
    found = await connection.execute(
        sa.select(suppressions.c.address_hash, suppressions.c.reason).where(
            suppressions.c.address_hash.in_(list(by_hash)), STANDS
        )
    )
    return {number: reason for digest, reason in found for number in by_hash[digest]}


def claimed(row: sa.Row[Any], now: datetime, digest: str, place: Place | None) -> Claimed:
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
        sending_at=maybe_moment(row.sending_at) or now,
        not_before=place.at if place else None,
    )


async def suppress(connection: AsyncConnection, reasons: dict[int, str], now: datetime) -> None:
    """Ends rows of people who have opted out or are never mailed."""
    if not reasons:
        return
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == sa.bindparam("b_id"), _STILL_DUE)
        .values(state=DeliveryState.SUPPRESSED, reason=sa.bindparam("b_reason"), ended_at=micros(now)),
        [{"b_id": number, "b_reason": reason} for number, reason in reasons.items()],
    )


async def put_off(connection: AsyncConnection, places: dict[int, Place]) -> None:
    """Makes rows due again when their turn may come; nobody has tried them."""
    if not places:
        return
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == sa.bindparam("b_id"), _STILL_DUE)
        .values(next_at=sa.bindparam("b_next_at")),
        [{"b_id": number, "b_next_at": micros(place.at)} for number, place in places.items()],
    )


async def read_lanes(
    database: Database, connection: AsyncConnection, names: Sequence[str], now: datetime
) -> dict[str, Lane]:
    """Returns the memory of some limits, locked until the transaction ends."""
    if not names:
        return {}
    fresh = [{"name": name, "free_at": micros(now), "tail_at": micros(now)} for name in sorted(names)]
    await connection.execute(database.insert(lanes).on_conflict_do_nothing(), fresh)
    query = sa.select(lanes).where(lanes.c.name.in_(names)).order_by(lanes.c.name).with_for_update()
    return {
        row.name: Lane(free_at=moment(row.free_at), tail_at=moment(row.tail_at))
        for row in await connection.execute(query)
    }


async def write_lanes(connection: AsyncConnection, throttle: Throttle) -> None:
    """Remembers which places were given out."""
    if not throttle.lanes:
        return
    await connection.execute(
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
