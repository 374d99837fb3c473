"""What a changed file means for its story: new, refiled, updated, corrected, held, withdrawn or killed."""

import enum
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from publisher.editorial.identity import PERMALINK, address
from publisher.editorial.timing import publishable
from publisher.errors import RefusedError
from publisher.model.article import Article, Body, Correction, Deliver, Manuscript, Status, Story

_STORY_FIELDS = tuple(field.name for field in fields(Story))
_TEXT_FIELDS = tuple(name for name in _STORY_FIELDS if name not in ("status", "corrections"))
ADVISED = frozenset({"correction", "clarification"})
"""Kinds of notes that are an advisory of their own; an update or a refile is none."""
_QUIET = "refile"
_UNDATED_AGE = timedelta(days=365)
"""How old a story without a date counts that was there before us."""


class ChangeKind(enum.StrEnum):
    """What happened to a story, in the desk's words; of several things at once, the one that matters most."""

    NEW = "new"
    UNCHANGED = "unchanged"
    MOVED = "moved"
    """The same story in another file."""
    EDITED = "edited"
    """A change before the story was ever out."""
    REFILE = "refile"
    """Another text without a word about it: quiet, no date moves."""
    UPDATED = "updated"
    CORRECTED = "corrected"
    PUBLISHED = "published"
    """From draft or planned to published, for the first time."""
    RELEASED = "released"
    """Out again after a hold, a withdrawal or a return to draft."""
    UNPUBLISHED = "unpublished"
    """Back to draft or planned after it was out, or made a letter, which has no place on the web."""
    HELD = "held"
    WITHDRAWN = "withdrawn"
    KILLED = "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a manuscript differs from the version the store has."""

    kind: ChangeKind
    version: int
    """Of the article that comes out of it."""
    corrections: tuple[Correction, ...] = ()
    """The corrections and clarifications that are new."""

    @property
    def to_store(self) -> bool:
        """Whether there is anything to keep at all."""
        return self.kind is not ChangeKind.UNCHANGED


def compare(previous: Article | None, previous_body: Body | None, manuscript: Manuscript) -> Change:
    """Returns what a manuscript changes about `previous`, the version the store has (None: it has none).

    The article must be as stored, not `settled`; `manuscript.slug` and `manuscript.status` must be as they shall
    hold (`effective_status`). Raises RefusedError when a killed story would come back under its id.
    """
    if previous is None:
        return Change(kind=ChangeKind.NEW, version=1)
    if previous.status is Status.KILLED and manuscript.status is not Status.KILLED:
        raise RefusedError(
            f"the story {previous.id} was killed and stays killed; publish the substitute under a new id "
            f"and name the old one in `supersedes`"
        )
    corrections = new_corrections(previous.corrections, manuscript.corrections)
    kind = _kind(previous, previous_body, manuscript, corrections)
    same = kind in (ChangeKind.UNCHANGED, ChangeKind.MOVED)
    return Change(
        kind=kind,
        version=previous.version if same or not given_out(previous) else previous.version + 1,
        corrections=tuple(c for c in corrections if c.kind in ADVISED),
    )


_RIGHTS = (
    "status",
    "access",
    "deliver",
    "products",
    "section",
    "tags",
    "language",
    "urgency",
    "subjects",
    "genre",
    "publish_at",
    "embargo",
    "expires",
)
"""What decides who may have a story, and when."""


def recalls(before: Article, after: Article, change: Change) -> bool:
    """Returns whether mail that waits with the version before must be decided anew: a plain update does not do that."""
    return change.kind is ChangeKind.CORRECTED or any(getattr(before, k) != getattr(after, k) for k in _RIGHTS)


def given_out(article: Article) -> bool:
    """Returns whether somebody may have the text: it was out, or went to cleared subscribers under embargo."""
    return article.first_published_at is not None or (
        article.embargo is not None and article.status is Status.PUBLISHED
    )


def _kind(
    previous: Article, previous_body: Body | None, manuscript: Manuscript, corrections: tuple[Correction, ...]
) -> ChangeKind:
    if previous.status is not manuscript.status:
        return _status_change(previous, manuscript.status)
    if not _differs(previous, previous_body, manuscript):
        return ChangeKind.UNCHANGED if previous.source == manuscript.source else ChangeKind.MOVED
    if not given_out(previous):
        return ChangeKind.EDITED
    if manuscript.deliver is Deliver.MAIL is not previous.deliver:
        return ChangeKind.UNPUBLISHED
    if any(correction.kind in ADVISED for correction in corrections):
        return ChangeKind.CORRECTED
    if _stamp(manuscript, previous.published_at) > previous.updated_at:
        return ChangeKind.UPDATED
    return ChangeKind.REFILE


def _status_change(previous: Article, status: Status) -> ChangeKind:
    out = given_out(previous)
    match status:
        case Status.KILLED:
            return ChangeKind.KILLED
        case Status.WITHDRAWN:
            return ChangeKind.WITHDRAWN
        case Status.HELD:
            return ChangeKind.HELD
        case Status.PUBLISHED:
            return ChangeKind.RELEASED if out else ChangeKind.PUBLISHED
        case Status.DRAFT | Status.PLANNED:
            return ChangeKind.UNPUBLISHED if out else ChangeKind.EDITED


def _differs(previous: Article, previous_body: Body | None, manuscript: Manuscript) -> bool:
    return (
        previous_body != manuscript.body
        or previous.corrections != manuscript.corrections
        or any(getattr(previous, name) != getattr(manuscript, name) for name in _TEXT_FIELDS)
    )


def new_corrections(before: tuple[Correction, ...], after: tuple[Correction, ...]) -> tuple[Correction, ...]:
    """Returns the notes that were added; one that was only reworded is not a new one."""
    added = len(after) - len(before)
    if added <= 0:
        return ()
    unseen = sorted((note for note in after if note not in before), key=lambda note: note.at)
    return tuple(unseen[-added:])


def _stamp(story: Story, published_at: datetime) -> datetime:
    """Returns the last significant change: `updated`, or a later correction; never before publication."""
    corrected = (note.at for note in story.corrections if note.kind != _QUIET)
    return max([published_at, *corrected, *([story.updated] if story.updated else [])])


def article_from(
    manuscript: Manuscript,
    *,
    id: str,  # noqa: A002  (the noun's own word)
    number: int,
    first_seen_at: datetime,
    change: Change,
    now: datetime,
    zone: str,
    permalink: str = PERMALINK,
    previous: Article | None = None,
    baseline: bool = False,
) -> Article:
    """Returns the article that a manuscript makes, under the identity the store gave it.

    `zone` is the site's, `permalink` its address pattern. `baseline` is the first run over a folder that was
    there before us: what is out counts as published at its `date`, so that no mail goes out for it.
    """
    published_at = _published_at(manuscript, first_seen_at, now, previous)
    unrevised = previous is not None and change.kind in (ChangeKind.UNCHANGED, ChangeKind.MOVED)
    article = Article(
        **{name: getattr(manuscript, name) for name in _STORY_FIELDS},
        id=id,
        number=number,
        version=change.version,
        source=manuscript.source,
        path=address(manuscript, published_at, zone, permalink),
        first_seen_at=first_seen_at,
        first_published_at=previous.first_published_at if previous else None,
        published_at=published_at,
        updated_at=_stamp(manuscript, published_at),
        revised_at=previous.revised_at if previous and unrevised else now,
    )
    return released(article, now, baseline=baseline)


def _published_at(manuscript: Manuscript, first_seen_at: datetime, now: datetime, previous: Article | None) -> datetime:
    if previous is not None and previous.first_published_at is not None:
        return previous.published_at
    planned = manuscript.date or manuscript.publish_at or manuscript.embargo
    # A draft that is published without any date gets the day it comes out, not the day it was begun.
    return planned or (first_seen_at if previous is None else now)


def released(article: Article, now: datetime, *, baseline: bool = False) -> Article:
    """Returns the article with its first publication noted if it is out at `now` and was not before."""
    if article.first_published_at is not None or not publishable(article, now):
        return article
    if not baseline:
        return replace(article, first_published_at=now)
    # Without a date nobody knows how old it is: old enough that no mail goes out for it.
    dated = article.date or article.publish_at or article.embargo
    age = timedelta(0) if dated else _UNDATED_AGE
    return replace(article, first_published_at=article.published_at - age)


def effective_status(typed: Status, previous: Article | None, *, withdraw: bool) -> Status:
    """Returns the status that holds; back to draft after publication is a withdrawal where files are withdrawn."""
    returned = typed in (Status.DRAFT, Status.PLANNED) and previous is not None and given_out(previous)
    return Status.WITHDRAWN if returned and withdraw else typed


def removed(article: Article, now: datetime, *, withdraw: bool) -> Article:
    """Returns the article as it is once its file is deleted: withdrawn with a word about it, or simply gone.

    A killed story stays killed; one that nobody ever had is gone without a trace.
    """
    if article.status is Status.KILLED:
        return article
    out = given_out(article)
    return replace(
        article,
        status=Status.WITHDRAWN if withdraw and out else Status.DRAFT,
        version=article.version + 1 if out else article.version,
        revised_at=now,
    )
