"""A reader's own rhythm: what may be chosen, and what changes and pauses leave pending."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from publisher.model.catalogue import Newsletter
from publisher.model.choices import Change, Choices, Form
from publisher.model.people import Subscription, SubscriptionStatus
from publisher.model.text import Localized
from publisher.newsletters.rhythm import cadence_of, changed, pending_since, resumed

DAILY = Newsletter(
    id="daily",
    title=Localized.of("Daily"),
    schedule="daily 07:00",
    timezone="UTC",
    rhythms=("instant", "weekdays", "weekly"),
    grace_seconds=900,
)
ALERTS = replace(DAILY, id="alerts", schedule="instant", rhythms=("daily",), grace_seconds=0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reader(**values: object) -> Subscription:
    """Returns somebody who confirmed on Wednesday 21 October at ten."""
    then = at("2026-10-21 10:00")
    common = {"status": SubscriptionStatus.CONFIRMED, "confirmed_at": then, "created_at": then}
    return Subscription(subscriber=1, newsletter="daily", **{**common, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "cadence"),
    [("", None), ("daily 7:00", None), ("Weekly Friday 18:00", "weekly fri 18:00"), ("weekdays 07:00",) * 2],
)
def test_a_rhythm_has_one_spelling_and_the_newsletters_own_is_none(text: str, cadence: str | None) -> None:
    assert cadence_of(text, DAILY) == cadence


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("monthly 1 07:00", "daily does not offer 'monthly 1 07:00'; it offers: instant, weekdays, weekly"),
        ("daily 08:00", "does not offer"),
        ("0 7 * * *", "does not offer"),
        ("sometimes", "is no schedule: write"),
        ("weekly fri 25:00", "is no time of day"),
    ],
)
def test_what_is_not_offered_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        cadence_of(text, DAILY)


@pytest.mark.parametrize(
    ("had", "wanted", "since"),
    [
        # Whoever waits for Sunday's issue has stories of Monday and Tuesday pending: they come on the new clock.
        ("weekly sun 07:00", "", "2026-10-18 06:45"),
        (None, "weekly sun 07:00", "2026-10-21 06:45"),
        ("instant", "weekly sun 07:00", "2026-10-21 06:45"),
    ],
)
def test_a_change_of_rhythm_keeps_what_was_pending(had: str | None, wanted: str, since: str) -> None:
    after = changed(reader(cadence=had), Change(rhythm=wanted), DAILY, "UTC", at("2026-10-22 12:00"))
    assert (after.cadence, after.pending_since) == (wanted or None, at(since))
    again = changed(after, Change(rhythm="weekdays 09:00"), DAILY, "UTC", at("2026-10-23 12:00"))
    assert again.pending_since == at(since)


def test_an_instant_newsletter_looks_back_at_nothing() -> None:
    after = changed(reader(), Change(rhythm="daily 08:00"), ALERTS, "UTC", at("2026-10-22 12:00"))
    assert after.pending_since == at("2026-10-21 10:00")
    assert pending_since(reader(confirmed_at=None), ALERTS, "UTC") is None


def test_another_zone_keeps_what_was_pending() -> None:
    after = changed(reader(), Change(timezone="America/New_York"), DAILY, "UTC", at("2026-10-22 12:00"))
    assert (after.timezone, after.pending_since) == ("America/New_York", at("2026-10-21 06:45"))


@pytest.mark.parametrize(
    ("end", "since"),
    [
        # Over before an issue could be missed: nothing changes.
        ("2026-10-22 06:59", None),
        # What came out meanwhile is not sent afterwards.
        ("2026-10-25 12:00", "2026-10-25 06:45"),
        # By itself, at its moment, whenever somebody looks.
        ("2026-10-22 07:00", "2026-10-22 06:45"),
    ],
)
@pytest.mark.parametrize("by_itself", [False, True])
def test_a_pause_ends(end: str, since: str | None, by_itself: bool) -> None:
    begun = at("2026-10-21 12:00")
    until = at(end) if by_itself else None
    paused = changed(reader(), Change(paused=True, paused_until=until), DAILY, "UTC", begun)
    assert (paused.status, paused.paused_until) == (SubscriptionStatus.PAUSED, until)
    after = resumed(paused, DAILY, "UTC", at("2026-11-30 12:00") if by_itself else at(end))
    assert after == reader(pending_since=None if since is None else at(since))


def test_pausing_again_moves_the_end_and_who_left_stays_away() -> None:
    now = at("2026-10-21 12:00")
    paused = changed(reader(), Change(paused=True), DAILY, "UTC", now)
    again = changed(paused, Change(paused=True, paused_until=at("2026-10-30")), DAILY, "UTC", at("2026-10-23"))
    assert (again.paused_at, again.paused_until) == (now, at("2026-10-30"))
    gone = reader(status=SubscriptionStatus.UNSUBSCRIBED)
    for change in (Change(paused=True), Change(paused=False)):
        assert changed(gone, change, DAILY, "UTC", now) == gone


def test_choices_are_changed_one_by_one_and_equal_ones_are_equal() -> None:
    now = at("2026-10-21 12:00")
    change = Change(sections=("economy", "asia", "asia"), urgency_max=2, form=Form.BRIEF)
    first = changed(reader(), change, DAILY, "UTC", now)
    assert first.choices == Choices(sections=("asia", "economy"), urgency_max=2, form=Form.BRIEF)
    second = changed(first, Change(tags=("rail",), urgency_max=0), DAILY, "UTC", now)
    assert second.choices == Choices(sections=("asia", "economy"), tags=("rail",), form=Form.BRIEF)
    assert second.pending_since is None
