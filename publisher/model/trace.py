"""What became of one story: its versions, and the mail that had it."""

from dataclasses import dataclass
from datetime import datetime

from publisher.model.issue import DeliveryState, IssueKind, IssueState, Mention
from publisher.model.view import Depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One version of a story, and what made it one."""

    version: int
    change: str
    """A word of `editorial.lifecycle.ChangeKind`."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An issue that had a story."""

    issue: int
    kind: IssueKind
    newsletter: str | None
    edition: int | None
    state: IssueState
    planned_at: datetime
    versions: tuple[int, ...]
    recipients: int
    accepted: int
    sandbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailed:
    """A mail to one person that had a story."""

    issue: int
    kind: IssueKind
    newsletter: str | None
    edition: int | None
    issue_state: IssueState
    planned_at: datetime
    version: int
    depth: Depth
    mention: Mention
    state: DeliveryState
    ended_at: datetime | None = None
    """None too for mail of long ago, of which only the end is kept."""
    next_at: datetime | None = None
    attempts: int = 0
    reply: str = ""
    """What the relay said last."""
    reason: str = ""
    reports: tuple[str, ...] = ()
    """What came back later: bounces, complaints."""
    sandbox: bool = False
