"""Plans issues: which slots are due, who gets what in them, and when an issue may go.

The store's unique keys decide; this may run in two processes at once, and be
killed anywhere, and is simply done again: the same slot, the same issue, the
same rows. An issue goes only when every row is there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from publisher.errors import NotFoundError, PublisherError, UnreachableError, UsageError
from publisher.model.article import Article
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.issue import (
    Cohort,
    Issue,
    IssueState,
    Mention,
    OpenSlot,
    Recipients,
    SendRequest,
    SlotState,
    Variant,
)
from publisher.model.reader import Alike
from publisher.newsletters.caution import AT_ONCE, Plan, approval, hold_reasons, missed
from publisher.newsletters.schedule import INSTANT, Due, Schedule, next_slot, parse, slots
from publisher.ports import Articles, IssueStore, ReaderStore
from publisher.services.crowd import RANGE, Crowd, Crowds, Range
from publisher.services.draft import Drafting, Occasion, Outcome
from publisher.services.offers import FLASH, SETTLE

_MANUAL = "manual"
_TOGETHER = 20
"""Variants per transaction."""
_BEYOND = 2**62
_INSTANT_REACH = timedelta(days=7)
"""A story that could not go out at once, because nothing ran, still does within a week."""
_UNSETTLED_WAIT = timedelta(minutes=1)
"""How long a slot waits for a story that is being written; then it goes without."""
_TRIES = 5
CHANGED = frozenset({Mention.UPDATED, Mention.CORRECTED})
"""Mentions of stories that the readers have in an earlier version."""
_log = structlog.get_logger(__name__)


class _OvertakenError(PublisherError):
    """Others planned mail to the same people, again and again: this slot waits for its next turn."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What came of somebody's word to send: an issue, or reasons why it is held; neither: nothing was pending."""

    issue: Issue | None = None
    held: tuple[str, ...] = ()


class Planning:
    """The ledger's planner."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        issues: IssueStore,
        readers: ReaderStore,
        articles: Articles,
        drafting: Drafting,
        sandbox: bool,
        restored: bool = False,
        page: int = RANGE,
    ) -> None:
        self._catalogue = catalogue
        self._issues = issues
        self._readers = readers
        self._articles = articles
        self._drafting = drafting
        self._crowds = Crowds(drafting, readers, sandbox=sandbox)
        self._sandbox = sandbox
        self._restored = restored
        self._page = page

    # What is due ----------------------------------------------------------------------------------------------------

    async def begin(self, now: datetime) -> None:
        """Notes since when instant newsletters are there: to be said before the folder is looked at.

        What comes in from then on goes out with the first run, however much later that is.
        """
        for newsletter in self._catalogue.newsletters.values():
            if newsletter.at_once:
                await self._issues.cohort(newsletter.id, INSTANT, newsletter.timezone, now)

    async def due(self, now: datetime) -> list[Issue]:
        """Plans every slot that is due, and those whose planning was cut short; returns what may go now, or is held."""
        for newsletter in self._catalogue.newsletters.values():
            if newsletter.at_once:
                await self._grant_stories(newsletter, now)
            await self._grant_slots(newsletter, now)
        planned = []
        for slot in await self._issues.open_slots():
            if not is_manual(slot.cadence) and slot.newsletter in self._catalogue.newsletters:
                issue = await self._plan_or_report(slot, now)
                planned += [issue] if issue is not None else []
        return planned

    async def _plan_or_report(self, slot: OpenSlot, now: datetime) -> Issue | None:
        """Plans a slot; what is wrong with one newsletter (its template, say) keeps no other from going out."""
        try:
            return await self._plan(slot, self._occasion(slot, now), now)
        except UnreachableError:
            raise
        except PublisherError as error:
            _log.error("plan.failed", newsletter=slot.newsletter, slot=slot.period, error=str(error))
            return None

    async def next_due(self, now: datetime) -> datetime | None:
        """Returns when `due` has something to do next, as far as is known now; None: nothing is scheduled."""
        moments = [now + SETTLE for slot in await self._issues.open_slots() if not is_manual(slot.cadence)]
        ahead = await self.ahead(now)
        return min([*moments, *([ahead] if ahead else [])], default=None)

    async def ahead(self, now: datetime) -> datetime | None:
        """Returns when the next slot is due, or the next story at once; None: none is, as far as is known now."""
        moments: list[datetime] = []
        for newsletter in self._catalogue.newsletters.values():
            for schedule, zone in await self.clocks(newsletter):
                upcoming = next_slot(schedule, zone, now)
                moments += [upcoming.due_at] if upcoming else []
            if newsletter.at_once:
                moments += await self._stories_ahead(newsletter, now)
        return min(moments, default=None)

    async def _stories_ahead(self, newsletter: Newsletter, now: datetime) -> list[datetime]:
        grace = _grace(newsletter)
        recent = await self._articles.first_published(now - grace - SETTLE, now)
        ready = (max(_due_at(story, grace), story.revised_at + SETTLE) for story in recent)
        return [at for at in ready if at > now]

    @property
    def newsletters(self) -> list[Newsletter]:
        """Returns the publication's newsletters, in config's order."""
        return list(self._catalogue.newsletters.values())

    @property
    def language(self) -> str:
        """Returns the publication's own language."""
        return self._catalogue.site.language

    async def clocks(self, newsletter: Newsletter) -> list[tuple[Schedule, str]]:
        """Returns the rhythms and zones of a newsletter's readers, its own first; `instant` is none of them."""
        own = parse(newsletter.schedule)
        found = dict.fromkeys(
            [
                (own.text, newsletter.timezone),
                *await self._readers.clocks(newsletter.id, own.text, newsletter.timezone),
            ]
        )
        clocks = (_clock(newsletter, cadence, zone) for cadence, zone in found if cadence != INSTANT)
        return [clock for clock in clocks if clock is not None]

    async def _grant_slots(self, newsletter: Newsletter, now: datetime) -> None:
        for schedule, zone in await self.clocks(newsletter):
            cohort = await self._issues.cohort(newsletter.id, schedule.text, zone, now)
            last = await self._issues.last_slot(cohort.number)
            after = max(last or cohort.created_at, cohort.created_at)
            due = slots(schedule, zone, after, now)
            decided = missed(due, now, newsletter.late)
            for slot in sorted((*decided.skipped, *decided.run)):
                skipped = slot in decided.skipped
                state = SlotState.SKIPPED_LATE if skipped else SlotState.GRANTED
                if await self._issues.grant_slot(cohort.number, slot.period, slot.due_at, now, state) and skipped:
                    _log.warning("plan.skipped_late", newsletter=newsletter.id, slot=slot.period)

    async def _grant_stories(self, newsletter: Newsletter, now: datetime) -> None:
        """Grants a slot to each story that came out, to each update of a flash, and to what is out again.

        A hold may have kept a story from some of its readers; those who have it get nothing again.
        """
        cohort = await self._issues.cohort(newsletter.id, INSTANT, newsletter.timezone, now)
        grace = _grace(newsletter)
        after = max(cohort.created_at, now - _INSTANT_REACH)
        stories = await self._articles.first_published(after, now - grace)
        updates = await self._issues.changes("updated", after, now - grace)
        releases = await self._issues.changes("released", after, now - grace)
        changes = {
            number: max(at[number] for at in (updates, releases) if number in at) for number in updates | releases
        }
        changed = (await self._articles.by_numbers(changes)).values()
        returned = [story for story in changed if story.urgency <= FLASH or story.number in releases]
        if not stories and not returned:
            return
        granted = await self._issues.periods(cohort.number, after)
        begun = {period.split(":")[1] for period in granted}
        fresh = [
            Due(due_at=_due_at(story, grace), period=f"story:{story.number}:{story.version}")
            for story in stories
            if str(story.number) not in begun and self._goes_at_once(newsletter, story, now)
        ]
        again = [
            Due(due_at=changes[story.number][1] + grace, period=f"story:{story.number}:{changes[story.number][0]}")
            for story in returned
            if str(story.number) in begun and self._goes_at_once(newsletter, story, now)
        ]
        due = [slot for slot in (*fresh, *again) if slot.period not in granted and slot.due_at <= now]
        await self._grant_late_or_not(newsletter, cohort, due, now)

    async def _grant_late_or_not(
        self, newsletter: Newsletter, cohort: Cohort, due: Sequence[Due], now: datetime
    ) -> None:
        for slot in sorted(due):
            skipped = bool(missed([slot], now, newsletter.late).skipped)
            state = SlotState.SKIPPED_LATE if skipped else SlotState.GRANTED
            await self._issues.grant_slot(cohort.number, slot.period, slot.due_at, now, state)

    def _goes_at_once(self, newsletter: Newsletter, story: Article, now: datetime) -> bool:
        return story.revised_at + SETTLE <= now and self._drafting.wants(newsletter, story)

    # Planning one slot ----------------------------------------------------------------------------------------------

    def _occasion(self, slot: OpenSlot, now: datetime) -> Occasion:
        newsletter = self._catalogue.newsletters[slot.newsletter]
        return self._by_itself(newsletter, slot, slot.due_at, now)

    def occasion_of(self, issue: Issue, now: datetime) -> Occasion | None:
        """Returns the occasion an issue was planned on, with rights as of `now`; None: its newsletter is no more."""
        newsletter = self._catalogue.newsletters.get(issue.newsletter or "")
        if newsletter is None or issue.due_at is None:
            return None
        if is_manual(issue.cadence):
            return self.by_hand(newsletter, now, issue.due_at, segment=issue.cadence.partition("/")[2])
        return self._by_itself(newsletter, issue, issue.due_at, now)

    def _by_itself(self, newsletter: Newsletter, of: OpenSlot | Issue, due_at: datetime, now: datetime) -> Occasion:
        """Returns the occasion that a slot makes without anybody's word: its story's, or its cohort's hour."""
        if of.cadence != INSTANT:
            return self.scheduled(newsletter, parse(of.cadence), of.timezone, due_at, now)
        return Occasion(
            newsletter=newsletter,
            schedule=parse(INSTANT),
            zone=of.timezone,
            at=due_at,
            until=due_at,
            decided_at=max(due_at, now),
            article=int(of.period.split(":")[1]),
        )

    def scheduled(
        self, newsletter: Newsletter, schedule: Schedule, zone: str, due_at: datetime, now: datetime
    ) -> Occasion:
        """Returns the occasion that a slot is for the readers on its clock."""
        return Occasion(
            newsletter=newsletter,
            schedule=schedule,
            zone=zone,
            at=due_at,
            until=due_at - _grace(newsletter),
            decided_at=max(due_at, now),
        )

    async def _plan(self, slot: OpenSlot, occasion: Occasion, now: datetime, *, released: bool = False) -> Issue | None:
        """Brings a slot's planning to its end; returns its issue, None when there is nothing to send or to do."""
        if not await self._is_ours(slot):
            return None
        pool = await self._drafting.pool(occasion, now)
        if pool.unsettled and (occasion.article is not None or now - slot.due_at < _UNSETTLED_WAIT):
            return None
        issue, last = await self._issues.of_slot(slot.number), 0
        readers: Counter[int] = Counter()
        if issue is None and not pool.offers:
            await self._issues.close_empty(slot.number)  # whoever reads it: there is nothing to say
            return None
        crowd = await self._crowds.of(occasion, pool, planning=True)
        async with aclosing(crowd.ranges(self._page)) as ranges:
            async for some in ranges:
                issue, planned = await self._plan_range(slot, occasion, crowd, some, issue, now)
                readers, last = readers + planned, some.last
        if issue is None:
            await self._issues.close_empty(slot.number)
            return None
        # Rows of readers who have left since they were planned: delivery will say so.
        readers.update((await self._issues.planned(issue.number, last + 1, _BEYOND)).values())
        expected = readers.total()
        if not expected:
            await self._issues.close_empty(slot.number, issue.number)
            return None
        reasons = () if released else await self._hold_reasons(slot, issue, expected, now)
        state = await self._issues.finish_planning(issue.number, readers, reasons)
        if state is None:
            return await self._as_others_left_it(issue)
        _log.info(
            "plan.done",
            newsletter=slot.newsletter,
            slot=slot.period,
            issue=issue.number,
            planned=expected,
            state=state.value,
        )
        return await self._issues.issue(issue.number)

    async def _is_ours(self, slot: OpenSlot) -> bool:
        """Returns whether a slot's issue, if it was begun, was begun in the present mode: sandbox, or real people."""
        begun = await self._issues.of_slot(slot.number)
        return begun is None or begun.sandbox is self._sandbox

    async def _as_others_left_it(self, issue: Issue) -> Issue | None:
        """Returns an issue that another planner brought to its end meanwhile; None when there is more to do."""
        found = await self._issues.issue(issue.number)
        return found if found and found.state is not IssueState.PLANNING else None

    async def _plan_range(
        self,
        slot: OpenSlot,
        occasion: Occasion,
        crowd: Crowd,
        some: Range,
        issue: Issue | None,
        now: datetime,
    ) -> tuple[Issue | None, Counter[int]]:
        """Gives some readers their rows; returns the issue, if there is one by now, and how many have each variant."""
        for _ in range(_TRIES):
            done = await self._issues.planned(issue.number, some.first, some.last) if issue else {}
            outcomes = crowd.drafts.draft(_without(done, some.readers), some.coverage).outcomes
            if not outcomes:
                return issue, Counter(done.values())
            if issue is None:
                window = (occasion.looks_back_to, occasion.until)
                on_web = _is_own(occasion.newsletter, slot)
                issue = await self._issues.begin(slot, window, now, sandbox=self._sandbox, on_web=on_web)
            if issue is None or issue.state is not IssueState.PLANNING:
                return issue, Counter()
            shares = await self._shares(issue, occasion, crowd, outcomes)
            if await self._issues.add_deliveries(issue.number, shares, some.coverage.mark, now):
                readers = Counter(done.values())
                for share in shares:
                    readers[share.variant] += len(share.readers)
                return issue, readers
            some = await crowd.look(some.first, some.last)
        raise _OvertakenError(f"issue {issue.number if issue else '?'} was overtaken by other plans")

    async def _shares(
        self, issue: Issue, occasion: Occasion, crowd: Crowd, outcomes: Mapping[str, Outcome]
    ) -> list[Recipients]:
        """Returns who gets which variant; what nobody has got so far is frozen first."""
        if not crowd.frozen:
            crowd.frozen |= await self._issues.outcomes(issue.number)
        fresh = [key for key in outcomes if key not in crowd.frozen]
        for start in range(0, len(fresh), _TOGETHER):
            made = {key: await self._rendered(issue, occasion, outcomes[key]) for key in fresh[start:][:_TOGETHER]}
            crowd.frozen |= await self._issues.add_variants(issue.number, made)
        shares = [Recipients(crowd.frozen[key], outcome.readers) for key, outcome in outcomes.items()]
        suppressed = [(crowd.frozen[key], one.suppressed) for key, one in outcomes.items() if one.suppressed]
        return shares + [Recipients(variant, readers, suppressed=True) for variant, readers in suppressed]

    async def _rendered(self, issue: Issue, occasion: Occasion, outcome: Outcome) -> Variant:
        web_url = self.web_url(issue, occasion, outcome)
        mail = await self._drafting.mail(occasion, outcome, issue.edition, web_url=web_url)
        return Variant(language=outcome.language, form=outcome.form, stories=outcome.selection.refs, mail=mail)

    def web_url(self, issue: Issue, occasion: Occasion, outcome: Outcome) -> str | None:
        """Returns where an issue stands on the web; None where it does not, or where the public has nothing of it."""
        return self._drafting.web_url(occasion, outcome, issue.edition) if issue.on_web else None

    async def _hold_reasons(self, slot: OpenSlot, issue: Issue, expected: int, now: datetime) -> tuple[str, ...]:
        wanted = approval(self._catalogue.newsletters[slot.newsletter])
        if self._sandbox:
            return wanted
        refs = await self._issues.stories(issue.number)
        stories = await self._articles.by_numbers(ref.article for ref in refs)
        changed = [stories[r.article] for r in refs if r.mention in CHANGED and r.article in stories]
        together = await self._came_with(stories.values()) if slot.cadence == INSTANT else []
        comparable = slot.cadence != INSTANT
        return wanted + hold_reasons(
            Plan(
                recipients=expected,
                last_recipients=await self._issues.real_recipients(slot.cohort) if comparable else None,
                stories=(*stories.values(), *together),
                changed=tuple(changed),
                first=await self._issues.real_recipients() is None,
                restored=self._restored,
                late=timedelta(0) if is_manual(slot.cadence) else now - slot.due_at,
            )
        )

    async def _came_with(self, stories: Collection[Article]) -> list[Article]:
        """Returns the stories that came out together with these: each has its own issue, and they are one event."""
        own = {story.number for story in stories}
        moments = [story.first_published_at for story in stories if story.first_published_at is not None]
        if not moments:
            return []
        around = await self._articles.first_published(min(moments) - AT_ONCE, max(moments) + AT_ONCE)
        return [story for story in around if story.number not in own]

    # On somebody's word ---------------------------------------------------------------------------------------------

    async def send(
        self,
        newsletter_id: str,
        now: datetime,
        *,
        at: datetime | None = None,
        since: datetime | None = None,
        segment: str = "",
        release: bool = False,
    ) -> Sending:
        """Plans an issue now, or goes on with the newsletter's unfinished manual one (decisions 4).

        `at` plans as of another moment, `since` reaches further back, `segment` is for some of the readers,
        `release` lets go what would be held.
        """
        newsletter = self.newsletter(newsletter_id)
        occasion = self.by_hand(newsletter, now, at, since, segment)
        cohort = await self._issues.cohort(newsletter.id, by_hand_of(segment), newsletter.timezone, now)
        issue = await self._issues.unfinished(cohort.number, sandbox=self._sandbox)
        if issue is None or issue.state is IssueState.PLANNING:
            issue = await self._plan_by_hand(cohort, occasion, now, released=release)
        if issue is None or issue.state is not IssueState.HELD:
            return Sending(issue=issue)
        if not release:
            return Sending(issue=issue, held=issue.hold_reasons)
        await self._issues.release(issue.number, now)
        return Sending(issue=await self._issues.issue(issue.number))

    async def answer_requests(self, now: datetime) -> int:
        """Plans what command lines asked of the running service (decisions 16); returns how many asked."""
        requests = await self._issues.take_requests(now)
        for request in requests:
            issue, answer = await self._answer(request, now)
            await self._issues.answer_request(request.number, issue, answer)
        return len(requests)

    async def _answer(self, request: SendRequest, now: datetime) -> tuple[int | None, dict[str, Any]]:
        wish = request.options
        try:
            sending = await self.send(
                request.newsletter,
                now,
                at=_maybe_moment(wish.get("at")),
                since=_maybe_moment(wish.get("since")),
                segment=str(wish.get("segment") or ""),
                release=bool(wish.get("yes")),
            )
        except PublisherError as error:
            return None, {"error": str(error)}
        number = sending.issue.number if sending.issue else None
        return number, {"held": list(sending.held)} if sending.held else {"issue": number}

    async def _plan_by_hand(self, cohort: Cohort, occasion: Occasion, now: datetime, *, released: bool) -> Issue | None:
        slot = await self._manual_slot(cohort, now)
        for _ in range(_TRIES):
            issue = await self._plan(slot, occasion, now, released=released)
            if issue is not None or await self._issues.of_slot(slot.number) is None:
                return issue
        raise _OvertakenError("others are planning mail to the same people; try again in a moment")

    async def _manual_slot(self, cohort: Cohort, now: datetime) -> OpenSlot:
        """Returns the cohort's open slot, granted now if there is none."""
        for _ in range(2):
            for slot in await self._issues.open_slots():
                if slot.cohort == cohort.number and await self._is_ours(slot):
                    return slot
            await self._issues.grant_manual_slot(cohort.number, now)
        raise AssertionError("a slot that was just granted is open")

    def newsletter(self, newsletter_id: str) -> Newsletter:
        """Returns a newsletter of the publication; NotFoundError names those there are."""
        found = self._catalogue.newsletters.get(newsletter_id)
        if found is None:
            names = ", ".join(self._catalogue.newsletters) or "none"
            raise NotFoundError(f"there is no newsletter {newsletter_id!r} in config.toml; there are: {names}")
        return found

    def by_hand(
        self,
        newsletter: Newsletter,
        now: datetime,
        at: datetime | None = None,
        since: datetime | None = None,
        segment: str = "",
    ) -> Occasion:
        """Returns the occasion that somebody's word makes: for readers of all clocks, and without grace.

        `segment`: only for those of the readers who are in it; UsageError when there is none of that name.
        """
        at = at or now
        if segment and segment not in self._catalogue.segments:
            names = ", ".join(self._catalogue.segments) or "none"
            raise UsageError(f"there is no segment {segment!r} in config.toml; there are: {names}")
        segments = (*newsletter.segments, *([segment] if segment else []))
        return Occasion(
            newsletter=replace(newsletter, segments=segments),
            schedule=parse(newsletter.schedule),
            zone=newsletter.timezone,
            at=at,
            until=at,
            decided_at=max(at, now),
            since=since,
            everybody=True,
            impatient=True,
        )


def _without(done: Collection[int], readers: Iterable[Alike]) -> Iterable[Alike]:
    """Returns the readers who have not got their row yet."""
    if not done:
        return readers
    left = (replace(one, numbers=[number for number in one.numbers if number not in done]) for one in readers)
    return [one for one in left if one.numbers]


def is_manual(cadence: str) -> bool:
    """Returns whether a cohort's issues come by somebody's word."""
    return cadence.partition("/")[0] == _MANUAL


def by_hand_of(segment: str) -> str:
    """Returns the cadence of the cohort for issues by hand; those for a segment have one of their own."""
    return f"{_MANUAL}/{segment}" if segment else _MANUAL


def _clock(newsletter: Newsletter, cadence: str, zone: str) -> tuple[Schedule, str] | None:
    try:
        ZoneInfo(zone)
        return parse(cadence), zone
    except (ValueError, ZoneInfoNotFoundError) as error:
        _log.error("plan.clock", newsletter=newsletter.id, cadence=cadence, timezone=zone, error=str(error))
        return None


def _is_own(newsletter: Newsletter, slot: OpenSlot) -> bool:
    """Returns whether a slot is on its newsletter's own clock: these issues are its archive (decisions 4)."""
    return (slot.cadence, slot.timezone) == (parse(newsletter.schedule).text, newsletter.timezone)


def _maybe_moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _grace(newsletter: Newsletter) -> timedelta:
    return timedelta(seconds=newsletter.grace_seconds)


def _due_at(story: Article, grace: timedelta) -> datetime:
    return (story.first_published_at or datetime.max.replace(tzinfo=UTC)) + grace
