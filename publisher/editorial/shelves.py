"""The lists that pages and feeds show, kept in order as stories come, change and go.

One change touches the few shelves that hold the story, whatever the number of
stories: that is what keeps a one-file change cheap.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from publisher.editorial.access import covers, excluded, matches
from publisher.editorial.ties import Ties
from publisher.model.article import Article
from publisher.model.catalogue import Catalogue, DeclaredFeed

_Place = tuple[float, int]


class Shelf(NamedTuple):
    """What a list is of; all empty is everything."""

    language: str = ""
    section: str = ""
    tag: str = ""
    feed: str = ""
    """The id of a declared feed."""


ALL = Shelf()


class Shelves:
    """Stories in the order they are listed (newest first), on every shelf they belong to."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._places: dict[Shelf, list[_Place]] = {}
        self._stories: dict[int, Article] = {}
        self.ties = Ties()
        """Between the stories that are on the shelves."""

    def __contains__(self, number: object) -> bool:
        return number in self._stories

    def __len__(self) -> int:
        return len(self._stories)

    def put(self, article: Article) -> set[Shelf]:
        """Places or replaces a story; returns the shelves that are not as they were."""
        touched = self.take(article.number)
        self._stories[article.number] = article
        self.ties.put(article)
        for shelf in shelves_of(article, self._catalogue):
            insort(self._places.setdefault(shelf, []), _place(article))
            touched.add(shelf)
        return touched

    def take(self, number: int) -> set[Shelf]:
        """Takes a story away, if it is there; returns the shelves that are not as they were."""
        article = self._stories.pop(number, None)
        if article is None:
            return set()
        self.ties.take(article)
        touched = shelves_of(article, self._catalogue)
        for shelf in touched:
            places = self._places[shelf]
            del places[bisect_left(places, _place(article))]
            if not places:
                del self._places[shelf]
        return touched

    def newest(self, shelf: Shelf = ALL, limit: int | None = None) -> list[Article]:
        """Returns the first stories of a shelf."""
        places = self._places.get(shelf, [])
        return [self._stories[-number] for _, number in places[:limit]]

    def walk(self, shelf: Shelf = ALL) -> Iterator[Article]:
        """Yields the stories of a shelf, the newest first, as far as anybody asks."""
        return (self._stories[-number] for _, number in self._places.get(shelf, ()))

    def get(self, number: int) -> Article | None:
        """Returns a story that is on the shelves."""
        return self._stories.get(number)

    def numbers(self) -> list[int]:
        """Returns the numbers of all stories."""
        return sorted(self._stories)

    def names(self) -> list[Shelf]:
        """Returns every shelf that holds something."""
        return list(self._places)


def shelves_of(article: Article, catalogue: Catalogue) -> set[Shelf]:
    """Returns where a story belongs."""
    section = article.section or ""
    found = {ALL, Shelf(language=article.language), *(Shelf(tag=tag) for tag in article.tags)}
    if section:
        found |= {Shelf(section=section), Shelf(language=article.language, section=section)}
    return found | {Shelf(feed=feed.id) for feed in catalogue.feeds.values() if _holds(feed, article, catalogue)}


def _holds(feed: DeclaredFeed, article: Article, catalogue: Catalogue) -> bool:
    return (
        (feed.podcast is None or any(one.is_played for one in article.enclosures))
        and matches(feed.match, article)
        and not excluded(feed.exclude, article)
        and (not feed.products or any(covers(catalogue.products[name], article) for name in feed.products))
    )


def _place(article: Article) -> _Place:
    return -article.published_at.timestamp(), -article.number
