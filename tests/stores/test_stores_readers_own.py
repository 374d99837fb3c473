"""What readers do with their own rows, on both databases: changes of address, fresh links, exports, purges."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ledger_rows import NOW, add_issue
from publisher.model.people import Allowance, Enrolment, MoveState, Proof, SignUpLimits, SubscriptionStatus
from publisher.stores.account_links import AccountLinks
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database
from publisher.stores.moves import Moves
from publisher.stores.people import People
from publisher.stores.records import Records
from publisher.stores.schema import deliveries, issues, subscribers
from publisher.stores.signups import SignUps

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LIMITS = SignUpLimits(per_address=(Allowance(window=timedelta(days=1), most=1),))
WEB = Proof(origin="web", network="192.0.2.0/24")


def feed_hash(subscriber: int, generation: int) -> str:
    return f"feed {subscriber} {generation}"


def address_hash(key: str) -> str:
    return f"hash {key}"


def enrolment(address: str, *newsletters: str, status: SubscriptionStatus = SubscriptionStatus.CONFIRMED) -> Enrolment:
    return Enrolment(
        address=address,
        address_key=address.lower(),
        address_hash=address_hash(address.lower()),
        newsletters=newsletters,
        status=status,
        proof=WEB,
    )


@pytest.fixture
def people(database: Database) -> People:
    return People(database)


@pytest.fixture
def moves(database: Database) -> Moves:
    return Moves(database, feed_hash)


async def enrol(people: People, *enrolments: Enrolment, now: datetime = AT) -> list[int]:
    answers = await people.enrol(enrolments, feed_hash, LIMITS, now)
    return [answer.subscriber or 0 for answer in answers]


async def wish(moves: Moves, subscriber: int, address: str) -> int:
    asked = await moves.ask(subscriber, enrolment(address), LIMITS, AT)
    assert asked is not None
    return asked.signup


async def agree(moves: Moves, signup: int, *, new_end: bool) -> MoveState | None:
    return await moves.agree(signup, new_end=new_end, address_hash=address_hash, proof=WEB, now=AT)


async def addresses(database: Database) -> dict[int, str]:
    async with database.read() as connection:
        return {row.id: row.address for row in await connection.execute(sa.select(subscribers))}


async def test_both_ends_at_once_and_each_twice_change_the_address_once(
    database: Database, people: People, moves: Moves
) -> None:
    (ada,) = await enrol(people, enrolment("ada@old.example", "daily"))
    signup = await wish(moves, ada, "ada@new.example")
    states = await asyncio.gather(*(agree(moves, signup, new_end=end) for end in (True, False, True, False)))
    assert MoveState.DONE in states
    assert await addresses(database) == {ada: "ada@new.example"}
    assert len([one for one in await people.consents(ada) if one.event == "moved"]) == 1


async def test_two_who_want_each_others_address_keep_their_own(
    database: Database, people: People, moves: Moves
) -> None:
    ada, bob = await enrol(people, enrolment("ada@x.example", "daily"), enrolment("bob@x.example", "daily"))
    there, back = await wish(moves, ada, "bob@x.example"), await wish(moves, bob, "ada@x.example")
    states = await asyncio.gather(*(agree(moves, one, new_end=end) for one in (there, back) for end in (True, False)))
    assert MoveState.DONE not in states
    assert await addresses(database) == {ada: "ada@x.example", bob: "bob@x.example"}


async def test_two_who_want_the_same_address_do_not_both_get_it(
    database: Database, people: People, moves: Moves
) -> None:
    ada, bob = await enrol(people, enrolment("ada@x.example", "daily"), enrolment("bob@x.example", "daily"))
    first, second = await wish(moves, ada, "new@x.example"), await wish(moves, bob, "new@x.example")
    for end in (True, False):
        await agree(moves, first, new_end=end)
    assert await agree(moves, second, new_end=False) is not MoveState.DONE
    assert await agree(moves, second, new_end=True) is not MoveState.DONE
    assert await addresses(database) == {ada: "new@x.example", bob: "bob@x.example"}


async def test_history_stays_with_the_person(database: Database, people: People, moves: Moves) -> None:
    """Coverage, deliveries and issues go on under the same number, and so does the Message-ID made of it."""
    issue = await add_issue(database, range(1001, 1003))
    before = (await addresses(database))[1001]
    signup = await wish(moves, 1001, "moved@example.com")
    for end in (False, True):
        await agree(moves, signup, new_end=end)
    assert before != (await addresses(database))[1001] == "moved@example.com"
    async with database.read() as connection:
        query = sa.select(deliveries.c.subscriber_id).where(deliveries.c.issue_id == issue).order_by(deliveries.c.id)
        assert (await connection.execute(query)).scalars().all() == [1001, 1002]


async def test_fresh_links_are_counted_also_when_asked_for_at_once(database: Database, people: People) -> None:
    (ada,) = await enrol(people, enrolment("ada@x.example", "daily"))
    links, hour = AccountLinks(database), timedelta(hours=1)
    allowances = (Allowance(window=hour, most=2), Allowance(window=24 * hour, most=3))

    async def asked(now: datetime) -> int:
        made = await asyncio.gather(*(links.issue(ada, hour, allowances, now) for _ in range(5)))
        return sum(link is not None for link in made)

    assert [await asked(AT), await asked(AT + hour), await asked(AT + 30 * hour)] == [2, 1, 2]
    assert await links.issue(99, hour, allowances, AT) is None
    (link,) = [await links.issue(ada, hour, allowances, AT + 90 * hour)]
    assert link is not None
    assert await links.subscriber(link, AT + 90 * hour) == ada
    assert await links.subscriber(link, AT + 91 * hour) is None


async def test_export_knows_mails_also_of_compacted_issues(database: Database) -> None:
    issue = await add_issue(database, range(1, 3))
    async with database.write() as connection:
        await connection.execute(sa.update(deliveries).where(deliveries.c.issue_id == issue).values(state="accepted"))
        await connection.execute(sa.update(issues).where(issues.c.id == issue).values(state="done"))
    records = Records(database, address_hash)
    (row,) = (await records.of(1) or {})["mails"]
    await Compaction(database).compact(issue)
    (blob,) = (await records.of(1) or {})["mails"]
    assert (row["state"], blob["state"]) == ("accepted", "accepted")
    assert row["planned_at"] == blob["planned_at"] == NOW.isoformat()
    assert await records.of(99) is None


async def test_purge_in_two_processes_and_again_is_one_purge(database: Database, people: People) -> None:
    asked = [enrolment(f"r{n}@x.example", "daily", status=SubscriptionStatus.UNCONFIRMED) for n in range(5)]
    await enrol(people, *asked, enrolment("stays@x.example", "daily"))
    later = AT + timedelta(days=8)
    purges = await asyncio.gather(*(SignUps(database).purge(later - timedelta(days=7), later) for _ in range(3)))
    assert sum(purges) == 5
    assert list((await addresses(database)).values()) == ["stays@x.example"]


async def test_reminder_falls_to_one_of_several(database: Database, people: People) -> None:
    await enrol(people, enrolment("ada@x.example", "daily", status=SubscriptionStatus.UNCONFIRMED))
    later, store = AT + timedelta(days=1, minutes=1), SignUps(database)
    (waiting,) = await store.unanswered(later - timedelta(days=1), later)
    noted = await asyncio.gather(*(store.remind(waiting, address_hash, LIMITS.per_address, later) for _ in range(3)))
    assert sorted(noted) == [False, False, True]
    assert await store.unanswered(later - timedelta(days=1), later) == []


async def test_no_number_that_a_link_names_is_given_twice(people: People, moves: Moves, database: Database) -> None:
    """Or old mail of somebody who is no more would open the page of who came after."""
    links, hour, often = AccountLinks(database), timedelta(hours=1), (Allowance(window=timedelta(days=1), most=9),)

    async def arrive(address: str) -> tuple[int, int | None, int]:
        (number,) = await enrol(people, enrolment(address, "daily"))
        return number, await links.issue(number, hour, often, AT), await wish(moves, number, f"new-{address}")

    first = await arrive("ada@example.org")
    for address in ("ada@example.org", "new-ada@example.org"):
        await people.erase(address, address_hash(address), "command", AT)
    second = await arrive("bob@example.org")
    assert not any(one == other for one, other in zip(first, second, strict=True)), (first, second)
