"""Several relays over one store, on both databases: none takes, stops or slows what goes by another."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from ledger_rows import NOW, add_issue, issue_state
from publisher.model.delivery import Boot, Rates, Route
from publisher.model.issue import IssueKind
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.schema import subscriptions, variants
from publisher.stores.stops import Stops

BOOT = Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW)
BULK = Route(name="bulk", newsletters=frozenset({"weekly"}), others=False)
SMTP = Route(name="smtp", newsletters=frozenset({"weekly"}))


@pytest.fixture
async def store(database: Database) -> Deliveries:
    store = Deliveries(database, lambda key: f"hash {key}", sandbox=False)
    await store.enlist(BOOT)
    return store


async def taken(store: Deliveries, route: Route, **more: object) -> set[tuple[int, int]]:
    """Claims all that one relay may have; returns issues and readers."""
    lease = timedelta(minutes=20)
    rows = await store.claim(BOOT, NOW, limit=100, lease=lease, route=route, **more)  # type: ignore[arg-type]
    return {(row.issue, row.subscriber) for row in rows}


async def embargoed(database: Database) -> int:
    """Adds what went to readers of two newsletters about one story: an issue of none, a variant of each."""
    issue = await add_issue(database, [1, 2], kind=IssueKind.EMBARGO, newsletter=None, event="embargo:1")
    async with database.write() as connection:
        told = (await connection.execute(sa.select(variants).where(variants.c.issue_id == issue))).one()._asdict()
        del told["id"]
        await connection.execute(sa.update(variants).where(variants.c.issue_id == issue).values(newsletter="daily"))
        other = await connection.scalar(
            sa.insert(variants).values(told | {"newsletter": "weekly", "outcome": "two"}).returning(variants.c.id)
        )
        moved = sa.text("UPDATE deliveries SET variant_id = :variant WHERE issue_id = :issue AND subscriber_id = 2")
        await connection.execute(moved, {"variant": other, "issue": issue})
        await connection.execute(
            database.insert(subscriptions).on_conflict_do_nothing(),
            [
                {"subscriber_id": number, "newsletter": name, "status": "confirmed", "created_at": 0}
                for number, name in ((1, "daily"), (2, "weekly"))
            ],
        )
    return issue


async def test_a_relay_takes_its_own_newsletters_mail_and_no_other(database: Database, store: Deliveries) -> None:
    daily = await add_issue(database, [1, 2], newsletter="daily")
    weekly = await add_issue(database, [1, 3], newsletter="weekly")
    gone = await add_issue(database, [4], newsletter="no longer in config")
    message = await add_issue(database, [5], kind=IssueKind.MESSAGE, newsletter=None, event="signup:1")
    story = await embargoed(database)
    assert await store.newsletters(story) == {"daily", "weekly"}
    assert await store.newsletters(message) == {None}
    assert await store.next_due(daily, BULK) is None
    assert await store.next_due(weekly, BULK) is not None
    assert await taken(store, BULK) == {(weekly, 1), (weekly, 3), (story, 2)}
    assert await store.next_due(None, BULK) is None
    rest = {(daily, 1), (daily, 2), (gone, 4), (message, 5), (story, 1)}
    assert await taken(store, SMTP) == rest
    assert await taken(store, Route()) == set()


async def test_where_no_newsletter_goes_by_a_relay_it_takes_nothing(database: Database, store: Deliveries) -> None:
    await add_issue(database, [1], newsletter="daily")
    assert await taken(store, Route(name="bulk", others=False)) == set()


async def test_a_stop_of_one_relay_pauses_only_what_goes_by_it(database: Database) -> None:
    daily = await add_issue(database, [1], newsletter="daily")
    weekly = await add_issue(database, [1], newsletter="weekly")
    notice = await add_issue(database, [1], kind=IssueKind.NOTICE, newsletter=None, event="kill:1")
    story = await embargoed(database)
    stops = Stops(database, sandbox=False)
    assert await stops.being_sent(BULK) == (weekly,)
    assert await stops.pause_all("it is down", BULK) == (weekly,)
    assert await stops.pause_all("it is down", SMTP) == (daily, notice)
    assert await issue_state(database, story) == "sending"  # of both: neither stops the other's readers
    assert await stops.resume_all(SMTP) == (daily, notice)
    assert await issue_state(database, weekly) == "paused"
    assert await stops.resume_all(BULK) == (weekly,)
    assert set(await stops.pause_all("it is down", Route())) == {daily, weekly, notice, story}


async def test_each_relay_keeps_its_own_rate(database: Database, store: Deliveries) -> None:
    await add_issue(database, range(1, 21), newsletter="daily")
    await add_issue(database, range(1, 21), newsletter="weekly")
    rates = Rates(rate=12, per_domain=6)
    first = await taken(store, SMTP, rates=rates)
    assert first
    assert await taken(store, SMTP, rates=rates) == set()
    assert len(await taken(store, BULK, rates=rates)) == len(first)
