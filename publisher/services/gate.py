"""Whether anything may be sent at present, and why not; which issues must stop for what they bring back.

Every stop has a code and a sentence, is logged when it begins and when it
ends, and blames no reader. What one process hears of a relay is its own
breaker; that the relay is left alone is the store's, for all processes.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from publisher.mail.alarm import alarm, warning
from publisher.mail.breaker import Breaker, Word, is_closing, pause, word
from publisher.mail.window import opens_at
from publisher.model.delivery import Ending, Rates, RelayRecord, Stop
from publisher.ports import Clock, Guard, StopStore
from publisher.services.ways import Way

_RIDDEN_OUT = 2
"""Times in a row that a relay which had answered before is waited for by who delivers one issue."""
_GUARDED_SECONDS = 0.02
"""How old a guard's answer may be for mail that is handed over."""
_log = structlog.get_logger(__name__)


class Gate:
    """One relay's gate."""

    def __init__(self, *, stops: StopStore, way: Way, guards: Sequence[Guard], clock: Clock) -> None:
        self._stops = stops
        self._relay = way.relay
        self._route = way.route
        self._policy = policy = way.policy
        self._guards = guards
        self._now = clock.now
        self._rates = Rates(rate=policy.rate, per_domain=policy.per_domain)
        self._breaker = Breaker()
        self._record: RelayRecord | None = None
        self._unwritten = False
        self._mended = False
        self._probing = False
        self._put_us_off = False
        self._answered = False
        self._looked = False
        self._guards_due = 0.0
        self._guards_stop = False
        self._told: dict[str, Stop] = {}
        self._warned: set[tuple[int, str]] = set()

    # Asked by who delivers -------------------------------------------------------------------------------------------

    @property
    def shut(self) -> bool:
        """Returns whether the relay is left alone, as far as this process knows."""
        return self._record is not None and not self._probing

    @property
    def guarded(self) -> bool:
        """Returns whether a guard says no; asked before mail is handed over, for what was claimed may wait a while.

        An answer holds for a moment: to ask the disk costs as much as a tenth of a mail.
        """
        moment = time.monotonic()
        if moment >= self._guards_due:
            self._guards_due = moment + _GUARDED_SECONDS
            self._guards_stop = bool(self._guarded())
        return self._guards_stop

    @property
    def probing(self) -> bool:
        """Returns whether just one message may go, to see whether the relay is back."""
        return self._probing

    @property
    def in_hours(self) -> bool:
        """Returns whether digests may go out at this hour."""
        return self._policy.window is None or opens_at(self._policy.window, self._now()) is None

    @property
    def rates(self) -> Rates:
        """Returns the rates to be kept at present."""
        return self._rates.scaled(self._breaker.width)

    @property
    def connections(self) -> int:
        """Returns how many connections may be used at present."""
        return 1 if self._probing else max(1, int(self._policy.connections * self._breaker.width))

    @property
    def worth_waiting(self) -> bool:
        """Returns whether a relay that has answered before may be back soon."""
        return self._answered and (self._record is None or self._record.trips <= _RIDDEN_OUT)

    async def may_begin(self) -> bool:
        """Returns whether mail may be claimed; takes the right to try the relay when that is due."""
        if self._guarded():
            return False
        if self._record is None or self._probing:
            return True
        now = self._now()
        if self._unwritten or now < self._record.open_until:
            return False
        self._probing = await self._stops.probe(self._relay, now, now + self._policy.relay_pause)
        if self._probing:
            await self._stops.resume_all(self._route)
        return self._probing

    async def look(self) -> None:
        """Writes down what was heard, and learns what other processes know; asked about once a second."""
        await self.settle()
        if not self._probing:
            record = await self._stops.relay(self._relay)
            if record is None and (self._record is not None or not self._looked):
                await self._stops.resume_all(self._route)  # at first too: the relay may be another one than last time
            self._looked = True
            self._record = record
            if record is not None and (record.probe_until is None or record.probe_until <= self._now()):
                await self._stops.pause_all(self._named(record.reason), self._route)
        self._tell([*self._guarded(), *self._others()])

    async def settle(self) -> None:
        """Writes down that the relay is left alone, or is back."""
        if self._unwritten and self._record is not None:
            await self._stops.trip(self._relay, self._record)
            await self._stops.pause_all(self._named(self._record.reason), self._route)
            self._unwritten = False
        if self._mended:
            await self._stops.mend(self._relay)
            await self._stops.resume_all(self._route)
            self._mended = False

    async def stops(self) -> tuple[Stop, ...]:
        """Returns everything that stands in the way at present, for those who ask."""
        if not self._unwritten and not self._probing:
            self._record = await self._stops.relay(self._relay)
        return (*self._guarded(), *self._others())

    async def inspect(self) -> None:
        """Pauses issues that bring back what they should not."""
        for issue in await self._stops.being_sent(self._route):
            tally = await self._stops.tally(issue)
            reason = alarm(tally)
            if reason is not None and await self._stops.pause(issue, reason):
                _log.error("deliver.paused", issue=issue, reason=reason)
            odd = warning(tally)
            if odd is not None and reason is None and (issue, odd) not in self._warned:
                self._warned.add((issue, odd))
                _log.warning("deliver.odd", issue=issue, reason=odd)

    # Told by who delivers --------------------------------------------------------------------------------------------

    def hear(self, ending: Ending) -> None:
        """Takes note of how a transaction ended."""
        heard = word(ending)
        self._answered = self._answered or heard is Word.GOOD
        if self.shut:  # of a connection that was open when it was shut
            return
        if self._probing:
            self._judge_probe(heard, ending)
            return
        self._breaker = self._breaker.heard(heard, closing=is_closing(ending))
        tripped = self._breaker.tripped
        if heard is Word.LOCKED_OUT:
            self._trip("it refuses our login", ending, locked_out=True)
        elif tripped is not None:
            self._put_us_off = heard is Word.LATER
            self._trip(tripped, ending)

    def _judge_probe(self, heard: Word, ending: Ending) -> None:
        match heard:
            case Word.NOTHING:
                return
            case Word.LOCKED_OUT:
                self._trip("it refuses our login", ending, locked_out=True)
            case Word.FAILURE:
                self._trip("it is not back", ending)
            case Word.LATER if self._put_us_off:
                self._trip("it still puts us off", ending)
            case _:
                self._record, self._probing, self._mended = None, False, True
                self._put_us_off = False

    def _trip(self, why: str, ending: Ending, *, locked_out: bool = False) -> None:
        trips = self._record.trips + 1 if self._record else 1
        said = " ".join(filter(None, [ending.phase.value, str(ending.code or ending.fault or ""), ending.text]))
        wait = pause(trips, locked_out=locked_out, first=self._policy.relay_pause)
        self._record = RelayRecord(open_until=self._now() + wait, trips=trips, reason=f"{why} ({said})")
        self._breaker = replace(self._breaker, failures=0, soft=0)
        self._unwritten, self._probing = True, False

    # Inside ----------------------------------------------------------------------------------------------------------

    def _guarded(self) -> list[Stop]:
        return [stop for guard in self._guards if (stop := guard.stop()) is not None]

    def _others(self) -> list[Stop]:
        found = []
        if self._record is not None:
            found.append(self._stop("relay", self._record.reason, self._record.open_until))
        if self._policy.window is not None and (opens := opens_at(self._policy.window, self._now())) is not None:
            found.append(self._stop("window", f"issues go out at {self._policy.window}", opens))
        return found

    def _stop(self, code: str, reason: str, until: datetime) -> Stop:
        return Stop(code=code, reason=self._named(reason), until=until, relay=self._route.name)

    def _named(self, reason: str) -> str:
        """Returns a reason with the relay that it is about, where there are several."""
        return f"{self._route.name}: {reason}" if self._route.name else reason

    def _tell(self, stops: Sequence[Stop]) -> None:
        present = {stop.code: stop for stop in stops}
        for code, stop in present.items():
            known = self._told.get(code)
            if known is None or known.until != stop.until:
                _log.warning(
                    "deliver.stopped",
                    code=code,
                    relay=self._relay,
                    reason=stop.reason,
                    until=stop.until and str(stop.until),
                )
        for code in self._told.keys() - present.keys():
            _log.warning("deliver.resumed", code=code, relay=self._relay)
        self._told = present
