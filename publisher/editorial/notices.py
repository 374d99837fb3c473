"""What those who have a story are told of it now: the one advisory that stands, and the notes they have not seen."""

from collections.abc import Sequence

from publisher.editorial.advisories import MAILED, advisories
from publisher.editorial.lifecycle import ADVISED, new_corrections
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
    before = had.corrections if had else ()
    return tuple(note for note in new_corrections(before, until.corrections) if note.kind in ADVISED)
