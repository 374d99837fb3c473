"""When a story may be out: the states that follow from dates and the clock alone."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import datetime

from publisher.model.article import Article, Status


def scheduled(article: Article, now: datetime) -> bool:
    """Returns whether the story still waits for its hour.

    `publish_at` says so. Without it, and without an embargo, a `date` to come does as well, as static site
    generators have it, as long as the story was never out.
    """
    release = article.publish_at or _future_date(article)
    return release is not None and release > now


def _future_date(article: Article) -> datetime | None:
    if article.embargo is not None or article.first_published_at is not None:
        return None
    return article.date


def embargoed(article: Article, now: datetime) -> bool:
    """Returns whether only cleared subscribers may have the story yet."""
    return article.embargo is not None and article.embargo > now


def expired(article: Article, now: datetime) -> bool:
    """Returns whether the story's time is over."""
    return article.expires is not None and article.expires <= now


def publishable(article: Article, now: datetime) -> bool:
    """Returns whether the story is out at `now`, for whoever may read it."""
    return (
        article.status is Status.PUBLISHED
        and not scheduled(article, now)
        and not embargoed(article, now)
        and not expired(article, now)
    )


class Calendar:
    """The instants at which dates alone change what is out, in their order: most stories have none that is to come."""

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, int]] = []
        self._moments: dict[int, tuple[datetime, ...]] = {}

    def put(self, article: Article) -> None:
        """Notes a story's dates, in place of those that it had."""
        self.take(article.number)
        moments = tuple(_moments(article))
        if moments:
            self._moments[article.number] = moments
        for moment in moments:
            insort(self._entries, (moment, article.number))

    def take(self, number: int) -> None:
        """Forgets a story."""
        for moment in self._moments.pop(number, ()):
            del self._entries[bisect_left(self._entries, (moment, number))]

    def next_after(self, now: datetime) -> datetime | None:
        """Returns the first instant after `now`, if there is one."""
        place = bisect_right(self._entries, now, key=_moment)
        return self._entries[place][0] if place < len(self._entries) else None

    def between(self, after: datetime, until: datetime) -> set[int]:
        """Returns the numbers of the stories with a date in (after, until]."""
        first, last = (bisect_right(self._entries, at, key=_moment) for at in (after, until))
        return {number for _, number in self._entries[first:last]}


def _moment(entry: tuple[datetime, int]) -> datetime:
    return entry[0]


def _moments(article: Article) -> Iterator[datetime]:
    if article.status is not Status.PUBLISHED:
        return
    moments = (article.publish_at or _future_date(article), article.embargo, article.expires)
    yield from (moment for moment in moments if moment is not None)
