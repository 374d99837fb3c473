"""Deliveries and their states (docs/ledger.md): every change is an UPDATE that names the state and owner it expects."""

import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.delivery import Boot, Claimed, Ended, Ending, Phase
from publisher.model.issue import (
    DUE,
    OPEN,
    UNFINISHED,
    DeliveryState,
    IssueCounts,
    IssueKind,
    IssueState,
    MailText,
    SlotState,
)
from publisher.model.people import SubscriptionStatus, SuppressionReason
from publisher.model.report import Event, Meaning
from publisher.stores.bounces import record
from publisher.stores.database import Database, maybe_moment, micros, moment
from publisher.stores.readers import lock_planning
from publisher.stores.revisions import unfit
from publisher.stores.schema import boots, deliveries, issues, slots, subscribers, subscriptions, suppressions, variants

FRUITLESS_CLAIMS = 3
"""Claims without any outcome after which a delivery is taken to be what kills the process."""
_IN_FLIGHT_GRACE = timedelta(minutes=10)
"""A final reply may take that long beyond the lease of a worker elsewhere."""
_CLAIMABLE = deliveries.c.state.in_(DUE)
_SUSPECT = sa.and_(deliveries.c.attempts >= FRUITLESS_CLAIMS - 1, deliveries.c.reply_phase.is_(None))
_PLAIN_MESSAGE = issues.c.kind == IssueKind.MESSAGE
_ABOUT_A_STORY = issues.c.kind.in_((IssueKind.NOTICE, IssueKind.EMBARGO))
_SANDBOXED = "sandbox"


def _wanted() -> sa.ColumnElement[bool]:
    """Whether the reader still wants this mail; a notice overrides a pause, never an unsubscription (decisions 12)."""
    confirmed = subscriptions.c.status == SubscriptionStatus.CONFIRMED
    paused = subscriptions.c.status == SubscriptionStatus.PAUSED
    asked = (
        sa.exists()
        .where(
            subscriptions.c.subscriber_id == deliveries.c.subscriber_id,
            sa.or_(
                subscriptions.c.newsletter == issues.c.newsletter,
                sa.and_(issues.c.newsletter.is_(None), issues.c.kind != IssueKind.EMBARGO),
                sa.and_(subscriptions.c.newsletter == variants.c.newsletter, issues.c.kind == IssueKind.EMBARGO),
            ),
            sa.or_(confirmed, sa.and_(paused, issues.c.kind == IssueKind.NOTICE)),
        )
        .correlate(deliveries, issues, variants)
    )
    return sa.or_(_PLAIN_MESSAGE, asked)


_ROW = (
    sa.select(
        deliveries.c.id,
        deliveries.c.issue_id,
        issues.c.kind,
        sa.func.coalesce(issues.c.newsletter, variants.c.newsletter).label("newsletter"),
        issues.c.edition,
        issues.c.event,
        issues.c.sending_at,
        deliveries.c.variant_id,
        deliveries.c.subscriber_id,
        subscribers.c.address,
        subscribers.c.address_key,
        subscribers.c.name,
        subscribers.c.token_generation,
        deliveries.c.attempts,
        deliveries.c.refusals,
        deliveries.c.resends,
        _wanted().label("wanted"),
    )
    .select_from(deliveries)
    .join(issues, issues.c.id == deliveries.c.issue_id)
    .join(variants, variants.c.id == deliveries.c.variant_id)
    .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(_CLAIMABLE)
)
_OWNED = sa.update(deliveries).where(
    deliveries.c.id == sa.bindparam("b_id"),
    deliveries.c.boot_id == sa.bindparam("b_boot"),
    deliveries.c.state == sa.bindparam("b_was"),
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


# Made once: these run for every message.
_BEGUN = (
    sa.update(deliveries)
    .where(
        deliveries.c.id.in_(sa.bindparam("b_ids", expanding=True)),
        deliveries.c.state == DeliveryState.CLAIMED,
        deliveries.c.boot_id == sa.bindparam("b_boot"),
        deliveries.c.lease_until >= sa.bindparam("b_until"),
        sa.exists().where(
            issues.c.id == deliveries.c.issue_id,
            variants.c.id == deliveries.c.variant_id,
            issues.c.state == IssueState.SENDING,
            issues.c.sandbox == sa.bindparam("b_sandbox"),
            sa.not_(variants.c.stale),
            _wanted(),
        ),
    )
    .values(state=DeliveryState.IN_FLIGHT, in_flight_at=sa.bindparam("b_now"))
    .returning(deliveries.c.id)
)
# Somebody who was erased has a row again only because they signed up anew: their word wins over the old one.
_STANDS = suppressions.c.reason != SuppressionReason.ERASED
_NEVER_MAILED = sa.select(suppressions.c.address_hash).where(
    suppressions.c.address_hash.in_(sa.bindparam("b_hashes", expanding=True)), _STANDS
)


class Deliveries:
    """The rows of every issue: claimed, marked, recorded, recovered.

    Issues planned in the sandbox go to its inbox only, the others to real people only: what is of the other mode
    is never sent.
    """

    def __init__(self, database: Database, address_hash: Callable[[str], str], *, sandbox: bool) -> None:
        """`address_hash` is what suppressions keep of an address key (`Tokens.address_hash`).

        `sandbox`: whether mail goes to the sandbox's inbox at present.
        """
        self._database = database
        self._address_hash = address_hash
        self._sandbox = sandbox
        self._being_sent = sa.and_(issues.c.state == IssueState.SENDING, issues.c.sandbox.is_(sandbox))

    # The sandbox -----------------------------------------------------------------------------------------------------

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

    async def leave_sandbox(self, now: datetime) -> tuple[int, ...]:
        """Cancels what the sandbox left unfinished, once mail goes to real people; returns the issues' numbers."""
        if self._sandbox:
            return ()
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            left = await connection.scalars(
                sa.update(issues)
                .where(issues.c.sandbox.is_(True), issues.c.state.in_(UNFINISHED))
                .values(state=IssueState.CANCELLED, finished_at=micros(now), stop_reason=_SANDBOXED)
                .returning(issues.c.id)
            )
            numbers = tuple(sorted(left))
            if numbers:
                await _cancel(connection, numbers, now)
        return numbers

    # Owning ----------------------------------------------------------------------------------------------------------

    async def enlist(self, boot: Boot) -> None:
        """Records a process that is about to claim."""
        async with self._database.write() as connection:
            await connection.execute(
                self._database.insert(boots)
                .values(
                    id=boot.id, folder=boot.folder, host=boot.host, pid=boot.pid, started_at=micros(boot.started_at)
                )
                .on_conflict_do_nothing()
            )

    async def dismiss(self, boot: Boot, now: datetime) -> None:
        """Records that a process has ended by itself."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(boots).where(boots.c.id == boot.id, boots.c.ended_at.is_(None)).values(ended_at=micros(now))
            )

    async def recover(self, boot: Boot, now: datetime, *, owner: bool) -> int:
        """Takes rows back from workers that are gone; returns how many.

        `owner`: this process holds the lock of its folder, so every earlier boot there is dead (decisions 15);
        workers elsewhere are gone once their leases are over.
        """
        gone = sa.and_(
            deliveries.c.boot_id != boot.id,
            deliveries.c.boot_id.in_(
                sa.select(boots.c.id).where(
                    boots.c.folder == boot.folder, boots.c.host == boot.host, boots.c.id != boot.id
                )
            ),
        )
        waited_for = sa.and_(deliveries.c.boot_id != boot.id, deliveries.c.lease_until < micros(now))
        overdue = sa.and_(deliveries.c.boot_id != boot.id, deliveries.c.lease_until < micros(now - _IN_FLIGHT_GRACE))
        async with self._database.write() as connection:
            claims = await _take_back(connection, sa.or_(gone, waited_for) if owner else waited_for, now)
            return claims + await _doubt(connection, sa.or_(gone, overdue) if owner else overdue, now)

    async def claim(
        self, boot: Boot, now: datetime, *, limit: int, lease: timedelta, issue: int | None = None, alone: bool = False
    ) -> list[Claimed]:
        """Claims up to `limit` due deliveries, service mail first; who has opted out is recorded as suppressed.

        A delivery that was claimed repeatedly without any outcome is handed out by itself, and only to a process
        that has nothing else in hand (`alone`): should it kill that process, no other delivery is suspected.
        """
        async with self._database.write() as connection:
            rows = await self._candidates(connection, now, limit, issue, alone=alone)
            suppressed = await self._suppressed(connection, rows)
            refused = {row.id: suppressed.get(row.id) or "unsubscribed" for row in rows if not row.wanted}
            await _suppress(connection, refused | suppressed, now)
            taken = [row for row in rows if row.wanted and row.id not in suppressed]
            if not taken:
                return []
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id.in_([row.id for row in taken]), deliveries.c.state.in_(DUE))
                .values(
                    state=DeliveryState.CLAIMED,
                    attempts=deliveries.c.attempts + 1,
                    boot_id=boot.id,
                    lease_until=micros(now + lease),
                )
            )
            fresh = {row.issue_id for row in taken if row.sending_at is None}
            if fresh:
                await connection.execute(
                    sa.update(issues)
                    .where(issues.c.id.in_(fresh), issues.c.sending_at.is_(None))
                    .values(sending_at=micros(now))
                )
        return [self._claimed(row, now) for row in taken]

    async def renew(self, boot: Boot, now: datetime, lease: timedelta) -> None:
        """Extends the leases of what this process has claimed and not begun."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.boot_id == boot.id, deliveries.c.state == DeliveryState.CLAIMED)
                .values(lease_until=micros(now + lease))
            )

    async def release(self, boot: Boot, numbers: Collection[int], next_at: datetime) -> None:
        """Gives claimed deliveries back untried, due again at `next_at`."""
        if not numbers:
            return
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(deliveries)
                .where(
                    deliveries.c.id.in_(numbers),
                    deliveries.c.boot_id == boot.id,
                    deliveries.c.state == DeliveryState.CLAIMED,
                )
                .values(
                    state=DeliveryState.PENDING,
                    attempts=deliveries.c.attempts - 1,
                    next_at=micros(next_at),
                    boot_id=None,
                    lease_until=None,
                )
            )

    # Marks -----------------------------------------------------------------------------------------------------------

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        """Records ends and marks beginnings in one durable transaction; returns which beginnings were granted.

        Granted is what is still ours, with a lease of at least `margin` left, of an issue still being sent and a
        variant not stale, to a reader who still wants it.
        """
        async with self._database.write() as connection:
            await _record(connection, boot, ended)
            await self._blame(connection, ended)
            if not begun:
                return set()
            hashes = [row.address_hash for row in begun]
            unwanted = set(await connection.scalars(_NEVER_MAILED, {"b_hashes": hashes}))
            numbers = [row.number for row in begun if row.address_hash not in unwanted]
            return await self._begin(connection, boot, now, numbers, margin) if numbers else set()

    # Time ------------------------------------------------------------------------------------------------------------

    async def resend(self, now: datetime, after: timedelta, *, all_kinds: bool) -> int:
        """Makes uncertain deliveries pending again, each once in its life; returns how many.

        `all_kinds` False (`on_uncertain = "hold"`): only service mail, which is always resent.
        """
        async with self._database.write() as connection:
            result = await connection.execute(
                sa.update(deliveries)
                .where(
                    deliveries.c.state == DeliveryState.UNCERTAIN,
                    deliveries.c.resends == 0,
                    deliveries.c.ended_at <= micros(now - after),
                    deliveries.c.issue_id.in_(self._sending(all_kinds=all_kinds)),
                )
                .values(state=DeliveryState.PENDING, resends=1, next_at=micros(now), ended_at=None)
            )
            return result.rowcount

    async def expire(self, now: datetime, max_age: timedelta) -> int:
        """Gives up what is still waiting so long after its issue began to be sent; returns how many."""
        old = sa.select(issues.c.id).where(self._being_sent, issues.c.sending_at <= micros(now - max_age))
        async with self._database.write() as connection:
            result = await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.state.in_(DUE), deliveries.c.issue_id.in_(old))
                .values(state=DeliveryState.EXPIRED, reason="max_age", ended_at=micros(now))
            )
            return result.rowcount

    async def finish(self, now: datetime, *, resend_all_kinds: bool) -> tuple[int, ...]:
        """Ends issues of which nothing is open any more; returns their numbers."""

        def holds(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
            return sa.exists().where(deliveries.c.issue_id == issues.c.id, *conditions)

        uncertain = deliveries.c.state == DeliveryState.UNCERTAIN
        to_resend = holds(uncertain, deliveries.c.resends == 0)
        waiting = to_resend if resend_all_kinds else sa.and_(_PLAIN_MESSAGE, to_resend)
        async with self._database.write() as connection:
            done = await connection.scalars(
                sa.update(issues)
                .where(
                    issues.c.state == IssueState.SENDING, sa.not_(holds(deliveries.c.state.in_(OPEN))), sa.not_(waiting)
                )
                .values(
                    state=sa.case(
                        (holds(uncertain), IssueState.DONE_WITH_UNCERTAIN.value), else_=IssueState.DONE.value
                    ),
                    finished_at=micros(now),
                )
                .returning(issues.c.id)
            )
            return tuple(sorted(done))

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
            uncertain = await connection.scalar(resent if resend_all_kinds else resent.where(_PLAIN_MESSAGE))
        if uncertain is not None:
            due.append(uncertain + resend_after // timedelta(microseconds=1))
        return min((moment(at) for at in due if at is not None), default=None)

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
        query = (
            sa.select(deliveries.c.state, sa.func.count())
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .where(
                self._being_sent,
                deliveries.c.state.in_([*OPEN, DeliveryState.UNCERTAIN]),
                *([] if issue is None else [issues.c.id == issue]),
            )
            .group_by(deliveries.c.state)
        )
        async with self._database.read() as connection:
            return {DeliveryState(state): number for state, number in await connection.execute(query)}

    # Inside ----------------------------------------------------------------------------------------------------------

    async def _blame(self, connection: AsyncConnection, ended: Sequence[Ended]) -> None:
        """Takes the refusal of a dead address at RCPT for the hard bounce that it is."""
        for end in ended:
            if end.ending is None or not end.outcome.blames_address:
                continue
            refused = sa.and_(deliveries.c.id == end.number, deliveries.c.state == DeliveryState.REJECTED)
            if await connection.scalar(sa.select(deliveries.c.id).where(refused)) is None:
                continue  # not ours any more: somebody else records how it ends
            said = Event(meaning=Meaning.HARD, at=end.at, status=end.ending.enhanced, detail=end.ending.text)
            await record(self._database, connection, self._address_hash, end.number, said)

    def _sending(self, *, all_kinds: bool) -> sa.Select[tuple[int]]:
        query = sa.select(issues.c.id).where(self._being_sent)
        return query if all_kinds else query.where(_PLAIN_MESSAGE)

    async def _begin(
        self, connection: AsyncConnection, boot: Boot, now: datetime, numbers: list[int], margin: timedelta
    ) -> set[int]:
        values = {
            "b_ids": numbers,
            "b_boot": boot.id,
            "b_until": micros(now + margin),
            "b_now": micros(now),
            "b_sandbox": self._sandbox,
        }
        return set(await connection.scalars(_BEGUN, values))

    async def _candidates(
        self, connection: AsyncConnection, now: datetime, limit: int, issue: int | None, *, alone: bool
    ) -> list[sa.Row[Any]]:
        """Service mail first, then what is told of stories, then by issue: always from the index, however many wait."""
        due = _ROW.where(deliveries.c.next_at <= micros(now), sa.not_(unfit(now)))
        sending = self._sending(all_kinds=True)
        if issue is not None:
            due = due.where(deliveries.c.issue_id == issue)
        rows: list[sa.Row[Any]] = []
        for kinds in (_PLAIN_MESSAGE, _ABOUT_A_STORY, sa.not_(sa.or_(_PLAIN_MESSAGE, _ABOUT_A_STORY))):
            if len(rows) < limit:
                query = due.where(deliveries.c.issue_id.in_(sending.where(kinds)), sa.not_(_SUSPECT))
                rows += await self._locked(connection, query.limit(limit - len(rows)))
        if not rows and alone:
            rows = await self._locked(connection, due.where(deliveries.c.issue_id.in_(sending), _SUSPECT).limit(1))
        return rows

    async def _locked(self, connection: AsyncConnection, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        if not self._database.embedded:
            query = query.with_for_update(of=deliveries, skip_locked=True)
        return list(await connection.execute(query))

    async def _suppressed(self, connection: AsyncConnection, rows: Iterable[sa.Row[Any]]) -> dict[int, str]:
        by_hash: dict[str, list[int]] = {}
        for row in rows:
            by_hash.setdefault(self._address_hash(row.address_key), []).append(row.id)
        found = await connection.execute(
            sa.select(suppressions.c.address_hash, suppressions.c.reason).where(
                suppressions.c.address_hash.in_(list(by_hash)), _STANDS
            )
        )
        return {number: reason for digest, reason in found for number in by_hash[digest]}

    def _claimed(self, row: sa.Row[Any], now: datetime) -> Claimed:
        return Claimed(
            number=row.id,
            issue=row.issue_id,
            kind=IssueKind(row.kind),
            newsletter=row.newsletter,
            edition=row.edition,
            event=row.event,
            variant=row.variant_id,
            subscriber=row.subscriber_id,
            address=row.address,
            address_hash=self._address_hash(row.address_key),
            name=row.name,
            token_generation=row.token_generation,
            attempts=row.attempts + 1,
            refusals=row.refusals,
            resends=row.resends,
            sending_at=maybe_moment(row.sending_at) or now,
        )


async def _cancel(connection: AsyncConnection, numbers: Sequence[int], now: datetime) -> None:
    """Ends what waits in cancelled issues, and their slots, of which some were still being planned."""
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.issue_id.in_(numbers), deliveries.c.state.in_(DUE))
        .values(state=DeliveryState.CANCELLED, reason=_SANDBOXED, ended_at=micros(now))
    )
    planned = sa.select(issues.c.slot_id).where(issues.c.id.in_(numbers))
    await connection.execute(
        sa.update(slots)
        .where(slots.c.id.in_(planned), slots.c.state == SlotState.GRANTED)
        .values(state=SlotState.ISSUED)
    )


async def _take_back(connection: AsyncConnection, gone: sa.ColumnElement[bool], now: datetime) -> int:
    """Claimed by the dead: the server cannot have it, so it is pending again, or poison after several times."""
    claimed = sa.update(deliveries).where(deliveries.c.state == DeliveryState.CLAIMED, gone)
    poison = sa.and_(deliveries.c.attempts >= FRUITLESS_CLAIMS, deliveries.c.reply_phase.is_(None))
    free = {"boot_id": None, "lease_until": None}
    given_up = await connection.execute(
        claimed.where(poison).values(state=DeliveryState.EXPIRED, reason="poison", ended_at=micros(now), **free)
    )
    again = await connection.execute(claimed.values(state=DeliveryState.PENDING, next_at=micros(now), **free))
    return given_up.rowcount + again.rowcount


async def _doubt(connection: AsyncConnection, gone: sa.ColumnElement[bool], now: datetime) -> int:
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


async def _suppress(connection: AsyncConnection, reasons: dict[int, str], now: datetime) -> None:
    if not reasons:
        return
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == sa.bindparam("b_id"), deliveries.c.state.in_(DUE))
        .values(state=DeliveryState.SUPPRESSED, reason=sa.bindparam("b_reason"), ended_at=micros(now)),
        [{"b_id": number, "b_reason": reason} for number, reason in reasons.items()],
    )


async def _record(connection: AsyncConnection, boot: Boot, ended: Sequence[Ended]) -> None:
    given_back = [_left(boot, end) for end in ended if end.ending is None]
    answered = [_left(boot, end) | _answer(end, end.ending) for end in ended if end.ending is not None]
    for statement, rows in ((_LEFT, given_back), (_ANSWERED, answered)):
        if rows:
            await connection.execute(statement, rows)


def _left(boot: Boot, end: Ended) -> dict[str, object]:
    return {
        "b_id": end.number,
        "b_boot": boot.id,
        "b_was": end.was.value,
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
