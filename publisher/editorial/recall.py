"""What is told of a story beside those that are out: that it was recalled, corrected, or is gone; for one viewer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from publisher.editorial.access import decide, goes_by, subscribed, visible_before, was_open
from publisher.editorial.advisories import MAILED, PUBLIC, advisory
from publisher.editorial.timing import embargoed, expired, scheduled
from publisher.model.advisory import Advisory, AdvisoryKind
from publisher.model.article import Article, Status
from publisher.model.catalogue import Policy
from publisher.model.feed import Departure
from publisher.model.people import Viewer
from publisher.model.view import Channel, Depth

TOLD = timedelta(days=30)
"""How long a recalled story keeps its blanked entry, and an advisory its own."""
REMEMBERED = timedelta(days=365)
"""How long feeds say of what they carried that it is gone (RFC 6721)."""
_RECALLED = frozenset({Status.HELD, Status.WITHDRAWN, Status.KILLED})
_TOLD_WHILE: dict[Status, frozenset[AdvisoryKind]] = {
    Status.PUBLISHED: MAILED - {AdvisoryKind.KILL},
    Status.HELD: frozenset({AdvisoryKind.HOLD, AdvisoryKind.RELEASE}),
    Status.KILLED: frozenset({AdvisoryKind.KILL}),
}
"""What may still be said while a story stands as it does: nothing that repeats what was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one viewer is told of one story beside the story itself."""

    seen: tuple[Article, ...]
    """The versions that the viewer could have had: they say in which lists the story stood."""
    recalled: tuple[Article, Depth] | None = None
    """The story as it is now, when it is held, withdrawn or killed."""
    listed: bool = False
    """Whether the recalled story still has its entry in feeds."""
    advisories: tuple[tuple[Advisory, Depth], ...] = ()
    departure: Departure | None = None

    @property
    def in_feeds(self) -> bool:
        """Whether feeds have an entry because of it."""
        return self.listed or bool(self.advisories)

    @property
    def entries(self) -> int:
        """How many entries feeds have because of it, at most."""
        return self.listed + len(self.advisories)

    @property
    def latest(self) -> datetime:
        """When the last of it happened."""
        moments = [one.at for one, _ in self.advisories]
        moments += [self.recalled[0].revised_at] if self.recalled else []
        moments += [self.departure.at] if self.departure else []
        return max(moments)

    @property
    def mark(self) -> str:
        """Returns what differs when anything that is told does."""
        recalled = f"{self.recalled[0].version}.{self.recalled[1]}.{self.listed}" if self.recalled else ""
        notes = " ".join(f"{one.id}.{depth}" for one, depth in self.advisories)
        return f"{recalled} {notes} {self.departure}"


def tell(versions: Sequence[Article], viewer: Viewer, now: datetime, policy: Policy) -> Telling | None:
    """Returns what a viewer is told of a story, from all its versions, oldest first; None for nothing at all."""
    seen = seen_by(versions, viewer, now, policy)
    if not seen:
        return None
    current = versions[-1]
    told = Telling(seen=tuple(seen), advisories=tuple(_advisories(versions, viewer, now, policy)))
    if _stands(current):
        return told if told.advisories else None
    at = recalled_at(versions)
    if current.status in _RECALLED:
        depth = _depth(versions, viewer, now, policy)
        told = replace(
            told, recalled=(replace(as_had(current, seen[-1]), revised_at=at), depth), listed=now - at < TOLD
        )
        at += TOLD
    if not told.listed and now < at + REMEMBERED:
        told = replace(told, departure=Departure(id=current.id, at=at))
    return told if told.recalled or told.departure else None


def latest_told(tellings: Sequence[Telling], limit: int) -> tuple[list[Telling], int]:
    """Returns the latest of what is told, no more than half of a feed of `limit` entries, and how many are left.

    A recall concerns those who have the story, however old it is: the newest stories leave it room.
    """
    room = max(1, limit // 2)
    found: list[Telling] = []
    for telling in sorted(tellings, key=lambda one: one.latest, reverse=True):
        if telling.entries <= room:
            found.append(telling)
            room -= telling.entries
    return found, max(0, limit - sum(telling.entries for telling in found))


def as_had(current: Article, had: Article) -> Article:
    """Returns a story that is out no more in the words that a viewer had: later ones may have been for others."""
    return replace(current, title=had.title, language=had.language, path=had.path)


def recalled_at(versions: Sequence[Article]) -> datetime:
    """Returns when a story came to stand as it does now."""
    at = versions[-1].revised_at
    for version in reversed(versions):
        if (version.status, _stands(version)) != (versions[-1].status, _stands(versions[-1])):
            break
        at = version.revised_at
    return at


def released_at(versions: Sequence[Article]) -> datetime | None:
    """Returns when a story that is out came back, for readers that were told it had gone; None when it never left."""
    out = [_stands(version) for version in versions]
    if not out[-1] or all(out[out.index(True) :]):
        return None
    return recalled_at(versions)


def moments(versions: Sequence[Article]) -> list[datetime]:
    """Returns when time alone changes what is told of a story."""
    changes = [version.revised_at for version in versions[1:]]
    return [*(at + TOLD for at in changes), *(at + wait for at in changes for wait in (REMEMBERED, TOLD + REMEMBERED))]


def seen_by(versions: Sequence[Article], viewer: Viewer, now: datetime, policy: Policy) -> list[Article]:
    """Returns the versions that were out, among all, for a viewer as entitled now; oldest first."""
    ends = [*(version.revised_at for version in versions[1:]), None]
    return [
        version
        for version, end in zip(versions, ends, strict=False)
        if _was_out(version, end or now)
        and visible_before([version], viewer, now, policy)
        and was_open(version, viewer, now, until=end, policy=policy)
    ]


def _stands(version: Article) -> bool:
    """Returns whether feeds carry a version at all: one that was made a letter has left them like a removed one."""
    return version.status is Status.PUBLISHED and goes_by(version, Channel.FEED)


def _was_out(version: Article, until: datetime) -> bool:
    return (
        _stands(version)
        and version.first_published_at is not None
        and not scheduled(version, until)
        and not embargoed(version, until)
        and not expired(version, version.revised_at)
    )


def _depth(versions: Sequence[Article], viewer: Viewer, now: datetime, policy: Policy) -> Depth:
    earlier = seen_by(versions, viewer, now, policy)
    return decide(versions[-1], viewer, Channel.FEED, now, earlier=earlier, policy=policy)


def _advisories(
    versions: Sequence[Article], viewer: Viewer, now: datetime, policy: Policy
) -> list[tuple[Advisory, Depth]]:
    """Returns what happened lately to a story of which the viewer could have had a version before."""
    current = versions[-1]
    kinds = (MAILED if subscribed(viewer, now) else PUBLIC) & _TOLD_WHILE.get(current.status, frozenset())
    found = []
    for count in range(1, len(versions)):
        one = advisory(versions[count - 1], versions[count])
        if one is None or one.kind not in kinds or now - one.at >= TOLD:
            continue
        had = seen_by([*versions[:count], replace(versions[count], status=Status.DRAFT)], viewer, now, policy)
        if not had:
            continue
        if one.article.status is not Status.PUBLISHED:
            one = replace(one, article=as_had(one.article, had[-1]))
        then = _depth([*versions[:count], _timed_as(versions[count], current)], viewer, now, policy)
        depths = {then, _depth(versions, viewer, now, policy)}
        if Depth.HIDE not in depths:
            found.append((one, Depth.HEADLINE if Depth.HEADLINE in depths else then))
    return found


def _timed_as(version: Article, current: Article) -> Article:
    """Returns a version with the dates of the present one, which say from when until when the story may be out."""
    return replace(version, publish_at=current.publish_at, embargo=current.embargo, expires=current.expires)
