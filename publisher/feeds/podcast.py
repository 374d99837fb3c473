"""What podcast programs read in RSS: Apple's tags, and those of podcastindex.org (namespace 1.0)."""

from typing import Any
from uuid import UUID, uuid5

from lxml import etree

from publisher.feeds.text import clean, line, summary_text
from publisher.model.article import EpisodeKind
from publisher.model.feed import Feed
from publisher.model.podcast import Podcast
from publisher.model.view import View

ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
PODCAST = "https://podcastindex.org/namespace/1.0"
NAMESPACES = {"itunes": ITUNES, "podcast": PODCAST}
_GUIDS = UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")


def add_channel(channel: Any, feed: Feed, podcast: Podcast) -> None:
    """Adds what a directory wants to know of the whole: who makes it, its picture, what it is about."""
    _add(channel, ITUNES, "author", line(podcast.author) or line(feed.author) or line(feed.title))
    _add(channel, ITUNES, "image", href=clean(podcast.image))
    category = _add(channel, ITUNES, "category", text=line(podcast.category))
    if podcast.subcategory:
        _add(category, ITUNES, "category", text=line(podcast.subcategory))
    _add(channel, ITUNES, "explicit", _word(podcast.explicit))
    _add(channel, ITUNES, "type", podcast.kind)
    if podcast.owner:
        owner = _add(channel, ITUNES, "owner")
        _add(owner, ITUNES, "name", line(podcast.author) or line(feed.title))
        _add(owner, ITUNES, "email", line(podcast.owner))
    _add(channel, PODCAST, "guid", guid(feed))
    _add(channel, PODCAST, "medium", "podcast")


def guid(feed: Feed) -> str:
    """Returns the podcast's own id, also of its archive documents."""
    return guid_of((feed.current or feed.url) + ".rss")


def guid_of(address: str) -> str:
    """Returns the id of the podcast at an address: made of it without scheme and slash at the end."""
    return str(uuid5(_GUIDS, address.partition("://")[2].rstrip("/")))


def add_item(item: Any, view: View, podcast: Podcast) -> None:
    """Adds what programs show of an episode."""
    seconds = next((one.duration for one in view.enclosures if one.duration), 0)
    if seconds:
        _add(item, ITUNES, "duration", str(seconds))
    if summary_text(view):
        _add(item, ITUNES, "summary", summary_text(view))
    if view.image is not None:
        _add(item, ITUNES, "image", href=clean(view.image.src))
    episode = view.episode
    explicit = podcast.explicit if episode is None or episode.explicit is None else episode.explicit
    _add(item, ITUNES, "explicit", _word(explicit))
    if episode is None:
        return
    _add(item, ITUNES, "episodeType", episode.kind.value)
    for name, number in (("season", episode.season), ("episode", episode.number)):
        if number is not None and episode.kind is not EpisodeKind.TRAILER:
            _add(item, ITUNES, name, str(number))
            _add(item, PODCAST, name, str(number))


def _word(yes: bool) -> str:
    return "true" if yes else "false"


def _add(parent: Any, namespace: str, name: str, content: str | None = None, **attributes: str) -> Any:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    element.text = content
    return element
