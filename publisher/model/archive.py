"""Past issues, as the web keeps them."""

from dataclasses import dataclass
from datetime import datetime

from publisher.model.catalogue import Newsletter
from publisher.model.issue import Mention
from publisher.model.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class PastIssue:
    """One edition of a newsletter that went out, with what it brought to anybody."""

    number: int
    """The store's key."""
    newsletter: str
    edition: int
    due_at: datetime
    timezone: str
    stories: tuple[tuple[int, Mention], ...]
    """Articles by number in the issue's order, each once: what it brought, not what it only named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLine:
    """A past issue as a page of the archive lists it."""

    url: str
    number: int
    """Within the newsletter."""
    local_date: datetime
    lead: View
    """Its first story."""
    stories: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsletterArchive:
    """A newsletter's archive as the overview shows it."""

    newsletter: Newsletter
    url: str
    latest: IssueLine
