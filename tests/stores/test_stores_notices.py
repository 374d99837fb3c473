"""Notices on both databases: one issue per event, who has a story, and an account that stays right."""

import asyncio
import itertools
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger_rows import NOW, add_issue, issue_state, somebody_waits, states
from publisher.model.delivery import Boot
from publisher.model.issue import DeliveryState, IssueKind, IssueState, MailText, Mention, StoryRef, Variant
from publisher.model.notice import Holder
from publisher.model.view import Depth
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database, micros
from publisher.stores.deliveries import Deliveries
from publisher.stores.issues import Issues
from publisher.stores.notices import Notices
from publisher.stores.people_rows import delete_people
from publisher.stores.readers import Readers
from publisher.stores.revisions import tidied
from publisher.stores.schema import (
    article_versions,
    articles,
    deliveries,
    issues,
    licences,
    subscribers,
    subscriptions,
    suppressions,
    variant_stories,
    variants,
)

LATER = NOW + timedelta(minutes=1)
SAID = Variant(
    language="en",
    form="notice",
    stories=(StoryRef(article=1, version=2, depth=Depth.FULL, mention=Mention.CORRECTED),),
    mail=MailText(subject="Correction: S", preheader="", html="<p>x</p>", text="x"),
    newsletter="daily",
)


@pytest.fixture
def notices(database: Database) -> Notices:
    return Notices(database, sandbox=False, page=2)


async def brought(
    database: Database,
    people: list[int],
    state: str,
    *,
    version: int = 1,
    mention: str = "story",
    sandbox: bool = False,
) -> int:
    """Adds an issue that brings story 1 to people, ended so; returns its number."""
    issue = await add_issue(database, people, sandbox=sandbox, state=IssueState.DONE)
    async with database.write() as connection:
        variant = await connection.scalar(sa.select(variants.c.id).where(variants.c.issue_id == issue))
        story = {"article_id": 1, "version": version, "depth": "full", "mention": mention, "position": 1}
        await connection.execute(variant_stories.insert().values(variant_id=variant, **story))
        await connection.execute(
            deliveries.update().where(deliveries.c.issue_id == issue).values(state=state, ended_at=micros(NOW))
        )
    return issue


async def holders(notices: Notices) -> list[Holder]:
    return [holder for some in [one async for one in notices.holders(1)] for holder in some.holders]


async def test_an_event_has_one_issue_whoever_begins_it(notices: Notices) -> None:
    found = await asyncio.gather(*(notices.begin("kill:1", IssueKind.NOTICE, "KILL", NOW) for _ in range(4)))
    assert len({opened.number for opened in found}) == 1
    assert {opened.state for opened in found} == {IssueState.PLANNING}


async def test_what_the_sandbox_was_told_begins_anew(database: Database) -> None:
    """The other way round it does not: real people were told."""
    first = await Notices(database, sandbox=True).begin("kill:1", IssueKind.NOTICE, "KILL", NOW)
    real = await Notices(database, sandbox=False).begin("kill:1", IssueKind.NOTICE, "KILL", NOW)
    again = await Notices(database, sandbox=True).begin("kill:1", IssueKind.NOTICE, "KILL", NOW)
    assert (first.sandbox, real.sandbox, again) == (True, False, real)
    assert first.number != real.number


@pytest.mark.parametrize("state", list(DeliveryState))
async def test_received_is_what_was_taken_or_may_have_been(
    database: Database, notices: Notices, state: DeliveryState
) -> None:
    """Accepted and uncertain copies are there, open ones on their way, others never came."""
    await brought(database, [1], state.value)
    received = state in (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)
    reserved = state in (DeliveryState.PENDING, DeliveryState.CLAIMED, DeliveryState.IN_FLIGHT, DeliveryState.DEFERRED)
    expected = Holder(
        number=1, received=(1,) if received else (), reserved=(1,) if reserved else (), newsletters=("daily",)
    )
    assert await holders(notices) == ([expected] if received or reserved else [])


async def test_holders_are_of_every_issue_compacted_or_not(database: Database, notices: Notices) -> None:
    """All versions of a reader, in order; what only names the story, and what the sandbox got, does not count."""
    first = await brought(database, [1, 2, 3], "accepted")
    assert await Compaction(database).compact(first)
    await brought(database, [2, 3], "accepted", version=2)
    await brought(database, [5], "accepted", mention="already_sent")
    await brought(database, [6], "accepted", mention="advisory")
    await brought(database, [7], "accepted", sandbox=True)
    assert [(h.number, h.received) for h in await holders(notices)] == [(1, (1,)), (2, (1, 2)), (3, (1, 2))]
    spans = [(some.first, some.last) async for some in notices.holders(1)]
    assert spans == [(1, 2), (3, 4), (5, 6), (7, 7)]


async def test_a_late_recipient_opens_a_finished_issue_again(database: Database, notices: Notices) -> None:
    """The balance grows with the row, and the newcomer has all the time there is."""
    await brought(database, [1, 2], "accepted")
    issue = (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).number
    variant = await Issues(database, sandbox=False).add_variant(issue, "a", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, variant, False)], mark, (), NOW)
    assert await notices.finish(issue, (), NOW) is IssueState.SENDING
    assert await notices.finish(issue, (), NOW) is None
    async with database.write() as connection:
        await connection.execute(deliveries.update().values(state="accepted"))
        await connection.execute(issues.update().values(state=IssueState.DONE, sending_at=1, finished_at=2))
    for _ in range(2):  # the second time it is there already
        mark = await Readers(database).mark()
        assert await notices.add(issue, [(2, variant, False)], mark, (), LATER)
    async with database.read() as connection:
        row = (await connection.execute(sa.select(issues).where(issues.c.id == issue))).one()
    assert (row.state, row.expected, row.sending_at, row.finished_at) == ("sending", 2, None, None)
    assert await states(database, issue) == {"accepted": 1, "pending": 1}


async def test_an_issue_for_nobody_is_done_and_its_first_recipient_may_have_to_wait(
    database: Database, notices: Notices
) -> None:
    await brought(database, [1], "accepted")
    issue = (await notices.begin("kill:1", IssueKind.NOTICE, "KILL", NOW)).number
    assert await notices.finish(issue, ("changed-stories: 11",), NOW) is IssueState.DONE
    variant = await Issues(database, sandbox=False).add_variant(issue, "a", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, variant, True)], mark, ("changed-stories: 11",), NOW)
    assert await issue_state(database, issue) == "held"
    assert await states(database, issue) == {"suppressed": 1}


async def test_rows_are_refused_whose_words_were_taken_away_as_nobody_had_them(
    database: Database, notices: Notices
) -> None:
    """Whoever finishes an event tidies it, while another still has people to add with what it had frozen before."""
    await brought(database, [1, 2], "accepted")
    issue = (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).number
    store = Issues(database, sandbox=False)
    had, spare = await store.add_variant(issue, "a", SAID), await store.add_variant(issue, "b", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, had, False)], mark, (), NOW)
    assert await notices.finish(issue, (), NOW) is IssueState.SENDING
    assert await store.outcomes(issue) == {"a": had}
    assert not await notices.add(issue, [(2, spare, False)], mark, (), NOW)
    assert await states(database, issue) == {"pending": 1}
    assert await notices.add(issue, [(2, await store.add_variant(issue, "b", SAID), False)], mark, (), NOW)
    assert await states(database, issue) == {"pending": 2}


async def test_rows_are_refused_when_somebody_else_planned_meanwhile(database: Database, notices: Notices) -> None:
    await brought(database, [1], "accepted")
    issue = (await notices.begin("kill:1", IssueKind.NOTICE, "KILL", NOW)).number
    variant = await Issues(database, sandbox=False).add_variant(issue, "a", SAID)
    mark = await Readers(database).mark()
    await brought(database, [1], "pending")
    assert not await notices.add(issue, [(1, variant, False)], mark, (), NOW)
    assert await states(database, issue) == {}


async def test_nothing_is_looked_at_again_until_something_moves(database: Database, notices: Notices) -> None:
    """An issue is settled once nothing of the story is on its way; a copy that ends opens it again."""
    await brought(database, [1], "accepted")
    late = NOW + timedelta(hours=1)
    issue = (await notices.begin("kill:1", IssueKind.NOTICE, "KILL", NOW)).number
    assert not await notices.settled(issue, 1)
    await notices.looked(issue, late)
    assert await notices.settled(issue, 1)
    second = await brought(database, [2], "in_flight")
    for state, finished_at in ((IssueState.SENDING, None), (IssueState.CANCELLED, NOW), (IssueState.DONE, late)):
        finished = {"state": state, "finished_at": finished_at and micros(finished_at)}
        async with database.write() as connection:
            await connection.execute(issues.update().where(issues.c.id == second).values(finished))
        assert not await notices.settled(issue, 1), state
    await _end(database, second, IssueState.CANCELLED, NOW, late)  # the relay's answer came after the operator's word
    assert not await notices.settled(issue, 1)
    for state in (IssueState.CANCELLED, IssueState.DONE):
        await _end(database, second, state, NOW, NOW)
        assert await notices.settled(issue, 1)


async def _end(database: Database, issue: int, state: IssueState, finished_at: datetime, ended_at: datetime) -> None:
    async with database.write() as connection:
        mine = deliveries.c.issue_id == issue
        await connection.execute(deliveries.update().where(mine).values(state="accepted", ended_at=micros(ended_at)))
        finished = {"state": state, "finished_at": micros(finished_at)}
        await connection.execute(issues.update().where(issues.c.id == issue).values(finished))


async def test_a_superseded_event_sends_nothing_more(database: Database, notices: Notices) -> None:
    """What waits is cancelled; what is claimed finds its variant stale; what is in flight ends by itself."""
    await brought(database, [1, 2, 3, 4], "accepted")
    issue = (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).number
    variant = await Issues(database, sandbox=False).add_variant(issue, "a", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(n, variant, False) for n in (1, 2, 3, 4)], mark, (), NOW)
    await notices.finish(issue, (), NOW)
    async with database.write() as connection:
        for number, state in ((2, "claimed"), (3, "in_flight"), (4, "deferred")):
            mine = sa.and_(deliveries.c.issue_id == issue, deliveries.c.subscriber_id == number)
            await connection.execute(deliveries.update().where(mine).values(state=state))
    assert await notices.supersede(["correction:1:2"], NOW) == 2
    assert await notices.supersede([], NOW) == 0
    assert await states(database, issue) == {"cancelled": 2, "claimed": 1, "in_flight": 1}
    async with database.read() as connection:
        assert await connection.scalar(sa.select(variants.c.stale).where(variants.c.id == variant))
    planning = (await notices.begin("hold:1:3", IssueKind.NOTICE, "HOLD", NOW)).number
    assert await notices.unfinished(IssueKind.NOTICE) == ["correction:1:2", "hold:1:3"]
    await notices.supersede(["hold:1:3"], NOW)
    assert await issue_state(database, planning) == "cancelled"


async def test_changes_are_found_by_kind_and_time(database: Database, notices: Notices) -> None:
    rows = [(1, 2, "corrected", 1), (2, 2, "updated", 1), (3, 2, "killed", 2), (4, 2, "held", 9), (1, 3, "held", 1)]
    async with database.write() as connection:
        for number in range(1, 5):
            values = {"id": number, "uri": str(number), "slug": "s", "path": "p", "version": 1, "status": "published"}
            await connection.execute(articles.insert().values(**values, first_seen_at=0))
        for number, version, change, hour in rows:
            values = {"article_id": number, "version": version, "change": change}
            at = micros(NOW + timedelta(hours=hour))
            await connection.execute(article_versions.insert().values(**values, revised_at=at, story=b"{}", body=b""))
    kinds = ("corrected", "killed", "held")
    assert await notices.changed(kinds, NOW, NOW + timedelta(hours=2)) == [1, 3]
    assert await notices.changed(kinds, NOW + timedelta(hours=1), NOW + timedelta(hours=1)) == []


async def test_addressees_have_what_decides(database: Database, notices: Notices) -> None:
    await add_issue(database, [1, 2, 3])
    async with database.write() as connection:
        await connection.execute(
            subscriptions.update().where(subscriptions.c.subscriber_id == 2).values(status="paused")
        )
        await connection.execute(
            licences.insert().values(subscriber_id=1, product="*", embargo_cleared=True, origin="t", created_at=0)
        )
        values = {"subscriber_id": 2, "product": "*", "embargo_cleared": True, "origin": "t", "created_at": 0}
        await connection.execute(licences.insert().values(**values, valid_until=micros(NOW)))
        await connection.execute(
            suppressions.insert().values(
                address_hash="h", address="reader3@example.com", reason="manual", at=0, origin="t"
            )
        )
    people = await notices.addressees([1, 2, 3, 9])
    assert {n: (p.newsletters, p.suppressed, len(p.licences)) for n, p in people.items()} == {
        1: (frozenset({"daily"}), False, 1),
        2: (frozenset({"daily"}), False, 1),
        3: (frozenset({"daily"}), True, 0),
    }
    assert (await notices.addressees([2], paused=False))[2].newsletters == frozenset()
    assert await notices.cleared(NOW) == [1]


@pytest.mark.parametrize(
    ("kind", "status", "goes"),
    [
        (IssueKind.NOTICE, "confirmed", True),
        (IssueKind.NOTICE, "paused", True),
        (IssueKind.NOTICE, "unsubscribed", False),
        (IssueKind.EMBARGO, "confirmed", True),
        (IssueKind.EMBARGO, "paused", False),
        (IssueKind.EMBARGO, "unsubscribed", False),
    ],
)
async def test_a_notice_goes_through_a_pause_and_never_through_an_opt_out(
    database: Database, kind: IssueKind, status: str, goes: bool
) -> None:
    """An embargoed story goes with the newsletter it names, a notice to whoever still reads anything."""
    issue = await add_issue(database, [1], kind=kind, newsletter=None, event="e:1")
    await add_issue(database, [1], status=status, state=IssueState.DONE)
    async with database.write() as connection:
        await connection.execute(variants.update().where(variants.c.issue_id == issue).values(newsletter="daily"))
        other = {"subscriber_id": 1, "newsletter": "weekly", "created_at": 0}
        await connection.execute(subscriptions.insert().values(**other, status="unsubscribed"))
    store = Deliveries(database, lambda key: f"hash {key}", sandbox=False)
    boot = Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW)
    await store.enlist(boot)
    rows = await store.claim(boot, NOW, limit=5, lease=timedelta(minutes=20))
    assert [(row.kind, row.newsletter) for row in rows] == ([(kind, "daily")] if goes else [])
    if rows:
        granted = await store.mark(boot, NOW, rows, [], margin=timedelta(minutes=15))
        assert granted == {rows[0].number}
    else:
        assert await states(database, issue) == {"suppressed": 1}


async def test_a_notice_goes_before_what_waits_for_longer(database: Database) -> None:
    """A kill does not stand behind a digest to everybody."""
    digest = await add_issue(database, range(1, 6))
    notice = await add_issue(database, [9], kind=IssueKind.NOTICE, newsletter=None, event="kill:1")
    await add_issue(database, [9], state=IssueState.DONE)
    store = Deliveries(database, lambda key: f"hash {key}", sandbox=False)
    boot = Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW)
    await store.enlist(boot)
    rows = await store.claim(boot, NOW, limit=3, lease=timedelta(minutes=20))
    assert [row.issue for row in rows] == [notice, digest, digest]


async def test_rows_that_wait_can_be_ended(database: Database, notices: Notices) -> None:
    issue = await add_issue(database, [1, 2], kind=IssueKind.EMBARGO, newsletter=None, event="embargo:1:0")
    async with database.write() as connection:
        await connection.execute(deliveries.update().where(deliveries.c.subscriber_id == 2).values(state="claimed"))
    await notices.end(issue, {1, 2}, "no longer cleared", NOW)
    assert await states(database, issue) == {"cancelled": 1, "claimed": 1}


async def test_a_stale_row_moves_to_its_new_variant(database: Database, notices: Notices) -> None:
    """The same row, said anew; one that is under way keeps what it carries."""
    await brought(database, [1, 2], "accepted")
    issue = (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).number
    store = Issues(database, sandbox=False)
    old = await store.add_variant(issue, "a", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, old, False), (2, old, False)], mark, (), NOW)
    async with database.write() as connection:
        await connection.execute(variants.update().where(variants.c.id == old).values(stale=True))
        mine = sa.and_(deliveries.c.issue_id == issue, deliveries.c.subscriber_id == 2)
        await connection.execute(deliveries.update().where(mine).values(state="in_flight"))
    assert await notices.told(issue, 1, 2, NOW) == {1: True, 2: False}
    new = await store.add_variant(issue, "b", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, new, False), (2, new, False)], mark, (), LATER)
    async with database.read() as connection:
        query = sa.select(deliveries.c.variant_id).where(deliveries.c.issue_id == issue)
        found = (await connection.execute(query.order_by(deliveries.c.subscriber_id))).scalars().all()
        text = await connection.scalar(sa.select(variants.c.text).where(variants.c.id == new))
    assert found == [new, old]
    assert zlib.decompress(text or b"") == b"x"


async def test_what_gave_way_to_news_goes_after_all(database: Database, notices: Notices) -> None:
    """The same row waits again, with what is said now; what an operator ended stays ended."""
    await brought(database, [1, 2], "accepted")
    issue = (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).number
    store = Issues(database, sandbox=False)
    old = await store.add_variant(issue, "a", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, old, False), (2, old, False)], mark, (), NOW)
    await notices.finish(issue, ("changed-stories: 11",), NOW)
    assert await notices.supersede(["correction:1:2"], NOW) == 2
    assert await notices.told(issue, 1, 2, NOW) == {}
    assert (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).state is IssueState.PLANNING
    new = await store.add_variant(issue, "b", SAID)
    mark = await Readers(database).mark()
    assert await notices.add(issue, [(1, new, False)], mark, (), NOW)
    assert await notices.finish(issue, (), NOW) is IssueState.SENDING
    assert await states(database, issue) == {"pending": 1, "cancelled": 1}
    assert await notices.told(issue, 1, 2, NOW) == {1: False}
    assert await store.cancel(issue, NOW)
    assert (await notices.begin("correction:1:2", IssueKind.NOTICE, "Correction", NOW)).state is IssueState.CANCELLED


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("state", [IssueState.PLANNING, IssueState.SENDING])
async def test_whoever_is_erased_while_others_are_told_is_counted_off(
    database: Database, notices: Notices, state: IssueState
) -> None:
    number = await add_issue(database, [1, 2], kind=IssueKind.NOTICE, state=state)
    key = await Issues(database, sandbox=False).add_variant(number, "a", SAID)
    await add_issue(database, [3])
    async with database.write() as connection:
        await delete_people(connection, subscribers.c.id == 1)
        if state is IssueState.PLANNING:
            going = asyncio.create_task(notices.finish(number, (), NOW))
        else:
            going = asyncio.create_task(notices.add(number, [(3, key, False)], 99, (), NOW))
        await somebody_waits(database)
    assert await going
    expected = sa.select(issues.c.expected).where(issues.c.id == number)
    rows = sa.select(sa.func.count()).where(deliveries.c.issue_id == number)
    async with database.read() as connection:
        assert await connection.scalar(expected) == await connection.scalar(rows)


async def test_nobody_is_told_in_words_that_are_just_being_taken_away(
    database: Database, notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tidies has looked for the last time, and deletes next."""
    number, write, added = await add_issue(database, [1], kind=IssueKind.NOTICE), database.write, []
    await add_issue(database, [2])
    key = await Issues(database, sandbox=False).add_variant(number, "a", SAID)
    writes = itertools.count(1)

    @asynccontextmanager
    async def beside(**how: bool) -> AsyncIterator[AsyncConnection]:
        if next(writes) == 2:
            monkeypatch.undo()
            added.append(await notices.add(number, [(2, key, False)], 99, (), NOW))
        async with write(**how) as connection:
            yield connection

    monkeypatch.setattr(database, "write", beside)
    assert await tidied(database, number) == 1
    assert added == [False]
    assert (await states(database, number)) == {"pending": 1}
