"""Bytes with their validators: ETag, Last-Modified, 304 and gzip (RFC 9110 §8.8, §13)."""

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers
from starlette.types import Scope, Send

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


@dataclass(frozen=True, slots=True)
class Representation:
    """One file's bytes, plain and compressed, with their validators."""

    signature: tuple[int, int, int]
    media_type: str
    plain: bytes
    compressed: bytes | None
    tag: str
    modified: datetime | None

    def etag(self, *, compressed: bool) -> str:
        """Returns the strong validator of one coding (RFC 9110 §8.8.3.3)."""
        return f'"{self.tag}-gz"' if compressed else f'"{self.tag}"'


def represent(
    data: bytes, kind: str, modified: datetime | None, signature: tuple[int, int, int] = (0, 0, 0)
) -> Representation:
    """Returns bytes ready to be served."""
    compressible = len(data) >= _SMALL and kind.startswith(_COMPRESSIBLE)
    compressed = gzip.compress(data, compresslevel=6, mtime=0) if compressible else None
    tag = hashlib.sha256(data).hexdigest()[:32]
    return Representation(signature, kind, data, compressed, tag, modified)


def accepts_gzip(header: str) -> bool:
    """Returns whether `Accept-Encoding` allows gzip; `q=0` refuses (RFC 9110 §12.5.3)."""
    wanted: dict[str, float] = {}
    for part in header.split(","):
        coding, _, parameters = part.partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            wanted[coding.strip().lower()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            wanted[coding.strip().lower()] = 0.0
    return wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", 0.0))) > 0


def not_modified(headers: Headers, representation: Representation) -> bool:
    """Returns whether the client's copy is current: If-None-Match first, weakly compared (RFC 9110 §13.2.2)."""
    expected = headers.get("if-none-match")
    if expected is not None:
        tags = {tag.strip().removeprefix("W/") for tag in expected.split(",")}
        ours = {representation.etag(compressed=False), representation.etag(compressed=True)}
        return "*" in tags or not tags.isdisjoint(ours)
    since = headers.get("if-modified-since")
    if since is None or representation.modified is None:
        return False
    try:
        return representation.modified <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


async def answer(
    representation: Representation, fields: Sequence[tuple[bytes, bytes]], scope: Scope, send: Send
) -> None:
    """Answers GET or HEAD with 200 or 304; `fields` are the headers beyond the validators."""
    headers = Headers(scope=scope)
    packed = representation.compressed if accepts_gzip(headers.get("accept-encoding", "")) else None
    common = [
        (b"etag", representation.etag(compressed=packed is not None).encode()),
        (b"vary", b"Accept-Encoding"),
        (b"x-content-type-options", b"nosniff"),
        *fields,
    ]
    if representation.modified is not None:
        common.append((b"last-modified", format_datetime(representation.modified, usegmt=True).encode()))
    if not_modified(headers, representation):
        await respond(send, 304, common, b"")
        return
    if packed is not None:
        common.append((b"content-encoding", b"gzip"))
    body = packed if packed is not None else representation.plain
    common.append((b"content-type", representation.media_type.encode()))
    common.append((b"content-length", str(len(body)).encode()))
    await respond(send, 200, common, b"" if scope["method"] == "HEAD" else body)


async def respond(send: Send, status: int, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Sends one whole response."""
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
