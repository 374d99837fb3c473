"""What XML formats say about an entry beside its words: categories, people, pictures."""

from dataclasses import dataclass
from urllib.parse import urljoin

from publisher.feeds.text import clean, line
from publisher.languages import label
from publisher.model.article import Image
from publisher.model.feed import Feed
from publisher.model.view import View

_IMAGE_TYPES = {
    "avif": "image/avif",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
}
_URGENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One subject (RFC 4287 §4.2.2); `scheme` is an absolute IRI or empty."""

    term: str
    label: str
    scheme: str = ""


def categories(view: View) -> list[Category]:
    """Returns section, tags and high urgency, each once."""
    found = []
    if view.section is not None:
        scheme = urljoin(view.section.url, "../") if view.section.url else ""
        found.append(Category(term=line(view.section.id), label=line(view.section.title), scheme=scheme))
    found += [Category(term=line(tag.id), label=line(tag.title)) for tag in view.tags]
    if view.urgency <= _URGENT:
        urgency = max(view.urgency, 1)
        found.append(Category(term=f"urgency-{urgency}", label=label(f"urgency_{urgency}", view.words)))
    return list({(c.label.casefold()): c for c in reversed(found) if c.term and c.label}.values())[::-1]


def authors(view: View) -> list[str]:
    """Returns the names of those who wrote the story, each once."""
    return [name for name in dict.fromkeys(map(line, view.authors)) if name]


def contributors(view: View) -> list[str]:
    """Returns the names of those who helped, each once."""
    return [name for name in dict.fromkeys(line(name) for _, name in view.contributors) if name]


def feed_author(feed: Feed) -> str:
    """Returns who stands for the whole feed (RFC 4287 §4.1.1 wants somebody)."""
    return line(feed.author) or line(feed.title) or feed.id


def hubs(feed: Feed) -> list[str]:
    """Returns the WebSub hubs of a public feed; a private address is never told to one."""
    return [] if feed.private else [clean(hub) for hub in feed.hubs]


def archive_links(feed: Feed, extension: str) -> list[tuple[str, str]]:
    """Returns relations and addresses of the documents that a feed is continued in (RFC 5005 §4)."""
    found = {"current": feed.current, "prev-archive": feed.prev_archive, "next-archive": feed.next_archive}
    return [(rel, f"{clean(url)}.{extension}") for rel, url in found.items() if url]


def image_type(image: Image) -> str | None:
    """Returns the media type that the image's file name tells of."""
    path = image.src.partition("?")[0].partition("#")[0]
    return _IMAGE_TYPES.get(path.rpartition(".")[2].lower())
