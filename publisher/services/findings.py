"""Finds the story that somebody means: by number, id, address, file, or part of its title; pure."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from publisher.model.article import Article


def find_stories(text: str, articles: Iterable[Article], folder: str) -> list[Article]:
    """Returns the stories that `text` names: one by its name, else all whose title has it.

    `folder` is where the files of stories are, as config says it.
    """
    wanted, known = text.strip(), list(articles)
    exact = _exact(wanted, known, folder)
    if exact:
        return exact
    part = wanted.casefold()
    whole = [article for article in known if article.title.casefold() == part]
    return whole or [article for article in known if part and part in article.title.casefold()]


def _exact(wanted: str, known: Sequence[Article], folder: str) -> list[Article]:
    number = wanted.removeprefix("#")
    if number.isascii() and number.isdigit():
        by_number = [article for article in known if str(article.number) == number]
        if by_number:
            return by_number
    path = urlsplit(wanted).path if "://" in wanted else wanted
    address = f"/{path.strip('/')}/"
    file = wanted.removeprefix("./").removeprefix(f"{folder}/")
    return [
        article
        for article in known
        if wanted in (article.id, article.slug, article.guid)
        or address == f"/{article.path.strip('/')}/"
        or address in {f"/{alias.strip('/')}/" for alias in article.aliases}
        or file == article.source
    ]
