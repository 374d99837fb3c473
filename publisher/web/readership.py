"""How many read a feed: what aggregators say of their subscribers, and how many other programs there are.

Nothing here names anybody: an address goes into a keyed hash of which ten bits and the place of one more are kept,
the key is thrown away every day, and all of it is gone with the process.
"""

import hashlib
import math
import re
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeVar

from starlette.types import Scope

_DAY_SECONDS = 86400.0
_FEEDS = 200
"""That are counted, those asked for latest: tags may have any number."""
_CLAIMS = 1000
_CLAIM = re.compile(rb"(?<![\w.])([0-9]{1,8}) (?:subscriber|reader)s?\b", re.IGNORECASE)
_AGGREGATORS = {
    name.lower().encode(): name
    for name in (
        "BazQux", "Bloglovin", "CommaFeed", "Feedbin", "FeedHQ", "Feedly", "Feedspot", "Inoreader", "NewsBlur",
        "NewsGator", "The Old Reader",
    )
}  # fmt: skip
_OTHER = "other"
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Sketch:
    """About how many different things were seen (HyperLogLog, Flajolet et al. 2007): a kilobyte, whatever comes."""

    _REGISTERS = 1024

    def __init__(self) -> None:
        self._highest = bytearray(self._REGISTERS)

    def add(self, hashed: int) -> None:
        """Notes something by its hash of 64 bits."""
        place, rest = hashed % self._REGISTERS, hashed >> 10
        rank = 55 - rest.bit_length()  # of 54 bits: zeros before the first one, and that
        if rank > self._highest[place]:
            self._highest[place] = rank

    def count(self) -> int:
        """Returns how many there were, give or take three in a hundred."""
        count = self._REGISTERS
        estimate = 0.7213 / (1 + 1.079 / count) * count**2 / sum(2.0**-rank for rank in self._highest)
        empty = self._highest.count(0)
        if estimate <= 2.5 * count and empty:
            estimate = count * math.log(count / empty)
        return round(estimate)


class Readership:
    """Who fetches feeds, as numbers."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._began = seconds()
        self._key = secrets.token_bytes(16)
        self._today: OrderedDict[str, Sketch] = OrderedDict()
        self._yesterday: dict[str, int] = {}
        self._claims: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self.answers: Counter[int] = Counter()
        """Requests for feeds by the status of the answer, since the start."""

    def note(self, scope: Scope, path: str, status: int) -> None:
        """Notes a request for a feed and its answer."""
        self.answers[status] += 1
        if scope["method"] != "GET" or status not in (200, 304):
            return
        self._turn()
        agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")[:300]
        claim = _CLAIM.search(agent)
        if claim is not None:
            key = (path, _aggregator(agent))
            self._claims[key] = (int(claim[1]), self._seconds())
            _keep(self._claims, key, _CLAIMS)
            return
        peer = scope["client"][0] if scope.get("client") else ""
        sketch = self._today.get(path)
        if sketch is None:
            sketch = self._today[path] = Sketch()
        _keep(self._today, path, _FEEDS)
        hashed = hashlib.blake2b(peer.encode() + b"\0" + agent, key=self._key, digest_size=8).digest()
        sketch.add(int.from_bytes(hashed, "big"))

    def programs(self) -> Iterator[tuple[str, int]]:
        """Yields each feed with how many programs fetched it in a day: the last whole one, or so far in this."""
        self._turn()
        today = {path: sketch.count() for path, sketch in self._today.items()}
        for path in sorted(today.keys() | self._yesterday.keys()):
            yield path, max(today.get(path, 0), self._yesterday.get(path, 0))

    def subscribers(self) -> Iterator[tuple[str, str, int]]:
        """Yields feed, aggregator and how many subscribers it says it fetches for; what it said in the last week."""
        since = self._seconds() - 7 * _DAY_SECONDS
        for (path, name), (number, at) in sorted(self._claims.items()):
            if at >= since:
                yield path, name, number

    def _turn(self) -> None:
        """Begins a new day, under another key."""
        days = int((self._seconds() - self._began) // _DAY_SECONDS)
        if days:
            self._yesterday = {path: sketch.count() for path, sketch in self._today.items()} if days == 1 else {}
            self._today.clear()
            self._began += days * _DAY_SECONDS
            self._key = secrets.token_bytes(16)


def _aggregator(agent: bytes) -> str:
    low = agent.lower()
    return next((name for known, name in _AGGREGATORS.items() if low.startswith(known)), _OTHER)


def _keep(kept: "OrderedDict[_Key, _Value]", key: _Key, most: int) -> None:
    """Marks a key as used and lets go of what was not for longest."""
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
