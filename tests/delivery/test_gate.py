"""What stops delivery and lets it go on, over real sockets and a real store; and that it blames no reader."""

import asyncio
from collections import Counter
from datetime import time, timedelta

import pytest
import sqlalchemy as sa
from test_delivering import Desk, desk, until

from ledger_rows import NOW, add_issue, issue_state, row, states
from publisher.model.delivery import Policy, Stop, Window
from publisher.model.issue import IssueKind
from publisher.stores.database import Database, micros
from publisher.stores.issues import Issues
from publisher.stores.schema import deliveries, delivery_events, issues
from publisher.stores.stops import Stops

ONE = Policy(connections=1)


async def stop_reason(database: Database, issue: int) -> str | None:
    """Returns why an issue is paused."""
    async with database.read() as connection:
        return await connection.scalar(sa.select(issues.c.stop_reason).where(issues.c.id == issue))


async def codes(service: Desk) -> list[str]:
    """Returns the codes of all that stops a service."""
    return [stop.code for stop in await service.delivering.stops()]


async def test_a_relay_that_dies_is_left_alone_and_tried_again_by_one(sqlite_database: Database) -> None:
    """The issue is paused with a reason, nobody loses an attempt, and one message tries whether it is back."""
    issue = await add_issue(sqlite_database, range(1, 41))
    gone = {"CONNECT": ["421 4.3.2 not now"] * 4}
    async with desk(sqlite_database, gone, ONE) as (service, relay), service.running():
        service.engine.ring()

        async def is_paused() -> bool:
            return await issue_state(sqlite_database, issue) == "paused"

        await until(is_paused)
        assert relay.sessions == 3
        assert str(await stop_reason(sqlite_database, issue)).startswith("relay: 3 failures in a row (greeting 421")
        (stop,) = await service.delivering.stops()
        assert (stop.code, stop.until) == ("relay", NOW + timedelta(seconds=60))
        assert await states(sqlite_database, issue) == {"pending": 40}
        service.clock.at += timedelta(seconds=59)
        service.engine.ring()
        await asyncio.sleep(0.3)
        assert relay.sessions == 3
        service.clock.at += timedelta(seconds=1)
        service.engine.ring()

        async def is_to_wait_twice_as_long() -> bool:
            return [stop.until for stop in await service.delivering.stops()] == [NOW + timedelta(seconds=180)]

        await until(is_to_wait_twice_as_long)
        await until(is_paused)
        assert relay.sessions == 4
        service.clock.at += timedelta(seconds=120)
        service.engine.ring()

        async def is_done() -> bool:
            return await issue_state(sqlite_database, issue) == "done"

        await until(is_done)
        assert await codes(service) == []
    assert len(relay.received) == 40
    async with sqlite_database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.max(deliveries.c.attempts))) == 1


async def test_a_refused_login_is_not_tried_again_for_a_quarter_of_an_hour_not_even_by_the_next_process(
    sqlite_database: Database,
) -> None:
    issue = await add_issue(sqlite_database, [1, 2])
    async with desk(sqlite_database, policy=ONE) as (service, relay):
        relay.extensions = ("AUTH PLAIN",)
        relay._left["AUTH"].append("535 5.7.8 wrong password")
        service.transport._doorstep._relay = _with_login(relay.port)
        assert "login" in str((await service.delivering.drain(issue)).trouble)
        other = Desk(sqlite_database, relay, ONE, sandbox=False)
        other.clock.at += timedelta(minutes=14)
        assert "login" in str((await other.delivering.drain(issue)).trouble)
        assert relay.sessions == 1
        assert await Issues(sqlite_database, sandbox=False).release(issue, other.clock.at)  # the password is mended
        assert (await other.delivering.drain(issue)).counts.accepted == 2


def _with_login(port: int) -> object:
    from publisher.transports.session import Relay

    return Relay(host="127.0.0.1", port=port, security="none", username="u", password="p", hostname="localhost")


async def test_a_relay_that_puts_a_fifth_off_is_left_alone(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 61))
    busy: list[str | bytes] = ["450 4.7.1 greylisted"] * 100
    async with desk(sqlite_database, {"RCPT": busy}, ONE) as (service, _):
        drained = await service.delivering.drain(issue)
    assert "10 of the last 50 replies put us off" in str(drained.trouble)
    found = await states(sqlite_database, issue)
    assert found["deferred"] in (10, 11)  # the next letter's envelope may have been out
    assert found == {"deferred": found["deferred"], "pending": 60 - found["deferred"]}


async def test_a_421_makes_us_slower(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 9))
    async with desk(sqlite_database, {"RCPT": ["421 4.7.0 slow down"]}, Policy(connections=4)) as (service, _):
        await service.delivering.drain(issue)
        assert service.delivering._gates[0].connections == 2


async def test_service_mail_and_notices_do_not_wait_for_the_hours_digests_do(sqlite_database: Database) -> None:
    digest = await add_issue(sqlite_database, [1])
    notice = await add_issue(sqlite_database, [2], kind=IssueKind.NOTICE)
    message = await add_issue(sqlite_database, [3], kind=IssueKind.MESSAGE, newsletter=None)
    window = Window(begins=time(7), ends=time(22), timezone="UTC")
    async with desk(sqlite_database, policy=Policy(connections=2, window=window)) as (service, relay):
        drained = await service.delivering.drain(digest)
        assert drained.trouble == "window: issues go out at 07:00-22:00"
        async with service.running():
            await until(lambda: len(relay.received) == 2)
            assert {await issue_state(sqlite_database, issue) for issue in (notice, message)} <= {"done", "sending"}
            assert await states(sqlite_database, digest) == {"pending": 1}
            service.clock.at += timedelta(hours=1)
            await until(lambda: len(relay.received) == 3)


async def test_content_that_is_refused_stops_the_issue_before_it_has_gone_to_all(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 201))
    async with desk(sqlite_database, {"DOT": ["554 5.7.1 spam"] * 150}, ONE) as (service, relay), service.running():

        async def is_paused() -> bool:
            return await issue_state(sqlite_database, issue) == "paused"

        await until(is_paused)
        assert len(relay.received) < 150
        assert str(await stop_reason(sqlite_database, issue)).startswith("content: ")
        stood = len(relay.received)
        assert await Issues(sqlite_database, sandbox=False).release(issue, service.clock.at)
        await until(lambda: len(relay.received) > stood + 4)
        await until(is_paused)  # it is still refused: the word of release was for what was known then


async def test_dead_addresses_among_the_first_stop_the_issue(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 301))
    dead: list[str | bytes] = ["550 5.1.1 no such user"] * 10
    policy = Policy(connections=1, rate=1800)
    async with desk(sqlite_database, {"RCPT": dead}, policy) as (service, relay), service.running():
        with_time = asyncio.create_task(_with_real_time(service))

        async def is_paused() -> bool:
            return await issue_state(sqlite_database, issue) == "paused"

        await until(is_paused)
        with_time.cancel()
    assert str(await stop_reason(sqlite_database, issue)).startswith("bounces: 10 of ")
    assert len(relay.received) < 200


async def _with_real_time(service: Desk) -> None:
    while True:
        await asyncio.sleep(0.02)
        service.clock.at += timedelta(seconds=0.02)


async def test_complaints_stop_the_issue_and_a_word_lets_it_go_on(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 11))
    stops = Stops(sqlite_database, sandbox=False)
    async with sqlite_database.write() as connection:
        await connection.execute(
            sa.insert(delivery_events), [{"delivery_id": n, "kind": "complaint", "at": micros(NOW)} for n in (1, 2)]
        )
    assert (await stops.tally(issue)).complaints == 2
    async with desk(sqlite_database, policy=ONE) as (service, relay):
        service.clock.at += timedelta(seconds=1)
        assert "complaints: 2" in str((await service.delivering.drain(issue)).trouble)
        assert await Issues(sqlite_database, sandbox=False).release(issue, service.clock.at)
        assert (await service.delivering.drain(issue)).trouble is None
    assert await issue_state(sqlite_database, issue) == "done"
    assert max(Counter(r.recipient for r in relay.received).values()) == 1


async def test_a_rate_is_shared_by_all_processes(sqlite_database: Database) -> None:
    """Two services over one store: together they keep the one rate, by the relay's own clock."""
    issue = await add_issue(sqlite_database, range(1, 41))
    policy = Policy(connections=4, rate=600)
    async with desk(sqlite_database, policy=policy) as (service, relay):
        other = Desk(sqlite_database, relay, policy, sandbox=False)
        other.delivering._boot = _other_boot()
        other.clock = service.clock
        began = asyncio.get_running_loop().time()
        with_time = asyncio.create_task(_with_real_time(service))
        async with service.running(), other.running():
            await until(lambda: len(relay.received) == 40)
        with_time.cancel()
        assert asyncio.get_running_loop().time() - began >= 39 * 0.1
    assert await states(sqlite_database, issue) == {"accepted": 40}


def _other_boot() -> object:
    from publisher.model.delivery import Boot

    return Boot(id="two", folder="/b", host="h", pid=2, started_at=NOW)


class Barrier:
    """A guard that can be shut."""

    shut = True

    def stop(self) -> Stop | None:
        """Returns why nothing may be sent."""
        return Stop(code="disk", reason="full") if self.shut else None


async def test_a_guard_stops_everything_while_it_says_so(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1])
    barrier = Barrier()
    async with desk(sqlite_database, policy=ONE, guards=[barrier]) as (service, relay):
        assert (await service.delivering.drain(issue)).trouble == "disk: full"
        async with service.running():
            await asyncio.sleep(1.2)
            assert relay.received == []
            barrier.shut = False
            await until(lambda: len(relay.received) == 1)


@pytest.mark.parametrize("state", ["held", "paused"])
async def test_delivering_an_issue_that_stands_says_why(sqlite_database: Database, state: str) -> None:
    issue = await add_issue(sqlite_database, [1])
    values = {"hold_reasons": '["first-issue: x"]'} if state == "held" else {"stop_reason": "content: x"}
    async with sqlite_database.write() as connection:
        await connection.execute(sa.update(issues).values(state=state, **values))
    async with desk(sqlite_database) as (service, relay):
        drained = await service.delivering.drain(issue)
    assert str(drained.trouble).endswith(": x")
    assert relay.received == []
    assert (await row(sqlite_database, 1)).state == "pending"


async def test_an_issue_that_does_not_balance_does_not_end(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, [1, 2])
    async with sqlite_database.write() as connection:
        await connection.execute(sa.update(issues).values(expected=3))
    async with desk(sqlite_database) as (service, _):
        drained = await service.delivering.drain(issue)
    assert drained.counts.accepted == 2
    assert str(drained.trouble).startswith("balance: ")
