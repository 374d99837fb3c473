"""What the last whole pass left, kept so that the next one can say at a glance that nothing has changed since.

It is held together by hashes of all that a pass depends on: while they are
the same, and no date has come, no story needs to be read from the store.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from publisher.model.article import Problem
from publisher.model.files import Scan
from publisher.ports import Facts

_FACT = "standing"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A whole pass that was brought to its end, and what it went by."""

    sure: bool = True
    """False while another pass is under way: one that was killed may have changed anything."""
    tree: str
    """A hash of every file's path, size, times and inode."""
    causes: dict[str, str]
    """Hashes of what every output depends on, by name."""
    edition: str = ""
    """Of the stories in the store: of several nodes each saves them."""
    takes_in: bool = True
    """Whether this node took the folder in, and did not follow another one."""
    at: datetime
    until: datetime | None
    """When time alone changes something."""
    moved: dict[str, str]
    gone: tuple[str, ...]
    problems: tuple[Problem, ...]
    stories: int
    """How many there were."""

    def holds(self, now: datetime, causes: Mapping[str, str]) -> bool:
        """Returns whether all but the stories' files is as it was."""
        return self.sure and self.at <= now and (self.until is None or now < self.until) and self.causes == causes


class Standings:
    """Remembers one `Standing`."""

    def __init__(self, facts: Facts, home: str) -> None:
        """`home`: which of several nodes' folders it is about; empty where there is just one."""
        self._facts = facts
        self._fact = f"{_FACT} {home}".strip()

    async def recall(self) -> Standing | None:
        """Returns what the last pass left; None when there was none, or another version of us wrote it."""
        told = await self._facts.get(self._fact)
        try:
            return msgspec.json.decode(told, type=Standing) if told else None
        except msgspec.DecodeError:
            return None

    async def doubt(self, standing: Standing) -> Standing:
        """Remembers that nobody knows what stands, as a pass has begun that may change all of it; returns that."""
        doubted = msgspec.structs.replace(standing, sure=False)
        await self.note(doubted)
        return doubted

    async def note(self, standing: Standing) -> None:
        """Remembers what a pass left."""
        await self._facts.put(self._fact, msgspec.json.encode(standing).decode())


def tree(scan: Scan) -> str:
    """Returns a hash of a look at the folder."""
    return hashlib.blake2b(msgspec.json.encode(scan, order="deterministic"), digest_size=16).hexdigest()
