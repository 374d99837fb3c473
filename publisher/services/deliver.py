"""Delivers: claims what is due, sends it over the pool's connections, records how each one ended.

The relay's answers are facts (`Ending`); what they mean is decided in
`mail.outcome`; nothing here decides by exception type. Only a process that
holds its folder's lock may run this (decisions 15, 16).
"""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from publisher.errors import PublisherError, UnreachableError
from publisher.mail.message import Prepared
from publisher.mail.outcome import judge
from publisher.mail.retry import delay
from publisher.mail.throttle import AHEAD
from publisher.mail.trial import require_sound_mail
from publisher.model.delivery import Boot, Claimed, Drained, Ended, Ending, Outcome, Phase, Policy, Stop
from publisher.model.issue import DeliveryState, IssueCounts, IssueKind, MailText
from publisher.model.people import Subscriber
from publisher.ports import Clock, DeliveryStore, Engine, Guard, Reserve, StopStore, Transport
from publisher.services.gate import Gate
from publisher.services.letters import Letters
from publisher.services.marks import Marks

_POLL_SECONDS = 1.0
_HOUSEKEEPING_SECONDS = 30.0
_INSPECT_SECONDS = 0.2
"""At least, between looks at what an issue brings back, but for the first ones."""
_INSPECT_FIRST = 5
"""Alarming ends after which a first look is due, however fast they come; the next ones at twice as many each."""
_STOP_SECONDS = 75.0
"""For transactions under way when we are asked to stop."""
_PROGRESS_SECONDS = 0.5
_ROWS_PER_CONNECTION = 16
"""Claimed ahead, so that a connection never waits for the store."""
_PREPARED_OCTETS = 64 * 1024 * 1024
_LEASE_MARGIN = 0.75
"""Of a lease must be left when a body begins: 15 of 20 minutes, as long as a transaction may take."""
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
        transport: Transport,
        letters: Letters,
        engine: Engine,
        clock: Clock,
        boot: Boot,
        policy: Policy,
        stops: StopStore,
        relay: str,
        guards: Sequence[Guard] = (),
        reserve: Reserve | None = None,
        revise: Callable[[datetime], Awaitable[object]] | None = None,
        keep_time: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`relay` names the server that `transport` hands mail to; `guards` may stop everything.

        `reserve`: room for the ends of what is under way when the disk is full. `revise` makes waiting mail right
        again that is in doubt, and is handed out only then. `keep_time` reckons with a clock that was set.
        """
        self._keep_time = keep_time
        self._reserve = reserve
        self._revise = revise
        self._deliveries = deliveries
        self._transport = transport
        self._letters = letters
        self._engine = engine
        self._clock = clock
        self._boot = boot
        self._policy = policy
        self._gate = Gate(stops=stops, relay=relay, policy=policy, guards=guards, clock=clock)
        self._prepared: OrderedDict[int, Prepared] = OrderedDict()
        self._preparing = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """Delivers until `stop` is set; then begins nothing new, lets transactions end, gives claims back."""
        async with self._shift(None, stop) as shift:
            ringer = asyncio.create_task(_ring_when(stop, self._engine))
            try:
                while not stop.is_set():
                    try:
                        await shift.tick()
                        await shift.fill()
                    except PublisherError as error:
                        _log.error("deliver.store", error=str(error))
                    await self._engine.wait(_POLL_SECONDS)
            finally:
                ringer.cancel()

    async def stops(self) -> tuple[Stop, ...]:
        """Returns everything that keeps mail from going out at present."""
        return await self._gate.stops()

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
        try:
            return await self._transport.send(letter, _granted)
        finally:
            await self._transport.close()

    def known(self, row: Claimed) -> Prepared | None:
        """Returns the encoded mail of a delivery's variant if it is kept."""
        prepared = self._prepared.get(row.variant)
        if prepared is not None:
            self._prepared.move_to_end(row.variant)
        return prepared

    async def prepared(self, row: Claimed) -> Prepared:
        """Returns the encoded mail of a delivery's variant, kept while there is room."""
        async with self._preparing:  # one at a time: whoever waits most likely wants the same
            prepared = self.known(row)
            if prepared is None:
                mail = await self._deliveries.mail(row.variant)
                prepared = self._letters.prepared(mail, row.kind, row.newsletter)
                self._keep(row.variant, prepared)
        return prepared

    def _keep(self, variant: int, prepared: Prepared) -> None:
        self._prepared[variant] = prepared
        while len(self._prepared) > 1 and sum(p.size for p in self._prepared.values()) > _PREPARED_OCTETS:
            self._prepared.popitem(last=False)

    @asynccontextmanager
    async def _shift(self, issue: int | None, stop: asyncio.Event | None = None) -> AsyncIterator["_Shift"]:
        """Gives the connections at work; `stop`: who runs until then waits for a store that does not answer."""
        require_sound_mail()
        shift = _Shift(self, issue)
        try:
            await self._transport.ready()
            while not await self._settled_in(shift, patient=stop is not None and not stop.is_set()):
                await self._engine.wait(_POLL_SECONDS)
            shift.start()
            yield shift
        finally:
            await shift.stop()
            await self._transport.close()
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
            _log.error("deliver.store", error=str(error))
            return False
        return True


class _Shift:
    """The connections at work, from start to stop."""

    def __init__(self, delivering: Delivering, issue: int | None) -> None:
        self._delivering = delivering
        self._deliveries = delivering._deliveries
        self._policy = delivering._policy
        self._boot = delivering._boot
        self._engine = delivering._engine
        self._gate = delivering._gate
        self._issue = issue
        self._now = delivering._clock.now
        margin = self._policy.lease * _LEASE_MARGIN
        self._marks = Marks(self._deliveries, self._boot, self._now, margin, delivering._reserve)
        self._ready: deque[Claimed] = deque()
        self._approaching: set[asyncio.Task[None]] = set()
        self._at_work = False
        self._stirred = False
        self._stopping = asyncio.Event()
        self._busy = 0
        self._held: set[int] = set()
        self._isolated = False
        self._dry = True  # the last claim found nothing: nobody asks again before the poll, or before somebody rings
        self._touched = True
        self._alarming = True
        self._alarms = 0
        self._alarms_seen = 0
        self._inspected = 0.0
        self._ticked = 0.0
        self._kept_house = 0.0
        self._renewed = time.monotonic()
        self.trouble: str | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is claimed by us."""
        return self._busy == 0 and not self._ready

    def start(self) -> None:
        """Begins to hand letters over, two per connection: the next one is ready while a body is on its way."""
        self._at_work = True
        self._stir()

    async def stop(self) -> None:
        """Begins nothing new, lets transactions end, gives back what was claimed, records the rest."""
        self._stopping.set()
        with contextlib.suppress(PublisherError):
            await self._give_back()
        deadline = time.monotonic() + _STOP_SECONDS
        while self._busy and time.monotonic() < deadline:
            await self._engine.wait(min(0.2, deadline - time.monotonic()))
        self._at_work = False
        for approach in self._approaching:
            approach.cancel()
        await asyncio.gather(*self._approaching, return_exceptions=True)
        await self._marks.close()
        with contextlib.suppress(PublisherError):
            await self._deliveries.disown(self._boot, self._marks.unwritten, self._now())
            await self._gate.settle()
            await self._finish()

    async def tick(self) -> None:
        """Does what time brings: resends, leases, recovery, finished issues."""
        moment = time.monotonic()
        if moment - self._ticked < _POLL_SECONDS:
            return
        self._ticked = moment
        self._marks.flush()
        await self.keep_time()
        await self._gate.look()
        if moment - self._kept_house >= _HOUSEKEEPING_SECONDS:
            await self.housekeep()
        if moment - self._renewed >= self._policy.lease.total_seconds() / 10:
            await self._deliveries.renew(self._boot, self._now(), self._policy.lease)
            self._renewed = moment
        await self._resend()
        if self._delivering._revise is not None and await self._delivering._revise(self._now()):
            self._touched = True
        if self._touched:
            await self._finish()

    async def keep_time(self) -> None:
        """Learns the time; before anything is judged by its age."""
        if self._delivering._keep_time is not None:
            await self._delivering._keep_time()

    async def housekeep(self) -> None:
        """Takes back what dead workers held, gives up what is too old."""
        self._kept_house = time.monotonic()
        self._alarming = True
        if self._delivering._reserve is not None:
            self._delivering._reserve.stock()
        grace = self._policy.lease * _LEASE_GRACE
        recovered = await self._deliveries.recover(self._boot, self._now(), owner=True, grace=grace)
        recovered += await self._deliveries.disown(self._boot, self._held | self._marks.unwritten, self._now())
        expired = await self._deliveries.expire(self._now(), self._policy.max_age)
        if recovered or expired:
            _log.warning("deliver.housekeeping", recovered=recovered, expired=expired)
            self._touched = True
        await self._resend()

    async def leave_sandbox(self) -> None:
        """Gives up what was planned in the sandbox and not finished there: it is not for real people."""
        left = await self._deliveries.leave_sandbox(self._now())
        if left:
            _log.warning("deliver.sandbox_left", cancelled=left)

    async def fill(self) -> None:
        """Claims as much as the connections need."""
        await self._gate.settle()
        await self._inspect()
        if self._stopping.is_set() or len(self._ready) >= self._policy.connections:
            return
        if (self._isolated or self._gate.probing) and not self.idle:
            return
        if not await self._gate.may_begin():
            await self._give_back()
            return
        alone = self.idle
        rows = await self._deliveries.claim(
            self._boot,
            self._now(),
            limit=1 if self._gate.probing else self._policy.connections * _ROWS_PER_CONNECTION,
            lease=self._policy.lease,
            issue=self._issue,
            alone=alone,
            digests=self._gate.in_hours,
            rates=self._gate.rates,
        )
        self._isolated = alone and len(rows) == 1
        self._dry = not rows
        for row in rows:
            self._held.add(row.number)
            self._ready.append(row)
        self._stir()
        if not rows and self.idle:
            await self._marks.settle()
            await self._finish()

    async def _inspect(self) -> None:
        moment = time.monotonic()
        many = self._alarms >= max(_INSPECT_FIRST, 2 * self._alarms_seen)
        if self._alarming and (many or moment - self._inspected >= _INSPECT_SECONDS):
            self._alarming, self._inspected, self._alarms_seen = False, moment, self._alarms
            await self._gate.inspect()

    async def is_through(self) -> bool:
        """Whether nothing more can be done now; asked when idle."""
        stops = await self._gate.stops()
        self.trouble = "; ".join(map(str, stops)) or None
        if stops:
            return [stop.code for stop in stops] != ["relay"] or not self._gate.worth_waiting
        await self._marks.settle()
        await self.fill()
        return self.idle and await self._deliveries.next_due(self._issue) is None

    @property
    def _places(self) -> int:
        """Returns how many letters may be out: one per connection, no next one ready, while the relay wants less."""
        connections = self._gate.connections
        return 2 * connections if connections == self._policy.connections else connections

    def _stir(self) -> None:
        """Hands more over, a moment later: whoever told of an end has more to do first."""
        if not self._stirred:
            self._stirred = True
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._stirred = False
        while self._ready and self._at_work and self._busy < self._places:
            row = self._ready.popleft()
            self._busy += 1
            prepared = self._delivering.known(row)
            if prepared is None or row.not_before is not None:
                approach = asyncio.create_task(self._approach(row))
                self._approaching.add(approach)
                approach.add_done_callback(self._approaching.discard)
            else:
                self._post(row, prepared)
        if not self._dry and len(self._ready) < self._policy.connections:
            self._engine.ring()

    async def _approach(self, row: Claimed) -> None:
        """Gets the mail and waits for the row's place in the rates, then hands the letter over."""
        try:
            prepared = await self._delivering.prepared(row)
            wait = min(row.not_before - self._now(), AHEAD) if row.not_before else timedelta(0)
            if wait > timedelta(0):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait.total_seconds())
        except PublisherError as error:
            _log.error("deliver.row", delivery=row.number, error=str(error))
            self._give_up_claim(row)
            self._let_go(row)
        except Exception as error:  # one delivery never stops the others
            self._unmakeable(row, error)
        else:
            self._post(row, prepared)

    def _post(self, row: Claimed, prepared: Prepared) -> None:
        """Makes the letter and hands it over."""
        if self._stopping.is_set() or self._gate.shut or self._gate.guarded:
            self._give_up_claim(row)
            self._let_go(row)
            return
        mark: asyncio.Future[bool] | None = None

        def in_flight() -> asyncio.Future[bool]:
            nonlocal mark
            mark = self._marks.begin(row)
            return mark

        def tell(end: Ending | BaseException) -> None:
            if self._at_work:
                self._told(row, end, marked=mark is not None and _is_granted(mark))

        try:
            letter = self._delivering._letters.letter(prepared, row, self._now())
            self._delivering._transport.post(letter, in_flight, tell)
        except Exception as error:  # one delivery never stops the others
            self._unmakeable(row, error)

    def _unmakeable(self, row: Claimed, error: Exception) -> None:
        _log.error("deliver.unmakeable", delivery=row.number, error=repr(error))
        self._told(row, Ending(phase=Phase.PREPARE, text=repr(error)[:200]), marked=False)

    def _told(self, row: Claimed, end: Ending | BaseException, *, marked: bool) -> None:
        """Records how a letter ended.

        `marked` False: its mark was not granted, or nobody waited for the answer any more; then no body went, and its
        end is of both states.
        """
        if not isinstance(end, Ending):
            _log.error("deliver.unexpected", delivery=row.number, error=repr(end))
            end = Ending(phase=Phase.PREPARE, text=repr(end)[:200])
        self._ended(row, DeliveryState.IN_FLIGHT if marked else DeliveryState.CLAIMED, end)
        self._let_go(row)

    def _let_go(self, row: Claimed) -> None:
        self._held.discard(row.number)
        self._busy -= 1
        self._stir()
        if self.idle:
            self._engine.ring()

    def _ended(self, row: Claimed, was: DeliveryState, ending: Ending) -> None:
        now = self._now()
        outcome = judge(
            ending,
            attempt=row.attempts,
            refusals=row.refusals,
        )
        self._gate.hear(ending)
        if outcome.refused or outcome.blames_address:
            self._alarming = True
            self._alarms += 1
        self._marks.end(
            Ended(
                number=row.number,
                was=was,
                ending=ending,
                outcome=outcome,
                at=now,
                next_at=self._next_at(outcome, row, now),
            ),
            at_once=not self._ready,
        )
        self._touched = True
        if outcome.state is not DeliveryState.ACCEPTED:
            _log.info(
                "deliver.ended",
                delivery=row.number,
                state=outcome.state.value,
                phase=ending.phase.value,
                code=ending.code,
                fault=ending.fault and ending.fault.value,
            )

    def _next_at(self, outcome: Outcome, row: Claimed, now: datetime) -> datetime:
        if outcome.state is DeliveryState.DEFERRED:
            return now + delay(row.attempts, row.number, self._policy.retry_after)
        return now

    def _give_up_claim(self, row: Claimed) -> None:
        self._marks.end(
            Ended(
                number=row.number,
                was=DeliveryState.CLAIMED,
                ending=None,
                outcome=Outcome(state=DeliveryState.PENDING, counts=False),
                at=self._now(),
                next_at=self._now(),
            ),
            at_once=not self._ready,
        )

    async def _give_back(self) -> None:
        numbers = []
        while self._ready:
            numbers.append(self._ready.popleft().number)
        self._held.difference_update(numbers)
        await self._deliveries.release(self._boot, numbers, self._now())

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
        if not self._touched:
            return
        self._touched = not self._marks.settled
        try:
            finished = await self._deliveries.finish(self._now(), resend_all_kinds=self._policy.resend_uncertain)
        except PublisherError:
            self._touched = True  # the store was away just then: there may be nothing else that would bring us back
            raise
        for issue in finished:
            _log.info("deliver.finished", issue=issue)


def _is_granted(mark: "asyncio.Future[bool]") -> bool:
    return mark.done() and not mark.cancelled() and mark.result()


async def _granted() -> bool:
    return True


async def _ring_when(stop: asyncio.Event, engine: Engine) -> None:
    await stop.wait()
    engine.ring()
