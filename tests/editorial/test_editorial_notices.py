"""What a story's history says to those who have it, as a table."""

from datetime import timedelta

import pytest
from editorial_samples import NOW, article

from publisher.editorial.notices import notes_since, standing
from publisher.editorial.rendition import embargo_text, known_zone
from publisher.model.article import Article, Correction, Status

FIRST = Correction(at=NOW, kind="correction", text="First.")
SECOND = Correction(at=NOW + timedelta(hours=1), kind="clarification", text="Second.")
QUIET = Correction(at=NOW, kind="update", text="More.")


def history(*states: str) -> list[Article]:
    """Returns a story's versions by the first letters of their states; `1`, `2` and `q` are the notes they carry."""
    found = []
    names = {"p": Status.PUBLISHED, "h": Status.HELD, "w": Status.WITHDRAWN, "k": Status.KILLED, "d": Status.DRAFT}
    for number, state in enumerate(states, start=1):
        notes = tuple(note for mark, note in (("1", FIRST), ("2", SECOND), ("q", QUIET)) if mark in state)
        at = NOW + timedelta(minutes=number)
        found.append(article(version=number, status=names[state[0]], corrections=notes, revised_at=at))
    return found


@pytest.mark.parametrize(
    ("states", "event"),
    [
        ("p", None),
        ("p p", None),
        ("p pq", None),
        ("p p1", "correction:7:2"),
        ("p p1 p1", "correction:7:2"),
        ("p p1 p12", "correction:7:3"),
        ("p h", "hold:7:2"),
        ("p h p", "release:7:3"),
        ("p h p1", "release:7:3"),
        ("p p1 h", "hold:7:3"),
        ("p p1 h w", "correction:7:2"),
        ("p h w", None),
        ("p w", None),
        ("p p1 w", "correction:7:2"),
        ("p p1 k", "kill:7"),
        ("p h k", "kill:7"),
        ("p k k", "kill:7"),
    ],
)
def test_one_advisory_stands(states: str, event: str | None) -> None:
    advisory = standing(history(*states.split()))
    assert (advisory and advisory.event) == event


def test_nothing_stands_of_no_history() -> None:
    assert standing([]) is None


@pytest.mark.parametrize(("had", "notes"), [(1, (FIRST, SECOND)), (2, (SECOND,)), (3, ()), (99, (FIRST, SECOND))])
def test_notes_are_those_not_seen_yet(had: int, notes: tuple[Correction, ...]) -> None:
    """A version nobody knows of counts as the first."""
    versions = history("p", "p1", "p12q")
    assert notes_since(versions, had, versions[-1]) == notes


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Istanbul", "3:00\u00a0PM (UTC+03:00), March 10, 2026"),
        ("Asia/Kolkata", "5:30\u00a0PM (UTC+05:30), March 10, 2026"),
    ],
)
def test_an_embargo_ends_at_an_hour_that_nobody_takes_for_another(zone: str, text: str) -> None:
    assert embargo_text(NOW, "en", zone) == text


@pytest.mark.parametrize(
    ("zone", "known"), [(None, "UTC"), ("Asia/Tokyo", "Asia/Tokyo"), ("Mars/One", "UTC"), ("../x", "UTC")]
)
def test_a_zone_that_nobody_knows_is_the_default(zone: str | None, known: str) -> None:
    assert known_zone(zone, "UTC") == known
