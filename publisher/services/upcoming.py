"""A reader's next issues: when each comes, and what it would bring as things stand; looks, and changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from publisher.mail.addresses import Address
from publisher.model.catalogue import Newsletter
from publisher.model.people import Subscriber
from publisher.model.reader import Reader
from publisher.newsletters.schedule import next_slot, parse
from publisher.ports import ReaderStore
from publisher.services.draft import Drafting
from publisher.services.plan import Planning


@dataclass(frozen=True, slots=True, kw_only=True)
class NextIssue:
    """What a reader gets next of one newsletter."""

    newsletter: Newsletter
    due_at: datetime | None
    """None: each story at once."""
    timezone: str
    """Where the reader's clock for it is."""
    stories: tuple[str, ...] = ()
    """Titles of what is pending now; more may come, and too few of them make no issue."""


class Upcoming:
    """The planner's own slots, choices and coverage, asked for one reader."""

    def __init__(self, planning: Planning, drafting: Drafting, readers: ReaderStore, *, sandbox: bool) -> None:
        self._planning = planning
        self._drafting = drafting
        self._readers = readers
        self._sandbox = sandbox

    async def of(self, subscriber: Subscriber, newsletters: Iterable[Newsletter], now: datetime) -> list[NextIssue]:
        """Returns the next issue of each of these newsletters that the person reads, the soonest first."""
        key, found = Address(subscriber.address).key, []
        for newsletter in newsletters:
            own = parse(newsletter.schedule).text
            page = await self._readers.page(newsletter.id, own, newsletter.timezone, address_key=key)
            found += [await self._next(newsletter, reader, now) for reader in page]
        return sorted(found, key=lambda issue: issue.due_at or now)

    async def _next(self, newsletter: Newsletter, reader: Reader, now: datetime) -> NextIssue:
        schedule = parse(reader.cadence)
        due = next_slot(schedule, reader.timezone, now)
        if due is None:
            return NextIssue(newsletter=newsletter, due_at=None, timezone=reader.timezone)
        occasion = self._planning.scheduled(newsletter, schedule, reader.timezone, due.due_at, now)
        # What is being written just now will have settled by then.
        pool = await self._drafting.pool(replace(occasion, impatient=True), now)
        numbers = [offer.article.number for offer in pool.offers]
        stories: tuple[str, ...] = ()
        if numbers and not reader.suppressed:
            coverage = await self._readers.coverage(numbers, reader.number, reader.number, sandbox=self._sandbox)
            outcomes = self._drafting.draft(occasion, [reader], pool.offers, coverage, pool.planned).outcomes
            stories = tuple(pick.article.title for outcome in outcomes.values() for pick in outcome.selection.stories)
        return NextIssue(newsletter=newsletter, due_at=due.due_at, timezone=reader.timezone, stories=stories)
