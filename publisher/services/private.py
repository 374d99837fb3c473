"""One subscriber's feeds, in full: what their licences open at this moment, and nothing kept from one to another.

Bodies are shared between readers who may read the same; the one thing that
differs, the feed's own address, is filled in last. Whose licences have all
ended gets what the public gets, and one entry that says so: a feed that
fails is invisible to people.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from publisher.editorial.access import covers, decide, in_force, lapsed_at, subscribed
from publisher.editorial.recall import latest_told
from publisher.editorial.rendition import lapse
from publisher.editorial.shelves import ALL
from publisher.feeds import FORMATS, Format, ninjs, subscription
from publisher.feeds.fit import fit
from publisher.feeds.opml import opml
from publisher.mail.tokens import Links, hash_of
from publisher.model.article import Article
from publisher.model.feed import Departure, Feed, FeedLink
from publisher.model.people import EVERYTHING, FeedReader, Grant, Subscriber, Viewer, viewer_of
from publisher.model.personal import marker
from publisher.model.view import Channel, Depth, View
from publisher.ports import FeedReaders
from publisher.services.publish import Publishing
from publisher.services.wire import Wire

_KEPT = 64
"""Bodies in memory: sets of licences times feeds times formats that are asked for."""
_ADDRESS = marker("feed_url")
_FORMAT_OF_LIST = "atom"
_SUBSCRIPTION = "subscription.json"
_WIRE = "wire.json"


@dataclass(frozen=True, slots=True)
class PrivateFeed:
    """The answer to a private feed address."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """When the last licence of a reader ended, and the language in which they are told."""

    at: datetime
    language: str


class PrivateFeeds:
    """The feeds behind `/u/TOKEN/`."""

    def __init__(self, publishing: Publishing, people: FeedReaders, links: Links, wire: Wire) -> None:
        self._publishing = publishing
        self._people = people
        self._links = links
        self._wire = wire
        self._bodies: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    async def reader(self, token: str, now: datetime) -> FeedReader | None:
        """Returns whose token it is; None when it never was one."""
        return await self._people.by_feed_token_hash(hash_of(token), now)

    async def feed(
        self, reader: Subscriber, token: str, name: str, extension: str, now: datetime, cursor: str = ""
    ) -> PrivateFeed | None:
        """Returns `NAME.EXTENSION` of a reader: `all` or one product of theirs; None when there is no such feed.

        `cursor` is for `wire.json` alone; UsageError when it is none of ours.
        """
        await self._publishing.wake(now)
        viewer = await self._viewer(reader)
        if (name, extension) == ("feeds", "opml"):
            return PrivateFeed(
                "text/x-opml; charset=utf-8", self._filled(self._list(viewer, self._language(reader), now), token)
            )
        if f"{name}.{extension}" == _WIRE:
            return PrivateFeed(ninjs.MEDIA_TYPE, self._filled(await self._wired(viewer, reader, cursor, now), token))
        if f"{name}.{extension}" == _SUBSCRIPTION:
            return PrivateFeed(subscription.MEDIA_TYPE, self._filled(await self._held_by(viewer, reader, now), token))
        fmt = next((one for one in FORMATS.values() if one.extension == extension), None)
        if fmt is None or (name != "all" and name not in self._publishing.catalogue.products):
            return None
        ended = _ended(viewer, reader, now)
        language = self._language(reader)
        key = (_rights(viewer, now), ended, name, fmt.name, language, *self._moment(now))
        body = await self._body(key, lambda: self._rendered(viewer, ended, name, fmt, language, now))
        return PrivateFeed(fmt.content_type, self._filled(body, token))

    async def _viewer(self, reader: Subscriber) -> Viewer:
        return viewer_of(await self._people.licences(reader.number), self._publishing.catalogue.products)

    async def _body(self, key: tuple[object, ...], render: Callable[[], Awaitable[bytes]]) -> bytes:
        """Returns a body that was made before for everybody with this key, or makes it."""
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = await render()
            while len(self._bodies) > _KEPT:
                self._bodies.popitem(last=False)
        if key in self._bodies:  # another one may have taken its place meanwhile
            self._bodies.move_to_end(key)
        return body

    async def _wired(self, viewer: Viewer, reader: Subscriber, cursor: str, now: datetime) -> bytes:
        publishing = self._publishing
        ended = _ended(viewer, reader, now)
        lapse = None if ended is None else self._lapse(ended)
        held = _held(viewer, now)
        key = (_rights(viewer, now), ended, _WIRE, cursor, *self._moment(now), publishing.as_of)
        address = f"{_ADDRESS}{_WIRE}"
        return await self._body(key, lambda: self._wire.page(viewer, held, lapse, cursor, address, now))

    async def _held_by(self, viewer: Viewer, reader: Subscriber, now: datetime) -> bytes:
        """Returns what a reader's licences hold; shared by none but who has the very same ones."""
        ended, language = _ended(viewer, reader, now), self._language(reader)
        terms = tuple((*_right(g), g.active, g.valid_from, g.valid_until) for g in viewer.grants)
        key = (terms, _rights(viewer, now), ended, _SUBSCRIPTION, language, *self._moment(now))
        return await self._body(key, lambda: self._subscription(viewer, ended, language, now))

    async def _subscription(self, viewer: Viewer, ended: Ended | None, language: str, now: datetime) -> bytes:
        names = [feed.url.removeprefix(_ADDRESS) for feed in self._feeds(viewer, language, now)]
        feeds = [await self._filled_feed(viewer, ended, name, language, now) for name in names]
        grants = [(grant, in_force(grant, now)) for grant in viewer.grants]
        site = self._publishing.catalogue.site
        at = ended.at if ended else None
        return subscription.subscription(site, grants, at, feeds, list(FORMATS.values()), _ADDRESS, language)

    async def _rendered(
        self, viewer: Viewer, ended: Ended | None, name: str, fmt: Format, language: str, now: datetime
    ) -> bytes:
        feed = await self._filled_feed(viewer, ended, name, language, now)
        return fit(feed, [fmt], self._publishing.catalogue.site.feed_bytes)[1][fmt.name]

    async def _filled_feed(self, viewer: Viewer, ended: Ended | None, name: str, language: str, now: datetime) -> Feed:
        publishing = self._publishing
        product = publishing.catalogue.products.get(name)
        stories = [story for story in publishing.everything.newest() if covers(product, story)]
        told = publishing.advices.told(viewer, now, partial(covers, product))
        tellings, left = latest_told(told, publishing.catalogue.site.feed_limit)
        views = await publishing.renditions.views(stories, viewer, Channel.FEED, now, left)
        views = [self._tied(one, viewer, now) for one in views]
        entries, departed = publishing.advices.joined(views, tellings, told=subscribed(viewer, now))
        if ended is not None:
            entries.insert(0, self._lapse(ended))
        feed = self._feed(language, entries, departed)
        title = f"{feed.title} - {product.title.in_language(language)}" if product else feed.title
        return _at(feed, name, title)

    def _tied(self, shown: View, viewer: Viewer, now: datetime) -> View:
        """Returns an entry with its ties to stories that have a page and that the viewer may know of."""
        publishing = self._publishing
        article = publishing.everything.get(shown.number)
        if article is None:
            return shown
        visible = partial(self._visible, viewer, now)
        return replace(shown, kin=publishing.outline.kin(article, publishing.public.ties, visible))

    def _visible(self, viewer: Viewer, now: datetime, article: Article) -> bool:
        policy = self._publishing.catalogue.policy
        return decide(article, viewer, Channel.FEED, now, policy=policy) is not Depth.HIDE

    def _moment(self, now: datetime) -> tuple[int, datetime | None]:
        """Returns what two answers must have alike to be made of the same stories, with the same told of them."""
        return self._publishing.generation, None if self._publishing.stands(now) else now

    def _feed(self, language: str, views: Sequence[View] = (), departed: Sequence[Departure] = ()) -> Feed:
        """Returns a reader's feed in their language, still without its name and its place."""
        outline = self._publishing.outline
        feed = outline.feed(ALL, views, path="/", private=True, departed=departed)
        return replace(feed, language=language, home_url=outline.home_url(language))

    def _language(self, reader: Subscriber) -> str:
        return reader.language or self._publishing.catalogue.site.language

    def _lapse(self, ended: Ended) -> View:
        """Returns the entry that tells of the end; another end is another entry."""
        feed = self._publishing.outline.feed(ALL, (), path="/", private=True)
        return lapse(
            id=f"{feed.id}/private/licence-ended/{ended.at:%Y%m%dT%H%M%SZ}",
            ended_at=ended.at,
            language=ended.language,
            catalogue=self._publishing.catalogue,
        )

    async def links(self, reader: Subscriber, token: str, now: datetime) -> list[FeedLink]:
        """Returns the reader's feeds in all formats and the wire, as a page shows them."""
        viewer = await self._viewer(reader)
        folder = self._links.feed_folder(token)
        wire = FeedLink(
            title=self._publishing.catalogue.site.title,
            format=ninjs.TITLE,
            url=f"{folder}{_WIRE}",
            media_type=ninjs.MEDIA_TYPE,
        )
        feeds = [
            FeedLink(
                title=feed.title,
                format=fmt.title,
                url=fmt.url_of(feed).replace(_ADDRESS, folder),
                media_type=fmt.media_type,
            )
            for feed in self._feeds(viewer, self._language(reader), now)
            for fmt in FORMATS.values()
        ]
        return [*feeds, wire]

    def _feeds(self, viewer: Viewer, language: str, now: datetime) -> list[Feed]:
        """Returns a reader's feeds without their entries: everything, and each product that a licence holds."""
        feed = self._feed(language)
        held = {grant.product.id if grant.product else EVERYTHING for grant in viewer.grants if in_force(grant, now)}
        products = [p for p in self._publishing.catalogue.products.values() if not held.isdisjoint({p.id, EVERYTHING})]
        titles = {p.id: f"{feed.title} - {p.title.in_language(language)}" for p in products}
        return [_at(feed, name, title) for name, title in {"all": feed.title, **titles}.items()]

    def _list(self, viewer: Viewer, language: str, now: datetime) -> bytes:
        title = self._publishing.catalogue.site.title
        return opml(title, [(feed, FORMATS[_FORMAT_OF_LIST]) for feed in self._feeds(viewer, language, now)])

    def _filled(self, body: bytes, token: str) -> bytes:
        return body.replace(_ADDRESS.encode(), self._links.feed_folder(token).encode())


def _at(feed: Feed, name: str, title: str) -> Feed:
    """Returns a private feed at its place in the reader's folder, an address still to be filled in."""
    return replace(feed, id=f"{feed.id}/private/{name}", url=f"{_ADDRESS}{name}", title=title)


def _ended(viewer: Viewer, reader: Subscriber, now: datetime) -> Ended | None:
    at = lapsed_at(viewer, now)
    return None if at is None else Ended(at, reader.language)


def _rights(viewer: Viewer, now: datetime) -> tuple[object, ...]:
    """Returns what two viewers must have alike to get the same bytes; a day counts where an archive has an end."""
    passing = any(grant.archive_days is not None for grant in viewer.grants)
    return (*_held(viewer, now), now.date() if passing else None)


def _held(viewer: Viewer, now: datetime) -> list[tuple[str, int, bool]]:
    return sorted(_right(grant) for grant in viewer.grants if in_force(grant, now))


def _right(grant: Grant) -> tuple[str, int, bool]:
    return (
        grant.product.id if grant.product else "*",
        -1 if grant.archive_days is None else grant.archive_days,
        grant.embargo_cleared,
    )
