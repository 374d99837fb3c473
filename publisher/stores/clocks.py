"""Which clocks there are among a newsletter's readers, and who is on one: rhythm and zone as one word in an index.

A subscription's `clock` repeats what its rhythm, its zone and its subscriber's zone say. Whatever writes one of these
calls `keep_clocks` in the same transaction.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.people import SubscriptionStatus
from publisher.newsletters.schedule import INSTANT
from publisher.stores.database import chunks
from publisher.stores.schema import subscribers, subscriptions

_BETWEEN = "|"
"""Stands in no rhythm and in no zone."""


async def keep_clocks(connection: AsyncConnection, people: Iterable[int]) -> None:
    """Brings the clocks of some people's subscriptions in line with what they are made of."""
    of = subscriptions.c
    home = sa.select(subscribers.c.timezone).where(subscribers.c.id == of.subscriber_id).scalar_subquery()
    clock = sa.func.coalesce(of.cadence, "") + _BETWEEN + sa.func.coalesce(of.timezone, home, "")
    for some in chunks(sorted(set(people))):
        await connection.execute(sa.update(subscriptions).where(of.subscriber_id.in_(some)).values(clock=clock))


async def clocks_of(connection: AsyncConnection, newsletter: str, cadence: str, zone: str) -> list[tuple[str, str]]:
    """Returns the rhythms and zones among a newsletter's readers, from one to the next in the index.

    `cadence` and `zone` are the newsletter's own; what does not reach `instant` readers at once comes with it.
    """
    words = (await connection.scalars(_STEPS, {"newsletter": newsletter})).all()
    parts = (word.partition(_BETWEEN) for word in words)
    return sorted({(cadence if own in ("", INSTANT) else own, place or zone) for own, _, place in parts})


def words(clock: tuple[str, str], cadence: str, zone: str) -> list[str]:
    """Returns what subscriptions on a clock may say; none for `instant`: a story comes out everywhere at once."""
    if clock[0] == INSTANT:
        return []
    rhythms = {clock[0], *(("", INSTANT) if clock[0] == cadence else ())}
    places = {clock[1], *(("",) if clock[1] == zone else ())}
    return sorted(f"{rhythm}{_BETWEEN}{place}" for rhythm in rhythms for place in places)


def on(clock: tuple[str, str], cadence: str, zone: str) -> sa.ColumnElement[bool]:
    """Whether a reader is on a clock; of `instant` it is all zones."""
    some = words(clock, cadence, zone)
    return subscriptions.c.clock.in_(some) if some else sa.func.coalesce(subscriptions.c.cadence, cadence) == INSTANT


def reads(newsletter: str) -> sa.ColumnElement[bool]:
    """Whether a subscription is a confirmed one to a newsletter."""
    return sa.and_(
        subscriptions.c.newsletter == newsletter, subscriptions.c.status == SubscriptionStatus.CONFIRMED.value
    )


def _steps() -> sa.Select[Any]:
    """Returns the clocks of the readers of `newsletter`: each is the first after the one before."""
    confirmed = sa.and_(
        subscriptions.c.newsletter == sa.bindparam("newsletter"),
        subscriptions.c.status == SubscriptionStatus.CONFIRMED.value,
    )
    first = sa.select(sa.func.min(subscriptions.c.clock).label("clock")).where(confirmed)
    found = first.cte("found", recursive=True)
    after = sa.select(sa.func.min(subscriptions.c.clock)).where(confirmed, subscriptions.c.clock > found.c.clock)
    found = found.union_all(sa.select(after.correlate(found).scalar_subquery()).where(found.c.clock.is_not(None)))
    return sa.select(found.c.clock).where(found.c.clock.is_not(None))


_STEPS = _steps()
