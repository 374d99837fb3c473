"""A newsletter that wants approval: planned, held, mailed to nobody until somebody lets it go."""

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.article import Status
from publisher.model.issue import IssueState
from publisher.stores.database import Database
from publisher.stores.schema import deliveries

BEFORE, SLOT, LATER = at("2026-10-18 12:00"), at("2026-10-19 05:00"), at("2026-10-19 09:00")


async def held(database: Database, *, sandbox: bool = True) -> tuple[World, int]:
    """Returns a publication whose daily issue with two stories waits."""
    w = World(database, publication(newsletter("daily", "daily 07:00", approval=True)), sandbox=sandbox)
    await w.due(BEFORE)
    await w.reader("ada", ["daily"], BEFORE)
    for name in ("One", "Two"):
        await w.story(name, at("2026-10-18 20:00"))
    (issue,) = await w.due(SLOT)
    assert issue.state is IssueState.HELD
    assert issue.hold_reasons[0].startswith("approval: ")
    return w, issue.number


async def states(w: World) -> list[str]:
    """Returns how far each mail is."""
    async with w.database.read() as connection:
        return list((await connection.execute(sa.select(deliveries.c.state))).scalars())


@pytest.mark.parametrize("sandbox", [True, False])
async def test_it_waits_and_the_next_one_waits_too(sqlite_database: Database, sandbox: bool) -> None:
    w, number = await held(sqlite_database, sandbox=sandbox)
    assert await states(w) == ["pending"]
    await w.story("Three", at("2026-10-19 20:00"))
    (second,) = await w.due(at("2026-10-20 05:00"))
    assert second.state is IssueState.HELD
    assert [issue.number for issue in await w.issues.held()] == [number, second.number]
    assert (await w.got())["ada"] == ["daily daily:2026-10-19: Two, One", "daily daily:2026-10-20: Three"]


async def test_what_changed_meanwhile_is_decided_anew(sqlite_database: Database) -> None:
    """A plain edit, which otherwise touches no planned mail, is in what goes out; a story taken back is not."""
    w, number = await held(sqlite_database)
    await w.revise("One", "refile", at("2026-10-19 08:00"), deck="Without the slip")
    await w.revise("Two", "withdrawn", at("2026-10-19 08:00"), recalls=True, status=Status.WITHDRAWN)
    assert await w.issues.release(number, LATER)
    assert await w.revising().run(LATER) == 1
    assert (await w.got())["ada"] == ["daily daily:2026-10-19: One v2"]
    assert w.renderer.editions[-1].views[0].deck == "Without the slip"


async def test_what_did_not_change_is_not_rendered_again(sqlite_database: Database) -> None:
    w, number = await held(sqlite_database)
    rendered = len(w.renderer.editions)
    assert await w.issues.release(number, LATER)
    assert await w.revising().run(LATER) == 0
    assert len(w.renderer.editions) == rendered


async def test_cancelled_its_stories_come_with_the_next(sqlite_database: Database) -> None:
    w, number = await held(sqlite_database)
    assert await w.issues.cancel(number, LATER)
    await w.due(at("2026-10-20 05:00"))
    assert (await w.got())["ada"][-1] == "daily daily:2026-10-20: Two, One"


async def test_a_word_to_send_waits_for_the_same_word(sqlite_database: Database) -> None:
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00", approval=True)))
    await w.due(BEFORE)
    await w.reader("ada", ["daily"], BEFORE)
    await w.story("One", at("2026-10-18 20:00"))
    assert (await w.previewing.rehearse("daily", LATER)).held[0].startswith("approval: ")
    sending = await w.planning.send("daily", LATER)
    assert sending.held[0].startswith("approval: ")
    again = await w.planning.send("daily", LATER, release=True)
    assert again.held == ()
    assert again.issue is not None
    assert again.issue.state is IssueState.SENDING
