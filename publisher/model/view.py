"""A rendition of one article for one kind of viewer.

What the viewer may not see does not exist here: a `View` has no body at all,
only a `FullView` has. Every output is made from Views and from nothing else.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

from publisher.model.advisory import AdvisoryKind
from publisher.model.article import Correction, Enclosure, Episode, Image


class Depth(enum.StrEnum):
    """How much of an article a viewer gets; `editorial.access.decide` is the only one who says."""

    HIDE = "hide"
    HEADLINE = "headline"
    SUMMARY = "summary"
    FULL = "full"
    FULL_EMBARGOED = "full-embargoed"
    HOLD = "hold"
    TOMBSTONE = "tombstone"


FULL = frozenset({Depth.FULL, Depth.FULL_EMBARGOED})
"""Depths at which the whole text is shown."""


class Channel(enum.StrEnum):
    """Where a rendition goes."""

    PAGE = "page"
    FEED = "feed"
    EMAIL = "email"
    NINJS = "ninjs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A name with its id and, if it has one, its absolute address."""

    id: str
    title: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The separable subscription notice of a public rendition; `text` is plain, `contact` a URL."""

    text: str
    contact: str
    contact_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """The public stories that one of them is tied to; a Label's id is the language, its title the headline."""

    original: Label | None = None
    """What it is a translation of."""
    translations: tuple[Label, ...] = ()
    """Of itself, into other languages."""
    languages: tuple[Label, ...] = ()
    """The same story in each language it is in, itself among them; empty when there is only one."""
    related: tuple[Label, ...] = ()
    replaced: tuple[Label, ...] = ()
    """What it stands in the place of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefits:
    """What a subscription would bring of a story: names in its language."""

    products: tuple[str, ...] = ()
    newsletters: tuple[str, ...] = ()
    feed: bool = True
    """Whether the text comes by private feed as well."""
    signup_url: str | None = None
    """Where a newsletter that brings it may be signed up for; None when none is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The public parts of an article, in the article's language; all URLs are absolute, all texts plain."""

    id: str
    guid: str = ""
    """What RSS and JSON feeds call it; empty: by its id."""
    number: int
    version: int
    depth: Depth
    url: str | None
    """None for a story that has no public page: the full text is all there is."""
    language: str
    direction: str
    title: str
    deck: str = ""
    summary: str = ""
    key_points: tuple[str, ...] = ()
    section: Label | None = None
    tags: tuple[Label, ...] = ()
    authors: tuple[str, ...] = ()
    contributors: tuple[tuple[str, str], ...] = ()
    """(localised role phrase such as "Writing by", name)."""
    sources: tuple[str, ...] = ()
    dateline: str = ""
    country: str = ""
    """Of the dateline, as the editor wrote it."""
    genre: str = ""
    subjects: tuple[str, ...] = ()
    """IPTC media topics, eight digits each."""
    lead: tuple[str, ...] = ()
    """The first paragraphs of the text, as far as the publication gives them away."""
    image: Image | None = None
    enclosures: tuple[Enclosure, ...] = ()
    episode: Episode | None = None
    corrections: tuple[Correction, ...] = ()
    urgency: int = 4
    published_at: datetime
    updated_at: datetime
    expires: datetime | None = None
    published_text: str = ""
    """`published_at` as readers see it: in the story's language and the site's zone, with the time if it has one."""
    updated_text: str = ""
    embargo_text: str = ""
    """Until when nobody else may have it, in words; empty: there is no embargo."""
    embargo_reason: str = ""
    update_shown: bool = False
    """Whether the update stamp says something that the date does not."""
    recalled_at: datetime | None = None
    """When the story was withdrawn or killed."""
    advisory: AdvisoryKind | None = None
    """What this entry says about a story, when it is not the story itself."""
    notice: Notice | None = None
    kin: Kin = Kin()
    """The stories it is tied to, as far as its viewer may know of them."""
    labels: str = ""
    """The language of its labels, where we have none in its own; empty: its own."""
    shortened: bool = False
    """Whether its viewer may have more of it than stands here: the rest is on a page of theirs."""
    free: bool = True
    """schema.org isAccessibleForFree: whether the public gets the full text."""

    @property
    def opens_with_summary(self) -> bool:
        """Whether the summary is but the beginning of the first paragraph that is shown anyway."""
        return bool(self.lead) and self.lead[0].startswith(self.summary.rstrip("…. "))

    @property
    def words(self) -> str:
        """The language of the labels that belong to it."""
        return self.labels or self.language


@dataclass(frozen=True, slots=True, kw_only=True)
class FullView(View):
    """A View in full: only `editorial.rendition` makes one, and only for those whom `decide` gives FULL."""

    body_html: str
    body_text: str
