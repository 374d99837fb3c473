"""RSS 2.0 (rssboard.org/rss-specification), with content:encoded, Dublin Core and Media RSS."""

from html import escape
from typing import Any

from publisher.feeds.entries import categories
from publisher.feeds.extension import add_entry, generator_for
from publisher.feeds.format import Format
from publisher.feeds.text import clean, content_html, line, summary_html, title
from publisher.model.feed import Feed
from publisher.model.view import FullView, View


def render(feed: Feed) -> bytes:
    """Returns the feed as RSS 2.0."""
    generator = generator_for(feed)
    name = line(feed.title) or feed.id
    generator.title(name)
    generator.description(line(feed.description) or name)
    generator.link(href=FORMAT.url_of(feed), rel="self", type=FORMAT.media_type)
    generator.link(href=clean(feed.home_url), rel="alternate")  # the last link becomes the channel's
    for view in feed.entries:
        _write(add_entry(generator, feed, view), view)
    document: bytes = generator.rss_str(pretty=True)
    return document


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
