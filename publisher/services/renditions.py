"""Makes Views: decides what a viewer gets of each story and fetches the bodies of those that are shown in full."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime

from publisher.editorial.access import decide
from publisher.editorial.rendition import needs_body, view
from publisher.model.article import Article, Body
from publisher.model.catalogue import Catalogue
from publisher.model.people import Viewer
from publisher.model.view import Channel, Depth, View
from publisher.ports import Articles

_VIEWS = 512
_BODIES = 256
"""Bodies kept in memory: those that the feeds hold are asked for again and again."""


class Renditions:
    """Stories as their viewers get them."""

    def __init__(self, articles: Articles, catalogue: Catalogue) -> None:
        self._articles = articles
        self._catalogue = catalogue
        self._bodies: OrderedDict[tuple[int, int], Body] = OrderedDict()
        self._views: OrderedDict[tuple[int, Depth, Channel], tuple[Article, View]] = OrderedDict()
        """What was made of stories as they are: a change makes another `Article`."""

    async def views(
        self, articles: Sequence[Article], viewer: Viewer, channel: Channel, now: datetime, limit: int | None = None
    ) -> list[View]:
        """Returns what a viewer gets of these stories on a channel, in their order, at most `limit`."""
        depths: dict[int, Depth] = {}
        for article in articles:
            if limit is not None and len(depths) >= limit:
                break
            depth = decide(article, viewer, channel, now, policy=self._catalogue.policy)
            if depth is not Depth.HIDE:
                depths[article.number] = depth
        return await self.at_depths([a for a in articles if a.number in depths], depths, channel)

    async def at_depths(self, articles: Sequence[Article], depths: Mapping[int, Depth], channel: Channel) -> list[View]:
        """Returns these stories at depths that were decided before, by article number."""
        kept = [self._kept(article, depths[article.number], channel) for article in articles]
        fresh = [article for article, known in zip(articles, kept, strict=True) if known is None]
        needed = [a for a in fresh if needs_body(depths[a.number], channel, self._catalogue.policy)]
        bodies = await self._bodies_of([(a.number, a.version) for a in needed])
        made = (
            known or self._made(article, depths[article.number], channel, bodies)
            for article, known in zip(articles, kept, strict=True)
        )
        return [one for one in made if one is not None]

    async def ahead(self, articles: Sequence[Article], depths: Mapping[int, Depth], channel: Channel) -> None:
        """Fetches together the bodies that single stories are about to be shown with."""
        policy = self._catalogue.policy
        needed = [(a.number, a.version) for a in articles if needs_body(depths[a.number], channel, policy)]
        await self._bodies_of(needed[:_BODIES])

    def _kept(self, article: Article, depth: Depth, channel: Channel) -> View | None:
        key = _key(article, depth, channel)
        story, known = self._views.get(key, (None, None))
        if story is not article:
            return None
        self._views.move_to_end(key)
        return known

    def _made(
        self, article: Article, depth: Depth, channel: Channel, bodies: Mapping[tuple[int, int], Body]
    ) -> View | None:
        body = bodies.get((article.number, article.version))
        made = view(article, depth, catalogue=self._catalogue, body=body, channel=channel)
        if made is not None:
            self._views[_key(article, depth, channel)] = article, made
            if len(self._views) > _VIEWS:
                self._views.popitem(last=False)
        return made

    async def _bodies_of(self, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        missing = [key for key in wanted if key not in self._bodies]
        self._bodies |= await self._articles.bodies(missing) if missing else {}
        found = {key: self._bodies[key] for key in wanted if key in self._bodies}
        for key in wanted:
            self._bodies.move_to_end(key)
        while len(self._bodies) > _BODIES:
            self._bodies.popitem(last=False)
        return found


def _key(article: Article, depth: Depth, channel: Channel) -> tuple[int, Depth, Channel]:
    """Returns what tells renditions of a story apart: only a summary differs between channels."""
    return article.number, depth, channel if depth is Depth.SUMMARY else Channel.PAGE
