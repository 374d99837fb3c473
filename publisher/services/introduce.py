"""The latest issue, for who has just joined: what they may have of it, and nothing that is still to come to them.

Late joiners get no back catalogue (decisions 3), but see at once what they
signed up for. The mail covers what it brings, so that nothing of it comes
again and whoever has it is told when it was wrong.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from publisher.mail.addresses import parse_address
from publisher.model.article import Status
from publisher.model.catalogue import Newsletter
from publisher.model.issue import BRINGS, Issue, Variant
from publisher.model.people import Subscriber
from publisher.model.reader import Reader
from publisher.newsletters.rhythm import last_cut
from publisher.newsletters.schedule import parse
from publisher.newsletters.selection import Offer
from publisher.ports import Articles, IssueStore, ReaderStore
from publisher.services.draft import Drafting
from publisher.services.plan import Planning


class Introducing:
    """Sends newcomers the latest issue of each newsletter that has one."""

    def __init__(
        self,
        *,
        planning: Planning,
        drafting: Drafting,
        issues: IssueStore,
        readers: ReaderStore,
        articles: Articles,
    ) -> None:
        self._planning = planning
        self._drafting = drafting
        self._issues = issues
        self._readers = readers
        self._articles = articles

    async def send(self, sign_up: str, subscriber: Subscriber, newsletters: Iterable[Newsletter], now: datetime) -> int:
        """Queues the latest issues, once for each `sign_up`; returns how many there are to send."""
        sent = 0
        for newsletter in newsletters:
            latest = None if newsletter.instant else await self._issues.newest(newsletter.id)
            if latest is not None:
                event = f"{sign_up}:{newsletter.id}:{latest.number}"
                sent += await self._introduce(event, subscriber, newsletter, latest, now)
        return sent

    async def _introduce(
        self, event: str, subscriber: Subscriber, newsletter: Newsletter, latest: Issue, now: datetime
    ) -> bool:
        own = parse(newsletter.schedule).text
        key = parse_address(subscriber.address).key
        page = await self._readers.page(
            newsletter.id, own, newsletter.timezone, address_key=key, segments=newsletter.segments
        )
        occasion = self._planning.occasion_of(latest, now)
        if not page or occasion is None:
            return False
        reader = page[0]
        offers = await self._offers(latest, newsletter, reader)
        if not offers:
            return False
        everything = replace(occasion, since=datetime.min.replace(tzinfo=now.tzinfo))
        numbers = [offer.article.number for offer in offers]
        coverage = await self._readers.coverage(numbers, reader.number, reader.number, sandbox=latest.sandbox)
        found = next(iter(self._drafting.draft(everything, [reader], offers, coverage).outcomes.values()), None)
        if found is None:
            return False
        web_url = self._planning.web_url(latest, occasion, found)
        mail = await self._drafting.mail(occasion, found, latest.edition, web_url=web_url)
        variant = Variant(language=found.language, form=found.form, stories=found.selection.refs, mail=mail)
        return await self._issues.introduce(event, reader.number, newsletter.id, variant, now)

    async def _offers(self, latest: Issue, newsletter: Newsletter, reader: Reader) -> list[Offer]:
        """Returns the issue's stories as they are now, without those that the reader's own next issue brings."""
        cut = last_cut(parse(reader.cadence), newsletter, reader.timezone, reader.confirmed_at)
        brought = [ref.article for ref in await self._issues.stories(latest.number) if ref.mention in BRINGS]
        stories = (await self._articles.by_numbers(brought)).values()
        return [
            Offer(article=story, published_at=story.first_published_at)
            for story in stories
            if story.status is Status.PUBLISHED and story.first_published_at and story.first_published_at <= cut
        ]
