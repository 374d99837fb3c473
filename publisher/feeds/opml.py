"""OPML 2.0 (opml.org/spec2): the list of the publication's feeds, to be taken into a reader at once."""

from collections.abc import Sequence

from lxml import etree

from publisher.feeds.dates import rfc822
from publisher.feeds.format import Format
from publisher.feeds.text import clean, line
from publisher.model.feed import Feed

MEDIA_TYPE = "text/x-opml"
CONTENT_TYPE = "text/x-opml; charset=utf-8"
_VERSIONS = {"rss": "RSS2", "atom": "ATOM1"}


def opml(title: str, feeds: Sequence[tuple[Feed, Format]]) -> bytes:
    """Returns the subscription list of `feeds`, each at its address in one format."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = line(title)
    if feeds:
        etree.SubElement(head, "dateModified").text = rfc822(max(feed.updated_at for feed, _ in feeds))
    body = etree.SubElement(root, "body")
    for feed, feed_format in feeds:
        body.append(_outline(feed, feed_format))
    document: bytes = etree.tostring(root, pretty_print=True, encoding="UTF-8", xml_declaration=True)
    return document


def _outline(feed: Feed, feed_format: Format) -> "etree._Element":
    name = line(feed.title) or feed.id
    outline = etree.Element("outline", type="rss", text=name, title=name, xmlUrl=feed_format.url_of(feed))
    outline.set("htmlUrl", clean(feed.home_url))
    outline.set("language", feed.language)
    if line(feed.description):
        outline.set("description", line(feed.description))
    if feed_format.name in _VERSIONS:
        outline.set("version", _VERSIONS[feed_format.name])
    return outline
