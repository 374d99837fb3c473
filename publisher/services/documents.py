"""What public/ is made of: every file with a fingerprint of all that goes into it, and how it is made.

Nothing is made here until somebody asks for the bytes: most fingerprints
turn out to be those of the files that stand there already.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from publisher.editorial.benefits import benefits
from publisher.editorial.rendition import log_entry
from publisher.editorial.shelves import Shelf, Shelves
from publisher.editorial.tally import Tally, next_day, tally
from publisher.feeds import FORMATS
from publisher.feeds.fit import fit
from publisher.feeds.opml import opml
from publisher.feeds.sitemap import NEWS_URLS, NEWS_WINDOW, news_sitemap
from publisher.model.archive import PastIssue
from publisher.model.article import Article
from publisher.model.catalogue import Catalogue
from publisher.model.page import Page, PlainFile
from publisher.model.view import Channel, Depth, Label, View
from publisher.ports import Companions, Renderer
from publisher.services.advices import Advices
from publisher.services.archive import Archive
from publisher.services.corrections import CorrectionLog, Noted
from publisher.services.document import Document, fingerprint
from publisher.services.feed_archives import FeedArchives
from publisher.services.feed_documents import FeedDocuments
from publisher.services.issue_pages import IssuePages
from publisher.services.outline import ISSUES, Outline, feed_path, file_of
from publisher.services.renditions import Renditions
from publisher.services.sitemaps import Sitemaps

CORRECTIONS_FEED = "corrections.atom"
_LISTS = frozenset({"front", "section", "corrections", "issues", "archive"})
"""The pages that lead to the log of corrections and to past issues, once there are any: the first must not change every
page."""
_NOTES = 200
"""Notes on a page of the log."""
_ON_PAGE = 40
"""Stories on a front or section page."""
_FEW = 4
"""Stories on a page that is about one of them."""
_PRIVATE_PATHS = (
    "/u/", "/confirm/", "/unsubscribe/", "/preferences/", "/read/", "/inbox/", "/preview/", "/admin/", "/api/",
)  # fmt: skip


class Documents:
    """The files that show the public stories; `base` is a hash of all they have in common."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        outline: Outline,
        renditions: Renditions,
        renderer: Renderer,
        companions: Companions,
        everything: Shelves,
        public: Shelves,
        alone: Mapping[int, Article],
        depths: Mapping[int, Depth],
        advices: Advices,
        feed_archives: FeedArchives,
        log: CorrectionLog,
        archive: Archive,
        latest: Callable[[int], Article | None],
    ) -> None:
        """`alone`: the stories that have a page but stand on no list; `latest` tells a story as it is, out or not."""
        self._catalogue = catalogue
        self._site = catalogue.site
        self._outline = outline
        self._renditions = renditions
        self._renderer = renderer
        self._companions = companions
        self._everything = everything
        self._public = public
        self._alone = alone
        self._depths = depths
        self._advices = advices
        self._feeds = FeedDocuments(
            catalogue=catalogue,
            outline=outline,
            renditions=renditions,
            public=public,
            depths=depths,
            advices=advices,
            archives=feed_archives,
            page=self._page,
        )
        self._log = log
        self._archive = archive
        self._issue_pages = IssuePages(
            catalogue=catalogue,
            outline=outline,
            renditions=renditions,
            archive=archive,
            log=log,
            public=public,
            depths=depths,
            latest=latest,
            page=self._page,
        )
        self._sitemaps = Sitemaps(self._site, outline, public)
        self._linked: tuple[bool, frozenset[str]] = (False, frozenset())
        """Where list pages lead."""
        self._base = ""
        self._rules = ""
        self._held: frozenset[str] = frozenset()
        self._pages: Sequence[Page] = ()
        self._frames: dict[str, dict[str, object]] = {}
        """By language, what its pages have in common."""
        self._tallies: dict[str, Tally] = {}
        """Of the day at hand, by the language of the front page, where the public does not see all."""
        self._oldest_news: datetime | None = None
        """When the oldest story in the news sitemap was published."""

    def causes(self) -> dict[str, str]:
        """Looks anew at what documents are made from beside stories; returns hashes of it.

        All documents have the `templates` and the names of the `pages` in common; `files` are those of static/ and
        the pages' texts.
        """
        self._pages = self._companions.pages()
        self._frames = {}
        files = [f"{file.path} {file.mark}" for file in self._companions.files()]
        return {
            "templates": self._renderer.fingerprint(),
            "pages": self._companions.fingerprint(),
            "files": fingerprint(*files, *(page.content_hash for page in self._pages)),
        }

    def base(self, rules: str, causes: Mapping[str, str]) -> str:
        """Takes note of what all documents have in common, a hash of which it returns."""
        self._rules = rules
        self._base = fingerprint(rules, causes["templates"], causes["pages"])
        return self._base

    def addresses(self) -> dict[str, str]:
        """Returns the root-relative addresses that no story may have, and what stands there."""
        own = {"/404.html": "the page for what is not there", "/": "the front page"}
        for shelf in self._outline.declared_shelves():
            home = self._outline.home_of(shelf)
            if home is not None:
                own[home] = "a list page"
        own |= {self._outline.corrections_page(language): "the log of corrections" for language in self._site.languages}
        own |= {page.path: f"the page {page.title!r}" for page in self._companions.pages()}
        return own | {f"/{file.path}": "a file in static/" for file in self._companions.files()}

    def asset_paths(self, sources: Iterable[str]) -> set[str]:
        """Returns the files of public/ that local files of stories are published as."""
        return {file.path for source in sources if (file := self._companions.asset(source)) is not None}

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns when a front page no longer counts the day that it counts, or a story is news no longer, if ever."""
        moments = [next_day(now, self._site.timezone) if self._tallies else None, self._news_until()]
        return min((at for at in moments if at is not None and at > now), default=None)

    def _news_until(self) -> datetime | None:
        """Returns when a story in the news sitemap is news no longer."""
        return None if self._oldest_news is None else self._oldest_news + NEWS_WINDOW + timedelta(microseconds=1)

    def all(self, assets: Iterable[str], now: datetime) -> Iterable[Document]:
        """Yields every output there should be."""
        companions = {document.path: document for document in self._of_companions()}
        self._held = frozenset(companions)
        yield from companions.values()
        yield from self._free(self._all(assets, now))

    def _all(self, assets: Iterable[str], now: datetime) -> Iterable[Document]:
        self._count(now)
        self._linked = self._leads_to()
        named = {*self._public.names(), *self._advices.names()}
        for shelf in sorted(self._outline.declared_shelves() | named):
            yield from self._of_shelf(shelf)
        for number in sorted({*self._public.numbers(), *self._alone}):
            yield from self._of_story(number)
        yield from self._feeds.of_archives(self._rules)
        yield from self._of_assets(assets)
        yield from self._sitemaps.documents()
        yield from self._of_site(now)
        yield from self._issue_pages.all(self._base)

    def _leads_to(self) -> tuple[bool, frozenset[str]]:
        """Returns whether there is a log of corrections, and the languages in which past issues have pages."""
        return bool(self._log), self._issue_pages.languages()

    def _free(self, documents: Iterable[Document]) -> Iterable[Document]:
        """Yields what an editor's own page or file does not stand in the place of."""
        return (document for document in documents if document.path not in self._held)

    async def ahead(self, documents: Iterable[Document]) -> None:
        """Fetches together what the pages of single stories need, which are about to be made."""
        numbers = {number for one in documents if len(one.stories) <= _FEW for number in one.stories}
        found = (self._public.get(number) or self._alone.get(number) for number in sorted(numbers))
        await self._renditions.ahead([one for one in found if one is not None], self._depths, Channel.PAGE)

    def touched(
        self,
        shelves: Iterable[Shelf],
        stories: Iterable[int],
        assets: Iterable[str],
        now: datetime,
        issues: Iterable[PastIssue] = (),
    ) -> Iterable[Document]:
        """Yields the outputs that hold what changed; `issues` came to the archive, or left it."""
        return self._free(self._touched(shelves, set(stories), assets, now, issues))

    def note(self, stories: Collection[int], issues: Iterable[PastIssue] = ()) -> set[str]:
        """Takes note of what changed; returns the files of sitemaps and past issues that may lose their reason."""
        self._feeds.archives.note(stories)
        return self._sitemaps.files(stories) | self._issue_pages.note(stories, issues)

    def gone_issues(self, lost: Set[int]) -> set[str]:
        """Returns the addresses of past issues that went with their stories; `lost`: the numbers of such."""
        return self._issue_pages.gone(lost)

    def following(self) -> Iterable[Document]:
        """Yields, once, the documents that making others has brought about."""
        return self._free(self._feeds.cut(self._rules))

    async def rehearse_issue(self, issue: PastIssue) -> bytes | None:
        """Returns the page that an issue would have; None when the public would have nothing of it."""
        return await self._issue_pages.rehearse(issue)

    def _touched(
        self,
        shelves: Iterable[Shelf],
        stories: set[int],
        assets: Iterable[str],
        now: datetime,
        issues: Iterable[PastIssue],
    ) -> Iterable[Document]:
        shelves = set(shelves)
        recounted = self._count(now)
        relinked = self._linked != self._leads_to()
        if relinked:  # list pages lead there from now on, or no more
            self._linked = self._leads_to()
            shelves |= self._outline.declared_shelves()
        # A story whose language has no pages of its own is listed on those of the main one.
        fronts = {shelf: self._outline.front_of(shelf.language) for shelf in shelves if shelf.language}
        shelves |= {shelf._replace(language=front) for shelf, front in fronts.items()}
        for shelf in sorted(shelves):
            yield from self._of_shelf(shelf)
        for language in sorted(recounted):
            yield from self._of_list(Shelf(language=language))
        for number in sorted(stories):
            yield from self._of_story(number)
        yield from self._feeds.of_archives(self._rules, stories)
        yield from self._of_assets(assets)
        until = self._news_until()
        if shelves:
            yield from self._sitemaps.documents(stories)
        if shelves or (until is not None and until <= now):
            yield from self._of_site(now)
        yield from self._issue_pages.touched(self._base, stories, issues, lists=relinked)

    def _of_shelf(self, shelf: Shelf) -> Iterable[Document]:
        if not self._outline.declares(shelf) or (shelf.tag and self._feeds.is_empty(shelf)):
            return
        yield from self._feeds.of_shelf(self._base, shelf)
        yield from self._of_list(shelf)

    def _of_list(self, shelf: Shelf) -> Iterable[Document]:
        home = self._outline.home_of(shelf)
        if shelf.language and home is not None:
            listed = self._listed(shelf)
            counted = None if shelf.section else self._tallies.get(shelf.language)
            make = partial(self._list_page, shelf, listed, home, counted)
            noted, archived = self._linked
            mark = [f"{noted} {shelf.language in archived}", *self._mark(listed), *([repr(counted)] if counted else [])]
            numbers = [article.number for article in listed]
            yield Document(file_of(home), fingerprint(self._base, "list", *mark), make, numbers)

    def _count(self, now: datetime) -> set[str]:
        """Counts today's stories anew for each front page; returns the languages whose count is another one."""
        site = self._site
        before = self._tallies
        self._tallies = {}
        if site.gated:
            for language in site.languages:
                fronted = partial(self._fronted, language)
                found = tally(self._everything.walk(), self._depths, now, site.timezone, fronted)
                if found.hidden:
                    self._tallies[language] = found
        both = before.keys() | self._tallies.keys()
        return {language for language in both if before.get(language) != self._tallies.get(language)}

    def _fronted(self, language: str, article: Article) -> bool:
        return self._outline.front_of(article.language) == language

    def _listed(self, shelf: Shelf) -> list[Article]:
        """Returns the stories of a list page: the main language's pages hold what has no front page of its own, too."""
        site = self._site
        if shelf.language != site.language:
            return self._public.newest(shelf, _ON_PAGE)
        own = set(site.languages) - {site.language}
        wider = self._public.walk(shelf._replace(language=""))
        return list(islice((a for a in wider if a.language not in own), _ON_PAGE))

    def _of_story(self, number: int) -> Iterable[Document]:
        article = self._public.get(number) or self._alone.get(number)
        if article is not None:
            mark = fingerprint(self._base, "story", *self._mark([article]), *self._feeds.marks_of_kin(article))
            held = {number, *(one.number for one in self._public.ties.named(article.related))}
            yield Document(file_of(article.path), mark, partial(self._story_page, article), held)

    def _of_assets(self, sources: Iterable[str]) -> Iterable[Document]:
        """Yields the local files that stories refer to: at addresses nobody can guess, as some are for few."""
        for source in sources:
            file = self._companions.asset(source)
            if file is not None:
                yield _copy(file)

    def _of_site(self, now: datetime) -> Iterable[Document]:
        site = self._site
        shelves = [repr(shelf) for shelf in self._outline.offered()]
        yield Document("feeds.opml", fingerprint(self._base, "opml", *shelves), self._opml)
        yield Document("feeds/index.html", fingerprint(self._base, "feeds", *shelves), self._feeds_page)
        yield Document("404.html", fingerprint(self._base, "404"), self._not_found_page)
        if site.theme.is_own:
            yield Document("theme.css", fingerprint(self._base, "theme"), self._theme)
        yield Document("robots.txt", fingerprint(self._base, "robots"), self._robots)
        newest = self._public.newest(limit=NEWS_URLS)
        fresh = [a for a in newest if now - NEWS_WINDOW <= a.published_at <= now]
        self._oldest_news = min((a.published_at for a in fresh), default=None)
        make = partial(self._news_sitemap, fresh, now)
        numbers = [article.number for article in fresh]
        yield Document("news-sitemap.xml", fingerprint(self._base, "news", *self._mark(fresh)), make, numbers)
        if self._log:
            yield from self._of_corrections()

    def _of_corrections(self) -> Iterable[Document]:
        outline, languages = self._outline, self._site.languages
        for language in languages:
            # As with the lists: the main language's page holds what has no page of its own, too.
            others = None if language == self._site.language else {language}
            noted = self._log.newest(_NOTES, others)
            home = outline.corrections_page(language)
            make = partial(self._corrections_page, noted, language, home)
            mark = fingerprint(self._base, "corrections", *self._noted_mark(noted))
            yield Document(file_of(home), mark, make, _numbers(noted))
        noted = self._log.newest(self._site.feed_limit)
        mark = fingerprint(self._base, "corrections.atom", *self._noted_mark(noted))
        yield Document(CORRECTIONS_FEED, mark, partial(self._corrections_feed, noted), _numbers(noted))

    def _noted_mark(self, noted: Sequence[Noted]) -> list[str]:
        return [f"{one.note.at} {mark}" for one in noted for mark in self._mark([one.article])]

    def _of_companions(self) -> Iterable[Document]:
        for page in self._pages:
            mark = fingerprint(self._base, "page", page.content_hash)
            yield Document(file_of(page.path), mark, partial(self._plain_page, page), file=f"pages{page.path}")
        for file in self._companions.files():
            yield _copy(file)

    def _mark(self, articles: Sequence[Article]) -> list[str]:
        return self._feeds.marks(articles)

    async def _corrections_page(self, noted: Sequence[Noted], language: str, home: str) -> bytes:
        return self._page("corrections", language, home, entries=await self._log_entries(noted))

    async def _corrections_feed(self, noted: Sequence[Noted]) -> bytes:
        feed = self._outline.corrections(await self._log_entries(noted))
        return fit(feed, [FORMATS["atom"]], self._site.feed_bytes)[1]["atom"]

    async def _log_entries(self, noted: Sequence[Noted]) -> list[View]:
        stories = {one.article.number: one.article for one in noted}
        views = {shown.number: shown for shown in await self._views(list(stories.values()), Channel.PAGE)}
        return [log_entry(views[one.article.number], one.note, self._catalogue) for one in noted]

    async def _list_page(self, shelf: Shelf, stories: Sequence[Article], home: str, counted: Tally | None) -> bytes:
        views = await self._views(stories, Channel.PAGE)
        if not shelf.section:
            return self._page("front", shelf.language, home, views=views, tally=counted)
        return self._page("section", shelf.language, home, views=views, section=self._outline.section_label(shelf))

    async def _story_page(self, article: Article) -> bytes:
        ties = self._public.ties
        kin = self._outline.kin(article, ties)
        [one, *related] = await self._views([article, *ties.named(article.related)], Channel.PAGE)
        return self._page(
            "article",
            self._outline.page_language(article.language),
            article.path,
            switch=False,
            view=one,
            related=related,
            kin=kin,
            languages=kin.languages,
            benefits=benefits(article, self._catalogue) if one.notice else None,
            noted=article.number in self._log,
        )

    async def _plain_page(self, page: Page) -> bytes:
        return self._page(
            "page",
            page.language,
            page.path,
            switch=False,
            title=page.title,
            body_html=page.body_html,
            summary=page.summary,
        )

    async def _feeds_page(self) -> bytes:
        opml_url = self._site.absolute("/feeds.opml")
        links = [link for shelf in self._outline.offered() for link in self._outline.feed_links(shelf)]
        links += [link for one in self._archive.newsletters() for link in self._outline.issue_feed_links(one)]
        return self._page("feeds", self._site.language, "/feeds/", opml=opml_url, switch=False, feeds=links)

    async def _theme(self) -> bytes:
        return self._renderer.page("_theme.css", self._site.language).encode()

    async def _not_found_page(self) -> bytes:
        return self._page("not_found", self._site.language, None, switch=False, robots="noindex")

    def _page(self, name: str, language: str, path: str | None, *, switch: bool = True, **context: object) -> bytes:
        """Returns a page with what every page has: its address, its feeds, the navigation in its language."""
        site, outline = self._site, self._outline
        common = {**self._frame(language), "here": site.absolute(path) if path else None}
        if self._log and (name in _LISTS or context.get("noted")):
            common["corrections"] = site.absolute(outline.corrections_page(language))
        if name in _LISTS and language in self._linked[1]:
            common["issues"] = site.absolute(outline.prefix(language) + ISSUES)
        if switch and len(site.languages) > 1 and path is not None:
            common["languages"] = self._outline.translations(path, language)
        return self._renderer.page(name, language, **{**common, **context}).encode()

    def _frame(self, language: str) -> dict[str, object]:
        """Returns what the pages of a language have in common: the same objects for each, of which they are made."""
        found = self._frames.get(language)
        if found is None:
            site, outline = self._site, self._outline
            found = self._frames[language] = {
                "feeds": [link for shelf in outline.autodiscovered(language) for link in outline.feed_links(shelf)],
                "pages": [Label(id=p.path, title=p.title, url=site.absolute(p.path)) for p in self._pages],
                "home": outline.home_url(language),
                "sections": [
                    outline.section_label(Shelf(language=language, section=s)) for s in self._catalogue.sections
                ],
            }
        return found

    async def _opml(self) -> bytes:
        outline, atom = self._outline, FORMATS["atom"]
        feeds = []
        for shelf in outline.offered():
            formats = outline.formats_of(shelf)
            feed = outline.feed(shelf, (), path=feed_path(shelf))
            feeds.append((feed, atom if atom in formats else formats[0]))
        feeds += [(outline.issue_feed(one), atom) for one in self._archive.newsletters()]
        return opml(self._site.title, feeds)

    async def _news_sitemap(self, fresh: Sequence[Article], now: datetime) -> bytes:
        return news_sitemap(await self._views(fresh, Channel.PAGE), self._site.title, now)

    async def _robots(self) -> bytes:
        site = self._site
        kept_out = "".join(f"Disallow: {path}\n" for path in _PRIVATE_PATHS)
        maps = "".join(f"Sitemap: {site.absolute(path)}\n" for path in ("/sitemap.xml", "/news-sitemap.xml"))
        return f"User-agent: *\n{kept_out}\n{maps}".encode()

    async def _views(self, articles: Sequence[Article], channel: Channel) -> list[View]:
        """Returns the public's Views at the depths that were decided when the stories were put on their shelves."""
        return await self._renditions.at_depths(articles, self._depths, channel)


def _numbers(noted: Sequence[Noted]) -> set[int]:
    return {one.article.number for one in noted}


def _copy(file: PlainFile) -> Document:
    return Document(file.path, fingerprint("file", file.mark), partial(_read, file), file=file.path)


async def _read(file: PlainFile) -> bytes:
    return await asyncio.to_thread(file.read)
