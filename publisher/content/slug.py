"""Slugs: the part of an address that names a story."""

import hashlib
import re
import unicodedata

from publisher.errors import RefusedError

MAX = 80

_VALID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_OTHER = re.compile(r"[^a-z0-9]+")
# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = str.maketrans(
    {
        "ı": "i", "İ": "i", "ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o",
        "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "þ": "th", "Þ": "th", "ə": "e", "Ə": "e",
        "'": None, "’": None,
    }
)  # fmt: skip


def slugify(text: str) -> str:
    """Returns the text as a slug in ASCII, the same in every locale; empty when no letter of it has an ASCII form."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    ascii_only = decomposed.encode("ascii", "ignore").decode().lower()
    slug = _OTHER.sub("-", ascii_only).strip("-")
    if len(slug) <= MAX:
        return slug
    cut = slug.rfind("-", MAX // 2, MAX + 1)
    return slug[: cut if cut > 0 else MAX].rstrip("-")


def from_name(stem: str, source: str) -> str:
    """Returns the slug of a file by its name; a name without ASCII letters gives one made of the path's hash."""
    return slugify(stem) or f"story-{hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()[:10]}"


def check(slug: str, line: int) -> str:
    """Returns a slug that an editor wrote; raises RefusedError when an address cannot be made of it."""
    if _VALID.fullmatch(slug):
        return slug
    hint = f"; write {slugify(slug)}" if slugify(slug) else ""
    raise RefusedError(
        f"slug {slug[:MAX]!r} may hold only a-z, 0-9 and inner hyphens, at most {MAX} of them{hint}", line
    )
