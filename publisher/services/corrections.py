"""The log of corrections: what was wrong in stories that the public knows, latest first."""

from collections.abc import Container
from datetime import datetime
from typing import NamedTuple

from publisher.editorial.advisories import corrections_of
from publisher.model.article import Article, Correction
from publisher.model.view import Depth

_SHOWN = frozenset({Depth.SUMMARY, Depth.FULL})
"""Depths at which a note does not say more than the story itself."""


class Noted(NamedTuple):
    """One note and the story it is about."""

    article: Article
    note: Correction


class CorrectionLog:
    """The stories with public notes, kept as they come, change and go."""

    def __init__(self) -> None:
        self._stories: dict[int, Article] = {}

    def __bool__(self) -> bool:
        return bool(self._stories)

    def __contains__(self, number: int) -> bool:
        return number in self._stories

    def put(self, article: Article, depth: Depth) -> bool:
        """Takes a story in as the public has it, or out when it has no note to show; returns whether it was in."""
        was_in = self.take(article.number)
        if depth in _SHOWN and corrections_of(article):
            self._stories[article.number] = article
        return was_in

    def take(self, number: int) -> bool:
        """Takes a story out; returns whether it was in."""
        return self._stories.pop(number, None) is not None

    def newest(self, limit: int, languages: Container[str] | None = None) -> list[Noted]:
        """Returns the latest notes, of stories in these languages (None: in any)."""
        found = [
            Noted(article, note)
            for article in self._stories.values()
            if languages is None or article.language in languages
            for note in corrections_of(article)
        ]
        return sorted(found, key=_at, reverse=True)[:limit]


def _at(noted: Noted) -> tuple[datetime, int]:
    return noted.note.at, noted.article.number
