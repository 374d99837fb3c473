"""What the site consists of besides its stories: list pages and feeds, their addresses, names and links."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote, unquote

from publisher.editorial.rendition import absolute_url
from publisher.editorial.shelves import ALL, Shelf
from publisher.editorial.ties import Ties
from publisher.feeds import FORMATS
from publisher.languages import language_name, spoken
from publisher.model.article import Article
from publisher.model.catalogue import Catalogue
from publisher.model.feed import Feed, FeedLink
from publisher.model.view import Kin, Label, View

_LONGEST_NAME = 200
"""Octets of a file's name without its ending; file systems end at 255."""


class Outline:
    """The site's lists, as config declares them."""

    def __init__(self, catalogue: Catalogue, authority: str, epoch: datetime) -> None:
        """`authority` is `domain,date` of the feeds' tag URIs; `epoch` when the publication began."""
        self._catalogue = catalogue
        self._site = catalogue.site
        self._authority = authority
        self._epoch = epoch

    def feed(self, shelf: Shelf, entries: Sequence[View], *, path: str, private: bool = False) -> Feed:
        """Returns the feed of a shelf at a root-relative `path` without extension."""
        site = self._site
        return Feed(
            id=f"tag:{self._authority}:feed{feed_path(shelf).removeprefix('/feeds')}",
            title=self.title(shelf),
            description=site.description or site.title,
            url=site.absolute(path),
            home_url=site.absolute(self.home_of(shelf) or "/"),
            language=shelf.language or site.language,
            updated_at=max((entry.updated_at for entry in entries), default=self._epoch),
            entries=tuple(entries),
            author=site.author or site.title,
            private=private,
        )

    def declared_shelves(self) -> set[Shelf]:
        """Returns the shelves that have feeds and pages even while they are empty."""
        languages = self._site.languages
        declared = {ALL, *(Shelf(language=lang) for lang in languages)}
        for section in self._catalogue.sections:
            declared |= {Shelf(section=section), *(Shelf(language=lang, section=section) for lang in languages)}
        return declared

    def declares(self, shelf: Shelf) -> bool:
        """Returns whether a shelf has feeds: of sections and languages only those that config names, of tags all."""
        languages, sections = self._site.languages, self._catalogue.sections
        return (not shelf.language or shelf.language in languages) and (not shelf.section or shelf.section in sections)

    def translations(self, path: str, language: str) -> list[Label]:
        """Returns the same list page in each language."""
        bare = path.removeprefix(self.prefix(language))
        return [
            Label(id=tag, title=language_name(tag), url=self._site.absolute(self.prefix(tag) + bare))
            for tag in self._site.languages
        ]

    def kin(self, article: Article, ties: Ties) -> Kin:
        """Returns the stories that an article's page speaks of, as links."""
        original = ties.original(article)
        return Kin(
            original=self._story(original) if original else None,
            translations=tuple(self._story(one) for one in ties.translations(article)),
            languages=tuple(replace(label, title=language_name(label.id)) for label in self.versions(article, ties)),
            related=tuple(self._story(one) for one in ties.named(article.related)),
            replaced=tuple(self._story(one) for one in ties.named(article.supersedes)),
        )

    def versions(self, article: Article, ties: Ties) -> list[Label]:
        """Returns the story in each of its languages, in the site's order; none when there is only one."""
        order = {language: place for place, language in enumerate(self._site.languages)}
        found = sorted(ties.versions(article), key=lambda one: order.get(one.language, len(order)))
        return [self._story(one) for one in found]

    def _story(self, article: Article) -> Label:
        return Label(id=article.language, title=article.title, url=absolute_url(self._site, article.path))

    def home_url(self, language: str) -> str:
        """Returns the address of the front page for readers of a language."""
        return self._site.absolute(self.home_of(Shelf(language=self.front_of(language))) or "/")

    def page_language(self, language: str) -> str:
        """Returns in which language a page frames a story: the story's, if the site or a catalogue speaks it."""
        return language if language in self._site.languages else spoken(language, self._site.language)

    def front_of(self, language: str) -> str:
        """Returns the language on whose front page a story stands: the main one, where its own has none."""
        return language if language in self._site.languages else self._site.language

    def prefix(self, language: str) -> str:
        """Returns where a language's pages begin: the main one's at the root."""
        site = self._site
        own = language in site.languages and language != site.language
        return f"/{language}" if own else ""

    def home_of(self, shelf: Shelf) -> str | None:
        """Returns the root-relative page of a shelf; None for one that has only feeds."""
        if shelf.tag:
            return None
        prefix = self.prefix(shelf.language or self._site.language)
        return f"{prefix}/sections/{shelf.section}/" if shelf.section else f"{prefix}/"

    def section_label(self, shelf: Shelf) -> Label:
        """Returns the name and page of a shelf's section in its language."""
        title = self._catalogue.sections[shelf.section].title.in_language(shelf.language)
        return Label(id=shelf.section, title=title, url=self._site.absolute(self.home_of(shelf) or "/"))

    def title(self, shelf: Shelf) -> str:
        """Returns the name of a shelf's feed."""
        site = self._site
        language = shelf.language or site.language
        parts = [site.title]
        if shelf.section:
            parts.append(self._catalogue.sections[shelf.section].title.in_language(language))
        if shelf.tag:
            parts.append(shelf.tag)
        if shelf.language and len(site.languages) > 1:
            parts.append(language_name(shelf.language))
        return " - ".join(parts)

    def offered(self) -> list[Shelf]:
        """Returns the shelves whose feeds are listed: everything, languages, sections; tags are too many."""
        languages = self._site.languages if len(self._site.languages) > 1 else ()
        offered = [ALL, *(Shelf(language=lang) for lang in languages)]
        for section in self._catalogue.sections:
            offered += [Shelf(section=section), *(Shelf(language=lang, section=section) for lang in languages)]
        return offered

    def autodiscovered(self, language: str) -> list[Shelf]:
        """Returns the shelves whose feeds every page in a language names (HTML, 4.6.7.1)."""
        multilingual = len(self._site.languages) > 1 and language in self._site.languages
        return [Shelf(language=language), ALL] if multilingual else [ALL]

    def feed_links(self, shelf: Shelf) -> list[FeedLink]:
        """Returns a shelf's feed in every format, as pages link to it."""
        url = self._site.absolute(feed_path(shelf))
        return [
            FeedLink(title=self.title(shelf), format=fmt.title, url=f"{url}.{fmt.extension}", media_type=fmt.media_type)
            for fmt in FORMATS.values()
        ]


def feed_path(shelf: Shelf) -> str:
    """Returns the root-relative address of a shelf's feeds, without extension (contract: Addresses)."""
    if shelf.tag:
        return f"/feeds/tags/{quote(_file_name(shelf.tag), safe='')}"
    parts = [part for part in (shelf.language, shelf.section or "all") if part]
    return "/feeds/" + "/".join(parts)


def _file_name(tag: str) -> str:
    """Returns a tag as the name of a file: as it is, unless it is too long or would be hidden or a folder."""
    plain = tag.replace("/", "-").lstrip(".")
    if plain == tag and len(tag.encode()) <= _LONGEST_NAME:
        return tag
    return f"{plain[:40]}-{hashlib.sha256(tag.encode()).hexdigest()[:10]}"


def file_of(path: str) -> str:
    """Returns the file below public/ that answers at a root-relative path."""
    name = unquote(path).removeprefix("/")
    return f"{name}index.html" if path.endswith("/") else name
