"""Changes of address: somebody's row gets another address once both ends have agreed, and keeps all its history.

Until then the new address is a subscriber of its own without any subscription,
so that its mail goes the way of all mail; then the two rows become one.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.people import (
    Allowance,
    ConsentEvent,
    Enrolment,
    MoveAsked,
    MoveState,
    Proof,
    SignUpLimits,
    SubscriptionStatus,
    SuppressionReason,
)
from publisher.stores.database import Database, micros
from publisher.stores.enrolment import Enrolling
from publisher.stores.limits import asked_too_often, note_asked
from publisher.stores.people_rows import delete_people, new_signup, record
from publisher.stores.schema import (
    account_links,
    consents,
    licences,
    signups,
    subscribers,
    subscriptions,
    suppressions,
)

_PER_PERSON = Allowance(window=timedelta(days=1), most=3)
_GOING = (SubscriptionStatus.CONFIRMED, SubscriptionStatus.PAUSED)


class Moves:
    """Wishes for another address, and what both ends say to them."""

    def __init__(self, database: Database, feed_hash: Callable[[int, int], str]) -> None:
        """`feed_hash` gives the hash of a feed token by subscriber and generation."""
        self._database = database
        self._feed_hash = feed_hash

    async def ask(self, subscriber: int, to: Enrolment, limits: SignUpLimits, now: datetime) -> MoveAsked | None:
        """Notes that somebody wants another address, in place of an earlier wish; None: too often, or nobody there."""
        async with self._database.write() as connection:
            held = sa.select(subscribers.c.address_key).where(subscribers.c.id == subscriber).with_for_update()
            key = (await connection.execute(held)).scalar()
            if key is None or key == to.address_key or await _wished_too_often(connection, subscriber, now):
                return None
            row, _ = await Enrolling(self._database, connection, self._feed_hash, limits, now).found_or_added(to)
            await _call_off(connection, signups.c.moves_from == subscriber, now)
            wish = new_signup(row.id, (), "", now, moves_from=subscriber)
            number = (await connection.execute(sa.insert(signups).values(wish).returning(signups.c.id))).scalar_one()
            ask_new = not await asked_too_often(connection, to.address_hash, limits.per_address, now)
            if ask_new:
                await note_asked(connection, to.address_hash, now)
            return MoveAsked(
                signup=number,
                target=row.id,
                language=row.language,
                ask_new=ask_new,
                taken=await _has_own(connection, row.id),
            )

    async def state(self, signup: int, *, new_end: bool, now: datetime) -> tuple[MoveState, int] | None:
        """Returns how one end finds a move, and whose it is; None when there is no such move."""
        async with self._database.read() as connection:
            row = (await connection.execute(_move(signup))).first()
        return None if row is None else (_state(row, new_end=new_end, now=now), row.moves_from)

    async def agree(
        self, signup: int, *, new_end: bool, address_hash: Callable[[str], str], proof: Proof, now: datetime
    ) -> MoveState | None:
        """Takes the yes of one end, as often as it comes; with both the address is changed. None: no such move."""
        async with self._database.write() as connection:
            row = (await connection.execute(_move(signup).with_for_update())).first()
            if row is None:
                return None
            before = _state(row, new_end=new_end, now=now)
            if before in (MoveState.DONE, MoveState.EXPIRED):
                return before
            mine, other = (row.used_at, row.agreed_at) if new_end else (row.agreed_at, row.used_at)
            if mine is None:
                said = {"used_at": micros(now)} if new_end else {"agreed_at": micros(now)}
                await connection.execute(sa.update(signups).where(signups.c.id == signup).values(said))
            if other is None:
                return MoveState.HALF
            return await self._change(connection, row, address_hash, proof, now)

    async def call_off(self, signup: int, now: datetime) -> None:
        """Ends a wish at the word of the old end; one that has come true stays true."""
        async with self._database.write() as connection:
            await _call_off(connection, signups.c.id == signup, now)

    async def _change(
        self,
        connection: AsyncConnection,
        move: "sa.Row[tuple[int, ...]]",
        address_hash: Callable[[str], str],
        proof: Proof,
        now: datetime,
    ) -> MoveState:
        old, new = move.moves_from, move.subscriber_id
        # In one order, so that two who want each other's address do not wait for one another.
        held = sa.select(subscribers).where(subscribers.c.id.in_((old, new))).order_by(subscribers.c.id)
        rows = {row.id: row for row in (await connection.execute(held.with_for_update())).all()}
        if await _has_own(connection, new):
            return MoveState.TAKEN
        await connection.execute(sa.update(consents).where(consents.c.subscriber_id == new).values(subscriber_id=old))
        await connection.execute(sa.update(signups).where(signups.c.subscriber_id == new).values(subscriber_id=old))
        await delete_people(connection, subscribers.c.id == new)
        goes_to = {"address": rows[new].address, "address_key": rows[new].address_key, "moved_at": micros(now)}
        await connection.execute(sa.update(subscribers).where(subscribers.c.id == old).values(goes_to))
        await connection.execute(sa.delete(account_links).where(account_links.c.subscriber_id == old))
        await connection.execute(
            sa.delete(suppressions).where(
                suppressions.c.address_hash == address_hash(rows[new].address_key),
                suppressions.c.reason == SuppressionReason.ERASED,
            )
        )
        table = subscriptions.c
        going = sa.select(table.newsletter).where(table.subscriber_id == old, table.status.in_(_GOING))
        names = (await connection.execute(going.order_by(table.newsletter))).scalars().all()
        await record(connection, old, names, ConsentEvent.MOVED, proof, now)
        return MoveState.DONE


def _move(signup: int) -> "sa.Select[tuple[int, ...]]":
    return sa.select(signups).where(signups.c.id == signup, signups.c.moves_from.is_not(None))


def _state(row: "sa.Row[tuple[int, ...]]", *, new_end: bool, now: datetime) -> MoveState:
    if row.subscriber_id == row.moves_from:
        return MoveState.DONE
    if row.expires_at <= micros(now):
        return MoveState.EXPIRED
    said = row.used_at if new_end else row.agreed_at
    return MoveState.ASKED if said is None else MoveState.HALF


async def _call_off(connection: AsyncConnection, which: sa.ColumnElement[bool], now: datetime) -> None:
    table = signups.c
    open_ = sa.and_(table.moves_from.is_not(None), table.moves_from != table.subscriber_id)
    await connection.execute(
        sa.update(signups).where(which, open_, table.expires_at > micros(now)).values(expires_at=micros(now))
    )


async def _wished_too_often(connection: AsyncConnection, subscriber: int, now: datetime) -> bool:
    since = signups.c.requested_at > micros(now - _PER_PERSON.window)
    query = sa.select(sa.func.count()).select_from(signups).where(signups.c.moves_from == subscriber, since)
    return (await connection.execute(query)).scalar_one() >= _PER_PERSON.most


async def _has_own(connection: AsyncConnection, subscriber: int) -> bool:
    """Returns whether a subscriber ever said yes or no to a newsletter, or holds a licence."""
    table = subscriptions.c
    said = sa.and_(table.subscriber_id == subscriber, table.status != SubscriptionStatus.UNCONFIRMED)
    for query in (
        sa.select(table.id).where(said),
        sa.select(licences.c.id).where(licences.c.subscriber_id == subscriber),
    ):
        if (await connection.execute(query.limit(1))).first() is not None:
            return True
    return False
