"""Feeds: an ordered, bounded list of Views with an address."""

from dataclasses import dataclass
from datetime import datetime

from publisher.model.podcast import Podcast
from publisher.model.view import View


@dataclass(frozen=True, slots=True)
class Departure:
    """An entry that a feed carried and carries no more (RFC 6721)."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed in all its formats; `url` is the absolute address without extension."""

    id: str
    """Permanent `tag:` URI (RFC 4287 §4.2.6)."""
    title: str
    description: str
    url: str
    home_url: str
    language: str
    updated_at: datetime
    """Of the last change of an entry, going included; the epoch of the publication when there is none. Never "now"."""
    entries: tuple[View, ...]
    departed: tuple[Departure, ...] = ()
    author: str = ""
    private: bool = False
    hubs: tuple[str, ...] = ()
    podcast: Podcast | None = None
    prev_archive: str = ""
    """The archive document with what is older (RFC 5005 §4), as `url` without extension; empty: there is none."""
    next_archive: str = ""
    """Of an archive document: the one with what is newer."""
    current: str = ""
    """Of an archive document: the feed that it belongs to; empty: this is no archive document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """One feed in one format, as pages offer it: autodiscovery in the head, the list of feeds."""

    title: str
    """Of the feed: the same in all its formats."""
    format: str
    """The format's name, such as `RSS`."""
    url: str
    media_type: str
