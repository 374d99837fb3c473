"""Fresh links to what a person's old mail must not open."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from publisher.model.people import Allowance
from publisher.stores.database import Database, micros
from publisher.stores.schema import account_links, subscribers


class AccountLinks:
    """Links by number; each ends by itself, and all of a person's with a change of address."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(
        self, subscriber: int, lasts: timedelta, allowances: Sequence[Allowance], now: datetime
    ) -> int | None:
        """Makes a link for somebody; None when there were enough of late, or the person is no more."""
        table = account_links.c
        async with self._database.write() as connection:
            held = sa.select(subscribers.c.id).where(subscribers.c.id == subscriber).with_for_update()
            if (await connection.execute(held)).first() is None:
                return None
            longest = max(allowance.window for allowance in allowances)
            await connection.execute(
                sa.delete(account_links).where(
                    table.subscriber_id == subscriber, table.requested_at <= micros(now - longest)
                )
            )
            for allowance in allowances:
                since = table.requested_at > micros(now - allowance.window)
                query = sa.select(sa.func.count()).where(table.subscriber_id == subscriber, since)
                if (await connection.execute(query)).scalar_one() >= allowance.most:
                    return None
            values = {
                "subscriber_id": subscriber,
                "requested_at": micros(now),
                "expires_at": micros(now + lasts),
            }
            statement = sa.insert(account_links).values(values).returning(table.id)
            number: int = (await connection.execute(statement)).scalar_one()
            return number

    async def subscriber(self, link: int, now: datetime) -> int | None:
        """Returns whom a link is for; None when it has ended."""
        query = sa.select(account_links.c.subscriber_id).where(
            account_links.c.id == link, account_links.c.expires_at > micros(now)
        )
        async with self._database.read() as connection:
            number: int | None = await connection.scalar(query)
        return number
