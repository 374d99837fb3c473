"""How fast we may send: one message per interval, over all and per recipient's domain.

Even spacing, so no minute, wherever it starts, holds more than the limit, and
no burst greets a relay that was just started. The lanes are the store's, so
that any number of processes share them; this module knows no clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from publisher.model.delivery import Rates

ALL = ""
"""The lane of all mail; the others are named like their domain."""
SLACK = timedelta(seconds=3)
"""A message may reach the relay so much later than its place without a minute there holding one too many."""
AHEAD = timedelta(seconds=10)
"""Places are given out so far ahead."""
_NEAR = timedelta(seconds=2)
"""A domain's place this near is waited for; a later one must not keep a connection waiting."""
_QUEUE = timedelta(minutes=30)
"""Mail to a busy domain is put off by no more than this, whatever became of what was put off before it."""
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One limit's memory."""

    free_at: datetime
    """The next place."""
    tail_at: datetime
    """Until when mail was put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """When one message may go."""

    at: datetime
    granted: bool
    """False: not now; its turn may come at that time."""

    def moved(self, by: timedelta) -> "Place":
        """Returns the same place by another clock."""
        return Place(at=self.at + by, granted=self.granted)


class Throttle:
    """Gives out places in the lanes, in the order in which they are asked for."""

    def __init__(self, lanes: dict[str, Lane], rates: Rates, now: datetime) -> None:
        self.lanes = lanes
        """Changed as places are given out."""
        self._interval = _interval(rates.rate)
        self._domain_interval = _interval(rates.per_domain)
        self.now = now

    @property
    def limits(self) -> bool:
        """Returns whether there is any limit."""
        return bool(self._interval or self._domain_interval)

    @property
    def limits_domains(self) -> bool:
        """Returns whether domains have limits of their own."""
        return bool(self._domain_interval)

    def room(self, most: int) -> int:
        """Returns how many of `most` messages may have a place now, whoever they are for."""
        if not self._interval:
            return most
        ahead = self.now + AHEAD - self._start()
        return max(0, min(most, ahead // self._interval + 1)) if ahead >= timedelta(0) else 0

    def place(self, domain: str) -> Place:
        """Takes the next place for a message to this domain, or puts the message off."""
        start = self._start()
        if self._domain_interval:
            lane = self._lane(domain)
            if lane.free_at > start + _NEAR:
                return self._put_off(domain, lane)
            start = max(start, lane.free_at)
            self.lanes[domain] = Lane(free_at=start + self._domain_interval, tail_at=lane.tail_at)
        if self._interval:
            self.lanes[ALL] = Lane(free_at=start + self._interval, tail_at=start)
        return Place(at=start, granted=True)

    def _put_off(self, domain: str, lane: Lane) -> Place:
        tail = min(max(lane.tail_at, lane.free_at - self._domain_interval), self.now + _QUEUE)
        at = tail + self._domain_interval
        self.lanes[domain] = Lane(free_at=lane.free_at, tail_at=at)
        return Place(at=at, granted=False)

    def _start(self) -> datetime:
        return max(self.now, self._lane(ALL).free_at) if self._interval else self.now

    def _lane(self, name: str) -> Lane:
        return self.lanes.get(name) or Lane(free_at=self.now, tail_at=self.now)


def _interval(rate: float) -> timedelta:
    return (_MINUTE + SLACK) / rate if rate else timedelta(0)
