"""Who has just joined gets the latest issue: what they may have of it, and nothing that comes to them anyway."""

from datetime import datetime

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.article import Correction, Status
from publisher.model.catalogue import Filter
from publisher.services.introduce import Introducing
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.schema import deliveries, issues, variant_stories

BEFORE, SLOT, JOINED = at("2026-10-18 12:00"), at("2026-10-19 05:00"), at("2026-10-19 12:00")


async def world(database: Database) -> World:
    """Returns a publication that has sent one issue with two stories, one of them economy's."""
    daily = newsletter("daily", "daily 07:00", rhythms=("weekly",))
    w = World(database, publication(daily, newsletter("alerts", "instant", filter=Filter(urgency_max=2))))
    await w.due(BEFORE)
    await w.reader("ada", ["daily"], BEFORE)
    await w.story("One", at("2026-10-18 20:00"))
    await w.story("Two", at("2026-10-18 21:00"), section="economy")
    assert len(await w.due(SLOT)) == 1
    await w.story("Three", at("2026-10-19 08:00"))
    return w


async def introduce(w: World, name: str, now: datetime = JOINED) -> int:
    """Sends somebody who has just confirmed the latest issues."""
    introducing = Introducing(
        planning=w.planning, drafting=w.drafting, issues=w.issues, readers=w.readers, articles=w.articles
    )
    subscriber = await People(w.database).by_number(w.people[name])
    assert subscriber is not None
    return await introducing.send("latest:1", subscriber, w.catalogue.newsletters.values(), now)


async def brought(w: World, name: str) -> list[str]:
    """Returns the stories of somebody's introductions, with how far they are."""
    names = {number: story for story, number in w.names.items()}
    query = (
        sa.select(variant_stories.c.article_id, deliveries.c.state)
        .join(deliveries, deliveries.c.variant_id == variant_stories.c.variant_id)
        .join(issues, issues.c.id == deliveries.c.issue_id)
        .where(issues.c.kind == "introduction", deliveries.c.subscriber_id == w.people[name])
        .order_by(variant_stories.c.position)
    )
    async with w.database.read() as connection:
        return [f"{names[row.article_id]} {row.state}" for row in await connection.execute(query)]


async def test_a_newcomer_gets_the_latest_issue_once_and_then_only_what_is_new(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    await w.reader("bea", ["daily", "alerts"], JOINED)
    assert await introduce(w, "bea") == 1
    assert await introduce(w, "bea") == 0
    assert await brought(w, "bea") == ["One pending", "Two pending"]
    await w.due(at("2026-10-20 05:00"))
    assert await brought(w, "bea") == ["One accepted", "Two accepted"]
    assert (await w.got())["bea"] == ["daily daily:2026-10-20: Three"]
    assert [issue.edition for issue in await w.issues.latest()] == [2, 1]


@pytest.mark.parametrize(
    ("values", "gets"),
    [
        ({"products": ["asia"]}, ["One pending"]),
        ({"products": []}, []),
        # All of it is pending for whoever reads weekly: it comes with their own first issue.
        ({"cadence": "weekly fri 07:00"}, []),
    ],
)
async def test_it_holds_what_that_reader_may_have(
    sqlite_database: Database, values: dict[str, object], gets: list[str]
) -> None:
    w = await world(sqlite_database)
    await w.reader("bea", ["daily"], JOINED, **values)  # type: ignore[arg-type]
    await introduce(w, "bea")
    assert await brought(w, "bea") == gets


async def test_without_an_issue_there_is_none_to_send(sqlite_database: Database) -> None:
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00")))
    await w.due(BEFORE)
    await w.reader("bea", ["daily"], JOINED)
    assert await introduce(w, "bea") == 0


async def test_what_was_wrong_in_it_is_told_to_them_too(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    await w.reader("bea", ["daily"], JOINED)
    await introduce(w, "bea")
    await w.deliver()
    note = Correction(at=at("2026-10-19 13:00"), kind="correction", text="It is GGI.")
    await w.revise("One", "corrected", at("2026-10-19 13:00"), recalls=True, corrections=(note,))
    await w.due(at("2026-10-19 13:01"))
    assert [row[2] for row in await w.notices()] == ["ada", "bea"]


async def test_killed_before_it_left_a_story_does_not_leave(sqlite_database: Database) -> None:
    w = await world(sqlite_database)
    await w.reader("bea", ["daily"], JOINED)
    await introduce(w, "bea")
    later = at("2026-10-19 12:01")
    await w.revise("One", "killed", later, recalls=True, status=Status.KILLED, kill_reason="wrong")
    assert await w.revising().run(later) == 1
    assert await brought(w, "bea") == ["Two pending"]
    assert w.renderer.editions[-1].number == 1
    await w.revise("Two", "killed", later, recalls=True, status=Status.KILLED, kill_reason="wrong")
    assert await w.revising().run(later) == 1
    assert await brought(w, "bea") == ["Two cancelled"]
