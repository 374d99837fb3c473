"""What the site consists of besides its stories: list pages and feeds, their addresses, names and links."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote, unquote

from publisher.editorial.rendition import absolute_url
from publisher.editorial.shelves import ALL, Shelf
from publisher.editorial.ties import Ties
from publisher.feeds import FORMATS, Format
from publisher.languages import label, language_name, spoken
from publisher.model.article import Article
from publisher.model.catalogue import Archives, Catalogue, Newsletter, Site
from publisher.model.feed import Departure, Feed, FeedLink
from publisher.model.podcast import Podcast
from publisher.model.view import Depth, Kin, Label, View

CORRECTIONS = "/corrections/"
"""Root-relative; its feed is beside it."""
ISSUES = "/issues/"
"""Root-relative: the newsletters whose issues stand on the web."""
_ALONE = Kin()
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

    def feed(
        self,
        shelf: Shelf,
        entries: Sequence[View],
        *,
        path: str,
        private: bool = False,
        departed: Sequence[Departure] = (),
    ) -> Feed:
        """Returns the feed of a shelf at a root-relative `path` without extension."""
        site = self._site
        return Feed(
            id=f"tag:{self._authority}:feed{feed_path(shelf).removeprefix('/feeds')}",
            title=self.title(shelf),
            description=self._description(shelf),
            url=site.absolute(path),
            home_url=site.absolute(self.home_of(shelf) or "/"),
            language=self.language_of(shelf),
            updated_at=max((*(e.updated_at for e in entries), *(d.at for d in departed)), default=self._epoch),
            entries=tuple(entries),
            departed=tuple(departed),
            author=site.author or site.title,
            private=private,
            hubs=() if private else site.hubs,
            podcast=self._podcast(shelf),
        )

    def archive_document(self, shelf: Shelf, page: int, entries: Sequence[View], departed: Sequence[Departure]) -> Feed:
        """Returns an archive document of a shelf's feed (RFC 5005 §4): the same feed, an older part of it."""
        path = archive_document_path(shelf, page)
        current = self._site.absolute(feed_path(shelf))
        return replace(self.feed(shelf, entries, path=path, departed=departed), current=current, hubs=())

    def language_of(self, shelf: Shelf) -> str:
        """Returns the language of a feed's own words."""
        declared = self._catalogue.feeds[shelf.feed].language if shelf.feed else shelf.language
        return declared or self._site.language

    def limit_of(self, shelf: Shelf) -> int:
        """Returns how many entries a feed has at most."""
        return self._catalogue.feeds[shelf.feed].limit if shelf.feed else self._site.feed_limit

    def depth_of(self, shelf: Shelf) -> Depth:
        """Returns the most that a feed shows of a story."""
        return self._catalogue.feeds[shelf.feed].depth if shelf.feed else self._site.feed_depth

    def formats_of(self, shelf: Shelf) -> list[Format]:
        """Returns the formats that a feed has."""
        named = self._catalogue.feeds[shelf.feed].formats if shelf.feed else ()
        return [FORMATS[name] for name in named or FORMATS]

    def is_archived(self, shelf: Shelf) -> bool:
        """Returns whether what leaves a feed goes to archive documents."""
        archives = self._site.feed_archives
        if archives is Archives.NONE or shelf.tag:
            return False
        if shelf.feed:
            return self._catalogue.feeds[shelf.feed].archive
        return shelf == ALL or archives is Archives.EVERY

    def _podcast(self, shelf: Shelf) -> Podcast | None:
        podcast = self._catalogue.feeds[shelf.feed].podcast if shelf.feed else None
        if podcast is None:
            return None
        return replace(podcast, image=absolute_url(self._site, podcast.image))

    def _description(self, shelf: Shelf) -> str:
        own = self._catalogue.feeds[shelf.feed].description.in_language(self.language_of(shelf)) if shelf.feed else ""
        return own or self._site.description or self._site.title

    def corrections(self, entries: Sequence[View]) -> Feed:
        """Returns the feed of the log of corrections."""
        site = self._site
        name = label("corrections_of", site.language, site=site.title)
        return replace(
            self.feed(ALL, entries, path=CORRECTIONS.rstrip("/")),
            id=f"tag:{self._authority}:corrections",
            title=name,
            description=name,
            home_url=site.absolute(CORRECTIONS),
        )

    def corrections_page(self, language: str) -> str:
        """Returns the root-relative page of the log of corrections in a language."""
        return self.prefix(language) + CORRECTIONS

    def declared_shelves(self) -> set[Shelf]:
        """Returns the shelves that have feeds and pages even while they are empty."""
        languages = self._site.languages
        declared = {ALL, *(Shelf(language=lang) for lang in languages)}
        for section in self._catalogue.sections:
            declared |= {Shelf(section=section), *(Shelf(language=lang, section=section) for lang in languages)}
        return declared | {Shelf(feed=name) for name in self._catalogue.feeds}

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

    def kin(self, article: Article, ties: Ties, visible: Callable[[Article], bool] = lambda _: True) -> Kin:
        """Returns the stories that an article's page or entry speaks of, as links, of those that are `visible`."""
        if not ties.may_tie(article):
            return _ALONE
        original = ties.original(article)
        languages = [one for one in ties.versions(article) if one.number == article.number or visible(one)]
        return Kin(
            original=self._story(original) if original and visible(original) else None,
            translations=self._stories(filter(visible, ties.translations(article))),
            languages=tuple(
                replace(self._story(one), title=language_name(one.language))
                for one in (languages if len(languages) > 1 else ())
            ),
            related=self._stories(filter(visible, ties.named(article.related))),
            replaced=self._stories(filter(visible, ties.named(article.supersedes))),
        )

    def _stories(self, articles: Iterable[Article]) -> tuple[Label, ...]:
        return tuple(map(self._story, articles))

    def versions(self, article: Article, ties: Ties) -> list[Label]:
        """Returns the story in each of its languages, in the site's order; none when there is only one."""
        versions = ties.versions(article)
        if not versions:
            return []
        order = {language: place for place, language in enumerate(self._site.languages)}
        found = sorted(versions, key=lambda one: order.get(one.language, len(order)))
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
        return prefix(self._site, language)

    def home_of(self, shelf: Shelf) -> str | None:
        """Returns the root-relative page of a shelf; None for one that has only feeds."""
        if shelf.tag or shelf.feed:
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
        language = self.language_of(shelf)
        parts = [site.title]
        if shelf.feed:
            parts.append(self._catalogue.feeds[shelf.feed].title.in_language(language))
        if shelf.section:
            parts.append(self._catalogue.sections[shelf.section].title.in_language(language))
        if shelf.tag:
            parts.append(shelf.tag)
        if shelf.language and len(site.languages) > 1:
            parts.append(language_name(shelf.language))
        return " - ".join(parts)

    def offered(self) -> list[Shelf]:
        """Returns the shelves whose feeds are listed: everything, declared ones, languages, sections, not every tag."""
        languages = self._site.languages if len(self._site.languages) > 1 else ()
        offered = [ALL, *self._own(), *(Shelf(language=lang) for lang in languages)]
        for section in self._catalogue.sections:
            offered += [Shelf(section=section), *(Shelf(language=lang, section=section) for lang in languages)]
        return offered

    def autodiscovered(self, language: str) -> list[Shelf]:
        """Returns the shelves whose feeds every page in a language names (HTML, 4.6.7.1)."""
        multilingual = len(self._site.languages) > 1 and language in self._site.languages
        return [*([Shelf(language=language)] if multilingual else []), ALL, *self._own()]

    def _own(self) -> list[Shelf]:
        return [Shelf(feed=name) for name in self._catalogue.feeds]

    def feed_links(self, shelf: Shelf) -> list[FeedLink]:
        """Returns a shelf's feed in every format, as pages link to it."""
        return self._links(self.title(shelf), feed_path(shelf), self.formats_of(shelf))

    def issue_feed(self, newsletter: Newsletter, entries: Sequence[View] = ()) -> Feed:
        """Returns the feed of a newsletter's issues."""
        site = self._site
        path = issue_feed_path(newsletter.id)
        return replace(
            self.feed(ALL, entries, path=path),
            id=f"tag:{self._authority}:feed{path.removeprefix('/feeds')}",
            title=self._issues_title(newsletter),
            description=newsletter.description.in_language(site.language) or self._issues_title(newsletter),
            home_url=site.absolute(archive_path(site, newsletter.id, site.language)),
        )

    def issue_id(self, newsletter: str, edition: int) -> str:
        """Returns the id of an issue as an entry of a feed."""
        return f"tag:{self._authority}:issues/{newsletter}/{edition}"

    def issue_feed_links(self, newsletter: Newsletter) -> list[FeedLink]:
        """Returns the feed of a newsletter's issues in every format."""
        return self._links(self._issues_title(newsletter), issue_feed_path(newsletter.id), list(FORMATS.values()))

    def _issues_title(self, newsletter: Newsletter) -> str:
        return f"{self._site.title} - {newsletter.title.in_language(self._site.language)}"

    def _links(self, title: str, path: str, formats: Sequence[Format]) -> list[FeedLink]:
        url = self._site.absolute(path)
        return [
            FeedLink(title=title, format=fmt.title, url=f"{url}.{fmt.extension}", media_type=fmt.media_type)
            for fmt in formats
        ]


def prefix(site: Site, language: str) -> str:
    """Returns where a language's pages begin: the main one's at the root."""
    own = language in site.languages and language != site.language
    return f"/{language}" if own else ""


def issue_path(site: Site, newsletter: str, edition: int, language: str) -> str:
    """Returns the root-relative address of an issue for readers of a language."""
    return f"{archive_path(site, newsletter, language)}{edition}/"


def archive_path(site: Site, newsletter: str, language: str, page: int = 0) -> str:
    """Returns the root-relative address of a page of a newsletter's archive."""
    first = f"{prefix(site, language)}{ISSUES}{newsletter}/"
    return f"{first}page/{page}/" if page else first


def feed_path(shelf: Shelf) -> str:
    """Returns the root-relative address of a shelf's feeds, without extension (contract: Addresses)."""
    if shelf.tag:
        return f"/feeds/tags/{quote(_file_name(shelf.tag), safe='')}"
    if shelf.feed:
        return f"/feeds/{shelf.feed}"
    parts = [part for part in (shelf.language, shelf.section or "all") if part]
    return "/feeds/" + "/".join(parts)


def archive_document_path(shelf: Shelf, page: int) -> str:
    """Returns the root-relative address of an archive document, without extension; it never becomes another's."""
    return f"{feed_path(shelf)}/archive/{page}"


def issue_feed_path(newsletter: str) -> str:
    """Returns the root-relative address of the feeds of a newsletter's issues, without extension."""
    return f"/feeds/newsletters/{newsletter}"


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
