"""What waits and how it stands: deliveries looked at, never changed."""

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from publisher.model.delivery import EVERYTHING, Route
from publisher.model.issue import DUE, OPEN, UNFINISHED, DeliveryState, IssueCounts, IssueState, MailText
from publisher.stores.claims import NEWSLETTER, PLAIN_MESSAGE, goes_by
from publisher.stores.database import Database, maybe_moment, moment
from publisher.stores.schema import deliveries, issues, variants

_REASONS = msgspec.json.Decoder(tuple[str, ...])


class Outlook:
    """The queue as those see it who ask."""

    def __init__(self, database: Database, *, sandbox: bool) -> None:
        """`sandbox`: whether mail goes to the sandbox's inbox at present."""
        self._database = database
        self._sandbox = sandbox
        self._being_sent = sa.and_(issues.c.state == IssueState.SENDING, issues.c.sandbox.is_(sandbox))

    def bar(self, *, sandbox: bool) -> str | None:
        """Returns why an issue planned with the sandbox on or off cannot be delivered at present; None: it can."""
        if sandbox is self._sandbox:
            return None
        if sandbox:
            return "planned in the sandbox: real people do not get it"
        return "planned for real people: it waits until the sandbox is off"

    async def barred(self, issue: int) -> str | None:
        """Returns why an unfinished issue cannot be delivered at present; None: it can, or has come to its end."""
        query = sa.select(issues.c.sandbox).where(issues.c.id == issue, issues.c.state.in_(UNFINISHED))
        async with self._database.read() as connection:
            sandbox = await connection.scalar(query)
        return None if sandbox is None else self.bar(sandbox=sandbox)

    async def next_wake(self, *, resend_after: timedelta, resend_all_kinds: bool) -> datetime | None:
        """Returns when the next delivery is due, None when none is; may be past."""

        def first(column: sa.ColumnElement[int], *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
            first_of_issue = (
                sa.select(sa.func.min(column))
                .where(deliveries.c.issue_id == issues.c.id, *conditions)
                .correlate(issues)
                .scalar_subquery()
            )
            return sa.select(sa.func.min(first_of_issue)).where(self._being_sent)

        doubtful = (deliveries.c.state == DeliveryState.UNCERTAIN, deliveries.c.resends == 0)
        resent = first(deliveries.c.ended_at, *doubtful)
        async with self._database.read() as connection:
            due = [await connection.scalar(first(deliveries.c.next_at, deliveries.c.state == s)) for s in DUE]
            uncertain = await connection.scalar(resent if resend_all_kinds else resent.where(PLAIN_MESSAGE))
        if uncertain is not None:
            due.append(uncertain + resend_after // timedelta(microseconds=1))
        return min((moment(at) for at in due if at is not None), default=None)

    async def newsletters(self, issue: int) -> frozenset[str | None]:
        """Returns whose mails an issue brings; None: what is of no newsletter."""
        query = (
            sa.select(NEWSLETTER)
            .select_from(issues)
            .join(variants, variants.c.issue_id == issues.c.id)
            .where(issues.c.id == issue)
            .distinct()
        )
        async with self._database.read() as connection:
            return frozenset(await connection.scalars(query))

    async def next_due(self, issue: int | None, route: Route = EVERYTHING) -> datetime | None:
        """Returns when the next delivery is due that nobody has tried yet, of an issue being sent or of any.

        What is stale is not due: it must be decided anew first.
        """
        query = (
            sa.select(sa.func.min(deliveries.c.next_at))
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .join(variants, variants.c.id == deliveries.c.variant_id)
            .where(
                self._being_sent,
                deliveries.c.state == DeliveryState.PENDING,
                sa.not_(variants.c.stale),
                goes_by(route, NEWSLETTER),
            )
        )
        if issue is not None:
            query = query.where(deliveries.c.issue_id == issue)
        async with self._database.read() as connection:
            return maybe_moment(await connection.scalar(query))

    async def standing(self, issue: int) -> str | None:
        """Returns why an issue is paused or held; None: it is not."""
        query = sa.select(issues.c.state, issues.c.stop_reason, issues.c.hold_reasons).where(issues.c.id == issue)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None or row.state not in (IssueState.PAUSED, IssueState.HELD):
            return None
        return row.stop_reason or "; ".join(_REASONS.decode(row.hold_reasons)) or str(row.state)

    # Reading ---------------------------------------------------------------------------------------------------------

    async def mail(self, variant: int) -> MailText:
        """Returns a variant's words."""
        query = sa.select(variants.c.subject, variants.c.preheader, variants.c.html, variants.c.text)
        async with self._database.read() as connection:
            row = (await connection.execute(query.where(variants.c.id == variant))).one()
        return MailText(
            subject=row.subject,
            preheader=row.preheader,
            html=zlib.decompress(row.html).decode(),
            text=zlib.decompress(row.text).decode(),
        )

    async def counts(self, issue: int) -> IssueCounts:
        """Returns an issue's deliveries by outcome."""
        query = (
            sa.select(deliveries.c.state, sa.func.count())
            .where(deliveries.c.issue_id == issue)
            .group_by(deliveries.c.state)
        )
        async with self._database.read() as connection:
            by_state = {DeliveryState(state): number for state, number in await connection.execute(query)}
        return _counts(by_state)

    async def unsettled(self, issue: int | None) -> dict[DeliveryState, int]:
        """Returns how many deliveries of the issues being sent, or of one of them, are in each state but accepted."""
        being_sent = sa.select(issues.c.id).where(
            self._being_sent, sa.true() if issue is None else issues.c.id == issue
        )
        # Issue by issue the index has all of it; joined, each row would be looked up.
        query = (
            sa.select(deliveries.c.state, sa.func.count())
            .where(
                deliveries.c.issue_id.in_(being_sent),
                deliveries.c.state.in_([*OPEN, DeliveryState.UNCERTAIN]),
            )
            .group_by(deliveries.c.state)
        )
        async with self._database.read() as connection:
            return {DeliveryState(state): number for state, number in await connection.execute(query)}


def _counts(by_state: dict[DeliveryState, int]) -> IssueCounts:
    def total(states: Iterable[DeliveryState]) -> int:
        return sum(by_state.get(state, 0) for state in states)

    return IssueCounts(
        planned=sum(by_state.values()),
        accepted=total([DeliveryState.ACCEPTED]),
        deferred=total(OPEN),
        rejected=total([DeliveryState.REJECTED, DeliveryState.EXPIRED, DeliveryState.CANCELLED]),
        suppressed=total([DeliveryState.SUPPRESSED]),
        uncertain=total([DeliveryState.UNCERTAIN]),
    )
