"""Folds what was sent long ago: blobs of who got what (`stores.folds`) take the place of accepted rows.

A mail comes back within days of being accepted, and nobody asks any more what the relay said to each. Who reads rows
reads blobs as well, both in one snapshot (decisions 2).
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import DeliveryState, IssueKind, IssueState
from publisher.stores.database import Database, micros
from publisher.stores.folds import packed, span_of, unpacked
from publisher.stores.pace import Pace
from publisher.stores.schema import deliveries, delivery_events, issue_readers, issues

_FOLDED = tuple(kind.value for kind in (IssueKind.DIGEST, IssueKind.NOTICE, IssueKind.EMBARGO))
"""Mail to one person alone would only become another row."""
_OVER = tuple(state.value for state in (IssueState.DONE, IssueState.DONE_WITH_UNCERTAIN, IssueState.CANCELLED))


class Compaction:
    """Folds issues, in as many processes as there are: each row falls to one of them."""

    def __init__(self, database: Database, pace: Pace | None = None) -> None:
        """`pace`: of taking many rows away, so that mail waits for none of it longer than for planning."""
        self._database = database
        self._pace = pace or Pace()

    async def ripe(self, finished_before: datetime) -> list[int]:
        """Returns the issues to many that ended before a moment and have rows to fold, oldest first.

        Never the one with the newest row of all: SQLite would give its number again, and planners tell by it what
        is new (`Coverage.mark`).
        """
        newest = sa.select(sa.func.max(deliveries.c.id)).scalar_subquery()
        newest_issue = sa.select(deliveries.c.issue_id).where(deliveries.c.id == newest).scalar_subquery()
        query = sa.select(issues.c.id).where(
            issues.c.kind.in_(_FOLDED),
            issues.c.state.in_(_OVER),
            issues.c.finished_at <= micros(finished_before),
            issues.c.id != newest_issue,
            sa.exists().where(
                deliveries.c.issue_id == issues.c.id, deliveries.c.state == DeliveryState.ACCEPTED.value, _UNREPORTED
            ),
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(issues.c.id))).scalars())

    async def compact(self, issue: int) -> bool:
        """Folds an issue's accepted deliveries that nothing came back for; False: it has not come to its end."""
        last: int | None = 0
        while last is not None:
            async with self._database.write(durable=False) as connection:  # what is undone is folded again
                began = time.perf_counter()
                # Held, so that no other process reads the blob that this one is about to replace.
                over = sa.select(issues.c.state).where(issues.c.id == issue).with_for_update()
                if (await connection.execute(over)).scalar() not in _OVER:
                    return False
                rows, last = await self._fold(connection, issue, last)
            self._pace.took(rows, time.perf_counter() - began)
        return True

    async def _fold(self, connection: AsyncConnection, issue: int, after: int) -> tuple[int, int | None]:
        """Moves some rows of subscribers after one into blobs; returns how many, and the last of these subscribers.

        None: there are no more.
        """
        at_once = self._pace.rows
        # By the index of an issue's subscribers: by their state SQLite would sort all that is left, at every step.
        accepted = sa.func.coalesce(deliveries.c.state, "") == DeliveryState.ACCEPTED.value
        some = (
            sa.select(deliveries.c.id)
            .where(deliveries.c.issue_id == issue, deliveries.c.subscriber_id > after, accepted, _UNREPORTED)
            .order_by(deliveries.c.subscriber_id)
            .limit(at_once)
        )
        gone = deliveries.delete().where(deliveries.c.id.in_(some))
        rows = (await connection.execute(gone.returning(deliveries.c.subscriber_id, deliveries.c.variant_id))).all()
        if rows:
            await self._keep(connection, issue, await asyncio.to_thread(_by_span, rows))
        return len(rows), max(reader for reader, _ in rows) if len(rows) == at_once else None

    async def _keep(self, connection: AsyncConnection, issue: int, brought: Mapping[int, dict[int, int]]) -> None:
        """Adds who got what, by span, to what the blobs say already."""
        of = issue_readers.c
        before = sa.select(of.span, of.readers).where(of.issue_id == issue, of.span.in_(sorted(brought)))
        blobs = dict((await connection.execute(before)).all())
        values = await asyncio.to_thread(
            lambda: [_row(issue, span, readers, blobs.get(span)) for span, readers in sorted(brought.items())]
        )
        statement = self._database.insert(issue_readers)
        replaced = {"number": statement.excluded.number, "readers": statement.excluded.readers}
        keys = ["issue_id", "span"]
        await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced), values)


_UNREPORTED = ~sa.exists().where(delivery_events.c.delivery_id == deliveries.c.id)
"""Of a row nothing but the reader and the variant is remembered; one that something came back for stays."""


def _by_span(rows: Iterable[Any]) -> dict[int, dict[int, int]]:
    """Returns subscribers' variants, by span."""
    found: dict[int, dict[int, int]] = {}
    for reader, variant in rows:
        found.setdefault(span_of(reader), {})[reader] = variant
    return found


def _row(issue: int, span: int, readers: Mapping[int, int], before: bytes | None) -> dict[str, Any]:
    brought: dict[int, set[int]] = {}
    if before is not None:
        brought = {variant: set(numbers) for variant, numbers in unpacked(span, before).items()}
    for reader, variant in readers.items():
        brought.setdefault(variant, set()).add(reader)
    return {
        "issue_id": issue,
        "span": span,
        "number": sum(map(len, brought.values())),
        "readers": packed(brought),
    }
