"""Follows one story through its versions and the mail that had it; reads, changes nothing."""

from typing import Any

import sqlalchemy as sa

from publisher.model.issue import DeliveryState, IssueKind, IssueState, Mention
from publisher.model.trace import Carried, Mailed, Step
from publisher.model.view import Depth
from publisher.stores.database import Database, maybe_moment, moment
from publisher.stores.folds import counts_of, had
from publisher.stores.schema import (
    article_versions,
    deliveries,
    delivery_events,
    issue_readers,
    issues,
    variant_stories,
    variants,
)


class Traces:
    """What is remembered of one story."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def steps(self, article: int) -> list[Step]:
        """Returns the versions of a story, oldest first."""
        table = article_versions.c
        query = sa.select(table.version, table.change, table.revised_at).where(table.article_id == article)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(table.version))
            return [Step(version=row.version, change=row.change, at=moment(row.revised_at)) for row in rows]

    async def carried(self, article: int) -> list[Carried]:
        """Returns the issues that had a story, oldest first."""
        states = sa.func.sum(sa.case((deliveries.c.state == DeliveryState.ACCEPTED, 1), else_=0))
        async with self._database.snapshot() as connection:
            holding = _holding(article)
            rows = (await connection.execute(holding.order_by(issues.c.id, variants.c.id))).all()
            carrying = sorted({row.id for row in rows})
            counted = {
                variant: (total, accepted or 0)
                for variant, total, accepted in await connection.execute(
                    sa.select(deliveries.c.variant_id, sa.func.count(), states)
                    .where(deliveries.c.issue_id.in_(carrying))
                    .group_by(deliveries.c.variant_id)
                )
            }
            query = sa.select(issue_readers.c.readers).where(issue_readers.c.issue_id.in_(carrying))
            for blob in await connection.scalars(query):
                for variant, count in counts_of(blob).items():
                    total, accepted = counted.get(variant, (0, 0))
                    counted[variant] = total + count, accepted + count
        found: dict[int, Carried] = {}
        for row in rows:
            before = found.get(row.id)
            total, accepted = counted.get(row.variant_id, (0, 0))
            found[row.id] = Carried(
                issue=row.id,
                kind=IssueKind(row.kind),
                newsletter=row.newsletter,
                edition=row.edition,
                state=IssueState(row.state),
                planned_at=moment(row.planned_at),
                versions=tuple(sorted({*(before.versions if before else ()), row.version})),
                recipients=total + (before.recipients if before else 0),
                accepted=accepted + (before.accepted if before else 0),
                sandbox=row.sandbox,
            )
        return list(found.values())

    async def brought(self, article: int, subscriber: int) -> list[Mailed]:
        """Returns the mails to one person that had a story, oldest first."""
        query = (
            _holding(article)
            .add_columns(
                deliveries.c.id.label("delivery"),
                deliveries.c.state.label("delivery_state"),
                deliveries.c.ended_at,
                deliveries.c.next_at,
                deliveries.c.attempts,
                deliveries.c.reply_code,
                deliveries.c.reply_text,
                deliveries.c.reason,
            )
            .join(deliveries, deliveries.c.variant_id == variants.c.id)
            .where(deliveries.c.subscriber_id == subscriber)
        )
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(query)).all()
            reports: dict[int, list[str]] = {}
            events = sa.select(delivery_events).where(delivery_events.c.delivery_id.in_([row.delivery for row in rows]))
            for event in await connection.execute(events.order_by(delivery_events.c.id)):
                reports.setdefault(event.delivery_id, []).append(f"{event.kind} {event.status}".strip())
            carrying = (await connection.execute(_holding(article))).all()
            mine = set((await had(connection, subscriber, sorted({row.id for row in carrying}))).values())
            old = [row for row in carrying if row.variant_id in mine]
        found = [
            Mailed(
                **_common(row),
                state=DeliveryState(row.delivery_state),
                ended_at=maybe_moment(row.ended_at),
                next_at=moment(row.next_at),
                attempts=row.attempts,
                reply=f"{row.reply_code or ''} {row.reply_text or ''}".strip(),
                reason=row.reason or "",
                reports=tuple(reports.get(row.delivery, ())),
            )
            for row in rows
        ]
        found += [Mailed(**_common(row), state=DeliveryState.ACCEPTED) for row in old]
        return sorted(found, key=lambda each: (each.planned_at, each.issue))


def _holding(article: int) -> sa.Select[Any]:
    return (
        sa.select(
            issues.c.id,
            issues.c.kind,
            sa.func.coalesce(variants.c.newsletter, issues.c.newsletter).label("newsletter"),
            issues.c.edition,
            issues.c.state,
            issues.c.planned_at,
            issues.c.sandbox,
            variants.c.id.label("variant_id"),
            variant_stories.c.version,
            variant_stories.c.depth,
            variant_stories.c.mention,
        )
        .select_from(variant_stories.join(variants, variants.c.id == variant_stories.c.variant_id))
        .join(issues, issues.c.id == variants.c.issue_id)
        .where(variant_stories.c.article_id == article, issues.c.kind != IssueKind.MESSAGE)
    )


def _common(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "issue": row.id,
        "kind": IssueKind(row.kind),
        "newsletter": row.newsletter,
        "edition": row.edition,
        "issue_state": IssueState(row.state),
        "planned_at": moment(row.planned_at),
        "version": row.version,
        "depth": Depth(row.depth),
        "mention": Mention(row.mention),
        "sandbox": row.sandbox,
    }
