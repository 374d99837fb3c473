"""The memory of what was told: the few stories that were recalled or corrected, with all their versions.

It is read from the store once and then follows each change, so that no pass
and no request ever looks at the history of all stories.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from datetime import datetime

from publisher.editorial.lifecycle import ChangeKind
from publisher.editorial.recall import REMEMBERED, TOLD, Telling, moments, released_at, tell
from publisher.editorial.rendition import advice, view
from publisher.editorial.shelves import Shelf, shelves_of
from publisher.model.article import Article, Status
from publisher.model.catalogue import Catalogue
from publisher.model.feed import Departure
from publisher.model.people import PUBLIC, Viewer
from publisher.model.view import Depth, View
from publisher.ports import Histories

FOLLOWED = frozenset(
    {
        ChangeKind.CORRECTED,
        ChangeKind.HELD,
        ChangeKind.RELEASED,
        ChangeKind.UNPUBLISHED,
        ChangeKind.WITHDRAWN,
        ChangeKind.KILLED,
    }
)
"""Changes after which more is told of a story than what it says."""


class Advices:
    """What is told beside the stories that are out, for any viewer; the public's part by shelf."""

    def __init__(self, histories: Histories, catalogue: Catalogue) -> None:
        self._store = histories
        self._catalogue = catalogue
        self._loaded = False
        self._versions: dict[int, list[Article]] = {}
        self._moments: dict[int, list[datetime]] = {}
        self._public: dict[int, Telling] = {}
        self._shelves: dict[Shelf, set[int]] = {}

    async def follow(self, changed: Iterable[int], now: datetime) -> set[int]:
        """Reads the history of stories that were `changed`; the first time of all that have one to tell.

        Returns the numbers of those that were read.
        """
        numbers = set(changed)
        if not self._loaded:
            numbers |= set(await self._store.recalled(now - REMEMBERED - TOLD))
            self._loaded = True
        for number, versions in (await self._store.versions(numbers) if numbers else {}).items():
            self._versions[number] = versions
            self._moments[number] = moments(versions)
        return numbers

    def numbers(self) -> list[int]:
        """Returns the stories that have a history to tell."""
        return list(self._versions)

    def __contains__(self, number: object) -> bool:
        return number in self._versions

    # Time -------------------------------------------------------------------------------------------------------------

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns when time alone will change what is told."""
        return min((at for found in self._moments.values() for at in found if at > now), default=None)

    def aged(self, since: datetime, now: datetime) -> set[int]:
        """Returns the stories of which time alone changed what is told, in (since, now]."""
        return {number for number, found in self._moments.items() if any(since < at <= now for at in found)}

    # The public -------------------------------------------------------------------------------------------------------

    def retell(self, numbers: Iterable[int], now: datetime) -> set[Shelf]:
        """Works out anew what the public is told of these stories; returns the shelves where that shows."""
        touched: set[Shelf] = set()
        for number in {number for number in numbers if number in self._versions or number in self._public}:
            before = self._public.pop(number, None)
            after = tell(self._versions[number], PUBLIC, now, self._catalogue.policy)
            if after is not None:
                self._public[number] = after
            if before is None or after is None or before.mark != after.mark:
                touched |= self.places(before) | self.places(after)
            for shelf in self.places(before) - self.places(after):
                self._shelves[shelf].discard(number)
            for shelf in self.places(after):
                self._shelves.setdefault(shelf, set()).add(number)
            self._forget(number, now)
        return touched

    def of(self, numbers: Set[int]) -> list[Telling]:
        """Returns what the public is told of these stories, in a steady order."""
        return [self._public[number] for number in sorted(self._public.keys() & numbers)]

    def places(self, telling: Telling | None) -> set[Shelf]:
        """Returns the shelves on which something is told."""
        if telling is None:
            return set()
        return {shelf for version in telling.seen for shelf in shelves_of(version, self._catalogue)}

    def _forget(self, number: int, now: datetime) -> None:
        """Leaves a history whose time is over; a story on hold stays until something becomes of it."""
        over = all(at <= now for at in self._moments[number])
        if over and self._versions[number][-1].status is not Status.HELD and number not in self._public:
            del self._versions[number], self._moments[number]

    def on(self, shelf: Shelf) -> list[Telling]:
        """Returns what the public is told on a shelf, in a steady order."""
        return [self._public[number] for number in sorted(self._shelves.get(shelf, ()))]

    def names(self) -> list[Shelf]:
        """Returns the shelves whose feeds have entries because of it."""
        return [shelf for shelf in self._shelves if any(telling.in_feeds for telling in self.on(shelf))]

    def held(self, number: int) -> Article | None:
        """Returns a story that is on hold, as the public, which knew it, is told of it."""
        telling = self._public.get(number)
        if telling is None or telling.recalled is None or telling.recalled[1] is not Depth.HOLD:
            return None
        return telling.recalled[0]

    # Anybody ----------------------------------------------------------------------------------------------------------

    def told(self, viewer: Viewer, now: datetime, belongs: Callable[[Article], bool]) -> list[Telling]:
        """Returns what a viewer is told in a feed, of the stories of which a version `belongs` into it."""
        found = []
        for _, versions in sorted(self._versions.items()):
            if not any(belongs(version) for version in versions):
                continue
            telling = tell(versions, viewer, now, self._catalogue.policy)
            if telling is not None and any(belongs(version) for version in telling.seen):
                found.append(telling)
        return found

    def entries(self, tellings: Sequence[Telling], *, told: bool) -> list[View]:
        """Returns the entries that feeds have because of it; `told`: for who hears what desks say to desks."""
        catalogue = self._catalogue
        made: list[View | None] = []
        for telling in tellings:
            if telling.listed and telling.recalled is not None:
                made.append(view(*telling.recalled, catalogue=catalogue))
            made += [advice(one, depth, catalogue, told=told) for one, depth in telling.advisories]
        return [one for one in made if one is not None]

    def joined(
        self, views: Sequence[View], tellings: Sequence[Telling], *, told: bool
    ) -> tuple[list[View], tuple[Departure, ...]]:
        """Returns all entries of a feed, newest first, and what it carries no more; never one id in both."""
        entries = [*map(self._revived, views), *self.entries(tellings, told=told)]
        entries.sort(key=lambda entry: (entry.published_at, entry.number, entry.id), reverse=True)
        departed = [telling.departure for telling in tellings if telling.departure is not None]
        return entries, tuple(sorted(departed, key=lambda one: (one.at, one.id), reverse=True))

    def _revived(self, shown: View) -> View:
        """Returns the entry of a story that came back as newer than the word that it had gone (RFC 6721 §4)."""
        at = self._released_at(shown.number)
        return shown if at is None or at <= shown.updated_at else replace(shown, updated_at=at)

    def _released_at(self, number: int) -> datetime | None:
        """Returns when a story that is out again came back; None for one that never left."""
        versions = self._versions.get(number)
        return released_at(versions) if versions else None
