"""Why a file of public/ was made anew: what of all that it is made from is not as it was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from publisher.model.article import Article
from publisher.model.publication import OutputRecord
from publisher.services.document import Document
from publisher.services.intake import Taken
from publisher.services.standing import Standing

_SHARED = ("program", "config", "templates", "pages")
"""What every page and feed is made from, as `Publishing` names it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause: a `story` or `file` that changed, a `date` that came, a setting, or what happened to the output."""

    because: str
    what: str = ""
    """The file below the articles folder, or of pages/ and static/."""
    change: str = ""


class Causes:
    """What one pass found changed."""

    def __init__(
        self,
        taken: Taken,
        before: Standing | None = None,
        now: Mapping[str, str] | None = None,
        come: Iterable[Article] = (),
        *,
        first: bool = False,
    ) -> None:
        """`before`, `now`: what outputs depend on; `come`: stories of which a date has come; `first`: a first build."""
        self._first = first
        self._unfinished = before is not None and not before.sure
        self._shared = [Reason(name) for name in _SHARED if before and now and before.causes.get(name) != now[name]]
        self._issues = bool(before and now and before.causes.get("issues") != now["issues"])
        self._stories = {article.number: Reason("date", article.source) for article in come}
        for article in taken.gone:
            self._stories[article.number] = Reason("story", article.source, "gone")
        for change, article in taken.changes:
            self._stories[article.number] = Reason("story", article.source, change.kind.value)

    def of(self, document: Document, known: OutputRecord | None) -> list[Reason]:
        """Returns why a document was written over what is `known` of it."""
        if known is not None and known.fingerprint == document.fingerprint:
            return [Reason("missing")]
        if document.file:
            return [Reason("file", document.file, "changed" if known else "new")]
        if self._first:
            return [Reason("first")]
        held = [self._stories[number] for number in document.stories if number in self._stories]
        return self._shared + held or self._otherwise(known is None)

    def of_removed(self) -> list[Reason]:
        """Returns why a file was taken away."""
        return self._shared + list(self._stories.values()) or self._otherwise(new=False)

    def _otherwise(self, new: bool) -> list[Reason]:
        """Of a document that holds nothing that changed: something left it, or it is of something else."""
        if self._stories:
            return list(self._stories.values())
        if self._unfinished:
            return [Reason("unfinished")]
        if self._issues:
            return [Reason("issues")]
        return [Reason("new" if new else "time")]
