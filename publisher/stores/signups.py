"""Sign-ups that nobody answered: reminded of once, and forgotten in the end."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from publisher.model.people import Allowance, SignUp, SubscriptionStatus
from publisher.stores.database import Database, chunks, micros
from publisher.stores.limits import asked_too_often, note_asked
from publisher.stores.people_rows import delete_people, signup_of
from publisher.stores.schema import confirmation_mails, licences, signups, subscribers, subscriptions

_AT_ONCE = 500
_PRESSED = 5
"""A form that came more often than so within a day is no reader's impatience: its victim is left alone."""
_COUNTED = timedelta(days=31)
"""How long mails that asked are counted: longer than the longest allowance."""


class SignUps:
    """What becomes of forms without an answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unanswered(self, before: datetime, now: datetime) -> list[SignUp]:
        """Returns the web's sign-ups from before a moment that may still be confirmed and were not reminded of."""
        table, subscribed = signups.c, subscriptions.c
        waits = sa.exists().where(
            subscribed.subscriber_id == table.subscriber_id, subscribed.status == SubscriptionStatus.UNCONFIRMED
        )
        newer = signups.alias()
        query = (
            sa.select(signups)
            .where(
                table.requested_at <= micros(before),
                table.expires_at > micros(now),
                table.used_at.is_(None),
                table.reminded_at.is_(None),
                table.moves_from.is_(None),
                table.network != "",
                table.repeats < _PRESSED,
                waits,
                ~sa.exists().where(newer.c.subscriber_id == table.subscriber_id, newer.c.id > table.id),
            )
            .order_by(table.id)
            .limit(_AT_ONCE)
        )
        async with self._database.read() as connection:
            return [signup_of(row) for row in await connection.execute(query)]

    async def remind(
        self, signup: SignUp, address_hash: Callable[[str], str], allowances: Sequence[Allowance], now: datetime
    ) -> bool:
        """Notes that a sign-up is reminded of now, once; False when it was before, or its address was asked enough."""
        async with self._database.write() as connection:
            held = sa.select(subscribers.c.address_key).where(subscribers.c.id == signup.subscriber).with_for_update()
            key = (await connection.execute(held)).scalar()
            if key is None or await asked_too_often(connection, address_hash(key), allowances, now):
                return False
            noted = await connection.execute(
                sa.update(signups)
                .where(signups.c.id == signup.number, signups.c.reminded_at.is_(None), signups.c.used_at.is_(None))
                .values(reminded_at=micros(now))
            )
            if not noted.rowcount:
                return False
            await note_asked(connection, address_hash(key), now)
            return True

    async def purge(self, before: datetime, now: datetime) -> int:
        """Forgets what was asked for before a moment and never confirmed; returns how many people that removed."""
        removed = 0
        async with self._database.write() as connection:
            await connection.execute(
                sa.delete(confirmation_mails).where(confirmation_mails.c.at < micros(now - _COUNTED))
            )
            await connection.execute(sa.delete(subscriptions).where(_never_confirmed(before)))
            nobody = (await connection.execute(sa.select(subscribers.c.id).where(_is_nobody(before)))).scalars().all()
            for some in chunks(nobody):
                removed += await delete_people(connection, sa.and_(subscribers.c.id.in_(some), _is_nobody(before)))
        return removed


def _never_confirmed(before: datetime) -> sa.ColumnElement[bool]:
    """A subscription that waits since then, and of whose person no later form is on its way."""
    table = subscriptions.c
    later = sa.exists().where(signups.c.subscriber_id == table.subscriber_id, signups.c.requested_at >= micros(before))
    waits = table.status == SubscriptionStatus.UNCONFIRMED
    return sa.and_(waits, table.created_at < micros(before), ~later.correlate(subscriptions))


def _is_nobody(before: datetime) -> sa.ColumnElement[bool]:
    """A subscriber who is one by unanswered forms alone."""
    number = subscribers.c.id
    asked = sa.exists().where(signups.c.subscriber_id == number)
    alive = sa.exists().where(
        signups.c.subscriber_id == number,
        sa.or_(
            signups.c.requested_at >= micros(before),
            sa.and_(signups.c.used_at.is_not(None), signups.c.moves_from.is_(None)),
        ),
    )
    subscribed = sa.exists().where(subscriptions.c.subscriber_id == number)
    licensed = sa.exists().where(licences.c.subscriber_id == number)
    return sa.and_(asked, ~alive, ~subscribed, ~licensed)
