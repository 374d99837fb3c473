"""What comes back about mail that was accepted: reports of failure and of complaint, and what they mean."""

import enum
from dataclasses import dataclass
from datetime import datetime


class ReportKind(enum.StrEnum):
    """What a message in the mailbox for reports is."""

    BOUNCE = "bounce"
    """A delivery status notification (RFC 3464, RFC 6533), or qmail's own shape of one."""
    COMPLAINT = "complaint"
    """A feedback report (RFC 5965)."""
    REPLY = "reply"
    """Sent by a machine in answer (RFC 3834), or a receipt (RFC 8098): no bounce."""
    OTHER = "other"
    """No report that we know."""
    UNREADABLE = "unreadable"
    """Too large, too deep or no message at all."""


class Meaning(enum.StrEnum):
    """What a report says of a delivery; also the kind of the event that is kept."""

    NOTHING = "nothing"
    """Delayed, delivered, not spam: no event."""
    POLICY = "policy"
    """The server refused us, our content or our route; never the reader's fault."""
    SOFT = "soft"
    """The mailbox cannot take mail at present."""
    HARD = "hard"
    """There is no such mailbox."""
    COMPLAINT = "complaint"
    """The reader pressed the spam button."""


class Effect(enum.StrEnum):
    """What was done about a report."""

    NONE = "none"
    """It says nothing that counts."""
    UNPROVEN = "unproven"
    """Nothing in it proves that it is about a mail of ours: ignored."""
    REPEATED = "repeated"
    """It was known before."""
    RECORDED = "recorded"
    SUPPRESSED = "suppressed"
    QUARANTINED = "quarantined"
    """One of too many hard bounces of an issue: it waits for the operator's word."""


class Standing(enum.StrEnum):
    """How an issue's hard bounces stand once there were too many of them."""

    QUARANTINED = "quarantined"
    APPROVED = "approved"
    """The operator believes them: they suppress."""
    DISMISSED = "dismissed"
    """The operator does not: they are kept, and suppress nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What a report says of one recipient (RFC 3464 §2.3); all of it is somebody else's word."""

    addresses: tuple[str, ...] = ()
    """As it was first given and as it finally was, lower case."""
    action: str = ""
    """`failed`, `delayed`, `delivered`, `relayed` or `expanded`."""
    status: str = ""
    """Enhanced status code (RFC 3463)."""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One message out of the mailbox for reports, read."""

    kind: ReportKind
    recipients: tuple[Recipient, ...] = ()
    feedback: str = ""
    """Feedback-Type of a complaint: `abuse`, `fraud`, `not-spam` …"""
    envelopes: tuple[str, ...] = ()
    """Where a signed return path may stand: the report's own recipient, the envelope id, the returned Return-Path."""
    message_ids: tuple[str, ...] = ()
    """Of the returned message."""
    readers: tuple[str, ...] = ()
    """Whom the returned message was for, lower case."""
    unsubscribe: tuple[str, ...] = ()
    """Tokens of unsubscribe links in the returned headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDelivery:
    """A delivery that a report was proved to be about."""

    issue: int
    subscriber: int
    address: str
    """The address key."""
    delivery: int | None
    """None: of an issue that has been compacted; no event can be kept of it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What came back about one delivery."""

    meaning: Meaning
    at: datetime
    status: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one message out of the mailbox for reports."""

    kind: ReportKind
    meaning: Meaning = Meaning.NOTHING
    effect: Effect = Effect.NONE
    address: str = ""
    """Whose delivery it was about; empty when that was not proved."""
    issue: int | None = None
    status: str = ""
    detail: str = ""
    """The other server's words, or why the message could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """An issue with more hard bounces than are believed without asking."""

    issue: int
    newsletter: str | None
    edition: int | None
    hard: int
    recipients: int
