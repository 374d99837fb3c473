"""Keeps public/ equal to what the public may see: pages, feeds, sitemaps, files.

Every output has a fingerprint of all it is made from. A pass looks at the
outputs that hold what changed, makes those whose fingerprint differs from
the stored one, and writes those: nothing changed, nothing written.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import quote, unquote

from publisher import __version__
from publisher.editorial.access import decide, settled
from publisher.editorial.rendition import absolute_url, view
from publisher.editorial.shelves import ALL, Shelf, Shelves
from publisher.editorial.timing import publishable
from publisher.errors import PublisherError
from publisher.feeds import FORMATS, Format
from publisher.feeds.opml import opml
from publisher.feeds.sitemap import NEWS_URLS, NEWS_WINDOW, Location, news_sitemap, sitemaps
from publisher.languages import language_name
from publisher.model.article import Access, Article, Body, Problem
from publisher.model.catalogue import Catalogue
from publisher.model.feed import Feed, FeedLink
from publisher.model.page import Page, PlainFile
from publisher.model.people import PUBLIC, Viewer
from publisher.model.publication import OutputRecord
from publisher.model.view import Channel, Depth, Label, View
from publisher.ports import Articles, Companions, Facts, Output, Outputs, Renderer
from publisher.services.intake import Intake, Taken

RULES = "rules"
"""The fact that says by which rules the stories were read; without it, this is the first run over the folder."""
SHOWN = frozenset({Depth.HEADLINE, Depth.SUMMARY, Depth.FULL})
FULL = frozenset({Depth.FULL, Depth.FULL_EMBARGOED})
_ON_PAGE = 40
"""Stories on a front or section page."""
_BODIES = 256
"""Bodies kept in memory: those that the feeds hold are asked for again and again."""
_WRITTEN_AT_ONCE = 200
_PRIVATE_PATHS = ("/u/", "/confirm/", "/unsubscribe/", "/preferences/", "/inbox/", "/admin/", "/api/")


@dataclass(slots=True)
class Report:
    """What one pass did."""

    taken: Taken
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    """What kept outputs from being made, each with one of them: the last good ones stay."""

    @property
    def refused(self) -> list[Problem]:
        """The files that cannot be used as they are."""
        return [problem for problem in self.taken.problems if problem.fatal]


@dataclass(frozen=True, slots=True)
class Document:
    """One file of public/ to be: what it is made from, and how."""

    path: str
    fingerprint: str
    make: Callable[[], Awaitable[bytes]]


class Publishing:
    """The way from stories to public/; `open` first, then `refresh` at every change."""

    def __init__(
        self,
        *,
        intake: Intake,
        articles: Articles,
        facts: Facts,
        outputs: Outputs,
        output: Output,
        companions: Companions,
        renderer: Renderer,
        catalogue: Catalogue,
        authority: str,
        epoch: datetime,
        setting: str,
    ) -> None:
        """`authority` is `domain,date` of the feeds' tag URIs; `epoch` when the publication began; `setting` a hash of
        all in config that stories and outputs depend on."""
        self.intake = intake
        self.catalogue = catalogue
        self.everything = Shelves()
        """Every story that is out, for whoever may read it."""
        self.public = Shelves()
        """What the public may know of."""
        self.generation = 0
        """Moves with every change of what is out: caches of private renditions hang on it."""
        self._articles = articles
        self._facts = facts
        self._outputs = outputs
        self._output = output
        self._companions = companions
        self._renderer = renderer
        self._authority = authority
        self._epoch = epoch
        self._setting = setting
        self._rules = _hash(__version__, setting)
        self._base = ""
        self._depths: dict[int, Depth] = {}
        self._standing: dict[str, OutputRecord] = {}
        self._bodies: OrderedDict[tuple[int, int], Body] = OrderedDict()
        self._moved: dict[str, str] = {}
        self._gone: set[str] = set()
        self._left: set[str] = set()
        """Files that may have lost their reason in this pass."""
        self._busy = asyncio.Lock()

    @property
    def moved(self) -> dict[str, str]:
        """Old addresses and where they lead, for the public."""
        return self._moved

    @property
    def gone(self) -> set[str]:
        """Addresses of stories that were public and are no more: 410."""
        return self._gone

    async def open(self) -> None:
        """Reads what the store remembers of stories and outputs."""
        await self.intake.load()
        self._standing = await self._outputs.outputs()
        self._output.sweep()

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns when a date alone will change what is out."""
        return self.intake.next_change_at(now)

    async def problems(self) -> list[Problem]:
        """Returns what was wrong with the files when they were last read, without reading them again."""
        await self.intake.load()
        return self.intake.problems()

    async def refresh(self, now: datetime, paths: Iterable[str] | None = None, *, accept_loss: bool = False) -> Report:
        """Takes in what changed (of `paths`, or anywhere) and brings public/ up to date.

        Passes never overlap; each is idempotent, so a killed one is simply done again.
        """
        async with self._busy:
            taken = await self._take(now, paths, accept_loss=accept_loss)
            report = Report(taken)
            whole = paths is None
            base = self._fingerprint_of_all() if whole or not self._base else self._base
            everything = whole and (base != self._base or not len(self.everything))
            self._base = base
            touched, changed = self._shelve(taken, now, everything=everything)
            if touched or changed or whole:
                self.generation += bool(touched or changed)
                await self._note_addresses()
                await self._bring_up(self._documents(touched, changed, now, whole=whole), report, prune=whole)
            return report

    async def _take(self, now: datetime, paths: Iterable[str] | None, *, accept_loss: bool) -> Taken:
        if paths is not None:
            return await self.intake.take(now, paths)
        known_rules = await self._facts.get(RULES)
        taken = await self.intake.take(
            now, baseline=known_rules is None, accept_loss=accept_loss, everything=known_rules != self._rules
        )
        if known_rules != self._rules:
            await self._facts.put(RULES, self._rules)
        return taken

    async def views(
        self, articles: Sequence[Article], viewer: Viewer, channel: Channel, now: datetime, limit: int | None = None
    ) -> list[View]:
        """Returns what a viewer gets of these stories on a channel, in their order, at most `limit`."""
        chosen: list[tuple[Article, Depth]] = []
        for article in articles:
            if limit is not None and len(chosen) >= limit:
                break
            depth = decide(article, viewer, channel, now)
            if depth is not Depth.HIDE:
                chosen.append((article, depth))
        bodies = await self._bodies_of([(a.number, a.version) for a, d in chosen if d in FULL])
        made = (
            view(a, d, catalogue=self.catalogue, body=bodies.get((a.number, a.version)) if d in FULL else None)
            for a, d in chosen
        )
        return [one for one in made if one is not None]

    def feed(self, shelf: Shelf, entries: Sequence[View], *, path: str, private: bool = False) -> Feed:
        """Returns the feed of a shelf at a root-relative `path` without extension."""
        site = self.catalogue.site
        return Feed(
            id=f"tag:{self._authority}:feed{feed_path(shelf).removeprefix('/feeds')}",
            title=self._title(shelf),
            description=site.description or site.title,
            url=site.absolute(path),
            home_url=site.absolute(self._home_of(shelf) or "/"),
            language=shelf.language or site.language,
            updated_at=max((entry.updated_at for entry in entries), default=self._epoch),
            entries=tuple(entries),
            author=site.author or site.title,
            private=private,
        )

    # What is out ------------------------------------------------------------------------------------------------------

    def _shelve(self, taken: Taken, now: datetime, *, everything: bool) -> tuple[set[Shelf], set[int]]:
        """Puts what changed on its shelves; returns the public shelves and the stories that are not as they were."""
        stories = self.intake.articles if everything else [article for _, article in taken.changes]
        touched: set[Shelf] = set()
        changed: set[int] = set()
        for stored in stories:
            article = settled(stored, self.catalogue)
            touched |= self._place(article, now)
            changed.add(article.number)
        for article in taken.gone:
            touched |= self._remove(article.number)
            changed.add(article.number)
        for number in self._expired(now) - changed:
            touched |= self._remove(number)
            changed.add(number)
        return touched, changed

    def _place(self, article: Article, now: datetime) -> set[Shelf]:
        before = self.public.get(article.number)
        if before is not None:
            self._left.add(_file_of(before.path))
        if not publishable(article, now):
            return self._remove(article.number)
        self.everything.put(article)
        depth = decide(article, PUBLIC, Channel.PAGE, now)
        self._depths[article.number] = depth
        return self.public.put(article) if depth in SHOWN else self.public.take(article.number)

    def _remove(self, number: int) -> set[Shelf]:
        before = self.public.get(number)
        if before is not None:
            self._left.add(_file_of(before.path))
            self._left |= {
                _file_of(f"{feed_path(Shelf(tag=t))}.{f.extension}") for t in before.tags for f in FORMATS.values()
            }
        self.everything.take(number)
        self._depths.pop(number, None)
        return self.public.take(number)

    def _expired(self, now: datetime) -> set[int]:
        return {a.number for a in self.intake.dated if a.number in self.everything and not publishable(a, now)}

    async def _note_addresses(self) -> None:
        """Works out which old addresses lead where, and which are gone; nothing about what was never public."""
        leads = {path: self.public.get(n) for path, n in (await self._outputs.redirects()).items()}
        self._moved = {path: a.path for path, a in leads.items() if a is not None and a.path != path}
        was_out = (settled(a, self.catalogue) for a in self.intake.gone if a.first_published_at is not None)
        lost = {a.path for a in was_out if a.access is not Access.SUBSCRIBER}
        self._gone = {path for path in lost if path not in self._moved and not self.intake.holds(path)}

    async def _bodies_of(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        missing = [key for key in wanted if key not in self._bodies]
        self._bodies |= await self._articles.bodies(missing) if missing else {}
        found = {key: self._bodies[key] for key in wanted if key in self._bodies}
        for key in wanted:
            self._bodies.move_to_end(key)
        while len(self._bodies) > _BODIES:
            self._bodies.popitem(last=False)
        return found

    # What public/ is made of ------------------------------------------------------------------------------------------

    def _fingerprint_of_all(self) -> str:
        return _hash(self._rules, self._renderer.fingerprint(), self._companions.fingerprint())

    def _documents(self, touched: set[Shelf], changed: set[int], now: datetime, *, whole: bool) -> Iterable[Document]:
        """Yields every output that may not be as it should be; on a whole pass all of them."""
        for shelf in sorted(self._all_shelves() if whole else touched):
            yield from self._shelf_documents(shelf)
        for number in self.public.numbers() if whole else sorted(changed):
            yield from self._story_documents(number)
        yield from self._asset_documents(None if whole else changed)
        if whole or touched:
            yield from self._site_documents(now)
        if whole:
            yield from self._companion_documents()

    def _all_shelves(self) -> set[Shelf]:
        languages = self.catalogue.site.languages
        declared = {ALL, *(Shelf(language=lang) for lang in languages)}
        for section in self.catalogue.sections:
            declared |= {Shelf(section=section), *(Shelf(language=lang, section=section) for lang in languages)}
        return declared | set(self.public.names())

    def _shelf_documents(self, shelf: Shelf) -> Iterable[Document]:
        stories = self.public.newest(shelf, self.catalogue.site.feed_limit)
        if not self._declared(shelf) or (shelf.tag and not stories):
            return
        mark = self._mark(stories)
        path = feed_path(shelf)
        for fmt in FORMATS.values():
            make = partial(self._feed_bytes, shelf, stories, path, fmt)
            yield Document(_file_of(f"{path}.{fmt.extension}"), _hash(self._base, fmt.name, *mark), make)
        home = self._home_of(shelf)
        if shelf.language and home is not None:
            listed = self._listed(shelf)
            make = partial(self._list_page, shelf, listed, home)
            yield Document(_file_of(home), _hash(self._base, "list", *self._mark(listed)), make)

    def _declared(self, shelf: Shelf) -> bool:
        """Whether a shelf has feeds: of sections and languages only those that config names, of tags all."""
        languages, sections = self.catalogue.site.languages, self.catalogue.sections
        return (not shelf.language or shelf.language in languages) and (not shelf.section or shelf.section in sections)

    def _listed(self, shelf: Shelf) -> list[Article]:
        """Returns the stories of a list page: the main language's pages hold what has no front page of its own, too."""
        site = self.catalogue.site
        if shelf.language != site.language:
            return self.public.newest(shelf, _ON_PAGE)
        own = set(site.languages) - {site.language}
        wider = self.public.newest(shelf._replace(language=""))
        return [a for a in wider if a.language not in own][:_ON_PAGE]

    def _story_documents(self, number: int) -> Iterable[Document]:
        article = self.public.get(number)
        if article is not None:
            fingerprint = _hash(self._base, "story", *self._mark([article]))
            yield Document(_file_of(article.path), fingerprint, partial(self._story_page, article))

    def _asset_documents(self, changed: set[int] | None) -> Iterable[Document]:
        """Yields the local files that stories refer to: at addresses nobody can guess, as some are for few."""
        for source in self.intake.assets(changed):
            file = self._companions.asset(source)
            if file is not None:
                yield _copy(file)

    def _site_documents(self, now: datetime) -> Iterable[Document]:
        site = self.catalogue.site
        listed = self.public.newest()
        shelves = [repr(shelf) for shelf in self._offered()]
        yield Document("feeds.opml", _hash(self._base, "opml", *shelves), self._opml)
        yield Document("feeds/index.html", _hash(self._base, "feeds", *shelves), self._feeds_page)
        yield Document("404.html", _hash(self._base, "404"), self._not_found_page)
        yield Document("robots.txt", _hash(self._base, "robots"), self._robots)
        fresh = [a for a in listed[:NEWS_URLS] if now - NEWS_WINDOW <= a.published_at <= now]
        make = partial(self._news_sitemap, fresh, now)
        yield Document("news-sitemap.xml", _hash(self._base, "news", *self._mark(fresh)), make)
        places = [Location(url=absolute_url(site, a.path), updated_at=a.updated_at) for a in listed]
        for name, data in sitemaps(places, site.url).items():
            yield Document(name, hashlib.sha256(data).hexdigest(), partial(_ready, data))

    def _companion_documents(self) -> Iterable[Document]:
        for page in self._companions.pages():
            fingerprint = _hash(self._base, "page", page.content_hash)
            yield Document(_file_of(page.path), fingerprint, partial(self._plain_page, page))
        for file in self._companions.files():
            yield _copy(file)

    def _mark(self, articles: Sequence[Article]) -> list[str]:
        return [f"{a.number}.{a.version}.{self._depths[a.number]}.{a.access}" for a in articles]

    async def _bring_up(self, documents: Iterable[Document], report: Report, *, prune: bool) -> None:
        """Makes and writes what is not as it should be; on a whole pass takes away what should not be."""
        wanted: dict[str, Document] = {}
        for document in documents:
            wanted.setdefault(document.path, document)
        due = [document for document in wanted.values() if not self._stands(document, looked=prune)]
        for start in range(0, len(due), _WRITTEN_AT_ONCE):
            await self._write(due[start : start + _WRITTEN_AT_ONCE], report)
        stale = sorted((set(self._standing) if prune else self._left) - set(wanted))
        self._left = set()
        if stale:
            self._output.remove(stale)
            await self._outputs.save_outputs([], stale)
            for path in stale:
                self._standing.pop(path, None)
            report.removed += stale

    def _stands(self, document: Document, *, looked: bool) -> bool:
        known = self._standing.get(document.path)
        same = known is not None and known.fingerprint == document.fingerprint
        return same and not (looked and not self._output.exists(document.path))

    async def _write(self, due: Sequence[Document], report: Report) -> None:
        contents: dict[str, bytes] = {}
        for document in due:
            try:
                contents[document.path] = await document.make()
            except PublisherError as error:  # a faulty template keeps its own pages back, and nothing else
                report.faults[str(error)] = document.path
        made = [document for document in due if document.path in contents]
        records = [OutputRecord(d.path, d.fingerprint, hashlib.sha256(contents[d.path]).hexdigest()) for d in made]
        differing = {r.path: contents[r.path] for r in records if not self._same_bytes(r)}
        await asyncio.to_thread(self._output.write, differing)
        self._standing |= {record.path: record for record in records}
        await self._outputs.save_outputs(records, [])
        report.written += sorted(differing)

    def _same_bytes(self, record: OutputRecord) -> bool:
        known = self._standing.get(record.path)
        return known is not None and known.content_hash == record.content_hash and self._output.exists(record.path)

    # How each is made -------------------------------------------------------------------------------------------------

    async def _public_views(self, articles: Sequence[Article]) -> list[View]:
        """Returns the public's Views at the depth that was decided when the stories were put on their shelves."""
        keys = [(a.number, a.version) for a in articles if self._depths[a.number] in FULL]
        bodies = await self._bodies_of(keys)
        made = (
            view(a, depth, catalogue=self.catalogue, body=bodies.get((a.number, a.version)))
            for a in articles
            if (depth := self._depths[a.number])
        )
        return [one for one in made if one is not None]

    async def _feed_bytes(self, shelf: Shelf, stories: Sequence[Article], path: str, fmt: Format) -> bytes:
        return fmt.render(self.feed(shelf, await self._public_views(stories), path=path))

    async def _list_page(self, shelf: Shelf, stories: Sequence[Article], home: str) -> bytes:
        views = await self._public_views(stories)
        if not shelf.section:
            return self._page("front", shelf.language, home, views=views)
        return self._page("section", shelf.language, home, views=views, section=self._section_label(shelf))

    async def _story_page(self, article: Article) -> bytes:
        [one] = await self._public_views([article])
        return self._page("article", article.language, article.path, view=one, switch=False)

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
        opml_url = self.catalogue.site.absolute("/feeds.opml")
        links = [link for shelf in self._offered() for link in self._feed_links(shelf)]
        return self._page("feeds", self.catalogue.site.language, "/feeds/", opml=opml_url, switch=False, feeds=links)

    async def _not_found_page(self) -> bytes:
        return self._page("not_found", self.catalogue.site.language, None, switch=False, robots="noindex")

    def _page(self, name: str, language: str, path: str | None, *, switch: bool = True, **context: object) -> bytes:
        """Returns a page with what every page has: its address, its feeds, the navigation in its language."""
        site = self.catalogue.site
        common: dict[str, object] = {
            "here": site.absolute(path) if path else None,
            "feeds": [link for shelf in self._autodiscovered(language) for link in self._feed_links(shelf)],
            "pages": [Label(id=p.path, title=p.title, url=site.absolute(p.path)) for p in self._companions.pages()],
            "home": site.absolute(self._home_of(Shelf(language=language)) or "/"),
            "sections": [self._section_label(Shelf(language=language, section=s)) for s in self.catalogue.sections],
        }
        if switch and len(site.languages) > 1 and path is not None:
            common["languages"] = self._translations(path, language)
        return self._renderer.page(name, language, **{**common, **context}).encode()

    def _translations(self, path: str, language: str) -> list[Label]:
        """Returns the same list page in each language."""
        bare = path.removeprefix(self._prefix(language))
        return [
            Label(id=tag, title=language_name(tag), url=self.catalogue.site.absolute(self._prefix(tag) + bare))
            for tag in self.catalogue.site.languages
        ]

    def _prefix(self, language: str) -> str:
        """Returns where a language's pages begin: the main one's at the root."""
        site = self.catalogue.site
        own = language in site.languages and language != site.language
        return f"/{language}" if own else ""

    def _home_of(self, shelf: Shelf) -> str | None:
        """Returns the root-relative page of a shelf; None for one that has only feeds."""
        if shelf.tag:
            return None
        prefix = self._prefix(shelf.language or self.catalogue.site.language)
        return f"{prefix}/sections/{shelf.section}/" if shelf.section else f"{prefix}/"

    def _section_label(self, shelf: Shelf) -> Label:
        title = self.catalogue.sections[shelf.section].title.in_language(shelf.language)
        return Label(id=shelf.section, title=title, url=self.catalogue.site.absolute(self._home_of(shelf) or "/"))

    def _title(self, shelf: Shelf) -> str:
        site = self.catalogue.site
        language = shelf.language or site.language
        parts = [site.title]
        if shelf.section:
            parts.append(self.catalogue.sections[shelf.section].title.in_language(language))
        if shelf.tag:
            parts.append(shelf.tag)
        if shelf.language and len(site.languages) > 1:
            parts.append(language_name(shelf.language))
        return " - ".join(parts)

    def _offered(self) -> list[Shelf]:
        """Returns the shelves whose feeds are listed: everything, languages, sections; tags are too many."""
        languages = self.catalogue.site.languages if len(self.catalogue.site.languages) > 1 else ()
        offered = [ALL, *(Shelf(language=lang) for lang in languages)]
        for section in self.catalogue.sections:
            offered += [Shelf(section=section), *(Shelf(language=lang, section=section) for lang in languages)]
        return offered

    def _autodiscovered(self, language: str) -> list[Shelf]:
        multilingual = len(self.catalogue.site.languages) > 1 and language in self.catalogue.site.languages
        return [Shelf(language=language), ALL] if multilingual else [ALL]

    def _feed_links(self, shelf: Shelf) -> list[FeedLink]:
        url = self.catalogue.site.absolute(feed_path(shelf))
        return [
            FeedLink(
                title=self._title(shelf), format=fmt.title, url=f"{url}.{fmt.extension}", media_type=fmt.media_type
            )
            for fmt in FORMATS.values()
        ]

    async def _opml(self) -> bytes:
        feeds = [self.feed(shelf, (), path=feed_path(shelf)) for shelf in self._offered()]
        return opml(self.catalogue.site.title, feeds, FORMATS["atom"])

    async def _news_sitemap(self, fresh: Sequence[Article], now: datetime) -> bytes:
        return news_sitemap(await self._public_views(fresh), self.catalogue.site.title, now)

    async def _robots(self) -> bytes:
        site = self.catalogue.site
        kept_out = "".join(f"Disallow: {path}\n" for path in _PRIVATE_PATHS)
        maps = "".join(f"Sitemap: {site.absolute(path)}\n" for path in ("/sitemap.xml", "/news-sitemap.xml"))
        return f"User-agent: *\n{kept_out}\n{maps}".encode()


def feed_path(shelf: Shelf) -> str:
    """Returns the root-relative address of a shelf's feeds, without extension (contract: Addresses)."""
    if shelf.tag:
        return f"/feeds/tags/{quote(shelf.tag.replace('/', '-'), safe='')}"
    parts = [part for part in (shelf.language, shelf.section or "all") if part]
    return "/feeds/" + "/".join(parts)


def _file_of(path: str) -> str:
    """Returns the file below public/ that answers at a root-relative path."""
    name = unquote(path).removeprefix("/")
    return f"{name}index.html" if path.endswith("/") else name


def _copy(file: PlainFile) -> Document:
    return Document(file.path, _hash("file", file.mark), partial(_read, file))


async def _read(file: PlainFile) -> bytes:
    return await asyncio.to_thread(file.read)


async def _ready(data: bytes) -> bytes:
    return data


def _hash(*parts: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()
