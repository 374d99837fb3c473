"""How stories are tied to each other: translations, related stories, and what stands in whose place.

An index by id, kept as stories come, change and go: whom a change concerns is
looked up, never searched for.
"""

from collections.abc import Iterable

from publisher.model.article import Article


class Ties:
    """The ties between the stories that were put in; a tie to any other story is none."""

    def __init__(self) -> None:
        self._stories: dict[str, Article] = {}
        self._translations: dict[str, set[str]] = {}
        """By an id, the ids of those that say they are translations of it."""
        self._pointing: dict[str, set[str]] = {}
        """By an id, the ids of those that name it as related or superseded."""

    def put(self, article: Article) -> None:
        """Adds a story that is not in yet."""
        self._stories[article.id] = article
        if article.translation_of is not None:
            self._translations.setdefault(article.translation_of, set()).add(article.id)
        for name in _names(article):
            self._pointing.setdefault(name, set()).add(article.id)

    def take(self, article: Article) -> None:
        """Takes a story out."""
        self._stories.pop(article.id, None)
        if article.translation_of is not None:
            _discard(self._translations, article.translation_of, article.id)
        for name in _names(article):
            _discard(self._pointing, name, article.id)

    def may_tie(self, article: Article) -> bool:
        """Returns whether a story may have ties at all: most have none."""
        return bool(article.translation_of or article.related or article.supersedes) or article.id in self._translations

    def original(self, article: Article) -> Article | None:
        """Returns the story that this one is a translation of."""
        found = self._stories.get(article.translation_of or "")
        return None if found is None or found.id == article.id else found

    def translations(self, article: Article) -> list[Article]:
        """Returns the stories that say they are translations of this one, in their order of coming."""
        return self._among(self._translations.get(article.id, ()), article)

    def versions(self, article: Article) -> list[Article]:
        """Returns the story in all its languages, one of each, itself among them; empty when there is no other.

        Translations of a translation count, and so do two translations of an original that is not in.
        """
        if article.translation_of is None and article.id not in self._translations:
            return []
        by_language = {one.language: one for one in reversed(self._family(article))} | {article.language: article}
        return sorted(by_language.values(), key=lambda one: one.number) if len(by_language) > 1 else []

    def named(self, ids: Iterable[str]) -> list[Article]:
        """Returns the stories with these ids, in that order."""
        return [self._stories[name] for name in dict.fromkeys(ids) if name in self._stories]

    def concerned(self, article: Article) -> set[int]:
        """Returns the numbers of the stories whose pages speak of this one."""
        tied = [*self._family(article), *self._among(self._pointing.get(article.id, ()), article)]
        return {one.number for one in tied} - {article.number}

    def _family(self, article: Article) -> list[Article]:
        """Returns the story in every language, the first that came first."""
        seen: set[str] = set()
        names = [article.id]
        while names:
            name = names.pop()
            if name in seen:
                continue
            seen.add(name)
            names += self._translations.get(name, ())
            story = article if name == article.id else self._stories.get(name)
            if story is not None and story.translation_of is not None:
                names.append(story.translation_of)
        return sorted((self._stories[name] for name in seen if name in self._stories), key=lambda one: one.number)

    def _among(self, ids: Iterable[str], article: Article) -> list[Article]:
        found = (self._stories[name] for name in ids if name in self._stories and name != article.id)
        return sorted(found, key=lambda one: one.number)


def _names(article: Article) -> set[str]:
    return {*article.related, *article.supersedes}


def _discard(index: dict[str, set[str]], name: str, one: str) -> None:
    index[name].discard(one)
    if not index[name]:
        del index[name]
