"""Instant newsletters miss no story: one that was held as it went out, and one that came before the first run."""

from datetime import timedelta

from planning_world import World, at, newsletter, publication

from publisher.model.article import Status
from publisher.model.catalogue import Filter
from publisher.stores.database import Database

MONDAY = at("2026-10-19 04:00")
OUT = at("2026-10-19 06:00")
SOON = timedelta(seconds=2)
MINUTE = timedelta(minutes=1)


def world(database: Database) -> World:
    """Returns a publication with one instant newsletter."""
    return World(database, publication(newsletter("alerts", "instant", filter=Filter(urgency_max=2))))


async def test_a_story_that_was_held_on_its_way_goes_out_when_it_is_released(sqlite_database: Database) -> None:
    """Whom its alert had not reached gets one then; who has the story gets no second."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["alerts"], MONDAY)
    await w.reader("bora", ["alerts"], MONDAY)
    await w.story("S", OUT, urgency=1)
    await w.due(OUT + SOON)
    await w.defer("bora")
    await w.revise("S", "held", OUT + MINUTE, recalls=True, status=Status.HELD)
    assert await w.revising().run(OUT + MINUTE) == 1
    await w.due(OUT + MINUTE + SOON)
    await w.revise("S", "released", OUT + 2 * MINUTE, recalls=True, status=Status.PUBLISHED)
    for second in (2, 3):
        await w.due(OUT + 2 * MINUTE + timedelta(seconds=second))
    got = await w.got()
    assert got == {"ada": ["alerts story:1:1: S"], "bora": ["alerts story:1:1: S", "alerts story:1:3: S v3"]}


async def test_a_story_that_was_held_before_it_went_out_goes_out_when_it_is_released(
    sqlite_database: Database,
) -> None:
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["alerts"], MONDAY)
    await w.story("S", OUT, urgency=1)
    await w.revise("S", "held", OUT + timedelta(seconds=1), recalls=True, status=Status.HELD)
    await w.due(OUT + MINUTE)
    assert (await w.got())["ada"] == []
    await w.revise("S", "released", OUT + 2 * MINUTE, recalls=True, status=Status.PUBLISHED)
    await w.due(OUT + 3 * MINUTE)
    await w.due(OUT + 4 * MINUTE)
    assert (await w.got())["ada"] == ["alerts story:1:3: S v3"]


async def test_a_story_of_before_the_first_run_goes_out_with_it(sqlite_database: Database) -> None:
    """The folder was looked at, a story came in, then the service ran for the first time."""
    w = world(sqlite_database)
    await w.planning.begin(MONDAY)  # as `publisher build` does
    await w.reader("ada", ["alerts"], MONDAY)
    await w.story("S", OUT, urgency=1)
    await w.story("Baseline", OUT, urgency=1, published_at=MONDAY - MINUTE)
    await w.planning.begin(OUT + MINUTE)
    await w.due(OUT + MINUTE)
    assert (await w.got())["ada"] == ["alerts story:1:1: S"]


async def test_beginning_owes_nobody_a_slot(sqlite_database: Database) -> None:
    """A scheduled newsletter has its slots from the first run on, however long ago the folder was first looked at."""
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00")))
    await w.planning.begin(MONDAY - timedelta(days=9))
    await w.due(MONDAY)
    assert await w.slot_states() == []


async def test_a_dry_run_names_stories_that_changed_at_once(sqlite_database: Database) -> None:
    """`send --dry-run` says of what would be held all that planning would say."""
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00", max_articles=50)), sandbox=False)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    for i in range(11):
        await w.story(f"S{i}", MONDAY + i * 2 * MINUTE)
    await w.planning.due(at("2026-10-19 05:00"))
    await w.issues.release(1, at("2026-10-19 05:00"))
    await w.deliver()
    for i in range(11):
        await w.revise(f"S{i}", "updated", OUT)
    held = (await w.previewing.rehearse("daily", OUT + MINUTE)).held
    assert held == ("changed-stories: 11 stories were changed at once",)
    assert (await w.planning.send("daily", OUT + MINUTE)).held == held
