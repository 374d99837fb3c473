"""Mail that waits is decided anew when what was decided no longer holds (decisions 1)."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.article import Access, Status
from publisher.model.catalogue import Audience
from publisher.model.issue import DeliveryState, Mention, Variant
from publisher.stores.database import Database, micros
from publisher.stores.revisions import Revisions
from publisher.stores.schema import deliveries, licences, subscribers, variants

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")
LATER = SLOT + timedelta(minutes=1)


async def planned(database: Database, *stories: str, audience: Audience = Audience.SUBSCRIBERS) -> World:
    """Returns a world in which the daily has just been planned for ada and bora, and nothing was sent yet."""
    w = World(database, publication(newsletter("daily", "daily 07:00", audience=audience)))
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("bora", ["daily"], MONDAY, products=("asia",))
    await w.planning.due(MONDAY)
    for name in stories:
        await w.story(name, MONDAY + timedelta(minutes=10), access=Access.SUMMARY)
    (issue,) = await w.planning.due(SLOT)
    assert issue.expected == 2
    return w


async def waiting(w: World) -> dict[str, tuple[str, str]]:
    """Returns by reader the state of the delivery and the text of what it brings."""
    query = (
        sa.select(subscribers.c.address, deliveries.c.state, deliveries.c.variant_id)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .order_by(deliveries.c.id)
    )
    async with w.database.read() as connection:
        rows = (await connection.execute(query)).all()
    mails = {row.variant_id: await _text(w, row.variant_id) for row in rows}
    return {row.address.partition("@")[0]: (row.state, mails[row.variant_id]) for row in rows}


async def _text(w: World, variant: int) -> str:
    import zlib

    async with w.database.read() as connection:
        packed = (await connection.execute(sa.select(variants.c.text).where(variants.c.id == variant))).scalar_one()
    return zlib.decompress(packed).decode()


async def in_doubt(w: World, now: object = LATER) -> int:
    return len(await Revisions(w.database, sandbox=w.sandbox).doubtful(now, 100))  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [Status.KILLED, Status.HELD, Status.WITHDRAWN, Status.DRAFT])
async def test_a_story_taken_back_leaves_the_mail_that_waits(sqlite_database: Database, status: Status) -> None:
    w = await planned(sqlite_database, "Good", "Bad")
    await w.revise("Bad", "changed", LATER, recalls=True, status=status)
    assert await in_doubt(w) == 2
    assert await w.revising().run(LATER) == 2
    for state, text in (await waiting(w)).values():
        assert state == DeliveryState.PENDING
        assert "Good [full]" in text
        assert "Bad" not in text
    assert await in_doubt(w) == 0


async def test_mail_with_nothing_left_is_cancelled(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "Bad")
    await w.revise("Bad", "killed", LATER, recalls=True, status=Status.KILLED)
    assert await w.revising().run(LATER) == 2
    assert {state for state, _ in (await waiting(w)).values()} == {DeliveryState.CANCELLED}


async def test_a_correction_goes_out_in_place_of_the_error(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "Error")
    await w.revise("Error", "corrected", LATER, recalls=True, title="Right")
    assert await w.revising().run(LATER) == 2
    for state, text in (await waiting(w)).values():
        assert (state, "Right [full]" in text, "Error" in text) == (DeliveryState.PENDING, True, False)
    stories = await w.issues.stories(1)
    assert [(ref.version, ref.mention) for ref in stories] == [(2, Mention.STORY)]


async def test_a_plain_update_changes_nothing_in_flight(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "Story")
    await w.revise("Story", "updated", LATER, title="Newer")
    assert await in_doubt(w) == 0
    assert await w.revising().run(LATER) == 0


@pytest.mark.parametrize("by_command", [True, False], ids=["revoked", "date"])
async def test_a_licence_that_ends_takes_its_text_from_the_mail_that_waits(
    sqlite_database: Database, by_command: bool
) -> None:
    w = await planned(sqlite_database, "Story")
    if by_command:
        from publisher.stores.people import People

        await People(w.database).revoke(w.people["bora"], ["asia"], LATER)
    else:
        async with w.database.write() as connection:
            await connection.execute(
                licences.update().where(licences.c.subscriber_id == w.people["bora"]).values(valid_until=micros(LATER))
            )
    assert await in_doubt(w, SLOT) == (1 if by_command else 0)
    assert await w.revising().run(LATER) == 1
    found = await waiting(w)
    assert found["ada"][0] == DeliveryState.PENDING
    assert found["bora"][0] == DeliveryState.CANCELLED


async def test_access_that_is_tightened_holds_for_the_mail_that_waits(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "Story", "Other", audience=Audience.PUBLIC)
    await w.revise("Story", "refile", LATER, recalls=True, access=Access.SUBSCRIBER)
    await w.revising().run(LATER)
    for _, text in (await waiting(w)).values():
        assert "Story" not in text
        assert "Other [summary]" in text


async def test_what_is_already_with_the_relay_is_left_alone(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "Bad")
    await w.deliver(DeliveryState.ACCEPTED)
    await w.revise("Bad", "killed", LATER, recalls=True, status=Status.KILLED)
    assert await w.revising().run(LATER) == 0
    assert {state for state, _ in (await waiting(w)).values()} == {DeliveryState.ACCEPTED}


async def test_a_rendering_frozen_from_an_older_version_is_stale_at_once(sqlite_database: Database) -> None:
    """The planner read the story, then it was killed, then the planner wrote what it had read."""
    w = await planned(sqlite_database, "Good", "Bad")
    stories = tuple(replace(ref) for ref in await w.issues.stories(1))
    await w.revise("Bad", "killed", LATER, recalls=True, status=Status.KILLED)
    mail = w.renderer.mail(w.renderer.editions[-1])
    number = await w.issues.add_variant(1, "late", Variant(language="en", form="full", stories=stories, mail=mail))
    async with w.database.read() as connection:
        stale = sa.select(variants.c.stale).where(variants.c.id == number)
        assert (await connection.execute(stale)).scalar_one()


async def test_other_rules_put_everything_in_doubt_once(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "Story")
    assert await w.revising("as it was").run(LATER) == 0
    narrowed = replace(
        w.catalogue.products["asia"],
        exclude=None,
        match=replace(w.catalogue.products["asia"].match, sections=("economy",)),
    )
    w.catalogue = replace(w.catalogue, products={"asia": narrowed})
    assert await w.revising("other").run(LATER) == 2
    found = await waiting(w)
    assert (found["ada"][0], found["bora"][0]) == (DeliveryState.PENDING, DeliveryState.CANCELLED)
    assert await w.revising("other").run(LATER) == 0


async def test_a_second_recall_before_the_mail_goes_is_seen_as_well(sqlite_database: Database) -> None:
    w = await planned(sqlite_database, "One", "Two")
    for name in ("One", "Two"):
        await w.revise(name, "corrected", LATER, recalls=True, title=f"{name} right")
        assert await w.revising().run(LATER) == 2
    for _, text in (await waiting(w)).values():
        assert "One right" in text
        assert "Two right" in text
