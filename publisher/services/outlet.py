"""One relay's part of the work: claims what goes by it, hands it over, records how each one ended."""

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from publisher.errors import PublisherError
from publisher.mail.message import Prepared
from publisher.mail.outcome import judge
from publisher.mail.retry import delay
from publisher.mail.throttle import AHEAD, SLACK
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Outcome, Phase, Stop
from publisher.model.issue import DeliveryState
from publisher.ports import Clock, DeliveryStore, Engine, Reserve
from publisher.services.gate import Gate
from publisher.services.letters import Letters
from publisher.services.mails import Mails
from publisher.services.marks import Marks
from publisher.services.ways import Way

_INSPECT_SECONDS = 0.2
"""At least, between looks at what an issue brings back, but for the first ones."""
_INSPECT_FIRST = 5
"""Alarming ends after which a first look is due, however fast they come; the next ones at twice as many each."""
_ROWS_PER_CONNECTION = 16
"""Claimed ahead, so that a connection never waits for the store."""
_LEASE_MARGIN = 0.75
"""Of a lease must be left when a body begins: 15 of 20 minutes, as long as a transaction may take."""
_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Work:
    """What the outlets of one process share."""

    deliveries: DeliveryStore
    engine: Engine
    clock: Clock
    boot: Boot
    issue: int | None
    """Of this one alone."""
    reserve: Reserve | None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    at_work: bool = False
    touched: bool = True
    """Whether something ended that an issue may have waited for."""
    isolated: bool = False
    """Whether what is in hand must be alone: it may be what kills the process."""
    held: set[int] = field(default_factory=set)
    """What is claimed by us."""

    @property
    def idle(self) -> bool:
        """Whether nothing is claimed by us."""
        return not self.held

    def now(self) -> datetime:
        """Returns the present moment."""
        return self.clock.now()


class Outlet:
    """The connections to one relay at work, from start to stop."""

    def __init__(self, way: Way, gate: Gate, work: Work, letters: Letters, mails: Mails) -> None:
        self._way = way
        self._policy = way.policy
        self._gate = gate
        self._work = work
        self._letters = letters
        self._mails = mails
        self.marks = Marks(work.deliveries, work.boot, work.now, way.policy.lease * _LEASE_MARGIN, work.reserve)
        self._ready: deque[Claimed] = deque()
        self._approaching: set[asyncio.Task[None]] = set()
        self._stirred = False
        self._overdue: set[int] = set()
        self._busy = 0
        self._dry = True  # the last claim found nothing: nobody asks again before the poll, or before somebody rings
        self._alarming = True
        self._alarms = 0
        self._alarms_seen = 0
        self._inspected = 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing is claimed that goes by this relay."""
        return self._busy == 0 and not self._ready

    @property
    def busy(self) -> bool:
        """Whether transactions are under way."""
        return self._busy > 0

    async def stop(self) -> None:
        """Records what is known; once nobody is at work any more."""
        for approach in self._approaching:
            approach.cancel()
        await asyncio.gather(*self._approaching, return_exceptions=True)
        await self.marks.close()

    async def look(self) -> None:
        """Learns how the relay stands with others, and has what waits written."""
        self.marks.flush()
        await self._gate.look()

    def suspect(self) -> None:
        """Has a look at what issues bring back."""
        self._alarming = True

    async def settle(self) -> None:
        """Writes down how the relay stands."""
        await self._gate.settle()

    async def fill(self) -> bool:
        """Claims as much as the connections need; returns whether it asked and nothing was due."""
        await self._gate.settle()
        await self._inspect()
        if self._work.stopping.is_set() or len(self._ready) >= self._policy.connections:
            return False
        if (self._work.isolated and not self._work.idle) or (self._gate.probing and not self.idle):
            return False
        if not await self._gate.may_begin():
            await self.give_back()
            return False
        alone = self._work.idle
        rows = await self._work.deliveries.claim(
            self._work.boot,
            self._work.now(),
            limit=1 if self._gate.probing else self._policy.connections * _ROWS_PER_CONNECTION,
            lease=self._policy.lease,
            issue=self._work.issue,
            alone=alone,
            digests=self._gate.in_hours,
            rates=self._gate.rates,
            route=self._way.route,
        )
        self._work.isolated = any(row.suspect for row in rows)
        self._dry = not rows
        for row in rows:
            self._work.held.add(row.number)
            self._ready.append(row)
        self.stir()
        return not rows

    async def standing(self) -> tuple[tuple[Stop, ...], bool]:
        """Returns what keeps this relay's mail, and whether nothing more can be done now; asked when idle."""
        stops = await self._gate.stops()
        if stops:
            return stops, [stop.code for stop in stops] != ["relay"] or not self._gate.worth_waiting
        await self.marks.settle()
        await self.fill()
        return (), self.idle and await self._work.deliveries.next_due(self._work.issue, self._way.route) is None

    async def _inspect(self) -> None:
        moment = time.monotonic()
        many = self._alarms >= max(_INSPECT_FIRST, 2 * self._alarms_seen)
        if self._alarming and (many or moment - self._inspected >= _INSPECT_SECONDS):
            self._alarming, self._inspected, self._alarms_seen = False, moment, self._alarms
            await self._gate.inspect()

    @property
    def _places(self) -> int:
        """Returns how many letters may be out: one per connection, no next one ready, while the relay wants less."""
        connections = self._gate.connections
        return 2 * connections if connections == self._policy.connections else connections

    def stir(self) -> None:
        """Hands more over, a moment later: whoever told of an end has more to do first."""
        if not self._stirred:
            self._stirred = True
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._stirred = False
        guarded = bool(self._ready) and self._gate.guarded  # once for all that is handed over now
        now, places = self._work.now(), self._places
        while self._ready and self._work.at_work and self._busy < places:
            row = self._ready.popleft()
            self._busy += 1
            prepared = self._mails.known(row)
            if prepared is None or row.not_before is not None:
                approach = asyncio.create_task(self._approach(row))
                self._approaching.add(approach)
                approach.add_done_callback(self._approaching.discard)
            else:
                self._post(row, prepared, now, guarded=guarded)
        if not self._dry and len(self._ready) < self._policy.connections:
            self._work.engine.ring()

    async def _approach(self, row: Claimed) -> None:
        """Gets the mail and waits for the row's place in the rates, then hands the letter over."""
        try:
            prepared = await self._mails.prepared(row)
            wait = min(row.not_before - self._work.now(), AHEAD) if row.not_before else timedelta(0)
            if wait > timedelta(0):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._work.stopping.wait(), wait.total_seconds())
        except PublisherError as error:
            _log.error("deliver.row", delivery=row.number, error=str(error))
            self._give_up_claim(row)
            self._let_go(row)
        except Exception as error:  # one delivery never stops the others
            self._unmakeable(row, error)
        else:
            if self._has_missed_its_place(row):
                self._give_up_claim(row)
                self._let_go(row)
            else:
                self._post(row, prepared, self._work.now(), guarded=self._gate.guarded)

    def _has_missed_its_place(self, row: Claimed) -> bool:
        """Whether a letter comes so late that it needs another place in the rates: this process was stopped, say.

        Other nodes have sent meanwhile, and all that had been given a place here would go at once. Each is put back
        once only: a machine that is always late must get on as well.
        """
        late = row.not_before is not None and self._work.now() - row.not_before > SLACK
        if not late or row.number in self._overdue:
            self._overdue.discard(row.number)
            return False
        self._overdue.add(row.number)
        return True

    def _post(self, row: Claimed, prepared: Prepared, now: datetime, *, guarded: bool) -> None:
        """Makes the letter and hands it over."""
        if self._work.stopping.is_set() or self._gate.shut or guarded:
            self._give_up_claim(row)
            self._let_go(row)
            return
        mark: asyncio.Future[bool] | None = None

        def in_flight() -> asyncio.Future[bool]:
            nonlocal mark
            mark = self.marks.begin(row)
            return mark

        def tell(end: Ending | BaseException) -> None:
            if self._work.at_work:
                self._told(row, end, marked=mark is not None and _is_granted(mark))

        try:
            letter = self._letters.letter(prepared, row, now)
            self._way.transport.post(letter, in_flight, tell)
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
        self._work.held.discard(row.number)
        self._busy -= 1
        self.stir()
        if self._work.idle:
            self._work.engine.ring()

    def _ended(self, row: Claimed, was: DeliveryState, ending: Ending) -> None:
        now = self._work.now()
        outcome = judge(
            ending,
            attempt=row.attempts,
            refusals=row.refusals,
        )
        self._gate.hear(ending)
        if outcome.refused or outcome.blames_address:
            self._alarming = True
            self._alarms += 1
        self.marks.end(
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
        self._work.touched = True
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
        self.marks.end(
            Ended(
                number=row.number,
                was=DeliveryState.CLAIMED,
                ending=None,
                outcome=Outcome(state=DeliveryState.PENDING, counts=False),
                at=self._work.now(),
                next_at=self._work.now(),
            ),
            at_once=not self._ready,
        )

    async def give_back(self) -> None:
        """Gives back what is claimed and not handed over."""
        numbers = []
        while self._ready:
            numbers.append(self._ready.popleft().number)
        self._work.held.difference_update(numbers)
        await self._work.deliveries.release(self._work.boot, numbers, self._work.now())


def _is_granted(mark: "asyncio.Future[bool]") -> bool:
    return mark.done() and not mark.cancelled() and mark.result()
