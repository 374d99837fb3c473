"""What keeps an issue from simply going out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from publisher.model.article import Article
from publisher.model.catalogue import Late
from publisher.newsletters.caution import Plan, hold_reasons, many_changed, missed
from publisher.newsletters.schedule import Due

NOW = datetime(2026, 10, 19, 12, tzinfo=UTC)
QUIET = Plan(recipients=100, last_recipients=100, stories=(), first=False, restored=False)


def story(number: int, seen: timedelta, age: timedelta = timedelta(0)) -> Article:
    """Returns a story first seen at NOW + `seen`, dated `age` before that."""
    at = NOW + seen
    return Article(
        id=f"tag:example.org,2026:{number}",
        number=number,
        version=1,
        source="s.md",
        path="/s/",
        slug="s",
        title="S",
        language="en",
        first_seen_at=at,
        first_published_at=at,
        published_at=at - age,
        updated_at=at,
        revised_at=at,
    )


def codes(plan: Plan) -> list[str]:
    return [reason.split(":")[0] for reason in hold_reasons(plan)]


@pytest.mark.parametrize(
    ("count", "step", "held"),
    [(10, 1, False), (11, 1, True), (11, 6, True), (11, 7, False), (30, 60, False), (1, 1, False)],
)
def test_many_changes_within_a_minute_look_like_a_mistake(count: int, step: int, held: bool) -> None:
    """Eleven stories within sixty seconds; who comes later is judged by its own minute."""
    moments = [NOW + timedelta(seconds=step * i) for i in range(count)]
    assert bool(many_changed(moments, NOW)) is held
    assert many_changed(moments, NOW + timedelta(hours=1)) == ()
    if held:
        assert many_changed(moments, moments[-1]) == (f"changed-stories: {count} stories were corrected at once",)


def test_an_ordinary_plan_is_not_held() -> None:
    stories = tuple(story(i, timedelta(hours=i)) for i in range(20))
    assert hold_reasons(replace(QUIET, stories=stories)) == ()


@pytest.mark.parametrize(
    ("plan", "held"),
    [
        (replace(QUIET, first=True), ["first-issue"]),
        (replace(QUIET, restored=True), ["restored"]),
        (replace(QUIET, late=timedelta(hours=6)), []),
        (replace(QUIET, late=timedelta(hours=6, seconds=1)), ["late"]),
        (replace(QUIET, recipients=150), []),
        (replace(QUIET, recipients=151), ["recipients"]),
        (replace(QUIET, recipients=50), []),
        (replace(QUIET, recipients=49), ["recipients"]),
        (replace(QUIET, recipients=40, last_recipients=2), []),
        (replace(QUIET, recipients=1000, last_recipients=None), []),
        (replace(QUIET, stories=tuple(story(i, timedelta(seconds=i)) for i in range(10))), []),
        (replace(QUIET, stories=tuple(story(i, timedelta(seconds=i)) for i in range(11))), ["new-stories"]),
        (replace(QUIET, stories=(story(1, timedelta(0), timedelta(days=30)),)), []),
        (replace(QUIET, stories=(story(1, timedelta(0), timedelta(days=31)),)), ["old-stories"]),
    ],
)
def test_each_reason(plan: Plan, held: list[str]) -> None:
    assert codes(plan) == held


def test_reasons_add_up() -> None:
    assert codes(replace(QUIET, first=True, restored=True, late=timedelta(days=1))) == [
        "first-issue",
        "restored",
        "late",
    ]


@pytest.mark.parametrize(
    ("policy", "hours", "run", "skipped"),
    [
        (Late.RUN, [30, 7, 1], [30, 7, 1], []),
        (Late.SKIP, [30, 7, 6, 1], [6, 1], [30, 7]),
        (Late.MERGE, [30, 7, 1], [1], [30, 7]),
        (Late.MERGE, [30], [30], []),
        (Late.RUN, [], [], []),
        (Late.RUN, list(range(100, 0, -1)), list(range(31, 0, -1)), list(range(62, 31, -1))),
    ],
)
def test_missed_slots(policy: Late, hours: list[int], run: list[int], skipped: list[int]) -> None:
    """Each runs, none that is more than six hours late runs, or the newest stands for all; a long row is cut."""
    due = [Due(NOW - timedelta(hours=h), str(h)) for h in hours]
    decided = missed(due, NOW, policy)
    assert [int(slot.period) for slot in decided.run] == run
    assert [int(slot.period) for slot in decided.skipped] == skipped
