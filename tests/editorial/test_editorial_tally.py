"""How much of a day the public sees, in the day of the site."""

from datetime import UTC, datetime, timedelta

import pytest
from editorial_samples import article

from publisher.editorial.tally import Tally, next_day, tally
from publisher.model.article import Article
from publisher.model.view import Depth

ISTANBUL = "Europe/Istanbul"
MIDNIGHT = datetime(2026, 3, 9, 21, 0, tzinfo=UTC)
NOON = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def at(number: int, moment: datetime, **said: object) -> Article:
    return article(number=number, published_at=moment, **said)


STORIES = [
    at(9, NOON + timedelta(minutes=1)),
    at(1, NOON),
    at(2, NOON - timedelta(hours=1)),
    at(3, MIDNIGHT + timedelta(hours=1), language="tr"),
    at(4, MIDNIGHT),
    at(5, MIDNIGHT - timedelta(seconds=1)),
]
"""The first is still to come, the last of yesterday."""


@pytest.mark.parametrize(
    ("depths", "found"),
    [
        ({}, Tally(out=4, hidden=4)),
        ({1: Depth.FULL, 2: Depth.SUMMARY, 3: Depth.HEADLINE, 4: Depth.HIDE}, Tally(out=4, hidden=1, summarised=2)),
        ({1: Depth.FULL, 2: Depth.FULL, 3: Depth.FULL, 4: Depth.FULL}, Tally(out=4)),
        ({5: Depth.SUMMARY, 9: Depth.SUMMARY}, Tally(out=4, hidden=4)),
    ],
)
def test_a_day_is_counted_from_its_midnight_until_now(depths: dict[int, Depth], found: Tally) -> None:
    assert tally(STORIES, depths, NOON, ISTANBUL, lambda _: True) == found


def test_a_page_counts_the_stories_that_it_tells_of() -> None:
    assert tally(STORIES, {}, NOON, ISTANBUL, lambda one: one.language == "tr") == Tally(out=1, hidden=1)


@pytest.mark.parametrize(
    ("zone", "now", "ends"),
    [
        (ISTANBUL, NOON, "2026-03-11T00:00:00+03:00"),
        (ISTANBUL, MIDNIGHT, "2026-03-11T00:00:00+03:00"),
        ("America/New_York", datetime(2026, 3, 8, 6, 0, tzinfo=UTC), "2026-03-09T00:00:00-04:00"),
        ("UTC", datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC), "2026-03-11T00:00:00+00:00"),
    ],
)
def test_a_day_ends_at_local_midnight_whatever_its_length(zone: str, now: datetime, ends: str) -> None:
    assert next_day(now, zone).isoformat() == ends
