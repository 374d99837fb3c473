"""Serves public/ from memory: ETag, Last-Modified, 304 and gzip, before any router.

The files are the truth, so any other server can serve them as well. A file is
read once and again only when it was replaced.
"""

import asyncio
import mimetypes
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from publisher.web.conditional import Representation, answer, respond
from publisher.web.pollers import Pollers
from publisher.web.readership import Readership

_TYPES = {
    ".rss": "application/rss+xml; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".json": "application/feed+json; charset=utf-8",
    ".opml": "text/x-opml; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SHOWN_AS_PAGES = ("application/rss", "application/atom", "application/feed")
_FEED_TYPES = (*_SHOWN_AS_PAGES, "text/x-opml")
_PAGE_POLICY = (
    "default-src 'none'; img-src 'self' https: data:; style-src 'self' 'unsafe-inline'; media-src https: 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


_TOO_MANY = b"Too many requests for a feed that has not changed: send If-None-Match with the ETag you were given.\n"
_VARY_OF_FEEDS = b"Accept-Encoding, Sec-Fetch-Dest, Sec-Fetch-Mode"
_LOCATION_SAFE = "/%:?#[]@!$&'()*+,;=~-._"


class PublicFiles:
    """ASGI application that answers what public/ holds and hands everything else on."""

    def __init__(
        self,
        root: Path,
        otherwise: ASGIApp,
        moved: Callable[[], Mapping[str, str]],
        *,
        prefix: str = "",
        pollers: Pollers | None = None,
        readership: Readership | None = None,
        link: Callable[[str], bytes] = lambda _: b"",
    ) -> None:
        """`prefix` is what stands before every path in public addresses; `pollers` counts who asks without end.

        `readership` counts who reads feeds; `link` returns the Link header of a file, or nothing.
        """
        self._root = root.resolve()
        self._base = str(self._root)
        self._otherwise = otherwise
        self._moved = moved
        self._prefix = prefix
        self._pollers = pollers
        self._readership = readership
        self._link = link
        self._known: dict[str, Representation] = {}
        self._seen: dict[str, Representation] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers GET and HEAD of a published file or of an address that moved."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        path: str = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            await self._refuse_or_hand_on(path, scope, receive, send)
            return
        found = self.find(path)
        if found is not None:
            await self._answer(found, path, scope, send)
        elif (moved_to := self._moved().get(path)) is not None:
            await _redirect(moved_to if "://" in moved_to else self._prefix + moved_to, send)
        elif not path.endswith("/") and self.find(f"{path}/") is not None:
            await _redirect(f"{self._prefix}{path}/", send)
        else:
            await self._otherwise(scope, receive, send)

    async def _answer(self, found: Representation, path: str, scope: Scope, send: Send) -> None:
        if found.media_type.startswith(_SHOWN_AS_PAGES) and opened_by_a_person(scope):
            page = self._page_of_feed(path)
            if page is not None:
                await answer(page, scope, send)
                return
        if self._pollers is not None and found.media_type.startswith(_FEED_TYPES):
            seconds = self._pollers.wait(scope, path, found.signature)
            if seconds:
                if self._readership is not None:
                    self._readership.note(scope, path, 429)
                fields = [(b"retry-after", str(seconds).encode()), (b"cache-control", b"no-store")]
                await respond(send, 429, [*fields, (b"content-length", str(len(_TOO_MANY)).encode())], _TOO_MANY)
                return
        status = await answer(found, scope, send)
        if self._readership is not None and found.media_type.startswith(_SHOWN_AS_PAGES):
            self._readership.note(scope, path, status)

    def _page_of_feed(self, path: str) -> Representation | None:
        """Returns the page that tells people what a feed is, to stand in its place; None for one that has none."""
        place = path.rpartition(".")[0].replace("/feeds/newsletters/", "/issues/") + "/"
        page = self.find(place)
        if page is None:
            return None
        key = f"{place}#"
        known = self._known.get(key)
        if known is None or known.signature != page.signature:
            # No cache may keep it: at this address, everybody else gets the feed.
            fields = [
                (b"cache-control", b"no-store") if name == b"cache-control" else (name, value)
                for name, value in _fields(page.media_type)
            ]
            known = self._known[key] = Representation(
                page.data, page.media_type, page.modified, fields, page.signature, _VARY_OF_FEEDS
            )
        return known

    async def _refuse_or_hand_on(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self.find(path) is None:
            await self._otherwise(scope, receive, send)
            return
        await respond(send, 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")], b"")

    def find(self, path: str) -> Representation | None:
        """Returns the file that stands at a URL path, or None.

        Requests that came in together, in one turn of the loop, share one look at the file.
        """
        if (seen := self._seen.get(path)) is not None:
            return seen
        found = self._look(path[1:] + "index.html" if path.endswith("/") else path[1:])
        if found is not None:
            if not self._seen:
                asyncio.get_running_loop().call_soon(self._seen.clear)
            self._seen[path] = found
        return found

    def _look(self, name: str) -> Representation | None:
        try:
            status = os.stat(f"{self._base}/{name}")
        except (OSError, ValueError):
            self._known.pop(name, None)
            return None
        signature = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(name)
        if known is None or known.signature != signature:
            known = self._load(name, signature)
            if known is not None:
                self._known[name] = known
        return known

    def _load(self, name: str, signature: tuple[int, int, int]) -> Representation | None:
        """Returns a file, read once; None for what is hidden, no file, or leads out of the folder."""
        file = self._root / name
        hidden = (part for part in name.split("/") if part.startswith(".") and part != ".well-known")
        if any(hidden) or not file.is_file() or not file.resolve().is_relative_to(self._root):
            return None
        kind = media_type(name)
        modified = datetime.fromtimestamp(signature[2] // 1_000_000_000, UTC)
        fields = _fields(kind)
        if link := self._link(name):
            fields.append((b"link", link))
        vary = _VARY_OF_FEEDS if kind.startswith(_SHOWN_AS_PAGES) else b"Accept-Encoding"
        return Representation(file.read_bytes(), kind, modified, fields, signature, vary)


def opened_by_a_person(scope: Scope) -> bool:
    """Returns whether a browser asks for a page to show: no feed reader says so (W3C Fetch Metadata)."""
    navigates = document = False
    for name, value in scope["headers"]:
        if name == b"sec-fetch-dest":
            document = value == b"document"
        elif name == b"sec-fetch-mode":
            navigates = value == b"navigate"
    return document and navigates


def media_type(name: str) -> str:
    """Returns the media type of a published file by its path, with charset where it applies."""
    suffix = Path(name).suffix.lower()
    if suffix == ".json" and not name.startswith("feeds/"):
        return "application/json"
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _fields(kind: str) -> list[tuple[bytes, bytes]]:
    age = "public, max-age=300, stale-while-revalidate=60" if kind.startswith(_FEED_TYPES) else "public, max-age=60"
    fields = [(b"cache-control", age.encode()), (b"referrer-policy", b"strict-origin-when-cross-origin")]
    if kind.startswith("text/html"):
        fields.append((b"content-security-policy", _PAGE_POLICY.encode()))
    elif kind.startswith(_FEED_TYPES):
        fields.append((b"access-control-allow-origin", b"*"))
        fields.append((b"access-control-expose-headers", b"ETag, Last-Modified, Link"))
    elif kind.startswith("image/svg"):
        fields.append((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"))
    return fields


async def _redirect(location: str, send: Send) -> None:
    fields = [(b"location", quote(location, safe=_LOCATION_SAFE).encode()), (b"content-length", b"0")]
    await respond(send, 301, fields, b"")
