"""Remembers what goes out: cohorts, slots, issues, variants and the row that each recipient gets.

Unique keys carry the promises: one slot per period, one issue per slot, one
outcome per issue, one delivery per person. Everything here can be said twice
and by two processes at once.
"""

import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import (
    DUE,
    UNFINISHED,
    Cohort,
    DeliveryState,
    Issue,
    IssueCounts,
    IssueKind,
    IssueState,
    MailText,
    Mention,
    OpenSlot,
    Recipients,
    SendRequest,
    SlotState,
    StoryRef,
    Unreached,
    Variant,
)
from publisher.stores.database import Database, maybe_moment, micros, moment
from publisher.stores.folds import unused
from publisher.stores.pace import Pace
from publisher.stores.people_rows import IN_DOUBT
from publisher.stores.readers import MESSAGE_FORM, lock_planning, story_ref
from publisher.stores.schema import (
    article_versions,
    cohorts,
    deliveries,
    issue_readers,
    issues,
    relays,
    send_requests,
    slots,
    subscribers,
    variant_stories,
    variants,
)

_UNPLANNED = IssueState.PLANNING.value
_REASONS = msgspec.json.Decoder(tuple[str, ...])
_OPTIONS = msgspec.json.Decoder(dict[str, Any])
_COUNTED = {
    DeliveryState.ACCEPTED: "accepted",
    DeliveryState.REJECTED: "rejected",
    DeliveryState.EXPIRED: "rejected",
    DeliveryState.CANCELLED: "rejected",
    DeliveryState.SUPPRESSED: "suppressed",
    DeliveryState.UNCERTAIN: "uncertain",
}


class Issues:
    """The ledger up to the point where delivery takes over."""

    def __init__(self, database: Database, *, sandbox: bool, pace: Pace | None = None) -> None:
        """`sandbox`: whether mail goes to the sandbox's inbox at present; `pace`: of writing many rows."""
        self._database = database
        self._sandbox = sandbox
        self._pace = pace or Pace()
        self._new_rows = _new_rows(database)

    # Cohorts and slots ----------------------------------------------------------------------------------------------

    async def cohort(self, newsletter: str, cadence: str, zone: str, now: datetime) -> Cohort:
        """Returns the readers' clock, made at `now` if it is new."""
        found = await self.find_cohort(newsletter, cadence, zone)
        if found is None:
            values = {"newsletter": newsletter, "cadence": cadence, "timezone": zone, "created_at": micros(now)}
            async with self._database.write() as connection:
                await connection.execute(self._database.insert(cohorts).values(values).on_conflict_do_nothing())
            found = await self.find_cohort(newsletter, cadence, zone)
        assert found is not None
        return found

    async def find_cohort(self, newsletter: str, cadence: str, zone: str) -> Cohort | None:
        """Returns the readers' clock, if there was one before."""
        of = cohorts.c
        query = sa.select(cohorts).where(of.newsletter == newsletter, of.cadence == cadence, of.timezone == zone)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _cohort(row) if row else None

    async def last_slot(self, cohort: int) -> datetime | None:
        """Returns when the cohort's latest slot was due."""
        query = sa.select(sa.func.max(slots.c.due_at)).where(slots.c.cohort_id == cohort)
        async with self._database.read() as connection:
            return maybe_moment((await connection.execute(query)).scalar())

    async def periods(self, cohort: int, after: datetime) -> set[str]:
        """Returns the periods of the cohort's slots due after an instant."""
        query = sa.select(slots.c.period).where(slots.c.cohort_id == cohort, slots.c.due_at > micros(after))
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())

    async def grant_slot(
        self, cohort: int, period: str, due_at: datetime, now: datetime, state: SlotState = SlotState.GRANTED
    ) -> bool:
        """Grants the right to send once in this period; False when it was granted before, to whomever."""
        values = {
            "cohort_id": cohort,
            "period": period,
            "due_at": micros(due_at),
            "granted_at": micros(now),
            "state": state.value,
        }
        statement = self._database.insert(slots).values(values).on_conflict_do_nothing().returning(slots.c.id)
        async with self._database.write() as connection:
            return (await connection.execute(statement)).first() is not None

    async def grant_manual_slot(self, cohort: int, now: datetime) -> str:
        """Grants the next `manual:<n>` slot of a cohort; returns its period."""
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            count = sa.select(sa.func.count()).select_from(slots).where(slots.c.cohort_id == cohort)
            period = f"manual:{(await connection.execute(count)).scalar_one() + 1}"
            values = {"cohort_id": cohort, "period": period, "due_at": micros(now), "granted_at": micros(now)}
            await connection.execute(slots.insert().values(**values, state=SlotState.GRANTED.value))
        return period

    async def open_slots(self) -> list[OpenSlot]:
        """Returns the slots that were granted and whose planning has not come to its end, oldest first."""
        query = (
            sa.select(slots, cohorts.c.newsletter, cohorts.c.cadence, cohorts.c.timezone)
            .join(cohorts, cohorts.c.id == slots.c.cohort_id)
            .where(slots.c.state == SlotState.GRANTED.value)
            .order_by(slots.c.due_at, slots.c.id)
        )
        async with self._database.read() as connection:
            return [_open_slot(row) for row in await connection.execute(query)]

    async def close_empty(self, slot: int, issue: int | None = None) -> bool:
        """Ends a slot that brought nothing to anybody; `issue`, begun for it in vain, goes if it has no recipient."""
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            unsent = ~sa.exists().where(deliveries.c.issue_id == issues.c.id)
            await connection.execute(issues.delete().where(issues.c.id == issue, issues.c.state == _UNPLANNED, unsent))
            done = await connection.execute(
                slots.update()
                .where(
                    slots.c.id == slot,
                    slots.c.state == SlotState.GRANTED.value,
                    ~sa.exists().where(issues.c.slot_id == slot),
                )
                .values(state=SlotState.SKIPPED_EMPTY.value)
            )
            return done.rowcount == 1

    # Planning an issue ----------------------------------------------------------------------------------------------

    async def begin(
        self,
        slot: OpenSlot,
        window: tuple[datetime, datetime],
        now: datetime,
        *,
        sandbox: bool,
        on_web: bool = False,
    ) -> Issue | None:
        """Returns the slot's one issue, made with the newsletter's next number if it is new; None: the slot ended."""
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            state = sa.select(slots.c.state).where(slots.c.id == slot.number)
            if (await connection.execute(state)).scalar() != SlotState.GRANTED.value:
                return None
            query = _issues().where(issues.c.slot_id == slot.number)
            found = (await connection.execute(query)).first()
            if found is None:
                values = await _new(connection, slot, window, now, sandbox)
                await connection.execute(issues.insert().values(**values, on_web=on_web))
                found = (await connection.execute(query)).one()
        return _issue(found)

    async def of_slot(self, slot: int) -> Issue | None:
        """Returns a slot's issue."""
        async with self._database.read() as connection:
            row = (await connection.execute(_issues().where(issues.c.slot_id == slot))).first()
        return _issue(row) if row else None

    async def unfinished(self, cohort: int, *, sandbox: bool) -> Issue | None:
        """Returns a cohort's oldest issue, planned with the sandbox on or off, that has not come to its end."""
        query = (
            _issues()
            .where(cohorts.c.id == cohort, issues.c.sandbox.is_(sandbox), issues.c.state.in_(UNFINISHED))
            .order_by(issues.c.id)
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _issue(row) if row else None

    async def planned(self, issue: int, first: int, last: int) -> dict[int, int]:
        """Returns which subscribers from `first` to `last` have their row in an issue, and of which variant."""
        query = sa.select(deliveries.c.subscriber_id, deliveries.c.variant_id).where(
            deliveries.c.issue_id == issue, deliveries.c.subscriber_id.between(first, last)
        )
        async with self._database.read() as connection:
            return dict((await connection.execute(query)).all())

    async def outcomes(self, issue: int) -> dict[str, int]:
        """Returns the variants an issue has already, by outcome."""
        query = sa.select(variants.c.outcome, variants.c.id).where(variants.c.issue_id == issue)
        async with self._database.read() as connection:
            return {row.outcome: row.id for row in await connection.execute(query)}

    async def add_variants(self, issue: int, said: Mapping[str, Variant]) -> dict[str, int]:
        """Freezes some renderings of an issue, by outcome, in one transaction; returns their keys."""
        made = [(_frozen(issue, outcome, variant), variant.stories) for outcome, variant in said.items()]
        async with self._database.write(durable=False) as connection:  # lasts as the rows do
            await lock_planning(self._database, connection)
            return await _add(self._database, connection, issue, made)

    async def add_variant(self, issue: int, outcome: str, variant: Variant) -> int:
        """Freezes one rendering of an issue; returns its key, that of the first one with the same outcome."""
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            return await add_variant(self._database, connection, issue, outcome, variant)

    async def add_deliveries(self, issue: int, shares: Sequence[Recipients], mark: int, now: datetime) -> bool:
        """Gives recipients their rows in the order of their numbers, some in each transaction (`Pace`).

        Returns False, and goes no further, when since `mark` another issue planned mail to one of these people: the
        coverage of those who are left must be looked at anew. Rows that are there already stay.
        """
        recipients, done, since = _packed(shares), 0, mark
        while done < len(recipients):
            some = recipients[done : done + self._pace.rows]
            last = recipients[-1] >> _SUBSCRIBER
            after = await self._add_deliveries(issue, some, last, since, now)
            if after is None:
                return False
            done, since = done + len(some), after
        return True

    async def _add_deliveries(
        self, issue: int, recipients: list[int], last: int, mark: int, now: datetime
    ) -> int | None:
        """Gives recipients their rows in one transaction; returns the mark from which on the rest must be looked at.

        None: somebody up to `last`, who is to get a row sooner or later, was overtaken.
        """
        values = {"recipients": self._database.several(recipients), "issue": issue, "at": micros(now)}
        # What the machine's death undoes is planned again: it lasts when the issue is let go, which is durable.
        async with self._database.write(durable=False) as connection:
            await lock_planning(self._database, connection)
            began = time.perf_counter()
            others = overtaken(issue, recipients[0] >> _SUBSCRIBER, last, mark)
            seen = sa.select(issues.c.state, others).where(issues.c.id == issue)
            found = (await connection.execute(seen)).first()
            if found is not None and found[1] is not None:
                return None
            if found is not None and found.state == _UNPLANNED:
                added = await connection.execute(self._new_rows, values)
                mark = max(mark, await _counted(connection, issue, added.rowcount))
        self._pace.took(len(recipients), time.perf_counter() - began)
        return mark

    async def finish_planning(
        self, issue: int, readers: Mapping[int, int], hold_reasons: Sequence[str]
    ) -> IssueState | None:
        """Lets an issue go, or holds it, once exactly as many have a row as `readers` says; None when they are not.

        `readers`: how many of them get each variant.
        """
        state = IssueState.HELD if hold_reasons else IssueState.SENDING
        expected = sum(readers.values())
        values = {
            "state": state.value,
            "expected": expected,
            "subject": await self._main_subject(readers),
            "hold_reasons": msgspec.json.encode(list(hold_reasons)).decode(),
        }
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            if not await _let_go(connection, issue, expected, values):
                return None
            every = await connection.scalars(sa.select(variants.c.id).where(variants.c.issue_id == issue))
            if spare := set(every) - set(readers):
                await connection.execute(variants.delete().where(variants.c.id.in_(spare), unused(issue)))
            slot = sa.select(issues.c.slot_id).where(issues.c.id == issue).scalar_subquery()
            await connection.execute(slots.update().where(slots.c.id == slot).values(state=SlotState.ISSUED.value))
        return state

    async def _main_subject(self, readers: Mapping[int, int]) -> str:
        """Returns the subject that most recipients see."""
        most = min(readers, key=lambda variant: (-readers[variant], variant), default=0)
        async with self._database.read() as connection:
            return await connection.scalar(sa.select(variants.c.subject).where(variants.c.id == most)) or ""

    async def changes(self, change: str, after: datetime, until: datetime) -> dict[int, tuple[int, datetime]]:
        """Returns articles with a version of a kind of change that came in (after, until]: the latest, and when."""
        query = (
            sa.select(article_versions.c.article_id, article_versions.c.version, article_versions.c.revised_at)
            .where(
                article_versions.c.change == change,
                article_versions.c.revised_at > micros(after),
                article_versions.c.revised_at <= micros(until),
            )
            .order_by(article_versions.c.version)
        )
        async with self._database.read() as connection:
            return {number: (version, moment(at)) for number, version, at in await connection.execute(query)}

    async def real_recipients(self, cohort: int | None = None) -> int | None:
        """Returns how many real people got the last issue (of a cohort, or of any); None when there was none.

        A story that went out ahead of its hour counts as one; what is told of stories does not, nor does service mail.
        """
        kinds = [IssueKind.DIGEST.value, IssueKind.EMBARGO.value]
        query = (
            sa.select(issues.c.expected)
            .where(issues.c.kind.in_(kinds), issues.c.sandbox.is_(False), issues.c.state.in_(_LET_GO))
            .order_by(issues.c.id.desc())
            .limit(1)
        )
        if cohort is None:
            query = query.where(issues.c.expected > 0)
        else:
            query = query.join(slots, slots.c.id == issues.c.slot_id).where(slots.c.cohort_id == cohort)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar()

    # Looking and deciding -------------------------------------------------------------------------------------------

    async def issue(self, number: int) -> Issue | None:
        """Returns one issue."""
        async with self._database.read() as connection:
            row = (await connection.execute(_issues().where(issues.c.id == number))).first()
        return _issue(row) if row else None

    async def latest(self, *, newsletter: str | None = None, limit: int = 50, before: int | None = None) -> list[Issue]:
        """Returns issues of newsletters, newest first."""
        query = _issues().where(issues.c.kind.not_in(_TO_ONE)).order_by(issues.c.id.desc()).limit(limit)
        if newsletter is not None:
            query = query.where(issues.c.newsletter == newsletter)
        if before is not None:
            query = query.where(issues.c.id < before)
        async with self._database.read() as connection:
            return [_issue(row) for row in await connection.execute(query)]

    async def last_planned_at(self) -> datetime | None:
        """Returns when an issue was last planned; None: never."""
        async with self._database.read() as connection:
            query = sa.select(sa.func.max(issues.c.planned_at))
            return maybe_moment((await connection.execute(query)).scalar())

    async def held(self) -> list[Issue]:
        """Returns the issues that wait for somebody's word, oldest first."""
        query = _issues().where(issues.c.state == IssueState.HELD.value).order_by(issues.c.id)
        async with self._database.read() as connection:
            return [_issue(row) for row in await connection.execute(query)]

    async def by_edition(self, newsletter: str, edition: int) -> Issue | None:
        """Returns one numbered edition of a newsletter."""
        query = _issues().where(issues.c.newsletter == newsletter, issues.c.edition == edition)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _issue(row) if row else None

    async def next_edition(self, newsletter: str) -> int:
        """Returns the number that a newsletter's next issue gets."""
        async with self._database.read() as connection:
            return await _next_edition(connection, newsletter)

    async def stories(self, issue: int) -> list[StoryRef]:
        """Returns every story that an issue brought to anybody, in its order, each once."""
        query = (
            sa.select(variant_stories)
            .join(variants, variants.c.id == variant_stories.c.variant_id)
            .where(variants.c.issue_id == issue, variant_stories.c.mention != Mention.ALREADY_SENT.value)
            .order_by(variant_stories.c.position, variant_stories.c.variant_id)
        )
        found: dict[int, StoryRef] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                found.setdefault(row.article_id, story_ref(row))
        return list(found.values())

    async def counts(self, issue: int) -> IssueCounts:
        """Returns an issue's deliveries by outcome."""
        return (await self.all_counts([issue]))[issue]

    async def all_counts(self, numbers: Sequence[int]) -> dict[int, IssueCounts]:
        """Returns the deliveries of several issues by outcome."""
        found = {
            number: {"accepted": 0, "deferred": 0, "rejected": 0, "suppressed": 0, "uncertain": 0} for number in numbers
        }
        rows = (
            sa.select(deliveries.c.issue_id, deliveries.c.state, sa.func.count())
            .where(deliveries.c.issue_id.in_(numbers))
            .group_by(deliveries.c.issue_id, deliveries.c.state)
        )
        compacted = (
            sa.select(issue_readers.c.issue_id, sa.func.sum(issue_readers.c.number))
            .where(issue_readers.c.issue_id.in_(numbers))
            .group_by(issue_readers.c.issue_id)
        )
        async with self._database.snapshot() as connection:
            for issue, state, count in await connection.execute(rows):
                found[issue][_COUNTED.get(DeliveryState(state), "deferred")] += count
            for issue, count in await connection.execute(compacted):
                found[issue]["accepted"] += count
        return {number: IssueCounts(planned=sum(parts.values()), **parts) for number, parts in found.items()}

    async def unreached(self, issue: int, limit: int = 100) -> list[Unreached]:
        """Returns recipients who have not got an issue, so far or for good."""
        query = (
            sa.select(deliveries, subscribers.c.address)
            .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
            .where(deliveries.c.issue_id == issue, deliveries.c.state.in_(_NOT_REACHED))
            .order_by(deliveries.c.subscriber_id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_unreached(row) for row in await connection.execute(query)]

    async def hold(self, issue: int, reason: str) -> bool:
        """Stops an issue until it is released; what is on its way is not called back."""
        return await self._move(
            issue,
            (IssueState.SENDING, IssueState.PAUSED),
            IssueState.HELD,
            hold_reasons=msgspec.json.encode([reason]).decode(),
        )

    async def hold_all(self, reason: str) -> tuple[int, ...]:
        """Stops every issue of a newsletter that is being sent to real people; returns their numbers."""
        being_sent = issues.c.state.in_((IssueState.SENDING.value, IssueState.PAUSED.value))
        statement = (
            issues.update()
            .where(being_sent, issues.c.kind != IssueKind.MESSAGE.value, issues.c.sandbox.is_(False))
            .values(state=IssueState.HELD.value, hold_reasons=msgspec.json.encode([reason]).decode())
            .returning(issues.c.id)
        )
        async with self._database.write() as connection:
            return tuple(sorted(await connection.scalars(statement)))

    async def release(self, issue: int, now: datetime) -> bool:
        """Lets a held or paused issue go: its alarms count anew, and a relay that is left alone is tried at once.

        Mail with a story that changed while it waited is decided anew.
        """
        stopped = (IssueState.HELD.value, IssueState.PAUSED.value)
        async with self._database.write() as connection:
            done = await connection.execute(
                issues.update()
                .where(issues.c.id == issue, issues.c.state.in_(stopped))
                .values(state=IssueState.SENDING.value, hold_reasons="[]", stop_reason=None, released_at=micros(now))
            )
            if done.rowcount != 1:
                return False
            await connection.execute(_CHANGED_SINCE.where(deliveries.c.issue_id == issue))
            refused = deliveries.c.state == DeliveryState.DEFERRED.value
            await connection.execute(
                deliveries.update()
                .where(deliveries.c.issue_id == issue, refused, deliveries.c.reason == "refused")
                .values(reason=None)
            )
            await connection.execute(
                relays.update().where(relays.c.open_until > micros(now)).values(open_until=micros(now))
            )
        return True

    async def cancel(self, issue: int, now: datetime) -> bool:
        """Ends an issue: whoever has not got it will not; mail that is on its way is not called back."""
        waiting = (DeliveryState.PENDING.value, DeliveryState.DEFERRED.value)
        async with self._database.write() as connection:
            done = await connection.execute(
                issues.update()
                .where(issues.c.id == issue, issues.c.state.in_(_CANCELLABLE))
                .values(state=IssueState.CANCELLED.value, finished_at=micros(now), stop_reason="operator")
            )
            if done.rowcount != 1:
                return False
            await connection.execute(
                deliveries.update()
                .where(deliveries.c.issue_id == issue, deliveries.c.state.in_(waiting))
                .values(state=DeliveryState.CANCELLED.value, ended_at=micros(now), reason="operator")
            )
        return True

    async def retry(self, issue: int, now: datetime) -> int:
        """Sends once more to everybody whose mail was refused, expired or uncertain; returns how many they are.

        What it brings is decided anew: nobody looked at it after it had ended. What may have arrived once stays so.
        """
        failed = (DeliveryState.UNCERTAIN.value, DeliveryState.REJECTED.value, DeliveryState.EXPIRED.value)
        finished = (IssueState.DONE.value, IssueState.DONE_WITH_UNCERTAIN.value, IssueState.SENDING.value)
        async with self._database.write() as connection:
            state = sa.select(issues.c.state).where(issues.c.id == issue).with_for_update()
            if (await connection.execute(state)).scalar() not in finished:
                return 0
            moved = await connection.execute(
                deliveries.update()
                .where(deliveries.c.issue_id == issue, deliveries.c.state.in_(failed))
                .values(
                    state=DeliveryState.PENDING.value,
                    next_at=micros(now),
                    attempts=0,
                    refusals=0,
                    resends=sa.case(
                        (deliveries.c.state == DeliveryState.UNCERTAIN.value, 1), else_=deliveries.c.resends
                    ),
                    decided_at=IN_DOUBT,
                    ended_at=None,
                    reason=None,
                )
            )
            if moved.rowcount:
                await connection.execute(_OVERTAKEN.where(variants.c.issue_id == issue))
                again = {"state": IssueState.SENDING.value, "finished_at": None, "sending_at": None}
                once_more = issues.update().where(issues.c.id == issue, issues.c.state.in_(finished))
                await connection.execute(once_more.values(**again, released_at=micros(now)))
        return moved.rowcount

    async def _move(self, issue: int, before: Iterable[IssueState], after: IssueState, **values: object) -> bool:
        statement = (
            issues.update()
            .where(issues.c.id == issue, issues.c.state.in_([state.value for state in before]))
            .values(state=after.value, **values)
        )
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount == 1

    # Service mail ---------------------------------------------------------------------------------------------------

    async def newest(self, newsletter: str) -> Issue | None:
        """Returns the latest issue on a newsletter's own clock that was let go in the present mode, if there is one."""
        query = (
            _issues()
            .where(
                issues.c.newsletter == newsletter,
                issues.c.on_web,
                issues.c.state.in_(_LET_GO),
                issues.c.sandbox.is_(self._sandbox),
            )
            .order_by(issues.c.id.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _issue(row) if row else None

    async def introduce(self, event: str, subscriber: int, newsletter: str, variant: Variant, now: datetime) -> bool:
        """Queues a newsletter's latest issue to one person, once per `event`; False when that was done before."""
        return await self._post(event, subscriber, IssueKind.INTRODUCTION, newsletter, variant, now)

    async def post(self, event: str, subscriber: int, language: str, mail: MailText, now: datetime) -> bool:
        """Queues one mail to one person, once per `event`; returns False when that event was already queued."""
        variant = Variant(language=language, form=MESSAGE_FORM, stories=(), mail=mail)
        return await self._post(event, subscriber, IssueKind.MESSAGE, None, variant, now)

    async def _post(
        self, event: str, subscriber: int, kind: IssueKind, newsletter: str | None, variant: Variant, now: datetime
    ) -> bool:
        values = {
            "kind": kind.value,
            "newsletter": newsletter,
            "event": event,
            "state": IssueState.SENDING.value,
            "subject": variant.mail.subject,
            "planned_at": micros(now),
            "expected": 1,
            "sandbox": self._sandbox,
        }
        statement = self._database.insert(issues).values(values).on_conflict_do_nothing().returning(issues.c.id)
        async with self._database.write() as connection:
            if kind is IssueKind.INTRODUCTION:  # brings stories: no planner may take its number for an older one
                await lock_planning(self._database, connection)
            row = (await connection.execute(statement)).first()
            if row is None:
                return False
            number = await add_variant(self._database, connection, row.id, event, variant)
            await connection.execute(deliveries.insert().values(delivery_row(row.id, (subscriber, number, False), now)))
        return True

    # Wishes of the command line -------------------------------------------------------------------------------------

    async def request_send(self, newsletter: str, options: dict[str, Any], now: datetime) -> int:
        """Leaves a wish for the running service to send a newsletter; returns its number."""
        values = {
            "newsletter": newsletter,
            "options": msgspec.json.encode(options).decode(),
            "requested_at": micros(now),
        }
        async with self._database.write() as connection:
            row = (await connection.execute(send_requests.insert().values(values).returning(send_requests.c.id))).one()
        return int(row.id)

    async def take_requests(self, now: datetime) -> list[SendRequest]:
        """Returns the wishes that nobody took before, each to one caller only, oldest first."""
        statement = (
            send_requests.update()
            .where(send_requests.c.taken_at.is_(None))
            .values(taken_at=micros(now))
            .returning(*send_requests.c)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(statement)).all()
        return sorted((_request(row) for row in rows), key=lambda request: request.number)

    async def answer_request(self, number: int, issue: int | None, answer: dict[str, Any]) -> None:
        """Says what came of a wish."""
        values = {"issue_id": issue, "answer": msgspec.json.encode(answer).decode()}
        async with self._database.write() as connection:
            await connection.execute(send_requests.update().where(send_requests.c.id == number).values(values))

    async def request(self, number: int) -> SendRequest | None:
        """Returns one wish with what came of it so far."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(send_requests).where(send_requests.c.id == number))).first()
        return _request(row) if row else None


_LET_GO = tuple(
    state.value for state in (IssueState.SENDING, IssueState.PAUSED, IssueState.DONE, IssueState.DONE_WITH_UNCERTAIN)
)
_TO_ONE = (IssueKind.MESSAGE.value, IssueKind.INTRODUCTION.value)
_NOT_REACHED = tuple(
    state.value
    for state in (
        DeliveryState.DEFERRED,
        DeliveryState.UNCERTAIN,
        DeliveryState.REJECTED,
        DeliveryState.SUPPRESSED,
        DeliveryState.CANCELLED,
        DeliveryState.EXPIRED,
    )
)
_CANCELLABLE = tuple(state.value for state in (IssueState.HELD, IssueState.SENDING, IssueState.PAUSED))


def _cohort(row: Any) -> Cohort:
    return Cohort(
        number=row.id,
        newsletter=row.newsletter,
        cadence=row.cadence,
        timezone=row.timezone,
        created_at=moment(row.created_at),
    )


def _open_slot(row: Any) -> OpenSlot:
    return OpenSlot(
        number=row.id,
        cohort=row.cohort_id,
        newsletter=row.newsletter,
        cadence=row.cadence,
        timezone=row.timezone,
        period=row.period,
        due_at=moment(row.due_at),
    )


def _issues() -> sa.Select[Any]:
    return sa.select(issues, slots.c.period, slots.c.due_at, cohorts.c.cadence, cohorts.c.timezone).select_from(
        issues.outerjoin(slots, slots.c.id == issues.c.slot_id).outerjoin(cohorts, cohorts.c.id == slots.c.cohort_id)
    )


def _issue(row: Any) -> Issue:
    return Issue(
        number=row.id,
        kind=IssueKind(row.kind),
        newsletter=row.newsletter,
        edition=row.edition or 0,
        state=IssueState(row.state),
        subject=row.subject,
        planned_at=moment(row.planned_at),
        expected=row.expected,
        hold_reasons=reasons_of(row.hold_reasons),
        stop_reason=row.stop_reason or "",
        cadence=row.cadence or "",
        timezone=row.timezone or "",
        period=row.period or "",
        due_at=maybe_moment(row.due_at),
        event=row.event or "",
        sandbox=row.sandbox,
        on_web=row.on_web,
    )


async def _new(
    connection: AsyncConnection, slot: OpenSlot, window: tuple[datetime, datetime], now: datetime, sandbox: bool
) -> dict[str, Any]:
    return {
        "kind": IssueKind.DIGEST.value,
        "newsletter": slot.newsletter,
        "edition": await _next_edition(connection, slot.newsletter),
        "slot_id": slot.number,
        "state": _UNPLANNED,
        "window_from": micros(window[0]),
        "window_until": micros(window[1]),
        "planned_at": micros(now),
        "sandbox": sandbox,
    }


async def _next_edition(connection: AsyncConnection, newsletter: str) -> int:
    highest = sa.select(sa.func.coalesce(sa.func.max(issues.c.edition), 0)).where(issues.c.newsletter == newsletter)
    return int((await connection.execute(highest)).scalar_one()) + 1


async def add_variant(
    database: Database, connection: AsyncConnection, issue: int, outcome: str, variant: Variant
) -> int:
    """Adds a frozen rendering in a transaction that holds the planning lock; returns its key, or that of its twin.

    It is stale from the beginning when one of its stories was recalled after it was read for it.
    """
    made = [(_frozen(issue, outcome, variant), variant.stories)]
    return (await _add(database, connection, issue, made))[outcome]


def _frozen(issue: int, outcome: str, variant: Variant) -> dict[str, Any]:
    """Returns a variant's row; packing its words takes a while, in which no transaction should be open."""
    return {
        "issue_id": issue,
        "outcome": outcome,
        "language": variant.language,
        "form": variant.form,
        "subject": variant.mail.subject,
        "preheader": variant.mail.preheader,
        "newsletter": variant.newsletter,
        "html": zlib.compress(variant.mail.html.encode()),
        "text": zlib.compress(variant.mail.text.encode()),
    }


async def _add(
    database: Database,
    connection: AsyncConnection,
    issue: int,
    made: Sequence[tuple[dict[str, Any], Sequence[StoryRef]]],
) -> dict[str, int]:
    statement = database.insert(variants).on_conflict_do_nothing().returning(variants.c.outcome, variants.c.id)
    rows = await connection.execute(statement, [values for values, _ in made])
    fresh: dict[str, int] = {row.outcome: row.id for row in rows}
    stories = [
        row
        for values, refs in made
        if values["outcome"] in fresh
        for row in _story_rows(fresh[values["outcome"]], refs)
    ]
    if stories:
        await connection.execute(variant_stories.insert(), stories)
        await connection.execute(_OVERTAKEN.where(variants.c.id.in_(fresh.values())))
    twins = [values["outcome"] for values, _ in made if values["outcome"] not in fresh]
    if not twins:
        return fresh
    query = sa.select(variants.c.outcome, variants.c.id)
    same = query.where(variants.c.issue_id == issue, variants.c.outcome.in_(twins))
    return fresh | {row.outcome: row.id for row in await connection.execute(same)}


# A story was killed, held, withdrawn or corrected after it was read for them.
_OVERTAKEN = (
    variants.update()
    .where(
        sa.exists().where(
            variant_stories.c.variant_id == variants.c.id,
            article_versions.c.article_id == variant_stories.c.article_id,
            article_versions.c.version > variant_stories.c.version,
            article_versions.c.recalls,
        ),
    )
    .values(stale=True)
)


# Whoever let the issue go saw the stories as they are now.
_CHANGED_SINCE = (
    deliveries.update()
    .where(
        deliveries.c.state.in_([state.value for state in DUE]),
        deliveries.c.variant_id.in_(
            sa.select(variant_stories.c.variant_id).join(
                article_versions,
                sa.and_(
                    article_versions.c.article_id == variant_stories.c.article_id,
                    article_versions.c.version > variant_stories.c.version,
                ),
            )
        ),
    )
    .values(decided_at=IN_DOUBT)
)


def _story_rows(variant: int, stories: Iterable[StoryRef]) -> list[dict[str, Any]]:
    return [
        {
            "variant_id": variant,
            "position": position,
            "article_id": story.article,
            "version": story.version,
            "depth": story.depth.value,
            "mention": story.mention.value,
        }
        for position, story in enumerate(stories, start=1)
    ]


def delivery_row(issue: int, row: tuple[int, int, bool], now: datetime) -> dict[str, Any]:
    """Returns the columns of a recipient's (subscriber, variant, suppressed) new row."""
    subscriber, variant, suppressed = row
    return {
        "issue_id": issue,
        "subscriber_id": subscriber,
        "variant_id": variant,
        "state": (DeliveryState.SUPPRESSED if suppressed else DeliveryState.PENDING).value,
        "next_at": micros(now),
        "ended_at": micros(now) if suppressed else None,
        "reason": "suppressed" if suppressed else None,
    }


_SUBSCRIBER = 32
_VARIANT = 1


def _packed(shares: Iterable[Recipients]) -> list[int]:
    """Returns recipients in order, each as one number of 63 bits: subscriber, variant, whether suppressed.

    That is what both databases take in and take apart fastest, many at a time.
    """
    return sorted(
        number << _SUBSCRIBER | share.variant << _VARIANT | share.suppressed
        for share in shares
        for number in share.readers
    )


def _new_rows(database: Database) -> "sqlite.Insert | postgresql.Insert":
    """Returns the statement that gives `recipients`, as `_packed` has them, their rows in an issue."""
    value = sa.cast(database.each("recipients").c.value, sa.BigInteger)
    subscriber, variant = (value.bitwise_rshift(sa.literal_column(str(place))) for place in (_SUBSCRIBER, _VARIANT))
    variant = variant.bitwise_and(sa.literal_column(str((1 << _SUBSCRIBER - _VARIANT) - 1)))
    suppressed = value.bitwise_and(sa.literal_column("1")) == sa.literal_column("1")
    at = sa.bindparam("at", type_=sa.BigInteger)
    columns = {
        "issue_id": sa.bindparam("issue", type_=sa.BigInteger),
        "subscriber_id": subscriber,
        "variant_id": variant,
        "state": sa.case((suppressed, DeliveryState.SUPPRESSED.value), else_=DeliveryState.PENDING.value),
        "next_at": at,
        "ended_at": sa.case((suppressed, at)),
        "reason": sa.case((suppressed, "suppressed")),
    }
    # Without a condition SQLite takes ON CONFLICT for part of the SELECT.
    rows = sa.select(*columns.values()).where(sa.true())
    new = database.insert(deliveries).from_select(list(columns), rows).on_conflict_do_nothing()
    return new.execution_options(preserve_rowcount=True)


async def _counted(connection: AsyncConnection, issue: int, more: int) -> int:
    """Counts rows in the transaction that adds them, so that nobody waits at the end while a million is counted.

    Returns the highest number of a row.
    """
    highest = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.id), 0)).scalar_subquery()
    counted = issues.update().where(issues.c.id == issue).values(expected=issues.c.expected + more)
    return int((await connection.execute(counted.returning(highest))).scalar_one())


async def hold(connection: AsyncConnection, issue: int) -> None:
    """Holds an issue before its rows are counted: who is erased meanwhile is counted off either before or after."""
    await connection.execute(sa.select(issues.c.id).where(issues.c.id == issue).with_for_update())


async def _let_go(connection: AsyncConnection, issue: int, expected: int, values: Mapping[str, Any]) -> bool:
    """Ends an issue's planning when it has as many rows as were `expected`.

    That is what was counted with the rows. Only where it is another number, as somebody was erased meanwhile, say,
    the rows themselves are counted, which takes a while.
    """
    await hold(connection, issue)
    rows = sa.select(sa.func.count()).where(deliveries.c.issue_id == issue).scalar_subquery()
    for counted in (issues.c.expected, rows):
        planned = sa.and_(issues.c.id == issue, issues.c.state == _UNPLANNED, counted == expected)
        if (await connection.execute(issues.update().where(planned).values(**values))).rowcount:
            return True
    return False


def overtaken(issue: int, first: int, last: int, mark: int) -> sa.ScalarSelect[int]:
    """Returns the first mail that since `mark` another issue planned to subscribers from `first` to `last`; or NULL."""
    # Only the few newest rows are to be read. Without the guards, SQLite would rather read all that these people ever
    # got, and PostgreSQL all that other issues have.
    reader, other = (sa.func.coalesce(deliveries.c[name], 0) for name in ("subscriber_id", "issue_id"))
    of = issues.alias()
    return (
        sa.select(deliveries.c.id)
        .join(of, of.c.id == other)
        .where(
            deliveries.c.id > mark,
            other != issue,
            reader.between(first, last),
            of.c.kind != IssueKind.MESSAGE.value,
        )
        .order_by(deliveries.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _unreached(row: Any) -> Unreached:
    code = "" if row.reply_code is None else f"{row.reply_code} "
    return Unreached(
        address=row.address,
        state=DeliveryState(row.state),
        reason=row.reason or "",
        reply=f"{code}{row.reply_text or ''}".strip(),
    )


def reasons_of(text: str) -> tuple[str, ...]:
    """Returns why an issue is held, as a row keeps it."""
    return _REASONS.decode(text)


def _request(row: Any) -> SendRequest:
    return SendRequest(
        number=row.id,
        newsletter=row.newsletter,
        options=_OPTIONS.decode(row.options),
        requested_at=moment(row.requested_at),
        taken_at=maybe_moment(row.taken_at),
        issue=row.issue_id,
        answer=_OPTIONS.decode(row.answer) if row.answer else None,
    )
