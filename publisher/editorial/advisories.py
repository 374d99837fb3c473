"""What the history of a story says to those who have it: corrections, holds, releases, withdrawals, kills."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from publisher.editorial.lifecycle import ADVISED, given_out, new_corrections
from publisher.model.advisory import Advisory, AdvisoryKind
from publisher.model.article import Article, Correction, Status

MAILED = frozenset(
    {
        AdvisoryKind.CORRECTION,
        AdvisoryKind.CLARIFICATION,
        AdvisoryKind.HOLD,
        AdvisoryKind.RELEASE,
        AdvisoryKind.KILL,
    }
)
"""What those are written to about who got an earlier version."""
PUBLIC = frozenset({AdvisoryKind.CORRECTION, AdvisoryKind.CLARIFICATION})
"""What the public is told in entries of their own; the rest is told by the story's own entry."""


def advisories(versions: Sequence[Article]) -> list[Advisory]:
    """Returns what happened to a story, oldest first; `versions` are all there are, oldest first."""
    return [found for before, after in pairwise(versions) if (found := advisory(before, after)) is not None]


def advisory(before: Article, after: Article) -> Advisory | None:
    """Returns what one version says about the one before it; None when nobody needs to be told."""
    if not given_out(before):
        return None
    notes = tuple(note for note in new_corrections(before.corrections, after.corrections) if note.kind in ADVISED)
    kind = _kind(before.status, after.status, notes)
    if kind is None:
        return None
    notes = notes if after.status is Status.PUBLISHED else ()  # of what is taken back nothing more is said
    return Advisory(kind=kind, article=after, at=after.revised_at, corrections=notes)


def _kind(before: Status, after: Status, notes: Sequence[Correction]) -> AdvisoryKind | None:
    match after:
        case Status.KILLED:
            return AdvisoryKind.KILL if before is not Status.KILLED else None
        case Status.WITHDRAWN:
            return AdvisoryKind.WITHDRAWAL if before in (Status.PUBLISHED, Status.HELD) else None
        case Status.HELD:
            return AdvisoryKind.HOLD if before is Status.PUBLISHED else None
        case Status.PUBLISHED if before is Status.HELD:
            return AdvisoryKind.RELEASE
        case Status.PUBLISHED if notes:
            wrong = any(note.kind == "correction" for note in notes)
            return AdvisoryKind.CORRECTION if wrong else AdvisoryKind.CLARIFICATION
        case _:
            return None


def corrections_of(article: Article) -> list[Correction]:
    """Returns a story's notes for the log of corrections, latest first."""
    return sorted((note for note in article.corrections if note.kind in ADVISED), key=_at, reverse=True)


def _at(note: Correction) -> datetime:
    return note.at
