"""Where a link or picture of a story leads once it is published."""

import posixpath
import re
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from publisher.content import names, permalink
from publisher.content import slug as slugs
from publisher.content.rules import Rules
from publisher.model.files import ARTICLE_SUFFIXES

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ALLOWED = frozenset({"http", "https", "mailto"})
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\x9f\ue000\ue001\u2028\u2029]+")
_FOOTNOTE = re.compile(r"fn(?:ref)?-[\w-]{1,60}")


class Links:
    """Resolves the links of one story, and keeps what it found on the way.

    Relative links are read from the file's folder: one to another article leads to the address that its file name
    gives (not to one that its front matter may give), one to any other file leads to that file as published.
    """

    def __init__(self, source: str, rules: Rules, prefix: str) -> None:
        self._folder = posixpath.dirname(source)
        self._rules = rules
        self._prefix = prefix
        self.assets: dict[str, None] = {}
        self.followed: dict[str, str] = {}
        """Where links lead, and how they are written."""
        self.problems: dict[str, None] = {}

    def absolute(self, link: str) -> str | None:
        """Returns the absolute URL of a link in the text, the fragment of a footnote, or None when it leads nowhere."""
        seen = link.isprintable() and " " not in link  # as nearly all are; asking costs less than taking nothing out
        target = self._absolute(link if seen else _UNSEEN.sub("", link))
        if target is not None:
            self.followed.setdefault(target, link)
        return target

    def _absolute(self, link: str) -> str | None:
        if scheme := _SCHEME.match(link):
            return link if scheme[1].lower() in _ALLOWED else None
        if link.startswith("#"):
            return f"#{self.footnote(link[1:])}" if self.footnote(link[1:]) else None
        if link.startswith("//"):
            return f"https:{link}"
        if link.startswith("/"):
            return self._rules.site_url + link
        path = self._local(link)
        return None if path is None else self._rules.site_url + path

    def picture(self, link: str) -> str | None:
        """Returns the address of a lead picture: absolute, or root-relative for a file of ours."""
        target = self._picture(_UNSEEN.sub("%20", link.strip()))
        if target is not None:
            self.followed.setdefault(target, link)
        return target

    def _picture(self, link: str) -> str | None:
        if scheme := _SCHEME.match(link):
            return link if scheme[1].lower() in {"http", "https"} else None
        if link.startswith("//"):
            return f"https:{link}"
        if link.startswith("/"):
            return link
        return self._local(link)

    def footnote(self, name: str) -> str | None:
        """Returns a footnote's id as it is unique on a page of many stories."""
        return f"{self._prefix}-{name}" if _FOOTNOTE.fullmatch(name) else None

    def _local(self, link: str) -> str | None:
        """Returns the root-relative address of a file beside the story."""
        try:
            parts = urlsplit(link)
        except ValueError:
            return None
        path = posixpath.normpath(posixpath.join(self._folder, unquote(parts.path)))
        if not parts.path or "\x00" in path or "�" in path:
            return None
        if path == ".." or path.startswith(("../", "/")):
            self.problems.setdefault(f"the link {link!r} leads out of the articles folder and was left out")
            return None
        fragment = f"#{quote(unquote(parts.fragment))}" if parts.fragment else ""
        suffix = posixpath.splitext(path)[1].lower()
        if suffix and suffix not in ARTICLE_SUFFIXES:
            self.assets.setdefault(path)
            return self._rules.asset_path(path) + fragment
        address = self._article(path)
        if address is None:
            self.problems.setdefault(f"the link {link!r} cannot be resolved and was left out; write the whole address")
        return address + fragment if address else None

    def _article(self, path: str) -> str | None:
        name = names.read(path, self._rules.languages)
        try:
            return permalink.expand(
                self._rules.permalink,
                slug=slugs.from_name(name.stem, path),
                section=None,
                language=name.language or self._rules.language,
                date=_day(name.date),
            )
        except permalink.PatternError:
            return None


def _day(text: str | None) -> datetime | None:
    """Returns the day in a file's name; its clock time and zone do not matter to an address."""
    try:
        return datetime.fromisoformat(f"{text}T00:00:00+00:00")
    except ValueError:
        return None
