"""The files of a shelf's feed: the feed in its formats, and the archive documents with what left it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from publisher.editorial.recall import Telling, latest_told
from publisher.editorial.rendition import capped
from publisher.editorial.shelves import Shelf, Shelves
from publisher.feeds import Format
from publisher.feeds.fit import fit, weight
from publisher.model.article import Article
from publisher.model.catalogue import Catalogue
from publisher.model.view import Channel, Depth, Kin, View
from publisher.services.advices import Advices
from publisher.services.document import Document, fingerprint
from publisher.services.feed_archives import FeedArchives
from publisher.services.outline import Outline, archive_document_path, feed_path, file_of
from publisher.services.renditions import Renditions


class Page(Protocol):
    """Makes a page as all pages are."""

    def __call__(
        self, name: str, language: str, path: str | None, *, switch: bool = True, **context: object
    ) -> bytes: ...


class FeedDocuments:
    """The public feeds of stories, each within its limits."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        outline: Outline,
        renditions: Renditions,
        public: Shelves,
        depths: Mapping[int, Depth],
        advices: Advices,
        archives: FeedArchives,
        page: Page,
    ) -> None:
        """`page` makes a page of a template, a language, an address and what it shows."""
        self._site = catalogue.site
        self._outline = outline
        self._renditions = renditions
        self._public = public
        self._depths = depths
        self._advices = advices
        self.archives = archives
        self._page = page
        self._cut: set[tuple[Shelf, int]] = set()
        """Archive documents that became necessary while feeds were made."""

    def is_empty(self, shelf: Shelf) -> bool:
        """Returns whether a feed would have no entry."""
        stories = self._public.newest(shelf, 1)
        return not stories and not any(telling.in_feeds for telling in self._advices.on(shelf))

    def of_shelf(self, base: str, shelf: Shelf) -> Iterable[Document]:
        """Yields a shelf's feed in its formats, and as a page for those who open it in a browser."""
        limit = self._outline.limit_of(shelf)
        tellings, left = latest_told(self._advices.on(shelf), limit)
        stories = self._public.newest(shelf, left)
        together = _Together(partial(self._edition, shelf, stories, tellings))
        kin = [mark for article in stories for mark in self.marks_of_kin(article)]
        mark = [*self.marks(stories), *kin, *(telling.mark for telling in tellings)]
        numbers = [*(article.number for article in stories), *(one.number for each in tellings for one in each.seen)]
        path = feed_path(shelf)
        for fmt in self._outline.formats_of(shelf):
            make = partial(together.made, fmt)
            yield Document(file_of(f"{path}.{fmt.extension}"), fingerprint(base, fmt.name, *mark), make, numbers)
        shown = partial(self._feed_page, shelf, stories)
        yield Document(file_of(f"{path}/"), fingerprint(base, "feed page", *self.marks(stories)), shown, numbers)

    async def _feed_page(self, shelf: Shelf, stories: Sequence[Article]) -> bytes:
        outline, depth = self._outline, self._outline.depth_of(shelf)
        views = await self._renditions.at_depths(stories, self._depths, Channel.PAGE)
        return self._page(
            "feed",
            outline.page_language(outline.language_of(shelf)),
            f"{feed_path(shelf)}/",
            switch=False,
            title=outline.title(shelf),
            feeds=outline.feed_links(shelf),
            views=[capped(one, depth) for one in views],
            robots="noindex",
        )

    def marks(self, articles: Sequence[Article]) -> list[str]:
        """Returns what differs when the public gets something else of a story."""
        return [f"{a.number}.{a.version}.{self._depths[a.number]}.{a.access}" for a in articles]

    def marks_of_kin(self, article: Article) -> list[str]:
        """Returns what differs when a story is tied to others than before."""
        related = self.marks(self._public.ties.named(article.related))
        kin = self._outline.kin(article, self._public.ties)
        return [*related, *([] if kin == Kin() else [repr(kin)])]

    async def views(self, shelf: Shelf, stories: Sequence[Article]) -> list[View]:
        """Returns the entries of stories, as far as the public may have them and the feed shows them."""
        depth = self._outline.depth_of(shelf)
        shown = await self._renditions.at_depths(stories, self._depths, Channel.FEED)
        return [capped(one, depth) for one in shown]

    async def _edition(self, shelf: Shelf, stories: Sequence[Article], tellings: Sequence[Telling]) -> dict[str, bytes]:
        """Returns a feed by format; what falls off its end goes to archive documents first."""
        kin = {article.number: self._outline.kin(article, self._public.ties) for article in stories}
        shown = await self.views(shelf, stories)
        views = [one if one.kin == kin[one.number] else replace(one, kin=kin[one.number]) for one in shown]
        entries, departed = self._advices.joined(views, tellings, told=False)
        limit, formats = self._outline.limit_of(shelf), self._outline.formats_of(shelf)
        feed = self._outline.feed(shelf, entries, path=feed_path(shelf), departed=departed[:limit])
        feed = replace(feed, prev_archive=self._address(shelf, len(self.archives.pages(shelf))))
        feed, rendered = fit(feed, formats, self._site.feed_bytes)
        kept = {entry.id for entry in feed.entries}
        present = {article.number for article in stories if article.id in kept}
        cut = await self.archives.cut(shelf, present, partial(self._measure, shelf))
        if not cut:
            return rendered
        self._cut |= {(shelf, page) for page in (*cut, min(cut) - 1) if page}
        feed = replace(feed, prev_archive=self._address(shelf, max(cut)))
        return {fmt.name: fmt.render(feed) for fmt in formats}

    async def _measure(self, shelf: Shelf, stories: Sequence[Article]) -> int:
        """Returns how many stories an archive document takes: as many as the feed, by number and by size."""
        found = stories[: self._outline.limit_of(shelf)]
        size = 0
        for place, one in enumerate(await self.views(shelf, found)):
            size += weight(one)
            if size > self._site.feed_bytes:
                return max(1, place)
        return len(found)

    # Archive documents ------------------------------------------------------------------------------------------------

    def of_archives(self, rules: str, stories: Iterable[int] | None = None) -> Iterable[Document]:
        """Yields the archive documents that hold any of these stories (None: all of them)."""
        for shelf, page in sorted(self.archives.all() if stories is None else self.archives.holding(stories)):
            yield from self._of_archive(rules, shelf, page)

    def cut(self, rules: str) -> Iterable[Document]:
        """Yields, once, the archive documents that making feeds has brought about."""
        due, self._cut = self._cut, set()
        for shelf, page in sorted(due):
            yield from self._of_archive(rules, shelf, page)

    def _of_archive(self, rules: str, shelf: Shelf, page: int) -> Iterable[Document]:
        pages = self.archives.pages(shelf)
        held = set(pages[page - 1])
        stories = [article for number in pages[page - 1] if (article := self._public.get(number)) is not None]
        # What is news about a story is in the feed; here stands what has become of it.
        tellings = [replace(one, advisories=()) for one in self._advices.of(held) if shelf in self._advices.places(one)]
        together = _Together(partial(self._archive, shelf, page, stories, tellings))
        mark = [str(page < len(pages)), *self.marks(stories), *(telling.mark for telling in tellings)]
        path = archive_document_path(shelf, page)
        for fmt in self._outline.formats_of(shelf):
            make = partial(together.made, fmt)
            yield Document(file_of(f"{path}.{fmt.extension}"), fingerprint(rules, path, fmt.name, *mark), make, held)

    async def _archive(
        self, shelf: Shelf, page: int, stories: Sequence[Article], tellings: Sequence[Telling]
    ) -> dict[str, bytes]:
        entries, departed = self._advices.joined(await self.views(shelf, stories), tellings, told=False)
        feed = self._outline.archive_document(shelf, page, entries, departed)
        after = page + 1 if page < len(self.archives.pages(shelf)) else 0
        feed = replace(feed, prev_archive=self._address(shelf, page - 1), next_archive=self._address(shelf, after))
        return {fmt.name: fmt.render(feed) for fmt in self._outline.formats_of(shelf)}

    def _address(self, shelf: Shelf, page: int) -> str:
        return self._site.absolute(archive_document_path(shelf, page)) if page else ""


class _Together:
    """What is made once for all formats of a feed, when the first of them is asked for."""

    def __init__(self, make: Callable[[], Awaitable[dict[str, bytes]]]) -> None:
        self._make = make
        self._rendered: dict[str, bytes] = {}

    async def made(self, fmt: Format) -> bytes:
        """Returns the bytes of a format, which are let go of then."""
        if fmt.name not in self._rendered:
            self._rendered = await self._make()
        return self._rendered.pop(fmt.name)
