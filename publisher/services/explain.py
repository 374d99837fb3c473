"""Says where a story is and why, and whether and why somebody got it or will: asks those who decide, decides nothing.

Depth comes from `editorial.access.decide`, what a mail would bring from `Drafting`;
here they are only put into sentences.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from publisher.editorial.access import covers, decide, goes_by, in_force, matches, open_from, settled
from publisher.editorial.shelves import ALL, Shelf, shelves_of
from publisher.editorial.timing import embargoed, expired, scheduled
from publisher.errors import NotFoundError
from publisher.mail.addresses import parse_address
from publisher.mail.tokens import Tokens
from publisher.model.article import Access, Article, Status
from publisher.model.catalogue import Audience, Catalogue, Newsletter
from publisher.model.issue import BRINGS, COVERS, DeliveryState, IssueKind, Mention
from publisher.model.people import EVERYTHING, Licence, Person, SubscriptionStatus, Suppression, viewer_of
from publisher.model.people import PUBLIC as PUBLIC_VIEWER
from publisher.model.reader import Coverage, Reader
from publisher.model.trace import Carried, Mailed, Step
from publisher.model.view import Channel, Depth
from publisher.newsletters.schedule import INSTANT, parse, upcoming
from publisher.newsletters.selection import Offer
from publisher.ports import ArticleStore, IssueStore, PeopleStore, ReaderStore, Stories, TraceStore
from publisher.services.draft import NOTHING_PENDING, Drafting, Occasion
from publisher.services.draft import in_force as entitlement_of
from publisher.services.findings import find_stories
from publisher.services.offers import SETTLE
from publisher.services.outline import feed_path
from publisher.services.plan import Planning

_SLOTS = 4
"""How many of somebody's next slots are looked at."""
_NEWS_WINDOW = timedelta(hours=48)
_UNLIMITED = 100_000
_LISTED = (Depth.FULL, Depth.SUMMARY, Depth.HEADLINE)
_PORTIONS = {
    Depth.FULL: "in full",
    Depth.SUMMARY: "as a summary",
    Depth.HEADLINE: "as a headline",
    Depth.FULL_EMBARGOED: "in full, ahead of its hour",
    Depth.TOMBSTONE: "only the word that it is gone",
    Depth.HOLD: "only the word that it is held back",
    Depth.HIDE: "not at all",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One way in which a story reaches people, or does not."""

    name: str
    there: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where a story is, and how that came about."""

    article: Article
    file_problems: tuple[str, ...]
    """`file:line: message` of the file as it is now."""
    refused: bool
    """Whether the file as it is now was refused: what is out is its last good version."""
    places: tuple[Place, ...]
    steps: tuple[Step, ...]
    carried: tuple[Carried, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What one newsletter does about a story for one person."""

    newsletter: str
    comes_at: datetime | None
    sentences: tuple[str, ...]
    """The chain of reasons, up to the one that settles it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether and why somebody got a story, or will."""

    address: str
    verdict: str
    got: bool
    reasons: tuple[str, ...]
    """About the person, whatever the newsletter."""
    brought: tuple[Mailed, ...]
    prospects: tuple[Prospect, ...]


class Explaining:
    """Reads, writes nothing; `now` is always given."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        folder: str,
        stories: Stories,
        files: ArticleStore,
        issues: IssueStore,
        traces: TraceStore,
        people: PeopleStore,
        readers: ReaderStore,
        planning: Planning,
        drafting: Drafting,
        tokens: Tokens,
        sandbox: bool,
    ) -> None:
        self._catalogue = catalogue
        self._folder = folder
        self._stories = stories
        self._files = files
        self._issues = issues
        self._traces = traces
        self._people = people
        self._readers = readers
        self._planning = planning
        self._drafting = drafting
        self._tokens = tokens
        self._sandbox = sandbox
        self._zone = ZoneInfo(catalogue.site.timezone)

    async def find(self, text: str) -> list[Article]:
        """Returns the stories that `text` may mean, the newest first; NotFoundError when there is none."""
        known = [*await self._files.current(), *await self._files.gone()]
        found = [settled(article, self._catalogue) for article in find_stories(text, known, self._folder)]
        if not found:
            raise NotFoundError(
                f"there is no story {text!r}: name it by number, id, slug, address, file or a part of its title"
            )
        return sorted(found, key=lambda article: -article.number)

    async def account(self, article: Article, now: datetime) -> Account:
        """Returns where a story is, and why."""
        record = next((r for r in (await self._files.files()).values() if r.article == article.number), None)
        versions = (await self._stories.versions([article.number])).get(article.number, [])
        earlier = [settled(v, self._catalogue) for v in versions if v.version < article.version]
        return Account(
            article=article,
            file_problems=tuple(f"{self._folder}/{p.path}:{p.line}: {p.message}" for p in record.problems)
            if record
            else (),
            refused=record is not None and record.refused,
            places=(*await self._public_places(article, earlier, now), *self._mail_places(article, now)),
            steps=tuple(await self._traces.steps(article.number)),
            carried=tuple(await self._traces.carried(article.number)),
        )

    async def verdict(self, article: Article, address: str, now: datetime) -> Verdict:
        """Returns whether and why somebody got a story or will; NotFoundError when nobody has that address."""
        parsed = parse_address(address)
        subscriber = await self._people.by_address(parsed.key)
        person = await self._people.person(subscriber.number) if subscriber else None
        suppression = await self._people.suppression(self._tokens.address_hash(parsed.key))
        if person is None:
            told = f"; the address is suppressed ({suppression.reason})" if suppression else ""
            raise NotFoundError(f"there is no subscriber {parsed.mailbox}{told}")
        brought = tuple(await self._traces.brought(article.number, person.subscriber.number))
        prospects = [
            await self._prospect(article, newsletter, person, parsed.key, suppression, now)
            for newsletter in self._catalogue.newsletters.values()
        ]
        got = any(each.mention in BRINGS and each.state is DeliveryState.ACCEPTED for each in brought)
        return Verdict(
            address=person.subscriber.address,
            verdict=self._summed_up(article, brought, prospects, suppression),
            got=got,
            reasons=(*self._standing(suppression), *self._rights(article, person.licences, now)),
            brought=brought,
            prospects=tuple(prospects),
        )

    # Where it is ----------------------------------------------------------------------------------------------------

    async def _public_places(self, article: Article, earlier: Sequence[Article], now: datetime) -> list[Place]:
        policy, site = self._catalogue.policy, self._catalogue.site
        page, feed = (
            decide(article, PUBLIC_VIEWER, channel, now, earlier=earlier, policy=policy)
            for channel in (Channel.PAGE, Channel.FEED)
        )
        places = [
            Place(name=f"page {article.path}", there=page is not Depth.HIDE, why=self._portion(article, page, now)),
            Place(
                name="sitemap",
                there=page in _LISTED,
                why="it has every page that shows something of a story"
                if page in _LISTED
                else "it has no page that shows anything of it",
            ),
            Place(
                name="news sitemap",
                there=page in _LISTED and now - article.published_at < _NEWS_WINDOW,
                why="it has the stories of the last two days",
            ),
        ]
        shown = feed in _LISTED
        ranks = await self._ranks(article, now) if shown else {}
        for shelf in sorted(shelves_of(article, self._catalogue)):
            declared = not shelf.language or shelf.language in site.languages
            if not declared or (shelf.section and shelf.section not in self._catalogue.sections):
                continue
            rank = ranks.get(shelf, 0)
            limit = self._catalogue.feeds[shelf.feed].limit if shelf.feed else site.feed_limit
            inside = shown and rank < limit
            why = self._portion(article, feed, now)
            if shown and not inside:
                why = f"it is number {rank + 1}, and this feed has the {limit} newest"
            places.append(Place(name=f"feed {feed_path(shelf)}.*", there=inside, why=why))
        return places

    async def _ranks(self, article: Article, now: datetime) -> dict[Shelf, int]:
        """Returns how many newer stories the public has on each of the story's shelves."""
        ranks: dict[Shelf, int] = dict.fromkeys(shelves_of(article, self._catalogue), 0)
        place = (article.published_at, article.number)
        for other in await self._stories.current():
            if (other.published_at, other.number) <= place:
                continue
            depth = decide(
                settled(other, self._catalogue), PUBLIC_VIEWER, Channel.FEED, now, policy=self._catalogue.policy
            )
            if depth in _LISTED:
                for shelf in shelves_of(other, self._catalogue) & ranks.keys():
                    ranks[shelf] += 1
        assert ALL in ranks
        return ranks

    def _mail_places(self, article: Article, now: datetime) -> list[Place]:
        """Returns what newsletters and the wire do with a story, for somebody who may read everything."""
        everything = viewer_of([Licence(subscriber=0, product=EVERYTHING)], self._catalogue.products)
        policy = self._catalogue.policy
        places = []
        for newsletter in self._catalogue.newsletters.values():
            viewer = PUBLIC_VIEWER if newsletter.audience is Audience.PUBLIC else everything
            depth = decide(article, viewer, Channel.EMAIL, now, policy=policy)
            wanted = self._drafting.wants(newsletter, article)
            why = self._portion(article, depth, now) if wanted else f"it {self._unwanted(newsletter)}"
            if wanted and depth in _LISTED and newsletter.audience is Audience.SUBSCRIBERS:
                why = "in full, to those whose licence covers it"
            there = wanted and depth in (*_LISTED, Depth.FULL_EMBARGOED)
            places.append(Place(name=f"newsletter {newsletter.id}", there=there, why=why))
        wire = decide(article, everything, Channel.NINJS, now, policy=policy)
        covering = [p.id for p in self._catalogue.products.values() if covers(p, article)]
        licence = f"licences for {', '.join(['*', *covering])} cover it"
        places.append(
            Place(
                name="private feeds and wire.json",
                there=wire is not Depth.HIDE,
                why=licence if wire is Depth.FULL else self._portion(article, wire, now),
            )
        )
        return places

    def _portion(self, article: Article, depth: Depth, now: datetime) -> str:
        """Returns how much of a story is shown, and why no more."""
        if depth is Depth.FULL:
            return "in full"
        why = self._withheld(article, now)
        return f"{_PORTIONS[depth]}: {why}" if why else _PORTIONS[depth]

    def _withheld(self, article: Article, now: datetime) -> str:
        match article.status:
            case Status.PLANNED | Status.DRAFT:
                return f"its status is {article.status.value}"
            case Status.HELD | Status.WITHDRAWN | Status.KILLED:
                return f"it was {article.status.value}"
        if scheduled(article, now):
            return f"it waits for its hour, {self._local(article.publish_at or article.date)}"
        if embargoed(article, now):
            return f"it is under embargo until {self._local(article.embargo)}"
        if expired(article, now):
            return f"its time was over {self._local(article.expires)}"
        if not goes_by(article, Channel.PAGE):
            return "it is a letter: it goes by mail only"
        if not goes_by(article, Channel.EMAIL):
            return "it is for the web only"
        opens = open_from(article, self._catalogue.policy, now)
        if opens > now:
            return f"subscribers are ahead until {self._local(opens)}"
        access = article.access or Access.SUBSCRIBER
        return "" if access is Access.PUBLIC else f"its access is {access.value}"

    # Whether somebody gets it ---------------------------------------------------------------------------------------

    def _standing(self, suppression: Suppression | None) -> list[str]:
        if suppression is None:
            return []
        since, why = self._local(suppression.at), f"{suppression.reason.value}, by {suppression.origin}"
        return [f"The address is suppressed since {since} ({why}): nothing is mailed to it."]

    def _rights(self, article: Article, licences: Sequence[Licence], now: datetime) -> list[str]:
        """Returns what the person's licences say of the story."""
        viewer = viewer_of(licences, self._catalogue.products)
        depth = decide(article, viewer, Channel.EMAIL, now, policy=self._catalogue.policy)
        sentences = []
        for licence, grant in zip(
            [x for x in licences if x.product == EVERYTHING or x.product in self._catalogue.products],
            viewer.grants,
            strict=True,
        ):
            name = "everything" if licence.product == EVERYTHING else licence.product
            until = f" until {self._local(licence.valid_until)}" if licence.valid_until else ""
            if not in_force(grant, now):
                ends = licence.valid_until
                over = f" since {self._local(ends)}" if ends and ends <= now else ""
                begins = licence.valid_from and licence.valid_from > now
                stands = f"begins {self._local(licence.valid_from)}" if begins else f"is over{over}"
                sentences.append(f"The licence for {name} {stands}.")
            elif not covers(grant.product, article):
                sentences.append(f"The licence for {name}{until} does not cover this story.")
            else:
                reach = f", {licence.archive_days} days back" if licence.archive_days else ""
                sentences.append(f"The licence for {name} covers it{until}{reach}.")
        if not licences:
            sentences.append("There is no licence: what the public gets is what they get.")
        sentences.append(f"By mail they may have it {_PORTIONS[depth]}.")
        return sentences

    async def _prospect(
        self,
        article: Article,
        newsletter: Newsletter,
        person: Person,
        key: str,
        suppression: Suppression | None,
        now: datetime,
    ) -> Prospect:
        said: list[str] = []

        def settled_by(sentence: str, comes_at: datetime | None = None) -> Prospect:
            return Prospect(newsletter=newsletter.id, comes_at=comes_at, sentences=(*said, sentence))

        if suppression is not None:
            return settled_by("Nothing goes to a suppressed address.")
        subscription = next((s for s in person.subscriptions if s.newsletter == newsletter.id), None)
        if subscription is None:
            return settled_by("They never subscribed to it.")
        match subscription.status:
            case SubscriptionStatus.UNCONFIRMED:
                return settled_by("They have not confirmed it yet.")
            case SubscriptionStatus.UNSUBSCRIBED:
                return settled_by("They have unsubscribed from it.")
            case SubscriptionStatus.PAUSED:
                until = subscription.paused_until
                return settled_by(f"They have paused it{f' until {self._local(until)}' if until else ''}.")
        since = f" since {self._local(subscription.confirmed_at)}" if subscription.confirmed_at else ""
        said.append(f"They read it{since}.")
        if not self._drafting.wants(newsletter, article):
            return settled_by(f"The newsletter {self._unwanted(newsletter)}.")
        own = parse(newsletter.schedule)
        page = await self._readers.page(
            newsletter.id, own.text, newsletter.timezone, address_key=key, segments=newsletter.segments
        )
        if not page:
            return settled_by(f"It goes to the segment {', '.join(newsletter.segments)}, and they are not in it.")
        (reader,) = page
        if not matches(reader.choices, article):
            return settled_by("Their own choices (sections, tags, languages, urgency) leave it out.")
        return await self._by_time(article, newsletter, reader, said, now)

    async def _by_time(
        self, article: Article, newsletter: Newsletter, reader: Reader, said: list[str], now: datetime
    ) -> Prospect:
        """Returns when the newsletter brings the story, by drafting the next mails of this reader."""

        def ends(*sentences: str, comes_at: datetime | None = None) -> Prospect:
            return Prospect(newsletter=newsletter.id, comes_at=comes_at, sentences=(*said, *sentences))

        at_once = newsletter.instant or reader.cadence == INSTANT
        if at_once and (told := await self._had_its_moment(article, newsletter)):
            return ends(told)
        last = ""
        for number, occasion in enumerate(self._occasions(article, newsletter, reader, now)):
            when = self._local(occasion.at, reader.timezone)
            pool = await self._drafting.pool(replace(occasion, impatient=True), now + SETTLE)
            if all(offer.article.number != article.number for offer in pool.offers):
                if number == 0 and article.first_published_at is None:
                    last = "It has not been out yet."
                    continue
                back = self._local(occasion.looks_back_to)
                return ends(last or f"It is no news any more: an issue reaches back to {back}.")
            coverage = await self._readers.coverage(
                [offer.article.number for offer in pool.offers], reader.number, reader.number, sandbox=self._sandbox
            )
            draft = self._drafting.draft(occasion, [reader], pool.offers, coverage, pool.planned)
            mine = (ref for outcome in draft.outcomes.values() for ref in outcome.selection.refs)
            refs = [ref for ref in mine if ref.article == article.number]
            if any(ref.mention in BRINGS for ref in refs):
                word = "at once" if occasion.article is not None else f"in the issue of {when}"
                return ends(f"It comes {word}.", comes_at=occasion.at)
            if any(ref.mention is Mention.ALREADY_SENT for ref in refs):
                return ends(f"The issue of {when} names it as already sent.")
            most = replace(occasion, newsletter=replace(newsletter, min_articles=1, max_articles=_UNLIMITED))
            wide = self._drafting.draft(most, [reader], pool.offers, coverage, pool.planned)
            waits = any(
                pick.article.number == article.number for o in wide.outcomes.values() for pick in o.selection.stories
            )
            if not waits:
                reason = wide.left_out[0].reason if wide.left_out else ""
                return ends(self._not_pending(article, reader, occasion, pool.offers, coverage, reason))
            pending = sum(len(o.selection.stories) for o in wide.outcomes.values())
            if not draft.outcomes:
                last = f"At {when} only {pending} of at least {newsletter.min_articles} stories are there."
            else:
                last = (
                    f"At {when} it does not fit: {pending} stories wait, at most {newsletter.max_articles} go out, "
                    "urgent ones first, then the newest."
                )
            said.append(last)
        return ends("As things stand it waits for a later issue." if said[1:] else last or "Nothing is scheduled.")

    async def _had_its_moment(self, article: Article, newsletter: Newsletter) -> str:
        """Returns what is to be said of an instant newsletter whose turn has been; empty: it is still to come."""
        cohort = await self._issues.find_cohort(newsletter.id, INSTANT, newsletter.timezone)
        if cohort is None or article.first_published_at is None:
            return ""
        granted = await self._issues.periods(cohort.number, article.first_published_at - timedelta(days=1))
        if not any(period.startswith(f"story:{article.number}:") for period in granted):
            return ""
        return (
            f"It went out at once when the story came, {self._local(article.first_published_at)}, to who read it then "
            "and could have it."
        )

    def _not_pending(
        self,
        article: Article,
        reader: Reader,
        occasion: Occasion,
        offers: Sequence[Offer],
        coverage: Coverage,
        reason: str,
    ) -> str:
        """Returns why the draft of a mail without any limit leaves a story out that is among its offers."""
        if reason and reason != NOTHING_PENDING:
            return f"It brings them nothing: {reason}."
        if occasion.newsletter.audience is Audience.SUBSCRIBERS:
            entitlement = entitlement_of(reader.licences, occasion.decided_at)
            depth = self._drafting.depth(occasion, article, entitlement)
            if depth is Depth.HIDE:
                return "It brings what a licence opens in full, and none of theirs opens this story."
        if _is_told_otherwise(article, reader.language, (offer.article for offer in offers)):
            return "It comes to them in their own language instead."
        variants = (coverage.variants[number] for number in coverage.readers.get(reader.number, ()))
        refs = [ref for sent in variants for ref in sent.stories if ref.article == article.number]
        if any(ref.mention in BRINGS for ref in refs):
            return "They have it already, or a mail that is under way brings it."
        foreign = article.language.split("-")[0] != reader.language.split("-")[0]
        if foreign and any(_is_same_story(article, offer.article) for offer in offers):
            return "It comes to them in one language only, and in another one than this."
        return (
            f"It came out {self._local(article.first_published_at)}, before the time that counts for them: "
            f"from the last issue before they joined ({self._local(reader.confirmed_at)}), or changed their rhythm, on."
        )

    def _occasions(self, article: Article, newsletter: Newsletter, reader: Reader, now: datetime) -> list[Occasion]:
        """Returns the next moments at which the newsletter may go to a reader."""
        schedule = parse(reader.cadence)
        if newsletter.instant or schedule.text == INSTANT:
            return [
                Occasion(
                    newsletter=newsletter,
                    schedule=schedule,
                    zone=reader.timezone,
                    at=now,
                    until=now,
                    decided_at=now,
                    article=article.number,
                )
            ]
        dues = islice(upcoming(schedule, reader.timezone, now), _SLOTS)
        return [self._planning.scheduled(newsletter, schedule, reader.timezone, due.due_at, now) for due in dues]

    def _summed_up(
        self,
        article: Article,
        brought: Sequence[Mailed],
        prospects: Sequence[Prospect],
        suppression: Suppression | None,
    ) -> str:
        bringing = [each for each in brought if each.mention in BRINGS and each.state in COVERS]
        latest = max(bringing, key=lambda each: (each.version, each.planned_at), default=None)
        if latest is not None:
            name = _name(latest)
            at = self._local(latest.ended_at) if latest.ended_at else self._local(latest.planned_at)
            behind = latest.version < article.version
            older = f" (version {latest.version}; it is at {article.version} now)" if behind else ""
            match latest.state:
                case DeliveryState.ACCEPTED:
                    return f"Yes: {name} brought it, accepted {at}{older}."
                case DeliveryState.UNCERTAIN:
                    return f"Perhaps: {name} was on its way {at} when the connection broke{older}."
            return f"It is on its way: {name} is {latest.state.value}{older}."
        coming = min((p.comes_at for p in prospects if p.comes_at), default=None)
        if coming is not None:
            names = ", ".join(p.newsletter for p in prospects if p.comes_at == coming)
            return f"Not yet: {names} brings it {self._local(coming)}."
        failed = [each for each in brought if each.mention in BRINGS]
        if failed:
            return f"No: {_name(failed[-1])} was to bring it and is {failed[-1].state.value}."
        return "No: the address is suppressed." if suppression else "No, and as things stand nothing will bring it."

    def _unwanted(self, newsletter: Newsletter) -> str:
        products = ", ".join(newsletter.products)
        return (
            f"brings only stories of {products}, or its filter leaves this one out"
            if products
            else "has a filter (sections, tags, languages, urgency) that leaves this story out"
        )

    def _local(self, at: datetime | None, zone: str = "") -> str:
        if at is None:
            return "later"
        return f"{at.astimezone(ZoneInfo(zone) if zone else self._zone):%Y-%m-%d %H:%M %Z}"


def _is_told_otherwise(article: Article, language: str, others: Iterable[Article]) -> bool:
    """Returns whether the story is there in a reader's language, and this is it in another one."""
    own = language.split("-")[0]
    return article.language.split("-")[0] != own and any(
        other.language.split("-")[0] == own and _is_same_story(article, other) for other in others
    )


def _is_same_story(article: Article, other: Article) -> bool:
    """Returns whether two articles are one story in two languages."""
    told = (one.translation_of or one.id for one in (article, other))
    return article.number != other.number and len(set(told)) == 1


def _name(mail: Mailed | Carried) -> str:
    if mail.kind is IssueKind.DIGEST and mail.newsletter:
        return f"{mail.newsletter} no. {mail.edition}" if mail.edition else f"an issue of {mail.newsletter}"
    return f"the {mail.kind.value} mail of issue {mail.issue}"
