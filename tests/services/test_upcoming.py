"""One reader's next issues: the planner's own slots, choices and coverage, and nothing written."""

from typing import Any

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.people import SubscriptionStatus
from publisher.services.upcoming import NextIssue, Upcoming
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.schema import deliveries, issues, metadata, subscriptions, variant_stories

DAILY, ALERTS = newsletter("daily", "daily 07:00"), newsletter("alerts", "instant")
WEEKLY = newsletter("weekly", "weekly fri 18:00", timezone="Europe/Istanbul")


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return World(sqlite_database, publication(DAILY, ALERTS, WEEKLY))


async def upcoming(world: World, person: str, now: str) -> list[NextIssue]:
    subscriber = await People(world.database).by_number(world.people[person])
    assert subscriber is not None
    found = Upcoming(world.planning, world.drafting, world.readers, sandbox=world.sandbox)
    return await found.of(subscriber, [DAILY, ALERTS, WEEKLY], at(now))


async def dump(database: Database) -> str:
    async with database.read() as connection:
        return repr([(await connection.execute(sa.select(table))).all() for table in metadata.sorted_tables])


async def change(world: World, name: str, **values: Any) -> None:
    async with world.database.write() as connection:
        await connection.execute(sa.update(subscriptions).where(subscriptions.c.newsletter == name).values(**values))


async def test_what_is_shown_is_what_is_then_planned(world: World) -> None:
    """The very stories, at the very moment, in the reader's own rhythm and zone; looking writes nothing."""
    await world.planning.due(at("2026-10-19 00:00"))
    number = await world.reader("ada", ["daily"], at("2026-10-19 00:00"), timezone="America/New_York")
    await change(world, "daily", cadence="weekly fri 18:30")
    await world.planning.due(at("2026-10-19 00:01"))
    await world.story("First", at("2026-10-19 08:00"))
    await world.story("Second", at("2026-10-20 08:00"), section="economy")
    before = await dump(world.database)
    (daily,) = await upcoming(world, "ada", "2026-10-20 09:00")
    assert await dump(world.database) == before
    assert (daily.due_at, daily.timezone) == (at("2026-10-23 22:30"), "America/New_York")
    assert set(daily.stories) == {"First", "Second"}
    assert await world.planning.due(at("2026-10-23 22:30"))
    async with world.database.read() as connection:
        planned = await connection.execute(
            sa.select(variant_stories.c.article_id)
            .join(deliveries, deliveries.c.variant_id == variant_stories.c.variant_id)
            .join(issues, issues.c.id == deliveries.c.issue_id)
            .where(deliveries.c.subscriber_id == number, issues.c.newsletter == "daily")
        )
        assert set(planned.scalars()) == {world.names["First"], world.names["Second"]}


async def test_each_story_at_once_has_no_next_issue_and_the_soonest_comes_first(world: World) -> None:
    await world.reader("ada", ["weekly", "daily", "alerts"], at("2026-10-19 00:00"))
    found = await upcoming(world, "ada", "2026-10-20 09:00")
    assert [(one.newsletter.id, one.due_at) for one in found] == [
        ("alerts", None),
        ("daily", at("2026-10-21 05:00")),
        ("weekly", at("2026-10-23 15:00")),
    ]


async def test_neither_what_is_there_already_nor_what_may_not_be_read_is_promised(world: World) -> None:
    await world.planning.due(at("2026-10-18 00:00"))
    await world.reader("ada", ["daily"], at("2026-10-18 00:00"), products=["asia"])
    await world.story("Old", at("2026-10-18 08:00"))
    await world.planning.due(at("2026-10-19 05:00"))
    await world.deliver()
    await world.story("Ours", at("2026-10-19 08:00"))
    await world.story("Theirs", at("2026-10-19 08:00"), section="economy")
    (daily,) = await upcoming(world, "ada", "2026-10-19 09:00")
    assert daily.stories == ("Ours",)


async def test_who_is_paused_or_suppressed_is_promised_nothing(world: World) -> None:
    await world.reader("ada", ["daily"], at("2026-10-18 00:00"))
    await world.story("Ours", at("2026-10-19 08:00"))
    await world.suppress("ada", at("2026-10-19 00:00"))
    assert [issue.stories for issue in await upcoming(world, "ada", "2026-10-19 09:00")] == [()]
    await change(world, "daily", status=SubscriptionStatus.PAUSED.value)
    assert await upcoming(world, "ada", "2026-10-19 09:00") == []
