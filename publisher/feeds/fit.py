"""Keeps a feed within its size: however long its stories are, a reader fetches no more than so many bytes."""

from collections.abc import Sequence
from dataclasses import replace

from publisher.feeds.format import Format
from publisher.feeds.text import entry_html
from publisher.model.feed import Feed
from publisher.model.view import View

_AROUND = 3000
"""Bytes that an entry has beside its text, reckoned richly."""


def fit(feed: Feed, formats: Sequence[Format], most: int) -> tuple[Feed, dict[str, bytes]]:
    """Returns a feed with as many of its newest entries as every format holds in `most` bytes, and how it reads.

    One entry stays, whatever its size: a feed that is empty tells nobody why.
    """
    while True:
        rendered = {fmt.name: fmt.render(feed) for fmt in formats}
        largest = max(map(len, rendered.values()))
        if largest <= most or (len(feed.entries) <= 1 and not feed.departed):
            return feed, rendered
        if len(feed.entries) > 1:
            keep = min(len(feed.entries) - 1, max(1, len(feed.entries) * most // largest))
            feed = replace(feed, entries=feed.entries[:keep])
        else:
            feed = replace(feed, departed=feed.departed[: len(feed.departed) // 2])


def weight(view: View) -> int:
    """Returns about how many bytes an entry takes in the largest format."""
    return _AROUND + len(entry_html(view).encode()) * 3 // 2
