"""What leaves a feed goes to its archive documents (RFC 5005 §4): cut once, and never cut anew.

A document is cut when a story that is in none falls off the end of its feed. Then the feed and its archive
documents together hold every story, and a reader that has fetched an archive document need not fetch it again.
Which stories it holds is in the store; what is shown of them is decided whenever it is made.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from publisher.editorial.shelves import ALL, Shelf, Shelves, shelves_of
from publisher.model.article import Article
from publisher.model.catalogue import Catalogue
from publisher.ports import FeedArchiveStore
from publisher.services.outline import Outline, feed_path

_LOOKED_AT = 2000
"""Stories that a document is chosen from: as many as any feed may have."""

Measure = Callable[[Sequence[Article]], Awaitable[int]]
"""Returns how many of these stories one document may hold; one at least."""


class FeedArchives:
    """The archive documents of all feeds that have some, as numbers of stories."""

    def __init__(self, store: FeedArchiveStore, catalogue: Catalogue, outline: Outline, public: Shelves) -> None:
        self._store = store
        self._catalogue = catalogue
        self._public = public
        self._shelves = {shelf for shelf in outline.declared_shelves() if outline.is_archived(shelf)}
        self._pages: dict[Shelf, list[tuple[int, ...]]] = {shelf: [] for shelf in self._shelves}
        self._page_of: dict[Shelf, dict[int, int]] = {shelf: {} for shelf in self._shelves}
        self._loose: dict[Shelf, set[int]] = {shelf: set() for shelf in self._shelves}
        """The public stories that are in no document yet."""

    async def open(self) -> None:
        """Reads what was cut before, here or on another machine."""
        stored = await self._store.pages()
        for shelf in self._shelves:
            pages = stored.get(_name(shelf), [])
            for number, page in list(enumerate(pages, start=1))[len(self._pages[shelf]) :]:
                self._take(shelf, number, page)

    def note(self, numbers: Iterable[int]) -> None:
        """Takes note of stories that came out, changed, or went."""
        for number in numbers:
            article = self._public.get(number)
            for shelf in self._shelves if article is None else self._shelves - self._of(article):
                self._loose[shelf].discard(number)
            for shelf in () if article is None else self._of(article):
                if number not in self._page_of[shelf]:
                    self._loose[shelf].add(number)

    def _of(self, article: Article) -> set[Shelf]:
        return {ALL} if self._shelves == {ALL} else shelves_of(article, self._catalogue) & self._shelves

    def pages(self, shelf: Shelf) -> list[tuple[int, ...]]:
        """Returns the numbers of the stories of each document, the oldest document first."""
        return self._pages.get(shelf, [])

    def holding(self, numbers: Iterable[int]) -> set[tuple[Shelf, int]]:
        """Returns the documents that hold any of these stories: shelf and number, from 1."""
        wanted = list(numbers)
        return {(shelf, held[n]) for shelf, held in self._page_of.items() for n in wanted if n in held}

    def all(self) -> set[tuple[Shelf, int]]:
        """Returns every document."""
        return {(shelf, page) for shelf, pages in self._pages.items() for page in range(1, len(pages) + 1)}

    async def cut(self, shelf: Shelf, shown: set[int], measure: Measure) -> set[int]:
        """Puts what a feed shows no more, and no document holds, into new documents; returns their numbers.

        `shown`: the stories in the feed, its newest.
        """
        before = len(self.pages(shelf))
        while shelf in self._shelves and (cuts := await self._cuts(self._oldest(shelf), shown, measure)):
            if await self._store.add(_name(shelf), len(self._pages[shelf]) + 1, cuts):
                for numbers in cuts:
                    self._take(shelf, len(self._pages[shelf]) + 1, numbers)
            else:  # another machine was first: what it said holds
                await self.open()
        return set(range(before + 1, len(self.pages(shelf)) + 1))

    async def _cuts(self, rest: Sequence[Article], shown: set[int], measure: Measure) -> list[tuple[int, ...]]:
        """Returns what new documents hold, each with the newest first, so that nothing is left that is not shown."""
        cuts: list[tuple[int, ...]] = []
        start = 0
        while start < len(rest) and rest[start].number not in shown:
            portion = rest[start : start + await measure(rest[start : start + _LOOKED_AT])]
            cuts.append(tuple(article.number for article in reversed(portion)))
            start += len(portion)
        return cuts

    def _oldest(self, shelf: Shelf) -> list[Article]:
        stories = [article for number in self._loose[shelf] if (article := self._public.get(number)) is not None]
        return sorted(stories, key=lambda one: (one.published_at, one.number))

    def _take(self, shelf: Shelf, page: int, numbers: tuple[int, ...]) -> None:
        self._pages[shelf].append(numbers)
        self._page_of[shelf] |= dict.fromkeys(numbers, page)
        self._loose[shelf] -= set(numbers)


def _name(shelf: Shelf) -> str:
    return feed_path(shelf).removeprefix("/feeds/")
