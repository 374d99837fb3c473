"""Who fetches the same unchanged feed again and again without saying what they have (RFC 6585 §4)."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from starlette.types import Scope

_WINDOW_SECONDS = 3600.0
_REMEMBERED = 10_000
_LONGEST_AGENT = 200


@dataclass(slots=True)
class _Count:
    """What somebody fetched whole of one feed."""

    version: object
    since: float
    times: int = 0


class Pollers:
    """Counts whole answers by peer, program and feed; a conditional request is always answered."""

    def __init__(self, most: int, seconds: Callable[[], float] = time.monotonic) -> None:
        """`most`: whole answers of one unchanged version within an hour; 0: as many as anybody likes."""
        self._most = most
        self._seconds = seconds
        self._counts: OrderedDict[tuple[str, bytes, str], _Count] = OrderedDict()

    def wait(self, scope: Scope, path: str, version: object) -> int:
        """Returns for how many seconds this request comes too early; 0: it may be answered."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._most or not peer or _is_here(peer):
            return 0  # this machine: somebody at work, or a proxy that does not say whom it speaks for
        agent = b""
        for name, value in scope["headers"]:
            if name in (b"if-none-match", b"if-modified-since"):
                return 0
            if name == b"user-agent":
                agent = value[:_LONGEST_AGENT]
        return self._counted((peer, agent, path), version)

    def _counted(self, who: tuple[str, bytes, str], version: object) -> int:
        now = self._seconds()
        count = self._counts.get(who)
        if count is None or count.version != version or now - count.since >= _WINDOW_SECONDS:
            count = self._counts[who] = _Count(version, now)
        self._counts.move_to_end(who)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        count.times += 1
        return 0 if count.times <= self._most else max(1, round(count.since + _WINDOW_SECONDS - now))


@lru_cache(maxsize=1024)
def _is_here(peer: str) -> bool:
    try:
        return ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return True
