"""Remembers notices: one issue per event, and who has the story that it is about.

Who has a story follows from deliveries and their variants (decisions 2), compacted ones too. People are added to a
notice for as long as it may turn out that a copy reached them after all; nobody gets two rows of one event.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import BRINGS, COVERS, OPEN, UNFINISHED, DeliveryState, IssueKind, IssueState
from publisher.model.notice import Addressee, Holder, Holders, Opened
from publisher.model.people import SubscriptionStatus
from publisher.model.segment import Picked
from publisher.stores.database import Database, chunks, micros
from publisher.stores.folds import had_between
from publisher.stores.issues import delivery_row, hold, overtaken
from publisher.stores.people_rows import in_force, licences_of
from publisher.stores.readers import Readers, lock_planning
from publisher.stores.revisions import being_tidied, tidied, unfit
from publisher.stores.schema import (
    article_versions,
    deliveries,
    issues,
    licences,
    subscribers,
    subscriptions,
    suppressions,
    variant_stories,
    variants,
)
from publisher.stores.segments import matching

_PAGE = 20_000
_LATE = timedelta(minutes=10)
"""An outcome may be written so long after the moment it bears."""
_DUE = (DeliveryState.PENDING.value, DeliveryState.DEFERRED.value)
_RECEIVED = frozenset({DeliveryState.ACCEPTED.value, DeliveryState.UNCERTAIN.value})
_OPEN = frozenset(state.value for state in OPEN)
_COVERS = frozenset(state.value for state in COVERS)
_ENDED = (IssueState.DONE.value, IssueState.DONE_WITH_UNCERTAIN.value)
_WAITING = (IssueState.PLANNING.value, IssueState.HELD.value, IssueState.PAUSED.value)
_READING = (SubscriptionStatus.CONFIRMED.value, SubscriptionStatus.PAUSED.value)
_SUPERSEDED = "superseded"
_GIVEN_WAY = sa.and_(deliveries.c.state == DeliveryState.CANCELLED.value, deliveries.c.reason == _SUPERSEDED)
"""Mail that was ended by news, and goes after all when what it said is what holds again."""


class Notices:
    """The ledger of what was told about stories."""

    def __init__(
        self,
        database: Database,
        *,
        sandbox: bool,
        page: int = _PAGE,
        pick: Callable[[Sequence[str]], Picked | None] = lambda _: None,
    ) -> None:
        """`sandbox`: whether mail goes to the sandbox's inbox at present; `page`: subscribers looked at at once.

        `pick` says who is in all of some segments, as of now.
        """
        self._pick = pick
        self._database = database
        self._sandbox = sandbox
        self._page = page

    async def changed(self, changes: Iterable[str], after: datetime, until: datetime) -> list[int]:
        """Returns the articles with a version of one of these kinds that came in (after, until]."""
        of = article_versions.c
        query = sa.select(of.article_id).where(
            of.change.in_(list(changes)), of.revised_at > micros(after), of.revised_at <= micros(until)
        )
        async with self._database.read() as connection:
            return sorted(set((await connection.execute(query)).scalars()))

    # The issue of an event ------------------------------------------------------------------------------------------

    async def begin(self, event: str, kind: IssueKind, subject: str, now: datetime) -> Opened:
        """Returns the event's one issue, made if it is new, and planned again if it was superseded as a whole.

        What the sandbox's inbox was told, real people were not: once the sandbox is off, the event begins anew.
        """
        found = await self.opened(event)
        if found is None or (found.sandbox and not self._sandbox):
            values = {
                "kind": kind.value,
                "event": event,
                "state": IssueState.PLANNING.value,
                "subject": subject,
                "planned_at": micros(now),
                "sandbox": self._sandbox,
            }
            async with self._database.write() as connection:
                await lock_planning(self._database, connection)
                if not self._sandbox:
                    await connection.execute(
                        issues.update()
                        .where(issues.c.event == event, issues.c.sandbox.is_(True))
                        .values(event=sa.literal("sandbox:") + issues.c.event)
                    )
                await connection.execute(self._database.insert(issues).values(values).on_conflict_do_nothing())
            found = await self.opened(event)
        assert found is not None
        if found.state is IssueState.CANCELLED and await self._reopen(found.number):
            return Opened(number=found.number, state=IssueState.PLANNING, sandbox=found.sandbox)
        return found

    async def _reopen(self, issue: int) -> bool:
        """Has an issue planned again that had given way to news; what an operator cancelled stays so."""
        superseded = sa.and_(issues.c.state == IssueState.CANCELLED.value, issues.c.stop_reason == _SUPERSEDED)
        again = {"state": IssueState.PLANNING.value, "stop_reason": None, "finished_at": None}
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            done = await connection.execute(issues.update().where(issues.c.id == issue, superseded).values(again))
        return done.rowcount == 1

    async def opened(self, event: str) -> Opened | None:
        """Returns the event's issue, if there is one."""
        query = sa.select(issues.c.id, issues.c.state, issues.c.sandbox).where(issues.c.event == event)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return Opened(number=row.id, state=IssueState(row.state), sandbox=row.sandbox) if row else None

    async def settled(self, issue: int, article: int) -> bool:
        """Returns whether nothing that decides who is told has happened since the issue was last looked at."""
        looked = sa.select(issues.c.window_until).where(issues.c.id == issue)
        async with self._database.read() as connection:
            looked_at = (await connection.execute(looked)).scalar()
            if looked_at is None:
                return False
            since = looked_at - _LATE // timedelta(microseconds=1)
            query = (
                sa.select(variants.c.id)
                .select_from(variant_stories.join(variants).join(issues, issues.c.id == variants.c.issue_id))
                .where(variant_stories.c.article_id == article, _moving(since))
                .limit(1)
            )
            return (await connection.execute(query)).first() is None

    async def told(self, issue: int, first: int, last: int, now: datetime) -> dict[int, bool]:
        """Returns who from `first` to `last` has a row in an issue, and whether it must be decided anew.

        A row that gave way to news is none: whoever it was for may have to be told after all.
        """
        anew = sa.and_(unfit(sa.literal(micros(now))), deliveries.c.state.in_(_DUE))
        query = (
            sa.select(deliveries.c.subscriber_id, sa.case((anew, 1), else_=0))
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .join(variants, variants.c.id == deliveries.c.variant_id)
            .where(
                deliveries.c.issue_id == issue,
                deliveries.c.subscriber_id.between(first, last),
                sa.not_(sa.func.coalesce(_GIVEN_WAY, sa.false())),
            )
        )
        async with self._database.read() as connection:
            return {reader: bool(anew) for reader, anew in await connection.execute(query)}

    async def add(
        self, issue: int, rows: Sequence[tuple[int, int, bool]], mark: int, held: Sequence[str], now: datetime
    ) -> bool:
        """Gives people (subscriber, variant, suppressed) their rows, also in an issue that is done already.

        Returns False, and does nothing, when others planned mail to some of them since `mark`, or took a variant away
        that nobody had. A row that is there and still waits brings what was decided now, and one that gave way to news
        waits again. `held` is why the issue waits if these are the first.
        """
        if not rows:
            return True
        wanted = {row[0]: row for row in rows}
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            if await connection.scalar(sa.select(overtaken(issue, min(wanted), max(wanted), mark))) is not None:
                return False
            said = {variant for _, variant, _ in rows}
            named = sa.and_(variants.c.issue_id == issue, ~being_tidied())
            still = sa.select(sa.func.count()).where(variants.c.id.in_(said), named)
            if await connection.scalar(still) != len(said):  # nobody had one of them so far, and it was taken away
                return False
            # Held, for readers may be erased meanwhile, and are counted off.
            mine = sa.select(issues).where(issues.c.id == issue).with_for_update()
            before = (await connection.execute(mine)).one()
            if before.state == IssueState.CANCELLED.value:
                return True
            there = await _there(connection, issue, min(wanted), max(wanted))
            fresh = [delivery_row(issue, row, now) for row in rows if row[0] not in there]
            if fresh:
                await connection.execute(deliveries.insert(), fresh)
            waiting_again = await _move(connection, issue, [row for row in rows if row[0] in there], now)
            if fresh or waiting_again:
                await connection.execute(
                    issues.update().where(issues.c.id == issue).values(_grown(before, len(fresh), held))
                )
        return True

    async def finish(self, issue: int, held: Sequence[str], now: datetime) -> IssueState | None:
        """Lets an issue go, or holds it, once everybody known by now has a row; one for nobody is done at once.

        Returns None when it was not being planned.
        """
        count = sa.select(sa.func.count()).where(deliveries.c.issue_id == issue)
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            await hold(connection, issue)
            expected = int((await connection.execute(count)).scalar_one())
            state = IssueState.DONE if not expected else IssueState.HELD if held else IssueState.SENDING
            done = await connection.execute(
                issues.update()
                .where(issues.c.id == issue, issues.c.state == IssueState.PLANNING.value)
                .values(
                    state=state.value,
                    expected=expected,
                    finished_at=None if expected else micros(now),
                    hold_reasons=_reasons(held if expected else ()),
                )
            )
        if done.rowcount != 1:
            return None
        await tidied(self._database, issue)
        return state

    async def end(self, issue: int, numbers: Collection[int], reason: str, now: datetime) -> None:
        """Ends the rows of people who wait in an issue and are not to get it any more."""
        waiting = sa.and_(deliveries.c.issue_id == issue, deliveries.c.state.in_(_DUE))
        async with self._database.write() as connection:
            for some in chunks(sorted(numbers)):
                await connection.execute(
                    deliveries.update()
                    .where(waiting, deliveries.c.subscriber_id.in_(some))
                    .values(state=DeliveryState.CANCELLED.value, reason=reason, ended_at=micros(now))
                )

    async def looked(self, issue: int, now: datetime) -> None:
        """Notes that everybody who has the story at `now` is told of the event."""
        async with self._database.write() as connection:
            await connection.execute(issues.update().where(issues.c.id == issue).values(window_until=micros(now)))

    async def unfinished(self, kind: IssueKind) -> list[str]:
        """Returns the events of a kind's issues of the present mode that have not come to their end, oldest first."""
        query = sa.select(issues.c.event).where(
            issues.c.state.in_([state.value for state in UNFINISHED]),
            issues.c.kind == kind.value,
            issues.c.sandbox.is_(self._sandbox),
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(issues.c.id))).scalars())

    async def supersede(self, events: Collection[str], now: datetime) -> int:
        """Ends what the issues of these events still were to say, for there is news; returns how many mails it ends.

        What is on its way is not called back, unless its body has not begun: its variant is stale from now on.
        """
        query = sa.select(issues.c.id).where(
            issues.c.event.in_(list(events)), issues.c.state.in_([state.value for state in UNFINISHED])
        )
        async with self._database.read() as connection:
            found = list((await connection.execute(query)).scalars())
        if not found:
            return 0
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            await connection.execute(variants.update().where(variants.c.issue_id.in_(found)).values(stale=True))
            ended = await connection.execute(
                deliveries.update()
                .where(deliveries.c.issue_id.in_(found), deliveries.c.state.in_(_DUE))
                .values(state=DeliveryState.CANCELLED.value, reason=_SUPERSEDED, ended_at=micros(now))
            )
            await connection.execute(
                issues.update()
                .where(issues.c.id.in_(found), issues.c.state.in_(_WAITING))
                .values(state=IssueState.CANCELLED.value, stop_reason=_SUPERSEDED, finished_at=micros(now))
            )
        return ended.rowcount

    # Who is told ----------------------------------------------------------------------------------------------------

    async def holders(self, article: int) -> AsyncIterator[Holders]:
        """Yields those who have a story, or are about to get it, range by range of subscribers."""
        brought, found_in, highest = await self._brought(article)
        for first in range(1, highest + 1, self._page):
            last = min(first + self._page - 1, highest)
            mark = await Readers(self._database).mark()
            found, compacted = await self._rows(found_in, brought, first, last)
            rows: dict[int, list[tuple[int, bool, bool]]] = {}
            for variant, readers in compacted:
                for reader in readers:
                    rows.setdefault(reader, []).append((variant, True, False))
            for row in found:
                if row.variant_id not in brought:
                    continue
                received = row.state in _RECEIVED or row.resends > 0
                rows.setdefault(row.subscriber_id, []).append((row.variant_id, received, row.state in _OPEN))
            holders = tuple(_holder(reader, brought, rows[reader]) for reader in sorted(rows))
            yield Holders(first=first, last=last, holders=holders, mark=mark)

    async def _brought(self, article: int) -> tuple[dict[int, tuple[int, str]], list[int], int]:
        """Returns the variants that bring a story (version, newsletter), their issues, and the last subscriber."""
        query = (
            sa.select(
                variant_stories.c.variant_id,
                variant_stories.c.version,
                variants.c.issue_id,
                sa.func.coalesce(issues.c.newsletter, variants.c.newsletter).label("newsletter"),
            )
            .join(variants, variants.c.id == variant_stories.c.variant_id)
            .join(issues, issues.c.id == variants.c.issue_id)
            .where(
                variant_stories.c.article_id == article,
                variant_stories.c.mention.in_([mention.value for mention in BRINGS]),
                issues.c.kind != IssueKind.MESSAGE.value,
                sa.true() if self._sandbox else issues.c.sandbox.is_(False),
            )
        )
        async with self._database.snapshot() as connection:
            rows = (await connection.execute(query)).all()
            highest = (await connection.execute(sa.select(sa.func.max(subscribers.c.id)))).scalar()
        brought = {row.variant_id: (row.version, row.newsletter or "") for row in rows}
        return brought, sorted({row.issue_id for row in rows}), highest or 0

    async def _rows(
        self, some_issues: Sequence[int], wanted: Collection[int], first: int, last: int
    ) -> tuple[list[Any], list[tuple[int, Sequence[int]]]]:
        """Returns what subscribers from `first` to `last` got, or may still get, of some issues.

        First the rows there are, then who of them got which of the `wanted` variants, as folded issues tell.
        """
        state = sa.func.coalesce(deliveries.c.state, "")  # SQLite would rather read all rows of an issue by their state
        found: list[Any] = []
        compacted: list[tuple[int, Sequence[int]]] = []
        # One state of rows and blobs: whoever is moved from one to the other meanwhile would be in neither.
        async with self._database.snapshot() as connection:
            for some in chunks(some_issues):
                compacted += await had_between(connection, some, first, last, wanted)
                query = sa.select(
                    deliveries.c.subscriber_id, deliveries.c.variant_id, deliveries.c.state, deliveries.c.resends
                ).where(
                    deliveries.c.issue_id.in_(some),
                    deliveries.c.subscriber_id.between(first, last),
                    sa.or_(state.in_(_COVERS), deliveries.c.resends > 0),
                )
                found += await connection.execute(query)
        return found, compacted

    async def cleared(self, now: datetime) -> list[int]:
        """Returns who has a licence in force that clears for embargoes."""
        query = sa.select(licences.c.subscriber_id).where(licences.c.embargo_cleared, in_force(now))
        async with self._database.read() as connection:
            return sorted(set((await connection.execute(query)).scalars()))

    async def within(self, segments: Sequence[str], numbers: Iterable[int]) -> set[int]:
        """Returns which of these people are in all of some segments."""
        picked, found = self._pick(segments), set(numbers)
        if picked is None:
            return found
        inside: set[int] = set()
        for some in chunks(sorted(found)):
            query = sa.select(subscribers.c.id).where(subscribers.c.id.in_(some), matching(self._database, picked))
            async with self._database.read() as connection:
                inside |= set((await connection.execute(query)).scalars())
        return inside

    async def addressees(self, numbers: Iterable[int], *, paused: bool = True) -> dict[int, Addressee]:
        """Returns people with all that decides what they are told; `paused`: newsletters they paused count as read."""
        found: dict[int, Addressee] = {}
        reading = _READING if paused else (SubscriptionStatus.CONFIRMED.value,)
        for some in chunks(sorted(set(numbers))):
            query = (
                sa.select(subscribers.c.id, subscribers.c.language, subscribers.c.timezone, suppressions.c.address_hash)
                .outerjoin(suppressions, suppressions.c.address == subscribers.c.address_key)
                .where(subscribers.c.id.in_(some))
            )
            reads = sa.select(subscriptions.c.subscriber_id, subscriptions.c.newsletter).where(
                subscriptions.c.subscriber_id.in_(some), subscriptions.c.status.in_(reading)
            )
            async with self._database.read() as connection:
                people = (await connection.execute(query)).all()
                held = await licences_of(self._database, connection, list(some))
                newsletters: dict[int, set[str]] = {}
                for reader, newsletter in await connection.execute(reads):
                    newsletters.setdefault(reader, set()).add(newsletter)
            found |= {
                row.id: Addressee(
                    number=row.id,
                    language=row.language,
                    timezone=row.timezone,
                    licences=held.get(row.id, ()),
                    newsletters=frozenset(newsletters.get(row.id, ())),
                    suppressed=row.address_hash is not None,
                )
                for row in people
            }
        return found


def _moving(since: int) -> sa.ColumnElement[bool]:
    """Whether a variant's mails may have ended since, as its issue tells: nobody counts the mails of those long done.

    Of a cancelled issue what was on its way ends later than the issue, so there the mails are asked.
    """
    late = sa.exists().where(
        deliveries.c.issue_id == variants.c.issue_id,
        deliveries.c.variant_id == variants.c.id,
        sa.or_(deliveries.c.state.in_(_OPEN), deliveries.c.ended_at >= since),
    )
    return sa.or_(
        issues.c.state.in_([state.value for state in UNFINISHED]),
        sa.and_(issues.c.state == IssueState.CANCELLED.value, late),
        issues.c.finished_at >= since,
    )


def _holder(number: int, brought: Mapping[int, tuple[int, str]], rows: Iterable[tuple[int, bool, bool]]) -> Holder:
    mine = sorted(rows)
    return Holder(
        number=number,
        received=tuple(sorted({brought[variant][0] for variant, received, _ in mine if received})),
        reserved=tuple(sorted({brought[variant][0] for variant, _, is_open in mine if is_open})),
        newsletters=tuple(dict.fromkeys(name for variant, *_ in mine if (name := brought[variant][1]))),
    )


async def _there(connection: AsyncConnection, issue: int, first: int, last: int) -> set[int]:
    query = sa.select(deliveries.c.subscriber_id).where(
        deliveries.c.issue_id == issue, deliveries.c.subscriber_id.between(first, last)
    )
    return set((await connection.execute(query)).scalars())


async def _move(connection: AsyncConnection, issue: int, rows: Sequence[tuple[int, int, bool]], now: datetime) -> int:
    """Points rows that wait to what was decided now: the same mail to the same person, said anew.

    Those that gave way to news wait again; returns how many they are.
    """
    again = {
        "state": DeliveryState.PENDING.value,
        "next_at": micros(now),
        "attempts": 0,
        "refusals": 0,
        "ended_at": None,
        "reason": None,
    }
    revived = 0
    for reader, variant, _ in rows:
        mine = sa.and_(deliveries.c.issue_id == issue, deliveries.c.subscriber_id == reader)
        decided = {"variant_id": variant, "decided_at": micros(now)}
        await connection.execute(deliveries.update().where(mine, deliveries.c.state.in_(_DUE)).values(decided))
        ended = deliveries.update().where(mine, _GIVEN_WAY).values({**decided, **again})
        revived += (await connection.execute(ended)).rowcount
    return revived


def _grown(before: Any, more: int, held: Sequence[str]) -> dict[str, Any]:
    """Returns what becomes of an issue that gets more recipients: the balance, and their own time to be reached."""
    if before.state == IssueState.PLANNING.value:
        return {"expected": 0}
    values: dict[str, Any] = {"expected": before.expected + more, "sending_at": None}
    if before.state not in _ENDED:
        return values
    first = held and not before.expected
    state = IssueState.HELD if first else IssueState.SENDING
    return {**values, "state": state.value, "finished_at": None, "hold_reasons": _reasons(held if first else ())}


def _reasons(held: Sequence[str]) -> str:
    return msgspec.json.encode(list(held)).decode()
