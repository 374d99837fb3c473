"""What readers choose of one newsletter: which stories, in which form, and how often."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from publisher.model.catalogue import Filter


class Form(enum.StrEnum):
    """How much of a mail a reader wants to see; what it brings counts as the same in each."""

    FULL = "full"
    BRIEF = "brief"
    """Titles and summaries."""
    TEXT = "text"
    """Plain text, without HTML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A reader's wishes; equal ones are one profile (decisions 7). Empty lists mean all there is."""

    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    urgency_max: int | None = None
    """2: only flash and urgent; None: whatever the urgency."""
    form: Form = Form.FULL

    @property
    def filter(self) -> Filter:
        """Returns which stories are wished for."""
        return Filter(sections=self.sections, tags=self.tags, languages=self.languages, urgency_max=self.urgency_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody new to a newsletter has chosen of it already."""

    cadence: str | None = None
    timezone: str | None = None
    choices: Choices = field(default_factory=Choices)
    paused_until: datetime | None = None


AS_IT_COMES = Wish()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody wants otherwise with one newsletter; None leaves a thing as it is."""

    rhythm: str | None = None
    """A schedule in its words (`weekly fri 18:00`, `instant`); empty: the newsletter's own."""
    timezone: str | None = None
    """Where the clock of this newsletter is; empty: where the reader's is."""
    paused: bool | None = None
    paused_until: datetime | None = None
    """When the pause that `paused` begins ends by itself; None: when somebody says so."""
    sections: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    urgency_max: int | None = None
    """0: whatever the urgency."""
    form: Form | None = None
