"""Remembers what an issue brought one reader, also when its deliveries were compacted long ago; reads only."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import Brought, IssueKind
from publisher.stores.database import Database
from publisher.stores.folds import had
from publisher.stores.people_rows import licence_of, subscriber_of
from publisher.stores.readers import story_ref
from publisher.stores.schema import (
    deliveries,
    issues,
    licences,
    subscribers,
    variant_stories,
    variants,
)


class Readings:
    """The issues that readers got, one by one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def brought(self, issue: int, subscriber: int) -> Brought | None:
        """Returns a digest's stories as one reader got them, and who that is; None: they did not get it."""
        async with self._database.read() as connection:
            reader = (await connection.execute(sa.select(subscribers).where(subscribers.c.id == subscriber))).first()
            variant = await _variant(connection, issue, subscriber)
            if reader is None or variant is None:
                return None
            held = sa.select(licences).where(licences.c.subscriber_id == subscriber).order_by(licences.c.product)
            language = sa.select(variants.c.language).where(variants.c.id == variant)
            stories = (
                sa.select(variant_stories)
                .where(variant_stories.c.variant_id == variant)
                .order_by(variant_stories.c.position)
            )
            return Brought(
                reader=subscriber_of(reader),
                licences=tuple(licence_of(row) for row in await connection.execute(held)),
                language=(await connection.execute(language)).scalar_one(),
                stories=tuple(story_ref(row) for row in await connection.execute(stories)),
            )


async def _variant(connection: AsyncConnection, issue: int, subscriber: int) -> int | None:
    kinds = (IssueKind.DIGEST.value, IssueKind.INTRODUCTION.value)
    of_issue = sa.and_(issues.c.id == issue, issues.c.kind.in_(kinds))
    row = (
        sa.select(deliveries.c.variant_id)
        .join(issues, issues.c.id == deliveries.c.issue_id)
        .where(of_issue, deliveries.c.subscriber_id == subscriber)
    )
    found: int | None = (await connection.execute(row)).scalar()
    if found is not None:
        return found
    is_one = await connection.scalar(sa.select(issues.c.id).where(of_issue))
    return (await had(connection, subscriber, [issue])).get(issue) if is_one else None
