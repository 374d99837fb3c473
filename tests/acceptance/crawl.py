"""Asks a running service for everything that anybody may ask it for."""

import gzip
import html
import http.client
import re
import urllib.parse
from dataclasses import dataclass, field

from acceptance.running import PATIENCE_SECONDS

WELL_KNOWN = (
    "/", "/tr/", "/subscribe", "/subscribe?lang=tr", "/sitemap.xml", "/news-sitemap.xml", "/robots.txt", "/feeds.opml",
    "/corrections/", "/corrections.atom", "/corrections.rss", "/corrections.json", "/feeds/", "/articles/",
    "/sections/", "/issues/", "/issues/daily/1/", "/issues/alerts/1/", "/issues/bulletin/1/", "/inbox/", "/admin/",
    "/api/v1/",
    "/api/openapi.json", "/hooks/bounce", "/healthz", "/readyz", "/metrics", "/favicon.ico", "/humans.txt",
    "/.well-known/security.txt", "/confirm/none", "/unsubscribe/none", "/preferences/none", "/read/none/",
    "/account/none", "/address/none",
    "/u/" + "A" * 43 + "/all.atom", "/u/" + "A" * 43 + "/wire.json", "/u/" + "A" * 43 + "/feeds.opml",
    "/feeds/newsletters/daily.atom", "/feeds/newsletters/alerts.rss", "/feeds/newsletters/bulletin.json",
    "/nowhere/", "/articles/nowhere/", "/%00", "/..%2fvar%2fpublisher.db", "/var/publisher.db", "/config.toml",
)  # fmt: skip
_MANNERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("GET", {}),
    ("GET", {"Accept": "application/json"}),
    ("GET", {"Accept-Encoding": "gzip", "Accept-Language": "tr"}),
    ("HEAD", {}),
)
_SCANNERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("GET", {}),
    ("GET", {"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender", "X-Moz": "prefetch"}),
    ("HEAD", {"Purpose": "prefetch", "Sec-Purpose": "prefetch"}),
    ("OPTIONS", {}),
)
"""What programs do with every link of a mail before its reader sees it."""
_LINK = re.compile(r"""(?:href|src|url|xmlUrl|htmlUrl)\s*=\s*["']([^"']+)["']|<(?:loc|link|id)>([^<]+)<""")
_ADDRESS = re.compile(r"https?://[^\s\"'<>\\)]+")


@dataclass
class Crawl:
    """What a service said to whom has no word with it, by what was asked."""

    url: str
    answers: dict[str, bytes] = field(default_factory=dict)
    """Status line, header lines and body, decompressed, by method, path and headers."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Of plain GETs, by path."""

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE_SECONDS)

    def everything(self, *more: str, scanning: bool = False) -> "Crawl":
        """Asks for the well-known addresses, for `more`, and for all that any answer leads to.

        `scanning`: in every manner that a program has that looks at links for others.
        """
        waiting = [*WELL_KNOWN, *more]
        seen: set[str] = set()
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            for method, headers in _SCANNERS if scanning else _MANNERS:
                self._ask(method, path, headers)
            waiting += self._links(path)
        self._connection.close()
        return self

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> None:
        self._connection.request(method, path, headers=headers)
        answer = self._connection.getresponse()
        status, fields, body = answer.status, answer.headers, answer.read()
        if fields.get("Content-Encoding") == "gzip" and body:
            body = gzip.decompress(body)
        # What was asked for comes back in some answers: it is not what the service gives away.
        key = f"{method} {path} {' '.join(headers.values())}".strip()
        self.answers[key] = f"{status}\n{fields}\n".encode() + body
        if (method, headers) == ("GET", {}):
            self.statuses[path] = status

    def _links(self, path: str) -> list[str]:
        text = html.unescape(self.answers[f"GET {path}"].decode(errors="replace"))
        found = [first or second for first, second in _LINK.findall(text)] + _ADDRESS.findall(text)
        absolute = (urllib.parse.urljoin(self.url + path, link.strip()) for link in found)
        ours = (
            urllib.parse.urldefrag(link)[0].removeprefix(self.url) for link in absolute if link.startswith(self.url)
        )
        return [urllib.parse.quote(link, safe="/%?=&;:@,+~") for link in ours if link.startswith("/")]
