"""Finds the issues that stand on the web: they have been let go once, whatever became of them since."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from publisher.model.archive import PastIssue
from publisher.model.issue import BRINGS, IssueState, Mention
from publisher.stores.database import Database, moment
from publisher.stores.schema import cohorts, issues, slots, variant_stories, variants

_LET_GO = tuple(
    state.value for state in (IssueState.SENDING, IssueState.PAUSED, IssueState.DONE, IssueState.DONE_WITH_UNCERTAIN)
)
_AT_ONCE = 500


class PastIssues:
    """The issues of newsletters' own cohorts (decisions 4), oldest first."""

    def __init__(self, database: Database, *, sandbox: bool) -> None:
        """`sandbox`: what the sandbox caught stands there as well, for as long as it is on."""
        self._database = database
        self._sandbox = sandbox

    async def numbers(self) -> list[int]:
        """Returns the numbers of all issues that stand on the web."""
        begun = sa.or_(issues.c.state.in_(_LET_GO), issues.c.sending_at.is_not(None))
        query = sa.select(issues.c.id).where(issues.c.on_web, begun).order_by(issues.c.id)
        if not self._sandbox:
            query = query.where(issues.c.sandbox.is_(False))
        return [row.id for row in await self._database.rows(query)]

    async def issues(self, numbers: Iterable[int]) -> list[PastIssue]:
        """Returns these issues with what they brought."""
        wanted = sorted(numbers)
        found: list[PastIssue] = []
        if not wanted:
            return found
        async with self._database.read() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                brought: dict[int, dict[int, Mention]] = {number: {} for number in some}
                for row in await connection.execute(_brought(some)):
                    brought[row.issue_id].setdefault(row.article_id, Mention(row.mention))
                found += [_issue(row, brought[row.id]) for row in await connection.execute(_issues(some))]
        return found


def _issues(numbers: list[int]) -> sa.Select[Any]:
    return (
        sa.select(issues.c.id, issues.c.newsletter, issues.c.edition, slots.c.due_at, cohorts.c.timezone)
        .join(slots, slots.c.id == issues.c.slot_id)
        .join(cohorts, cohorts.c.id == slots.c.cohort_id)
        .where(issues.c.id.in_(numbers))
        .order_by(issues.c.id)
    )


def _brought(numbers: list[int]) -> sa.Select[Any]:
    return (
        sa.select(variants.c.issue_id, variant_stories.c.article_id, variant_stories.c.mention)
        .join(variant_stories, variant_stories.c.variant_id == variants.c.id)
        .where(variants.c.issue_id.in_(numbers), variant_stories.c.mention.in_([one.value for one in BRINGS]))
        .order_by(variant_stories.c.position, variants.c.id)
    )


def _issue(row: Any, brought: dict[int, Mention]) -> PastIssue:
    return PastIssue(
        number=row.id,
        newsletter=row.newsletter,
        edition=row.edition,
        due_at=moment(row.due_at),
        timezone=row.timezone,
        stories=tuple(brought.items()),
    )
