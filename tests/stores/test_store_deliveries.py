"""The states of deliveries, on both databases: conditional, owned, terminal for good."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_rows import NOW, add_issue, issue_state, row, states
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Outcome, Phase, Rates
from publisher.model.issue import TERMINAL, DeliveryState, IssueCounts, IssueKind, IssueState
from publisher.stores.database import Database, micros
from publisher.stores.deliveries import Deliveries
from publisher.stores.issues import Issues
from publisher.stores.schema import deliveries, issues, subscriptions, suppressions, variants

LEASE = timedelta(minutes=20)
MARGIN = timedelta(minutes=15)
AFTER = timedelta(minutes=15)
GRACE = timedelta(minutes=10)


def boot(name: str = "one", folder: str = "/a", host: str = "h") -> Boot:
    """Returns one life of a process."""
    return Boot(id=name, folder=folder, host=host, pid=1, started_at=NOW)


@pytest.fixture
async def store(database: Database) -> Deliveries:
    """A store with two boots of one folder and one elsewhere."""
    store = Deliveries(database, lambda key: f"hash {key}", sandbox=False)
    for each in (boot(), boot("two"), boot("far", host="other")):
        await store.enlist(each)
    return store


async def claimed(
    store: Deliveries, limit: int = 10, by: Boot | None = None, late: timedelta | None = None
) -> list[Claimed]:
    """Claims by one boot."""
    return await store.claim(by or boot(), NOW + (late or timedelta(0)), limit=limit, lease=LEASE)


async def pass_by(database: Database, time: timedelta) -> None:
    """Lets all leases grow old by so much, whatever clock they are compared with."""
    async with database.write() as connection:
        await connection.execute(
            sa.update(deliveries).values(lease_until=deliveries.c.lease_until - time // timedelta(microseconds=1))
        )


def end(of: Claimed, state: DeliveryState, was: DeliveryState = DeliveryState.IN_FLIGHT, **more: object) -> Ended:
    """Returns the record of an attempt."""
    outcome = Outcome(state=state, **more)  # type: ignore[arg-type]
    ending = Ending(phase=Phase.BODY, code=250, text="2.0.0 ok")
    return Ended(number=of.number, was=was, ending=ending, outcome=outcome, at=NOW, next_at=NOW + AFTER)


async def mark(
    store: Deliveries,
    begun: Iterable[Claimed] = (),
    ended: Iterable[Ended] = (),
    by: Boot | None = None,
    late: timedelta | None = None,
) -> set[int]:
    """Marks and records in one commit."""
    now = NOW + (late or timedelta(0))
    return await store.mark(by or boot(), now, list(begun), list(ended), margin=MARGIN)


async def test_a_claim_takes_each_row_once(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, range(1, 31))
    parts = await asyncio.gather(*(claimed(store, 10, boot(name)) for name in ("one", "two", "far", "one")))
    numbers = [each.number for part in parts for each in part]
    assert len(numbers) == len(set(numbers)) == 30
    assert await states(database, issue) == {"claimed": 30}
    assert {each.attempts for part in parts for each in part} == {1}


async def test_a_claimed_row_says_all_that_a_letter_needs(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [7], kind=IssueKind.MESSAGE, newsletter=None, event="signup:3")
    (only,) = await claimed(store)
    assert (only.issue, only.subscriber, only.address, only.name) == (issue, 7, "reader7@example.com", "Reader 7")
    assert (only.event, only.newsletter, only.kind) == ("signup:3", None, IssueKind.MESSAGE)
    assert (await store.mail(only.variant)).text.startswith("Dear ")


@pytest.mark.parametrize("state", [s for s in IssueState if s is not IssueState.SENDING])
async def test_only_issues_being_sent_are_claimed(database: Database, store: Deliveries, state: IssueState) -> None:
    await add_issue(database, [1], state=state)
    assert await claimed(store) == []


async def test_what_is_not_due_or_stale_is_not_claimed(database: Database, store: Deliveries) -> None:
    await add_issue(database, [1, 2])
    async with database.write() as connection:
        await connection.execute(
            sa.update(deliveries).where(deliveries.c.subscriber_id == 1).values(next_at=micros(NOW + AFTER))
        )
    assert [each.subscriber for each in await claimed(store)] == [2]
    async with database.write() as connection:
        await connection.execute(sa.update(variants).values(stale=True))
    assert await claimed(store, late=AFTER) == []


async def test_service_mail_goes_first(database: Database, store: Deliveries) -> None:
    await add_issue(database, range(1, 20))
    message = await add_issue(database, [50], kind=IssueKind.MESSAGE, newsletter=None)
    assert [each.issue for each in await claimed(store, 1)] == [message]


@pytest.mark.parametrize(
    ("status", "kind", "state"),
    [
        ("confirmed", IssueKind.DIGEST, "claimed"),
        ("unsubscribed", IssueKind.DIGEST, "suppressed"),
        ("unconfirmed", IssueKind.DIGEST, "suppressed"),
        ("paused", IssueKind.DIGEST, "suppressed"),
        ("paused", IssueKind.NOTICE, "claimed"),
        ("unsubscribed", IssueKind.NOTICE, "suppressed"),
        ("unconfirmed", IssueKind.MESSAGE, "claimed"),
    ],
)
async def test_opting_out_wins_at_the_claim(
    database: Database, store: Deliveries, status: str, kind: IssueKind, state: str
) -> None:
    issue = await add_issue(database, [1], kind=kind, status=status)
    await claimed(store)
    assert await states(database, issue) == {state: 1}


async def suppress(database: Database, number: int, reason: str = "complaint") -> None:
    """Adds a person to those who are never mailed."""
    async with database.write() as connection:
        await connection.execute(
            sa.insert(suppressions).values(
                address_hash=f"hash reader{number}@example.com", reason=reason, at=micros(NOW), origin="test"
            )
        )


@pytest.mark.parametrize("kind", list(IssueKind))
async def test_who_is_suppressed_gets_nothing_and_the_row_says_why(
    database: Database, store: Deliveries, kind: IssueKind
) -> None:
    await add_issue(database, [1, 2], kind=kind)
    await suppress(database, 1)
    assert [each.subscriber for each in await claimed(store)] == [2]
    gone = await row(database, 1)
    assert (gone.state, gone.reason, gone.ended_at) == ("suppressed", "complaint", micros(NOW))


async def test_several_who_have_left_are_recorded_in_one_go(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, range(1, 5), status="unsubscribed")
    await suppress(database, 1)
    assert await claimed(store) == []
    assert await states(database, issue) == {"suppressed": 4}


async def test_a_busy_domain_is_put_off_in_one_go(database: Database, store: Deliveries) -> None:
    """One has a place now, the others become due one after the other; a second process sees the same lanes."""
    await add_issue(database, range(1, 6))
    rates = Rates(per_domain=6)
    rows = await store.claim(boot(), NOW, limit=9, lease=LEASE, rates=rates)
    assert len(rows) == 1
    assert rows[0].not_before is not None
    assert abs(rows[0].not_before - NOW) < timedelta(seconds=1)
    assert await store.claim(boot("two"), NOW, limit=9, lease=LEASE, rates=rates) == []
    async with database.read() as connection:
        due = list(await connection.scalars(sa.select(deliveries.c.next_at).order_by(deliveries.c.next_at)))
    waits = [(at - micros(NOW)) / 1_000_000 for at in due]
    assert waits == pytest.approx([0, 10.5, 21, 31.5, 42], abs=0.5)


async def test_who_was_erased_and_came_back_is_mailed(database: Database, store: Deliveries) -> None:
    """A new row of an erased person exists only through a sign-up of theirs."""
    await add_issue(database, [1], kind=IssueKind.MESSAGE)
    await suppress(database, 1, "erased")
    rows = await claimed(store)
    assert [each.subscriber for each in rows] == [1]
    assert await mark(store, rows) == {rows[0].number}


async def test_a_mark_is_granted_to_the_owner_alone(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1, 2])
    rows = await claimed(store)
    assert await mark(store, rows, by=boot("two")) == set()
    assert await mark(store, rows) == {each.number for each in rows}
    assert await mark(store, rows) == set()
    assert await states(database, issue) == {"in_flight": 2}


@pytest.mark.parametrize(("late", "granted"), [(timedelta(minutes=4), True), (timedelta(minutes=5, seconds=1), False)])
async def test_a_mark_needs_a_lease_that_outlives_the_transaction(
    database: Database, store: Deliveries, late: timedelta, *, granted: bool
) -> None:
    await add_issue(database, [1])
    rows = await claimed(store)
    await pass_by(database, late)
    assert bool(await mark(store, rows)) is granted


async def test_a_renewed_lease_is_good_again(database: Database, store: Deliveries) -> None:
    await add_issue(database, [1])
    rows = await claimed(store)
    await pass_by(database, timedelta(minutes=10))
    assert await mark(store, rows) == set()
    await store.renew(boot(), NOW, LEASE)
    assert await mark(store, rows) == {rows[0].number}


async def test_opting_out_wins_at_the_mark(database: Database, store: Deliveries) -> None:
    await add_issue(database, [1, 2, 3])
    rows = await claimed(store)
    await suppress(database, 1)
    async with database.write() as connection:
        await connection.execute(
            sa.update(subscriptions).where(subscriptions.c.subscriber_id == 2).values(status="unsubscribed")
        )
    granted = await mark(store, rows)
    assert [each.subscriber for each in rows if each.number in granted] == [3]


@pytest.mark.parametrize("what", ["paused", "stale"])
async def test_a_stopped_issue_or_a_stale_variant_is_not_begun(
    database: Database, store: Deliveries, what: str
) -> None:
    await add_issue(database, [1])
    rows = await claimed(store)
    async with database.write() as connection:
        if what == "paused":
            await connection.execute(sa.update(issues).values(state=IssueState.PAUSED))
        else:
            await connection.execute(sa.update(variants).values(stale=True))
    assert await mark(store, rows) == set()


async def test_ends_and_beginnings_share_a_commit(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1, 2])
    first, second = await claimed(store)
    await mark(store, [first])
    assert await mark(store, [second], [end(first, DeliveryState.ACCEPTED)]) == {second.number}
    assert await states(database, issue) == {"accepted": 1, "in_flight": 1}
    done = await row(database, first.subscriber)
    assert (done.reply_phase, done.reply_code, done.reply_text) == ("body", 250, "2.0.0 ok")
    assert (done.boot_id, done.lease_until, done.ended_at) == (None, None, micros(NOW))


@pytest.mark.parametrize("terminal", sorted(TERMINAL))
async def test_nothing_leaves_a_terminal_state(database: Database, store: Deliveries, terminal: DeliveryState) -> None:
    issue = await add_issue(database, [1])
    (only,) = await claimed(store)
    await mark(store, [only])
    async with database.write() as connection:
        await connection.execute(sa.update(deliveries).values(state=terminal))
    late = NOW + timedelta(days=9)
    await mark(store, [only], [end(only, DeliveryState.ACCEPTED), end(only, DeliveryState.DEFERRED)])
    await store.release(boot(), [only.number], late)
    await store.recover(boot("two"), late, owner=True, grace=GRACE)
    await store.resend(late, timedelta(0), all_kinds=True)
    await store.expire(late, timedelta(0))
    assert await store.claim(boot("two"), late, limit=9, lease=LEASE) == []
    assert await states(database, issue) == {terminal: 1}


async def test_an_end_by_another_or_from_another_state_changes_nothing(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1])
    (only,) = await claimed(store)
    await mark(store, [], [end(only, DeliveryState.ACCEPTED)])
    await mark(store, [], [end(only, DeliveryState.REJECTED, DeliveryState.CLAIMED)], by=boot("two"))
    assert await states(database, issue) == {"claimed": 1}


async def test_attempts_and_refusals_are_counted(database: Database, store: Deliveries) -> None:
    await add_issue(database, [1])
    was = DeliveryState.CLAIMED
    (only,) = await claimed(store)
    await mark(store, [], [end(only, DeliveryState.DEFERRED, was, refused=True)])
    assert await claimed(store) == []
    (only,) = await claimed(store, late=AFTER)
    assert (only.attempts, only.refusals) == (2, 1)
    await mark(store, [], [end(only, DeliveryState.PENDING, was, counts=False)])
    (only,) = await claimed(store, late=AFTER)
    assert (only.attempts, only.refusals) == (2, 1)


async def test_what_is_given_back_was_no_attempt(database: Database, store: Deliveries) -> None:
    await add_issue(database, [1])
    (only,) = await claimed(store)
    await store.release(boot("two"), [only.number], NOW)
    assert (await row(database, 1)).state == "claimed"
    await store.release(boot(), [only.number], NOW)
    (only,) = await claimed(store)
    assert only.attempts == 1


@pytest.mark.parametrize(("owner", "taken"), [(True, 2), (False, 0)])
async def test_the_owner_of_a_folder_recovers_its_dead_at_once(
    database: Database, store: Deliveries, taken: int, *, owner: bool
) -> None:
    issue = await add_issue(database, [1, 2])
    first, _ = await claimed(store)
    await mark(store, [first])
    assert await store.recover(boot("two"), NOW, owner=owner, grace=GRACE) == taken
    expected = {"pending": 1, "uncertain": 1} if owner else {"claimed": 1, "in_flight": 1}
    assert await states(database, issue) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(19, {"claimed": 1, "in_flight": 1}), (21, {"pending": 1, "in_flight": 1}), (31, {"pending": 1, "uncertain": 1})],
)
async def test_workers_elsewhere_are_gone_once_their_leases_are_over(
    database: Database, store: Deliveries, minutes: int, expected: dict[str, int]
) -> None:
    issue = await add_issue(database, [1, 2])
    first, _ = await claimed(store, by=boot("far", host="other"))
    await mark(store, [first], by=boot("far", host="other"))
    await pass_by(database, timedelta(minutes=minutes))
    await store.recover(boot("two"), NOW, owner=True, grace=GRACE)
    assert await states(database, issue) == expected


async def test_nobody_recovers_from_himself(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1])
    await claimed(store)
    assert await store.recover(boot(), NOW + timedelta(days=9), owner=True, grace=GRACE) == 0
    assert await states(database, issue) == {"claimed": 1}


async def test_what_kills_the_process_is_tried_alone_and_then_given_up(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1])
    for name in ("one", "two"):
        assert len(await claimed(store, by=boot(name))) == 1
        await store.recover(boot("next"), NOW, owner=False, grace=GRACE)
        await store.recover(boot("far2", host="h"), NOW, owner=True, grace=GRACE)
    assert await claimed(store) == []
    others = await add_issue(database, [2])
    (innocent,) = await store.claim(boot(), NOW, limit=9, lease=LEASE, alone=True)
    assert innocent.issue == others
    (suspect,) = await store.claim(boot(), NOW, limit=9, lease=LEASE, alone=True)
    assert suspect.issue == issue
    await store.recover(boot("two"), NOW, owner=True, grace=GRACE)
    given_up = await row(database, 1)
    assert (given_up.state, given_up.reason) == ("expired", "poison")
    assert (await row(database, 2)).state == "pending"


async def uncertain(database: Database, store: Deliveries, kind: IssueKind = IssueKind.DIGEST) -> int:
    """Returns an issue with one delivery whose end nobody knows."""
    issue = await add_issue(database, [1], kind=kind)
    rows = await claimed(store)
    await mark(store, rows)
    await mark(store, [], [end(each, DeliveryState.UNCERTAIN) for each in rows])
    assert await states(database, issue) == {"uncertain": 1}
    return issue


async def test_what_is_uncertain_is_resent_once_in_its_life(database: Database, store: Deliveries) -> None:
    issue = await uncertain(database, store)
    assert await store.resend(NOW + AFTER - timedelta(seconds=1), AFTER, all_kinds=True) == 0
    assert await store.next_wake(resend_after=AFTER, resend_all_kinds=True) == NOW + AFTER
    assert await store.finish(NOW, resend_all_kinds=True) == ()
    assert await store.resend(NOW + AFTER, AFTER, all_kinds=True) == 1
    (again,) = await claimed(store, late=AFTER)
    assert again.resends == 1
    await mark(store, [again], late=AFTER)
    await mark(store, [], [end(again, DeliveryState.UNCERTAIN)])
    assert await store.resend(NOW + timedelta(days=1), AFTER, all_kinds=True) == 0
    assert await store.finish(NOW, resend_all_kinds=True) == (issue,)
    assert await issue_state(database, issue) == "done_with_uncertain"


@pytest.mark.parametrize(("kind", "resent"), [(IssueKind.DIGEST, 0), (IssueKind.MESSAGE, 1)])
async def test_with_hold_only_service_mail_is_resent(
    database: Database, store: Deliveries, kind: IssueKind, resent: int
) -> None:
    issue = await uncertain(database, store, kind)
    finished = await store.finish(NOW, resend_all_kinds=False)
    assert finished == (() if resent else (issue,))
    assert await store.resend(NOW + AFTER, AFTER, all_kinds=False) == resent


async def test_an_issue_ends_when_nothing_of_it_is_open(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1, 2])
    first, second = await claimed(store)
    await mark(store, [first])
    await mark(store, [], [end(first, DeliveryState.ACCEPTED)])
    assert await store.finish(NOW, resend_all_kinds=True) == ()
    await mark(store, [], [end(second, DeliveryState.REJECTED, DeliveryState.CLAIMED)])
    assert await store.finish(NOW, resend_all_kinds=True) == (issue,)
    assert await store.finish(NOW, resend_all_kinds=True) == ()
    assert await issue_state(database, issue) == "done"
    assert await store.counts(issue) == IssueCounts(planned=2, accepted=1, rejected=1)


async def test_patience_is_counted_from_the_first_claim(database: Database, store: Deliveries) -> None:
    issue = await add_issue(database, [1, 2])
    assert await store.expire(NOW + timedelta(days=3), timedelta(days=2)) == 0
    await claimed(store, 1)
    assert await store.expire(NOW + timedelta(days=2) - timedelta(seconds=1), timedelta(days=2)) == 0
    assert await store.expire(NOW + timedelta(days=2), timedelta(days=2)) == 1
    assert await states(database, issue) == {"claimed": 1, "expired": 1}


async def test_the_next_wake_is_the_first_thing_due(database: Database, store: Deliveries) -> None:
    async def wake() -> object:
        return await store.next_wake(resend_after=AFTER, resend_all_kinds=True)

    assert await wake() is None
    await add_issue(database, [9], state=IssueState.HELD)
    assert await wake() is None
    await add_issue(database, [1])
    assert await wake() == NOW
    (only,) = await claimed(store)
    assert await wake() is None
    await mark(store, [], [end(only, DeliveryState.DEFERRED, DeliveryState.CLAIMED)])
    assert await wake() == NOW + AFTER


async def test_a_boot_that_ended_says_so(database: Database, store: Deliveries) -> None:
    await store.enlist(boot())
    await store.dismiss(boot(), NOW)
    async with database.read() as connection:
        ended = await connection.scalar(sa.text("SELECT ended_at FROM boots WHERE id = 'one'"))
    assert ended == micros(NOW)


@pytest.mark.parametrize("sandbox", [False, True])
async def test_what_was_planned_in_the_other_mode_is_never_claimed(database: Database, sandbox: bool) -> None:
    """Neither does sandbox mail reach real people, nor does the sandbox swallow theirs."""
    store = Deliveries(database, lambda key: f"hash {key}", sandbox=sandbox)
    await store.enlist(boot())
    own = await add_issue(database, [1, 2], sandbox=sandbox)
    await add_issue(database, [3], sandbox=not sandbox)
    await add_issue(database, [4], sandbox=not sandbox, kind=IssueKind.MESSAGE, newsletter=None)
    rows = await claimed(store)
    assert {each.issue for each in rows} == {own}
    assert await mark(store, rows) == {each.number for each in rows}
    assert await store.unsettled(None) == {DeliveryState.IN_FLIGHT: 2}


async def test_a_claim_made_in_the_other_mode_is_not_granted(database: Database, store: Deliveries) -> None:
    """The mark asks again: what the sandbox claimed must not go out to real people."""
    await add_issue(database, [1], sandbox=True)
    other = Deliveries(database, lambda key: f"hash {key}", sandbox=True)
    rows = await claimed(other)
    assert len(rows) == 1
    assert await mark(store, rows) == set()
    assert await mark(other, rows) == {rows[0].number}


async def test_uncertain_mail_of_the_other_mode_wakes_nobody_and_is_not_resent(
    database: Database, store: Deliveries
) -> None:
    """It stays as it is, however old, until the mode it was planned in is back."""
    other = Deliveries(database, lambda key: f"hash {key}", sandbox=True)
    issue = await add_issue(database, [1, 2], sandbox=True)
    rows = await claimed(other, 1)
    await mark(other, rows)
    await mark(other, (), [end(rows[0], DeliveryState.UNCERTAIN)])
    assert await store.next_wake(resend_after=AFTER, resend_all_kinds=True) is None
    assert await store.resend(NOW + 2 * AFTER, AFTER, all_kinds=True) == 0
    assert await store.expire(NOW + timedelta(days=9), timedelta(days=2)) == 0
    assert await states(database, issue) == {"uncertain": 1, "pending": 1}
    assert await other.resend(NOW + 2 * AFTER, AFTER, all_kinds=True) == 1


UNFINISHED = (IssueState.PLANNING, IssueState.HELD, IssueState.SENDING, IssueState.PAUSED)


async def test_leaving_the_sandbox_cancels_what_it_left_unfinished(database: Database, store: Deliveries) -> None:
    """Issues of every kind and state; what is real or finished stays, and in the sandbox nothing happens."""
    left = [await add_issue(database, [n], sandbox=True, state=state) for n, state in enumerate(UNFINISHED, 10)]
    left += [await add_issue(database, [2], sandbox=True, kind=kind) for kind in (IssueKind.NOTICE, IssueKind.MESSAGE)]
    done = await add_issue(database, [3], sandbox=True, state=IssueState.DONE)
    real = await add_issue(database, [4])
    assert await Deliveries(database, lambda key: key, sandbox=True).leave_sandbox(NOW) == ()
    assert await store.leave_sandbox(NOW) == tuple(left)
    assert await store.leave_sandbox(NOW) == ()
    for issue in left:
        assert await issue_state(database, issue) == "cancelled"
        assert await states(database, issue) == {"cancelled": 1}
    assert (await row(database, 10)).reason == "sandbox"
    assert (await issue_state(database, done), await issue_state(database, real)) == ("done", "sending")
    assert [each.issue for each in await claimed(store)] == [real]


async def test_the_slot_of_a_plan_that_the_sandbox_left_half_done_is_closed(
    database: Database, store: Deliveries
) -> None:
    """Nobody plans on in it: its stories are pending for the next slot."""
    ledger = Issues(database, sandbox=True)
    cohort = await ledger.cohort("daily", "daily 07:00", "UTC", NOW)
    await ledger.grant_slot(cohort.number, "daily:2026-03-04", NOW, NOW)
    (slot,) = await ledger.open_slots()
    begun = await ledger.begin(slot, (NOW - AFTER, NOW), NOW, sandbox=True)
    assert begun is not None
    assert await store.leave_sandbox(NOW) == (begun.number,)
    assert await ledger.open_slots() == []
    found = await ledger.issue(begun.number)
    assert found is not None
    assert (found.state, found.stop_reason) == (IssueState.CANCELLED, "sandbox")


async def test_an_issue_of_the_other_mode_is_barred_until_it_has_ended(database: Database, store: Deliveries) -> None:
    """Who delivers is told why it does not go on."""
    sandboxed = await add_issue(database, [1], sandbox=True)
    real = await add_issue(database, [2])
    ended = await add_issue(database, [3], sandbox=True, state=IssueState.DONE)
    other = Deliveries(database, lambda key: key, sandbox=True)
    assert "planned in the sandbox" in str(await store.barred(sandboxed))
    assert "until the sandbox is off" in str(await other.barred(real))
    assert [await store.barred(real), await other.barred(sandboxed), await store.barred(ended)] == [None] * 3
    assert await store.barred(ended + 1) is None


async def test_what_settles_while_issues_are_finished_is_not_taken_for_unbalanced(
    database: Database, store: Deliveries
) -> None:
    """The last end, by another process, between asking what is done and what does not add up."""
    issue = await add_issue(database, [1])
    (last,) = await claimed(store)
    await mark(store, [last])
    statements = 0

    def between(connection: sa.Connection, _c: object, statement: str, *_: object) -> None:
        nonlocal statements
        statements += statement.startswith("UPDATE issues")
        if statements == 2 and statement.startswith("UPDATE issues"):
            ended = sa.update(deliveries).values(state=DeliveryState.ACCEPTED)
            connection.execute(ended)

    sa.event.listen(database._writers.sync_engine, "before_cursor_execute", between)
    assert await store.finish(NOW, resend_all_kinds=True) == ()
    assert await issue_state(database, issue) == "sending"
    assert await store.finish(NOW, resend_all_kinds=True) == (issue,)
