"""What readers choose of a newsletter: how often, where their clock is, what of it, and when not at all."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import structlog

from publisher.errors import NotFoundError, UsageError
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.choices import Change, Choices, Wish
from publisher.model.people import Subscription
from publisher.model.zones import time_zones
from publisher.newsletters.rhythm import cadence_of, changed, chosen, paused, pending_since, resumed
from publisher.ports import ChoiceStore

_log = structlog.get_logger(__name__)


class Choosing:
    """The verbs of preferences, for the reader's page and for the operator; `now` is always given."""

    def __init__(self, catalogue: Catalogue, choices: ChoiceStore) -> None:
        self._catalogue = catalogue
        self._choices = choices

    async def change(
        self, subscriber: int, newsletters: Collection[str], change: Change, now: datetime
    ) -> list[Subscription]:
        """Changes what somebody chose of these newsletters, of all or of none; returns their subscriptions.

        Raises UsageError for what is not offered, NotFoundError where there is no subscription.
        """
        self.judge(newsletters, change, now)

        def decide(before: Subscription, own_timezone: str | None) -> Subscription:
            newsletter = self._catalogue.newsletters[before.newsletter]
            return changed(before, change, newsletter, self._zone(before, own_timezone), now)

        after = await self._choices.alter(subscriber, newsletters, decide)
        missing = sorted(set(newsletters) - {one.newsletter for one in after})
        if missing:
            raise NotFoundError(f"there is no subscription to {', '.join(missing)}; subscribe first")
        return after

    def wishes(self, newsletters: Collection[str], change: Change, now: datetime) -> dict[str, Wish]:
        """Returns what somebody new to these newsletters has chosen of each; UsageError for what is not offered."""
        if change == Change():
            return {}
        self.judge(newsletters, change, now)
        choices = chosen(Choices(), change)
        return {
            name: Wish(
                cadence=cadence_of(change.rhythm or "", self._catalogue.newsletters[name]),
                timezone=change.timezone or None,
                choices=choices,
                paused_until=change.paused_until,
            )
            for name in newsletters
        }

    async def pause(self, subscriber: int, now: datetime, until: datetime | None = None) -> None:
        """Holds all that somebody gets, until a moment or until they say so."""
        if until is not None:
            _refuse_the_past(until, now)
        await self._choices.alter(subscriber, list(self._catalogue.newsletters), lambda one, _: paused(one, now, until))

    async def resume(self, subscriber: int, now: datetime) -> None:
        """Ends every pause of somebody."""
        await self._choices.alter(
            subscriber, list(self._catalogue.newsletters), lambda one, zone: self._resumed(one, zone, now)
        )

    async def move(self, subscriber: int, timezone: str) -> None:
        """Gives a person another time zone, empty: the newsletters'; what was pending stays so. UsageError: unknown."""
        _judge_zone(timezone)

        def pinned(one: Subscription, own_timezone: str | None) -> Subscription:
            newsletter = self._catalogue.newsletters[one.newsletter]
            if one.timezone is not None or (own_timezone or "") == timezone:
                return one
            return replace(one, pending_since=pending_since(one, newsletter, self._zone(one, own_timezone)))

        await self._choices.alter(subscriber, list(self._catalogue.newsletters), pinned, timezone=timezone)

    async def wake(self, now: datetime) -> int:
        """Ends the pauses that end by themselves; to be said at every planning pass, before it plans."""
        woken = await self._choices.wake(now, lambda one, zone: self._resumed(one, zone, now))
        if woken:
            _log.info("choose.woken", subscriptions=woken)
        return woken

    def _resumed(self, one: Subscription, own_timezone: str | None, now: datetime) -> Subscription:
        newsletter = self._catalogue.newsletters.get(one.newsletter)
        if newsletter is None:  # config no longer has it: nothing is pending, and nothing can be
            return replace(one, paused_until=None)
        return resumed(one, newsletter, self._zone(one, own_timezone), now)

    def _zone(self, one: Subscription, own_timezone: str | None) -> str:
        return one.timezone or own_timezone or self._catalogue.newsletters[one.newsletter].timezone

    def judge(self, newsletters: Collection[str], change: Change, now: datetime) -> None:
        """Raises UsageError for what these newsletters do not offer, NotFoundError for one that there is not."""
        for name in newsletters:
            if name not in self._catalogue.newsletters:
                known = ", ".join(self._catalogue.newsletters) or "none"
                raise NotFoundError(f"there is no newsletter {name!r}; there are: {known}")
            _judge_rhythm(change.rhythm, self._catalogue.newsletters[name])
        if change.timezone:
            _judge_zone(change.timezone)
        if change.paused_until is not None:
            _refuse_the_past(change.paused_until, now)
        for section in change.sections or ():
            if section not in self._catalogue.sections:
                known = ", ".join(self._catalogue.sections) or "none"
                raise UsageError(f"there is no section {section!r}; there are: {known}")
        for language in change.languages or ():
            if language not in self._catalogue.site.languages:
                known = ", ".join(self._catalogue.site.languages)
                raise UsageError(f"no story is in {language!r}; the languages are: {known}")
        if change.urgency_max is not None and not 0 <= change.urgency_max <= 9:
            raise UsageError("urgency goes from 1, the most urgent, to 9; 0 is no limit")


def _judge_rhythm(rhythm: str | None, newsletter: Newsletter) -> None:
    try:
        cadence_of(rhythm or "", newsletter)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _judge_zone(timezone: str) -> None:
    if timezone and timezone not in time_zones():
        raise UsageError(f"{timezone!r} is not a time zone such as Europe/Istanbul")


def _refuse_the_past(until: datetime, now: datetime) -> None:
    if until <= now:
        raise UsageError(f"a pause until {until:%Y-%m-%d %H:%M} UTC is over already; name a later day")
