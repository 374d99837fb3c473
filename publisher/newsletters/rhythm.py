"""A reader's own rhythm: which ones a newsletter offers, and what a change or a pause leaves pending.

Nothing is brought twice, for coverage knows what a reader has. Nothing is
lost by a change either: what was pending on the old clock is pending on the
new one. A pause is what it says: what came out meanwhile is not sent
afterwards, unless it was over before any issue could be missed.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from publisher.model.catalogue import Newsletter
from publisher.model.choices import Change, Choices
from publisher.model.people import Subscription, SubscriptionStatus
from publisher.newsletters.schedule import INSTANT, Schedule, parse, previous_slot


def cadence_of(text: str, newsletter: Newsletter) -> str | None:
    """Returns the one spelling of a rhythm that a newsletter offers; None: its own. ValueError for any other."""
    if not text.strip():
        return None
    schedule = parse(text)
    if schedule.text == parse(newsletter.schedule).text:
        return None
    if schedule.kind not in newsletter.rhythms:
        offered = ", ".join(newsletter.rhythms) or "none but its own"
        raise ValueError(f"{newsletter.id} does not offer {schedule.text!r}; it offers: {offered}")
    return schedule.text


def clock_of(subscription: Subscription, newsletter: Newsletter) -> Schedule:
    """Returns the rhythm of a reader's issues; what does not reach an instant reader at once comes with the others'."""
    cadence = subscription.cadence
    return parse(newsletter.schedule if cadence in (None, INSTANT) else cadence)


def pending_since(subscription: Subscription, newsletter: Newsletter, zone: str) -> datetime | None:
    """Returns the instant after which stories are pending for a reader; None for one who has not confirmed."""
    if subscription.pending_since is not None or subscription.confirmed_at is None:
        return subscription.pending_since
    return last_cut(clock_of(subscription, newsletter), newsletter, zone, subscription.confirmed_at)


def changed(before: Subscription, change: Change, newsletter: Newsletter, zone: str, now: datetime) -> Subscription:
    """Returns a subscription after a change; `zone` is where the reader's clock was. ValueError: not offered."""
    after = before
    if change.rhythm is not None:
        after = replace(after, cadence=cadence_of(change.rhythm, newsletter))
    if change.timezone is not None:
        after = replace(after, timezone=change.timezone or None)
    if (after.cadence, after.timezone) != (before.cadence, before.timezone):
        after = replace(after, pending_since=pending_since(before, newsletter, zone))
    if change.paused is not None:
        end = change.paused_until
        after = paused(after, now, end) if change.paused else resumed(after, newsletter, zone, now)
    return replace(after, choices=chosen(before.choices, change))


def paused(subscription: Subscription, now: datetime, until: datetime | None) -> Subscription:
    """Returns a subscription whose reader wants nothing for a while; one that is paused gets the new end."""
    if subscription.status is SubscriptionStatus.PAUSED:
        return replace(subscription, paused_until=until)
    if subscription.status is not SubscriptionStatus.CONFIRMED:
        return subscription
    return replace(subscription, status=SubscriptionStatus.PAUSED, paused_at=now, paused_until=until)


def resumed(subscription: Subscription, newsletter: Newsletter, zone: str, now: datetime) -> Subscription:
    """Returns a subscription whose pause is over, now or when it was to end by itself."""
    if subscription.status is not SubscriptionStatus.PAUSED:
        return subscription
    end = min(now, subscription.paused_until or now)
    cut = last_cut(clock_of(subscription, newsletter), newsletter, zone, end)
    missed = subscription.paused_at is None or cut + _grace(newsletter) > subscription.paused_at
    return replace(
        subscription,
        status=SubscriptionStatus.CONFIRMED,
        paused_at=None,
        paused_until=None,
        pending_since=cut if missed else subscription.pending_since,
    )


def last_cut(clock: Schedule, newsletter: Newsletter, zone: str, at: datetime) -> datetime:
    """Returns up to when stories were looked at for the last issue before an instant; an instant clock has none."""
    before = previous_slot(clock, zone, at)
    return before.due_at - _grace(newsletter) if before else at


def chosen(before: Choices, change: Change) -> Choices:
    """Returns which stories somebody wants, and in which form, after a change."""
    urgency = before.urgency_max if change.urgency_max is None else change.urgency_max or None
    return Choices(
        sections=before.sections if change.sections is None else tuple(sorted(set(change.sections))),
        tags=before.tags if change.tags is None else tuple(sorted(set(change.tags))),
        languages=before.languages if change.languages is None else tuple(sorted(set(change.languages))),
        urgency_max=urgency,
        form=change.form or before.form,
    )


def _grace(newsletter: Newsletter) -> timedelta:
    return timedelta(seconds=newsletter.grace_seconds)
