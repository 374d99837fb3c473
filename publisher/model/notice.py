"""Notices: mail about a story to those who have it, and to those who may have it ahead of its hour."""

from dataclasses import dataclass

from publisher.model.advisory import AdvisoryKind
from publisher.model.article import Correction
from publisher.model.issue import IssueState
from publisher.model.people import Licence
from publisher.model.view import View


def story_of(event: str) -> int:
    """Returns the number of the story that an event is about: 17 of `correction:17:2`."""
    return int(event.split(":")[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The issue that is made once for an event."""

    number: int
    state: IssueState
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who has a story, or is about to get it."""

    number: int
    """The subscriber's."""
    received: tuple[int, ...] = ()
    """Versions that reached them, or may have, in order."""
    reserved: tuple[int, ...] = ()
    """Versions on their way."""
    newsletters: tuple[str, ...] = ()
    """What brought them, oldest first."""

    @property
    def newest(self) -> int:
        """Returns the newest version they have or are about to get, 0 for none."""
        return max((*self.received, *self.reserved), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Those of one range of subscribers who have a story."""

    first: int
    last: int
    holders: tuple[Holder, ...]
    mark: int
    """Grows with every planned mail: equal marks, equal holders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Whom a notice is written to."""

    number: int
    language: str
    timezone: str | None = None
    licences: tuple[Licence, ...] = ()
    newsletters: frozenset[str] = frozenset()
    """Those they read at present, paused ones too."""
    suppressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeText:
    """All that a notice says, before it is laid out."""

    kind: AdvisoryKind
    heading: str
    text: str = ""
    """What the reader is to do about the story."""
    reason: str = ""
    """Of a kill, as the desk gives it, in the story's language."""
    about: str = ""
    """Which story it is, where its title must not be said: number, section, date."""
    notes: tuple[Correction, ...] = ()
    language: str
    """The story's, as is the direction."""
    direction: str
    story: View | None = None
    """The story as it now is, at the depth this reader may have."""
    newsletter_title: str = ""
    """Of the newsletter that brought the earlier version and can be left; empty: none."""
