"""Drafts of an issue: which readers get which stories on an occasion, and how that reads as a mail.

Readers with the same outcome share one rendering (decisions 1): they are
grouped by what can make a difference (language, choices, licences in force,
what they have, since when they read) and each group is selected for once.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from publisher.editorial.access import covers, decide, matches, settled
from publisher.editorial.rendition import needs_body, view
from publisher.languages import direction, label, spoken
from publisher.model.article import Article
from publisher.model.catalogue import Audience, Catalogue, Filter, Newsletter
from publisher.model.issue import Edition, MailText, Mention, StoryRef
from publisher.model.people import EVERYTHING, PUBLIC, Grant, Licence, Viewer
from publisher.model.reader import Coverage, Reader
from publisher.model.view import FULL, Channel, Depth, View
from publisher.newsletters.edition import groups
from publisher.newsletters.schedule import Schedule, looks_back_to, parse, previous_slot, slots
from publisher.newsletters.selection import Covered, Limits, Offer, Pick, Selection, Wish, select
from publisher.ports import Articles, IssueStore, Renderer

SETTLE = timedelta(seconds=2)
"""How long a story's text must stand still before it is mailed (decisions 5)."""
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
    """Whether readers of all rhythms and zones are meant: a story just came out, or somebody said so."""

    @property
    def clock(self) -> tuple[str, str] | None:
        """Returns the rhythm and zone of the readers meant; None: all of them."""
        return None if self.everybody else (self.schedule.text, self.zone)

    @property
    def looks_back_to(self) -> datetime:
        """Returns the instant before which no story is pending for anybody."""
        return self.since or looks_back_to(self.schedule, self.zone, self.at)


@dataclass(frozen=True, slots=True)
class Pool:
    """The stories that may go out on an occasion, oldest first."""

    offers: tuple[Offer, ...]
    unsettled: int = 0
    """Stories that changed a moment ago and wait until they stand still."""


@dataclass(slots=True)
class Outcome:
    """What some readers get, all the same."""

    language: str
    form: str
    selection: Selection
    readers: list[Reader] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Returns a hash that only the same outcome has."""
        refs = [(r.article, r.version, r.depth.value, r.mention.value) for r in self.selection.refs]
        return hashlib.sha256(repr((self.language, self.form, refs)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A reader whom an occasion brings nothing, and why."""

    reader: Reader
    reason: str


@dataclass(slots=True)
class Draft:
    """What an occasion brings some readers."""

    outcomes: list[Outcome]
    left_out: list[LeftOut]


Entitlement = frozenset[tuple[str, int | None, bool]]
_NOTHING_PENDING = "nothing new since the last mail"
_TOO_FEW = "fewer stories than min_articles"
_LAPSED = "the licence has ended"


class Drafting:
    """Makes drafts; reads stories, writes nothing."""

    def __init__(self, *, catalogue: Catalogue, articles: Articles, issues: IssueStore, renderer: Renderer) -> None:
        self._catalogue = catalogue
        self._articles = articles
        self._issues = issues
        self._renderer = renderer

    async def pool(self, occasion: Occasion, now: datetime) -> Pool:
        """Returns the stories that may go out on an occasion."""
        after = occasion.looks_back_to
        if occasion.article is not None:
            articles = list((await self._articles.by_numbers([occasion.article])).values())
            updates = await self._issues.updates(after, now)
        else:
            articles = await self._articles.first_published(after, occasion.until)
            updates = await self._issues.updates(after, occasion.until)
            known = {article.number for article in articles}
            older = await self._articles.by_numbers(set(updates) - known)
            articles = [*older.values(), *articles]
        out = [article for article in articles if article.first_published_at is not None]
        ready = [article for article in out if occasion.impatient or article.revised_at + SETTLE <= now]
        return Pool(tuple(self._offer(article, updates) for article in ready), len(out) - len(ready))

    def _offer(self, article: Article, updates: Mapping[int, tuple[int, datetime]]) -> Offer:
        assert article.first_published_at is not None
        version, at = updates.get(article.number, (0, None))
        return Offer(
            article=settled(article, self._catalogue),
            published_at=article.first_published_at,
            update=version,
            update_at=at,
        )

    def wants(self, newsletter: Newsletter, article: Article) -> bool:
        """Returns whether a story is of the kind that a newsletter brings."""
        products = [self._catalogue.products[name] for name in newsletter.products if name in self._catalogue.products]
        return matches(newsletter.filter, article) and (
            not newsletter.products or any(covers(product, article) for product in products)
        )

    def draft(
        self, occasion: Occasion, readers: Sequence[Reader], offers: Sequence[Offer], coverage: Coverage
    ) -> Draft:
        """Returns what each of the readers gets of the offers, and who gets nothing and why."""
        return _Round(self, occasion, offers, coverage).draft(readers)

    def left_of(
        self,
        occasion: Occasion,
        stories: Sequence[StoryRef],
        latest: Mapping[int, Article],
        licences: Sequence[Licence],
    ) -> Selection:
        """Returns what is left of `stories` for readers with these licences, in its latest version; it never grows."""
        public = occasion.newsletter.audience is Audience.PUBLIC
        entitlement = frozenset() if public else in_force(licences, occasion.decided_at)
        if not public and licences and not entitlement:
            return Selection()
        picks = []
        for ref in stories:
            article = latest.get(ref.article)
            depth = (
                Depth.HIDE if article is None else self.depth(occasion, settled(article, self._catalogue), entitlement)
            )
            if article is not None and depth in _RANK:
                shown = Depth.HEADLINE if ref.mention is Mention.ALREADY_SENT else depth
                picks.append(Pick(article=article, depth=shown, mention=ref.mention))
        brought = tuple(pick for pick in picks if pick.mention is not Mention.ALREADY_SENT)
        named = tuple(pick for pick in picks if pick.mention is Mention.ALREADY_SENT)
        return Selection(stories=brought, already_sent=named) if brought else Selection()

    def depth(self, occasion: Occasion, article: Article, entitlement: "Entitlement") -> Depth:
        """Returns how much of a settled story such readers get by mail on an occasion."""
        public = occasion.newsletter.audience is Audience.PUBLIC
        viewer = PUBLIC if public else self.viewer(entitlement)
        found = decide(article, viewer, Channel.EMAIL, occasion.decided_at, policy=self._catalogue.policy)
        return found if public or found in FULL else Depth.HIDE

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

    async def mail(
        self, occasion: Occasion, outcome: Outcome, number: int, *, web_url: str | None = None, test: bool = False
    ) -> MailText:
        """Returns an outcome laid out, with markers where personal values go."""
        return self._renderer.mail(await self.edition(occasion, outcome, number, web_url=web_url, test=test))

    async def edition(
        self, occasion: Occasion, outcome: Outcome, number: int, *, web_url: str | None = None, test: bool = False
    ) -> Edition:
        """Returns all that an outcome's mail says."""
        newsletter, language = occasion.newsletter, outcome.language
        headings = {s.id: s.title.in_language(language) for s in self._catalogue.sections.values()}
        stories = await self._views(outcome.selection.stories)
        return Edition(
            newsletter_id=newsletter.id,
            newsletter_title=newsletter.title.in_language(language),
            newsletter_description=newsletter.description.in_language(language),
            public=newsletter.audience is Audience.PUBLIC,
            instant=newsletter.instant,
            number=number,
            language=language,
            direction=direction(language),
            local_date=occasion.at.astimezone(ZoneInfo(occasion.zone)),
            groups=groups(stories, headings, label("updated", spoken(language, self._catalogue.site.language))),
            already_sent=tuple(one for _, one in await self._views(outcome.selection.already_sent)),
            web_url=web_url,
            test=test,
        )

    async def _views(self, picks: Sequence[Pick]) -> list[tuple[Pick, View]]:
        catalogue, channel = self._catalogue, Channel.EMAIL
        needed = [p.ref for p in picks if needs_body(p.depth, channel, catalogue.policy)]
        bodies = await self._articles.bodies(map(_version, needed))
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


def _plain(pick: Pick, shown: View) -> View:
    # A reminder of what somebody has in full speaks of no subscription.
    return replace(shown, notice=None) if pick.mention is Mention.ALREADY_SENT else shown


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


class _Round:
    """One pass over some readers of one occasion; remembers what it has worked out."""

    def __init__(self, drafting: Drafting, occasion: Occasion, offers: Sequence[Offer], coverage: Coverage) -> None:
        self._drafting = drafting
        self._occasion = occasion
        self._offers = offers
        self._coverage = coverage
        self._public = occasion.newsletter.audience is Audience.PUBLIC
        self._moments = sorted({*(o.published_at for o in offers), *(o.update_at for o in offers if o.update_at)})
        self._floor = occasion.looks_back_to
        self._limits = drafting.limits(occasion)
        self._recent = drafting.recent(occasion)
        self._covered = cache(self._what_variants_cover)
        self._slots = cache(self._slots_since_floor)
        self._depth_of = cache(self._depths)
        self._in_newsletter = {o.article.number for o in offers if drafting.wants(occasion.newsletter, o.article)}

    def draft(self, readers: Sequence[Reader]) -> Draft:
        """Returns what each of the readers gets."""
        draft = Draft([], [])
        outcomes: dict[str, Outcome] = {}
        for alike in self._alike(readers, draft).values():
            selection = self._select(alike[0])
            if not selection.stories:
                reason = _TOO_FEW if selection.pending else _NOTHING_PENDING
                draft.left_out += [LeftOut(reader, reason) for reader in alike]
                continue
            made = Outcome(language=alike[0].language, form="public" if self._public else "full", selection=selection)
            outcomes.setdefault(made.key, made).readers.extend(alike)
        draft.outcomes = list(outcomes.values())
        return draft

    def _alike(self, readers: Sequence[Reader], draft: Draft) -> dict[object, list[Reader]]:
        alike: dict[object, list[Reader]] = {}
        for reader in readers:
            entitlement = self._entitlement(reader)
            if not self._public and reader.licences and not entitlement:
                draft.left_out.append(LeftOut(reader, _LAPSED))
                continue
            key = (reader.language, self._begin(reader), entitlement, reader.choices, self._variants(reader))
            alike.setdefault(key, []).append(reader)
        return alike

    def _entitlement(self, reader: Reader) -> Entitlement:
        return frozenset() if self._public else in_force(reader.licences, self._occasion.decided_at)

    def _variants(self, reader: Reader) -> frozenset[int]:
        return self._coverage.readers.get(reader.number, frozenset())

    def _begin(self, reader: Reader) -> datetime:
        """Returns the instant after which stories are pending for a reader, moved back to the last story before it."""
        since = self._pending_since(reader.cadence, reader.timezone, reader.confirmed_at)
        earlier = bisect_right(self._moments, since)
        return self._moments[earlier - 1] if earlier else self._floor

    def _pending_since(self, cadence: str, zone: str, confirmed_at: datetime) -> datetime:
        if self._occasion.since is not None:
            return self._occasion.since
        if confirmed_at <= self._floor:
            return self._floor
        if self._occasion.newsletter.instant:
            return confirmed_at
        due = self._slots(cadence, zone)
        before = bisect_right(due, confirmed_at)
        return max(self._floor, due[before - 1] - _grace(self._occasion.newsletter)) if before else self._floor

    def _slots_since_floor(self, cadence: str, zone: str) -> list[datetime]:
        schedule, zone = clock_of(cadence, zone, self._occasion)
        return [slot.due_at for slot in slots(schedule, zone, self._floor, self._occasion.at)]

    def _select(self, reader: Reader) -> Selection:
        wish = Wish(
            language=reader.language,
            since=self._begin(reader),
            recent=self._recent,
            wanted=self._wanted(reader.choices),
            depth=self._depth_of(self._entitlement(reader)),
            covered=self._covered(self._variants(reader)),
        )
        return select(self._offers, wish, self._limits)

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
        for sent in (self._coverage.variants[variant] for variant in variants):
            own = sent.newsletter == self._occasion.newsletter.id
            for ref in sent.stories:
                found[ref.article] = _joined(found.get(ref.article), ref, elsewhere=not own)
        return found


def _joined(before: Covered | None, ref: StoryRef, *, elsewhere: bool) -> Covered:
    """Returns what a reader has of a story after one more mail; merely naming it brings nothing of it."""
    named = ref.mention is Mention.ALREADY_SENT
    version, depth = (0, Depth.HIDE) if named else (ref.version, ref.depth)
    if before is None:
        return Covered(version=version, depth=depth, elsewhere=elsewhere)
    return Covered(
        version=max(before.version, version),
        depth=max(before.depth, depth, key=lambda one: _RANK.get(one, 0)),
        elsewhere=before.elsewhere and elsewhere,
    )


def clock_of(cadence: str, zone: str, occasion: Occasion) -> tuple[Schedule, str]:
    """Returns a reader's own clock; the newsletter's when nothing can be made of it."""
    try:
        ZoneInfo(zone)
        return parse(cadence), zone
    except (ValueError, ZoneInfoNotFoundError):
        return occasion.schedule, occasion.zone
