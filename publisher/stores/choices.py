"""Remembers what readers choose of a newsletter: rhythm, zone, pause and profile."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.people import Subscription, SubscriptionStatus
from publisher.stores.clocks import keep_clocks
from publisher.stores.database import Database, maybe_micros, micros
from publisher.stores.people_rows import describe, profile_numbers, subscription_of
from publisher.stores.schema import profiles, subscribers, subscriptions

_AT_ONCE = 1000


class ReaderChoices:
    """Subscriptions, as far as their readers shape them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def alter(
        self,
        subscriber: int,
        newsletters: Collection[str],
        decide: Callable[[Subscription, str | None], Subscription],
        *,
        timezone: str | None = None,
    ) -> list[Subscription]:
        """Changes somebody's subscriptions to what `decide` makes of each, all or, where it raises, none.

        `decide` is given the reader's own time zone too; `timezone` gives them another at the same time, empty: none.
        """
        table = subscriptions.c
        async with self._database.write() as connection:
            mine = sa.and_(table.subscriber_id == subscriber, table.newsletter.in_(newsletters))
            after = await self._decide(connection, mine, decide)
            if timezone is not None:
                await describe(connection, subscriber, None, None, timezone)
        return after

    async def wake(self, now: datetime, decide: Callable[[Subscription, str | None], Subscription]) -> int:
        """Changes the subscriptions whose pause has ended; returns how many there were."""
        table, woken = subscriptions.c, 0
        over = sa.and_(table.status == SubscriptionStatus.PAUSED.value, table.paused_until <= micros(now))
        async with self._database.read() as connection:
            if (await connection.execute(sa.select(table.id).where(over).limit(1))).first() is None:
                return 0
        while True:
            some = sa.select(table.id).where(over).order_by(table.id).limit(_AT_ONCE)
            async with self._database.write() as connection:
                done = await self._decide(connection, table.id.in_(some.scalar_subquery()), decide)
            woken += len(done)
            if len(done) < _AT_ONCE:
                return woken

    async def _decide(
        self,
        connection: AsyncConnection,
        which: sa.ColumnElement[bool],
        decide: Callable[[Subscription, str | None], Subscription],
    ) -> list[Subscription]:
        query = (
            sa.select(subscriptions, profiles.c.choices, subscribers.c.timezone.label("own_timezone"))
            .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
            .outerjoin(profiles, profiles.c.id == subscriptions.c.profile_id)
            .where(which)
            .order_by(subscriptions.c.id)
            .with_for_update(of=subscriptions)
        )
        rows = (await connection.execute(query)).all()
        after = [decide(subscription_of(row), row.own_timezone) for row in rows]
        numbers = await profile_numbers(self._database, connection, (one.choices for one in after))
        changed = [
            _values(row.id, one, numbers[one.choices])
            for row, one in zip(rows, after, strict=True)
            if one != subscription_of(row)
        ]
        if changed:
            names = [name for name in changed[0] if name != "number"]
            await connection.execute(
                sa.update(subscriptions)
                .where(subscriptions.c.id == sa.bindparam("number"))
                .values({name: sa.bindparam(name) for name in names}),
                changed,
            )
            await keep_clocks(connection, (one.subscriber for one in after))
        return after


def _values(number: int, one: Subscription, profile: int | None) -> dict[str, Any]:
    return {
        "number": number,
        "status": one.status.value,
        "cadence": one.cadence,
        "timezone": one.timezone,
        "profile_id": profile,
        "paused_at": maybe_micros(one.paused_at),
        "paused_until": maybe_micros(one.paused_until),
        "pending_since": maybe_micros(one.pending_since),
    }
