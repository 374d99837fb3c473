"""Looks ahead and changes nothing: one person's mail, a plan without an issue, the issues of the next days."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from publisher.editorial.timing import next_change_at
from publisher.errors import NotFoundError
from publisher.model.article import Article, Status
from publisher.model.catalogue import Newsletter
from publisher.model.issue import MailText
from publisher.model.people import EVERYTHING, Licence
from publisher.model.reader import NOBODY, Coverage, Reader, Sent
from publisher.newsletters.caution import Plan, hold_reasons
from publisher.newsletters.schedule import Due, parse, previous_slot, slots
from publisher.newsletters.selection import Offer, Pick
from publisher.ports import Articles, IssueStore, ReaderStore
from publisher.services.announce import Announcing
from publisher.services.draft import Drafting, LeftOut, Occasion, Outcome, clock_of
from publisher.services.plan import CHANGED, Planning, by_hand_of

_PAGE = 20_000
SUPPRESSED = "the address is suppressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One mail as somebody would get it."""

    newsletter: Newsletter
    reader: Reader
    mail: MailText
    picks: tuple[Pick, ...]
    """The stories, in order."""
    at: datetime
    sample: bool = False
    """Whether nothing was pending, and the newest stories stand in."""

    @property
    def stories(self) -> tuple[str, ...]:
        """Returns the titles."""
        return tuple(pick.article.title for pick in self.picks)


@dataclass(frozen=True, slots=True)
class NoMail:
    """Why somebody would get nothing."""

    reason: str


_NO_STORIES = "no story is out that this newsletter could bring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Readers who would get the same mail."""

    language: str
    stories: tuple[str, ...]
    already_sent: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """An issue that is not made: who would get what, who would not and why, and why it would wait."""

    newsletter: str
    shares: tuple[Share, ...]
    left_out: tuple[tuple[str, str], ...]
    """(address, reason)."""
    held: tuple[str, ...]

    @property
    def planned(self) -> int:
        """Returns how many people would get a mail."""
        return sum(len(share.addresses) for share in self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One slot of the days to come, with what is pending for it as of now."""

    newsletter: str
    slot: str
    timezone: str
    due_at: datetime
    readers: int
    """Confirmed readers on this clock."""
    recipients: int
    stories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calm:
    """What a forecast slot left behind that left nothing pending: until something changes, the next ones are empty."""

    occasion: Occasion
    offers: tuple[Offer, ...]
    turns: frozenset[datetime]
    """When a licence of a reader begins or ends, or stops to reach back to one of the stories."""
    readers: int

    def lasts(self, occasion: Occasion, now: datetime) -> bool:
        """Returns whether nothing that could make a mail changes up to an occasion, as far as is known now."""
        if self.occasion.until < now:
            return False  # stories that are out already become available after their grace
        if not self.offers:
            return True
        before, at = self.occasion.decided_at, occasion.decided_at
        turn = next_change_at([offer.article for offer in self.offers], before)
        # A translation that is too old to be mailed no longer stands for the others.
        oldest = min(offer.update_at or offer.published_at for offer in self.offers)
        return (
            (turn is None or turn > at)
            and not any(before < moment <= at for moment in self.turns)
            and oldest > occasion.looks_back_to
        )


class Previewing:
    """Everything one may want to know before a mail goes out."""

    def __init__(
        self,
        *,
        planning: Planning,
        announcing: Announcing,
        drafting: Drafting,
        issues: IssueStore,
        readers: ReaderStore,
        articles: Articles,
        sandbox: bool,
        restored: bool = False,
    ) -> None:
        self._planning = planning
        self._announcing = announcing
        self._drafting = drafting
        self._issues = issues
        self._readers = readers
        self._articles = articles
        self._sandbox = sandbox
        self._restored = restored

    # One mail -------------------------------------------------------------------------------------------------------

    async def preview(
        self,
        newsletter_id: str,
        now: datetime,
        *,
        address_key: str | None = None,
        at: datetime | None = None,
        since: datetime | None = None,
        test: bool = False,
    ) -> Preview | NoMail:
        """Returns a newsletter's mail as a reader would get it at `at` (now), on their own clock.

        Without an address it is the mail of a reader of everything who has nothing yet; when nothing is pending
        for such a reader, and for a test mail, the newest stories stand in. NotFoundError says what to do about a
        newsletter or reader that nobody knows.
        """
        newsletter = self._planning.newsletter(newsletter_id)
        occasion = self._planning.by_hand(newsletter, now, at, since)
        found = None if address_key is None else await self._reader(newsletter, address_key)
        if address_key is not None and found is None and not test:
            raise NotFoundError(
                f"{address_key} is no confirmed reader of {newsletter.id}: look with `publisher subscribers show "
                f"{address_key}`, add them with `publisher subscribers add {address_key} --confirmed "
                f"--newsletters {newsletter.id}`"
            )
        reader = found or self._anybody(newsletter, occasion)
        occasion = _for(reader, occasion)
        made = await self._pending(occasion, reader, now) if found or not test else NoMail(_NO_STORIES)
        if isinstance(made, Outcome) or (found and not test):
            return await self._shown(occasion, reader, made, test=test, sample=False)
        return await self._shown(occasion, reader, await self._newest(occasion, reader), test=test, sample=True)

    async def _reader(self, newsletter: Newsletter, address_key: str) -> Reader | None:
        own = parse(newsletter.schedule).text
        page = await self._readers.page(
            newsletter.id, own, newsletter.timezone, address_key=address_key, segments=newsletter.segments
        )
        return page[0] if page else None

    def _anybody(self, newsletter: Newsletter, occasion: Occasion) -> Reader:
        """Returns a reader of everything, who joined just before the last slot."""
        return Reader(
            number=0,
            address="reader@example.org",
            language=self._planning.language,
            timezone=newsletter.timezone,
            cadence=parse(newsletter.schedule).text,
            confirmed_at=occasion.looks_back_to if newsletter.instant else self._last_slot(occasion),
            licences=(Licence(subscriber=0, product=EVERYTHING),),
        )

    def _last_slot(self, occasion: Occasion) -> datetime:
        before = previous_slot(occasion.schedule, occasion.zone, occasion.at - timedelta(seconds=1))
        return before.due_at if before else occasion.looks_back_to

    async def _pending(self, occasion: Occasion, reader: Reader, now: datetime) -> Outcome | NoMail:
        pool = await self._drafting.pool(occasion, now)
        numbers = [offer.article.number for offer in pool.offers]
        coverage = await self._readers.coverage(numbers, reader.number, reader.number, sandbox=self._sandbox)
        told = await self._announcing.untold(now)
        return self._first(occasion, reader, pool.offers, _with(coverage, told, [reader]), pool.planned)

    async def _newest(self, occasion: Occasion, reader: Reader) -> Outcome | NoMail:
        """Returns the mail that the newest stories there are would make, whoever has them."""
        out = [
            Offer(article=article, published_at=article.first_published_at)
            for article in await self._articles.current()
            if article.first_published_at is not None and article.status is Status.PUBLISHED
        ]
        newest = sorted(out, key=lambda offer: offer.published_at)
        whenever = replace(occasion, since=newest[0].published_at - timedelta(seconds=1)) if newest else occasion
        return self._first(whenever, reader, newest, NOBODY)

    def _first(
        self,
        occasion: Occasion,
        reader: Reader,
        offers: Sequence[Offer],
        coverage: Coverage,
        planned: Sequence[Article] = (),
    ) -> Outcome | NoMail:
        if not occasion.newsletter.instant:
            draft = self._drafting.draft(occasion, [reader], offers, coverage, planned)
            return draft.outcomes[0] if draft.outcomes else NoMail(draft.left_out[0].reason)
        nothing = NoMail(_NO_STORIES)
        for offer in reversed(offers):
            alone = replace(occasion, article=offer.article.number)
            draft = self._drafting.draft(alone, [reader], [offer], coverage)
            if draft.outcomes:
                return draft.outcomes[0]
            nothing = NoMail(draft.left_out[0].reason)
        return nothing

    async def _shown(
        self, occasion: Occasion, reader: Reader, outcome: Outcome | NoMail, *, test: bool, sample: bool
    ) -> Preview | NoMail:
        if isinstance(outcome, NoMail):
            return outcome
        newsletter = occasion.newsletter
        number = await self._issues.next_edition(newsletter.id)
        own = (reader.cadence, reader.timezone) == (parse(newsletter.schedule).text, newsletter.timezone)
        web_url = self._drafting.web_url(occasion, outcome, number) if own and not test else None
        return Preview(
            newsletter=newsletter,
            reader=reader,
            mail=await self._drafting.mail(occasion, outcome, number, web_url=web_url, test=test),
            picks=outcome.selection.stories,
            at=occasion.at,
            sample=sample,
        )

    # A plan without an issue ----------------------------------------------------------------------------------------

    async def rehearse(
        self,
        newsletter_id: str,
        now: datetime,
        *,
        at: datetime | None = None,
        since: datetime | None = None,
        segment: str = "",
    ) -> Rehearsal:
        """Returns what `send` would do now (or as of `at`), and does nothing."""
        newsletter = self._planning.newsletter(newsletter_id)
        occasion = self._planning.by_hand(newsletter, now, at, since, segment)
        shares: dict[str, Share] = {}
        left_out: list[tuple[str, str]] = []
        picks: dict[int, Pick] = {}
        async for outcomes, others in self._drafts(occasion, now):
            for outcome in outcomes:
                selection = outcome.selection
                for pick in (*selection.stories, *selection.withdrawn):
                    picks.setdefault(pick.article.number, pick)
                shares[outcome.key] = _joined(shares.get(outcome.key), outcome)
                left_out += [(reader.address, SUPPRESSED) for reader in outcome.readers if reader.suppressed]
            left_out += [(one.reader.address, one.reason) for one in others]
        kept = tuple(share for share in shares.values() if share.addresses)
        plan = Plan(
            recipients=sum(len(share.addresses) for share in kept),
            last_recipients=await self._last_recipients(newsletter, segment),
            stories=tuple(pick.article for pick in picks.values()),
            changed=tuple(pick.article for pick in picks.values() if pick.mention in CHANGED),
            first=await self._issues.real_recipients() is None,
            restored=self._restored,
        )
        held = () if self._sandbox or not kept else hold_reasons(plan)
        return Rehearsal(newsletter=newsletter.id, shares=kept, left_out=tuple(left_out), held=held)

    async def _last_recipients(self, newsletter: Newsletter, segment: str) -> int | None:
        cohort = await self._issues.find_cohort(newsletter.id, by_hand_of(segment), newsletter.timezone)
        return await self._issues.real_recipients(cohort.number) if cohort else None

    async def _drafts(
        self, occasion: Occasion, now: datetime
    ) -> AsyncIterator[tuple[Sequence[Outcome], Sequence[LeftOut]]]:
        pool = await self._drafting.pool(occasion, now)
        told = await self._announcing.untold(now)
        numbers = [offer.article.number for offer in pool.offers]
        async for page in self._pages(occasion.newsletter, occasion.clock):
            span = (page[0].number, page[-1].number)
            coverage = await self._readers.coverage(numbers, *span, sandbox=self._sandbox)
            draft = self._drafting.draft(occasion, page, pool.offers, _with(coverage, told, page), pool.planned)
            yield draft.outcomes, draft.left_out

    async def _pages(self, newsletter: Newsletter, clock: tuple[str, str] | None) -> AsyncIterator[list[Reader]]:
        own, last = parse(newsletter.schedule).text, 0
        while True:
            page = await self._readers.page(
                newsletter.id,
                own,
                newsletter.timezone,
                after=last,
                limit=_PAGE,
                clock=clock,
                segments=newsletter.segments,
            )
            if page:
                yield page
                last = page[-1].number
            if len(page) < _PAGE:
                return

    # The days to come -----------------------------------------------------------------------------------------------

    async def simulate(
        self, days: int, now: datetime, progress: Callable[[int, int], None] | None = None
    ) -> list[Forecast]:
        """Returns the slots of the next days in order, with what is pending for each as things stand.

        `progress` is told after each slot how many of how many are done.
        """
        until = now + timedelta(days=days)
        ahead: list[tuple[Due, Occasion]] = []
        for newsletter in self._planning.newsletters:
            for schedule, zone in await self._planning.clocks(newsletter):
                ahead += [
                    (due, self._planning.scheduled(newsletter, schedule, zone, due.due_at, now))
                    for due in slots(schedule, zone, now, until)
                ]
        given = await self._announcing.untold(now)
        ahead.sort(key=lambda pair: (pair[0].due_at, pair[1].newsletter.id, pair[1].zone))
        calm: dict[tuple[str, str, str], _Calm] = {}
        found: list[Forecast] = []
        for due, occasion in ahead:
            clock = (occasion.newsletter.id, occasion.schedule.text, occasion.zone)
            before = calm.pop(clock, None)
            after: _Calm | None
            if before is not None and before.lasts(occasion, now):
                forecast, after = _empty(due.period, occasion, before.readers), before
            else:
                forecast, after = await self._forecast(due.period, occasion, given, now)
            if after is not None:
                calm[clock] = after
            found.append(forecast)
            if progress is not None:
                progress(len(found), len(ahead))
        return found

    async def _forecast(
        self, period: str, occasion: Occasion, given: dict[int, list[Sent]], now: datetime
    ) -> tuple[Forecast, _Calm | None]:
        """Returns one slot's forecast, and the calm after it; `given` are the mails that earlier slots bring."""
        # What is being written just now will have settled by then.
        pool = await self._drafting.pool(replace(occasion, impatient=True), now)
        readers = recipients = 0
        titles: dict[int, str] = {}
        turns: set[datetime] = set()
        pending = False
        async for page in self._pages(occasion.newsletter, occasion.clock):
            readers += len(page)
            if not pool.offers:
                continue
            span = (page[0].number, page[-1].number)
            numbers = [offer.article.number for offer in pool.offers]
            coverage = await self._readers.coverage(numbers, *span, sandbox=self._sandbox)
            draft = self._drafting.draft(occasion, page, pool.offers, _with(coverage, given, page), pool.planned)
            turns |= _turns(page, pool.offers)
            for outcome in draft.outcomes:
                pending = pending or outcome.selection.pending > 0
                recipients += len(outcome.readers)
                titles |= {pick.article.number: pick.article.title for pick in outcome.selection.stories}
                sent = Sent(newsletter=occasion.newsletter.id, stories=outcome.selection.refs)
                for reader in outcome.readers:
                    given.setdefault(reader.number, []).append(sent)
        forecast = replace(_empty(period, occasion, readers), recipients=recipients, stories=tuple(titles.values()))
        if pending:
            return forecast, None
        return forecast, _Calm(occasion=occasion, offers=pool.offers, turns=frozenset(turns), readers=readers)


def _for(reader: Reader, occasion: Occasion) -> Occasion:
    """Returns an occasion on the clock of one reader; an instant newsletter has none."""
    if occasion.newsletter.instant:
        return occasion
    schedule, zone = clock_of(reader.cadence, reader.timezone, occasion)
    return replace(occasion, schedule=schedule, zone=zone)


def _empty(period: str, occasion: Occasion, readers: int) -> Forecast:
    return Forecast(
        newsletter=occasion.newsletter.id,
        slot=period,
        timezone=occasion.zone,
        due_at=occasion.at,
        readers=readers,
        recipients=0,
        stories=(),
    )


def _turns(page: Sequence[Reader], offers: Sequence[Offer]) -> set[datetime]:
    """Returns when licences of these readers begin, end or stop to reach back to a story."""
    licences = {licence for reader in page for licence in reader.licences}
    dates = {moment for licence in licences for moment in (licence.valid_from, licence.valid_until) if moment}
    reaches = {timedelta(days=licence.archive_days) for licence in licences if licence.archive_days is not None}
    # The last microsecond counts as within reach.
    return dates | {o.published_at + reach + timedelta.resolution for reach in reaches for o in offers}


def _with(coverage: Coverage, given: dict[int, list[Sent]], page: Sequence[Reader]) -> Coverage:
    """Returns the coverage with mails that are only forecast; they get negative keys."""
    keys: dict[int, int] = {}
    variants = dict(coverage.variants)
    readers = dict(coverage.readers)
    for reader in page:
        for sent in given.get(reader.number, ()):
            key = keys.setdefault(id(sent), -1 - len(keys))
            variants[key] = sent
            readers[reader.number] = readers.get(reader.number, frozenset()) | {key}
    return Coverage(variants=variants, readers=readers, mark=coverage.mark)


def _joined(before: Share | None, outcome: Outcome) -> Share:
    addresses = tuple(reader.address for reader in outcome.readers if not reader.suppressed)
    if before is not None:
        return replace(before, addresses=(*before.addresses, *addresses))
    return Share(
        language=outcome.language,
        stories=_titles(outcome, already_sent=False),
        already_sent=_titles(outcome, already_sent=True),
        addresses=addresses,
    )


def _titles(outcome: Outcome, *, already_sent: bool) -> tuple[str, ...]:
    picks = outcome.selection.already_sent if already_sent else outcome.selection.stories
    return tuple(pick.article.title for pick in picks)
