"""Embargoes that come and go: each hour is told once for every time it holds, and nothing else is."""

from datetime import timedelta

import pytest
from planning_world import World, at, newsletter, publication

from publisher.model.article import Status
from publisher.model.catalogue import Filter
from publisher.model.issue import DeliveryState
from publisher.model.people import Terms
from publisher.stores.database import Database
from publisher.stores.people import People

MONDAY = at("2026-10-19 04:00")
FILED = at("2026-10-19 06:00")
SOON = timedelta(seconds=2)
HOUR = at("2026-10-20 09:00")
MOVED = at("2026-10-21 09:00")


async def filed(database: Database, *, sandbox: bool = True) -> World:
    """Returns a publication with a reader who is cleared, and a story under embargo that has just been planned."""
    alerts = newsletter("alerts", "instant", filter=Filter(urgency_max=2))
    w = World(database, publication(alerts, newsletter("daily", "daily 07:00")), sandbox=sandbox)
    await w.due(MONDAY)
    await w.reader("cleo", ["alerts", "daily"], MONDAY, cleared=True)
    await w.story("S", FILED, out=False, embargo=HOUR)
    await w.announcing.due(FILED + SOON)
    return w


async def early(w: World) -> list[tuple[str, str, str]]:
    """Returns event, story and end of every mail about one story."""
    return [(row[1], row[3], row[5]) for row in await w.notices()]


async def test_an_hour_that_comes_back_is_told_again(sqlite_database: Database) -> None:
    """Moved away, told, and moved back: the last mail that somebody has names the hour that holds."""
    w = await filed(sqlite_database)
    await w.deliver()
    for minute, hour in ((10, MOVED), (20, HOUR)):
        await w.revise("S", "refile", FILED + timedelta(minutes=minute), recalls=True, embargo=hour)
        for _ in range(2):
            await w.due(FILED + timedelta(minutes=minute, seconds=2))
    assert await early(w) == [
        ("embargo:1:1", "S", "accepted"),
        ("embargo:1:2", "S v2", "accepted"),
        ("embargo:1:3", "S v3", "accepted"),
    ]


async def test_an_hour_that_moved_for_a_moment_is_not_told_again(sqlite_database: Database) -> None:
    """Moved away and back before anybody heard of it: those who have the story know the hour."""
    w = await filed(sqlite_database)
    await w.deliver()
    await w.revise("S", "refile", FILED + timedelta(minutes=10), recalls=True, embargo=MOVED)
    await w.revise("S", "refile", FILED + timedelta(minutes=10, seconds=1), recalls=True, embargo=HOUR)
    await w.due(FILED + timedelta(minutes=11))
    assert await early(w) == [("embargo:1:1", "S", "accepted")]


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.HELD, Status.DRAFT])
async def test_a_story_that_was_back_in_time_goes_out_after_all(sqlite_database: Database, status: Status) -> None:
    """Taken back while its mail waited, and given out again under the same embargo: it waits no longer."""
    w = await filed(sqlite_database)
    then = FILED + timedelta(minutes=10)
    await w.revise("S", "changed", then, recalls=True, status=status)
    await w.announcing.due(then + SOON)
    assert await early(w) == [("embargo:1:1", "S", "cancelled")]
    await w.revise("S", "released", then + timedelta(hours=1), recalls=True, status=Status.PUBLISHED)
    for _ in range(2):
        await w.announcing.due(then + timedelta(hours=1) + SOON)
    assert await early(w) == [("embargo:1:1", "S v3", "pending")]
    counts = await w.issues.counts(1)
    (issue,) = await w.issues.latest()
    assert (issue.state.value, issue.expected, counts.deferred) == ("sending", 1, 1)


async def test_leaving_the_sandbox_begins_anew(sqlite_database: Database) -> None:
    """Its unfinished mail is none of real people's."""
    w = await filed(sqlite_database)
    w.sandbox = False
    for second in (3, 4):
        await w.announcing.due(FILED + timedelta(seconds=second))
    assert [(event, end) for event, _, end in await early(w)] == [
        ("sandbox:embargo:1:1", "pending"),
        ("embargo:1:1", "pending"),
    ]


async def test_older_stories_hold_no_newer_one(sqlite_database: Database) -> None:
    """Eleven at once wait for a word; one that is filed a day later, by itself, does not."""
    w = await filed(sqlite_database, sandbox=False)
    await w.issues.release(1, FILED)
    await w.deliver()
    for i in range(11):
        await w.story(f"T{i}", FILED + timedelta(hours=1), out=False, embargo=MOVED)
    await w.announcing.due(FILED + timedelta(hours=1) + SOON)
    assert {issue.state.value for issue in await w.issues.latest() if issue.number > 1} == {"held"}
    await w.story("U", FILED + timedelta(days=1), out=False, embargo=MOVED)
    await w.announcing.due(FILED + timedelta(days=1) + SOON)
    newest = (await w.issues.latest())[0]
    assert (newest.event, newest.state.value, newest.hold_reasons) == ("embargo:13:1", "sending", ())


async def test_the_first_mail_is_held_once(sqlite_database: Database) -> None:
    """Once an embargoed story went to real people, the next one is not the first."""
    w = await filed(sqlite_database, sandbox=False)
    (first,) = await w.issues.latest()
    assert first.hold_reasons == ("first-issue: this is the first issue to real people",)
    await w.issues.release(first.number, FILED)
    await w.deliver(DeliveryState.ACCEPTED)
    await w.story("T", FILED + timedelta(hours=1), out=False, embargo=MOVED)
    await w.announcing.due(FILED + timedelta(hours=1) + SOON)
    assert (await w.issues.latest())[0].hold_reasons == ()


async def test_who_is_cleared_no_more_gets_no_mail_that_waits(sqlite_database: Database) -> None:
    """Clearance taken away while the relay puts the mail off: it does not go, and nothing else does."""
    w = await filed(sqlite_database)
    people = People(w.database)
    await people.grant(w.people["cleo"], [Terms(product="*", embargo_cleared=False)], "test", FILED + SOON)
    await w.announcing.due(FILED + timedelta(minutes=1))
    assert [end for *_, end in await early(w)] == ["cancelled"]


async def test_until_its_hour_a_story_is_linked_nowhere_and_named_with_its_hour(sqlite_database: Database) -> None:
    """A digest boxes it, or is silent about what was sent ahead; there is no page to link yet."""
    w = await filed(sqlite_database)
    await w.announcing.due(FILED + SOON)
    await w.deliver()
    await w.story("T", FILED + timedelta(minutes=1), urgency=4)
    await w.story("U", FILED + timedelta(minutes=1), out=False, embargo=MOVED)
    await w.announcing.due(FILED + timedelta(minutes=2))
    await w.deliver(DeliveryState.REJECTED)
    await w.due(at("2026-10-20 05:00"))
    (edition,) = [one for one in w.renderer.editions if one.newsletter_id == "daily"]
    assert {one.title: one.url is None for one in edition.views} == {"U": True, "T": False}
    assert edition.already_sent == ()
