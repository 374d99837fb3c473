"""What makes a story an episode of a podcast: its number, its season, and how long it is heard."""

import re

from publisher.content.fields import Fields
from publisher.model.article import Episode, EpisodeKind

_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):([0-5]\d)")
_LONGEST = 1_000_000


def episode(fields: Fields) -> Episode | None:
    """Returns what the file says of the story as an episode; None when it says nothing of the kind."""
    number, season = _number(fields, "episode"), _number(fields, "season")
    kind = fields.word("episode_type", [kind.value for kind in EpisodeKind])
    explicit = fields.boolean("explicit") if fields.entry("explicit") is not None else None
    if number is None and season is None and kind is None and explicit is None:
        return None
    return Episode(number=number, season=season, kind=EpisodeKind(kind or EpisodeKind.FULL), explicit=explicit)


def duration(typed: str) -> int | None:
    """Returns the seconds that `754`, `12:34` or `1:02:03` say; None for anything else."""
    if typed.isascii() and typed.isdigit() and len(typed) < 7:
        return int(typed)
    found = _CLOCK.fullmatch(typed)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _number(fields: Fields, name: str) -> int | None:
    typed = fields.text(name)
    if not typed:
        return None
    if typed.isascii() and typed.isdigit() and 0 < int(typed) < _LONGEST:
        return int(typed)
    fields.warn(f"{name} is {typed[:60]!r}; a number from 1 is needed; left out", fields.line(name))
    return None
