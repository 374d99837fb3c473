"""The sitemap in parts: a change touches the one that has the story and the index, however many stories there are."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial

from publisher.editorial.rendition import absolute_url
from publisher.editorial.shelves import Shelves
from publisher.feeds.sitemap import Location, sitemap_index, urlset
from publisher.model.article import Article
from publisher.model.catalogue import Site
from publisher.services.document import Document, fingerprint
from publisher.services.outline import Outline

NAME = "sitemap.xml"
_STORIES = 500
"""Numbers that share a part; a story keeps its number, so it keeps its part."""
_PARTS = 8
"""Of so many parts the stories' places are kept in mind: what is saved once is often saved again."""


class Sitemaps:
    """The sitemaps of the public stories: one, or an index of parts."""

    def __init__(self, site: Site, outline: Outline, public: Shelves) -> None:
        self._site = site
        self._outline = outline
        self._public = public
        self._changed_at: dict[int, datetime] = {}
        """The last change in each part that has stories."""
        self._parted: bool | None = None
        """Whether there was an index when it was last looked at."""
        self._places: OrderedDict[str, dict[int, tuple[Article, Location, str]]] = OrderedDict()
        """The stories of a file and what it says of each: of one without ties that hangs on the story alone."""

    def files(self, stories: Collection[int]) -> set[str]:
        """Returns the files below public/ that may lose their reason with these stories."""
        parts = {number // _STORIES for number in stories}
        few = self._changed_at.keys() if len(self._changed_at) <= 2 else ()
        return {_file(part) for part in {*parts, *few}}

    def documents(self, stories: Collection[int] | None = None) -> Iterable[Document]:
        """Yields the sitemaps that these stories are in, or were; None: all."""
        if stories is None:
            self._changed_at = {}
        parts = {number // _STORIES for number in (self._public.numbers() if stories is None else stories)}
        held = {part: self._held(part) for part in parts}
        for part, articles in held.items():
            self._changed_at.pop(part, None)
            if articles:
                self._changed_at[part] = max(article.updated_at for article in articles)
        parted = len(self._changed_at) > 1
        if parted != self._parted or not parted:
            held = {part: self._held(part) for part in self._changed_at}
        self._parted = parted
        if not parted:
            yield self._document(NAME, [article for articles in held.values() for article in articles])
            return
        for part, articles in sorted(held.items()):
            if articles:
                yield self._document(_file(part), articles)
        index = [
            Location(url=f"{self._site.url}/{_file(part)}", updated_at=at)
            for part, at in sorted(self._changed_at.items())
        ]
        yield Document(NAME, fingerprint("sitemaps", *map(repr, index)), partial(_index, index))

    def _held(self, part: int) -> list[Article]:
        first = part * _STORIES
        found = (self._public.get(number) for number in range(first, first + _STORIES))
        return [article for article in found if article is not None]

    def _document(self, name: str, articles: Sequence[Article]) -> Document:
        before = self._places.pop(name, {})
        said = {article.number: self._said(article, before.get(article.number)) for article in articles}
        self._places[name] = said
        while len(self._places) > _PARTS:
            self._places.popitem(last=False)
        places = [place for _, place, _ in said.values()]
        mark = fingerprint("sitemap", *(mark for _, _, mark in said.values()))
        return Document(name, mark, partial(_part, places), [article.number for article in articles])

    def _said(self, article: Article, before: tuple[Article, Location, str] | None) -> tuple[Article, Location, str]:
        """Returns a story with its place, and what differs when that is another one."""
        ties = self._public.ties
        if before is not None and before[0] is article and not ties.may_tie(article):
            return before
        versions = self._outline.versions(article, ties)
        place = Location(
            url=absolute_url(self._site, article.path),
            updated_at=article.updated_at,
            alternates=tuple((label.id, label.url or "") for label in versions),
        )
        return article, place, f"{place.url} {place.updated_at} {place.alternates}"


def _file(part: int) -> str:
    return f"sitemap-{part + 1}.xml"


async def _part(places: Sequence[Location]) -> bytes:
    return urlset(places)


async def _index(parts: Sequence[Location]) -> bytes:
    return sitemap_index(parts)
