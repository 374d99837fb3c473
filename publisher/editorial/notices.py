"""What those who have a story are told of it now: the one advisory that stands, and the notes they have not seen."""

from collections.abc import Sequence
from itertools import pairwise

from publisher.editorial.advisories import MAILED, advisories
from publisher.editorial.lifecycle import ADVISED, given_out, new_corrections
from publisher.model.advisory import Advisory, AdvisoryKind
from publisher.model.article import Article, Correction, Status


def standing(versions: Sequence[Article]) -> Advisory | None:
    """Returns the latest advisory that mail is written about, if it still holds; `versions` are all, oldest first.

    A later one takes the place of an earlier one: whoever missed that is told by this. A hold is told only while
    it lasts; one that ended by itself (the story was withdrawn, say) leaves the correction before it standing.
    """
    held = versions[-1].status is Status.HELD if versions else False
    for advisory in reversed(advisories(versions)):
        if advisory.kind in MAILED and (held or advisory.kind is not AdvisoryKind.HOLD):
            return advisory
    return None


def notes_since(versions: Sequence[Article], version: int, until: Article) -> tuple[Correction, ...]:
    """Returns what was said to be wrong since a version, up to another one; oldest first."""
    had = next((article for article in versions if article.version == version), None)
    return _advised(had.corrections if had else (), until)


def correcting(versions: Sequence[Article]) -> Article | None:
    """Returns the latest version that says what was wrong in one that was out before; `versions` are oldest first.

    That may also be one that ended a hold, whenever its note was written.
    """
    out = [version for version in versions if version.status is Status.PUBLISHED and given_out(version)]
    for before, after in reversed(list(pairwise(out))):
        if _advised(before.corrections, after):
            return after
    return None


def _advised(before: tuple[Correction, ...], after: Article) -> tuple[Correction, ...]:
    return tuple(note for note in new_corrections(before, after.corrections) if note.kind in ADVISED)
