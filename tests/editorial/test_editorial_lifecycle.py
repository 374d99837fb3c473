"""What a changed file means, and the article that comes out of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from editorial_samples import BODY, DAY, NOW, PAST, SOON, manuscript

from publisher.editorial.lifecycle import (
    Change,
    ChangeKind,
    article_from,
    compare,
    effective_status,
    given_out,
    released,
    removed,
)
from publisher.errors import RefusedError
from publisher.model.article import Article, Body, Correction, Manuscript, Status

ZONE = "Europe/Istanbul"
OTHER_BODY = Body(html="<p>Other words.</p>", text="Other words.\n")
NOTE = Correction(at=NOW - timedelta(hours=1), kind="correction", text="It was nine years, not eight.")


def made(
    text: Manuscript, previous: Article | None = None, body: Body | None = BODY, now: datetime = NOW, **how: Any
) -> tuple[Change, Article]:
    """Returns the change and the article of a manuscript under a fixed identity."""
    change = compare(previous, body if previous else None, text)
    first_seen_at = previous.first_seen_at if previous else now
    article = article_from(
        text,
        id="tag:example.org,2026-03-08:ferry-line",
        number=7,
        first_seen_at=first_seen_at,
        change=change,
        now=now,
        zone=ZONE,
        previous=previous,
        **how,
    )
    return change, article


def stored(now: datetime = PAST, **said: Any) -> Article:
    return made(manuscript(**said), now=now)[1]


def test_a_story_never_seen_is_new():
    change, story = made(manuscript())
    assert change.kind is ChangeKind.NEW
    assert (story.version, story.published_at, story.updated_at) == (1, PAST, PAST)
    assert (story.first_seen_at, story.first_published_at, story.revised_at) == (NOW, NOW, NOW)
    assert story.path == "/articles/ferry-line/"


@pytest.mark.parametrize("said", [{}, {"status": Status.DRAFT}, {"corrections": (NOTE,), "updated": NOW}], ids=str)
def test_the_same_words_change_nothing(said: dict[str, Any]):
    before = stored(**said)
    change, after = made(manuscript(**said, content_hash="f" * 64), before)
    assert change == Change(kind=ChangeKind.UNCHANGED, version=1)
    assert not change.to_store
    assert after == before


def test_a_file_that_moved_is_the_same_story():
    before = stored()
    change, after = made(manuscript(source="archive/port.md"), before)
    assert change.kind is ChangeKind.MOVED
    assert change.to_store
    assert after == replace(before, source="archive/port.md")


@pytest.mark.parametrize(
    "said",
    [{"body": OTHER_BODY}, {"title": "Ferries"}, {"key_points": ()}, {"section": "sport"}, {"tags": ("sea",)}],
    ids=str,
)
def test_another_text_without_a_word_is_a_quiet_refile(said: dict[str, Any]):
    before = stored()
    change, after = made(manuscript(**said), before)
    assert change == Change(kind=ChangeKind.REFILE, version=2)
    assert (after.version, after.revised_at) == (2, NOW)
    assert (after.published_at, after.updated_at) == (before.published_at, before.updated_at)
    assert after.first_published_at == before.first_published_at


def test_an_advanced_stamp_is_an_update():
    before = stored()
    change, after = made(manuscript(body=OTHER_BODY, updated=NOW), before)
    assert change == Change(kind=ChangeKind.UPDATED, version=2)
    assert (after.published_at, after.updated_at) == (PAST, NOW)


@pytest.mark.parametrize("updated", [PAST, PAST - DAY])
def test_a_stamp_that_says_nothing_new_is_no_update(updated: datetime):
    change, after = made(manuscript(updated=updated), stored())
    assert change.kind is ChangeKind.REFILE
    assert after.updated_at == PAST


@pytest.mark.parametrize("kind", ["correction", "clarification"])
def test_a_new_note_is_a_correction_and_moves_the_stamp(kind: str):
    note = replace(NOTE, kind=kind)
    change, after = made(manuscript(body=OTHER_BODY, corrections=(note,), updated=NOW - DAY), stored())
    assert change == Change(kind=ChangeKind.CORRECTED, version=2, corrections=(note,))
    assert after.updated_at == note.at


def test_of_several_notes_only_the_added_ones_are_new():
    second = replace(NOTE, at=NOW, text="And the boat is called Martı.")
    change, _ = made(manuscript(corrections=(second, NOTE)), stored(corrections=(NOTE,)))
    assert change.corrections == (second,)


def test_a_reworded_note_is_not_a_new_correction():
    change, _ = made(
        manuscript(corrections=(replace(NOTE, text="Nine years, not eight."),)), stored(corrections=(NOTE,))
    )
    assert change == Change(kind=ChangeKind.REFILE, version=2)


def test_a_note_added_while_another_is_reworded_is_the_latest():
    reworded, second = replace(NOTE, text="Nine, not eight."), replace(NOTE, at=NOW, text="Another slip.")
    change, _ = made(manuscript(corrections=(reworded, second)), stored(corrections=(NOTE,)))
    assert change.corrections == (second,)


@pytest.mark.parametrize(
    ("kind", "expected", "moves"), [("update", ChangeKind.UPDATED, True), ("refile", ChangeKind.REFILE, False)]
)
def test_notes_that_correct_nothing_need_no_advice(kind: str, expected: ChangeKind, moves: bool):
    change, after = made(manuscript(corrections=(replace(NOTE, kind=kind),)), stored())
    assert change == Change(kind=expected, version=2)
    assert after.updated_at == (NOTE.at if moves else PAST)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (Status.DRAFT, Status.PUBLISHED, ChangeKind.PUBLISHED),
        (Status.PLANNED, Status.PUBLISHED, ChangeKind.PUBLISHED),
        (Status.PLANNED, Status.DRAFT, ChangeKind.EDITED),
        (Status.DRAFT, Status.KILLED, ChangeKind.KILLED),
    ],
)
def test_before_publication_a_status_changes_no_version(before: Status, after: Status, kind: ChangeKind):
    change, _ = made(manuscript(status=after), stored(status=before))
    assert change == Change(kind=kind, version=1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.HELD, ChangeKind.HELD),
        (Status.WITHDRAWN, ChangeKind.WITHDRAWN),
        (Status.KILLED, ChangeKind.KILLED),
        (Status.DRAFT, ChangeKind.UNPUBLISHED),
        (Status.PLANNED, ChangeKind.UNPUBLISHED),
    ],
)
def test_what_was_out_and_is_taken_back_is_a_new_version(status: Status, kind: ChangeKind):
    change, after = made(manuscript(status=status, title="Ferries"), stored())
    assert change == Change(kind=kind, version=2)
    assert after.status is status
    assert after.first_published_at == PAST


@pytest.mark.parametrize("status", [Status.HELD, Status.WITHDRAWN, Status.DRAFT])
def test_what_was_taken_back_comes_out_again_with_its_old_dates(status: Status):
    before = made(manuscript(status=status), stored())[1]
    change, after = made(manuscript(date=NOW), before)
    assert change == Change(kind=ChangeKind.RELEASED, version=3)
    assert (after.published_at, after.first_published_at) == (PAST, PAST)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.KILLED])
def test_a_killed_story_never_comes_back_under_its_id(status: Status):
    killed = stored(status=Status.KILLED)
    with pytest.raises(RefusedError, match="supersedes"):
        compare(killed, BODY, manuscript(status=status))
    assert compare(killed, BODY, manuscript(status=Status.KILLED)).kind is ChangeKind.UNCHANGED


@pytest.mark.parametrize(
    ("said", "published_at"),
    [
        ({"date": PAST}, PAST),
        ({"date": PAST, "publish_at": NOW - DAY}, PAST),
        ({"date": None}, NOW),
        ({"date": None, "publish_at": SOON}, SOON),
        ({"date": None, "embargo": SOON}, SOON),
    ],
    ids=str,
)
def test_a_story_is_dated_by_its_editor_or_by_its_release(said: dict[str, Any], published_at: datetime):
    assert made(manuscript(**said))[1].published_at == published_at


def test_a_draft_without_a_date_is_dated_when_it_comes_out():
    draft = stored(date=None, status=Status.DRAFT)
    assert made(manuscript(date=None), draft)[1].published_at == NOW


def test_the_date_of_what_was_out_never_moves():
    _, after = made(manuscript(date=NOW), stored())
    assert (after.date, after.published_at) == (NOW, PAST)


@pytest.mark.parametrize(
    ("said", "updated_at"),
    [
        ({}, PAST),
        ({"updated": PAST - DAY}, PAST),
        ({"updated": NOW - DAY}, NOW - DAY),
        ({"updated": NOW - DAY, "corrections": (NOTE,)}, NOTE.at),
        ({"updated": NOW, "corrections": (NOTE,)}, NOW),
    ],
    ids=str,
)
def test_the_stamp_is_the_last_word_and_never_before_publication(said: dict[str, Any], updated_at: datetime):
    assert made(manuscript(**said))[1].updated_at == updated_at


@pytest.mark.parametrize(
    "said",
    [{"status": Status.DRAFT}, {"publish_at": SOON}, {"embargo": SOON}, {"date": SOON}, {"expires": PAST}],
    ids=str,
)
def test_what_is_not_out_has_no_first_publication(said: dict[str, Any]):
    assert made(manuscript(**said))[1].first_published_at is None


@pytest.mark.parametrize("said", [{"publish_at": SOON}, {"embargo": SOON}, {"date": SOON}], ids=str)
def test_a_story_is_first_published_once_its_hour_is_seen(said: dict[str, Any]):
    """Also when nobody was there at the very minute; and only once."""
    waiting = made(manuscript(**said))[1]
    assert released(waiting, NOW) == waiting
    late = SOON + timedelta(minutes=20)
    out = released(waiting, late)
    assert out == replace(waiting, first_published_at=late)
    assert released(out, late + DAY) == out


def test_on_a_baseline_stories_count_as_published_at_their_date():
    assert made(manuscript(), baseline=True)[1].first_published_at == PAST
    undated = made(manuscript(date=None), baseline=True)[1]
    assert undated.published_at == NOW
    assert undated.first_published_at is not None
    assert undated.first_published_at < NOW - timedelta(days=300), "too old for any mail"
    assert made(manuscript(publish_at=SOON), baseline=True)[1].first_published_at is None


def test_edits_before_publication_keep_the_first_version():
    change, after = made(manuscript(title="Ferries", status=Status.DRAFT), stored(status=Status.DRAFT))
    assert change == Change(kind=ChangeKind.EDITED, version=1)
    assert after.title == "Ferries"


def test_a_change_under_embargo_is_a_new_version_as_the_cleared_may_have_the_old_one():
    waiting = stored(embargo=SOON)
    assert given_out(waiting)
    change, _ = made(manuscript(embargo=SOON, body=OTHER_BODY), waiting)
    assert change == Change(kind=ChangeKind.REFILE, version=2)


@pytest.mark.parametrize(
    ("typed", "was_out", "withdraw", "holds"),
    [
        (Status.DRAFT, True, True, Status.WITHDRAWN),
        (Status.PLANNED, True, True, Status.WITHDRAWN),
        (Status.DRAFT, True, False, Status.DRAFT),
        (Status.DRAFT, False, True, Status.DRAFT),
        (Status.PUBLISHED, True, True, Status.PUBLISHED),
        (Status.HELD, True, True, Status.HELD),
    ],
)
def test_back_to_draft_is_a_withdrawal_where_files_are_withdrawn(
    typed: Status, was_out: bool, withdraw: bool, holds: Status
):
    previous = stored() if was_out else stored(status=Status.DRAFT)
    assert effective_status(typed, previous, withdraw=withdraw) is holds
    assert effective_status(typed, None, withdraw=withdraw) is typed


@pytest.mark.parametrize(
    ("said", "withdraw", "status", "version"),
    [
        ({}, True, Status.WITHDRAWN, 2),
        ({}, False, Status.DRAFT, 2),
        ({"status": Status.DRAFT}, True, Status.DRAFT, 1),
        ({"status": Status.DRAFT}, False, Status.DRAFT, 1),
        ({"status": Status.KILLED}, True, Status.KILLED, 1),
        ({"status": Status.KILLED}, False, Status.KILLED, 1),
    ],
    ids=str,
)
def test_a_deleted_file_is_a_story_withdrawn_or_gone(
    said: dict[str, Any], withdraw: bool, status: Status, version: int
):
    gone = removed(stored(**said), NOW, withdraw=withdraw)
    assert (gone.status, gone.version) == (status, version)


def test_a_permalink_pattern_uses_the_day_that_never_moves():
    _, story = made(manuscript(), permalink="/{year}/{month}/{slug}/")
    assert story.path == "/2026/03/ferry-line/"
    assert made(manuscript(date=NOW + 60 * DAY), story, permalink="/{year}/{month}/{slug}/")[1].path == story.path
