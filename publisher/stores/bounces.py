"""What came back about deliveries: events, and whom they suppress (delivery §8)."""

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.mail.bounces import SOFT_WINDOW, is_storm, is_worn_out
from publisher.model.issue import DeliveryState
from publisher.model.people import SuppressionReason
from publisher.model.report import Effect, Event, KnownDelivery, Meaning, Quarantine, Standing
from publisher.stores.database import Database, micros, moment
from publisher.stores.folds import folded, had
from publisher.stores.schema import (
    deliveries,
    delivery_events,
    issues,
    report_tallies,
    subscribers,
    suppressions,
)

_LOOKED_BACK = 31
"""Issues of a newsletter whose mail somebody may still complain of."""
_WORN_OUT = "soft bounces"
_COMPLAINED = "complaint"
_WENT_ELSEWHERE = sa.func.coalesce(deliveries.c.in_flight_at < subscribers.c.moved_at, sa.false()).label(
    "went_elsewhere"
)
"""The reader has another address since: that the old one bounces says nothing of it. Complaints are their own."""
_WAS_OUT = sa.or_(deliveries.c.state == DeliveryState.ACCEPTED, deliveries.c.in_flight_at.is_not(None))
"""A relay may have the mail, so that a report of it can exist; also while it waits to be sent once more."""


class Bounces:
    """Events of deliveries, their suppressions, quarantined issues and the tallies of reports."""

    def __init__(self, database: Database, address_hash: Callable[[str], str]) -> None:
        """`address_hash` is what suppressions keep of an address key (`Tokens.address_hash`)."""
        self._database = database
        self._address_hash = address_hash

    # Whose it is -----------------------------------------------------------------------------------------------------

    async def addressee(self, issue: int, subscriber: int) -> KnownDelivery | None:
        """Returns one delivery that may have gone out, None when there was none; compacted ones too."""
        where = sa.and_(deliveries.c.issue_id == issue, deliveries.c.subscriber_id == subscriber)
        async with self._database.read() as connection:
            found = await _addressee(connection, where)
            if found is None:
                found = await _compacted(connection, [issue], subscriber)
        return found

    async def subscriber_with(self, address_key: str) -> int | None:
        """Returns who has this address."""
        query = sa.select(subscribers.c.id).where(subscribers.c.address_key == address_key)
        async with self._database.read() as connection:
            number: int | None = await connection.scalar(query)
        return number

    async def latest(self, subscriber: int, newsletter: str) -> KnownDelivery | None:
        """Returns the last delivery of a newsletter to somebody that may have gone out."""
        of_newsletter = deliveries.c.issue_id.in_(sa.select(issues.c.id).where(issues.c.newsletter == newsletter))
        async with self._database.read() as connection:
            row = sa.and_(deliveries.c.subscriber_id == subscriber, of_newsletter)
            found = await _addressee(connection, row)
            if found is None:
                old = issues.c.newsletter == newsletter, folded(issues.c.id)
                recent = sa.select(issues.c.id).where(*old).order_by(issues.c.id.desc()).limit(_LOOKED_BACK)
                found = await _compacted(connection, (await connection.scalars(recent)).all(), subscriber)
        return found

    # What it does ----------------------------------------------------------------------------------------------------

    async def record(self, addressee: KnownDelivery, event: Event) -> Effect:
        """Keeps an event and suppresses as it demands, in one transaction; the same kind again changes nothing."""
        async with self._database.write() as connection:
            if addressee.delivery is None:
                return await self._late(connection, addressee, event)
            return await record(self._database, connection, self._address_hash, addressee.delivery, event)

    async def quarantines(self) -> list[Quarantine]:
        """Returns the issues whose hard bounces wait for the operator's word, oldest first."""
        hard = (
            sa.select(sa.func.count())
            .select_from(delivery_events.join(deliveries, deliveries.c.id == delivery_events.c.delivery_id))
            .where(deliveries.c.issue_id == issues.c.id, delivery_events.c.kind == Meaning.HARD)
            .correlate(issues)
            .scalar_subquery()
        )
        query = (
            sa.select(issues.c.id, issues.c.newsletter, issues.c.edition, issues.c.expected, hard.label("hard"))
            .where(issues.c.bounce_standing == Standing.QUARANTINED)
            .order_by(issues.c.id)
        )
        async with self._database.read() as connection:
            return [
                Quarantine(
                    issue=row.id,
                    newsletter=row.newsletter,
                    edition=row.edition,
                    hard=row.hard,
                    recipients=row.expected,
                )
                for row in await connection.execute(query)
            ]

    async def settle(self, issue: int, standing: Standing, now: datetime) -> int | None:
        """Ends an issue's quarantine; returns how many that suppressed, None when it was in none."""
        async with self._database.write() as connection:
            moved = await connection.execute(
                sa.update(issues)
                .where(issues.c.id == issue, issues.c.bounce_standing == Standing.QUARANTINED)
                .values(bounce_standing=standing)
            )
            if not moved.rowcount:
                return None
            if standing is not Standing.APPROVED:
                return 0
            bounced = sa.and_(deliveries.c.issue_id == issue, delivery_events.c.kind == Meaning.HARD)
            keys = list(
                await connection.scalars(
                    sa.select(subscribers.c.address_key)
                    .select_from(delivery_events)
                    .join(deliveries, deliveries.c.id == delivery_events.c.delivery_id)
                    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                    .where(bounced, sa.not_(_WENT_ELSEWHERE.element))
                )
            )
            reason, origin = SuppressionReason.BOUNCE, _of_issue(issue)
            done = [
                await _suppress(self._database, connection, self._address_hash(key), key, reason, origin, now)
                for key in keys
            ]
            return sum(done)

    # What is counted -------------------------------------------------------------------------------------------------

    async def tally(self, name: str, now: datetime) -> None:
        """Counts one report."""
        insert = self._database.insert(report_tallies).values(name=name, number=1, last_at=micros(now))
        again = {"number": report_tallies.c.number + 1, "last_at": micros(now)}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=again))

    async def tallies(self) -> dict[str, int]:
        """Returns how many reports there were of each kind."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(report_tallies).order_by(report_tallies.c.name))
            return {row.name: row.number for row in rows}

    async def _late(self, connection: AsyncConnection, addressee: KnownDelivery, event: Event) -> Effect:
        """Of a compacted issue only a complaint still matters: no mail bounces after weeks."""
        if event.meaning is not Meaning.COMPLAINT:
            return Effect.NONE
        key, reason = addressee.address, SuppressionReason.COMPLAINT
        fresh = await _suppress(self._database, connection, self._address_hash(key), key, reason, _COMPLAINED, event.at)
        return Effect.SUPPRESSED if fresh else Effect.REPEATED


async def record(
    database: Database,
    connection: AsyncConnection,
    address_hash: Callable[[str], str],
    delivery: int,
    event: Event,
) -> Effect:
    """Keeps an event of a delivery inside an open transaction, and suppresses as it demands.

    Also what a refusal of the address at RCPT goes through, with the row that it ends.
    """
    insert = database.insert(delivery_events).values(
        delivery_id=delivery,
        kind=event.meaning,
        at=micros(event.at),
        status=event.status,
        detail=event.detail,
        counts=True,
    )
    added = await connection.execute(insert.on_conflict_do_nothing().returning(delivery_events.c.id))
    if added.first() is None:
        return Effect.REPEATED
    query = (
        sa.select(deliveries.c.issue_id, deliveries.c.subscriber_id, subscribers.c.address_key, _WENT_ELSEWHERE)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.id == delivery)
    )
    row = (await connection.execute(query)).one()
    if row.went_elsewhere and event.meaning is not Meaning.COMPLAINT:
        return Effect.RECORDED
    digest, key = address_hash(row.address_key), row.address_key
    match event.meaning:
        case Meaning.COMPLAINT:
            reason, origin = SuppressionReason.COMPLAINT, _COMPLAINED
        case Meaning.HARD:
            standing = await _standing(connection, row.issue_id)
            if standing is not Standing.APPROVED:
                return Effect.QUARANTINED if standing is Standing.QUARANTINED else Effect.RECORDED
            reason, origin = SuppressionReason.BOUNCE, _of_issue(row.issue_id)
        case Meaning.SOFT:
            if not is_worn_out(await _soft_bounces(connection, row.subscriber_id, event.at), event.at):
                return Effect.RECORDED
            reason, origin = SuppressionReason.BOUNCE, _WORN_OUT
        case _:
            return Effect.RECORDED
    await _suppress(database, connection, digest, key, reason, origin, event.at)
    return Effect.SUPPRESSED


async def _standing(connection: AsyncConnection, issue: int) -> Standing:
    """Returns whether an issue's hard bounces are believed; the one that makes too many takes the others along."""
    query = sa.select(issues.c.bounce_standing, issues.c.expected).where(issues.c.id == issue)
    # Two at once count one after the other; rows that refer to the issue may still be added.
    row = (await connection.execute(query.with_for_update(key_share=True))).one()
    if row.bounce_standing is not None:
        return Standing(row.bounce_standing)
    counted = (
        sa.select(sa.func.count())
        .select_from(delivery_events.join(deliveries, deliveries.c.id == delivery_events.c.delivery_id))
        .where(deliveries.c.issue_id == issue, delivery_events.c.kind == Meaning.HARD)
    )
    if not is_storm((await connection.execute(counted)).scalar_one(), row.expected):
        return Standing.APPROVED
    await connection.execute(
        sa.update(issues)
        .where(issues.c.id == issue, issues.c.bounce_standing.is_(None))
        .values(bounce_standing=Standing.QUARANTINED)
    )
    await connection.execute(
        sa.delete(suppressions).where(
            suppressions.c.reason == SuppressionReason.BOUNCE, suppressions.c.origin == _of_issue(issue)
        )
    )
    return Standing.QUARANTINED


async def _soft_bounces(connection: AsyncConnection, subscriber: int, now: datetime) -> list[datetime]:
    """Returns when the mails went out that came back softly of late: a backlog of reports is no series of them."""
    sent = sa.func.coalesce(deliveries.c.ended_at, delivery_events.c.at)
    query = (
        sa.select(sent)
        .select_from(delivery_events.join(deliveries, deliveries.c.id == delivery_events.c.delivery_id))
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.subscriber_id == subscriber,
            sa.not_(_WENT_ELSEWHERE.element),
            delivery_events.c.kind == Meaning.SOFT,
            delivery_events.c.counts,
            sent >= micros(now - SOFT_WINDOW),
        )
    )
    return [moment(at) for at in await connection.scalars(query)]


async def _suppress(
    database: Database,
    connection: AsyncConnection,
    digest: str,
    key: str,
    reason: SuppressionReason,
    origin: str,
    now: datetime,
) -> bool:
    """Suppresses an address; what weighs less gives way: an erasure ends with a new sign-up, a complaint never."""
    weaker = [SuppressionReason.ERASED]
    if reason is SuppressionReason.COMPLAINT:
        weaker.append(SuppressionReason.BOUNCE)
    values = {"address": key, "reason": reason, "at": micros(now), "origin": origin}
    insert = database.insert(suppressions).values(address_hash=digest, **values)
    statement = insert.on_conflict_do_update(
        index_elements=["address_hash"], set_=values, where=suppressions.c.reason.in_(weaker)
    )
    done = await connection.execute(statement.returning(suppressions.c.address_hash))
    return done.first() is not None


def _of_issue(issue: int) -> str:
    return f"issue {issue}"


async def _addressee(connection: AsyncConnection, where: sa.ColumnElement[bool]) -> KnownDelivery | None:
    query = (
        sa.select(deliveries.c.id, deliveries.c.issue_id, deliveries.c.subscriber_id, subscribers.c.address_key)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(where, _WAS_OUT)
        .order_by(deliveries.c.issue_id.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return KnownDelivery(issue=row.issue_id, subscriber=row.subscriber_id, address=row.address_key, delivery=row.id)


async def _compacted(connection: AsyncConnection, numbers: Sequence[int], subscriber: int) -> KnownDelivery | None:
    """Returns the last of some issues that somebody had, where it was folded."""
    key = await connection.scalar(sa.select(subscribers.c.address_key).where(subscribers.c.id == subscriber))
    found = await had(connection, subscriber, numbers)
    if key is None or not found:
        return None
    return KnownDelivery(issue=max(found), subscriber=subscriber, address=key, delivery=None)
