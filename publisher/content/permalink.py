"""Addresses of stories: patterns, and which addresses an editor may give away."""

import re
from datetime import datetime
from urllib.parse import quote, unquote

RESERVED = frozenset(
    {
        "admin", "api", "confirm", "corrections", "corrections.atom", "feeds", "feeds.opml", "healthz", "hooks",
        "inbox", "issues", "media", "metrics", "news-sitemap.xml", "preferences", "preview", "read", "readyz",
        "robots.txt", "sections", "sitemap.xml", "subscribe", "u", "unsubscribe",
    }
)  # fmt: skip
"""First segments of addresses that belong to the publication itself."""

_PLACEHOLDER = re.compile(r":([a-z_]+)|\{([a-z_]+)\}")
_STYLES = {
    "pretty": "/:categories/:year/:month/:day/:title/",
    "date": "/:categories/:year/:month/:day/:title.html",
    "none": "/:categories/:title.html",
}
_DATE_PARTS = {"year": "%Y", "month": "%m", "i_month": "%-m", "day": "%d", "i_day": "%-d", "short_year": "%y"}
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\?#<>\"`{}|^]")
_LONGEST = 300
_LONGEST_NAME = 200
"""Octets of one segment: it becomes the name of a file or folder, which file systems end at 255."""
_OVERRIDABLE = frozenset({"robots.txt"})


class PatternError(ValueError):
    """A pattern cannot be filled in."""


def expand(pattern: str, *, slug: str, section: str | None, language: str, date: datetime | None) -> str:
    """Returns the root-relative address a pattern gives.

    Placeholders are written `:name` or `{name}`: slug (title, filename), section (category, categories), language
    (lang), year, month, day. `date` is in the site's zone. A placeholder without a value leaves out its segment.
    Raises PatternError for an unknown placeholder, or for one of a date where there is none.
    """
    names = {"slug": slug, "title": slug, "filename": slug, "slugorfilename": slug, "contentbasename": slug}
    names |= dict.fromkeys(("section", "sections", "category", "categories"), section or "")
    names |= dict.fromkeys(("language", "lang"), language)

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in names:
            return names[name]
        if name not in _DATE_PARTS:
            raise PatternError(f"unknown placeholder {match[0]}")
        if date is None:
            raise PatternError(f"{match[0]} needs a date")
        return _date_part(date, name)

    address = _PLACEHOLDER.sub(value, _STYLES.get(pattern, pattern))
    return re.sub(r"/{2,}", "/", f"/{address}")


def address(path: str) -> str | None:
    """Returns a root-relative address in its one spelling, or None when it is not one that a story may have.

    A name without an ending gets a trailing slash, for pages are written as `index.html` in a folder.
    """
    if not path.startswith("/") or path.startswith("//") or len(path) > _LONGEST or "\\" in path:
        return None
    plain = unquote(path)
    if _FORBIDDEN.search(plain.replace(" ", "")) or "�" in plain:
        return None
    segments = plain.split("/")[1:]
    if segments[0] in RESERVED or any(segment in {".", ".."} for segment in segments) or "" in segments[:-1]:
        return None
    if segments == [""] or any(len(segment.encode()) > _LONGEST_NAME for segment in segments):
        return None
    if segments[-1] and "." not in segments[-1]:
        plain += "/"
    return quote(plain, safe="/!$&'()*+,;=:@~-._")


def is_reserved(path: str) -> bool:
    """Returns whether a file below the site's root would stand where the program itself answers."""
    first = path.partition("/")[0]
    return first in RESERVED - _OVERRIDABLE


def _date_part(date: datetime, name: str) -> str:
    if name.startswith("i_"):
        return str(getattr(date, name[2:]))
    return f"{date.year:04d}" if name == "year" else date.strftime(_DATE_PARTS[name])
