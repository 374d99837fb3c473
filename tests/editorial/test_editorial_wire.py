"""What a machine client is told, and when a version came out for whom."""

from datetime import datetime
from typing import Any

import pytest
from editorial_samples import ASIA, BODY, CANARY, DAY, NOW, PAST, SOON, SPORT, article, catalogue

from publisher.editorial.rendition import view
from publisher.editorial.wire import as_taken_back, came_out_at, were_out, wire_item
from publisher.model.article import Access, Article, Correction, Status
from publisher.model.people import PUBLIC, Grant, Viewer
from publisher.model.view import Depth
from publisher.model.wire import WireItem

PLAIN = Viewer(grants=(Grant(product=ASIA),))
CLEARED = Viewer(grants=(Grant(product=ASIA, embargo_cleared=True),))
ELSEWHERE = Viewer(grants=(Grant(product=ASIA), Grant(product=SPORT, embargo_cleared=True)))
HOUR_AGO = NOW - (SOON - NOW)
SECRETS = {"ednote": "Ask the harbour master", "slugline": "FERRY-SECRET", "embargo_reason": "Ministry report"}


def told_of(article: Article, depth: Depth, *, told: bool = True) -> WireItem:
    full = depth in (Depth.FULL, Depth.FULL_EMBARGOED)
    shown = view(article, depth, catalogue=catalogue(), body=BODY if full else None)
    assert shown is not None
    return wire_item(article, shown, catalogue(), told=told)


@pytest.mark.parametrize("viewer", [PUBLIC, PLAIN, CLEARED, ELSEWHERE])
@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ({}, PAST),
        ({"publish_at": HOUR_AGO}, HOUR_AGO),
        ({"publish_at": PAST - DAY}, PAST),
        ({"date": HOUR_AGO}, HOUR_AGO),
        ({"date": SOON}, PAST),
        ({"status": Status.KILLED, "publish_at": HOUR_AGO}, PAST),
    ],
)
def test_a_version_comes_out_when_written_or_at_its_hour(viewer: Viewer, said: dict[str, Any], moment: datetime):
    assert came_out_at(article(**said), viewer, NOW) == moment


@pytest.mark.parametrize(
    ("viewer", "moment"), [(PUBLIC, HOUR_AGO), (PLAIN, HOUR_AGO), (ELSEWHERE, HOUR_AGO), (CLEARED, PAST)]
)
def test_an_embargoed_version_comes_out_early_for_who_is_cleared_for_it(viewer: Viewer, moment: datetime):
    assert came_out_at(article(embargo=HOUR_AGO), viewer, NOW) == moment


@pytest.mark.parametrize(
    ("said", "viewer", "known"),
    [
        ({}, PUBLIC, True),
        ({"first_published_at": None}, CLEARED, False),
        ({"status": Status.HELD}, CLEARED, False),
        ({"status": Status.DRAFT, "first_published_at": None}, CLEARED, False),
        ({"first_published_at": None, "embargo": HOUR_AGO}, CLEARED, True),
        ({"first_published_at": None, "embargo": HOUR_AGO}, PLAIN, False),
        ({"first_published_at": None, "embargo": HOUR_AGO}, ELSEWHERE, False),
        ({"first_published_at": None, "embargo": HOUR_AGO}, PUBLIC, False),
    ],
)
def test_only_what_somebody_could_have_had_was_out(said: dict[str, Any], viewer: Viewer, known: bool):
    """An embargo that a kill overtook never ended for anybody else."""
    version = article(**said)
    assert were_out([version], viewer, NOW) == ([version] if known else [])


@pytest.mark.parametrize("status", [Status.DRAFT, Status.PLANNED])
def test_back_at_the_desk_is_withdrawn(status: Status):
    assert as_taken_back(article(status=status)).status is Status.WITHDRAWN
    assert as_taken_back(article()).status is Status.PUBLISHED


def test_a_subscribers_item_has_the_words_of_desk_to_desk():
    item = told_of(article(**SECRETS, subjects=("20000638",), expires=SOON), Depth.FULL)
    assert (item.ed_note, item.slugline, item.subjects) == ("Ask the harbour master", "FERRY-SECRET", ("20000638",))
    assert "Example Wire" in item.usage_terms
    assert item.embargoed_until is None


@pytest.mark.parametrize(
    ("said", "depth"),
    [
        ({"access": Access.PUBLIC}, Depth.FULL),
        ({}, Depth.SUMMARY),
        ({}, Depth.HEADLINE),
        ({"status": Status.HELD}, Depth.HOLD),
        ({"status": Status.WITHDRAWN}, Depth.TOMBSTONE),
        ({"status": Status.KILLED, "kill_reason": "Invented by a rival"}, Depth.TOMBSTONE),
    ],
)
def test_without_a_licence_nobody_hears_the_desk(said: dict[str, Any], depth: Depth):
    item = told_of(article(**(SECRETS | said)), depth, told=False)
    assert not any(secret in repr(item) for secret in [*SECRETS.values(), "rival"])
    assert (CANARY in repr(item)) == (depth is Depth.FULL)


def test_an_embargo_says_until_when_and_why():
    item = told_of(article(**SECRETS, embargo=SOON), Depth.FULL_EMBARGOED)
    assert item.embargoed_until == SOON
    assert item.ed_note.startswith("Embargoed until ")
    assert "Ministry report" in item.ed_note


@pytest.mark.parametrize(
    ("language", "note"),
    [("en", "CORRECTION: Nine years. UPDATE: Two boats."), ("tr", "DÜZELTME: Nine years. GÜNCELLEME: Two boats.")],
)
def test_corrections_are_called_what_they_are(language: str, note: str):
    notes = [("correction", "Nine years."), ("refile", "A comma."), ("update", "Two boats.")]
    corrections = tuple(Correction(at=PAST, kind=kind, text=text) for kind, text in notes)
    assert told_of(article(language=language, corrections=corrections), Depth.FULL).ed_note == note


def test_a_kill_says_why():
    item = told_of(article(status=Status.KILLED, kill_reason="Invented by a rival"), Depth.TOMBSTONE)
    assert item.ed_note == "KILL: Invented by a rival"
    assert "erry" not in repr(item.view).replace(item.view.id, "")
