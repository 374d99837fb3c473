"""The stories that may go out on an occasion, with what happened to them since they were first out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.editorial.access import settled
from publisher.editorial.notices import correcting
from publisher.editorial.timing import embargoed
from publisher.model.article import Article, Status
from publisher.model.catalogue import Catalogue
from publisher.newsletters.selection import Offer, story_id
from publisher.ports import Articles, IssueStore, Versions

SETTLE = timedelta(seconds=2)
"""How long a story's text must stand still before it is mailed (decisions 5)."""
FLASH = 1
"""Urgency up to which an update goes out at once too (editorial §2)."""
_CORRECTING = ("corrected", "released")
"""Changes that may say what was wrong."""
_Changes = Mapping[int, tuple[int, datetime]]


@dataclass(frozen=True, slots=True)
class Pool:
    """The stories that may go out on an occasion, oldest first."""

    offers: tuple[Offer, ...]
    unsettled: int = 0
    """Stories that changed a moment ago and wait until they stand still."""
    planned: tuple[Article, ...] = ()
    """Stories to come, of which subscribers may know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """What happened to stories lately: by story, the latest version of a kind and when it came."""

    updated: _Changes
    corrected: _Changes
    withdrawn: _Changes


class Offering:
    """Finds stories; reads, writes nothing."""

    def __init__(self, catalogue: Catalogue, articles: Articles, versions: Versions, issues: IssueStore) -> None:
        self._catalogue = catalogue
        self._articles = articles
        self._versions = versions
        self._issues = issues

    async def story(self, number: int, after: datetime, now: datetime) -> Pool:
        """Returns the one story that an instant newsletter is about, once it stands still, and its translations."""
        found = await self._articles.by_numbers([number])
        named = set(map(story_id, found.values()))
        beside = [one for one in await self._articles.first_published(after, now) if story_id(one) in named]
        stories = (found | {one.number: one for one in beside}).values()
        flash = any(story.urgency <= FLASH for story in stories)
        updated = await self._issues.changes("updated", after, now) if flash else {}
        return self._pool(stories, _History(updated=updated, corrected={}, withdrawn={}), now)

    async def between(
        self, after: datetime, until: datetime, now: datetime, *, early: datetime | None, impatient: bool
    ) -> Pool:
        """Returns what came in (after, until]; `impatient`: also what may still be being written.

        `early`: for subscribers, who may get stories under embargo at that moment, and may know what is planned.
        """
        history = _History(
            updated=await self._issues.changes("updated", after, until),
            corrected=await self._corrected(after, until),
            withdrawn=await self._issues.changes("withdrawn", after, until),
        )
        articles = {story.number: story for story in await self._articles.first_published(after, until)}
        older = {*history.updated, *history.corrected, *history.withdrawn} - articles.keys()
        articles = {**await self._articles.by_numbers(older), **articles}
        ahead = [settled(story, self._catalogue) for story in await self._articles.ahead()] if early else []
        if early:
            under = (s for s in ahead if s.status is Status.PUBLISHED and embargoed(s, early) and s.revised_at <= until)
            articles |= {story.number: story for story in under}
        pool = self._pool(articles.values(), history, now, impatient=impatient, early=early)
        planned = tuple(story for story in ahead if story.status is Status.PLANNED)
        return Pool(pool.offers, pool.unsettled, planned)

    async def _corrected(self, after: datetime, until: datetime) -> _Changes:
        """Returns the versions that came in (after, until] and correct an earlier one, those that ended a hold too."""
        numbers = {number for kind in _CORRECTING for number in await self._issues.changes(kind, after, until)}
        found = {}
        for number, versions in (await self._versions.versions(numbers)).items():
            latest = correcting([version for version in versions if version.revised_at <= until])
            if latest is not None and latest.revised_at > after:
                found[number] = latest.version, latest.revised_at
        return found

    def _pool(
        self,
        articles: Iterable[Article],
        history: _History,
        now: datetime,
        *,
        impatient: bool = False,
        early: datetime | None = None,
    ) -> Pool:
        out = [article for article in articles if _may_be_known(article, early)]
        ready = [article for article in out if impatient or article.revised_at + SETTLE <= now]
        return Pool(tuple(self._offer(article, history) for article in ready), len(out) - len(ready))

    def _offer(self, article: Article, history: _History) -> Offer:
        update, update_at = history.updated.get(article.number, (0, None))
        correction, correction_at = history.corrected.get(article.number, (0, None))
        return Offer(
            article=settled(article, self._catalogue),
            published_at=article.first_published_at or article.revised_at,
            update=update,
            update_at=update_at,
            correction=correction,
            correction_at=correction_at,
        )


def _may_be_known(article: Article, early: datetime | None) -> bool:
    """Returns whether somebody may have the story: it was out, or is or was under embargo."""
    if article.first_published_at is not None:
        return True
    return early is not None and article.embargo is not None and article.status in (Status.PUBLISHED, Status.WITHDRAWN)
