"""Two relays, two newsletters: what one relay does wrong is no trouble of the other's readers."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from test_delivering import KEY, TOKENS, MovedClock, until

from ledger_rows import NOW, add_issue, issue_state
from publisher.engines.local import LocalEngine
from publisher.mail.tokens import Links
from publisher.model.article import Access
from publisher.model.catalogue import Catalogue, Newsletter, Site
from publisher.model.delivery import Boot, Policy, Route
from publisher.model.issue import IssueKind
from publisher.model.text import Localized
from publisher.services.deliver import Delivering
from publisher.services.letters import Letters
from publisher.services.ways import Way
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.stops import Stops
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport
from relays import ScriptedRelay

WEEKLY = frozenset({"weekly"})


@dataclass
class Pair:
    """A service with a relay for `weekly`, and one for all else."""

    delivering: Delivering
    clock: MovedClock
    first: ScriptedRelay
    bulk: ScriptedRelay


@asynccontextmanager
async def pair(
    database: Database, first: ScriptedRelay, bulk: ScriptedRelay, slow: Policy | None = None
) -> AsyncIterator[Pair]:
    def way(relay: ScriptedRelay, route: Route, policy: Policy) -> Way:
        to = Relay(host="127.0.0.1", port=relay.port, security="none", hostname="localhost")
        transport = SmtpTransport(to, policy.connections, Patience())
        return Way(relay=route.name, transport=transport, policy=policy, route=route)

    async with first.running(), bulk.running():
        names = {name: Newsletter(id=name, title=Localized.of(name)) for name in ("daily", "weekly")}
        site = Site(title="Example", url="https://news.example.org")
        catalogue = Catalogue(site=site, sections={}, products={}, newsletters=names, default_access=Access.PUBLIC)
        clock = MovedClock()
        delivering = Delivering(
            deliveries=Deliveries(database, TOKENS.address_hash, sandbox=False),
            ways=[
                way(first, Route(name="smtp", newsletters=WEEKLY), Policy(connections=2)),
                way(bulk, Route(name="bulk", newsletters=WEEKLY, others=False), slow or Policy(connections=2)),
            ],
            letters=Letters(catalogue, "Example <news@example.org>", Links(site.url, TOKENS), KEY),
            engine=LocalEngine(),
            clock=clock,
            boot=Boot(id="one", folder="/a", host="h", pid=1, started_at=NOW),
            stops=Stops(database, sandbox=False),
        )
        yield Pair(delivering, clock, first, bulk)


def readers(numbers: Iterable[int]) -> list[str]:
    return sorted(f"reader{n}@example.com" for n in numbers)


async def test_a_dead_relay_stops_only_its_own_newsletters(sqlite_database: Database) -> None:
    daily = await add_issue(sqlite_database, range(1, 61))
    weekly = await add_issue(sqlite_database, range(1, 41), newsletter="weekly")
    welcome = await add_issue(sqlite_database, [90], kind=IssueKind.MESSAGE, newsletter=None, event="signup:1")
    dead = ScriptedRelay({"CONNECT": ["421 4.3.2 not now"] * 3})
    async with pair(sqlite_database, ScriptedRelay({}, extensions=("PIPELINING",)), dead) as both:
        stop = asyncio.Event()
        running = asyncio.create_task(both.delivering.run(stop))

        async def is_done(issue: int) -> bool:
            return await issue_state(sqlite_database, issue) == "done"

        async def is_paused() -> bool:
            return await issue_state(sqlite_database, weekly) == "paused"

        await until(is_paused)
        await until(lambda: is_done(daily))
        await until(lambda: is_done(welcome))
        assert sorted(r.recipient for r in both.first.received) == readers([*range(1, 61), 90])
        assert both.bulk.received == []
        (stopped,) = await both.delivering.stops()
        assert (stopped.code, stopped.relay) == ("relay", "bulk")
        assert stopped.reason.startswith("bulk: 3 failures in a row (greeting 421")
        both.clock.at += timedelta(minutes=2)
        await until(lambda: is_done(weekly))
        assert sorted(r.recipient for r in both.bulk.received) == readers(range(1, 41))
        assert len(both.first.received) == 61
        assert await both.delivering.stops() == ()
        stop.set()
        await asyncio.wait_for(running, 60)


async def test_one_issue_is_delivered_whatever_becomes_of_the_other_relay(sqlite_database: Database) -> None:
    """Who delivers one issue opens no session with a relay that has nothing to do with it."""
    daily = await add_issue(sqlite_database, range(1, 21))
    weekly = await add_issue(sqlite_database, [1], newsletter="weekly")
    dead = ScriptedRelay({"CONNECT": ["421 4.3.2 not now"] * 3})
    async with pair(sqlite_database, ScriptedRelay({}), dead) as both:
        drained = await both.delivering.drain(daily)
        assert (drained.counts.accepted, drained.trouble) == (20, None)
        assert both.bulk.sessions == 0
        drained = await both.delivering.drain(weekly)
        assert str(drained.trouble).startswith("relay: bulk: 3 failures in a row")
        assert await issue_state(sqlite_database, daily) == "done"


async def test_a_slow_relay_keeps_no_other_waiting(sqlite_database: Database) -> None:
    """Its rate is its own: with one mail a minute the other newsletter is through long before its second mail."""
    daily = await add_issue(sqlite_database, range(1, 41))
    await add_issue(sqlite_database, range(1, 41), newsletter="weekly")
    async with pair(sqlite_database, ScriptedRelay({}), ScriptedRelay({}), slow=Policy(connections=1, rate=1)) as both:
        stop = asyncio.Event()
        running = asyncio.create_task(both.delivering.run(stop))

        async def is_done() -> bool:
            return await issue_state(sqlite_database, daily) == "done"

        await until(is_done)
        assert len(both.bulk.received) <= 1
        stop.set()
        await asyncio.wait_for(running, 60)
