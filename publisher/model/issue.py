"""Slots, issues, variants and deliveries: the ledger of what went out (docs/ledger.md)."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from publisher.model.choices import Form
from publisher.model.people import Licence, Subscriber
from publisher.model.view import Depth, View


class IssueState(enum.StrEnum):
    """An issue's life (delivery state machine of issues)."""

    PLANNING = "planning"
    HELD = "held"
    SENDING = "sending"
    PAUSED = "paused"
    DONE = "done"
    DONE_WITH_UNCERTAIN = "done_with_uncertain"
    CANCELLED = "cancelled"


UNFINISHED = frozenset({IssueState.PLANNING, IssueState.HELD, IssueState.SENDING, IssueState.PAUSED})
"""States in which an issue may still bring somebody something."""


class SlotState(enum.StrEnum):
    """What became of the right to send in one period."""

    GRANTED = "granted"
    ISSUED = "issued"
    SKIPPED_EMPTY = "skipped_empty"
    SKIPPED_LATE = "skipped_late"


class DeliveryState(enum.StrEnum):
    """One mail to one person; the upper three rows of a life are open, the rest is terminal."""

    PENDING = "pending"
    CLAIMED = "claimed"
    IN_FLIGHT = "in_flight"
    DEFERRED = "deferred"
    UNCERTAIN = "uncertain"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TERMINAL = frozenset(
    {
        DeliveryState.ACCEPTED,
        DeliveryState.REJECTED,
        DeliveryState.SUPPRESSED,
        DeliveryState.CANCELLED,
        DeliveryState.EXPIRED,
    }
)
DUE = frozenset({DeliveryState.PENDING, DeliveryState.DEFERRED})
"""States in which a delivery waits for its turn."""
OPEN = frozenset({DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.IN_FLIGHT, DeliveryState.DEFERRED})
MAY_GO = OPEN | {DeliveryState.UNCERTAIN}
"""States from which a delivery may be sent, again or for the first time."""
COVERS = OPEN | {DeliveryState.UNCERTAIN, DeliveryState.ACCEPTED}
"""States in which a delivery reserves, or has brought, its stories to the reader (decisions 2)."""


class IssueKind(enum.StrEnum):
    """What an issue is; a digest is a newsletter's edition, the others are about one story or one person."""

    DIGEST = "digest"
    NOTICE = "notice"
    """About a story, to those who have it; goes out whatever the rhythm, and through a pause."""
    EMBARGO = "embargo"
    """A story ahead of its hour, to those who are cleared for it."""
    INTRODUCTION = "introduction"
    """The latest issue, to somebody who has just joined."""
    MESSAGE = "message"
    """Confirmation, welcome: service mail to one person; always resent when uncertain."""


class Mention(enum.StrEnum):
    """How a variant holds a story."""

    STORY = "story"
    UPDATED = "updated"
    CORRECTED = "corrected"
    """A version that says what was wrong in an earlier one, which the reader has."""
    ALREADY_SENT = "already_sent"
    """Named only: another newsletter brought it."""
    ADVISORY = "advisory"
    """Only told about: a hold, its end, a kill."""


BRINGS = frozenset({Mention.STORY, Mention.UPDATED, Mention.CORRECTED})
"""Mentions that bring a story; the others only name it, or tell of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Readers who share a clock: newsletter × cadence × local time × zone."""

    number: int
    newsletter: str
    cadence: str
    """A schedule in its one spelling: `daily 07:00`, a cron line, `instant`, or `manual`."""
    timezone: str
    created_at: datetime
    """When the newsletter was first seen: it has no slots before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Cohort × local calendar period: the right to send once."""

    cohort: int
    period: str
    """`daily:2026-10-25`, `weekly:2026-W48`, `story:17:1`, `manual:3`: unique within the cohort."""
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSlot:
    """A granted slot whose planning has not come to its end, with its cohort's clock."""

    number: int
    """The store's key."""
    cohort: int
    newsletter: str
    cadence: str
    timezone: str
    period: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Recipients:
    """Readers who get the same variant of an issue."""

    variant: int
    """The store's key."""
    readers: Sequence[int]
    """The subscribers' numbers."""
    suppressed: bool = False
    """Whether they are never mailed: their rows say so from the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """One recipient of an issue who has not got it, and what is known about why."""

    address: str
    state: DeliveryState
    reason: str
    reply: str
    """The relay's last words, with their code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """What `publisher send` asks of a running service, and what came of it."""

    number: int
    newsletter: str
    options: dict[str, Any]
    requested_at: datetime
    taken_at: datetime | None = None
    issue: int | None = None
    answer: dict[str, Any] | None = None
    """`{"issue": n}`, `{"held": [reasons]}`, `{"error": text}`; None: not answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryRef:
    """One story as a variant holds it."""

    article: int
    version: int
    depth: Depth
    mention: Mention = Mention.STORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an issue brought one reader."""

    reader: Subscriber
    licences: tuple[Licence, ...]
    """Of the reader at present."""
    language: str
    stories: tuple[StoryRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRow:
    """A waiting delivery that must not go as it is, with what it was to bring and what its reader may have now."""

    number: int
    issue: int
    variant: int
    subscriber: int
    language: str
    form: str
    stale: bool
    """All three of the variant."""
    perhaps_there: bool
    """Whether a first try may have arrived, and this is the second."""
    licences: tuple[Licence, ...]
    stories: tuple[StoryRef, ...]
    elsewhere: tuple[StoryRef, ...] = ()
    """What other mails brought the reader of these stories, or are about to: it was tried again by hand, say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailText:
    """A mail's words with markers (`model.personal`) where personal values go; lines end in LF."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A part of an edition under one heading."""

    label: str
    views: tuple[View, ...]
    mention: Mention = Mention.STORY
    """What its stories are to its readers: new, updated or corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingUp:
    """A story that is planned: its title and its date, nothing else is known of it."""

    title: str
    date: datetime | None
    language: str
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Everything a digest says, before it is laid out: what the renderer gets."""

    newsletter_id: str
    newsletter_title: str
    newsletter_description: str
    public: bool
    """Made of public renditions."""
    instant: bool
    number: int
    language: str
    direction: str
    form: Form = Form.FULL
    local_date: datetime
    """The slot's moment in the cohort's zone."""
    groups: tuple[Group, ...]
    already_sent: tuple[View, ...] = ()
    withdrawn: tuple[View, ...] = ()
    """Stories sent before that have been taken back: their title, nothing of their text."""
    coming_up: tuple[ComingUp, ...] = ()
    web_url: str | None = None
    test: bool = False
    left_out: int = 0
    """Stories that are not even named here, for want of room."""

    @property
    def views(self) -> tuple[View, ...]:
        """Returns the stories in order, over all groups."""
        return tuple(view for group in self.groups for view in group.views)

    @property
    def lead(self) -> View:
        """Returns the story that stands for the whole: the first that is new, else the first."""
        fresh = (view for group in self.groups if group.mention is Mention.STORY for view in group.views)
        return next(fresh, self.views[0])

    @property
    def shortened(self) -> bool:
        """Returns whether its reader may have more than stands here."""
        return self.left_out > 0 or any(view.shortened for view in self.views)

    def with_views(self, views: Sequence[View]) -> "Edition":
        """Returns the same edition with other renditions of its stories, in their order."""
        rest = iter(views)
        groups = tuple(replace(group, views=tuple(next(rest) for _ in group.views)) for group in self.groups)
        return replace(self, groups=groups)

    def foremost(self, count: int) -> "Edition":
        """Returns the same edition with its first stories alone."""
        groups, room = [], count
        for group in self.groups:
            if room > 0:
                groups.append(replace(group, views=group.views[:room]))
                room -= len(group.views)
        return replace(self, groups=tuple(groups), left_out=self.left_out + len(self.views) - count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One frozen rendering of an issue: who gets the same outcome shares it (decisions 1)."""

    language: str
    form: str
    stories: tuple[StoryRef, ...]
    mail: MailText
    newsletter: str | None = None
    """What a reader can leave by a notice; an edition's own newsletter needs no saying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One numbered edition."""

    number: int
    """The store's key, over all newsletters."""
    kind: IssueKind
    newsletter: str | None
    edition: int
    """1, 2, 3 … within the newsletter."""
    state: IssueState
    subject: str
    planned_at: datetime
    expected: int = 0
    hold_reasons: tuple[str, ...] = ()
    stop_reason: str = ""
    """Why a paused or cancelled one stands still."""
    cadence: str = ""
    """Of the cohort, as are the zone and the period; empty for service mail."""
    timezone: str = ""
    period: str = ""
    due_at: datetime | None = None
    event: str = ""
    """What a notice is about: `correction:17:2`."""
    sandbox: bool = False
    """Planned for the sandbox's inbox: it is no coverage once the sandbox is off."""
    on_web: bool = False
    """Planned on its newsletter's own clock, whose issues the web keeps."""

    @property
    def introduces(self) -> int | None:
        """Returns the issue that an introduction repeats."""
        return int(self.event.rpartition(":")[2]) if self.kind is IssueKind.INTRODUCTION else None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCounts:
    """Deliveries of an issue by outcome; `planned` is their sum."""

    planned: int = 0
    accepted: int = 0
    deferred: int = 0
    """Everything still open: pending, claimed, in flight, deferred."""
    rejected: int = 0
    """Rejected, expired and cancelled (decisions 14)."""
    suppressed: int = 0
    uncertain: int = 0
