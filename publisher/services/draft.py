"""Drafts of an issue: which readers get which stories on an occasion, and how that reads as a mail.

Readers with the same outcome share one rendering (decisions 1): they are
told apart by what can make a difference (language, choices, licences in force,
what they have, since when they read) and each kind is selected for once.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from publisher.editorial.access import announced, covers, decide, matches, settled
from publisher.editorial.rendition import brief, embargo_text, needs_body, view
from publisher.languages import direction, label, spoken
from publisher.model.article import Article, Body, Status
from publisher.model.catalogue import Audience, Catalogue, Filter, Newsletter
from publisher.model.choices import Form
from publisher.model.issue import BRINGS, ComingUp, Edition, MailText, Mention, StoryRef
from publisher.model.people import EVERYTHING, PUBLIC, Grant, Licence, Viewer
from publisher.model.reader import Alike, Coverage, Entitlement, Reader, Sent
from publisher.model.view import FULL, Channel, Depth, View
from publisher.newsletters.edition import groups
from publisher.newsletters.schedule import INSTANT, Schedule, looks_back_to, parse, previous_slot, slots
from publisher.newsletters.selection import Covered, Limits, Offer, Pick, Selection, Wish, select
from publisher.ports import Articles, IssueStore, Renderer, Versions
from publisher.services.fit import fitted
from publisher.services.offers import Offering, Pool
from publisher.services.outline import issue_path

_RANK = {Depth.HEADLINE: 1, Depth.SUMMARY: 2, Depth.FULL: 3, Depth.FULL_EMBARGOED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One moment to send a newsletter: a slot, a story that just came out, or somebody's word."""

    newsletter: Newsletter
    schedule: Schedule
    """Of the readers' clock; on somebody's word the newsletter's own."""
    zone: str
    at: datetime
    until: datetime
    """Stories first published up to here are looked at."""
    decided_at: datetime
    """The moment whose rights and dates hold."""
    since: datetime | None = None
    """Everything after it is pending, whenever the reader joined (`send --since`)."""
    article: int | None = None
    """The one story that an instant newsletter is about."""
    impatient: bool = False
    """Whether stories go out that may still be being written: somebody said so."""
    everybody: bool = False
    """Whether readers of all rhythms and zones are meant: somebody said so."""

    @property
    def clock(self) -> tuple[str, str] | None:
        """Returns the rhythm and zone of the readers meant; None: all of them."""
        return None if self.everybody else (self.schedule.text, self.zone)

    @property
    def looks_back_to(self) -> datetime:
        """Returns the instant before which no story is pending for anybody."""
        return self.since or looks_back_to(self.schedule, self.zone, self.at)


@dataclass(slots=True)
class Outcome:
    """What some readers get, all the same."""

    language: str
    form: str
    selection: Selection
    readers: list[int] = field(default_factory=list)
    """The subscribers' numbers."""
    suppressed: list[int] = field(default_factory=list)
    """Those who would get it, were they not never mailed."""
    coming_up: tuple[Article, ...] = ()

    @property
    def key(self) -> str:
        """Returns a hash that only the same outcome has."""
        refs = [(r.article, r.version, r.depth.value, r.mention.value) for r in self.selection.refs]
        coming_up = [(story.number, story.title, _planned_for(story)) for story in self.coming_up]
        told = (self.language, self.form, refs, *([coming_up] if coming_up else []))
        return hashlib.sha256(repr(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Readers whom an occasion brings nothing, and why."""

    readers: Sequence[int]
    reason: str


@dataclass(slots=True)
class Draft:
    """What an occasion brings some readers."""

    outcomes: dict[str, Outcome]
    """By key."""
    left_out: list[LeftOut]


_FORMS = {form.value: form for form in Form}
_COMING_UP = 10
_BODIES = 100
"""How many stories' texts are kept in memory."""
NOTHING_PENDING = "nothing new since the last mail"
"""Why somebody is left out to whom it says nothing that they do not have."""
_TOO_FEW = "fewer stories than min_articles"
_LAPSED = "the licence has ended"


class Drafting:
    """Makes drafts; reads stories, writes nothing."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        articles: Articles,
        versions: Versions,
        issues: IssueStore,
        renderer: Renderer,
    ) -> None:
        self._catalogue = catalogue
        self._articles = articles
        self._offering = Offering(catalogue, articles, versions, issues)
        self._renderer = renderer
        self._bodies: dict[tuple[int, int], Body] = {}

    async def pool(self, occasion: Occasion, now: datetime) -> Pool:
        """Returns the stories that may go out on an occasion."""
        after = occasion.looks_back_to
        if occasion.article is not None:
            return await self._offering.story(occasion.article, after, now)
        early = None if occasion.newsletter.audience is Audience.PUBLIC else occasion.decided_at
        if occasion.newsletter.instant:
            early = None  # cleared subscribers have mail of their own
        return await self._offering.between(after, occasion.until, now, early=early, impatient=occasion.impatient)

    def wants(self, newsletter: Newsletter, article: Article) -> bool:
        """Returns whether a story is of the kind that a newsletter brings."""
        products = [self._catalogue.products[name] for name in newsletter.products if name in self._catalogue.products]
        return matches(newsletter.filter, article) and (
            not newsletter.products or any(covers(product, article) for product in products)
        )

    def draft(
        self,
        occasion: Occasion,
        readers: Sequence[Reader],
        offers: Sequence[Offer],
        coverage: Coverage,
        planned: Sequence[Article] = (),
    ) -> Draft:
        """Returns what each of the readers gets of the offers, and who gets nothing and why.

        `planned` are stories to come; a mail names those that its readers may know of.
        """
        public = occasion.newsletter.audience is Audience.PUBLIC
        return self.round(occasion, offers, planned).draft(
            [_alone(reader, occasion.decided_at, public=public) for reader in readers], coverage
        )

    def round(self, occasion: Occasion, offers: Sequence[Offer], planned: Sequence[Article] = ()) -> "Round":
        """Returns the drafting of one occasion for its readers range by range; what it works out it remembers."""
        return Round(self, occasion, offers, planned)

    def left_of(
        self,
        occasion: Occasion,
        stories: Sequence[StoryRef],
        latest: Mapping[int, Article],
        licences: Sequence[Licence],
        elsewhere: Sequence[StoryRef],
    ) -> Selection:
        """Returns what is left of `stories` for readers with these licences, in its latest version; it never grows.

        `elsewhere` is what other mails bring these readers: nobody gets a story twice.
        """
        public = occasion.newsletter.audience is Audience.PUBLIC
        entitlement = frozenset() if public else in_force(licences, occasion.decided_at)
        if not public and licences and not entitlement:
            return Selection()
        brought, named, withdrawn = [], [], []
        for ref in stories:
            article = latest.get(ref.article)
            if article is None:
                continue
            depth = self.depth(occasion, settled(article, self._catalogue), entitlement)
            if ref.mention is Mention.ADVISORY and depth is Depth.TOMBSTONE:
                withdrawn.append(Pick(article=article, depth=depth, mention=ref.mention))
            elif ref.mention is Mention.ALREADY_SENT and depth in _RANK and depth is not Depth.FULL_EMBARGOED:
                named.append(Pick(article=article, depth=Depth.HEADLINE, mention=ref.mention))
            elif ref.mention in BRINGS and depth in _RANK and not _is_among(elsewhere, ref, depth):
                brought.append(Pick(article=article, depth=depth, mention=ref.mention))
        if not brought:
            return Selection()
        return Selection(stories=tuple(brought), already_sent=tuple(named), withdrawn=tuple(withdrawn))

    def depth(self, occasion: Occasion, article: Article, entitlement: Entitlement) -> Depth:
        """Returns how much of a settled story such readers get by mail on an occasion; of a withdrawn one the word."""
        public = occasion.newsletter.audience is Audience.PUBLIC
        found = decide(
            article,
            PUBLIC if public else self.viewer(entitlement),
            Channel.EMAIL,
            occasion.decided_at,
            earlier=[replace(article, status=Status.PUBLISHED)] if article.status is Status.WITHDRAWN else (),
            policy=self._catalogue.policy,
        )
        return found if public or found in FULL or found is Depth.TOMBSTONE else Depth.HIDE

    def limits(self, occasion: Occasion) -> Limits:
        """Returns how little and how much a mail on this occasion holds."""
        newsletter = occasion.newsletter
        least = 1 if occasion.article is not None else newsletter.min_articles
        return Limits(minimum=least, maximum=newsletter.max_articles, sections=tuple(self._catalogue.sections))

    def recent(self, occasion: Occasion) -> datetime:
        """Returns since when stories of other newsletters are named as already sent: since the slot before."""
        before = previous_slot(occasion.schedule, occasion.zone, occasion.at - timedelta(seconds=1))
        return before.due_at - _grace(occasion.newsletter) if before else occasion.at

    def viewer(self, entitlement: Entitlement) -> Viewer:
        """Returns the viewer that licences in force make."""
        products = self._catalogue.products
        return Viewer(
            grants=tuple(
                Grant(
                    product=None if product == EVERYTHING else products[product],
                    archive_days=archive_days,
                    embargo_cleared=cleared,
                )
                for product, archive_days, cleared in sorted(entitlement, key=repr)
                if product == EVERYTHING or product in products
            )
        )

    def web_url(self, occasion: Occasion, outcome: Outcome, number: int) -> str | None:
        """Returns where edition `number` will stand on the web for readers of the outcome's language.

        None where the newsletter has no archive, or the public has nothing of these stories.
        """
        newsletter, catalogue = occasion.newsletter, self._catalogue
        at, policy = occasion.decided_at, catalogue.policy
        shown = (decide(pick.article, PUBLIC, Channel.PAGE, at, policy=policy) for pick in outcome.selection.stories)
        if not newsletter.archive or all(depth not in _RANK for depth in shown):
            return None
        return catalogue.site.absolute(issue_path(catalogue.site, newsletter.id, number, outcome.language))

    async def mail(
        self, occasion: Occasion, outcome: Outcome, number: int, *, web_url: str | None = None, test: bool = False
    ) -> MailText:
        """Returns an outcome laid out and short enough to be shown whole, with markers where personal values go."""
        edition = await self.edition(occasion, outcome, number, web_url=web_url, test=test)
        return fitted(edition, self._renderer.mail)

    async def edition(
        self, occasion: Occasion, outcome: Outcome, number: int, *, web_url: str | None = None, test: bool = False
    ) -> Edition:
        """Returns all that an outcome's mail says."""
        newsletter, language = occasion.newsletter, outcome.language
        words = spoken(language, self._catalogue.site.language)
        headings = {s.id: s.title.in_language(language) for s in self._catalogue.sections.values()}
        stories = await self._views(outcome.selection.stories)
        stories = [(pick, _in_zone(pick, one, language, occasion.zone)) for pick, one in stories]
        form = _FORMS.get(outcome.form, Form.FULL)
        if form is Form.BRIEF:
            stories = [(pick, brief(one)) for pick, one in stories]
        return Edition(
            newsletter_id=newsletter.id,
            newsletter_title=newsletter.title.in_language(language),
            newsletter_description=newsletter.description.in_language(language),
            public=newsletter.audience is Audience.PUBLIC,
            instant=newsletter.instant or occasion.article is not None,
            number=number,
            language=language,
            direction=direction(language),
            form=form,
            local_date=occasion.at.astimezone(ZoneInfo(occasion.zone)),
            groups=groups(stories, headings, label("updated", words), label("corrections", words)),
            already_sent=tuple(one for _, one in await self._views(outcome.selection.already_sent)),
            withdrawn=tuple(
                replace(one, title=label("withdrawn_title", words, title=pick.article.title))
                for pick, one in await self._views(outcome.selection.withdrawn)
            ),
            coming_up=tuple(_coming_up(story) for story in outcome.coming_up),
            web_url=web_url,
            test=test,
        )

    async def _views(self, picks: Sequence[Pick]) -> list[tuple[Pick, View]]:
        catalogue, channel = self._catalogue, Channel.EMAIL
        needed = [p.ref for p in picks if needs_body(p.depth, channel, catalogue.policy)]
        bodies = await self._bodies_of([_version(ref) for ref in needed])
        shown = [
            (
                pick,
                view(
                    pick.article,
                    pick.depth,
                    catalogue=catalogue,
                    body=bodies.get(_version(pick.ref)),
                    channel=channel,
                ),
            )
            for pick in picks
        ]
        return [(pick, _plain(pick, one)) for pick, one in shown if one is not None]

    async def _bodies_of(self, versions: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        """Returns the bodies of versions, which never change; the outcomes of an issue share most of them."""
        wanted = [version for version in versions if version not in self._bodies]
        if wanted:
            kept = {version: self._bodies[version] for version in versions if version in self._bodies}
            read = await self._articles.bodies(wanted)
            self._bodies = {**(kept if len(self._bodies) > _BODIES else self._bodies), **read}
        return {version: self._bodies[version] for version in versions if version in self._bodies}


def _is_among(refs: Iterable[StoryRef], wanted: StoryRef, depth: Depth) -> bool:
    """Returns whether a story is there in this version or a later one, and as deep."""
    return any(
        ref.article == wanted.article and ref.version >= wanted.version and _RANK.get(ref.depth, 0) >= _RANK[depth]
        for ref in refs
    )


def _plain(pick: Pick, shown: View) -> View:
    # A reminder of what somebody has in full speaks of no subscription.
    return replace(shown, notice=None) if pick.mention is Mention.ALREADY_SENT else shown


def _in_zone(pick: Pick, shown: View, language: str, zone: str) -> View:
    """Returns a View whose embargo, if it has one, ends at the readers' hour; until then it is nowhere on the web."""
    until = pick.article.embargo
    if not shown.embargo_text or until is None:
        return shown
    return replace(shown, url=None, embargo_text=embargo_text(until, language, zone))


def _planned_for(story: Article) -> datetime | None:
    return story.publish_at or story.embargo or story.date


def _coming_up(story: Article) -> ComingUp:
    return ComingUp(
        title=story.title, date=_planned_for(story), language=story.language, direction=direction(story.language)
    )


def _version(ref: StoryRef) -> tuple[int, int]:
    return ref.article, ref.version


def _grace(newsletter: Newsletter) -> timedelta:
    return timedelta(seconds=newsletter.grace_seconds)


def in_force(licences: Iterable[Licence], now: datetime) -> Entitlement:
    """Returns what licences grant at `now`, without the dates that no longer matter."""
    return frozenset(
        (one.product, one.archive_days, one.embargo_cleared)
        for one in licences
        if one.active
        and (one.valid_from is None or one.valid_from <= now)
        and (one.valid_until is None or now < one.valid_until)
    )


def _alone(reader: Reader, at: datetime, *, public: bool) -> Alike:
    """Returns one reader as one of those who are alike; `public`: licences do not matter."""
    entitlement = frozenset() if public else in_force(reader.licences, at)
    return Alike(
        language=reader.language,
        timezone=reader.timezone,
        cadence=reader.cadence,
        confirmed_at=reader.confirmed_at,
        pending_since=reader.pending_since,
        choices=reader.choices,
        form=reader.form,
        entitlement=entitlement,
        lapsed=not public and bool(reader.licences) and not entitlement,
        suppressed=reader.suppressed,
        numbers=(reader.number,),
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """All that decides what readers get."""

    language: str
    since: datetime
    entitlement: Entitlement
    choices: Filter
    form: Form
    variants: frozenset[int]
    """What they have, or are about to get."""


class Round:
    """One occasion for all its readers, of whom each kind is decided for once."""

    def __init__(
        self, drafting: Drafting, occasion: Occasion, offers: Sequence[Offer], planned: Sequence[Article]
    ) -> None:
        self._drafting = drafting
        self._occasion = occasion
        self._offers = offers
        self._sent: Mapping[int, Sent] = {}
        self._public = occasion.newsletter.audience is Audience.PUBLIC
        changed = (at for o in offers for at in (o.update_at, o.correction_at) if at is not None)
        instant = occasion.newsletter.instant or occasion.article is not None
        self._planned = [] if instant else self._to_come(planned)
        self._moments = sorted({*(o.published_at for o in offers), *changed})
        self._floor = occasion.looks_back_to
        self._limits = drafting.limits(occasion)
        self._recent = drafting.recent(occasion)
        self._covered = cache(self._what_variants_cover)
        self._slots = cache(self._slots_since_floor)
        self._depth_of = cache(self._depths)
        self._decided = cache(self._decide)
        self._in_newsletter = {o.article.number for o in offers if drafting.wants(occasion.newsletter, o.article)}

    @property
    def moments(self) -> Sequence[datetime]:
        """Returns when stories came out or changed, in order: between two of them nothing else becomes pending."""
        return self._moments

    def turns(self, clocks: Iterable[tuple[str, str]]) -> list[datetime]:
        """Returns when readers of these rhythms and zones confirmed from whom on less is pending, in order."""
        found: set[datetime] = set()
        for cadence, zone in clocks:
            before = self._moved_back(self._floor)
            at_once = cadence == INSTANT or self._occasion.article is not None
            for at in self._moments if at_once else self._slots(cadence, zone):
                since = self._moved_back(self._pending_since(cadence, zone, at, None))
                if at > self._floor and since != before:
                    found.add(at)
                    before = since
        return sorted(found)

    def draft(self, readers: Iterable[Alike], coverage: Coverage) -> Draft:
        """Returns what each of the readers gets, and who gets nothing and why."""
        self._sent = coverage.variants
        outcomes: dict[str, Outcome] = {}
        left_out: dict[str, list[int]] = {}
        for alike in readers:
            if alike.lapsed:
                left_out.setdefault(_LAPSED, []).extend(alike.numbers)
                continue
            for variants, numbers in _by_coverage(alike.numbers, coverage):
                key, decided = self._decided(self._kind(alike, variants))
                if isinstance(decided, str):
                    left_out.setdefault(decided, []).extend(numbers)
                    continue
                outcome = outcomes.setdefault(key, replace(decided, readers=[], suppressed=[]))
                (outcome.suppressed if alike.suppressed else outcome.readers).extend(numbers)
        return Draft(outcomes, [LeftOut(some, reason) for reason, some in left_out.items()])

    def _kind(self, alike: Alike, variants: frozenset[int]) -> _Kind:
        since = self._pending_since(alike.cadence, alike.timezone, alike.confirmed_at, alike.pending_since)
        wish = (alike.choices, alike.form)
        return _Kind(alike.language, self._moved_back(since), alike.entitlement, *wish, variants)

    def _decide(self, kind: _Kind) -> tuple[str, Outcome | str]:
        """Returns what readers of a kind get, with its key, or why they get nothing."""
        selection = self._select(kind)
        if not selection.stories:
            return "", _TOO_FEW if selection.pending else NOTHING_PENDING
        made = Outcome(
            language=kind.language,
            form=_form(kind.form, public=self._public),
            selection=selection,
            coming_up=self._coming_up(kind),
        )
        return made.key, made

    def _moved_back(self, since: datetime) -> datetime:
        """Returns the instant after which stories are pending, moved back to the last story before it."""
        earlier = bisect_right(self._moments, since)
        return self._moments[earlier - 1] if earlier else self._floor

    def _pending_since(self, cadence: str, zone: str, confirmed_at: datetime, changed: datetime | None) -> datetime:
        if self._occasion.since is not None:
            return self._occasion.since
        if changed is not None:
            return max(self._floor, changed)
        if confirmed_at <= self._floor:
            return self._floor
        if cadence == INSTANT or self._occasion.article is not None:
            return confirmed_at
        due = self._slots(cadence, zone)
        before = bisect_right(due, confirmed_at)
        return max(self._floor, due[before - 1] - _grace(self._occasion.newsletter)) if before else self._floor

    def _slots_since_floor(self, cadence: str, zone: str) -> list[datetime]:
        schedule, zone = clock_of(cadence, zone, self._occasion)
        return [slot.due_at for slot in slots(schedule, zone, self._floor, self._occasion.at)]

    def _select(self, kind: _Kind) -> Selection:
        wish = Wish(
            language=kind.language,
            since=kind.since,
            recent=self._recent,
            wanted=self._wanted(kind.choices),
            depth=self._depth_of(kind.entitlement),
            covered=self._covered(kind.variants),
            about=self._occasion.article,
        )
        return select(self._offers, wish, self._limits)

    def _to_come(self, planned: Sequence[Article]) -> list[Article]:
        """Returns the next stories to come that the newsletter would bring, soonest first."""
        wanted = (story for story in planned if self._drafting.wants(self._occasion.newsletter, story))
        at = self._occasion.decided_at
        ahead = [story for story in wanted if (_planned_for(story) or at) >= at]
        return sorted(ahead, key=lambda story: (_planned_for(story) or datetime.max.replace(tzinfo=UTC), story.number))

    def _coming_up(self, kind: _Kind) -> tuple[Article, ...]:
        if self._public or not self._planned:
            return ()
        viewer, at = self._drafting.viewer(kind.entitlement), self._occasion.decided_at
        known = (one for one in self._planned if matches(kind.choices, one) and announced(one, viewer, at))
        return tuple(islice(known, _COMING_UP))

    def _wanted(self, choices: Filter) -> Callable[[Article], bool]:
        return lambda article: article.number in self._in_newsletter and matches(choices, article)

    def _depths(self, entitlement: Entitlement) -> Callable[[Article], Depth]:
        @cache
        def depth(number: int) -> Depth:
            return self._drafting.depth(self._occasion, articles[number], entitlement)

        articles = {offer.article.number: offer.article for offer in self._offers}
        return lambda article: depth(article.number)

    def _what_variants_cover(self, variants: frozenset[int]) -> Mapping[int, Covered]:
        found: dict[int, Covered] = {}
        for sent in (self._sent[variant] for variant in variants):
            own = sent.newsletter == self._occasion.newsletter.id
            for ref in sent.stories:
                found[ref.article] = _joined(found.get(ref.article), ref, elsewhere=not own)
        return found


def _by_coverage(numbers: Sequence[int], coverage: Coverage) -> Iterable[tuple[frozenset[int], Sequence[int]]]:
    """Yields readers by what they have, or are about to get."""
    if not coverage.readers:
        return [(frozenset(), numbers)]
    nothing: frozenset[int] = frozenset()
    parts: dict[frozenset[int], list[int]] = {}
    for number in numbers:
        parts.setdefault(coverage.readers.get(number, nothing), []).append(number)
    return parts.items()


def _form(wanted: Form, *, public: bool) -> str:
    return "public" if public and wanted is Form.FULL else wanted.value


def _joined(before: Covered | None, ref: StoryRef, *, elsewhere: bool) -> Covered:
    """Returns what a reader has of a story after one more mail; naming it, or telling of it, brings nothing of it."""
    version, depth = (ref.version, ref.depth) if ref.mention in BRINGS else (0, Depth.HIDE)
    told = ref.version if ref.mention is Mention.ADVISORY else 0
    if before is None:
        return Covered(version=version, depth=depth, elsewhere=elsewhere, told=told)
    return Covered(
        version=max(before.version, version),
        depth=max(before.depth, depth, key=lambda one: _RANK.get(one, 0)),
        elsewhere=before.elsewhere and elsewhere,
        told=max(before.told, told),
    )


def clock_of(cadence: str, zone: str, occasion: Occasion) -> tuple[Schedule, str]:
    """Returns a reader's own clock; the newsletter's when nothing can be made of it."""
    try:
        ZoneInfo(zone)
        return parse(cadence), zone
    except (ValueError, ZoneInfoNotFoundError):
        return occasion.schedule, occasion.zone
