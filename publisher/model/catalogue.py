"""What config declares: the site, its sections, products and newsletters."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from publisher.model.article import Access
from publisher.model.podcast import Podcast
from publisher.model.segment import Segment
from publisher.model.text import Localized
from publisher.model.theme import Theme
from publisher.model.view import Channel, Depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A desk of the site."""

    id: str
    title: Localized
    access: Access | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which stories are meant: every criterion that is given must match; an empty filter matches all."""

    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    urgency_max: int | None = None
    """Urgency 1 is the most urgent: 2 means flash and urgent."""
    subjects: tuple[str, ...] = ()
    """IPTC media topics, eight digits each."""
    genres: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a subscription can cover."""

    id: str
    title: Localized
    match: Filter = field(default_factory=Filter)
    exclude: Filter | None = None
    channels: frozenset[Channel] = frozenset()
    """Ways in which the text may go to its subscribers; empty: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFeed:
    """A public feed of a choice of stories, at `/feeds/ID.…`."""

    id: str
    title: Localized
    description: Localized = field(default_factory=lambda: Localized({}))
    language: str = ""
    """In which its own words are; empty: the site's."""
    match: Filter = field(default_factory=Filter)
    exclude: Filter | None = None
    products: tuple[str, ...] = ()
    """Only stories that one of these holds; empty: any."""
    limit: int = 50
    depth: Depth = Depth.FULL
    """The most it shows of a story: never more than the public may have."""
    formats: tuple[str, ...] = ()
    """Names of the formats it has; empty: all."""
    archive: bool = True
    """Whether what leaves it goes to archive documents (RFC 5005)."""
    podcast: Podcast | None = None
    """What makes it a podcast: then it has only stories with something to hear or to see."""


class Archives(enum.StrEnum):
    """Which feeds have archive documents (RFC 5005 §4) beside those that are declared."""

    NONE = "none"
    MAIN = "main"
    """The feed of everything."""
    EVERY = "every"
    """All but those of tags."""


class Audience(enum.StrEnum):
    """Whom a newsletter is for: it picks the people, `Access` picks the depth."""

    PUBLIC = "public"
    SUBSCRIBERS = "subscribers"


class Late(enum.StrEnum):
    """What becomes of slots that were missed."""

    RUN = "run"
    SKIP = "skip"
    MERGE = "merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsletter:
    """A digest that people can subscribe to."""

    id: str
    title: Localized
    description: Localized = field(default_factory=lambda: Localized({}))
    audience: Audience = Audience.PUBLIC
    open: bool = True
    archive: bool = False
    """Whether its issues stand on the web; never those of single stories, which have pages themselves."""
    schedule: str = "daily 07:00"
    timezone: str = "UTC"
    products: tuple[str, ...] = ()
    """Empty: all that the reader may see."""
    filter: Filter = field(default_factory=Filter)
    segments: tuple[str, ...] = ()
    """Only the readers who are in all of these; empty: every reader."""
    min_articles: int = 1
    max_articles: int = 20
    grace_seconds: float = 900.0
    late: Late = Late.RUN
    sender: str = ""
    """`Name <address>`; empty: the site's."""
    subject: str = ""
    """Template of the subject; empty: the packaged one."""
    rhythms: tuple[str, ...] = ()
    """Kinds of schedules that readers may choose in place of its own."""
    approval: bool = False
    """Whether every issue waits until somebody lets it go."""

    @property
    def instant(self) -> bool:
        """Whether each story goes out by itself, on publication."""
        return self.schedule == "instant"

    @property
    def at_once(self) -> bool:
        """Whether stories go out on publication to some of its readers at least."""
        return self.instant or "instant" in self.rhythms


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every page, feed and mail says about the publication."""

    title: str
    url: str
    """Without trailing slash."""
    description: str = ""
    language: str = "en"
    timezone: str = "UTC"
    contact: str = ""
    service: str = ""
    author: str = ""
    languages: tuple[str, ...] = ("en",)
    feed_limit: int = 50
    feed_bytes: int = 1_000_000
    feed_depth: Depth = Depth.FULL
    """The most that public feeds show of a story."""
    feed_archives: Archives = Archives.MAIN
    hubs: tuple[str, ...] = ()
    """WebSub hubs that are told of every change of a public feed."""
    gated: bool = False
    """Whether anything at all may be withheld from the public; False: nothing speaks of subscriptions (decisions 9)."""
    postal_address: str = ""
    theme: Theme = field(default_factory=Theme)

    def absolute(self, path: str) -> str:
        """Returns the public URL of a root-relative path."""
        return self.url + path


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much of the report is shown to those who do not subscribe to it, and when."""

    public_delay: timedelta = timedelta(0)
    """By how much subscribers are ahead of everybody else."""
    summaries_outside: bool = False
    """Whether subscribers get summaries of what their products leave out; else they get nothing of it."""
    expired_pages: bool = False
    """Whether the page of an expired story stays at its address."""
    lead_paragraphs: Mapping[Channel, int] = field(default_factory=dict)
    """How many paragraphs of the text a summary carries, by channel; none where it is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All that config declares, by id, in its order."""

    site: Site
    sections: dict[str, Section]
    products: dict[str, Product]
    newsletters: dict[str, Newsletter]
    default_access: Access
    feeds: dict[str, DeclaredFeed] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
