"""Bytes with their validators and codings: ETag, Last-Modified, 304, gzip and brotli (RFC 9110 §8.8, §12.5.3, §13).

What an answer says is made once per representation and coding; a request costs a look at three of its headers.
"""

import gzip
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

import brotli
from starlette.types import Scope, Send

Field = tuple[bytes, bytes]

_COMPRESSIBLE = (
    "text/",
    "application/rss",
    "application/atom",
    "application/feed",
    "application/json",
    "application/xml",
    "image/svg",
)
_SMALL = 256
"""Bytes under which compressing is not worth it."""
_BROTLI_QUALITY = 5
"""Beyond it every step costs more time than it saves bytes of a feed."""
_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda data: brotli.compress(data, quality=_BROTLI_QUALITY),
    "gzip": lambda data: gzip.compress(data, compresslevel=6, mtime=0),
}
"""By name, the better first."""
_SAID_AGAIN = (b"cache-control", b"access-control-allow-origin")
"""What 304 repeats beside the validators: the rest stands in the client's copy (RFC 9110 §15.4.5)."""
_SUFFIXES = {"br": "-br", "gzip": "-gz", "": ""}


class Representation:
    """One file's bytes in every coding, each ready to be answered with."""

    def __init__(
        self,
        data: bytes,
        kind: str,
        modified: datetime | None,
        fields: Sequence[Field] = (),
        signature: tuple[int, int, int] = (0, 0, 0),
        vary: bytes = b"Accept-Encoding",
    ) -> None:
        """`fields` are the other headers; `signature` is what tells the file from a later one.

        `vary`: the request headers that choose among what stands at the address (RFC 9110 §12.5.5).
        """
        self.signature = signature
        self.media_type = kind
        self.modified = modified
        self.data = data
        self._fields = tuple(fields)
        self._vary = vary
        self._tag = hashlib.sha256(data).hexdigest()[:32]
        self._compressible = len(data) >= _SMALL and kind.startswith(_COMPRESSIBLE)
        self._etags = frozenset(f'"{self._tag}{suffix}"'.encode() for suffix in _SUFFIXES.values())
        self._ready: dict[str, tuple[list[Field], list[Field], bytes]] = {}

    def ready(self, accepted: bytes) -> tuple[list[Field], list[Field], bytes]:
        """Returns the headers of 200 and of 304, and the body, in the best coding that `Accept-Encoding` allows."""
        coding = best_coding(accepted) if self._compressible else ""
        if coding not in self._ready:
            self._ready[coding] = self._made(coding)
        return self._ready[coding]

    def _made(self, coding: str) -> tuple[list[Field], list[Field], bytes]:
        body = _CODINGS[coding](self.data) if coding else self.data
        validators = [(b"etag", f'"{self._tag}{_SUFFIXES[coding]}"'.encode()), (b"vary", self._vary)]
        again = [*validators, *(field for field in self._fields if field[0] in _SAID_AGAIN)]
        whole = [*validators, (b"x-content-type-options", b"nosniff"), *self._fields]
        if self.modified is not None:
            whole.append((b"last-modified", format_datetime(self.modified, usegmt=True).encode()))
        whole += [(b"content-type", self.media_type.encode()), (b"content-length", str(len(body)).encode())]
        if coding:
            whole.append((b"content-encoding", coding.encode()))
        return whole, again, body

    def is_current(self, expected: bytes | None, since: bytes | None) -> bool:
        """Returns whether the client's copy is: If-None-Match first, weakly compared (RFC 9110 §13.2.2)."""
        if expected is not None:
            if expected in self._etags:
                return True
            tags = {tag.strip().removeprefix(b"W/") for tag in expected.split(b",")}
            return b"*" in tags or not tags.isdisjoint(self._etags)
        if since is None or self.modified is None:
            return False
        try:
            moment = parsedate_to_datetime(since.decode("latin-1"))
        except (TypeError, ValueError):
            return False
        return self.modified <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@lru_cache(maxsize=256)
def best_coding(header: bytes) -> str:
    """Returns the best coding of ours that `Accept-Encoding` allows, "" for none; `q=0` refuses (RFC 9110 §12.5.3)."""
    wanted: dict[str, float] = {}
    for part in header.decode("latin-1").split(","):
        coding, _, parameters = part.partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            quality = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            quality = 0.0
        wanted[coding.strip().lower().removeprefix("x-")] = quality
    rest = wanted.get("*", 0.0)
    qualities = {coding: wanted.get(coding, rest) for coding in _CODINGS}
    best = max(qualities, key=qualities.__getitem__)
    plain = wanted.get("identity", 0.0)
    return best if qualities[best] > 0 and qualities[best] >= plain else ""


async def answer(representation: Representation, scope: Scope, send: Send) -> int:
    """Answers GET or HEAD with 200 or 304; returns which."""
    accepted, expected, since = b"", None, None
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            accepted = accepted + b"," + value if accepted else value
        elif name == b"if-none-match":
            expected = value if expected is None else expected + b"," + value
        elif name == b"if-modified-since":
            since = value
    whole, common, body = representation.ready(accepted)
    if (expected is not None or since is not None) and representation.is_current(expected, since):
        await respond(send, 304, common, b"")
        return 304
    await respond(send, 200, whole, b"" if scope["method"] == "HEAD" else body)
    return 200


async def respond(send: Send, status: int, fields: list[Field], body: bytes) -> None:
    """Sends one whole response."""
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
