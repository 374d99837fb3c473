"""Delivers: claims what is due, sends it by the relay it is to go by, records how each one ended.

The relay's answers are facts (`Ending`); what they mean is decided in
`mail.outcome`; nothing here decides by exception type. Only a process that
holds its folder's lock may run this (decisions 15, 16).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import structlog

from publisher.errors import PublisherError, UnreachableError
from publisher.mail.trial import require_sound_mail
from publisher.model.delivery import Boot, Drained, Ending, Stop
from publisher.model.issue import IssueCounts, IssueKind, MailText
from publisher.model.people import Subscriber
from publisher.ports import Clock, DeliveryStore, Engine, Guard, Reserve, StopStore
from publisher.services.gate import Gate
from publisher.services.letters import Letters
from publisher.services.mails import Mails
from publisher.services.outage import Outage
from publisher.services.outlet import Outlet, Work
from publisher.services.ways import Way

_POLL_SECONDS = 1.0
_HOUSEKEEPING_SECONDS = 30.0
_STOP_SECONDS = 75.0
"""For transactions under way when we are asked to stop."""
_PROGRESS_SECONDS = 0.5
_LEASE_GRACE = 0.5
"""Of a lease is waited, beyond its end, for the final reply that a worker elsewhere may still get: 10 minutes."""
_log = structlog.get_logger(__name__)

Progress = Callable[[IssueCounts], None]


class Delivering:
    """The one use case: what is due gets delivered."""

    def __init__(
        self,
        *,
        deliveries: DeliveryStore,
        ways: Sequence[Way],
        letters: Letters,
        engine: Engine,
        clock: Clock,
        boot: Boot,
        stops: StopStore,
        guards: Sequence[Guard] = (),
        reserve: Reserve | None = None,
        revise: Callable[[datetime], Awaitable[object]] | None = None,
        keep_time: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`ways`: each newsletter's mail goes by exactly one of these relays; `guards` may stop everything.

        `reserve`: room for the ends of what is under way when the disk is full. `revise` makes waiting mail right
        again that is in doubt, and is handed out only then. `keep_time` reckons with a clock that was set.
        """
        self._keep_time = keep_time
        self._reserve = reserve
        self._revise = revise
        self._deliveries = deliveries
        self._ways = ways
        self._letters = letters
        self._engine = engine
        self._clock = clock
        self._boot = boot
        self._gates = [Gate(stops=stops, way=way, guards=guards, clock=clock) for way in ways]
        self._mails = Mails(deliveries, letters)
        self._outage = Outage()

    async def run(self, stop: asyncio.Event) -> None:
        """Delivers until `stop` is set; then begins nothing new, lets transactions end, gives claims back."""
        async with self._shift(None, stop) as shift:
            ringer = asyncio.create_task(_ring_when(stop, self._engine))
            try:
                while not stop.is_set():
                    try:
                        asked = await shift.tick()
                        await shift.fill()
                    except PublisherError as error:
                        self._is_away(error)
                    else:
                        if asked and self._outage.ends():
                            _log.info("deliver.goes_on")
                    await self._engine.wait(_POLL_SECONDS)
            finally:
                ringer.cancel()

    async def stops(self) -> tuple[Stop, ...]:
        """Returns everything that keeps mail from going out at present."""
        return tuple(dict.fromkeys([stop for gate in self._gates for stop in await gate.stops()]))

    async def drain(self, issue: int, progress: Progress | None = None) -> Drained:
        """Delivers one issue as far as possible now; what is deferred or uncertain is left for later."""
        barred = await self._deliveries.barred(issue)
        if barred is not None:
            return Drained(counts=await self._deliveries.counts(issue), trouble=barred)
        async with self._shift(issue) as shift:
            shown = 0.0
            while True:
                await shift.tick()
                await shift.fill()
                if shift.idle and await shift.is_through():
                    break
                if progress is not None and time.monotonic() - shown >= _PROGRESS_SECONDS:
                    progress(await self._deliveries.counts(issue))
                    shown = time.monotonic()
                await self._engine.wait(min(_POLL_SECONDS, _PROGRESS_SECONDS))
        counts = await self._deliveries.counts(issue)
        if progress is not None:
            progress(counts)
        return Drained(counts=counts, trouble=shift.trouble or await self._deliveries.standing(issue))

    async def deliver_test(self, mail: MailText, to: Subscriber, newsletter: str | None) -> Ending:
        """Sends one mail outside of the ledger and returns how that ended; nothing is recorded or tried again."""
        require_sound_mail()
        kind = IssueKind.DIGEST if newsletter is not None else IssueKind.MESSAGE
        letter = self._letters.test_letter(
            self._letters.prepared(mail, kind, newsletter), to, newsletter, self._clock.now()
        )
        (way,) = (way for way in self._ways if way.route.carries(newsletter))
        try:
            return await way.transport.send(letter, _granted)
        finally:
            await way.transport.close()

    @asynccontextmanager
    async def _shift(self, issue: int | None, stop: asyncio.Event | None = None) -> AsyncIterator["_Shift"]:
        """Gives the connections at work; `stop`: who runs until then waits for a store that does not answer."""
        require_sound_mail()
        of = None if issue is None or len(self._ways) == 1 else await self._deliveries.newsletters(issue)
        at_work = [
            (way, gate)
            for way, gate in zip(self._ways, self._gates, strict=True)
            if of is None or any(map(way.route.carries, of))
        ]
        shift = _Shift(self, issue, at_work)
        try:
            for way, _ in at_work:
                await way.transport.ready()
            while not await self._settled_in(shift, patient=stop is not None and not stop.is_set()):
                await self._engine.wait(_POLL_SECONDS)
            shift.start()
            yield shift
        finally:
            await shift.stop()
            await asyncio.gather(*(way.transport.close() for way, _ in at_work))
            with contextlib.suppress(PublisherError):
                await self._deliveries.dismiss(self._boot, self._clock.now())

    async def _settled_in(self, shift: "_Shift", *, patient: bool) -> bool:
        try:
            await shift.keep_time()
            await self._deliveries.enlist(self._boot)
            await shift.housekeep()
            await shift.leave_sandbox()
        except UnreachableError as error:
            if not patient:
                raise
            self._is_away(error)
            return False
        return True

    def _is_away(self, error: PublisherError) -> None:
        if self._outage.begins() or not isinstance(error, UnreachableError):
            _log.error("deliver.store", error=str(error))


class _Shift:
    """The connections at work, from start to stop."""

    def __init__(self, delivering: Delivering, issue: int | None, at_work: Sequence[tuple[Way, Gate]]) -> None:
        self._deliveries = delivering._deliveries
        self._policy = delivering._ways[0].policy
        self._boot = delivering._boot
        self._engine = delivering._engine
        self._keep_time = delivering._keep_time
        self._revise = delivering._revise
        self._reserve = delivering._reserve
        self._now = delivering._clock.now
        self._work = Work(
            deliveries=self._deliveries,
            engine=self._engine,
            clock=delivering._clock,
            boot=self._boot,
            issue=issue,
            reserve=self._reserve,
        )
        self._outlets = [Outlet(way, gate, self._work, delivering._letters, delivering._mails) for way, gate in at_work]
        self._ticked = 0.0
        self._kept_house = 0.0
        self._renewed = time.monotonic()
        self.trouble: str | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is claimed by us."""
        return self._work.idle

    def start(self) -> None:
        """Begins to hand letters over, two per connection: the next one is ready while a body is on its way."""
        self._work.at_work = True
        for outlet in self._outlets:
            outlet.stir()

    async def stop(self) -> None:
        """Begins nothing new, lets transactions end, gives back what was claimed, records the rest."""
        self._work.stopping.set()
        for outlet in self._outlets:
            with contextlib.suppress(PublisherError):
                await outlet.give_back()
        deadline = time.monotonic() + _STOP_SECONDS
        while any(outlet.busy for outlet in self._outlets) and time.monotonic() < deadline:
            await self._engine.wait(min(0.2, deadline - time.monotonic()))
        self._work.at_work = False
        await asyncio.gather(*(outlet.stop() for outlet in self._outlets))
        with contextlib.suppress(PublisherError):
            await self._deliveries.disown(self._boot, self._unwritten, self._now())
            for outlet in self._outlets:
                await outlet.settle()
            await self._finish()

    async def tick(self) -> bool:
        """Does what time brings: resends, leases, recovery, finished issues; returns whether it asked the store."""
        moment = time.monotonic()
        if moment - self._ticked < _POLL_SECONDS:
            return False
        self._ticked = moment
        await self.keep_time()
        for outlet in self._outlets:
            await outlet.look()
        if moment - self._kept_house >= _HOUSEKEEPING_SECONDS:
            await self.housekeep()
        if moment - self._renewed >= self._policy.lease.total_seconds() / 10:
            await self._deliveries.renew(self._boot, self._now(), self._policy.lease)
            self._renewed = moment
        await self._resend()
        if self._revise is not None and await self._revise(self._now()):
            self._work.touched = True
        if self._work.touched:
            await self._finish()
        return True

    async def keep_time(self) -> None:
        """Learns the time; before anything is judged by its age."""
        if self._keep_time is not None:
            await self._keep_time()

    async def housekeep(self) -> None:
        """Takes back what dead workers held, gives up what is too old."""
        self._kept_house = time.monotonic()
        for outlet in self._outlets:
            outlet.suspect()
        if self._reserve is not None:
            self._reserve.stock()
        grace = self._policy.lease * _LEASE_GRACE
        recovered = await self._deliveries.recover(self._boot, self._now(), owner=True, grace=grace)
        recovered += await self._deliveries.disown(self._boot, self._work.held | self._unwritten, self._now())
        expired = await self._deliveries.expire(self._now(), self._policy.max_age)
        if recovered or expired:
            _log.warning("deliver.housekeeping", recovered=recovered, expired=expired)
            self._work.touched = True
        await self._resend()

    async def leave_sandbox(self) -> None:
        """Gives up what was planned in the sandbox and not finished there: it is not for real people."""
        left = await self._deliveries.leave_sandbox(self._now())
        if left:
            _log.warning("deliver.sandbox_left", cancelled=left)

    async def fill(self) -> None:
        """Claims as much as the connections need."""
        nothing_due = [await outlet.fill() for outlet in self._outlets]
        if any(nothing_due) and self.idle:
            for outlet in self._outlets:
                await outlet.marks.settle()
            await self._finish()

    async def is_through(self) -> bool:
        """Whether nothing more can be done now; asked when idle."""
        stops: dict[Stop, None] = {}
        through = True
        for outlet in self._outlets:
            found, done = await outlet.standing()
            stops |= dict.fromkeys(found)
            through = through and done
        self.trouble = "; ".join(map(str, stops)) or None
        return through

    @property
    def _unwritten(self) -> set[int]:
        """Returns the deliveries whose ends wait to be written."""
        return {number for outlet in self._outlets for number in outlet.marks.unwritten}

    async def _resend(self) -> None:
        wake = await self._wake()
        if wake is not None and wake <= self._now():
            await self._deliveries.resend(
                self._now(), self._policy.resend_after, all_kinds=self._policy.resend_uncertain
            )

    async def _wake(self) -> datetime | None:
        return await self._deliveries.next_wake(
            resend_after=self._policy.resend_after, resend_all_kinds=self._policy.resend_uncertain
        )

    async def _finish(self) -> None:
        if not self._work.touched:
            return
        self._work.touched = not all(outlet.marks.settled for outlet in self._outlets)
        try:
            finished = await self._deliveries.finish(self._now(), resend_all_kinds=self._policy.resend_uncertain)
        except PublisherError:
            self._work.touched = True  # the store was away just then: there may be nothing else to bring us back
            raise
        for issue in finished:
            _log.info("deliver.finished", issue=issue)


async def _granted() -> bool:
    return True


async def _ring_when(stop: asyncio.Event, engine: Engine) -> None:
    await stop.wait()
    engine.ring()
