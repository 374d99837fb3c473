"""All that is held of one person, as one document for that person to take along (GDPR Articles 15 and 20)."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.stores.database import Database, chunks, maybe_moment
from publisher.stores.folds import had
from publisher.stores.schema import (
    account_links,
    articles,
    confirmation_mails,
    consents,
    deliveries,
    delivery_events,
    issues,
    licences,
    profiles,
    signups,
    subscribers,
    subscriptions,
    suppressions,
    variant_stories,
    variants,
)

_SECRET = frozenset({"token_hash", "old_token_hash", "address_key"})
"""Of no use to the person, and of some to whoever finds the file; the address itself is in it."""
_TIMES = ("_at", "_until", "valid_from")
_JSON = frozenset({"choices", "newsletters", "attributes"})


class Records:
    """Reads every table that speaks of people."""

    def __init__(self, database: Database, address_hash: Callable[[str], str]) -> None:
        """`address_hash` is what is kept of an address key (`Tokens.address_hash`)."""
        self._database = database
        self._address_hash = address_hash

    async def of(self, subscriber: int) -> dict[str, Any] | None:
        """Returns everything by kind, times in ISO 8601 (UTC); None when there is nobody of that number."""
        async with self._database.snapshot() as connection:
            person = await _rows(connection, sa.select(subscribers).where(subscribers.c.id == subscriber))
            if not person:
                return None
            key = sa.select(subscribers.c.address_key).where(subscribers.c.id == subscriber)
            digest = self._address_hash((await connection.execute(key)).scalar_one())
            return {
                "subscriber": person[0],
                **{
                    name: await _rows(connection, sa.select(table).where(table.c.subscriber_id == subscriber))
                    for name, table in (
                        ("licences", licences),
                        ("consents", consents),
                        ("sign_ups", signups),
                        ("fresh_links", account_links),
                    )
                },
                "moves_wished_for": await _rows(
                    connection, sa.select(signups).where(signups.c.moves_from == subscriber)
                ),
                "subscriptions": await _rows(
                    connection,
                    sa.select(subscriptions, profiles.c.choices)
                    .outerjoin(profiles, profiles.c.id == subscriptions.c.profile_id)
                    .where(subscriptions.c.subscriber_id == subscriber),
                ),
                "confirmation_mails": await _rows(
                    connection, sa.select(confirmation_mails.c.at).where(confirmation_mails.c.address_hash == digest)
                ),
                "suppressions": await _rows(
                    connection,
                    sa.select(suppressions.c.reason, suppressions.c.at, suppressions.c.origin).where(
                        suppressions.c.address_hash == digest
                    ),
                ),
                "mails": await _mails(connection, subscriber),
                "reports": await _rows(
                    connection,
                    sa.select(delivery_events.c.kind, delivery_events.c.at, delivery_events.c.status,
                              delivery_events.c.detail, deliveries.c.issue_id)
                    .join(deliveries, deliveries.c.id == delivery_events.c.delivery_id)
                    .where(deliveries.c.subscriber_id == subscriber),
                ),
            }  # fmt: skip


async def _mails(connection: AsyncConnection, subscriber: int) -> list[dict[str, Any]]:
    """Returns what was sent, or is about to be, with the stories in it; of old issues only that it was."""
    query = (
        sa.select(
            deliveries.c.variant_id,
            issues.c.kind,
            issues.c.newsletter,
            issues.c.edition,
            variants.c.language,
            issues.c.planned_at,
            deliveries.c.state,
            deliveries.c.ended_at,
            deliveries.c.attempts,
            deliveries.c.reply_code,
            deliveries.c.reply_text,
            deliveries.c.reason,
        )
        .join(issues, issues.c.id == deliveries.c.issue_id)
        .join(variants, variants.c.id == deliveries.c.variant_id)
        .where(deliveries.c.subscriber_id == subscriber)
        .order_by(deliveries.c.id)
    )
    found = await _rows(connection, query)
    old = await _compacted(connection, subscriber)
    stories = await _stories(connection, [mail["variant_id"] for mail in (*old, *found)])
    return [
        {**{k: v for k, v in mail.items() if k != "variant_id"}, "stories": stories.get(mail["variant_id"], [])}
        for mail in (*old, *found)
    ]


async def _compacted(connection: AsyncConnection, subscriber: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for some in chunks(sorted((await had(connection, subscriber)).values())):
        query = (
            sa.select(
                variants.c.id.label("variant_id"),
                issues.c.kind,
                issues.c.newsletter,
                issues.c.edition,
                variants.c.language,
                issues.c.planned_at,
            )
            .join(issues, issues.c.id == variants.c.issue_id)
            .where(variants.c.id.in_(some))
            .order_by(variants.c.id)
        )
        found += [{**_told(row), "state": "accepted"} for row in await connection.execute(query)]
    return found


async def _stories(connection: AsyncConnection, numbers: Iterable[int]) -> dict[int, list[str]]:
    query = (
        sa.select(variant_stories.c.variant_id, articles.c.uri)
        .join(articles, articles.c.id == variant_stories.c.article_id)
        .where(variant_stories.c.variant_id.in_(set(numbers)))
        .order_by(variant_stories.c.variant_id, variant_stories.c.position)
    )
    found: dict[int, list[str]] = {}
    for variant, uri in await connection.execute(query):
        found.setdefault(variant, []).append(uri)
    return found


async def _rows(connection: AsyncConnection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [_told(row) for row in await connection.execute(query)]


def _told(row: Any) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row._mapping.items() if name not in _SECRET}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and (name == "at" or name.endswith(_TIMES)):
        told: datetime | None = maybe_moment(value)
        return told.isoformat() if told else None
    if name in _JSON and isinstance(value, str):
        return msgspec.json.decode(value)
    return value
