"""IPTC ninjs 3.1 (iptc.org/std/ninjs): one item per version of a story, for machine clients.

The schema allows no key of one's own: an update or a correction is told by
`version` and `edNote`, a hold or a kill by `pubStatus`. ninjs has no list;
ours is `items` with the address at which a client goes on.
"""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from publisher.feeds.dates import rfc3339
from publisher.feeds.entries import authors, image_type
from publisher.feeds.text import clean, line, title
from publisher.model.article import Image, Status
from publisher.model.view import Depth, FullView, View
from publisher.model.wire import WireItem, WirePage

TITLE = "ninjs"
"""For people."""
MEDIA_TYPE = "application/json"
VERSION = "3.1"
_SCHEMA = "https://www.iptc.org/std/ninjs/ninjs-schema_3.1.json"
_MEDIA_TOPICS = "http://cv.iptc.org/newscodes/mediatopic/"
_MEDIA_TOPIC = re.compile(r"[0-9]{8}")
_PUB_STATUS = {
    Status.PUBLISHED: "usable",
    Status.HELD: "withheld",
    Status.WITHDRAWN: "canceled",
    Status.KILLED: "canceled",
}
_LEAST_URGENT = 9


def render(page: WirePage) -> bytes:
    """Returns a page of the wire as JSON."""
    document = {"items": [item(one) for one in page.items], "next": page.next_url}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def item(one: WireItem) -> dict[str, Any]:
    """Returns one ninjs item; what the client may not have is not in it at all."""
    view = one.view
    advice = view.depth in (Depth.HOLD, Depth.TOMBSTONE)
    found = {
        "uri": view.id,
        "standard": {"name": "ninjs", "version": VERSION, "schema": _SCHEMA},
        "type": "text",
        "representationType": "full" if isinstance(view, FullView) else "partial",
        "version": str(view.version),
        "firstCreated": rfc3339(view.published_at),
        "versionCreated": rfc3339(one.revised_at if advice else view.updated_at),
        "pubStatus": _PUB_STATUS[one.status],
        "embargoedUntil": _moment(one.embargoed_until),
        "expires": _moment(one.expires),
        "urgency": min(max(view.urgency, 1), _LEAST_URGENT),
        "language": view.language,
        "headlines": _headlines(view),
        "descriptions": _descriptions(view),
        "bodies": _bodies(view),
        "by": ", ".join(authors(view)),
        "slugline": line(one.slugline),
        "located": line(view.dateline),
        "infoSources": _info_sources(one),
        "subjects": _subjects(one),
        "genres": [{"name": line(one.genre)}] if one.genre else [],
        "edNote": line(one.ed_note),
        "usageTerms": line(one.usage_terms),
        "copyrightHolder": line(one.copyright_holder),
        "renditions": [{"name": "web", "href": clean(view.url), "contentType": "text/html"}] if view.url else [],
        "associations": [_picture(view.image, view.language)] if view.image else [],
    }
    return {key: value for key, value in found.items() if value not in (None, "", [])}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _headlines(view: View) -> list[dict[str, str]]:
    texts = [("main", title(view)), ("subhead", line(view.deck))]
    return [{"role": role, "contentType": "text/plain", "value": text} for role, text in texts if text]


def _descriptions(view: View) -> list[dict[str, str]]:
    texts = [("summary", line(view.summary)), *(("keypoints", line(point)) for point in view.key_points)]
    return [{"role": role, "contentType": "text/plain", "value": text} for role, text in texts if text]


def _bodies(view: View) -> list[dict[str, Any]]:
    if not isinstance(view, FullView):
        return []
    text = clean(view.body_text)
    return [
        {
            "role": "main",
            "contentType": "text/html",
            "charCount": len(text),
            "wordCount": len(text.split()),
            "value": clean(view.body_html),
        }
    ]


def _info_sources(one: WireItem) -> list[dict[str, str]]:
    named = [*(("source", name) for name in one.view.sources), *((c.role, c.name) for c in one.contributors)]
    return [{"role": line(role) or "contributor", "name": line(name)} for role, name in named if line(name)]


def _subjects(one: WireItem) -> list[dict[str, str]]:
    section = one.view.section
    found = [{"rel": "section", "name": line(section.title), "literal": line(section.id)}] if section else []
    if section and section.url:
        found[0]["uri"] = clean(section.url)
    topics = [code for code in one.subjects if _MEDIA_TOPIC.fullmatch(code)]
    found += [{"rel": "about", "uri": f"{_MEDIA_TOPICS}{code}", "literal": f"medtop:{code}"} for code in topics]
    return found + [{"rel": "tag", "name": line(tag.title), "literal": line(tag.id)} for tag in one.view.tags]


def _picture(image: Image, language: str) -> dict[str, Any]:
    href = clean(image.src)
    rendition = {
        "name": "original",
        "href": href,
        "contentType": image_type(image),
        "width": image.width,
        "height": image.height,
    }
    texts = [("caption", line(image.caption)), ("alt", line(image.alt))]
    found = {
        "name": "mainpicture",
        "uri": href,
        "type": "picture",
        "title": line(image.caption or image.alt) or urlsplit(href).path.rpartition("/")[2],
        "language": language,
        "by": line(image.credit),
        "descriptions": [{"role": role, "contentType": "text/plain", "value": text} for role, text in texts if text],
        "renditions": [{key: value for key, value in rendition.items() if value is not None}],
    }
    return {key: value for key, value in found.items() if value not in ("", [])}
