"""Subscribers, what they asked for, and what they may read."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from publisher.model.catalogue import Product
from publisher.model.choices import Choices, Wish

EVERYTHING = "*"
"""The product of a licence for all there is."""


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
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else the publication knows of them: plain keys, values of JSON."""
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
    timezone: str | None = None
    """Where the clock of this newsletter is; None: where the subscriber's is, else the newsletter's."""
    choices: Choices = field(default_factory=Choices)
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    """When a pause ends by itself; None: when somebody says so."""
    pending_since: datetime | None = None
    """Stories first published after it are pending; None: as `confirmed_at` says (docs/ledger.md)."""
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


def viewer_of(licences: Iterable[Licence], products: Mapping[str, Product]) -> Viewer:
    """Returns the viewer whom these licences make; one for a product that config no longer has grants nothing."""
    return Viewer(
        grants=tuple(
            Grant(
                product=None if licence.product == EVERYTHING else products[licence.product],
                valid_from=licence.valid_from,
                valid_until=licence.valid_until,
                archive_days=licence.archive_days,
                embargo_cleared=licence.embargo_cleared,
                active=licence.active,
            )
            for licence in licences
            if licence.product == EVERYTHING or licence.product in products
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a licence is to be granted with."""

    product: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    archive_days: int | None = None
    """None: as it was, else without end; 0: without end."""
    embargo_cleared: bool | None = None
    """None: as it was, else not cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A subscriber with everything that makes them one."""

    subscriber: Subscriber
    subscriptions: tuple[Subscription, ...] = ()
    licences: tuple[Licence, ...] = ()


class ConsentEvent(enum.StrEnum):
    """What was said yes or no to a newsletter with."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    IMPORTED = "imported"
    ADDED = "added"
    MOVED = "moved"
    """The person confirmed another address for it, from both."""
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Where a wish came from, for the record."""

    origin: str
    """`web`, `web https://form.example`, `one-click`, `preferences`, `account`, `command`, `import FILE`."""
    evidence: str = ""
    """Truncated network, user agent and the words shown, or the words of consent that came with an import."""
    given_at: datetime | None = None
    """When consent was given, where that was before it was told to us."""
    network: str = ""
    """Where a form was sent from, truncated (`192.0.2.0/24`); empty: not counted against any network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One piece of evidence; never changed, only added to."""

    newsletter: str
    event: ConsentEvent
    at: datetime
    origin: str
    evidence: str = ""
    given_at: datetime | None = None
    """When it was said, where that was before it was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """One filled-in form: what the link in its confirmation mail confirms."""

    number: int
    subscriber: int
    newsletters: tuple[str, ...]
    requested_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    moves_from: int | None = None
    """Who wants to move to this subscriber's address; None: it is an ordinary sign-up."""
    agreed_at: datetime | None = None
    """When they agreed, at their old address."""

    def expired(self, now: datetime) -> bool:
        """Returns whether it was left unused for too long."""
        return self.used_at is None and now >= self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """At most `most` sign-ups within `window`."""

    window: timedelta
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpLimits:
    """How many confirmation mails we can be made to send (security S1)."""

    per_address: tuple[Allowance, ...] = ()
    per_network: tuple[Allowance, ...] = ()
    overall: tuple[Allowance, ...] = ()


class SuppressionReason(enum.StrEnum):
    """Why an address is never mailed."""

    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    ERASED = "erased"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that is never mailed; of an erased one only the keyed hash is left."""

    address_hash: str
    address: str | None
    """The address key (lower case, A-labels)."""
    reason: SuppressionReason
    at: datetime
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A person who is to become a subscriber, or to get more than they had."""

    address: str
    address_key: str
    address_hash: str
    language: str | None = None
    default_language: str = "en"
    """For somebody new who names none."""
    name: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Added to what is known; a value of None forgets its key."""
    newsletters: tuple[str, ...] = ()
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    """What is chosen of newsletters that the person does not have yet; what they have stays as they chose it."""
    status: SubscriptionStatus = SubscriptionStatus.UNCONFIRMED
    event: ConsentEvent = ConsentEvent.REQUESTED
    licences: tuple[Terms, ...] = ()
    """Granted at once, whatever the status, also where such a licence had ended."""
    implied: tuple[str, ...] = ()
    """Products that come with the newsletters: granted to who has, and had, no licence at all."""
    proof: Proof
    trusted: bool = False
    """The operator's word: may change what is known of somebody; a form on the web may not."""
    imported: bool = False
    """One of a list: nobody who has left everything is asked into anything by it."""


class EnrolmentResult(enum.StrEnum):
    """What became of an enrolment."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SUPPRESSED = "suppressed"
    LIMITED = "limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The answer to one enrolment."""

    result: EnrolmentResult
    subscriber: int | None = None
    language: str = ""
    signup: SignUp | None = None
    """What waits to be confirmed; its mail may have been queued before."""
    suppressed: SuppressionReason | None = None
    kept_unsubscribed: tuple[str, ...] = ()


class ConfirmationState(enum.StrEnum):
    """What became of the press on a confirmation button."""

    CONFIRMED = "confirmed"
    ALREADY = "already"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The answer to a confirmation."""

    state: ConfirmationState
    subscriber: Subscriber
    newsletters: tuple[str, ...]


class TokenState(enum.StrEnum):
    """How a feed token stands."""

    CURRENT = "current"
    GRACE = "grace"
    """Replaced, but still good for a while."""
    GONE = "gone"
    """Replaced, and no longer good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReader:
    """Whose feed token it is."""

    subscriber: Subscriber
    token: TokenState


class MoveState(enum.StrEnum):
    """How far a change of address has come."""

    ASKED = "asked"
    """Neither end has said anything yet, or this one has not."""
    HALF = "half"
    """The end that asks has agreed, and waits for the other."""
    DONE = "done"
    TAKEN = "taken"
    """The new address has a subscription of its own: two people's histories are not made one."""
    EXPIRED = "expired"
    """Too late, or called off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAsked:
    """What came of the wish for another address."""

    signup: int
    target: int
    """The subscriber who has the new address; one without any subscription, unless it is taken."""
    language: str
    """Theirs."""
    ask_new: bool
    """Whether the new address may be asked by mail: not too often of late."""
    taken: bool
    """Whether it has a subscription of its own."""
