"""What is known of the hubs that are told of changed feeds."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTrouble:
    """Why a hub takes no word at the moment."""

    error: str
    since: datetime
    failures: int
    """In a row."""
    again_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HubState:
    """How things stand with one hub."""

    hub: str
    waiting: int
    """Feeds that it has still to be told of."""
    trouble: HubTrouble | None = None
