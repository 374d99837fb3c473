"""Readers as planning sees them: one newsletter's people with their choices, licences and what they already have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from publisher.model.catalogue import Filter
from publisher.model.choices import Form
from publisher.model.issue import StoryRef
from publisher.model.people import Licence


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One confirmed subscription, with all that decides what its mail says."""

    number: int
    """The subscriber's."""
    address: str
    language: str
    timezone: str
    """Where the reader's clock is: the subscription's own, else the subscriber's, else the newsletter's zone."""
    cadence: str
    """The rhythm the reader chose, else the newsletter's."""
    confirmed_at: datetime
    pending_since: datetime | None = None
    """Stories first published after it are pending; None: since the last slot before `confirmed_at`."""
    choices: Filter = field(default_factory=Filter)
    """What the reader wants of the newsletter; equal choices are one profile (decisions 7)."""
    form: Form = Form.FULL
    licences: tuple[Licence, ...] = ()
    suppressed: bool = False


Entitlement = frozenset[tuple[str, int | None, bool]]
"""What licences in force grant: product, how many days of archive (None: all), whether they clear for embargoes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Confirmed readers of a newsletter between whom nothing but what they have already can make a difference."""

    language: str
    timezone: str
    cadence: str
    confirmed_at: datetime
    """Of one of them; the others confirmed before the same slots and stories."""
    pending_since: datetime | None
    """As a reader's; of one of them, between the same stories as the others'."""
    choices: Filter
    form: Form
    entitlement: Entitlement
    lapsed: bool
    """Whether they have licences of which none is in force."""
    suppressed: bool
    numbers: Sequence[int]
    """The subscribers'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one variant brought, and under which newsletter."""

    newsletter: str | None
    stories: tuple[StoryRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Who has which stories already (decisions 2): subscribers by number, variants by the store's key."""

    variants: Mapping[int, Sent]
    readers: Mapping[int, frozenset[int]]
    """Variants that reached each subscriber, or are on their way to them; those with none are left out."""
    mark: int
    """Grows with every planned digest mail: equal marks, equal coverage."""


NOBODY = Coverage(variants={}, readers={}, mark=0)
