"""Atom 1.0 (RFC 4287)."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from publisher.feeds.entries import archive_links, authors, categories, contributors, feed_author, hubs
from publisher.feeds.extension import add_entry, generator_for
from publisher.feeds.format import Format
from publisher.feeds.remembered import Entries, Pieces, cut
from publisher.feeds.text import clean, content_html, entry_html, line, summary_html, title
from publisher.model.feed import Feed
from publisher.model.view import FullView, View

_START = re.compile(rb"^(?=  <entry[ >])", re.MULTILINE)
_TAIL = b"</feed>\n"
_Key = tuple[View, str]
"""All that an entry is written from: the story and the language of its feed."""
_ENTRIES: Entries[_Key] = Entries()


def render(feed: Feed) -> bytes:
    """Returns the feed as Atom 1.0."""
    return _ENTRIES.together([(view, feed.language) for view in feed.entries], partial(_pieces, feed))


def _pieces(feed: Feed, wanted: Sequence[_Key]) -> Pieces:
    generator = generator_for(feed)
    generator.id(feed.id)
    generator.title(line(feed.title) or feed.id)
    generator.subtitle(line(feed.description) or None)
    generator.updated(feed.updated_at.replace(microsecond=0))
    generator.author(name=feed_author(feed))
    generator.link(href=FORMAT.url_of(feed), rel="self", type=FORMAT.media_type)
    for hub in hubs(feed):
        generator.link(href=hub, rel="hub")
    for rel, url in archive_links(feed, FORMAT.extension):
        generator.link(href=url, rel=rel, type=FORMAT.media_type)
    generator.link(href=clean(feed.home_url), rel="alternate", type="text/html")
    for view, language in wanted:
        _write(add_entry(generator, view, language), view)
    return cut(generator.atom_str(pretty=True), _START, _TAIL)


def _write(entry: Any, view: View) -> None:
    entry.title(title(view))
    entry.published(view.published_at.replace(microsecond=0))
    entry.updated(view.updated_at.replace(microsecond=0))
    for name in authors(view):
        entry.author(name=name)
    for name in contributors(view):
        entry.contributor(name=name)
    for category in categories(view):
        entry.category(term=category.term, scheme=category.scheme or None, label=category.label)
    if view.url is not None:
        entry.link(href=clean(view.url), rel="alternate")
    _write_texts(entry, view)


def _write_texts(entry: Any, view: View) -> None:
    summary = summary_html(view)
    if isinstance(view, FullView):
        entry.content(content_html(view) or entry_html(view), type="html")
    elif view.url is None:
        entry.content(entry_html(view), type="html")  # RFC 4287 §4.1.2: content, where there is no alternate link
        return
    if summary:
        entry.summary(summary, type="html")


FORMAT = Format(
    name="atom", title="Atom", extension="atom", media_type="application/atom+xml", charset="utf-8", render=render
)
