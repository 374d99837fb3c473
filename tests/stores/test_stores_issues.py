"""The ledger's promises, on both databases: one slot, one issue, one outcome, one row; and what is covered."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_rows import somebody_waits
from publisher.model.issue import (
    DeliveryState,
    IssueCounts,
    IssueState,
    MailText,
    Mention,
    OpenSlot,
    Recipients,
    SlotState,
    StoryRef,
    Variant,
)
from publisher.model.view import Depth
from publisher.stores.archive import PastIssues
from publisher.stores.clocks import keep_clocks
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database, micros
from publisher.stores.deliveries import Deliveries
from publisher.stores.issues import Issues
from publisher.stores.pace import Pace
from publisher.stores.people import People
from publisher.stores.people_rows import delete_people
from publisher.stores.readers import Readers, lock_planning
from publisher.stores.schema import (
    article_versions,
    articles,
    deliveries,
    delivery_events,
    issues,
    licences,
    profiles,
    subscribers,
    subscriptions,
    suppressions,
)

NOW = datetime(2026, 10, 19, 5, tzinfo=UTC)
WINDOW = (NOW - timedelta(days=1), NOW)


async def people(database: Database, count: int) -> list[int]:
    """Adds confirmed readers of `daily`; returns their numbers."""
    async with database.write() as connection:
        found = []
        for i in range(count):
            values = {"address": f"R{i}@x.org", "address_key": f"r{i}@x.org", "language": "en", "created_at": 0}
            row = await connection.execute(subscribers.insert().values(values).returning(subscribers.c.id))
            found.append(int(row.scalar_one()))
        rows = [
            {"subscriber_id": n, "newsletter": "daily", "status": "confirmed", "created_at": 0, "confirmed_at": n}
            for n in found
        ]
        await connection.execute(subscriptions.insert(), rows)
    return found


async def open_slot(store: Issues, period: str = "daily:2026-10-19", newsletter: str = "daily") -> OpenSlot:
    """Grants a slot and returns it."""
    cohort = await store.cohort(newsletter, "daily 07:00", "Europe/Berlin", NOW)
    assert await store.grant_slot(cohort.number, period, NOW, NOW)
    return next(slot for slot in await store.open_slots() if slot.cohort == cohort.number and slot.period == period)


def variant(*stories: tuple[int, int], subject: str = "Hello") -> Variant:
    """Returns a rendering that holds (article, version) in full."""
    refs = tuple(StoryRef(article=number, version=version, depth=Depth.FULL) for number, version in stories)
    mail = MailText(subject=subject, preheader="", html="<p>ğ</p>", text="ğ")
    return Variant(language="en", form="full", stories=refs, mail=mail)


async def issued(
    database: Database,
    readers: list[int],
    *stories: tuple[int, int],
    period: str,
    sandbox: bool = False,
    on_web: bool = False,
) -> int:
    """Plans an issue that brings the stories to all readers, and lets it go."""
    store = Issues(database, sandbox=True)
    slot = await open_slot(store, period)
    issue = await store.begin(slot, WINDOW, NOW, sandbox=sandbox, on_web=on_web)
    assert issue is not None
    key = await store.add_variant(issue.number, "a", variant(*stories))
    mark = await Readers(database).mark()
    assert await store.add_deliveries(issue.number, [Recipients(key, readers)], mark, NOW)
    assert await store.finish_planning(issue.number, {key: len(readers)}, []) is IssueState.SENDING
    return issue.number


async def set_state(database: Database, issue: int, state: DeliveryState, readers: list[int] | None = None) -> None:
    """Brings deliveries of an issue into a state, as delivering would."""
    statement = deliveries.update().where(deliveries.c.issue_id == issue).values(state=state.value)
    if readers is not None:
        statement = statement.where(deliveries.c.subscriber_id.in_(readers))
    async with database.write() as connection:
        await connection.execute(statement)


async def test_a_slot_is_granted_once(database: Database) -> None:
    """Of any number of processes that ask for a period, one gets it."""
    store = Issues(database, sandbox=True)
    cohort = await store.cohort("daily", "daily 07:00", "Europe/Berlin", NOW)
    assert cohort == await store.cohort("daily", "daily 07:00", "Europe/Berlin", NOW + timedelta(days=1))
    answers = await asyncio.gather(
        *(Issues(database, sandbox=True).grant_slot(cohort.number, "daily:2026-10-19", NOW, NOW) for _ in range(8))
    )
    assert sorted(answers) == [False] * 7 + [True]
    assert await store.last_slot(cohort.number) == NOW
    assert await store.periods(cohort.number, NOW - timedelta(seconds=1)) == {"daily:2026-10-19"}
    assert await store.periods(cohort.number, NOW) == set()
    assert await store.grant_slot(cohort.number, "daily:2026-10-20", NOW, NOW, SlotState.SKIPPED_LATE)
    assert [slot.period for slot in await store.open_slots()] == ["daily:2026-10-19"]


async def test_manual_slots_are_numbered(database: Database) -> None:
    store = Issues(database, sandbox=True)
    cohort = await store.cohort("daily", "manual", "Europe/Berlin", NOW)
    periods = await asyncio.gather(*(store.grant_manual_slot(cohort.number, NOW) for _ in range(3)))
    assert sorted(periods) == ["manual:1", "manual:2", "manual:3"]


async def test_a_slot_has_one_issue_and_newsletters_count_their_own(database: Database) -> None:
    """Whoever begins a slot's issue gets the same one; editions are 1, 2, 3 within a newsletter."""
    store = Issues(database, sandbox=True)
    first, second = await open_slot(store), await open_slot(store, "daily:2026-10-20")
    other = await open_slot(store, "daily:2026-10-19", newsletter="weekly")
    begun = await asyncio.gather(*(store.begin(first, WINDOW, NOW, sandbox=True) for _ in range(5)))
    assert len({issue.number for issue in begun if issue}) == 1
    editions = [await store.begin(slot, WINDOW, NOW, sandbox=True) for slot in (first, second, other)]
    assert [issue.edition for issue in editions if issue] == [1, 2, 1]
    assert [issue.period for issue in editions if issue][:2] == ["daily:2026-10-19", "daily:2026-10-20"]
    assert await store.next_edition("daily") == 3


async def test_an_outcome_is_frozen_once(database: Database) -> None:
    store = Issues(database, sandbox=True)
    issue = await store.begin(await open_slot(store), WINDOW, NOW, sandbox=True)
    assert issue is not None
    keys = await asyncio.gather(*(store.add_variant(issue.number, "a", variant((1, 1))) for _ in range(4)))
    assert len(set(keys)) == 1
    assert await store.outcomes(issue.number) == {"a": keys[0]}
    assert await store.stories(issue.number) == [StoryRef(article=1, version=1, depth=Depth.FULL)]


async def test_an_issue_goes_when_every_row_is_there(database: Database) -> None:
    """Rows come in ranges; until their number is the expected one the issue stays in planning, and its slot open."""
    store, readers = Issues(database, sandbox=True), await people(database, 5)
    issue = await store.begin(await open_slot(store), WINDOW, NOW, sandbox=True)
    assert issue is not None
    a = await store.add_variant(issue.number, "a", variant((1, 1), subject="A"))
    b = await store.add_variant(issue.number, "b", variant((2, 1), subject="B"))
    await store.add_variant(issue.number, "c", variant((3, 1), subject="C"))
    rows = [Recipients(a, readers[:1]), Recipients(b, readers[1:2]), Recipients(b, readers[2:3], suppressed=True)]
    for _ in range(2):
        assert await store.add_deliveries(issue.number, rows, 0, NOW)
    assert await store.finish_planning(issue.number, {a: 1, b: 4}, []) is None
    assert await store.planned(issue.number, readers[1], readers[4]) == {readers[1]: b, readers[2]: b}
    assert await store.add_deliveries(issue.number, [Recipients(b, readers[3:])], 0, NOW)
    assert len(await store.open_slots()) == 1
    assert await store.finish_planning(issue.number, {a: 1, b: 4}, []) is IssueState.SENDING
    assert await store.finish_planning(issue.number, {a: 1, b: 4}, []) is None
    assert await store.open_slots() == []
    found = await store.issue(issue.number)
    assert found is not None
    assert (found.state, found.expected, found.subject, found.hold_reasons) == (IssueState.SENDING, 5, "B", ())
    assert sorted(await store.outcomes(issue.number)) == ["a", "b"]
    assert await store.counts(issue.number) == IssueCounts(planned=5, deferred=4, suppressed=1)


async def test_an_issue_goes_to_those_who_are_left_when_somebody_was_erased_while_it_was_planned(
    database: Database,
) -> None:
    """Rows are counted as they come and go, and an issue ends although somebody goes while it is sent."""
    store, readers = Issues(database, sandbox=True), await people(database, 3)
    issue = await store.begin(await open_slot(store), WINDOW, NOW, sandbox=True)
    assert issue is not None
    key = await store.add_variant(issue.number, "a", variant((1, 1)))
    assert await store.add_deliveries(issue.number, [Recipients(key, readers)], 0, NOW)
    assert await store.finish_planning(issue.number, {key: 4}, []) is None
    assert await People(database).erase("r1@x.org", "hash", "command", NOW)
    assert await store.finish_planning(issue.number, {key: 3}, []) is None
    assert await store.finish_planning(issue.number, {key: 2}, []) is IssueState.SENDING
    found = await store.issue(issue.number)
    assert found is not None
    assert (found.expected, (await store.counts(issue.number)).planned) == (2, 2)
    assert await People(database).erase("r2@x.org", "hash", "command", NOW)
    await set_state(database, issue.number, DeliveryState.ACCEPTED)
    assert await Deliveries(database, str, sandbox=True).finish(NOW, resend_all_kinds=False) == (issue.number,)


async def test_rows_are_not_added_once_an_issue_goes(database: Database) -> None:
    """What was counted stays counted."""
    readers = await people(database, 2)
    number = await issued(database, readers[:1], (1, 1), period="daily:2026-10-19")
    store = Issues(database, sandbox=True)
    key = (await store.outcomes(number))["a"]
    assert await store.add_deliveries(number, [Recipients(key, [readers[1]])], await Readers(database).mark(), NOW)
    assert (await store.counts(number)).planned == 1


async def test_coverage_that_changed_meanwhile_is_noticed(database: Database) -> None:
    """Rows are refused when another issue planned mail to the same people since their coverage was read."""
    store, readers = Issues(database, sandbox=True), await people(database, 4)
    slot = await open_slot(store, "daily:2026-10-20")
    issue = await store.begin(slot, WINDOW, NOW, sandbox=False)
    assert issue is not None
    key = await store.add_variant(issue.number, "a", variant((1, 1)))
    mark = await Readers(database).mark()
    await issued(database, readers[:2], (1, 1), period="daily:2026-10-19")
    assert not await store.add_deliveries(issue.number, [Recipients(key, [readers[1]])], mark, NOW)
    assert await store.add_deliveries(issue.number, [Recipients(key, [readers[2]])], mark, NOW)
    mail = MailText(subject="s", preheader="", html="", text="")
    assert await store.post("welcome:1", readers[3], "en", mail, NOW)
    assert await store.add_deliveries(issue.number, [Recipients(key, [readers[3]])], mark, NOW)


async def test_who_is_overtaken_between_two_transactions_gets_no_row(database: Database) -> None:
    """Rows come some at a time; those that are there count, and the rest is looked at anew."""
    pace = Pace(rows=2, least=2, most=2)
    store, readers = Issues(database, sandbox=True, pace=pace), await people(database, 6)
    issue = await store.begin(await open_slot(store, "daily:2026-10-20"), WINDOW, NOW, sandbox=False)
    assert issue is not None
    key = await store.add_variant(issue.number, "a", variant((1, 1)))
    mark, steps = await Readers(database).mark(), itertools.count(1)

    class Overtaken(Issues):
        async def _add_deliveries(self, *arguments: Any) -> int | None:
            if next(steps) == 2:
                await issued(database, readers[4:5], (1, 1), period="daily:2026-10-19")
            return await super()._add_deliveries(*arguments)

    others = Overtaken(database, sandbox=True, pace=pace)
    assert not await others.add_deliveries(issue.number, [Recipients(key, readers)], mark, NOW)
    assert set(await store.planned(issue.number, readers[0], readers[5])) == set(readers[:2])
    mark = await Readers(database).mark()
    assert await store.add_deliveries(issue.number, [Recipients(key, [*readers[:4], readers[5]])], mark, NOW)
    assert set(await store.planned(issue.number, readers[0], readers[5])) == {*readers} - {readers[4]}


async def test_an_empty_slot_is_closed_with_its_empty_issue(database: Database) -> None:
    store, readers = Issues(database, sandbox=True), await people(database, 1)
    slot = await open_slot(store)
    issue = await store.begin(slot, WINDOW, NOW, sandbox=True)
    assert issue is not None
    assert not await store.close_empty(slot.number)  # another planner may be at it
    assert await store.close_empty(slot.number, issue.number)
    assert await store.of_slot(slot.number) is None
    assert await store.begin(slot, WINDOW, NOW, sandbox=True) is None
    assert not await store.close_empty(slot.number, issue.number)
    await issued(database, readers, (1, 1), period="daily:2026-10-20")
    taken = await open_slot(store, "daily:2026-10-21")
    begun = await store.begin(taken, WINDOW, NOW, sandbox=True)
    assert begun is not None
    key = await store.add_variant(begun.number, "a", variant((2, 1)))
    assert await store.add_deliveries(begun.number, [Recipients(key, [readers[0]])], 10**9, NOW)
    assert not await store.close_empty(taken.number, begun.number)


async def test_coverage_is_what_was_received_or_is_on_its_way(database: Database) -> None:
    """Accepted and uncertain rows have brought their stories, open ones reserve them, all others do not count."""
    readers = await people(database, len(DeliveryState))
    number = await issued(database, readers, (1, 1), (2, 3), period="daily:2026-10-19")
    for reader, state in zip(readers, DeliveryState, strict=True):
        await set_state(database, number, state, [reader])
    found = await Readers(database).coverage([2, 9], readers[0], readers[-1], sandbox=False)
    (key,) = found.variants
    assert found.variants[key].newsletter == "daily"
    assert found.variants[key].stories == (StoryRef(article=2, version=3, depth=Depth.FULL),)
    covered = {state for reader, state in zip(readers, DeliveryState, strict=True) if reader in found.readers}
    assert {state.value for state in covered} == {
        "pending", "claimed", "in_flight", "deferred", "uncertain", "accepted",
    }  # fmt: skip
    part = await Readers(database).coverage([1], readers[1], readers[2], sandbox=False)
    assert set(part.readers) == set(readers[1:3])
    assert (await Readers(database).coverage([9], readers[0], readers[-1], sandbox=False)).readers == {}


async def test_sandbox_and_service_mail_cover_nothing_real(database: Database) -> None:
    readers = await people(database, 2)
    await issued(database, readers, (1, 1), period="daily:2026-10-19", sandbox=True)
    assert (await Readers(database).coverage([1], 0, 99, sandbox=False)).readers == {}
    assert set((await Readers(database).coverage([1], 0, 99, sandbox=True)).readers) == set(readers)


async def test_compacted_issues_still_cover_and_count(database: Database) -> None:
    """Accepted rows become one blob per variant; whom something came back for keeps the row."""
    readers = await people(database, 300)
    number = await issued(database, readers, (1, 1), period="daily:2026-10-19")
    await set_state(database, number, DeliveryState.ACCEPTED)
    await set_state(database, number, DeliveryState.REJECTED, readers[:1])
    store, those = Issues(database, sandbox=True), Readers(database)
    before, counts = await those.coverage([1], 0, 10**6, sandbox=False), await store.counts(number)
    assert not await Compaction(database).compact(number)
    async with database.write() as connection:
        await connection.execute(issues.update().values(state=IssueState.DONE.value))
        bounced = sa.select(deliveries.c.id).where(deliveries.c.subscriber_id == readers[5])
        event = {"delivery_id": (await connection.execute(bounced)).scalar_one(), "kind": "bounce", "at": 0}
        await connection.execute(delivery_events.insert().values(event))
    for _ in range(2):
        assert await Compaction(database).compact(number)
        assert (await those.coverage([1], 0, 10**6, sandbox=False)).readers == before.readers
        assert await store.counts(number) == counts
    assert counts == IssueCounts(planned=300, accepted=299, rejected=1)
    async with database.read() as connection:
        left = (await connection.execute(sa.select(deliveries.c.subscriber_id))).scalars().all()
    assert sorted(left) == [readers[0], readers[5]]


async def test_a_history_notices_what_is_planned_and_compacted_meanwhile(database: Database) -> None:
    """What concerns no single range is kept between ranges, and read again as soon as it is different."""
    readers = await people(database, 4)
    history = Readers(database).history([1], sandbox=False)
    assert (await history.among(readers[0], readers[-1])).readers == {}
    first = await issued(database, readers[:3], (1, 1), period="daily:2026-10-19")
    before = await history.among(readers[0], readers[-1])
    assert set(before.readers) == set(readers[:3])
    await set_state(database, first, DeliveryState.ACCEPTED)
    async with database.write() as connection:
        await connection.execute(issues.update().values(state=IssueState.DONE.value))
    assert await Compaction(database).compact(first)
    assert (await history.among(readers[0], readers[-1])).readers == before.readers
    await issued(database, readers[2:], (1, 2), period="daily:2026-10-20")
    after = await history.among(readers[1], readers[-1])
    assert {reader: len(found) for reader, found in after.readers.items()} == dict(
        zip(readers[1:], (1, 2, 1), strict=True)
    )


async def test_readers_come_in_pages_with_all_that_matters(database: Database) -> None:
    """Only confirmed ones, by number; their own clock, choices and licences; suppressed ones marked."""
    numbers = await people(database, 6)
    async with database.write() as connection:
        mine = subscriptions.c.subscriber_id
        profile = await connection.execute(
            profiles.insert().values(choices='{"sections":["asia"],"tags":["x"]}').returning(profiles.c.id)
        )
        own = {"cadence": "weekly sun 02:30", "timezone": "Asia/Tokyo", "profile_id": profile.scalar_one()}
        await connection.execute(subscriptions.update().where(mine == numbers[1]).values(own))
        await connection.execute(subscribers.update().where(subscribers.c.id == numbers[2]).values(timezone="UTC"))
        await keep_clocks(connection, numbers)
        await connection.execute(subscriptions.update().where(mine == numbers[3]).values(status="paused"))
        await connection.execute(subscriptions.update().where(mine == numbers[4]).values(status="unconfirmed"))
        bad = {"address_hash": "h", "address": "r5@x.org", "reason": "manual", "at": 0, "origin": "test"}
        await connection.execute(suppressions.insert().values(bad))
        until = micros(NOW)
        for product in ("asia", "economy"):
            licence = {"subscriber_id": numbers[0], "product": product, "valid_until": until}
            await connection.execute(licences.insert().values(**licence, origin="test", created_at=0))
    store = Readers(database)
    everybody = await store.page("daily", "daily 07:00", "Europe/Berlin")
    assert [reader.number for reader in everybody] == [numbers[i] for i in (0, 1, 2, 5)]
    assert [reader.timezone for reader in everybody] == ["Europe/Berlin", "Asia/Tokyo", "UTC", "Europe/Berlin"]
    assert [reader.suppressed for reader in everybody] == [False, False, False, True]
    assert [(one.product, one.valid_until) for one in everybody[0].licences] == [("asia", NOW), ("economy", NOW)]
    assert (everybody[1].cadence, everybody[1].choices.sections, everybody[1].choices.tags) == (
        "weekly sun 02:30",
        ("asia",),
        ("x",),
    )
    first = await store.page("daily", "daily 07:00", "Europe/Berlin", limit=2)
    rest = await store.page("daily", "daily 07:00", "Europe/Berlin", after=first[-1].number, limit=9)
    assert [*first, *rest] == everybody
    assert await store.page("weekly", "daily 07:00", "Europe/Berlin") == []
    assert await store.clocks("daily", "daily 07:00", "Europe/Berlin") == [
        ("daily 07:00", "Europe/Berlin"),
        ("daily 07:00", "UTC"),
        ("weekly sun 02:30", "Asia/Tokyo"),
    ]
    berlin = await store.page("daily", "daily 07:00", "Europe/Berlin", clock=("daily 07:00", "Europe/Berlin"))
    assert [reader.number for reader in berlin] == [numbers[0], numbers[5]]
    (one,) = await store.page("daily", "daily 07:00", "Europe/Berlin", address_key="r2@x.org")
    assert one.number == numbers[2]


async def test_service_mail_is_posted_once_per_event(database: Database) -> None:
    """One issue, one variant, one row per event, whoever asks however often."""
    (reader,) = await people(database, 1)
    mail = MailText(subject="Please confirm", preheader="", html="<p>x</p>", text="x")
    store = Issues(database, sandbox=True)
    answers = await asyncio.gather(*(store.post("confirm:1", reader, "tr", mail, NOW) for _ in range(5)))
    assert sorted(answers) == [False] * 4 + [True]
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(deliveries))).all()
    assert [(row.subscriber_id, row.state, row.next_at) for row in rows] == [(reader, "pending", micros(NOW))]
    assert (await store.counts(rows[0].issue_id)).planned == 1
    assert await store.latest() == []


async def test_holding_releasing_cancelling(database: Database) -> None:
    """Each step names the state it expects; cancelling ends what waits and leaves alone what is on its way."""
    readers, store = await people(database, 3), Issues(database, sandbox=True)
    number = await issued(database, readers, (1, 1), period="daily:2026-10-19")
    await set_state(database, number, DeliveryState.IN_FLIGHT, readers[:1])
    assert await store.hold(number, "operator: not yet")
    assert not await store.hold(number, "again")
    held = await store.issue(number)
    assert held is not None
    assert (held.state, held.hold_reasons) == (IssueState.HELD, ("operator: not yet",))
    assert await store.release(number, NOW)
    assert not await store.release(number, NOW)
    assert await store.cancel(number, NOW)
    assert not await store.cancel(number, NOW)
    assert await store.counts(number) == IssueCounts(planned=3, deferred=1, rejected=2)


async def test_retry_sends_failed_ones_again(database: Database) -> None:
    readers, store = await people(database, 4), Issues(database, sandbox=True)
    number = await issued(database, readers, (1, 1), period="daily:2026-10-19")
    await set_state(database, number, DeliveryState.ACCEPTED)
    await set_state(database, number, DeliveryState.UNCERTAIN, readers[:1])
    await set_state(database, number, DeliveryState.REJECTED, readers[1:2])
    async with database.write() as connection:
        await connection.execute(issues.update().values(state=IssueState.DONE_WITH_UNCERTAIN.value))
    assert await store.retry(number, NOW) == 2
    assert await store.retry(number, NOW) == 0
    again = await store.issue(number)
    assert again is not None
    assert again.state is IssueState.SENDING
    assert await store.counts(number) == IssueCounts(planned=4, accepted=2, deferred=2)


async def test_a_wish_is_taken_once_and_answered(database: Database) -> None:
    """What the command line leaves for the service."""
    store, readers = Issues(database, sandbox=True), await people(database, 1)
    wish = await store.request_send("daily", {"since": "2026-10-01T00:00:00Z", "yes": True}, NOW)
    taken = await asyncio.gather(*(store.take_requests(NOW) for _ in range(4)))
    (request,) = [request for some in taken for request in some]
    assert (request.number, request.newsletter, request.options["yes"]) == (wish, "daily", True)
    number = await issued(database, readers, (1, 1), period="daily:2026-10-19")
    await store.answer_request(wish, number, {"issue": number})
    answered = await store.request(wish)
    assert answered is not None
    assert (answered.issue, answered.answer) == (number, {"issue": number})
    assert await store.request(wish + 1) is None


async def test_updates_are_the_latest_marked_versions(database: Database) -> None:
    rows = [(1, 1, "new", 0), (1, 2, "updated", 1), (1, 3, "updated", 2), (1, 4, "refile", 3), (2, 2, "corrected", 1)]
    async with database.write() as connection:
        for number in (1, 2):
            values = {"id": number, "uri": str(number), "slug": "s", "path": "p", "version": 1, "status": "published"}
            await connection.execute(articles.insert().values(**values, first_seen_at=0))
        for number, version, change, hour in rows:
            at = micros(NOW + timedelta(hours=hour))
            values = {"article_id": number, "version": version, "change": change, "revised_at": at}
            await connection.execute(article_versions.insert().values(**values, story=b"{}", body=b"{}"))
    store = Issues(database, sandbox=True)
    assert await store.changes("updated", NOW, NOW + timedelta(hours=9)) == {1: (3, NOW + timedelta(hours=2))}
    assert await store.changes("updated", NOW, NOW + timedelta(hours=1)) == {1: (2, NOW + timedelta(hours=1))}
    assert await store.changes("updated", NOW + timedelta(hours=2), NOW + timedelta(hours=9)) == {}


async def test_the_web_keeps_the_issues_that_were_let_go(database: Database) -> None:
    """Not those of other clocks, held ones and those in planning; what somebody may have stays, whatever comes."""
    readers, store = await people(database, 1), Issues(database, sandbox=True)
    first = await issued(database, readers, (1, 1), (2, 1), period="daily:2026-10-19", on_web=True)
    second = await issued(database, readers, (2, 1), period="daily:2026-10-20", on_web=True)
    await issued(database, readers, (3, 1), period="daily:2026-10-21")
    caught = await issued(database, readers, (3, 1), period="daily:2026-10-22", on_web=True, sandbox=True)
    assert await store.hold(second, "operator")
    real, all_kinds = PastIssues(database, sandbox=False), PastIssues(database, sandbox=True)
    assert await real.numbers() == [first]
    assert await all_kinds.numbers() == [first, caught]
    [past] = await real.issues([first])
    assert (past.newsletter, past.edition, past.timezone) == ("daily", 1, "Europe/Berlin")
    assert dict(past.stories) == {1: Mention.STORY, 2: Mention.STORY}
    async with database.write() as connection:
        begun = issues.update().where(issues.c.id == second).values(sending_at=micros(NOW))
        await connection.execute(begun)
    assert await real.numbers() == [first, second]
    assert await store.cancel(second, NOW)
    assert await real.numbers() == [first, second]


async def test_issues_are_found_by_edition_and_latest_first(database: Database) -> None:
    readers, store = await people(database, 1), Issues(database, sandbox=True)
    first = await issued(database, readers, (1, 1), period="daily:2026-10-19")
    second = await issued(database, readers, (2, 1), period="daily:2026-10-20")
    found = await store.by_edition("daily", 1)
    assert found is not None
    assert found.number == first
    assert [issue.number for issue in await store.latest(newsletter="daily")] == [second, first]
    assert [issue.number for issue in await store.latest(before=second)] == [first]
    assert await store.real_recipients() == 1
    assert Mention.STORY in {ref.mention for ref in await store.stories(first)}


@pytest.mark.parametrize("sandbox", [False, True])
async def test_service_mail_and_manual_issues_know_the_mode_they_are_of(database: Database, sandbox: bool) -> None:
    """A confirmation mail of the sandbox is none for real people, and a manual issue goes on in its own mode only."""
    store, (reader,) = Issues(database, sandbox=sandbox), await people(database, 1)
    mail = MailText(subject="Confirm", preheader="", html="<p>Confirm</p>", text="Confirm")
    assert await store.post("signup:9", reader, "en", mail, NOW)
    async with database.read() as connection:
        assert (await connection.scalars(sa.select(issues.c.sandbox))).all() == [sandbox]
    cohort = await store.cohort("daily", "manual", "UTC", NOW)
    await store.grant_manual_slot(cohort.number, NOW)
    (slot,) = await store.open_slots()
    begun = await store.begin(slot, (NOW, NOW), NOW, sandbox=sandbox)
    assert begun is not None
    assert await store.unfinished(cohort.number, sandbox=sandbox) == begun
    assert await store.unfinished(cohort.number, sandbox=not sandbox) is None


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_whoever_is_planned_for_while_they_are_erased_is_counted_off(database: Database) -> None:
    """SQLite has one writer; on PostgreSQL the row would go with its reader, and the issue would miss it for ever."""
    store, readers = Issues(database, sandbox=True), await people(database, 2)
    issue = await store.begin(await open_slot(store), WINDOW, NOW, sandbox=True)
    assert issue is not None
    key = await store.add_variant(issue.number, "a", variant((1, 1)))
    async with database.write() as connection:  # as whoever adds something of theirs
        await connection.execute(sa.select(subscribers.c.id).with_for_update(read=True, key_share=True))
        erasing = asyncio.create_task(People(database).erase("r1@x.org", "hash", "command", NOW))
        await somebody_waits(database)
        assert await store.add_deliveries(issue.number, [Recipients(key, readers)], 0, NOW)
    assert await erasing
    found = await store.issue(issue.number)
    assert found is not None
    assert (found.expected, len(await store.planned(issue.number, 0, 9))) == (1, 1)


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("counted", [2, 0])  # 0: its planning was begun by a version that did not count
async def test_whoever_is_erased_while_an_issue_is_let_go_is_counted_off(database: Database, counted: int) -> None:
    store, readers = Issues(database, sandbox=True), await people(database, 2)
    issue = await store.begin(await open_slot(store), WINDOW, NOW, sandbox=True)
    assert issue is not None
    key = await store.add_variant(issue.number, "a", variant((1, 1)))
    assert await store.add_deliveries(issue.number, [Recipients(key, readers)], 0, NOW)
    async with database.write() as connection:
        await connection.execute(issues.update().values(expected=counted))
    async with database.write() as connection:
        await delete_people(connection, subscribers.c.id == readers[0])
        letting_go = asyncio.create_task(store.finish_planning(issue.number, {key: 2}, []))
        await somebody_waits(database)
    assert await letting_go is None
    assert await store.finish_planning(issue.number, {key: 1}, []) is IssueState.SENDING


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_an_issue_that_greets_somebody_has_no_number_that_a_planner_takes_for_an_older_one(
    database: Database,
) -> None:
    """It brings stories, and planners look for rivals among the rows that came after their look."""
    (reader,) = await people(database, 1)
    store = Issues(database, sandbox=True)
    async with database.write() as connection:
        await lock_planning(database, connection)
        greeting = asyncio.create_task(store.introduce("e", reader, "daily", variant((1, 1)), NOW))
        waiting = asyncio.create_task(somebody_waits(database))
        await asyncio.wait([greeting, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert not greeting.done()
    assert await greeting
    await waiting
