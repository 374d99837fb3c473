"""What was to be told, and was overtaken: it is told after all when it holds again, and never waits for nothing."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.article import Access, Correction, Status
from publisher.model.issue import DeliveryState
from publisher.stores.database import Database, micros
from publisher.stores.people import People
from publisher.stores.revisions import Revisions, unfit
from publisher.stores.schema import deliveries, issues, licences, subscribers, variants

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")
SAID = at("2026-10-19 10:00")
SOON = timedelta(seconds=2)
HOUR = timedelta(hours=1)
NOTE = Correction(at=SAID, kind="correction", text="It is GGI.")


async def sent(database: Database, *, sandbox: bool = True) -> World:
    """Returns a publication whose story S went to Ada."""
    w = World(database, publication(newsletter("daily", "daily 07:00")), sandbox=sandbox)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    await w.planning.due(SLOT)
    await w.issues.release(1, SLOT)
    await w.deliver()
    return w


async def told(w: World) -> list[tuple[str, ...]]:
    """Returns event, story, depth and end of every notice's mail."""
    return [(event, story, depth, end) for _, event, _, story, depth, end in await w.notices()]


async def balances(w: World) -> dict[str, tuple[str, int, int]]:
    """Returns state, balance and number of rows of every issue about a story."""
    found = {}
    for issue in await w.issues.latest():
        counts = await w.issues.counts(issue.number)
        if issue.event:
            found[issue.event] = (issue.state.value, issue.expected, counts.planned)
    return found


async def test_a_correction_holds_again_once_a_hold_has_ended_in_a_withdrawal(sqlite_database: Database) -> None:
    """Corrected, held and withdrawn while nothing could be delivered: the correction is what is told."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, recalls=True, corrections=(NOTE,))
    await w.announcing.due(SAID + SOON)
    await w.revise("S", "held", SAID + HOUR, recalls=True, status=Status.HELD)
    await w.announcing.due(SAID + HOUR + SOON)
    await w.revise("S", "withdrawn", SAID + 2 * HOUR, recalls=True, status=Status.WITHDRAWN)
    for _ in range(3):
        await w.announcing.due(SAID + 2 * HOUR + SOON)
    assert await told(w) == [
        ("correction:1:2", "S v4", "tombstone", "pending"),
        ("hold:1:3", "S v3", "hold", "cancelled"),
    ]
    assert (await balances(w))["correction:1:2"] == ("sending", 1, 1)
    await w.deliver()
    await w.announcing.due(SAID + 3 * HOUR)
    assert [row[3] for row in await told(w)] == ["accepted", "cancelled"]


async def test_a_correction_that_was_held_back_holds_again(sqlite_database: Database) -> None:
    """Also where its issue had been ended as a whole while it waited for somebody's word."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(NOTE,))
    await w.announcing.due(SAID + SOON)
    await w.issues.hold(2, "a look first")
    await w.revise("S", "held", SAID + HOUR, recalls=True, status=Status.HELD)
    await w.announcing.due(SAID + HOUR + SOON)
    assert (await balances(w))["correction:1:2"][0] == "cancelled"
    await w.revise("S", "withdrawn", SAID + 2 * HOUR, recalls=True, status=Status.WITHDRAWN)
    await w.announcing.due(SAID + 2 * HOUR + SOON)
    assert (await told(w))[0] == ("correction:1:2", "S v4", "tombstone", "pending")
    assert (await balances(w))["correction:1:2"] == ("sending", 1, 1)


async def test_who_was_told_by_the_hold_is_not_told_again(sqlite_database: Database) -> None:
    """A hold says what was wrong too; whom it reached needs no correction when the story is withdrawn."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(NOTE,))
    await w.announcing.due(SAID + SOON)
    await w.revise("S", "held", SAID + HOUR, recalls=True, status=Status.HELD)
    await w.due(SAID + HOUR + SOON)
    await w.revise("S", "withdrawn", SAID + 2 * HOUR, recalls=True, status=Status.WITHDRAWN)
    await w.announcing.due(SAID + 2 * HOUR + SOON)
    assert [(row[0], row[3]) for row in await told(w)] == [("correction:1:2", "cancelled"), ("hold:1:3", "accepted")]


async def test_what_an_operator_cancelled_stays_so(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(NOTE,))
    await w.announcing.due(SAID + SOON)
    await w.issues.cancel(2, SAID + SOON)
    await w.revise("S", "refile", SAID + HOUR)
    await w.announcing.due(SAID + HOUR + SOON)
    assert [row[3] for row in await told(w)] == ["cancelled"]


async def test_a_hold_that_ended_by_itself_waits_for_nothing(sqlite_database: Database) -> None:
    """Withdrawn before anybody heard of the hold: there is nothing left to say, and nothing stays open."""
    w = await sent(sqlite_database)
    await w.revise("S", "held", SAID, recalls=True, status=Status.HELD)
    await w.announcing.due(SAID + SOON)
    await w.revise("S", "withdrawn", SAID + HOUR, recalls=True, status=Status.WITHDRAWN)
    await w.announcing.due(SAID + HOUR + SOON)
    assert [row[3] for row in await told(w)] == ["cancelled"]


async def test_a_notice_that_waited_for_weeks_is_decided_anew(sqlite_database: Database) -> None:
    """Held back for longer than people are added, it still says what is right when it is let go."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(NOTE,))
    await w.announcing.due(SAID + SOON)
    await w.issues.hold(2, "a look first")
    later = SAID + timedelta(days=9)
    await w.revise("S", "withdrawn", later, recalls=True, status=Status.WITHDRAWN)
    await w.announcing.due(later + SOON)
    await w.issues.release(2, later + SOON)
    await w.announcing.due(later + HOUR)
    assert await told(w) == [("correction:1:2", "S v3", "tombstone", "pending")]
    assert await stale(w, 2) == []


async def stale(w: World, issue: int) -> list[int]:
    """Returns the waiting rows of an issue that nobody would hand out."""
    query = (
        sa.select(deliveries.c.id)
        .join(variants, variants.c.id == deliveries.c.variant_id)
        .where(deliveries.c.issue_id == issue, deliveries.c.state == "pending", variants.c.stale)
    )
    async with w.database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def test_a_digest_tried_again_brings_no_killed_story(sqlite_database: Database) -> None:
    """`issues retry` of an issue that was done when its story was killed decides anew what it brings."""
    w = await sent(sqlite_database)
    await w.story("T", SAID)
    await w.story("U", SAID)
    await w.planning.due(at("2026-10-20 05:00"))
    await w.deliver(DeliveryState.REJECTED)
    now = at("2026-10-20 08:00")
    await w.revise("T", "killed", now, recalls=True, status=Status.KILLED, kill_reason="wrong")
    assert await w.issues.retry(2, now + HOUR) == 1
    assert len(await Revisions(w.database, sandbox=True).doubtful(now + HOUR, 10)) == 1
    await w.revising().run(now + HOUR)
    assert (await w.got())["ada"][-1] == "daily daily:2026-10-20: U"


async def test_a_notice_tried_again_says_what_holds_now(sqlite_database: Database) -> None:
    """A refused correction of a story that was killed meanwhile is not sent after all."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(NOTE,))
    await w.announcing.due(SAID + SOON)
    await w.deliver(DeliveryState.REJECTED)
    await w.revise("S", "killed", SAID + HOUR, recalls=True, status=Status.KILLED, kill_reason="wrong")
    await w.due(SAID + HOUR + SOON)
    assert await w.issues.retry(2, SAID + 2 * HOUR) == 1
    assert await stale(w, 2) != []
    await w.announcing.due(SAID + 2 * HOUR)
    assert [(row[0], row[3]) for row in await told(w)] == [("correction:1:2", "cancelled"), ("kill:1", "accepted")]


async def test_a_mail_that_may_have_arrived_is_not_forgotten(sqlite_database: Database) -> None:
    """Its second try waits when its story is killed: whoever may have the first one is told."""
    w = await sent(sqlite_database)
    await w.story("T", SAID)
    await w.story("U", SAID)
    slot = at("2026-10-20 05:00")
    await w.planning.due(slot)
    async with w.database.write() as connection:
        mine = deliveries.c.issue_id == 2
        await connection.execute(deliveries.update().where(mine).values(state="deferred", resends=1))
    await w.revise("T", "killed", slot + HOUR, recalls=True, status=Status.KILLED, kill_reason="wrong")
    await w.revising().run(slot + HOUR)
    await w.announcing.due(slot + HOUR + SOON)
    assert [row[0] for row in await told(w)] == ["kill:2"]
    await w.planning.due(slot + timedelta(days=1))
    assert (await w.got())["ada"][-1] == "daily daily:2026-10-21: U"


async def test_a_refused_release_that_corrects_comes_with_the_next_digest(sqlite_database: Database) -> None:
    """Whom no notice told finds the corrected story under Corrections, whenever the note was written."""
    w = await sent(sqlite_database)
    await w.revise("S", "held", SAID, recalls=True, status=Status.HELD)
    await w.announcing.due(SAID + SOON)
    await w.deliver(DeliveryState.REJECTED)
    await w.revise("S", "released", SAID + HOUR, recalls=True, status=Status.PUBLISHED, corrections=(NOTE,))
    await w.announcing.due(SAID + HOUR + SOON)
    await w.deliver(DeliveryState.REJECTED)
    await w.due(at("2026-10-20 05:00"))
    assert (await w.got())["ada"][1:] == ["daily daily:2026-10-20: S v3 corrected"]


async def test_a_note_written_during_a_hold_comes_with_the_next_digest(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    await w.revise("S", "held", SAID, recalls=True, status=Status.HELD, corrections=(NOTE,))
    await w.revise("S", "released", SAID + HOUR, recalls=True, status=Status.PUBLISHED)
    await w.announcing.due(SAID + HOUR + SOON)
    await w.deliver(DeliveryState.REJECTED)
    await w.due(at("2026-10-20 05:00"))
    assert (await w.got())["ada"][1:] == ["daily daily:2026-10-20: S v3 corrected"]


async def test_a_release_without_a_note_is_no_correction(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    await w.revise("S", "held", SAID, recalls=True, status=Status.HELD)
    await w.revise("S", "released", SAID + HOUR, recalls=True, status=Status.PUBLISHED)
    await w.announcing.due(SAID + HOUR + SOON)
    await w.deliver(DeliveryState.REJECTED)
    await w.due(at("2026-10-20 05:00"))
    assert (await w.got())["ada"][1:] == []


async def test_a_mail_in_doubt_that_is_tried_again_by_hand_stays_in_doubt(sqlite_database: Database) -> None:
    """`issues retry` does not make anybody forget that the first try may have arrived."""
    w = await sent(sqlite_database)
    await w.story("T", SAID)
    slot = at("2026-10-20 05:00")
    await w.planning.due(slot)
    await w.deliver(DeliveryState.UNCERTAIN)
    assert await w.issues.retry(2, slot + HOUR) == 1
    await w.revise("T", "killed", slot + HOUR, recalls=True, status=Status.KILLED, kill_reason="wrong")
    await w.revising().run(slot + HOUR)
    await w.announcing.due(slot + HOUR + SOON)
    assert [row[0] for row in await told(w)] == ["kill:2"]


async def test_a_notice_that_waits_holds_no_more_than_its_reader_may_have(sqlite_database: Database) -> None:
    """A licence that is revoked, or ends, before the notice goes: the note is told, the text is not."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, recalls=True, corrections=(NOTE,), access=Access.SUBSCRIBER)
    await w.announcing.due(SAID + SOON)
    assert await told(w) == [("correction:1:2", "S v2", "full", "pending")]
    await People(w.database).revoke(w.people["ada"], ["*"], SAID + HOUR)
    for _ in range(2):
        await w.announcing.due(SAID + HOUR)
    assert await told(w) == [("correction:1:2", "S v2", "hide", "pending")]
    assert await stuck(w, SAID + HOUR) == 0


async def test_a_licence_that_ends_while_a_notice_waits(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, recalls=True, corrections=(NOTE,), access=Access.SUBSCRIBER)
    await w.announcing.due(SAID + SOON)
    async with w.database.write() as connection:
        await connection.execute(licences.update().values(valid_until=micros(SAID + HOUR)))
    await w.announcing.due(SAID + HOUR - SOON)
    assert [row[2] for row in await told(w)] == ["full"]
    assert await stuck(w, SAID + HOUR) == 1
    await w.announcing.due(SAID + HOUR)
    assert [row[2] for row in await told(w)] == ["hide"]
    assert await stuck(w, SAID + HOUR) == 0


async def test_other_rules_hold_for_notices_too(sqlite_database: Database) -> None:
    """What waits when config changes is decided by what it says now."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, recalls=True, corrections=(NOTE,), section="economy")
    await w.announcing.due(SAID + SOON)
    await w.revising("as it was").run(SAID + SOON)
    await w.revising("other").run(SAID + HOUR)
    assert await stuck(w, SAID + HOUR) == 1
    await w.announcing.due(SAID + HOUR)
    assert await stuck(w, SAID + HOUR) == 0


async def stuck(w: World, now: datetime) -> int:
    """Returns how many waiting mails nobody would hand out."""
    query = (
        sa.select(sa.func.count())
        .select_from(
            deliveries.join(issues, issues.c.id == deliveries.c.issue_id).join(
                variants, variants.c.id == deliveries.c.variant_id
            )
        )
        .where(deliveries.c.state.in_(["pending", "deferred"]), unfit(sa.literal(micros(now))))
    )
    async with w.database.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_a_withdrawal_is_told_in_the_mails_language(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    async with w.database.write() as connection:
        await connection.execute(subscribers.update().values(language="tr"))
    await w.revise("S", "withdrawn", SAID, recalls=True, status=Status.WITHDRAWN)
    await w.story("T", SAID)
    await w.due(at("2026-10-20 05:00"))
    assert [one.title for one in w.renderer.editions[-1].withdrawn] == ["Geri çekildi: S"]


async def test_what_came_meanwhile_is_not_sent_again_by_a_retry(sqlite_database: Database) -> None:
    """A refused issue is tried again by hand after the next one brought its stories: what only it had goes."""
    w = await sent(sqlite_database)
    await w.story("T", SAID)
    await w.story("U", SAID)
    await w.planning.due(at("2026-10-20 05:00"))
    await w.deliver(DeliveryState.REJECTED)
    later = at("2026-10-20 08:00")
    await w.revise("U", "held", later, recalls=True, status=Status.HELD)
    await w.due(at("2026-10-21 05:00"))
    await w.revise("U", "released", later + timedelta(days=1), recalls=True, status=Status.PUBLISHED)
    now = at("2026-10-21 09:00")
    assert await w.issues.retry(2, now) == 1
    await w.revising().run(now)
    assert (await w.got())["ada"] == [
        "daily daily:2026-10-19: S",
        "daily daily:2026-10-20: U v3",
        "daily daily:2026-10-21: T",
    ]
    await w.deliver()
    assert await w.issues.retry(2, now) == 0
