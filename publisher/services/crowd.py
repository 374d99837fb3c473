"""An occasion's readers, range by range: who is alike, what they have, and what that brings them.

Planning and looking ahead go the same way through them; only the one writes.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from publisher.model.catalogue import Audience
from publisher.model.reader import Alike, Coverage
from publisher.newsletters.schedule import parse
from publisher.ports import History, ReaderGroups, ReaderStore
from publisher.services.draft import Drafting, Occasion, Round
from publisher.services.offers import Pool

RANGE = 20_000
"""Readers who are looked at together (decisions 7)."""


@dataclass(frozen=True, slots=True)
class Range:
    """Readers whose numbers follow each other, and what they have, or are about to get."""

    first: int
    last: int
    readers: Sequence[Alike]
    coverage: Coverage


@dataclass(slots=True)
class Crowd:
    """An occasion's readers and the drafting for them."""

    audience: ReaderGroups
    history: History
    drafts: Round
    planning: bool
    """Whether rows are to be written, so that who overtakes must be noticed; who only looks waits for no planner."""
    frozen: dict[str, int] = field(default_factory=dict)
    """The issue's variants by what they bring."""

    async def ranges(self, size: int) -> AsyncGenerator[Range, None]:
        """Yields all readers, `size` at a time; the next are looked at while something is done with these."""
        ahead = asyncio.create_task(self._after(0, size))
        try:
            while (some := await ahead) is not None:
                ahead = asyncio.create_task(self._after(some.last, size))
                yield some
        finally:
            ahead.cancel()
            await asyncio.wait([ahead])

    async def _after(self, last: int, size: int) -> Range | None:
        end = await self.audience.reach(last, size)
        return None if end is None else await self.look(last + 1, end)

    async def look(self, first: int, last: int) -> Range:
        """Returns the readers with numbers from `first` to `last` and what they have at this moment."""
        readers = await self.audience.alike(first, last)
        return Range(first, last, readers, await self.history.among(first, last, planning=self.planning))


class Crowds:
    """Finds the readers of occasions."""

    def __init__(self, drafting: Drafting, readers: ReaderStore, *, sandbox: bool) -> None:
        self._drafting = drafting
        self._readers = readers
        self._sandbox = sandbox

    async def of(self, occasion: Occasion, pool: Pool, *, planning: bool) -> Crowd:
        """Returns all that is asked about an occasion's readers; `planning`: rows will be written for them."""
        newsletter = occasion.newsletter
        own, zone = parse(newsletter.schedule).text, newsletter.timezone
        drafts = self._drafting.round(occasion, pool.offers, pool.planned)
        clocks = [occasion.clock] if occasion.clock else await self._readers.clocks(newsletter.id, own, zone)
        audience = self._readers.audience(
            newsletter.id,
            own,
            zone,
            clock=occasion.clock,
            licensed_at=None if newsletter.audience is Audience.PUBLIC else occasion.decided_at,
            turns=drafts.turns(clocks),
            moments=drafts.moments,
            segments=newsletter.segments,
        )
        history = self._readers.history((offer.article.number for offer in pool.offers), sandbox=self._sandbox)
        return Crowd(audience, history, drafts, planning)
