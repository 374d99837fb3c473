"""Mail that waits and must not go as it is: which it is, and what takes its place (decisions 1)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import (
    BRINGS,
    COVERS,
    DUE,
    MAY_GO,
    DeliveryState,
    IssueKind,
    IssueState,
    StaleRow,
    StoryRef,
    Variant,
)
from publisher.model.people import Licence
from publisher.stores.database import Database, micros
from publisher.stores.folds import unused
from publisher.stores.issues import add_variant
from publisher.stores.people_rows import IN_DOUBT, licences_of
from publisher.stores.readers import lock_planning, story_ref
from publisher.stores.schema import deliveries, issues, licences, variant_stories, variants

NOTHING_LEFT = "nothing left"
_NAMELESS = "unused:"
PERHAPS_THERE = "may have arrived"
_ROWS = 500


def unfit(now: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Whether a waiting delivery must not go as it is, at a moment in microseconds.

    That is so when a story in it was recalled, a licence of its reader has ended since, or somebody changed those
    licences, or config. Whoever made the delivery decides anew what it brings. Service mail brings no story.
    """
    return sa.or_(variants.c.stale, sa.and_(issues.c.kind != IssueKind.MESSAGE, _doubted(now)))


def _doubted(now: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    ended = sa.exists().where(
        licences.c.subscriber_id == deliveries.c.subscriber_id,
        licences.c.valid_until > sa.func.coalesce(deliveries.c.decided_at, issues.c.planned_at),
        licences.c.valid_until <= now,
    )
    return sa.or_(sa.func.coalesce(deliveries.c.decided_at, -1) == IN_DOUBT, ended)


class Revisions:
    """The rows in doubt, and their new contents."""

    def __init__(self, database: Database, *, sandbox: bool) -> None:
        """`sandbox`: whether mail goes to the sandbox's inbox at present."""
        self._database = database
        self._sandbox = sandbox

    async def doubtful(self, now: datetime, limit: int) -> list[StaleRow]:
        """Returns waiting deliveries of issues being sent that must be decided anew, by issue and variant."""
        query = (
            sa.select(
                deliveries.c.id,
                deliveries.c.issue_id,
                deliveries.c.variant_id,
                deliveries.c.subscriber_id,
                deliveries.c.resends,
                variants.c.language,
                variants.c.form,
                variants.c.stale,
            )
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .join(variants, variants.c.id == deliveries.c.variant_id)
            .where(
                deliveries.c.issue_id.in_(
                    sa.select(issues.c.id).where(
                        issues.c.state == IssueState.SENDING, issues.c.sandbox.is_(self._sandbox)
                    )
                ),
                deliveries.c.state.in_(DUE),
                issues.c.kind.in_((IssueKind.DIGEST, IssueKind.INTRODUCTION)),
                unfit(sa.literal(micros(now))),
            )
            .order_by(deliveries.c.issue_id, deliveries.c.variant_id, deliveries.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            held = await licences_of(self._database, connection, sorted({row.subscriber_id for row in rows}))
            stories = await self._stories(connection, {row.variant_id for row in rows})
            elsewhere = await self._elsewhere(connection, rows, stories)
        return [
            _stale(row, held.get(row.subscriber_id, ()), stories.get(row.variant_id, ()), elsewhere.get(row.id, ()))
            for row in rows
        ]

    async def replace(
        self, rows: Collection[int], issue: int, before: int, outcome: str, variant: Variant, now: datetime
    ) -> int:
        """Gives waiting deliveries of variant `before` another one, as of `now`; returns how many they were."""
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            after = await add_variant(self._database, connection, issue, outcome, variant)
            moved = await connection.execute(_waiting(rows, before).values(variant_id=after, decided_at=micros(now)))
        return moved.rowcount

    async def confirm(self, rows: Collection[int], variant: int, now: datetime) -> int:
        """Says of waiting deliveries that what they bring was right as of `now`; returns how many they were."""
        async with self._database.write() as connection:
            return (await connection.execute(_waiting(rows, variant).values(decided_at=micros(now)))).rowcount

    async def give_up(self, rows: Collection[int], variant: int, now: datetime) -> int:
        """Ends waiting deliveries that are not to go any more; returns how many they were."""
        reason = sa.case((deliveries.c.resends > 0, PERHAPS_THERE), else_=NOTHING_LEFT)
        values = {"state": DeliveryState.CANCELLED, "reason": reason, "ended_at": micros(now)}
        async with self._database.write() as connection:
            return (await connection.execute(_waiting(rows, variant).values(**values))).rowcount

    async def tidy(self, issue: int) -> int:
        """Takes away what an issue that is not being planned was to say and nobody got; returns how many variants."""
        return await tidied(self._database, issue)

    async def doubt_everything(self) -> int:
        """Has everything that may still be sent decided anew, for the rules by which it was decided are others now."""
        stories = sa.select(issues.c.id).where(issues.c.kind != IssueKind.MESSAGE)
        async with self._database.write() as connection:
            doubted = await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.state.in_(MAY_GO), deliveries.c.issue_id.in_(stories))
                .values(decided_at=IN_DOUBT)
            )
        return doubted.rowcount

    async def _stories(self, connection: AsyncConnection, numbers: Collection[int]) -> dict[int, tuple[StoryRef, ...]]:
        query = (
            sa.select(variant_stories)
            .where(variant_stories.c.variant_id.in_(numbers))
            .order_by(variant_stories.c.variant_id, variant_stories.c.position)
        )
        found: dict[int, tuple[StoryRef, ...]] = {}
        for row in await connection.execute(query):
            found[row.variant_id] = (*found.get(row.variant_id, ()), story_ref(row))
        return found

    async def _elsewhere(
        self, connection: AsyncConnection, rows: Sequence[Any], stories: Mapping[int, Sequence[StoryRef]]
    ) -> dict[int, tuple[StoryRef, ...]]:
        """Returns by delivery what mails of other issues bring its reader of the same stories."""
        articles = {ref.article for refs in stories.values() for ref in refs}
        readers = sorted({row.subscriber_id for row in rows})
        brought: dict[int, list[tuple[int, StoryRef]]] = {}
        for start in range(0, len(readers), _ROWS):
            query = (
                sa.select(deliveries.c.subscriber_id, deliveries.c.issue_id, variant_stories)
                .join(variant_stories, variant_stories.c.variant_id == deliveries.c.variant_id)
                .join(issues, issues.c.id == deliveries.c.issue_id)
                .where(
                    deliveries.c.subscriber_id.in_(readers[start : start + _ROWS]),
                    deliveries.c.state.in_(COVERS),
                    variant_stories.c.article_id.in_(articles),
                    variant_stories.c.mention.in_(BRINGS),
                    sa.true() if self._sandbox else issues.c.sandbox.is_(False),
                )
                .order_by(deliveries.c.id, variant_stories.c.position)
            )
            for row in await connection.execute(query):
                brought.setdefault(row.subscriber_id, []).append((row.issue_id, story_ref(row)))
        return {
            row.id: tuple(
                ref
                for issue, ref in brought.get(row.subscriber_id, ())
                if issue != row.issue_id and ref.article in {own.article for own in stories.get(row.variant_id, ())}
            )
            for row in rows
        }


def being_tidied() -> sa.ColumnElement[bool]:
    """Whether a variant has lost its name, and may be gone at any moment."""
    return variants.c.outcome.startswith(_NAMELESS, autoescape=True)


async def tidied(database: Database, issue: int) -> int:
    """Does what `Revisions.tidy` says.

    Who gets what is looked at outside of transactions, for there may be a million rows. Before the look that counts,
    what would go loses its name, so that nobody finds it any more who would point a row at it.
    """
    async with database.read() as connection:
        found = (await connection.scalars(sa.select(variants.c.id).where(unused(issue)))).all()
    if not found:
        return 0
    async with database.write() as connection:
        await lock_planning(database, connection)
        name = sa.literal(_NAMELESS) + sa.cast(variants.c.id, sa.Text)
        await connection.execute(variants.update().where(variants.c.id.in_(found)).values(outcome=name))
    async with database.read() as connection:
        still = sa.and_(variants.c.id.in_(found), unused(issue))
        spare = (await connection.scalars(sa.select(variants.c.id).where(still))).all()
    async with database.write() as connection:
        await lock_planning(database, connection)
        await connection.execute(variants.delete().where(variants.c.id.in_(spare)))
    return len(spare)


def _waiting(rows: Collection[int], variant: int) -> sa.Update:
    return sa.update(deliveries).where(
        deliveries.c.id.in_(rows), deliveries.c.variant_id == variant, deliveries.c.state.in_(DUE)
    )


def _stale(
    row: Any, held: Sequence[Licence], stories: tuple[StoryRef, ...], elsewhere: tuple[StoryRef, ...]
) -> StaleRow:
    return StaleRow(
        number=row.id,
        issue=row.issue_id,
        variant=row.variant_id,
        subscriber=row.subscriber_id,
        language=row.language,
        form=row.form,
        stale=row.stale,
        perhaps_there=row.resends > 0,
        licences=tuple(held),
        stories=stories,
        elsewhere=elsewhere,
    )
