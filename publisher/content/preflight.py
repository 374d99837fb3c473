"""What an editor wants to know of a story before it goes out: forgotten words, pictures without a text, far dates."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape

from publisher.model.article import Access, Manuscript, Problem

LONGEST_TITLE = 110
"""Characters: search engines and inboxes cut off what is longer."""
LARGEST_IMAGE = 1024 * 1024
"""Bytes of a picture: readers load it from their mail."""
LARGE_MAIL = 90 * 1024
"""Bytes of HTML (decisions 11)."""
CLIPPED_MAIL = 102 * 1024
"""Bytes of HTML from which on Gmail cuts a mail off."""
_AHEAD = timedelta(days=2)
_FAR_AHEAD = timedelta(days=366)
_PLACEHOLDER = re.compile(r"\b(?:TK(?:TK)*|TODO|FIXME|X{3,})\b|\blorem ipsum\b", re.IGNORECASE)
_LOREM = "lorem"
_IMAGE = re.compile(r"<img\b[^>]*>")
_SRC = re.compile(r'\ssrc="([^"]*)"')
_ALT = re.compile(r'\salt="\s*[^"\s]')
_FIRST = re.compile(r"\s*<(p|h[1-6])>(.*?)</\1>", re.DOTALL)
_MARKUP = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What must be known beside the story."""

    now: datetime
    access: Access
    """What holds for it: its own, its section's or the site's."""
    size_of: Callable[[str], int | None]
    """Bytes of a file below the articles folder; None: there is none."""


def look_over(story: Manuscript, written: str, around: Surroundings) -> list[Problem]:
    """Returns what is to be found in a story, `written` as its file has it; what keeps files out is said elsewhere."""
    found = (*_words(story), *_pictures(story, around), *_dates(story, around.now), *_sizes(story, around.access))
    return [
        Problem(path=story.source, line=line_of(place, written), message=message, fatal=False, code=code)
        for code, place, message in found
    ]


_Finding = tuple[str, str, str]
"""Code, some words near it as the file has them, and what to do."""


def _words(story: Manuscript) -> Iterator[_Finding]:
    texts = (story.title, story.deck, story.summary, *story.key_points, story.body.text)
    places = (match[0] for text in texts for match in _PLACEHOLDER.finditer(text) if _is_placeholder(match[0]))
    for place in dict.fromkeys(places):
        yield "placeholder", place, f"{place!r} was left in; write what belongs there"
    if len(story.title) > LONGEST_TITLE:
        yield "title-long", story.title, f"the title has {len(story.title)} characters; up to {LONGEST_TITLE} are shown"
    first = _FIRST.match(story.body.html)
    if first is not None and _plain(first[2]).casefold() == story.title.casefold():
        yield "headline-repeated", story.title, "the text begins with the headline once more; take it out there"


def _is_placeholder(words: str) -> bool:
    return words.isupper() or words.casefold().startswith(_LOREM)


def _pictures(story: Manuscript, around: Surroundings) -> Iterator[_Finding]:
    as_written = dict(story.links)
    if story.image is not None and not story.image.alt:
        place = as_written.get(story.image.src, "image")
        yield "alt-missing", place, "the lead picture has no alt text; say in a few words what it shows"
    for tag in _IMAGE.findall(story.body.html):
        source = _SRC.search(tag)
        if source is not None and _ALT.search(tag) is None:
            place = as_written.get(unescape(source[1]), "<img")
            yield "alt-missing", place, f"the picture {place} has no alt text; say in a few words what it shows"
    for path in story.assets:
        size, place = around.size_of(path), path.rpartition("/")[2]
        if size is None:
            yield "image-missing", place, f"there is no file {path}; the link to it leads nowhere"
        elif size > LARGEST_IMAGE and path.lower().endswith((".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")):
            limit = LARGEST_IMAGE // 1024
            yield "image-large", place, f"{path} has {size // 1024} KB; make it smaller than {limit} KB"


def _dates(story: Manuscript, now: datetime) -> Iterator[_Finding]:
    shown = {"date": story.date, "updated": story.updated}
    gates = {"publish_at": story.publish_at, "embargo": story.embargo}
    for moments, ahead in ((shown, _AHEAD), (gates, _FAR_AHEAD)):
        for name, moment in moments.items():
            if moment is not None and moment > now + ahead:
                yield "date-far", name, f"{name} is {moment:%Y-%m-%d}: until then nobody sees the story; is that meant?"


def _sizes(story: Manuscript, access: Access) -> Iterator[_Finding]:
    if access is Access.SUMMARY and not story.summary and not story.deck:
        yield "summary-missing", "", "the public gets a summary, and there is none; write `summary` or `deck`"
    size = len(story.body.html.encode())
    if size > LARGE_MAIL:
        yield (
            "story-large",
            "",
            f"the text alone has {size // 1024} KB of HTML; mails beyond 90 KB carry the rest as summaries",
        )


def _plain(html: str) -> str:
    return " ".join(unescape(_MARKUP.sub("", html)).split())


def line_of(part: str, written: str) -> int:
    """Returns the line on which some words first stand in a file; 1 when they do not, or there are none."""
    found = written.find(part) if part else -1
    return written.count("\n", 0, found) + 1 if found >= 0 else 1
