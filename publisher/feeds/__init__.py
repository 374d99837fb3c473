"""Feeds as bytes: the same Views in every format, and the same bytes for the same Views.

Adding a format is one module with a `Format` in it and its line here; what
iterates `FORMATS` (routes, links, tests) then knows it.
"""

from publisher.feeds import atom, json_feed, rss
from publisher.feeds.format import Format

FORMATS: dict[str, Format] = {entry.name: entry for entry in (rss.FORMAT, atom.FORMAT, json_feed.FORMAT)}

__all__ = ["FORMATS", "Format"]
