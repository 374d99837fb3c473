"""One subscriber's feeds, in full: what their licences open at this moment, and nothing kept from one to another.

Bodies are shared between readers who may read the same; the one thing that
differs, the feed's own address, is filled in last.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime

from publisher.editorial.access import covers, in_force
from publisher.editorial.shelves import ALL
from publisher.feeds import FORMATS, Format
from publisher.feeds.opml import opml
from publisher.mail.tokens import Links, hash_of
from publisher.model.feed import Feed, FeedLink
from publisher.model.people import EVERYTHING, FeedReader, Grant, Subscriber, Viewer, viewer_of
from publisher.model.personal import marker
from publisher.model.view import Channel
from publisher.ports import FeedReaders
from publisher.services.publish import Publishing

_KEPT = 64
"""Bodies in memory: sets of licences times feeds times formats that are asked for."""
_ADDRESS = marker("feed_url")
_FORMAT_OF_LIST = "atom"


@dataclass(frozen=True, slots=True)
class PrivateFeed:
    """The answer to a private feed address."""

    content_type: str
    body: bytes


class PrivateFeeds:
    """The feeds behind `/u/TOKEN/`."""

    def __init__(self, publishing: Publishing, people: FeedReaders, links: Links) -> None:
        self._publishing = publishing
        self._people = people
        self._links = links
        self._bodies: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    async def reader(self, token: str, now: datetime) -> FeedReader | None:
        """Returns whose token it is; None when it never was one."""
        return await self._people.by_feed_token_hash(hash_of(token), now)

    async def feed(
        self, reader: Subscriber, token: str, name: str, extension: str, now: datetime
    ) -> PrivateFeed | None:
        """Returns `NAME.EXTENSION` of a reader: `all` or one product of theirs; None when there is no such feed."""
        viewer = viewer_of(await self._people.licences(reader.number), self._publishing.catalogue.products)
        if (name, extension) == ("feeds", "opml"):
            return PrivateFeed("text/x-opml; charset=utf-8", self._filled(self._list(viewer, now), token))
        fmt = next((one for one in FORMATS.values() if one.extension == extension), None)
        if fmt is None or (name != "all" and name not in self._publishing.catalogue.products):
            return None
        body = await self._body(viewer, name, fmt, now)
        return PrivateFeed(fmt.content_type, self._filled(body, token))

    async def _body(self, viewer: Viewer, name: str, fmt: Format, now: datetime) -> bytes:
        key = (_rights(viewer, now), name, fmt.name, self._publishing.generation)
        if key not in self._bodies:
            self._bodies[key] = await self._rendered(viewer, name, fmt, now)
            while len(self._bodies) > _KEPT:
                self._bodies.popitem(last=False)
        self._bodies.move_to_end(key)
        return self._bodies[key]

    async def _rendered(self, viewer: Viewer, name: str, fmt: Format, now: datetime) -> bytes:
        publishing = self._publishing
        product = publishing.catalogue.products.get(name)
        stories = [story for story in publishing.everything.newest() if covers(product, story)]
        views = await publishing.renditions.views(
            stories, viewer, Channel.FEED, now, publishing.catalogue.site.feed_limit
        )
        feed = publishing.outline.feed(ALL, views, path="/", private=True)
        title = f"{feed.title} - {product.title.in_language(feed.language)}" if product else feed.title
        return fmt.render(_at(feed, name, title))

    async def links(self, reader: Subscriber, token: str, now: datetime) -> list[FeedLink]:
        """Returns the reader's feeds in all formats, as a page shows them."""
        viewer = viewer_of(await self._people.licences(reader.number), self._publishing.catalogue.products)
        folder = self._links.feed_folder(token)
        return [
            FeedLink(
                title=feed.title,
                format=fmt.title,
                url=fmt.url_of(feed).replace(_ADDRESS, folder),
                media_type=fmt.media_type,
            )
            for feed in self._feeds(viewer, now)
            for fmt in FORMATS.values()
        ]

    def _feeds(self, viewer: Viewer, now: datetime) -> list[Feed]:
        """Returns a reader's feeds without their entries: everything, and each product that a licence holds."""
        feed = self._publishing.outline.feed(ALL, (), path="/", private=True)
        held = {grant.product.id if grant.product else EVERYTHING for grant in viewer.grants if in_force(grant, now)}
        products = [p for p in self._publishing.catalogue.products.values() if not held.isdisjoint({p.id, EVERYTHING})]
        titles = {p.id: f"{feed.title} - {p.title.in_language(feed.language)}" for p in products}
        return [_at(feed, name, title) for name, title in {"all": feed.title, **titles}.items()]

    def _list(self, viewer: Viewer, now: datetime) -> bytes:
        title = self._publishing.catalogue.site.title
        return opml(title, self._feeds(viewer, now), FORMATS[_FORMAT_OF_LIST])

    def _filled(self, body: bytes, token: str) -> bytes:
        return body.replace(_ADDRESS.encode(), self._links.feed_folder(token).encode())


def _at(feed: Feed, name: str, title: str) -> Feed:
    """Returns a private feed at its place in the reader's folder, an address still to be filled in."""
    return replace(feed, id=f"{feed.id}/private/{name}", url=f"{_ADDRESS}{name}", title=title)


def _rights(viewer: Viewer, now: datetime) -> tuple[object, ...]:
    """Returns what two viewers must have alike to get the same bytes; a day counts where an archive has an end."""
    rights = sorted(_right(grant) for grant in viewer.grants if in_force(grant, now))
    passing = any(grant.archive_days is not None for grant in viewer.grants)
    return (*rights, now.date() if passing else None)


def _right(grant: Grant) -> tuple[str, int, bool]:
    return (
        grant.product.id if grant.product else "*",
        -1 if grant.archive_days is None else grant.archive_days,
        grant.embargo_cleared,
    )
