"""What readers choose, on both databases: kept as chosen, interned, all or nothing, and awake in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from publisher.model.choices import Choices, Form
from publisher.model.people import Subscription, SubscriptionStatus
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.readers import Readers
from publisher.stores.schema import profiles, subscribers, subscriptions

NOW = datetime(2026, 10, 19, 5, tzinfo=UTC)
BRIEF = Choices(sections=("asia",), tags=("rail",), languages=("tr",), urgency_max=2, form=Form.BRIEF)


async def people(database: Database, count: int, newsletters: tuple[str, ...] = ("daily",)) -> list[int]:
    """Adds confirmed readers; returns their numbers."""
    found = []
    async with database.write() as connection:
        for i in range(count):
            values = {"address": f"r{i}@x.org", "address_key": f"r{i}@x.org", "language": "en", "created_at": 0}
            row = await connection.execute(subscribers.insert().values(values).returning(subscribers.c.id))
            found.append(int(row.scalar_one()))
        rows = [
            {"subscriber_id": n, "newsletter": name, "status": "confirmed", "created_at": 0, "confirmed_at": 0}
            for n in found
            for name in newsletters
        ]
        await connection.execute(subscriptions.insert(), rows)
    return found


async def test_what_is_chosen_comes_back_and_equal_choices_are_one_profile(database: Database) -> None:
    first, second, third = await people(database, 3)
    store = ReaderChoices(database)
    chosen = {"cadence": "weekly fri 18:00", "timezone": "Asia/Tokyo", "choices": BRIEF, "pending_since": NOW}
    for number in (first, second):
        (after,) = await store.alter(number, ["daily"], lambda one, _: replace(one, **chosen))
        person = await People(database).person(number)
        assert person is not None
        assert person.subscriptions == (after,)
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(profiles))).scalar() == 1
    reader, _ = await Readers(database).page("daily", "daily 07:00", "UTC", clock=("weekly fri 18:00", "Asia/Tokyo"))
    assert (reader.choices, reader.form, reader.pending_since) == (BRIEF.filter, Form.BRIEF, NOW)
    (back,) = await store.alter(second, ["daily"], lambda one, _: replace(one, choices=Choices()))
    assert back.choices == Choices()
    assert [one.number for one in await Readers(database).page("daily", "daily 07:00", "UTC", address_key="r2@x.org")]
    assert third


async def test_either_all_are_changed_or_none_is(database: Database) -> None:
    (number,) = await people(database, 1, ("alerts", "daily"))

    def decide(one: Subscription, _: str | None) -> Subscription:
        if one.newsletter == "daily":
            raise ValueError("not offered")
        return replace(one, cadence="daily 08:00")

    with pytest.raises(ValueError, match="not offered"):
        await ReaderChoices(database).alter(number, ["alerts", "daily"], decide)
    person = await People(database).person(number)
    assert person is not None
    assert [one.cadence for one in person.subscriptions] == [None, None]


async def test_instant_readers_are_found_at_once_and_on_the_newsletters_clock(database: Database) -> None:
    """What does not reach them at once comes with everybody's issue."""
    first, second = await people(database, 2)
    await ReaderChoices(database).alter(first, ["daily"], lambda one, _: replace(one, cadence="instant"))
    readers = Readers(database)
    assert [one.number for one in await readers.page("daily", "daily 07:00", "UTC", clock=("instant", ""))] == [first]
    own = await readers.page("daily", "daily 07:00", "UTC", clock=("daily 07:00", "UTC"))
    assert [(one.number, one.cadence) for one in own] == [(first, "daily 07:00"), (second, "daily 07:00")]
    assert await readers.clocks("daily", "daily 07:00", "UTC") == [("daily 07:00", "UTC")]
    at_once = await readers.page("daily", "instant", "UTC", clock=("instant", "UTC"))
    assert [one.number for one in at_once] == [first, second]


async def test_pauses_end_at_their_moment_and_no_other_does(database: Database) -> None:
    numbers = await people(database, 3)
    store, hour = ReaderChoices(database), timedelta(hours=1)
    for number, until in zip(numbers, (NOW, NOW + hour, None), strict=True):
        paused = {"status": SubscriptionStatus.PAUSED, "paused_until": until, "paused_at": NOW - hour}
        await store.alter(number, ["daily"], lambda one, _, paused=paused: replace(one, **paused))  # type: ignore[misc]

    def wake(one: Subscription, _: str | None) -> Subscription:
        return replace(one, status=SubscriptionStatus.CONFIRMED, paused_until=None)

    assert await store.wake(NOW - hour, wake) == 0
    assert await store.wake(NOW, wake) == 1
    assert await store.wake(NOW, wake) == 0
    assert [one.number for one in await Readers(database).page("daily", "daily 07:00", "UTC")] == numbers[:1]
    assert await store.wake(NOW + hour, wake) == 1


async def test_a_zone_of_ones_own_is_given_at_the_same_time(database: Database) -> None:
    (number,) = await people(database, 1)
    seen = []
    store = ReaderChoices(database)
    await store.alter(number, ["daily"], lambda one, _: one, timezone="Asia/Tokyo")
    await store.alter(number, ["daily"], lambda one, zone: seen.append(zone) or one, timezone="")  # type: ignore[func-returns-value]
    assert seen == ["Asia/Tokyo"]
    known = await People(database).by_number(number)
    assert known is not None
    assert known.timezone is None
