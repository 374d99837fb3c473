"""Which stories a group of readers gets: from what is pending, by depth, coverage, limits and order.

Depth and interest are asked of callables: this room knows neither licences
nor products. Nothing that overflows is lost; it stays pending.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from publisher.model.article import Article, Status
from publisher.model.issue import Mention, StoryRef
from publisher.model.view import Depth

URGENT = 2
"""Urgency up to which a story leads, whatever its section."""
LEAD, UPDATES, CORRECTIONS = "<lead>", "<updates>", "<corrections>"
"""Places in an edition that are no section's."""
_REMINDERS = 10
_RANK = {Depth.HEADLINE: 1, Depth.SUMMARY: 2, Depth.FULL: 3, Depth.FULL_EMBARGOED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A story that may go out; its last update, if it had any, may go out again to those who have an older version."""

    article: Article
    published_at: datetime
    """First publication by the store's time."""
    update: int = 0
    """The latest version that is a marked update; 0 for none."""
    update_at: datetime | None = None
    correction: int = 0
    """The latest version that says what was wrong in an earlier one; 0 for none."""
    correction_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What a reader has of one story."""

    version: int
    depth: Depth
    elsewhere: bool
    """Brought by other newsletters only."""
    told: int = 0
    """The latest version of which they were told without getting it: that it was withdrawn, say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one group of readers is to be offered."""

    language: str
    since: datetime
    """Stories first published after this are pending."""
    recent: datetime
    """The last slot: what came since then by another newsletter is named again in the list of stories already sent."""
    wanted: Callable[[Article], bool]
    depth: Callable[[Article], Depth]
    covered: Mapping[int, Covered]
    about: int | None = None
    """The one story that may be brought: the others only say whether it is the one of its translations to bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How little and how much an issue may hold, and the order of its sections."""

    minimum: int
    maximum: int
    sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One story as a group of readers gets it."""

    article: Article
    depth: Depth
    mention: Mention

    @property
    def ref(self) -> StoryRef:
        """Returns what the ledger keeps of it."""
        return StoryRef(
            article=self.article.number, version=self.article.version, depth=self.depth, mention=self.mention
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a group of readers gets; no stories, no mail."""

    stories: tuple[Pick, ...] = ()
    already_sent: tuple[Pick, ...] = ()
    withdrawn: tuple[Pick, ...] = ()
    """Stories that were sent before and have been taken back."""
    pending: int = 0
    """Stories that wait for a later issue: beyond the maximum, or too few to send."""

    @property
    def refs(self) -> tuple[StoryRef, ...]:
        """Returns the stories as the ledger keeps them, in order."""
        return tuple(pick.ref for pick in (*self.stories, *self.already_sent, *self.withdrawn))


def select(offers: Sequence[Offer], wish: Wish, limits: Limits) -> Selection:
    """Returns what readers with one wish get of the offers."""
    shown = [(offer, depth) for offer, depth in _shown(offers, wish) if _RANK.get(depth)]
    once = [each for each in _once(shown, wish) if wish.about in (None, each[0].article.number)]
    due = [pick for offer, depth in once if (pick := _pick(offer, depth, wish))]
    if not due or len(due) < limits.minimum:
        return Selection(pending=len(due))
    chosen = sorted(due, key=_preference)[: limits.maximum]
    return Selection(
        stories=tuple(in_order(chosen, limits.sections)),
        already_sent=tuple(_reminders(shown, wish)) if wish.about is None else (),
        withdrawn=tuple(_withdrawn(offers, wish)) if wish.about is None else (),
        pending=len(due) - len(chosen),
    )


def _shown(offers: Iterable[Offer], wish: Wish) -> Iterable[tuple[Offer, Depth]]:
    return ((offer, wish.depth(offer.article)) for offer in offers if wish.wanted(offer.article))


def _once(shown: Sequence[tuple[Offer, Depth]], wish: Wish) -> Iterable[tuple[Offer, Depth]]:
    """Yields each story in one language: the reader's, else the one they have it in, else that of the original."""
    told: dict[str, int] = {}
    for offer in sorted((offer for offer, _ in shown), key=lambda offer: _precedence(offer, wish)):
        told.setdefault(story_id(offer.article), offer.article.number)
    return ((offer, depth) for offer, depth in shown if told[story_id(offer.article)] == offer.article.number)


def _precedence(offer: Offer, wish: Wish) -> tuple[bool, bool, bool, int]:
    article = offer.article
    foreign = _base(article.language) != _base(wish.language)
    return foreign, article.number not in wish.covered, article.translation_of is not None, article.number


def story_id(article: Article) -> str:
    """Returns what a story and its translations share: the original's id."""
    return article.translation_of or article.id


def _base(language: str) -> str:
    return language.split("-", maxsplit=1)[0].lower()


def _pick(offer: Offer, depth: Depth, wish: Wish) -> Pick | None:
    covered = wish.covered.get(offer.article.number)
    if covered is None or _RANK[depth] > _RANK.get(covered.depth, 0):
        fresh, mention = offer.published_at > wish.since, Mention.STORY
    elif _is_corrected(offer, covered, wish):
        fresh, mention = True, Mention.CORRECTED
    else:
        fresh, mention = _is_updated(offer, covered, wish), Mention.UPDATED
    return Pick(article=offer.article, depth=depth, mention=mention) if fresh else None


def _is_updated(offer: Offer, covered: Covered, wish: Wish) -> bool:
    return offer.update > covered.version and offer.update_at is not None and offer.update_at > wish.since


def _is_corrected(offer: Offer, covered: Covered, wish: Wish) -> bool:
    return (
        0 < covered.version < offer.correction and offer.correction_at is not None and offer.correction_at > wish.since
    )


def _withdrawn(offers: Iterable[Offer], wish: Wish) -> list[Pick]:
    """Returns stories that readers have, that were taken back, and of which they were not told."""
    gone = [
        Pick(article=offer.article, depth=Depth.TOMBSTONE, mention=Mention.ADVISORY)
        for offer in offers
        if offer.article.status is Status.WITHDRAWN
        and wish.depth(offer.article) is Depth.TOMBSTONE
        and (covered := wish.covered.get(offer.article.number))
        and covered.version
        and covered.told < offer.article.version
    ]
    return sorted(gone, key=_newest)[:_REMINDERS]


def _reminders(shown: Iterable[tuple[Offer, Depth]], wish: Wish) -> list[Pick]:
    brought = [
        Pick(article=offer.article, depth=Depth.HEADLINE, mention=Mention.ALREADY_SENT)
        for offer, depth in shown
        if depth is not Depth.FULL_EMBARGOED  # its name goes nowhere without its hour
        and offer.published_at > wish.recent
        and (covered := wish.covered.get(offer.article.number))
        and covered.elsewhere
        and _pick(offer, depth, wish) is None
    ]
    return sorted(brought, key=_newest)[:_REMINDERS]


def in_order(picks: Iterable[Pick], sections: Sequence[str]) -> list[Pick]:
    """Returns what was wrong first, then urgent stories, then section by section, updates last; in each the newest."""
    places = {CORRECTIONS: -2, LEAD: -1, UPDATES: len(sections) + 1, **{name: i for i, name in enumerate(sections)}}
    return sorted(
        picks, key=lambda pick: (places.get(place(pick), len(sections)), pick.article.urgency, *_newest(pick))
    )


def place(pick: Pick) -> str:
    """Returns the part a story belongs to: `CORRECTIONS`, `LEAD`, `UPDATES` or its section ("" for none)."""
    if pick.mention is Mention.CORRECTED:
        return CORRECTIONS
    if pick.mention is Mention.UPDATED:
        return UPDATES
    return LEAD if pick.article.urgency <= URGENT else pick.article.section or ""


def _preference(pick: Pick) -> tuple[bool, bool, float, int]:
    """What was wrong, urgent stories, then the newest, whatever their section: none starves another."""
    return (pick.mention is not Mention.CORRECTED, pick.article.urgency > URGENT, *_newest(pick))


def _newest(pick: Pick) -> tuple[float, int]:
    published_at = pick.article.first_published_at or pick.article.published_at
    return (-published_at.timestamp(), -pick.article.number)
