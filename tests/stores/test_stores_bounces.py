"""Events and suppressions on both databases: once, in step with the issue, never loosened by a weaker word."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_rows import NOW, add_issue, states
from publisher.model.delivery import Boot, Ended, Ending, Outcome, Phase
from publisher.model.issue import DeliveryState, IssueState
from publisher.model.people import SuppressionReason
from publisher.model.report import Effect, Event, KnownDelivery, Meaning, Standing
from publisher.stores.bounces import Bounces
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database, micros
from publisher.stores.deliveries import Deliveries
from publisher.stores.people import People
from publisher.stores.schema import deliveries, delivery_events, issues, subscribers, suppressions

BOOT = Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW)


def hashed(key: str) -> str:
    """What stands for the keyed hash."""
    return f"hash {key}"


@pytest.fixture
def store(database: Database) -> Bounces:
    """The store under test."""
    return Bounces(database, hashed)


async def sent(database: Database, people: range, **more: object) -> int:
    """Makes an issue that everybody's relay has accepted."""
    issue = await add_issue(database, people, **more)  # type: ignore[arg-type]
    at = micros(more.get("now", NOW))  # type: ignore[arg-type]
    async with database.write() as connection:
        await connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.issue_id == issue)
            .values(state=DeliveryState.ACCEPTED, ended_at=at, in_flight_at=at)
        )
        await connection.execute(sa.update(issues).where(issues.c.id == issue).values(state=IssueState.DONE))
    return issue


async def of(store: Bounces, issue: int, subscriber: int) -> KnownDelivery:
    """Returns the delivery of somebody."""
    found = await store.addressee(issue, subscriber)
    assert found is not None
    return found


async def bounce(store: Bounces, issue: int, subscriber: int, meaning: Meaning = Meaning.HARD, days: int = 0) -> Effect:
    """Records what came back."""
    event = Event(meaning=meaning, at=NOW + timedelta(days=days), status="5.1.1", detail="550 5.1.1 no")
    return await store.record(await of(store, issue, subscriber), event)


async def suppressed(database: Database) -> dict[str, tuple[str, str]]:
    """Returns reason and origin by hash."""
    async with database.read() as connection:
        return {row.address_hash: (row.reason, row.origin) for row in await connection.execute(sa.select(suppressions))}


async def events(database: Database) -> list[tuple[int, str]]:
    """Returns the events there are, by delivery and kind."""
    query = sa.select(delivery_events.c.delivery_id, delivery_events.c.kind).order_by(delivery_events.c.id)
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(query)]


async def test_a_hard_bounce_suppresses_and_leaves_the_row(database: Database, store: Bounces) -> None:
    issue = await sent(database, range(1, 4))
    assert await bounce(store, issue, 2) is Effect.SUPPRESSED
    assert await suppressed(database) == {"hash reader2@example.com": ("bounce", f"issue {issue}")}
    assert await states(database, issue) == {"accepted": 3}


async def test_the_same_again_is_one_event(database: Database, store: Bounces) -> None:
    """One of a kind per delivery, also when two ways bring it at the same moment."""
    issue = await sent(database, range(1, 2))
    effects = await asyncio.gather(*(bounce(store, issue, 1) for _ in range(4)))
    assert sorted(effects) == ["repeated", "repeated", "repeated", "suppressed"]
    assert await bounce(store, issue, 1, Meaning.COMPLAINT) is Effect.SUPPRESSED
    assert [kind for _, kind in await events(database)] == ["hard", "complaint"]


async def test_policy_is_kept_and_blames_nobody(database: Database, store: Bounces) -> None:
    issue = await sent(database, range(1, 30))
    for subscriber in range(1, 30):
        assert await bounce(store, issue, subscriber, Meaning.POLICY) is Effect.RECORDED
    assert await suppressed(database) == {}
    assert await store.quarantines() == []


async def test_soft_bounces_suppress_after_ten_issues_over_three_weeks(database: Database, store: Bounces) -> None:
    """It counts when the mails went out: a pile of old reports read in one go is judged by their mails."""
    effects = []
    for number in range(10):
        issue = await sent(database, range(1, 3), now=NOW + timedelta(days=3 * number))
        effects.append(await bounce(store, issue, 1, Meaning.SOFT, days=30))
        assert await bounce(store, issue, 1, Meaning.SOFT, days=31) is Effect.REPEATED
    assert effects == [Effect.RECORDED] * 9 + [Effect.SUPPRESSED]
    assert await suppressed(database) == {"hash reader1@example.com": ("bounce", "soft bounces")}


async def test_an_address_let_in_again_begins_anew(database: Database, store: Bounces) -> None:
    people = People(database)
    for number in range(10):
        issue = await sent(database, range(1, 2), now=NOW + timedelta(days=3 * number))
        last = await bounce(store, issue, 1, Meaning.SOFT, days=30)
    assert last is Effect.SUPPRESSED
    assert await people.unsuppress("hash reader1@example.com")
    issue = await sent(database, range(1, 2), now=NOW + timedelta(days=31))
    assert await bounce(store, issue, 1, Meaning.SOFT, days=31) is Effect.RECORDED
    assert await suppressed(database) == {}


# Too many at once -----------------------------------------------------------------------------------------------------


async def test_a_storm_suppresses_nobody_until_approved(database: Database, store: Bounces) -> None:
    """The one too many takes back what the others did; whoever was suppressed for another reason stays so."""
    before = await sent(database, range(1, 2))
    assert await bounce(store, before, 1, Meaning.COMPLAINT) is Effect.SUPPRESSED
    issue = await sent(database, range(1, 101))
    effects = [await bounce(store, issue, subscriber) for subscriber in range(1, 21)]
    assert effects == [Effect.SUPPRESSED] * 10 + [Effect.QUARANTINED] * 10
    assert await suppressed(database) == {"hash reader1@example.com": ("complaint", "complaint")}
    (waiting,) = await store.quarantines()
    assert (waiting.issue, waiting.hard, waiting.recipients, waiting.newsletter) == (issue, 20, 100, "daily")
    assert await store.settle(issue, Standing.APPROVED, NOW) == 19
    assert len(await suppressed(database)) == 20
    assert await store.quarantines() == []
    assert await bounce(store, issue, 50) is Effect.SUPPRESSED
    assert await store.settle(issue, Standing.APPROVED, NOW) is None


async def test_a_dismissed_storm_stays_dismissed(database: Database, store: Bounces) -> None:
    issue = await sent(database, range(1, 101))
    for subscriber in range(1, 12):
        await bounce(store, issue, subscriber)
    assert await store.settle(issue, Standing.DISMISSED, NOW) == 0
    assert await bounce(store, issue, 99) is Effect.RECORDED
    assert await suppressed(database) == {}
    assert await bounce(store, issue, 99, Meaning.COMPLAINT) is Effect.SUPPRESSED


async def test_a_storm_that_comes_by_two_ways_at_once_is_seen(database: Database, store: Bounces) -> None:
    issue = await sent(database, range(1, 101))
    await asyncio.gather(*(bounce(store, issue, subscriber) for subscriber in range(1, 41)))
    assert await suppressed(database) == {}
    assert (await store.quarantines())[0].hard == 40


async def test_a_twentieth_of_a_large_issue_is_no_storm(database: Database, store: Bounces) -> None:
    issue = await sent(database, range(1, 401))
    assert {await bounce(store, issue, subscriber) for subscriber in range(1, 21)} == {Effect.SUPPRESSED}
    assert await bounce(store, issue, 21) is Effect.QUARANTINED


# What stays -----------------------------------------------------------------------------------------------------------


async def test_a_complaint_outlives_erasure_and_outweighs_a_bounce(database: Database, store: Bounces) -> None:
    people = People(database)
    issue = await sent(database, range(1, 3))
    await bounce(store, issue, 1)
    await bounce(store, issue, 1, Meaning.COMPLAINT)
    assert (await suppressed(database))["hash reader1@example.com"][0] == "complaint"
    key = "reader1@example.com"
    assert await people.erase(key, hashed(key), "command", NOW)
    (kept,) = await people.suppressions()
    assert (kept.reason, kept.address, kept.address_hash) == (SuppressionReason.COMPLAINT, None, hashed(key))
    assert await store.addressee(issue, 1) is None
    assert [kind for _, kind in await events(database)] == []


async def test_a_bounce_of_somebody_back_after_erasure_counts(database: Database, store: Bounces) -> None:
    """An erasure yields to a new sign-up, so it must not hide that the new address is dead."""
    issue = await sent(database, range(1, 2))
    async with database.write() as connection:
        await connection.execute(
            sa.insert(suppressions).values(address_hash="hash reader1@example.com", reason="erased", at=0, origin="x")
        )
    assert await bounce(store, issue, 1) is Effect.SUPPRESSED
    assert (await suppressed(database))["hash reader1@example.com"][0] == "bounce"


async def test_a_manual_suppression_keeps_its_reason(database: Database, store: Bounces) -> None:
    people = People(database)
    issue = await sent(database, range(1, 2))
    await people.suppress("reader1@example.com", "hash reader1@example.com", SuppressionReason.MANUAL, "command", NOW)
    assert await bounce(store, issue, 1, Meaning.COMPLAINT) is Effect.SUPPRESSED
    assert (await suppressed(database))["hash reader1@example.com"] == ("manual", "command")


async def test_only_what_may_have_gone_out_can_come_back(database: Database, store: Bounces) -> None:
    issue = await add_issue(database, range(1, 3))
    assert await store.addressee(issue, 1) is None
    assert await store.addressee(issue, 77) is None
    assert await store.addressee(issue + 1, 1) is None
    async with database.write() as connection:
        await connection.execute(sa.update(deliveries).values(state=DeliveryState.PENDING, in_flight_at=micros(NOW)))
    assert (await of(store, issue, 1)).address == "reader1@example.com"


async def test_a_compacted_issue_still_hears_complaints(database: Database, store: Bounces) -> None:
    issue = await sent(database, range(1, 4))
    await Compaction(database).compact(issue)
    gone = await of(store, issue, 2)
    assert gone.delivery is None
    assert await bounce(store, issue, 2) is Effect.NONE
    assert await bounce(store, issue, 2, Meaning.COMPLAINT) is Effect.SUPPRESSED
    assert await bounce(store, issue, 2, Meaning.COMPLAINT) is Effect.REPEATED
    assert await store.addressee(issue, 9) is None


async def test_the_latest_of_a_newsletter(database: Database, store: Bounces) -> None:
    first, second = await sent(database, range(1, 3)), await sent(database, range(1, 2))
    found = await store.latest(1, "daily")
    assert found is not None
    assert found.issue == second
    assert (await store.latest(2, "daily") or found).issue == first
    assert await store.latest(1, "weekly") is None
    for issue in (first, second):
        await Compaction(database).compact(issue)
    old = await store.latest(2, "daily")
    assert old is not None
    assert (old.issue, old.delivery) == (first, None)
    assert await store.latest(1, "weekly") is None


async def test_tallies(store: Bounces) -> None:
    for name in ("hard", "unproven", "hard"):
        await store.tally(name, NOW)
    assert await store.tallies() == {"hard": 2, "unproven": 1}


# Refused at RCPT ------------------------------------------------------------------------------------------------------


async def _refused(database: Database, people: range, *, blames: bool) -> int:
    store = Deliveries(database, hashed, sandbox=False)
    await store.enlist(BOOT)
    issue = await add_issue(database, people)
    rows = await store.claim(BOOT, NOW, limit=len(people), lease=timedelta(minutes=20))
    ending = Ending(phase=Phase.RCPT, code=550, text="5.1.1 nobody here")
    outcome = Outcome(state=DeliveryState.REJECTED, reason="recipient", blames_address=blames)
    ends = [
        Ended(number=r.number, was=DeliveryState.CLAIMED, ending=ending, outcome=outcome, at=NOW, next_at=NOW)
        for r in rows
    ]
    await store.mark(BOOT, NOW, [], [*ends, *ends], margin=timedelta(minutes=15))
    return issue


async def test_an_address_refused_at_rcpt_is_a_hard_bounce(database: Database) -> None:
    issue = await _refused(database, range(1, 4), blames=True)
    assert len(await suppressed(database)) == 3
    assert [kind for _, kind in await events(database)] == ["hard"] * 3
    assert await states(database, issue) == {"rejected": 3}


async def test_a_refusal_that_blames_no_address_is_none(database: Database) -> None:
    await _refused(database, range(1, 4), blames=False)
    assert (await suppressed(database), await events(database)) == ({}, [])


async def test_a_relay_that_refuses_everybody_suppresses_nobody(database: Database, store: Bounces) -> None:
    issue = await _refused(database, range(1, 41), blames=True)
    assert await suppressed(database) == {}
    assert [each.issue for each in await store.quarantines()] == [issue]


async def test_an_end_that_is_not_ours_any_more_blames_nobody(database: Database) -> None:
    store = Deliveries(database, hashed, sandbox=False)
    await store.enlist(BOOT)
    await add_issue(database, range(1, 2))
    (row,) = await store.claim(BOOT, NOW, limit=1, lease=timedelta(minutes=20))
    await store.release(BOOT, [row.number], NOW)
    ending = Ending(phase=Phase.RCPT, code=550, text="5.1.1 nobody here")
    outcome = Outcome(state=DeliveryState.REJECTED, blames_address=True)
    end = Ended(number=row.number, was=DeliveryState.CLAIMED, ending=ending, outcome=outcome, at=NOW, next_at=NOW)
    await store.mark(BOOT, NOW, [], [end], margin=timedelta(minutes=15))
    assert (await suppressed(database), await events(database)) == ({}, [])


async def test_what_bounces_from_an_address_before_says_nothing_of_the_present_one(
    database: Database, store: Bounces
) -> None:
    """Somebody moved to another address, and the old one is closed: only their own complaint still counts."""
    before = await sent(database, range(1, 3))
    async with database.write() as connection:
        moved = {"address_key": "new@example.com", "moved_at": micros(NOW + timedelta(hours=1))}
        await connection.execute(sa.update(subscribers).where(subscribers.c.id == 1).values(moved))
    assert await bounce(store, before, 1) is Effect.RECORDED
    assert await bounce(store, before, 2) is Effect.SUPPRESSED
    after = await sent(database, range(1, 2), now=NOW + timedelta(hours=2))
    assert await bounce(store, after, 1, days=1) is Effect.SUPPRESSED
    assert await bounce(store, before, 1, Meaning.COMPLAINT) is Effect.SUPPRESSED
    assert set(await suppressed(database)) == {"hash reader2@example.com", "hash new@example.com"}
