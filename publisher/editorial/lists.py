"""The order in which stories are listed."""

from collections.abc import Iterable

from publisher.model.article import Article


def in_order(articles: Iterable[Article]) -> list[Article]:
    """Returns the newest first; of two with one date, the one that came later."""
    return sorted(articles, key=lambda article: (article.published_at, article.number), reverse=True)
