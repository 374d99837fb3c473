"""JSON Feed 1.1 (jsonfeed.org/version/1.1); what news needs beyond it is in `_wire`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from publisher.feeds.dates import rfc3339
from publisher.feeds.entries import authors, categories, feed_author, hubs
from publisher.feeds.format import Format
from publisher.feeds.remembered import Entries, Pieces
from publisher.feeds.text import clean, entry_html, line, notice_text, summary_text, title
from publisher.model.article import Enclosure
from publisher.model.feed import Feed
from publisher.model.view import Depth, Notice, View

VERSION = "https://jsonfeed.org/version/1.1"
_NO_ITEMS = b'"items": []'
"""Where items belong; within texts quotation marks are escaped."""
_PUB_STATUS = {Depth.HOLD: "withheld", Depth.TOMBSTONE: "canceled"}
"""IPTC's words; what is not said is usable."""


class _Author(msgspec.Struct, frozen=True):
    name: str


class _Hub(msgspec.Struct, frozen=True):
    url: str
    type: str = "WebSub"


class _Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    url: str
    mime_type: str
    title: str | None = None
    size_in_bytes: int | None = None
    duration_in_seconds: int | None = None


class _Notice(msgspec.Struct, frozen=True):
    text: str
    contact: str


class _Wire(msgspec.Struct, frozen=True, omit_defaults=True):
    version: int
    urgency: int
    depth: str
    pub_status: str = "usable"
    advisory: str | None = None
    located: str | None = None
    key_points: list[str] = []
    sources: list[str] = []
    notice: _Notice | None = None


class _Item(msgspec.Struct, frozen=True, omit_defaults=True, rename={"wire": "_wire"}):
    id: str
    title: str
    content_html: str
    date_published: str
    authors: list[_Author]
    wire: _Wire
    url: str | None = None
    summary: str | None = None
    image: str | None = None
    date_modified: str | None = None
    language: str | None = None
    tags: list[str] = []
    attachments: list[_Attachment] = []


class _Document(msgspec.Struct, frozen=True, omit_defaults=True):
    # `version` has no default: omit_defaults would leave it out.
    version: str
    title: str
    home_page_url: str
    feed_url: str
    authors: list[_Author]
    language: str
    items: list[_Item]
    description: str | None = None
    next_url: str | None = None
    hubs: list[_Hub] = []


_Key = tuple[View, str, str]
"""All that an item is written from: the story, the language and the author of its feed."""
_ITEMS: Entries[_Key] = Entries()


def render(feed: Feed) -> bytes:
    """Returns the feed as JSON Feed 1.1."""
    author = feed_author(feed)
    keys = [(view, feed.language, author) for view in feed.entries]
    return _ITEMS.together(keys, partial(_pieces, feed), between=b",\n")


def _pieces(feed: Feed, wanted: Sequence[_Key]) -> Pieces:
    document = _Document(
        version=VERSION,
        title=line(feed.title) or feed.id,
        description=line(feed.description) or None,
        home_page_url=clean(feed.home_url),
        feed_url=FORMAT.url_of(feed),
        next_url=f"{clean(feed.prev_archive)}.{FORMAT.extension}" if feed.prev_archive else None,
        authors=[_Author(feed_author(feed))],
        language=feed.language,
        hubs=[_Hub(url) for url in hubs(feed)],
        items=[],
    )
    before, nothing, after = (_laid_out(document) + b"\n").partition(_NO_ITEMS)
    if not feed.entries:
        return Pieces(before + nothing + after, [], b"")
    items = [b"    " + _laid_out(_item(*key)).replace(b"\n", b"\n    ") for key in wanted]
    return Pieces(before + b'"items": [\n', items, b"\n  ]" + after)


def _laid_out(told: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def _item(view: View, feed_language: str, author: str) -> _Item:
    return _Item(
        id=clean(view.guid) or view.id,
        url=clean(view.url) if view.url is not None else None,
        title=title(view),
        content_html=entry_html(view),
        summary=summary_text(view) or None,
        image=clean(view.image.src) if view.image else None,
        date_published=rfc3339(view.published_at),
        date_modified=rfc3339(view.updated_at) if view.updated_at != view.published_at else None,
        # Said again on every item: readers do not inherit the feed's.
        authors=[_Author(name) for name in authors(view) or [author]],
        tags=[category.label for category in categories(view)],
        language=view.language if view.language != feed_language else None,
        attachments=[_attachment(enclosure) for enclosure in view.enclosures],
        wire=_wire(view),
    )


def _attachment(enclosure: Enclosure) -> _Attachment:
    return _Attachment(
        url=clean(enclosure.url),
        mime_type=clean(enclosure.media_type),
        title=line(enclosure.title) or None,
        size_in_bytes=enclosure.length or None,
        duration_in_seconds=enclosure.duration or None,
    )


def _wire(view: View) -> _Wire:
    return _Wire(
        version=view.version,
        urgency=view.urgency,
        depth=view.depth.value,
        pub_status=_PUB_STATUS.get(view.depth, "usable"),
        advisory=view.advisory.value if view.advisory else None,
        located=line(view.dateline) or None,
        key_points=[line(point) for point in view.key_points],
        sources=[line(source) for source in view.sources],
        notice=_notice(view.notice),
    )


def _notice(notice: Notice | None) -> Any:
    return _Notice(text=notice_text(notice), contact=clean(notice.contact)) if notice else None


FORMAT = Format(
    name="json",
    title="JSON Feed",
    extension="json",
    media_type="application/feed+json",
    charset=None,
    render=render,
)
