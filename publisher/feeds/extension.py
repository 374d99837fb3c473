"""What feedgen leaves out of RSS and Atom, in one extension.

feedgen's own RSS dates are not used: writing them sets the locale of the whole
process, and a feed without one would get the time of the build.
"""

from typing import Any

from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from publisher.feeds import podcast as podcasts
from publisher.feeds.dates import rfc822, rfc3339
from publisher.feeds.entries import archive_links, authors, contributors, hubs, image_type
from publisher.feeds.text import clean, line
from publisher.model.article import Enclosure, Image
from publisher.model.feed import Feed
from publisher.model.podcast import Podcast
from publisher.model.view import Depth, View

ATOM = "http://www.w3.org/2005/Atom"
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "media": "http://search.yahoo.com/mrss/",
}
HISTORY = "http://purl.org/syndication/history/1.0"
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class FeedExtension(BaseExtension):  # type: ignore[misc]
    """The feed's own part: namespaces, hubs, the date of the last change."""

    feed: Feed | None = None

    def extend_ns(self) -> dict[str, str]:
        """Returns the namespaces, to be declared once on the root; rarer ones only where they are used."""
        if self.feed is None:
            return NAMESPACES
        departed = {"at": TOMBSTONES} if self.feed.departed else {}
        podcast = podcasts.NAMESPACES if self.feed.podcast else {}
        return NAMESPACES | departed | podcast | ({"fh": HISTORY} if self.feed.current else {})

    def extend_atom(self, root: Any) -> Any:
        """Adds which entries are gone (RFC 6721 §3), and that this is an archive document (RFC 5005 §4)."""
        _add_history(root, self.feed)
        for one in self.feed.departed if self.feed is not None else ():
            etree.SubElement(root, f"{{{TOMBSTONES}}}deleted-entry", ref=one.id, when=rfc3339(one.at))
        return root

    def extend_rss(self, root: Any) -> Any:
        """Adds what RSS channels lack in feedgen."""
        if self.feed is not None:
            _add(root[0], "lastBuildDate", rfc822(self.feed.updated_at))
            for hub in hubs(self.feed):
                etree.SubElement(root[0], f"{{{ATOM}}}link", rel="hub", href=hub)
            for rel, url in archive_links(self.feed, "rss"):
                etree.SubElement(root[0], f"{{{ATOM}}}link", rel=rel, href=url)
            _add_history(root[0], self.feed)
            if self.feed.podcast is not None:
                podcasts.add_channel(root[0], self.feed, self.feed.podcast)
        return root


class EntryExtension(BaseEntryExtension):  # type: ignore[misc]
    """The entry's part: people, dates, pictures, language, and links with all their attributes."""

    view: View | None = None
    feed_language = ""
    podcast: Podcast | None = None

    def extend_rss(self, item: Any) -> Any:
        """Adds what RSS items lack in feedgen."""
        if self.view is None:
            return item
        _add(item, "pubDate", rfc822(self.view.published_at))
        for name in authors(self.view):
            _add(item, _dc("creator"), name)
        for name in contributors(self.view):
            _add(item, _dc("contributor"), name)
        if self.view.language != self.feed_language:
            _add(item, _dc("language"), self.view.language)
        _add(item, _dcterms("modified"), rfc3339(self.view.updated_at))
        if self.view.depth is Depth.TOMBSTONE:  # what is still good leaves with its time, and says nothing before
            _add_validity(item, self.view)
        _add_image(item, self.view.image)
        for enclosure in self.view.enclosures[1:]:  # an item has one enclosure at most (RSS profile)
            _add_media(item, enclosure)
        if self.podcast is not None:
            podcasts.add_item(item, self.view, self.podcast)
        return item

    def extend_atom(self, entry: Any) -> Any:
        """Adds what Atom entries lack in feedgen, and writes their links anew."""
        if self.view is None:
            return entry
        if self.view.language != self.feed_language:
            entry.set(_XML_LANG, self.view.language)
        for link in entry.findall("link"):
            entry.remove(link)  # feedgen 1.0.0 loses rel, type, title and length of an entry's links
        if self.view.url is not None:
            etree.SubElement(entry, "link", rel="alternate", type="text/html", href=clean(self.view.url))
        _add_kin(entry, self.view)
        for enclosure in self.view.enclosures:
            link = etree.SubElement(
                entry, "link", rel="enclosure", type=clean(enclosure.media_type), href=clean(enclosure.url)
            )
            _set(link, length=enclosure.length or None, title=line(enclosure.title) or None)
        _add_validity(entry, self.view)
        _add_image(entry, self.view.image)
        return entry


def generator_for(feed: Feed) -> FeedGenerator:
    """Returns a feedgen generator that knows the extension and no time of its own."""
    generator = FeedGenerator()
    # It starts as "now" and cannot be unset by the API; the extension writes the right one.
    generator._FeedGenerator__rss_lastBuildDate = None
    generator.register_extension("publisher", FeedExtension, EntryExtension)
    generator.publisher.feed = feed
    generator.generator("publisher")
    generator.language(feed.language)
    return generator


def add_entry(generator: FeedGenerator, view: View, language: str, podcast: Podcast | None = None) -> Any:
    """Returns a new entry at the end of the feed, bound to its view; `language` and `podcast` are the feed's."""
    entry = generator.add_entry(order="append")
    entry.publisher.view = view
    entry.publisher.feed_language = language
    entry.publisher.podcast = podcast
    entry.id(view.id)
    return entry


def _add_history(parent: Any, feed: Feed | None) -> None:
    if feed is not None and feed.current:
        etree.SubElement(parent, f"{{{HISTORY}}}archive")


def _dc(name: str) -> str:
    return f"{{{NAMESPACES['dc']}}}{name}"


def _dcterms(name: str) -> str:
    return f"{{{NAMESPACES['dcterms']}}}{name}"


def _media(name: str) -> str:
    return f"{{{NAMESPACES['media']}}}{name}"


def _add(parent: Any, tag: str, text: str, **attributes: object) -> Any:
    element = etree.SubElement(parent, tag)
    element.text = text
    return _set(element, **attributes)


def _set(element: Any, **attributes: object) -> Any:
    for name, value in attributes.items():
        if value is not None:
            element.set(name, str(value))
    return element


def _add_kin(entry: Any, view: View) -> None:
    """Adds the story in other languages, what is related to it, and what it replaces (RFC 4287 §4.2.7, RFC 5829)."""
    kin = view.kin
    # Some readers follow the first alternate, some the last: both are the story itself.
    others = sorted(kin.languages, key=lambda one: one.url == view.url)
    tied = [("alternate", others), ("related", kin.related), ("predecessor-version", kin.replaced)]
    for rel, story in ((rel, story) for rel, stories in tied for story in stories if story.url):
        link = etree.SubElement(entry, "link", rel=rel, type="text/html", href=clean(story.url or ""))
        _set(link, hreflang=story.id)


def _add_validity(entry: Any, view: View) -> None:
    """Adds how long a story is good (DCMI Period); of one that was taken back the end is past."""
    until = view.recalled_at or view.expires
    if until is not None:
        start, end = rfc3339(view.published_at), rfc3339(until)
        _add(entry, _dcterms("valid"), f"start={start}; end={end}; scheme=W3C-DTF")


def _add_media(parent: Any, enclosure: Enclosure) -> None:
    kind = enclosure.media_type.partition("/")[0]
    content = etree.SubElement(parent, _media("content"), url=clean(enclosure.url), type=clean(enclosure.media_type))
    medium = kind if kind in ("audio", "image", "video") else "document"
    _set(content, medium=medium, fileSize=enclosure.length or None, duration=enclosure.duration or None)
    if line(enclosure.title):
        _add(content, _media("title"), line(enclosure.title), type="plain")


def _add_image(entry: Any, image: Image | None) -> None:
    """Adds the picture with its words (Media RSS 1.5.1)."""
    if image is None:
        return
    url = clean(image.src)
    content = etree.SubElement(entry, _media("content"), url=url, medium="image")
    _set(content, type=image_type(image), width=image.width, height=image.height)
    words = line(image.caption or image.alt)
    if words:
        _add(content, _media("description"), words, type="plain")
    if image.credit:
        _add(content, _media("credit"), line(image.credit), role="photographer", scheme="urn:ebu")
    _set(etree.SubElement(content, _media("thumbnail"), url=url), width=image.width, height=image.height)
