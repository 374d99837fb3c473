"""Deliveries and their states (docs/ledger.md): every change is an UPDATE that names the state and owner it expects."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.mail.throttle import ALL
from publisher.model.delivery import EVERYTHING, Boot, Claimed, Ended, Rates, Route
from publisher.model.issue import DUE, OPEN, UNFINISHED, DeliveryState, IssueState, SlotState
from publisher.model.report import Event, Meaning
from publisher.stores import claims, endings
from publisher.stores.bounces import record
from publisher.stores.claims import PLAIN_MESSAGE, STANDS, wanted
from publisher.stores.compiled import Compiled
from publisher.stores.database import Database, micros
from publisher.stores.folds import folded
from publisher.stores.outlook import Outlook
from publisher.stores.people_rows import IN_DOUBT
from publisher.stores.readers import lock_planning
from publisher.stores.schema import (
    boots,
    deliveries,
    issues,
    lanes,
    slots,
    suppressions,
    variants,
)

_SANDBOXED = "sandbox"
_UNBALANCED = "balance: there are not as many deliveries as were planned"
_UNLIMITED = Rates()
_MICROSECOND = timedelta(microseconds=1)
_SILENT = timedelta(seconds=30)
"""A node that has not said for so long that it lives keeps no mail from the others."""
_LANE = timedelta(hours=1)
"""A domain's lane is forgotten when nothing was put off for so long."""


class Deliveries(Outlook):
    """The rows of every issue: claimed, marked, recorded, recovered.

    Issues planned in the sandbox go to its inbox only, the others to real people only: what is of the other mode
    is never sent.
    """

    def __init__(self, database: Database, address_hash: Callable[[str], str], *, sandbox: bool) -> None:
        """`address_hash` is what suppressions keep of an address key (`Tokens.address_hash`).

        `sandbox`: whether mail goes to the sandbox's inbox at present.
        """
        super().__init__(database, sandbox=sandbox)
        self._address_hash = address_hash
        self._claims: dict[Route, claims.Claims] = {}
        self._endings = endings.Endings(database)
        self._never_mailed = Compiled(database, _never_mailed(database))
        self._begun = Compiled(database, _begun(database, sandbox))

    # The sandbox -----------------------------------------------------------------------------------------------------

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

    async def recover(self, boot: Boot, now: datetime, *, owner: bool, grace: timedelta) -> int:
        """Takes rows back from workers that are gone; returns how many.

        `owner`: this process holds the lock of its folder, so every earlier boot there is dead (decisions 15);
        workers elsewhere are gone once their leases are over, and what they had in flight `grace` later: a final
        reply may take that long. What they had not begun is taken from nodes that say no more that they live, too:
        should one wake up again, it finds that it may not begin.
        """
        others = deliveries.c.boot_id != boot.id
        gone = sa.and_(
            others,
            deliveries.c.boot_id.in_(
                sa.select(boots.c.id).where(
                    boots.c.folder == boot.folder, boots.c.host == boot.host, boots.c.id != boot.id
                )
            ),
        )
        present = self._present(now)
        silent = sa.select(boots.c.id).where(boots.c.seen_at < present - _SILENT // _MICROSECOND)
        late = sa.and_(others, sa.or_(deliveries.c.lease_until < present, deliveries.c.boot_id.in_(silent)))
        overdue = sa.and_(others, deliveries.c.lease_until < present - grace // _MICROSECOND)
        async with self._database.write() as connection:
            taken = await endings.take_back(connection, sa.or_(gone, late) if owner else late, now)
            return taken + await endings.doubt(connection, sa.or_(gone, overdue) if owner else overdue, now)

    async def claim(
        self,
        boot: Boot,
        now: datetime,
        *,
        limit: int,
        lease: timedelta,
        issue: int | None = None,
        alone: bool = False,
        digests: bool = True,
        rates: Rates = _UNLIMITED,
        route: Route = EVERYTHING,
    ) -> list[Claimed]:
        """Claims up to `limit` due deliveries, service mail first; who has opted out is recorded as suppressed.

        Only of those that go by one relay; the rates are that relay's.

        A delivery that was claimed repeatedly without any outcome is handed out by itself, and only to a process
        that has nothing else in hand (`alone`): should it kill that process, no other delivery is suspected.
        `digests` False: only service mail and notices. With `rates`, each comes with its place.
        """
        wish = claims.Wish(limit, lease, issue, alone, digests, rates)
        by_route = self._by(route)
        return await self._database.transact(lambda cursor: by_route.take(cursor, boot, now, wish))

    async def renew(self, boot: Boot, now: datetime, lease: timedelta) -> None:
        """Extends the leases of what this process has claimed and not begun."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.boot_id == boot.id, deliveries.c.state == DeliveryState.CLAIMED)
                .values(lease_until=self._present(now) + lease // _MICROSECOND)
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

    async def disown(self, boot: Boot, held: Collection[int], now: datetime) -> int:
        """Gives back what is claimed in this process's name without its knowing: the claim's commit got lost."""
        async with self._database.write() as connection:
            result = await connection.execute(
                sa.update(deliveries)
                .where(
                    deliveries.c.boot_id == boot.id,
                    deliveries.c.state == DeliveryState.CLAIMED,
                    deliveries.c.id.not_in(held),
                )
                .values(
                    state=DeliveryState.PENDING,
                    attempts=deliveries.c.attempts - 1,
                    next_at=micros(now),
                    boot_id=None,
                    lease_until=None,
                )
            )
            return result.rowcount

    # Marks -----------------------------------------------------------------------------------------------------------

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        """Records ends and marks beginnings in one durable transaction; returns which beginnings were granted.

        Granted is what is still ours, with a lease of at least `margin` left, of an issue still being sent and a
        variant not stale, to a reader who still wants it.
        """
        dead = [end for end in ended if end.outcome.blames_address]
        if dead:
            async with self._database.write() as connection:
                await endings.record(connection, boot, dead)
                await self._blame(connection, dead)
        others = [end for end in ended if not end.outcome.blames_address]
        if not begun and not others:
            return set()

        def work(cursor: Any) -> set[int]:
            self._endings.record(cursor, boot, others)
            return self._begin(cursor, boot, now, begun, margin) if begun else set()

        return await self._database.transact(work, brief=True)

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
        """Gives up what is still waiting so long after its issue began to be sent; returns how many.

        What was claimed while its issue was cancelled, and has been given back, ends here too.
        """
        old = sa.select(issues.c.id).where(self._being_sent, issues.c.sending_at <= micros(now - max_age))
        async with self._database.write() as connection:
            result = await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.state.in_(DUE), deliveries.c.issue_id.in_(old))
                .values(state=DeliveryState.EXPIRED, reason="max_age", ended_at=micros(now))
            )
            cancelled = sa.select(issues.c.id).where(issues.c.state == IssueState.CANCELLED)
            await connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.state.in_(DUE), deliveries.c.issue_id.in_(cancelled))
                .values(state=DeliveryState.CANCELLED, reason="given_back", ended_at=micros(now))
            )
            await connection.execute(sa.delete(lanes).where(lanes.c.name != ALL, lanes.c.tail_at < micros(now - _LANE)))
            return result.rowcount

    async def finish(self, now: datetime, *, resend_all_kinds: bool) -> tuple[int, ...]:
        """Ends issues of which nothing is open any more; returns their numbers.

        One whose rows are not as many as were planned does not end: it is paused, and says so.
        """
        uncertain = deliveries.c.state == DeliveryState.UNCERTAIN
        to_resend = _holds(uncertain, deliveries.c.resends == 0)
        waiting = to_resend if resend_all_kinds else sa.and_(PLAIN_MESSAGE, to_resend)
        settled = sa.and_(
            issues.c.state == IssueState.SENDING, sa.not_(_holds(deliveries.c.state.in_(OPEN))), sa.not_(waiting)
        )
        async with self._database.write() as connection:
            done = await connection.scalars(
                sa.update(issues)
                .where(settled, _balanced())
                .values(
                    state=sa.case(
                        (_holds(uncertain), IssueState.DONE_WITH_UNCERTAIN.value), else_=IssueState.DONE.value
                    ),
                    finished_at=micros(now),
                )
                .returning(issues.c.id)
            )
            numbers = tuple(sorted(done))
            # What settles between the two statements, by another process, is for the next time.
            unbalanced = sa.update(issues).where(settled, sa.not_(_balanced()))
            await connection.execute(unbalanced.values(state=IssueState.PAUSED, stop_reason=_UNBALANCED))
        return numbers

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

    def _by(self, route: Route) -> claims.Claims:
        found = self._claims.get(route)
        if found is None:
            found = claims.Claims(self._database, self._address_hash, self._being_sent, route)
            self._claims[route] = found
        return found

    def _sending(self, *, all_kinds: bool) -> sa.Select[tuple[int]]:
        query = sa.select(issues.c.id).where(self._being_sent)
        return query if all_kinds else query.where(PLAIN_MESSAGE)

    def _present(self, now: datetime) -> sa.ColumnElement[int]:
        return self._database.present(sa.literal(micros(now), sa.BigInteger))

    def _begin(self, cursor: Any, boot: Boot, now: datetime, begun: Sequence[Claimed], margin: timedelta) -> set[int]:
        hashes = self._database.several([row.address_hash for row in begun])
        unwanted = {digest for (digest,) in self._never_mailed.run(cursor, {"b_hashes": hashes})}
        numbers = [row.number for row in begun if row.address_hash not in unwanted]
        values = {
            "b_ids": self._database.several(numbers),
            "b_boot": boot.id,
            "b_margin": margin // _MICROSECOND,
            "b_now": micros(now),
        }
        return {number for (number,) in self._begun.run(cursor, values)} if numbers else set()


def _never_mailed(database: Database) -> sa.Select[tuple[str]]:
    """Asks which of some addresses are never mailed."""
    return sa.select(suppressions.c.address_hash).where(database.among(suppressions.c.address_hash, "b_hashes"), STANDS)


def _begun(database: Database, sandbox: bool) -> sa.Update:
    """Marks claimed rows in flight that may go."""
    lasting = database.present(sa.bindparam("b_now")) + sa.bindparam("b_margin", type_=sa.BigInteger)
    return (
        sa.update(deliveries)
        .where(
            database.among(deliveries.c.id, "b_ids"),
            claims.STATE == DeliveryState.CLAIMED,
            deliveries.c.boot_id == sa.bindparam("b_boot"),
            deliveries.c.lease_until >= lasting,
            sa.exists().where(
                issues.c.id == deliveries.c.issue_id,
                variants.c.id == deliveries.c.variant_id,
                issues.c.state == IssueState.SENDING,
                issues.c.sandbox.is_(sandbox),
                sa.not_(variants.c.stale),
                sa.or_(claims.PLAIN_MESSAGE, sa.func.coalesce(deliveries.c.decided_at, -1) != IN_DOUBT),
                wanted(),
            ),
        )
        .values(state=DeliveryState.IN_FLIGHT, in_flight_at=sa.bindparam("b_now", type_=sa.BigInteger))
        .returning(deliveries.c.id)
    )


def _holds(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(deliveries.c.issue_id == issues.c.id, *conditions)


def _balanced() -> sa.ColumnElement[bool]:
    """Whether an issue has the rows it was planned with; compacted ones have fewer, and are counted no more."""
    rows = sa.select(sa.func.count()).where(deliveries.c.issue_id == issues.c.id).correlate(issues).scalar_subquery()
    return sa.or_(rows == issues.c.expected, folded(issues.c.id))


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
