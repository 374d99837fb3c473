"""When an issue must not simply go out: slots that were missed, and plans that look like a mistake (decisions 6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.model.article import Article
from publisher.model.catalogue import Late, Newsletter
from publisher.newsletters.schedule import Due

LATE = timedelta(hours=6)
_MOST_MISSED = 31
_MANY_AT_ONCE = 10
AT_ONCE = timedelta(minutes=1)
_OLD = timedelta(days=30)
_FEWEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """What becomes of slots that are due."""

    run: tuple[Due, ...]
    skipped: tuple[Due, ...]


def missed(due: Sequence[Due], now: datetime, policy: Late) -> Missed:
    """Returns which of the due slots, oldest first, get their issue now and which are given up.

    Stories of a slot that is given up stay pending for the next one. Of a very long row of missed slots the newest
    31 run at most, and the 31 before them are named as skipped.
    """
    match policy:
        case Late.RUN:
            run = list(due[-_MOST_MISSED:])
        case Late.SKIP:
            run = [slot for slot in due if now - slot.due_at <= LATE][-_MOST_MISSED:]
        case Late.MERGE:
            run = list(due[-1:])
    skipped = [slot for slot in due[-2 * _MOST_MISSED :] if slot not in run]
    return Missed(run=tuple(run), skipped=tuple(skipped[-_MOST_MISSED:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an issue is judged by before it goes out."""

    recipients: int
    last_recipients: int | None
    """Of the cohort's last issue to real people; None: there was none, or it says nothing about this one."""
    stories: tuple[Article, ...]
    """Those of the issue, and for a story by itself also those that came out together with it."""
    changed: tuple[Article, ...] = ()
    """Those of them that the readers have in an earlier version."""
    first: bool
    """Whether nobody real was ever sent an issue."""
    restored: bool
    """Whether this is a restored copy that has not been told to mail again."""
    late: timedelta = timedelta(0)


def hold_reasons(plan: Plan) -> tuple[str, ...]:
    """Returns why an issue waits for a human's word: `code: sentence` each; nothing when it may go."""
    many = _at_once(story.first_seen_at for story in plan.stories)
    revised = _at_once(story.revised_at for story in plan.changed)
    old = [a for a in plan.stories if (a.first_published_at or a.first_seen_at) - a.published_at > _OLD]
    reasons = {
        "first-issue: this is the first issue to real people": plan.first,
        "restored: this is a restored copy; it mails nobody until told": plan.restored,
        f"late: the slot was due {_hours(plan.late)} hours ago": plan.late > LATE,
        f"recipients: {plan.recipients} instead of {plan.last_recipients} last time": _jumped(plan),
        f"new-stories: {many} stories were first seen at once": many > _MANY_AT_ONCE,
        f"changed-stories: {revised} stories were changed at once": revised > _MANY_AT_ONCE,
        f"old-stories: {len(old)} {'story is' if len(old) == 1 else 'stories are'} dated long ago": bool(old),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def approval(newsletter: Newsletter) -> tuple[str, ...]:
    """Returns why an issue of a newsletter waits whatever it brings: somebody has to approve it."""
    return ("approval: every issue of this newsletter waits until it is released",) if newsletter.approval else ()


def many_changed(moments: Sequence[datetime], at: datetime) -> tuple[str, ...]:
    """Returns why what happened to a story at `at` is not told at once: it happened to many, as a mistake does.

    `moments` are when stories were corrected, killed or held, each story once.
    """
    many = _at_once(moment for moment in moments if abs(moment - at) <= AT_ONCE)
    return (f"changed-stories: {many} stories were corrected at once",) if many > _MANY_AT_ONCE else ()


def _hours(late: timedelta) -> int:
    return late // timedelta(hours=1)


def _jumped(plan: Plan) -> bool:
    last = plan.last_recipients
    if last is None or abs(plan.recipients - last) < _FEWEST:
        return False
    return plan.recipients > 1.5 * last or plan.recipients < 0.5 * last


def _at_once(moments: Iterable[datetime]) -> int:
    """Returns how many moments lie within one minute, at the most."""
    found = sorted(moments)
    return max((sum(start <= at <= start + AT_ONCE for at in found[i:]) for i, start in enumerate(found)), default=0)
