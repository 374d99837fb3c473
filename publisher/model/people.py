"""Subscribers, what they asked for, and what they may read."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from publisher.model.catalogue import Product


class SubscriptionStatus(enum.StrEnum):
    """Where one person stands with one newsletter."""

    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person with an address; being one grants no text (decisions 8)."""

    number: int
    address: str
    name: str = ""
    language: str = "en"
    timezone: str | None = None
    """None: the newsletter's."""
    token_generation: int = 1
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Subscriber × newsletter, unique."""

    subscriber: int
    newsletter: str
    status: SubscriptionStatus
    confirmed_at: datetime | None = None
    cadence: str | None = None
    """The rhythm the reader chose; None: the newsletter's."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The right of one subscriber to the text of one product (`*`: all of them)."""

    subscriber: int
    product: str
    active: bool = True
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    archive_days: int | None = None
    embargo_cleared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A licence with its product looked up; `product` None means everything."""

    product: Product | None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    archive_days: int | None = None
    embargo_cleared: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whom `decide` decides for; no grants at all is the public."""

    grants: tuple[Grant, ...] = field(default=())


PUBLIC = Viewer()
