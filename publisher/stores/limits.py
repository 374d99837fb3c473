"""How often we let ourselves be made to ask somebody for consent (security S1), counted inside a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.people import Allowance, SignUpLimits
from publisher.stores.database import micros
from publisher.stores.schema import confirmation_mails, signups


async def asked_too_often(
    connection: AsyncConnection, address_hash: str, allowances: Sequence[Allowance], now: datetime
) -> bool:
    """Returns whether an address has had as many mails that ask it as it may; who asks holds its subscriber's row."""
    mails = confirmation_mails.c
    return await _exceeded(connection, mails.id, mails.at, mails.address_hash == address_hash, allowances, now)


async def note_asked(connection: AsyncConnection, address_hash: str, now: datetime) -> None:
    """Counts one mail that asks an address."""
    await connection.execute(sa.insert(confirmation_mails).values(address_hash=address_hash, at=micros(now)))


async def flooded(connection: AsyncConnection, network: str, limits: SignUpLimits, now: datetime) -> bool:
    """Returns whether a network, or the web as a whole, has had its share of sign-ups; no network is no limit."""
    forms = signups.c
    if not network:
        return False
    of_network, of_all = forms.network == network, forms.network != ""
    return await _exceeded(
        connection, forms.id, forms.requested_at, of_network, limits.per_network, now
    ) or await _exceeded(connection, forms.id, forms.requested_at, of_all, limits.overall, now)


async def _exceeded(
    connection: AsyncConnection,
    key: sa.ColumnElement[Any],
    at: sa.ColumnElement[int],
    scope: sa.ColumnElement[bool],
    allowances: Sequence[Allowance],
    now: datetime,
) -> bool:
    for allowance in allowances:
        some = sa.select(key).where(scope, at > micros(now - allowance.window)).limit(allowance.most).subquery()
        count = (await connection.execute(sa.select(sa.func.count()).select_from(some))).scalar_one()
        if count >= allowance.most:
            return True
    return False
