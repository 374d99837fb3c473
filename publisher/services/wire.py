"""The wire: every version of every story that a licence opens, in the order in which they came out.

A client that follows `next` sees each version once and misses none: the
cursor is the place of the last item, and nothing ever comes out at a place
before one that was shown. It also says for which licences it was made: when
those change, what was not open before has no place yet, and the client is
led through everything again.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from publisher.editorial.access import decide, settled
from publisher.editorial.recall import as_had
from publisher.editorial.wire import as_taken_back, came_out_at, lapse_item, were_out, wire_item
from publisher.errors import UsageError
from publisher.feeds.ninjs import render
from publisher.model.article import Article, Status
from publisher.model.catalogue import Product
from publisher.model.people import Viewer
from publisher.model.view import Channel, Depth, View
from publisher.model.wire import WireItem, WirePage
from publisher.ports import Versions
from publisher.services.publish import Publishing

PAGE = 100
"""Items in one answer."""
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,15})-([0-9a-f]{12})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 500
"""Stories decided in one go."""


class Place(NamedTuple):
    """Where an item stands in the order of the wire: microseconds since 1970 UTC, then the article's number."""

    micros: int
    number: int


_BEGINNING = Place(0, 0)
_LAST = 10**15
"""Higher than any article's number."""


class Cursor(NamedTuple):
    """How far a client has read, and with which licences."""

    place: Place
    rights: str

    def __str__(self) -> str:
        """Returns it as an address has it."""
        return f"{self.place.micros}-{self.place.number}-{self.rights}"


class Wire:
    """Pages of ninjs items."""

    def __init__(self, publishing: Publishing, versions: Versions) -> None:
        self._publishing = publishing
        self._versions = versions

    async def page(
        self, viewer: Viewer, rights: Sequence[object], lapse: View | None, cursor: str, url: str, now: datetime
    ) -> bytes:
        """Returns what came out after `cursor` ("" for the beginning); `url` is the wire's own address.

        `rights` are the viewer's that are in force: none is the public, whom `lapse` tells why, if there is a why.
        """
        covered = sorted({_covered(grant.product) for grant in viewer.grants if grant.product is not None})
        mark = hashlib.sha256(repr((rights, covered) if rights else rights).encode()).hexdigest()[:12]
        after = self._after(cursor, mark, fresh=bool(rights))
        # Nothing of after the last pass: what it found is still to come, and would come too late.
        end = _place(self._publishing.as_of, _LAST) if self._publishing.as_of else _BEGINNING
        found = await self._items(viewer, after, end, now, told=bool(rights))
        if lapse is not None and after < (place := _place(lapse.updated_at, lapse.number)) <= end:
            found = sorted([*found, (place, lapse_item(lapse, self._publishing.catalogue))], key=_in_order)[:PAGE]
        reached = Cursor(found[-1][0] if found else after, mark)
        return render(WirePage(items=tuple(item for _, item in found), next_url=f"{url}?cursor={reached}"))

    def _after(self, cursor: str, mark: str, *, fresh: bool) -> Place:
        """Returns where to go on; new rights begin anew, but who lost theirs keeps the text they paid for."""
        if not cursor:
            return _BEGINNING
        parts = _CURSOR.fullmatch(cursor)
        if parts is None:
            raise UsageError("this cursor is none of ours; take the address that `next` gave, or begin without one")
        return _BEGINNING if fresh and parts[3] != mark else Place(int(parts[1]), int(parts[2]))

    async def _items(
        self, viewer: Viewer, after: Place, end: Place, now: datetime, *, told: bool
    ) -> list[tuple[Place, WireItem]]:
        """Returns the first page of items after one place and not after another, each with its own."""
        catalogue = self._publishing.catalogue
        policy = catalogue.policy
        placed = ((_place(came_out_at(a, viewer, now, policy), a.number), a) for a in self._publishing.known)
        due = sorted((one for one in placed if after < one[0] <= end), key=_in_order)
        depths: dict[int, Depth] = {}
        shown: list[tuple[Place, Article]] = []
        for start in range(0, len(due), _AT_ONCE):
            some = [(place, as_taken_back(settled(a, catalogue))) for place, a in due[start : start + _AT_ONCE]]
            told_of = await self._decided([article for _, article in some], viewer, now)
            depths |= {number: depth for number, (_, depth) in told_of.items()}
            shown += [(place, told_of[a.number][0]) for place, a in some if depths[a.number] is not Depth.HIDE]
            if len(shown) >= PAGE:
                break
        shown = shown[:PAGE]
        views = await self._publishing.renditions.at_depths([article for _, article in shown], depths, Channel.NINJS)
        return [
            (place, wire_item(article, view, catalogue, told=told))
            for (place, article), view in zip(shown, views, strict=True)
        ]

    async def _decided(
        self, stories: Sequence[Article], viewer: Viewer, now: datetime
    ) -> dict[int, tuple[Article, Depth]]:
        """Decides; of a story that is out no more only those hear who could have had it, in the words they had."""
        back = [article.number for article in stories if article.status is not Status.PUBLISHED]
        before = await self._versions.versions(back) if back else {}
        policy = self._publishing.catalogue.policy
        decided = {}
        for article in stories:
            had = were_out(before.get(article.number, ()), viewer, now, policy)
            depth = decide(article, viewer, Channel.NINJS, now, earlier=had, policy=policy)
            decided[article.number] = (as_had(article, had[-1]) if had else article), depth
        return decided


def _covered(product: Product) -> str:
    """Returns what a product is of: when that changes, a licence for it opens other stories."""
    return repr((product.id, product.match, product.exclude, sorted(product.channels)))


def _in_order(placed: tuple[Place, object]) -> Place:
    return placed[0]


def _place(moment: datetime, number: int) -> Place:
    return Place((moment - _EPOCH) // timedelta(microseconds=1), number)
