"""What a played future needs of the ledger: everything that may go arrives, and what became of each slot."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from publisher.model.forecast import Turn
from publisher.model.issue import DUE, DeliveryState, IssueKind, IssueState, SlotState
from publisher.stores.database import Database, micros, moment
from publisher.stores.issues import reasons_of
from publisher.stores.schema import cohorts, deliveries, issues, slots

_STORIES = (IssueKind.NOTICE.value, IssueKind.EMBARGO.value)


class Foresight:
    """The ledger of days that have not come."""

    def __init__(self, database: Database, *, sandbox: bool) -> None:
        """`sandbox`: whether mail goes to the sandbox's inbox at present."""
        self._database = database
        self._sandbox = sandbox

    async def arrive(self, now: datetime) -> None:
        """Has every mail arrived that may go; what is held waits."""
        may_go = sa.and_(issues.c.state == IssueState.SENDING.value, issues.c.sandbox.is_(self._sandbox))
        waiting = deliveries.c.state.in_([state.value for state in DUE])
        async with self._database.write() as connection:
            sending = (await connection.execute(sa.select(issues.c.id).where(may_go))).scalars().all()
            if not sending:
                return
            await connection.execute(
                deliveries.update()
                .where(deliveries.c.issue_id.in_(sending), waiting)
                .values(state=DeliveryState.ACCEPTED.value, ended_at=micros(now))
            )
            await connection.execute(
                issues.update()
                .where(issues.c.id.in_(sending))
                .values(state=IssueState.DONE.value, finished_at=micros(now))
            )

    async def marks(self) -> tuple[int, int]:
        """Returns the highest numbers of slots and issues there are."""
        async with self._database.read() as connection:
            highest = [
                (await connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)))).scalar_one()
                for table in (slots, issues)
            ]
        return highest[0], highest[1]

    async def turns(self, after: tuple[int, int], also: Collection[int]) -> list[Turn]:
        """Returns what became of the slots and stories after these marks, and of the slots `also`, in their order."""
        return sorted(
            [*await self._of_slots(after[0], also), *await self._of_stories(after[1])],
            key=lambda turn: (turn.due_at, turn.newsletter or "", turn.timezone, turn.slot),
        )

    async def _of_slots(self, after: int, also: Collection[int]) -> list[Turn]:
        query = (
            sa.select(
                slots, cohorts.c.newsletter, cohorts.c.cadence, cohorts.c.timezone,
                issues.c.id.label("issue"), issues.c.edition, issues.c.planned_at, issues.c.hold_reasons,
                _count(), _count(issues, deliveries.c.state == DeliveryState.SUPPRESSED.value).label("suppressed"),
            )
            .join(cohorts, cohorts.c.id == slots.c.cohort_id)
            .outerjoin(issues, issues.c.slot_id == slots.c.id)
            .where(sa.or_(slots.c.id > after, slots.c.id.in_(also)))
        )  # fmt: skip
        async with self._database.read() as connection:
            return [
                Turn(
                    newsletter=row.newsletter,
                    slot=row.period,
                    cadence=row.cadence,
                    timezone=row.timezone,
                    due_at=moment(row.due_at),
                    planned_at=moment(row.planned_at if row.issue else row.granted_at),
                    state=SlotState(row.state),
                    issue=row.issue,
                    edition=row.edition or 0,
                    recipients=row.recipients - row.suppressed,
                    suppressed=row.suppressed,
                    held=reasons_of(row.hold_reasons) if row.issue else (),
                )
                for row in await connection.execute(query)
            ]

    async def _of_stories(self, after: int) -> list[Turn]:
        query = sa.select(issues, _count()).where(issues.c.id > after, issues.c.kind.in_(_STORIES))
        async with self._database.read() as connection:
            return [
                Turn(
                    newsletter=None,
                    slot=row.event,
                    cadence="",
                    timezone="UTC",
                    due_at=moment(row.planned_at),
                    planned_at=moment(row.planned_at),
                    state=SlotState.ISSUED,
                    issue=row.id,
                    recipients=row.recipients,
                    held=reasons_of(row.hold_reasons),
                )
                for row in await connection.execute(query)
            ]


def _count(of: sa.Table = issues, *which: sa.ColumnElement[bool]) -> sa.Label[int]:
    count = sa.select(sa.func.count()).where(deliveries.c.issue_id == of.c.id, *which).correlate(of)
    return count.scalar_subquery().label("recipients")
