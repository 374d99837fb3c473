"""Looks ahead and changes nothing: one person's mail, a plan without an issue."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from publisher.errors import NotFoundError
from publisher.model.article import Article, Status
from publisher.model.catalogue import Newsletter
from publisher.model.issue import MailText
from publisher.model.people import EVERYTHING, Licence
from publisher.model.reader import NOBODY, Coverage, Reader, Sent
from publisher.newsletters.caution import Plan, approval, hold_reasons
from publisher.newsletters.schedule import parse, previous_slot
from publisher.newsletters.selection import Offer, Pick
from publisher.ports import Articles, IssueStore, ReaderStore
from publisher.services.announce import Announcing
from publisher.services.crowd import RANGE, Crowds
from publisher.services.draft import Draft, Drafting, Occasion, Outcome, clock_of
from publisher.services.plan import CHANGED, Planning, by_hand_of

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
        self._crowds = Crowds(drafting, readers, sandbox=sandbox)
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
        told = _Told(await self._announcing.untold(now)).beside(coverage, reader.number, reader.number)
        return self._first(occasion, reader, pool.offers, told, pool.planned)

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
            return _mail(self._drafting.draft(occasion, [reader], offers, coverage, planned))
        nothing = NoMail(_NO_STORIES)
        for offer in reversed(offers):
            alone = replace(occasion, article=offer.article.number)
            found = _mail(self._drafting.draft(alone, [reader], [offer], coverage))
            if isinstance(found, Outcome):
                return found
            nothing = found
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
        async for draft, addresses in self._drafts(occasion, now):
            for key, outcome in draft.outcomes.items():
                selection = outcome.selection
                for pick in (*selection.stories, *selection.withdrawn):
                    picks.setdefault(pick.article.number, pick)
                shares[key] = _joined(shares.get(key), outcome, addresses)
                left_out += [(address, SUPPRESSED) for address in _known(outcome.suppressed, addresses)]
            left_out += [(address, one.reason) for one in draft.left_out for address in _known(one.readers, addresses)]
        kept = tuple(share for share in shares.values() if share.addresses)
        plan = Plan(
            recipients=sum(len(share.addresses) for share in kept),
            last_recipients=await self._last_recipients(newsletter, segment),
            stories=tuple(pick.article for pick in picks.values()),
            changed=tuple(pick.article for pick in picks.values() if pick.mention in CHANGED),
            first=await self._issues.real_recipients() is None,
            restored=self._restored,
        )
        cautious = () if self._sandbox else hold_reasons(plan)
        held = (*approval(newsletter), *cautious) if kept else ()
        return Rehearsal(newsletter=newsletter.id, shares=kept, left_out=tuple(left_out), held=held)

    async def _last_recipients(self, newsletter: Newsletter, segment: str) -> int | None:
        cohort = await self._issues.find_cohort(newsletter.id, by_hand_of(segment), newsletter.timezone)
        return await self._issues.real_recipients(cohort.number) if cohort else None

    async def _drafts(self, occasion: Occasion, now: datetime) -> AsyncIterator[tuple[Draft, Mapping[int, str]]]:
        """Yields what an occasion brings some readers, and their addresses."""
        pool = await self._drafting.pool(occasion, now)
        told = _Told(await self._announcing.untold(now))
        crowd = await self._crowds.of(occasion, pool, planning=False)
        async with aclosing(crowd.ranges(RANGE)) as ranges:
            async for some in ranges:
                draft = crowd.drafts.draft(some.readers, told.beside(some.coverage, some.first, some.last))
                yield draft, await self._readers.addresses(n for one in some.readers for n in one.numbers)


def _for(reader: Reader, occasion: Occasion) -> Occasion:
    """Returns an occasion on the clock of one reader; an instant newsletter has none."""
    if occasion.newsletter.instant:
        return occasion
    schedule, zone = clock_of(reader.cadence, reader.timezone, occasion)
    return replace(occasion, schedule=schedule, zone=zone)


class _Told:
    """Mails that are only forecast, beside those there are; they get negative keys."""

    def __init__(self, given: Mapping[int, Sequence[Sent]]) -> None:
        mails = {id(sent): sent for some in given.values() for sent in some}
        keys = {mail: -place for place, mail in enumerate(mails, 1)}
        self._variants = {keys[mail]: sent for mail, sent in mails.items()}
        self._readers = {number: frozenset(keys[id(sent)] for sent in some) for number, some in given.items()}

    def beside(self, coverage: Coverage, first: int, last: int) -> Coverage:
        """Returns the coverage of subscribers from `first` to `last` with what they will have been told."""
        told = {number: keys for number, keys in self._readers.items() if first <= number <= last}
        nothing: frozenset[int] = frozenset()
        both = {number: coverage.readers.get(number, nothing) | keys for number, keys in told.items()}
        return Coverage(
            variants={**coverage.variants, **self._variants},
            readers={**coverage.readers, **both} if both else coverage.readers,
            mark=coverage.mark,
        )


def _joined(before: Share | None, outcome: Outcome, known: Mapping[int, str]) -> Share:
    addresses = _known(outcome.readers, known)
    if before is not None:
        return replace(before, addresses=(*before.addresses, *addresses))
    return Share(
        language=outcome.language,
        stories=_titles(outcome, already_sent=False),
        already_sent=_titles(outcome, already_sent=True),
        addresses=addresses,
    )


def _known(numbers: Iterable[int], addresses: Mapping[int, str]) -> tuple[str, ...]:
    """Returns the addresses of those who have not been erased meanwhile."""
    return tuple(addresses[number] for number in numbers if number in addresses)


def _titles(outcome: Outcome, *, already_sent: bool) -> tuple[str, ...]:
    picks = outcome.selection.already_sent if already_sent else outcome.selection.stories
    return tuple(pick.article.title for pick in picks)


def _mail(draft: Draft) -> Outcome | NoMail:
    """Returns what the one reader of a draft gets, or why nothing."""
    return next(iter(draft.outcomes.values()), None) or NoMail(draft.left_out[0].reason)
