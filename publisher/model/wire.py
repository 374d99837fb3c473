"""Stories for machine clients: a View and what only a wire says beside it."""

from dataclasses import dataclass, field
from datetime import datetime

from publisher.model.article import Contributor, Status
from publisher.model.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class WireItem:
    """One version of a story as a machine client gets it; `editorial.wire` makes it, as bare as its View."""

    view: View
    status: Status
    revised_at: datetime
    """When this version reached the store."""
    ed_note: str = ""
    """Plain words of the desk to desks: correction, hold, kill, embargo."""
    usage_terms: str = ""
    copyright_holder: str = ""
    contributors: tuple[Contributor, ...] = ()
    """With the role's own word, not a phrase of the language."""
    subjects: tuple[str, ...] = ()
    """IPTC media topics, eight digits each."""
    genre: str = ""
    slugline: str = ""
    embargoed_until: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePage:
    """Some items in the order in which they came out, and where a client goes on."""

    items: tuple[WireItem, ...] = field(default=())
    next_url: str
