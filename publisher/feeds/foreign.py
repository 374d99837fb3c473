"""Reads a feed of another program: RSS 2.0 and 1.0, Atom, JSON Feed.

Nothing is fetched, and no entity is expanded: a feed is a file that somebody hands us.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lxml import etree

from publisher.errors import UsageError
from publisher.model.foreign import ForeignEntry

_ATOM = "http://www.w3.org/2005/Atom"


def read(feed: str, data: bytes) -> list[ForeignEntry]:
    """Returns a feed's entries in order; UsageError where the bytes are none. `feed` is what errors call it."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return list(_json(feed, data))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
    try:
        root = etree.fromstring(data.lstrip(), parser)
    except etree.XMLSyntaxError as error:
        raise UsageError(f"{feed}:{error.lineno}: this is no feed: {error.msg}") from error
    kind = etree.QName(root).localname
    if kind == "feed":
        return list(_atom(feed, root))
    if kind in ("rss", "RDF"):
        return list(_rss(feed, root))
    raise UsageError(f"{feed}: an RSS, Atom or JSON feed is needed, and this begins with <{kind}>")


def _json(feed: str, data: bytes) -> Iterable[ForeignEntry]:
    try:
        told = json.loads(data.decode("utf-8-sig"))
        items = [item for item in told["items"] if isinstance(item, dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{feed}: this is no JSON Feed: {error}") from error
    for item in items:
        link = _word(item.get("url")) or _word(item.get("external_url"))
        yield ForeignEntry(
            feed=feed,
            name=_word(item.get("id")) or link,
            is_atom=False,
            link=link,
            title=_word(item.get("title")),
            at=_iso(_word(item.get("date_published"))),
        )


def _atom(feed: str, root: Any) -> Iterable[ForeignEntry]:
    for entry in root.iterfind(f"{{{_ATOM}}}entry"):
        links = [link for link in entry.iterfind(f"{{{_ATOM}}}link") if link.get("rel", "alternate") == "alternate"]
        yield ForeignEntry(
            feed=feed,
            name=_text(entry, "id"),
            is_atom=True,
            link=_word(links[0].get("href")) if links else "",
            title=_text(entry, "title"),
            at=_iso(_text(entry, "published") or _text(entry, "updated")),
        )


def _rss(feed: str, root: Any) -> Iterable[ForeignEntry]:
    for item in root.iter():
        if not isinstance(item.tag, str) or etree.QName(item).localname != "item":
            continue
        link = _text(item, "link")
        yield ForeignEntry(
            feed=feed,
            name=_text(item, "guid") or link,
            is_atom=False,
            link=link,
            title=_text(item, "title"),
            at=_rfc822(_text(item, "pubDate")) or _iso(_text(item, "date")),
        )


def _text(parent: Any, name: str) -> str:
    """Returns the text of the first child of that name, in RSS' (no) namespace, Atom's or Dublin Core's."""
    for child in parent:
        if (
            isinstance(child.tag, str)
            and etree.QName(child).localname == name
            and child.prefix not in ("media", "itunes")
        ):
            return " ".join("".join(child.itertext()).split())
    return ""


def _word(value: object) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int) else ""


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _rfc822(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
