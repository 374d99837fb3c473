"""How a claim ends: recorded with what the relay said, given back, or taken back from the dead."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.delivery import Boot, Ended, Ending, Phase
from publisher.model.issue import OPEN, DeliveryState
from publisher.stores.claims import FRUITLESS_CLAIMS
from publisher.stores.compiled import Compiled
from publisher.stores.database import Database, micros
from publisher.stores.schema import deliveries

_OWNED = sa.update(deliveries).where(
    deliveries.c.id == sa.bindparam("b_id"),
    deliveries.c.boot_id == sa.bindparam("b_boot"),
    # A beginning whose commit got lost may be durable all the same: no body went, so this end is of both states.
    sa.or_(deliveries.c.state == sa.bindparam("b_was"), deliveries.c.state == sa.bindparam("b_perhaps")),
)
_LEFT = _OWNED.values(
    state=sa.bindparam("b_state"),
    attempts=deliveries.c.attempts - sa.bindparam("b_uncounted"),
    next_at=sa.bindparam("b_next_at"),
    boot_id=None,
    lease_until=None,
)
_ANSWERED = _LEFT.values(
    refusals=deliveries.c.refusals + sa.bindparam("b_refused"),
    ended_at=sa.bindparam("b_ended_at"),
    reply_phase=sa.bindparam("b_phase"),
    reply_code=sa.bindparam("b_code"),
    reply_text=sa.bindparam("b_text"),
    reason=sa.bindparam("b_reason"),
)


class Endings:
    """Records ends; made once, for it runs with every message."""

    def __init__(self, database: Database) -> None:
        self._left = Compiled(database, _LEFT)
        self._answered = Compiled(database, _ANSWERED)

    def record(self, cursor: Any, boot: Boot, ended: Sequence[Ended]) -> None:
        """Records what became of claims and transactions that are still ours and in the state they left."""
        given_back = [_left(boot, end) for end in ended if end.ending is None]
        answered = [_left(boot, end) | _answer(end, end.ending) for end in ended if end.ending is not None]
        if given_back:
            self._left.run_each(cursor, given_back)
        if answered:
            self._answered.run_each(cursor, answered)


async def record(connection: AsyncConnection, boot: Boot, ended: Sequence[Ended]) -> None:
    """Records answers that something else in the same transaction hangs on."""
    answered = [_left(boot, end) | _answer(end, end.ending) for end in ended if end.ending is not None]
    if answered:
        await connection.execute(_ANSWERED, answered)


def _left(boot: Boot, end: Ended) -> dict[str, object]:
    return {
        "b_id": end.number,
        "b_boot": boot.id,
        "b_was": end.was.value,
        "b_perhaps": DeliveryState.IN_FLIGHT.value,
        "b_state": end.outcome.state.value,
        "b_uncounted": 0 if end.outcome.counts else 1,
        "b_next_at": micros(end.next_at),
    }


def _answer(end: Ended, ending: Ending) -> dict[str, object]:
    return {
        "b_refused": 1 if end.outcome.refused else 0,
        "b_ended_at": None if end.outcome.state in OPEN else micros(end.at),
        "b_phase": ending.phase.value,
        "b_code": ending.code,
        "b_text": ending.text,
        "b_reason": end.outcome.reason,
    }


async def take_back(connection: AsyncConnection, gone: sa.ColumnElement[bool], now: datetime) -> int:
    """Claimed by the dead: the server cannot have it, so it is pending again, or poison after several times."""
    claimed = sa.update(deliveries).where(deliveries.c.state == DeliveryState.CLAIMED, gone)
    poison = sa.and_(deliveries.c.attempts >= FRUITLESS_CLAIMS, deliveries.c.reply_phase.is_(None))
    free = {"boot_id": None, "lease_until": None}
    given_up = await connection.execute(
        claimed.where(poison).values(state=DeliveryState.EXPIRED, reason="poison", ended_at=micros(now), **free)
    )
    again = await connection.execute(claimed.values(state=DeliveryState.PENDING, next_at=micros(now), **free))
    return given_up.rowcount + again.rowcount


async def doubt(connection: AsyncConnection, gone: sa.ColumnElement[bool], now: datetime) -> int:
    """In flight with the dead: nobody can know (RFC 1047)."""
    result = await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.state == DeliveryState.IN_FLIGHT, gone)
        .values(
            state=DeliveryState.UNCERTAIN,
            reason="stopped",
            ended_at=micros(now),
            reply_phase=Phase.BODY,
            reply_code=None,
            reply_text="the process ended before the relay's answer was recorded",
            boot_id=None,
            lease_until=None,
        )
    )
    return result.rowcount
