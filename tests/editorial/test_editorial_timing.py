"""What dates alone change, and when to wake for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from editorial_samples import DAY, NOW, PAST, SOON, article, catalogue

from publisher.editorial.shelves import Shelves
from publisher.editorial.timing import Calendar, publishable
from publisher.model.article import Status


@pytest.mark.parametrize(
    ("said", "out"),
    [
        ({}, True),
        ({"status": Status.DRAFT}, False),
        ({"status": Status.HELD}, False),
        ({"status": Status.KILLED}, False),
        ({"publish_at": SOON}, False),
        ({"publish_at": PAST}, True),
        ({"embargo": SOON}, False),
        ({"embargo": PAST}, True),
        ({"expires": PAST}, False),
        ({"expires": SOON}, True),
        ({"publish_at": PAST, "embargo": SOON}, False),
    ],
    ids=str,
)
def test_a_story_is_out_when_nothing_holds_it_back(said: dict[str, Any], out: bool):
    assert publishable(article(**said), NOW) is out


def noted(*stories: Any) -> Calendar:
    calendar = Calendar()
    for number, story in enumerate(stories, start=1):
        calendar.put(replace(story, number=number))
    return calendar


@pytest.mark.parametrize(
    ("stories", "moment"),
    [
        ([], None),
        ([article()], None),
        ([article(publish_at=PAST, embargo=PAST, expires=PAST)], None),
        ([article(publish_at=SOON)], SOON),
        ([article(embargo=SOON)], SOON),
        ([article(expires=SOON)], SOON),
        ([article(date=SOON, first_published_at=None)], SOON),
        ([article(date=SOON)], None),
        ([article(status=Status.DRAFT, publish_at=SOON)], None),
        ([article(status=Status.KILLED, expires=SOON)], None),
        (
            [article(publish_at=SOON + DAY), article(expires=SOON + timedelta(minutes=1)), article()],
            SOON + timedelta(minutes=1),
        ),
        ([article(publish_at=NOW, expires=SOON)], SOON),
    ],
)
def test_the_next_change_is_the_first_date_that_flips_something(stories: list[Any], moment: Any):
    calendar = noted(*stories)
    assert calendar.next_after(NOW) == moment
    if moment is not None:
        assert len(calendar.between(NOW, moment)) == 1
        assert not calendar.between(NOW, moment - timedelta(microseconds=1))


@pytest.mark.parametrize("said", [{"publish_at": SOON}, {"embargo": SOON}, {"expires": SOON}], ids=str)
def test_what_is_out_does_not_change_before_the_next_change(said: dict[str, Any]):
    """Sleeping until then misses nothing, and then something is different."""
    story = article(**said)
    moment = noted(story).next_after(NOW)
    assert moment is not None
    assert publishable(story, moment - timedelta(microseconds=1)) is publishable(story, NOW)
    assert publishable(story, moment) is not publishable(story, NOW)


def test_a_story_that_changed_has_its_new_dates_and_no_old_ones():
    calendar = noted(article(number=1, publish_at=SOON, expires=SOON + DAY), article(number=2, expires=SOON))
    calendar.put(article(number=1, embargo=SOON + 2 * DAY))
    calendar.put(article(number=2))
    assert calendar.next_after(NOW) == SOON + 2 * DAY
    assert calendar.between(NOW, SOON + 9 * DAY) == {1}
    calendar.take(1)
    calendar.take(2)
    assert calendar.next_after(NOW) is None
    assert calendar.between(NOW, SOON + 9 * DAY) == set()


def test_lists_run_from_the_newest_and_then_from_the_latest_come():
    first, second = article(number=1), article(number=2)
    newest = article(number=0, published_at=NOW)
    for came in ([first, newest, second], [second, first, newest]):
        shelves = Shelves(catalogue())
        for one in came:
            shelves.put(one)
        assert shelves.newest() == [newest, second, first]
