"""How fast we may send: one message per interval, over all and per recipient's domain.

Even spacing, so no minute, wherever it starts, holds more than the limit, and
no burst greets a relay that was just started. Times are seconds of any
monotonic clock.
"""

_KEPT_DOMAINS = 10_000


class Throttle:
    """Says how long the next message has to wait; knows no clock and waits for nothing itself."""

    def __init__(self, rate: int, per_domain: int) -> None:
        """Takes messages per minute; 0 is no limit."""
        self._interval = 60.0 / rate if rate else 0.0
        self._domain_interval = 60.0 / per_domain if per_domain else 0.0
        self._free_at = 0.0
        self._domain_free_at: dict[str, float] = {}
        self._put_off_until: dict[str, float] = {}

    def reserve(self, now: float) -> float:
        """Takes the next place over all domains; returns the seconds to wait for it."""
        if not self._interval:
            return 0.0
        start = max(now, self._free_at)
        self._free_at = start + self._interval
        return start - now

    def admit(self, domain: str, now: float) -> float:
        """Takes the domain's place and returns 0 when it is free now; else takes none and returns when to ask again.

        Each message put off gets a later time (seconds from now) than the one before it.
        """
        if not self._domain_interval:
            return 0.0
        free_at = self._domain_free_at.get(domain, 0.0)
        if free_at <= now:
            self._forget(now)
            self._domain_free_at[domain] = now + self._domain_interval
            return 0.0
        later = max(free_at, self._put_off_until.get(domain, 0.0) + self._domain_interval)
        self._put_off_until[domain] = later
        return later - now

    def _forget(self, now: float) -> None:
        for times in (self._domain_free_at, self._put_off_until):
            if len(times) >= _KEPT_DOMAINS:
                for domain in [domain for domain, at in times.items() if at <= now]:
                    del times[domain]
