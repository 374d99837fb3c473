"""What the scenarios tell: stories with a sentence that is in their body alone, and ways to look for it."""

import gzip
import hashlib
import html
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from publications import story

PARAGRAPHS = 25
CONTACT = "Contact us for subscription options"
NOTICE = "publishes only part of its news report here"
NOTICE_TR = "haberlerinin yalnızca bir bölümü burada"
CONTACT_TR = "Abonelik için lütfen iletişime geçiniz"


def canary(name: str) -> str:
    """Returns a sentence that only the body of one story has."""
    return f"Behind the pier at {name} a lantern swings."


def long_body(name: str, paragraphs: int = PARAGRAPHS) -> str:
    """Returns a body of so many paragraphs, the canary in the middle, none of it fit for a summary."""
    told = [f"{name} paragraph {n} is told to subscribers." for n in range(1, paragraphs + 1)]
    told[paragraphs // 2] = canary(name)
    return "\n\n".join(told) + "\n"


def long_story(name: str, **keys: object) -> str:
    """Returns a story called `name`, with a deck and a long body."""
    keys = {"deck": f"What {name} is about, in short", "section": "asia-pacific", **keys}
    return story(name, body=long_body(name), **keys)


def public_bytes(folder: Path) -> dict[str, bytes]:
    """Returns every file of public/ by its path, and those that are compressed once more in plain."""
    root = folder / "public"
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    plain = {f"{name} (plain)": gzip.decompress(data) for name, data in found.items() if data[:2] == b"\x1f\x8b"}
    return {**found, **plain}


def public_state(folder: Path) -> dict[str, tuple[str, int]]:
    """Returns a hash and the time of writing of every file of public/."""
    root = folder / "public"
    return {
        str(path.relative_to(root)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def holders(needle: str, places: dict[str, bytes]) -> list[str]:
    """Returns the places that have some words, in plain or escaped, in their name or in what they hold."""
    forms = {needle, json.dumps(needle)[1:-1], html.escape(needle)}
    wanted = {form.casefold() for form in forms}
    return sorted(place for place, data in places.items() if any(form in _folded(place, data) for form in wanted))


@lru_cache(maxsize=4096)
def _folded(place: str, data: bytes) -> str:
    return f"{place}\n{data.decode(errors='replace')}".casefold()


def linked_data(page: str) -> dict[str, Any]:
    """Returns a page's JSON-LD."""
    start = page.index('<script type="application/ld+json">') + len('<script type="application/ld+json">')
    found = json.loads(page[start : page.index("</script>", start)])
    return dict(found if isinstance(found, dict) else found[0])
