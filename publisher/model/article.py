"""Articles: what a file says (`Manuscript`) and what we made of it (`Article`)."""

import enum
from dataclasses import dataclass
from datetime import datetime


class Status(enum.StrEnum):
    """What the editor typed; scheduled, embargoed, updated and expired are derived from dates."""

    PLANNED = "planned"
    DRAFT = "draft"
    PUBLISHED = "published"
    HELD = "held"
    WITHDRAWN = "withdrawn"
    KILLED = "killed"


class Access(enum.StrEnum):
    """How much of a story the public gets."""

    PUBLIC = "public"
    SUMMARY = "summary"
    HEADLINE = "headline"
    SUBSCRIBER = "subscriber"


class Deliver(enum.StrEnum):
    """Which ways a story goes at all, whoever may read it."""

    BOTH = "both"
    MAIL = "mail"
    """A letter: newsletters bring it; it has no page and stands in no feed."""
    WEB = "web"
    """Pages and feeds have it; no newsletter ever brings it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """Somebody who helped with a story; `role` is a word such as `writer` or `editor`."""

    name: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dateline:
    """Where a story was filed."""

    city: str
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture: `src` is an absolute URL, or a path below the site's root, with a leading slash."""

    src: str
    alt: str = ""
    caption: str = ""
    credit: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that goes with a story (RSS 2.0 `enclosure`); `length` in bytes, 0 when unknown."""

    url: str
    media_type: str
    length: int = 0
    title: str = ""
    duration: int = 0
    """Seconds to hear or see it; 0 when unknown."""

    @property
    def is_played(self) -> bool:
        """Whether it is something to hear or to see."""
        return self.media_type.startswith(("audio/", "video/"))


class EpisodeKind(enum.StrEnum):
    """What an episode is to its podcast."""

    FULL = "full"
    TRAILER = "trailer"
    BONUS = "bonus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A story's place in a podcast."""

    number: int | None = None
    season: int | None = None
    kind: EpisodeKind = EpisodeKind.FULL
    explicit: bool | None = None
    """None: as the podcast is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One public note on what was wrong; `kind` is correction, clarification, update or refile."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The whole text of a story: sanitised HTML with absolute or root-relative links, and the same as plain text."""

    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What an editor says about a story, but for its body; times are aware UTC."""

    title: str
    language: str
    slug: str
    deck: str = ""
    summary: str = ""
    """Generated from deck or first paragraph when the file gives none; empty for `access: subscriber`."""
    key_points: tuple[str, ...] = ()
    section: str | None = None
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    contributors: tuple[Contributor, ...] = ()
    sources: tuple[str, ...] = ()
    dateline: Dateline | None = None
    image: Image | None = None
    enclosures: tuple[Enclosure, ...] = ()
    episode: Episode | None = None
    corrections: tuple[Correction, ...] = ()
    status: Status = Status.PUBLISHED
    access: Access | None = None
    """None: the section's, else the site's default."""
    deliver: Deliver = Deliver.BOTH
    products: tuple[str, ...] = ()
    """Product ids this story is put into by hand; `-id` takes it out."""
    urgency: int = 4
    date: datetime | None = None
    """The editor's date, shown as the day of publication; None: the day we first saw it."""
    updated: datetime | None = None
    publish_at: datetime | None = None
    embargo: datetime | None = None
    embargo_reason: str = ""
    expires: datetime | None = None
    translation_of: str | None = None
    supersedes: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Old root-relative addresses that redirect here."""
    guid: str = ""
    """What RSS and JSON feeds call it, where that is not its id: from a feed that was there before us."""
    permalink: str | None = None
    """The story's own address, root-relative with leading slash, when it differs from the site's pattern."""
    kill_reason: str = ""
    ednote: str = ""
    slugline: str = ""
    genre: str = ""
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manuscript(Story):
    """One file, read and understood, before the store gives it an identity."""

    source: str
    """POSIX path of the file below the articles folder, NFC."""
    content_hash: str
    """SHA-256 (hex) of the file's bytes."""
    body: Body
    id: str | None = None
    """The id the file asks for, if any."""
    slug_given: bool = False
    """Whether `slug` was written in the file rather than derived from its name."""
    assets: tuple[str, ...] = ()
    """POSIX paths, below the articles folder, of local files the text refers to."""
    links: tuple[tuple[str, str], ...] = ()
    """Where its links and pictures lead, each with how the file writes it."""
    warnings: tuple["Problem", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Article(Story):
    """A story with its identity, as of one version; its body is fetched only by those who may show it."""

    id: str
    """`tag:` URI (RFC 4151), frozen when the story was first seen."""
    number: int
    """The store's key."""
    version: int
    """1 for the first, +1 per published change."""
    source: str
    path: str
    """Public address below the site's root: `/articles/SLUG/`."""
    first_seen_at: datetime
    first_published_at: datetime | None = None
    """When the store first saw it publishable: counts for digests (decisions 3), never shown."""
    published_at: datetime
    """What readers see as its date; never moves once published."""
    updated_at: datetime
    """Last significant change; equals `published_at` until `updated` or a correction says otherwise."""
    revised_at: datetime
    """When this version reached the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with one file: refused when `fatal`, else only warned about."""

    path: str
    line: int
    message: str
    fatal: bool = True
    code: str = "article"
    """What kind of finding it is (`model.preflight.CODES`)."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"
