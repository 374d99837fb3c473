"""Recalled stories and ended licences put waiting mail in doubt, on both databases."""

from datetime import timedelta

import pytest
from planning_world import World, at, newsletter, publication

from publisher.model.article import Status
from publisher.model.issue import DeliveryState, IssueState, Variant
from publisher.model.people import Terms
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.revisions import Revisions
from publisher.stores.schema import deliveries, issues

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")
LATER = SLOT + timedelta(minutes=1)


async def planned(database: Database) -> tuple[World, Revisions]:
    """Returns a world whose daily was just planned for two readers."""
    w = World(database, publication(newsletter("daily", "daily 07:00")))
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("bora", ["daily"], MONDAY, products=("asia",))
    await w.planning.due(MONDAY)
    await w.story("Story", MONDAY + timedelta(minutes=10))
    await w.planning.due(SLOT)
    return w, Revisions(database, sandbox=w.sandbox)


async def test_a_recall_doubts_what_waits_and_nothing_else(database: Database) -> None:
    w, revisions = await planned(database)
    await w.revise("Story", "updated", LATER)
    assert await revisions.doubtful(LATER, 10) == []
    await w.revise("Story", "killed", LATER, recalls=True, status=Status.KILLED)
    rows = await revisions.doubtful(LATER, 10)
    assert [(row.stale, len(row.stories), len(row.licences)) for row in rows] == [(True, 1, 1), (True, 1, 1)]
    assert await Revisions(database, sandbox=not w.sandbox).doubtful(LATER, 10) == []


async def test_a_decision_takes_what_still_waits_with_what_it_was_made_from(database: Database) -> None:
    w, revisions = await planned(database)
    await w.revise("Story", "corrected", LATER, recalls=True)
    first, second = await revisions.doubtful(LATER, 10)
    mail = w.renderer.mail(w.renderer.editions[-1])
    variant = Variant(language="en", form="full", stories=(), mail=mail)
    both = [first.number, second.number]
    assert await revisions.replace(both, first.issue, first.variant + 1000, "other", variant, LATER) == 0
    assert await revisions.replace([first.number], first.issue, first.variant, "other", variant, LATER) == 1
    (left,) = await revisions.doubtful(LATER, 10)
    assert left.number == second.number
    assert await revisions.give_up([left.number], left.variant, LATER) == 1
    assert await revisions.give_up([left.number], left.variant, LATER) == 0
    assert await revisions.doubtful(LATER, 10) == []
    counts = await w.issues.counts(first.issue)
    assert (counts.deferred, counts.rejected) == (1, 1)


async def test_what_nobody_got_of_an_issue_is_taken_away(database: Database) -> None:
    """As soon as the last row that waited brings something else; not while one does, nor what somebody has."""
    w, revisions = await planned(database)
    await w.revise("Story", "corrected", LATER, recalls=True)
    first, second = await revisions.doubtful(LATER, 10)
    variant = Variant(language="en", form="full", stories=(), mail=w.renderer.mail(w.renderer.editions[-1]))
    there = set((await w.issues.outcomes(first.issue)).values())
    assert await revisions.tidy(first.issue) == 0
    await revisions.replace([first.number], first.issue, first.variant, "other", variant, LATER)
    await revisions.replace([second.number], first.issue, second.variant, "other", variant, LATER)
    assert await revisions.tidy(first.issue) == len({first.variant, second.variant})
    left = set((await w.issues.outcomes(first.issue)).values())
    assert not left & there
    assert len(left) == 1
    async with database.write() as connection:
        await connection.execute(deliveries.update().values(state=DeliveryState.ACCEPTED))
        await connection.execute(issues.update().values(state=IssueState.DONE))
    assert await Compaction(database).compact(first.issue)
    assert await revisions.tidy(first.issue) == 0
    assert (await w.issues.counts(first.issue)).accepted == 2


async def test_licences_that_end_or_change_doubt_the_mail_of_their_holder_once(database: Database) -> None:
    w, revisions = await planned(database)
    await People(database).revoke(w.people["bora"], ["asia"], LATER)
    (row,) = await revisions.doubtful(LATER, 10)
    assert row.subscriber == w.people["bora"]
    assert await revisions.confirm([row.number], row.variant, LATER) == 1
    assert await revisions.doubtful(LATER, 10) == []
    assert await revisions.doubt_everything() == 2
    assert len(await revisions.doubtful(LATER, 10)) == 2


async def test_doubtful_mail_is_not_handed_out(database: Database) -> None:
    from publisher.model.delivery import Boot
    from publisher.stores.deliveries import Deliveries

    w, revisions = await planned(database)
    await People(database).revoke(w.people["bora"], ["asia"], LATER)
    store = Deliveries(database, str, sandbox=w.sandbox)
    boot = Boot(id="one", folder="/here", host="host", pid=1, started_at=LATER)
    await store.enlist(boot)
    claimed = await store.claim(boot, LATER, limit=10, lease=timedelta(minutes=20))
    assert [row.subscriber for row in claimed] == [w.people["ada"]]
    await store.release(boot, [row.number for row in claimed], LATER)
    await w.revise("Story", "killed", LATER, recalls=True, status=Status.KILLED)
    assert await store.claim(boot, LATER, limit=10, lease=timedelta(minutes=20)) == []
    assert {row.subscriber for row in await revisions.doubtful(LATER, 10)} == set(w.people.values())
    await w.deliver(DeliveryState.ACCEPTED)
    assert await revisions.doubtful(LATER, 10) == []


@pytest.mark.parametrize("state", [DeliveryState.CLAIMED, DeliveryState.IN_FLIGHT, DeliveryState.UNCERTAIN])
async def test_what_may_still_be_tried_again_is_doubted_too(database: Database, state: DeliveryState) -> None:
    """A licence is revoked, or config changes, while a mail is with the relay: its next try is decided anew."""
    w, revisions = await planned(database)

    async def narrow() -> None:
        await People(database).grant(w.people["bora"], [Terms(product="asia", archive_days=1)], "test", LATER)

    for happen in (narrow, revisions.doubt_everything):
        mine = deliveries.c.subscriber_id == w.people["bora"]
        async with database.write() as connection:
            await connection.execute(deliveries.update().where(mine).values(state=state, decided_at=None))
        await happen()
        async with database.write() as connection:
            await connection.execute(deliveries.update().where(mine).values(state=DeliveryState.PENDING))
        assert w.people["bora"] in {row.subscriber for row in await revisions.doubtful(LATER, 10)}


async def test_a_right_lost_between_claim_and_body_stops_the_mail(database: Database) -> None:
    """The mark looks once more: no body begins for a reader whose licence was revoked a moment ago."""
    from publisher.model.delivery import Boot
    from publisher.stores.deliveries import Deliveries

    w, _ = await planned(database)
    store = Deliveries(database, str, sandbox=w.sandbox)
    boot = Boot(id="one", folder="/here", host="host", pid=1, started_at=LATER)
    await store.enlist(boot)
    claimed = await store.claim(boot, LATER, limit=10, lease=timedelta(minutes=20))
    assert {row.subscriber for row in claimed} == set(w.people.values())
    await People(database).revoke(w.people["bora"], ["asia"], LATER)
    granted = await store.mark(boot, LATER, claimed, [], margin=timedelta(minutes=1))
    assert granted == {row.number for row in claimed if row.subscriber == w.people["ada"]}
