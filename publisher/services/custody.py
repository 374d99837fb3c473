"""Which of several nodes takes the articles folder in (decision 30).

The store remembers one folder, by a mark in it, as the publication's. A node with another folder, an empty one or
none takes nothing in and withdraws nothing: it follows the store. Nodes that share the folder take it in by turns,
and a node that has its turn passes it on by doing nothing.
"""

import secrets
from datetime import datetime, timedelta

import structlog

from publisher.errors import SourceError
from publisher.ports import Facts, FolderMark, Source, Turns

FOLDER = "articles_folder"
"""The fact that says which folder is the publication's."""
_PLACES = "articles_places"
"""The fact that says where that folder has been seen: there a mark that somebody tidied away is written again."""
ARTICLES = "articles"
"""The turn of who takes them in."""
_LASTING = timedelta(seconds=30)
_log = structlog.get_logger(__name__)


class Custody:
    """One node's part in it."""

    def __init__(self, facts: Facts, turns: Turns, mark: FolderMark, source: Source, home: str) -> None:
        """`home` tells this node from others: commands beside its service have their turn together with it."""
        self._facts = facts
        self._turns = turns
        self._mark = mark
        self._source = source
        self._home = home
        self._told: bool | None = None
        self._begun = False
        self._placed = False

    async def ours(self, now: datetime) -> bool:
        """Returns whether this node takes the folder in at present."""
        ours = await self._is_the_folder() and await self._turns.hold(ARTICLES, self._home, now, _LASTING)
        if ours is not self._told:
            _log.info("articles.taken_in_here" if ours else "articles.taken_in_elsewhere")
            self._told = ours
        return ours

    async def adopt(self) -> None:
        """Makes this node's folder the publication's from now on, by its operator's word; takes effect at its turn."""
        mark = self._mark.read() or _fresh()
        await self._facts.put(FOLDER, mark)
        self._mark.write(mark)

    async def _is_the_folder(self) -> bool:
        mine = self._mark.read()
        known = await self._facts.get(FOLDER)
        if known is None:
            self._source.scan()  # a folder that is not there is said to be missing, not remembered
            known = await self._facts.settle(FOLDER, wanted := mine or _fresh())
            mine = self._mark.write(known) if known == wanted else mine
        if mine is None and self._mark.place in await self._places():
            mine = self._mark.write(known)
        if mine != known and not await self._is_the_first(known, mine or _fresh()):
            return False
        await self._note_place()
        return True

    async def _is_the_first(self, known: str, mine: str) -> bool:
        """Whether nothing was ever taken in from the folder that was named, and there is something in this one."""
        if self._begun or not self._is_filled():
            return False
        self._begun = not await self._turns.supersede(FOLDER, known, mine)
        if not self._begun:
            self._mark.write(mine)
        return not self._begun

    def _is_filled(self) -> bool:
        try:
            return bool(self._source.scan().articles)
        except SourceError:
            return False

    async def _places(self) -> list[str]:
        return (await self._facts.get(_PLACES) or "").split()

    async def _note_place(self) -> None:
        if not self._placed:
            places = await self._places()
            if self._mark.place not in places:
                await self._facts.put(_PLACES, " ".join([*places, self._mark.place]))
            self._placed = True


def _fresh() -> str:
    return secrets.token_hex(8)
