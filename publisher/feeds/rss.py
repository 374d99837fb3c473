"""RSS 2.0 (rssboard.org/rss-specification), with content:encoded, Dublin Core and Media RSS."""

import re
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

from publisher.feeds.entries import categories
from publisher.feeds.extension import add_entry, generator_for
from publisher.feeds.format import Format
from publisher.feeds.remembered import Entries, Pieces, cut
from publisher.feeds.text import clean, content_html, line, summary_html, title
from publisher.model.feed import Feed
from publisher.model.podcast import Podcast
from publisher.model.view import FullView, View

_START = re.compile(rb"^(?=    <item>)", re.MULTILINE)
_TAIL = b"  </channel>\n</rss>\n"
_Key = tuple[View, str, Podcast | None]
"""All that an item is written from: the story, the language and the podcast of its feed."""
_ITEMS: Entries[_Key] = Entries()


def render(feed: Feed) -> bytes:
    """Returns the feed as RSS 2.0."""
    return _ITEMS.together([(view, feed.language, feed.podcast) for view in feed.entries], partial(_pieces, feed))


def _pieces(feed: Feed, wanted: Sequence[_Key]) -> Pieces:
    generator = generator_for(feed)
    name = line(feed.title) or feed.id
    generator.title(name)
    generator.description(line(feed.description) or name)
    generator.link(href=FORMAT.url_of(feed), rel="self", type=FORMAT.media_type)
    generator.link(href=clean(feed.home_url), rel="alternate")  # the last link becomes the channel's
    for view, language, podcast in wanted:
        _write(add_entry(generator, view, language, podcast), view)
    return cut(generator.rss_str(pretty=True), _START, _TAIL)


def _write(entry: Any, view: View) -> None:
    if view.guid:
        entry.guid(clean(view.guid), permalink=False)
    entry.title(title(view))
    if view.url is not None:
        entry.link(href=clean(view.url), rel="alternate")
    # A description is always set: without one feedgen would put the whole text there.
    entry.summary(summary_html(view) or f"<p>{escape(title(view))}</p>")
    if isinstance(view, FullView):
        entry.content(content_html(view), type="html")
    for category in categories(view):
        entry.category(term=category.term, scheme=category.scheme or None, label=category.label)
    for enclosure in view.enclosures[:1]:
        entry.enclosure(clean(enclosure.url), enclosure.length, clean(enclosure.media_type))


FORMAT = Format(
    name="rss", title="RSS", extension="rss", media_type="application/rss+xml", charset="utf-8", render=render
)
