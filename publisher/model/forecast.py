"""The days to come, as they were played: what each slot brings, and why not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from publisher.model.issue import SlotState


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What became of one slot, or of a story that is told of by itself."""

    newsletter: str | None
    """None: about a single story, whatever people read."""
    slot: str
    """Its period, or the story's event; empty: the newsletter sends nothing in these days."""
    cadence: str = ""
    timezone: str
    due_at: datetime
    planned_at: datetime
    state: SlotState
    issue: int | None = None
    edition: int = 0
    recipients: int = 0
    suppressed: int = 0
    held: tuple[str, ...] = ()
    """Why it waits for somebody's word."""
    readers: int = 0
    """Confirmed readers on this clock."""
    stories: tuple[str, ...] = ()
    """Titles; for each, whether it is new, updated or corrected, in `mentions`."""
    mentions: tuple[str, ...] = ()
    why: str = ""
    """Why nothing goes out; empty: something does."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many readers get nothing, by reason."""
