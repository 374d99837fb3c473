"""When a story may be out: the states that follow from dates and the clock alone."""

from collections.abc import Iterable, Iterator
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


def next_change_at(articles: Iterable[Article], now: datetime) -> datetime | None:
    """Returns the first instant after `now` at which a date alone changes what is out; None when none does."""
    return min((moment for article in articles for moment in _moments(article) if moment > now), default=None)


def _moments(article: Article) -> Iterator[datetime]:
    if article.status is not Status.PUBLISHED:
        return
    moments = (article.publish_at or _future_date(article), article.embargo, article.expires)
    yield from (moment for moment in moments if moment is not None)
