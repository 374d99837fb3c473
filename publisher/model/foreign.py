"""What another program's feed says of its stories, and what follows for ours."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEntry:
    """One entry of a feed that readers know already."""

    feed: str
    """The file it was read from."""
    name: str
    """What readers tell it by: Atom's id, RSS' guid or else its link, JSON Feed's id."""
    is_atom: bool
    link: str
    title: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What one of our files has to say, so that readers of the old feed do not see its story as new."""

    source: str
    """The file, below the articles folder."""
    title: str
    id: str = ""
    guid: str = ""
    alias: str = ""
    """The story's old address."""
