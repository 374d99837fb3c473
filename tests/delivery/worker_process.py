"""The real delivery in a process of its own that may be killed, from outside or by itself at an exact point.

What is watched is wrapped here: the store, the transport and the socket that the process is given. The sender
itself is the one that production runs, and knows nothing of it.
"""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from asyncio import selector_events
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import publisher.engines.jobs  # noqa: F401 - once, in the process that nodes are forked from
from mortal_server import kill_server
from publisher.clock import SystemClock
from publisher.engines.local import LocalEngine
from publisher.engines.postgresql import PostgresqlEngine
from publisher.errors import UnreachableError
from publisher.mail.tokens import Links, Tokens
from publisher.model.article import Access
from publisher.model.catalogue import Catalogue, Newsletter, Site
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Letter, Policy
from publisher.model.issue import Recipients
from publisher.model.text import Localized
from publisher.services.deliver import Delivering
from publisher.services.doorbell import Doorbell
from publisher.services.letters import Letters
from publisher.services.timekeeping import Timekeeping
from publisher.services.ways import Way
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.issues import Issues
from publisher.stores.moments import Moments
from publisher.stores.nodes import IssuesAhead
from publisher.stores.schema import deliveries, issues
from publisher.stores.stops import Stops
from publisher.transports.postings import Posting, Tell
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport

KEY = b"k" * 32
_EVERY_SECONDS = 0.05
_ALL = 10**9


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a worker is to do, and where it is to die."""

    folder: str
    url: str = "sqlite:///publisher.db"
    port: int = 0
    connections: int = 4
    resend: bool = True
    resend_after: float = 0.2
    lease: float = 1200.0
    relay_pause: float = 60.0
    retry_after: float = 300.0
    rate: int = 0
    home: str = "/publication"
    """The folder whose lock this worker would hold."""
    point: str = ""
    """Where it kills itself; empty: nowhere."""
    number: int = 1
    """At which message, or which time."""
    server: int = 0
    """The process of the database's server, which is killed at the point instead; 0: it is ourselves who die."""
    until_done: bool = False
    """Ends by itself once no issue is being sent."""
    plan: str = ""
    """The moment to plan for first; empty: nothing is planned."""
    schedule: str = "daily 07:00"
    """Of the newsletter that is planned for."""
    log: str = ""
    clock_wrong: float = 0.0
    """Seconds by which its machine's clock is wrong."""
    engine: bool = False
    """Whether other nodes are told by the engine of many processes what there is to do."""
    poison: int = 0
    """The subscriber whose mail kills the process that makes it."""


class Killer:
    """Kills this process at one point."""

    def __init__(self, point: str, number: int, server: int = 0) -> None:
        self._server = server
        self._point = point
        self._left = number
        self.goal = number
        self.armed = ""
        """The point that the next commit is, if any."""
        self.committing = "-"
        """The point that the next commit of a claim or of marks is."""

    def at(self, point: str, messages: int = 1) -> None:
        """Says where we are, and for how many messages."""
        if point == self._point and messages:
            self._left -= messages
            if self._left <= 0 and self._server:
                self._point = ""
                kill_server(self._server)
            elif self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watches(self, point: str) -> bool:
        """Returns whether this is the point."""
        return point == self._point


class KilledDeliveries(Deliveries):
    """The store, watched."""

    killer: Killer
    recorded = 0

    async def claim(self, *arguments: Any, **options: Any) -> list[Claimed]:
        self.killer.committing = "claim_commit"
        rows = await super().claim(*arguments, **options)
        self.killer.at("claimed", len(rows))
        return rows

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        self.killer.at("before_mark", len(begun))
        self.killer.committing = "mark_commit" if not ended else "both_commit" if begun else "record_commit"
        granted = await super().mark(boot, now, begun, ended, margin=margin)
        self.killer.at("marked", len(granted))
        recorded = sum(end.outcome.state == "accepted" for end in ended)
        self.recorded += recorded
        self.killer.at("recorded", recorded)
        return granted

    async def recover(self, *arguments: Any, **options: Any) -> int:
        self.killer.armed = "recovering"
        recovered = await super().recover(*arguments, **options)
        self.killer.armed = ""
        self.killer.at("recovered", _ALL)
        return recovered

    async def finish(self, *arguments: Any, **options: Any) -> tuple[int, ...]:
        self.killer.armed = "finishing" if self.recorded >= self.killer.goal else ""
        done = await super().finish(*arguments, **options)
        self.killer.armed = ""
        self.killer.at("finished", _ALL * len(done))
        return done


class KilledIssues(Issues):
    """The ledger of planning, watched."""

    killer: Killer

    async def begin(self, *arguments: Any, **options: Any) -> Any:
        self.killer.armed = "issue_uncommitted"
        begun = await super().begin(*arguments, **options)
        self.killer.armed = ""
        self.killer.at("issue_committed")
        return begun

    async def add_deliveries(self, issue: int, shares: Sequence[Recipients], *more: Any) -> bool:
        added = await super().add_deliveries(issue, shares, *more)
        self.killer.at("rows", sum(len(share.readers) for share in shares))
        return added

    async def finish_planning(self, *arguments: Any, **options: Any) -> Any:
        self.killer.at("planned")
        return await super().finish_planning(*arguments, **options)


class KilledTransport(SmtpTransport):
    """The connections, watched."""

    killer: Killer

    def post(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]], tell: Tell) -> Posting:
        def told(end: Ending | BaseException) -> None:
            self.killer.at("sent", int(isinstance(end, Ending) and end.accepted))
            tell(end)

        return super().post(letter, in_flight, told)


def watch_socket(killer: Killer) -> None:
    """Lets the process die with half a body written, or with all of it and no answer read."""
    write = selector_events._SelectorSocketTransport.write  # type: ignore[attr-defined]

    def written(self: Any, data: bytes) -> None:
        body = b"\r\n.\r\n" in bytes(data)
        if body and killer.watches("mid_body") and killer._left == 1:
            write(self, bytes(data)[: len(data) // 2])
        elif body:
            write(self, data)
        else:
            write(self, data)
            return
        killer.at("mid_body")
        killer.at("dot")

    selector_events._SelectorSocketTransport.write = written  # type: ignore[attr-defined]


def watch_commits(database: Database, killer: Killer) -> None:
    """Lets the process, or the server, die with a transaction done and not yet committed."""
    sa.event.listen(database._writers.sync_engine, "commit", lambda _: killer.at(killer.armed or "-", _ALL))

    transact = database.transact

    async def watched(work: Callable[[Any], Any], **options: Any) -> Any:
        point = killer.committing

        def done(cursor: Any) -> Any:
            found = work(cursor)
            killer.at(point)
            return found

        return await transact(done, **options)

    database.transact = watched  # type: ignore[method-assign]


class PoisonedLetters(Letters):
    """Makes mails, but for one that kills whoever makes it."""

    poison = 0

    def letter(self, prepared: Any, row: Claimed, now: datetime) -> Letter:
        if row.subscriber == self.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().letter(prepared, row, now)


class WrongClock(SystemClock):
    """The clock of a machine that is wrong by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._wrong = timedelta(seconds=seconds)
        super().__init__()

    def _measured(self, steady: timedelta) -> datetime:
        return super()._measured(steady) + (self._wrong if self._server is None else timedelta(0))


def catalogue() -> Catalogue:
    """Returns a publication with one newsletter."""
    site = Site(title="Example", url="https://news.example.org")
    daily = Newsletter(id="daily", title=Localized.of("Daily digest"))
    return Catalogue(site=site, sections={}, products={}, newsletters={"daily": daily}, default_access=Access.PUBLIC)


def delivering(
    orders: Orders, database: Database, killer: Killer, clock: SystemClock, engine: LocalEngine
) -> Delivering:
    """Returns the service as `app` would make it."""
    tokens = Tokens(KEY)
    sandbox = bool(orders.plan)
    store = KilledDeliveries(database, tokens.address_hash, sandbox=sandbox)
    relay = Relay(host="127.0.0.1", port=orders.port, security="none", hostname="localhost")
    transport = KilledTransport(relay, orders.connections, Patience())
    store.killer = transport.killer = killer
    letters = PoisonedLetters(catalogue(), "Example <news@example.org>", Links("https://news.example.org", tokens), KEY)
    letters.poison = orders.poison
    policy = Policy(
        connections=orders.connections,
        resend_uncertain=orders.resend,
        resend_after=timedelta(seconds=orders.resend_after),
        lease=timedelta(seconds=orders.lease),
        rate=orders.rate,
        relay_pause=timedelta(seconds=orders.relay_pause),
        retry_after=timedelta(seconds=orders.retry_after),
    )
    return Delivering(
        deliveries=store,
        ways=[Way(relay="relay:25", transport=transport, policy=policy)],
        letters=letters,
        engine=engine,
        clock=clock,
        keep_time=Timekeeping(clock, Moments(database)).look,
        boot=Boot(id=uuid.uuid4().hex, folder=orders.home, host="here", pid=os.getpid(), started_at=clock.now()),
        stops=Stops(database, sandbox=sandbox),
    )


async def plan(orders: Orders, database: Database, killer: Killer) -> None:
    """Plans what is due, in pages of twenty readers."""
    sys.path.append(str(Path(__file__).parents[1] / "services"))
    from planning_world import World, newsletter, publication

    class KilledWorld(World):
        @property
        def issues(self) -> Issues:
            watched = KilledIssues(self.database, sandbox=self.sandbox)
            watched.killer = killer
            return watched

    world = KilledWorld(database, publication(newsletter("daily", orders.schedule)), page=20)
    await world.planning.due(datetime.fromisoformat(orders.plan))


async def main(orders: Orders) -> None:
    """Delivers until SIGTERM, or until there is nothing left to do."""
    killer = Killer(orders.point, orders.number, orders.server)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = Database.open(orders.url, Path(orders.folder))
    watch_commits(database, killer)
    if orders.point in ("mid_body", "dot"):
        watch_socket(killer)
    try:
        if orders.plan:
            await plan(orders, database, killer)
        watching = asyncio.create_task(_stop_when_done(database, stop)) if orders.until_done else None
        engine = PostgresqlEngine(orders.url) if orders.engine else LocalEngine()
        serving = asyncio.create_task(engine.serve(stop))
        await Doorbell(IssuesAhead(database, sandbox=bool(orders.plan)), engine).ring()
        await delivering(orders, database, killer, WrongClock(orders.clock_wrong), engine).run(stop)
        await serving
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    finally:
        await database.close()


async def _stop_when_done(database: Database, stop: asyncio.Event) -> None:
    being_sent = (
        sa.select(sa.func.count()).select_from(issues).where(issues.c.state.in_(("planning", "sending", "paused")))
    )
    owned = deliveries.c.state.in_(("claimed", "in_flight"))
    open_rows = sa.select(sa.func.count()).select_from(deliveries).where(owned)
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        with contextlib.suppress(UnreachableError):
            async with database.read() as connection:
                if not await connection.scalar(being_sent) and not await connection.scalar(open_rows):
                    stop.set()
                    return


def work(orders: Orders) -> None:
    """The process: its own end is its answer."""
    quiet = os.open(orders.log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    asyncio.run(main(orders))
