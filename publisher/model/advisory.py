"""Advisories: what is said about a story beside the story, as a desk says it to those who have it."""

import enum
from dataclasses import dataclass
from datetime import datetime

from publisher.model.article import Article, Correction


class AdvisoryKind(enum.StrEnum):
    """What happened to a story that was out."""

    CORRECTION = "correction"
    """Something in it was wrong."""
    CLARIFICATION = "clarification"
    """Nothing was wrong, but something was not clear."""
    HOLD = "hold"
    """Not to be used while it is being checked."""
    RELEASE = "release"
    """May be used again after a hold."""
    WITHDRAWAL = "withdrawal"
    """Taken back; nobody is written to about it."""
    KILL = "kill"
    """Taken back for good, with a reason; everybody who has it must know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One such event; `article` is the version that came out of it."""

    kind: AdvisoryKind
    article: Article
    at: datetime
    corrections: tuple[Correction, ...] = ()
    """What is said to have been wrong, when it is about that."""

    @property
    def event(self) -> str:
        """Returns what no other advisory is called; a kill happens to a story once."""
        number = self.article.number
        return f"kill:{number}" if self.kind is AdvisoryKind.KILL else f"{self.name}:{number}:{self.article.version}"

    @property
    def name(self) -> str:
        """Returns the kind as it stands in identities: corrections and clarifications are one sequence."""
        return "correction" if self.kind is AdvisoryKind.CLARIFICATION else self.kind.value

    @property
    def id(self) -> str:
        """Returns the advisory's own permanent id, derived from the story's (RFC 4287 §4.2.6)."""
        base = self.article.id
        return f"{base}{'/' if base.startswith('tag:') else '#'}{self.name}-{self.article.version}"
