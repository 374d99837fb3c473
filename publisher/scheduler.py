"""Wakes us: at set moments and every so often. What is then due, the store decides.

Nothing is lost when a wake-up is: every action is also run at intervals, and
asks the store what there is to do (delivery §5). APScheduler keeps its jobs
in memory only.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from publisher.errors import UnreachableError
from publisher.ports import Clock
from publisher.services.outage import Outage

Action = Callable[[], Awaitable[None]]

_log = structlog.get_logger(__name__)


class Scheduler:
    """Runs actions at moments and intervals; an action that fails is logged and runs again the next time.

    Of one that needs what is away for the moment it is said once, and once more when that is back.
    """

    def __init__(self, clock: Clock) -> None:
        """`clock` is whose moments `at` is told; how long until then is measured by the machine's own."""
        self._clock = clock
        # A wake-up that comes late still counts, and several late ones are one.
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = AsyncIOScheduler(job_defaults=defaults, timezone="UTC")
        self._wishes: dict[str, Callable[[], None]] = {}
        self._outages: defaultdict[str, Outage] = defaultdict(Outage)

    def start(self) -> None:
        """Begins to wake; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wakes nobody any more."""
        self._scheduler.shutdown(wait=False)

    def every(self, name: str, seconds: float, action: Action) -> None:
        """Runs `action` every so often."""
        self._set(name, action, lambda: IntervalTrigger(seconds=seconds))

    def at(self, name: str, moment: datetime | None, action: Action) -> None:
        """Runs `action` at a moment, in place of the one that was set under this name; None: not at all."""
        if moment is None:
            self._wishes.pop(name, None)
            with suppress(JobLookupError):
                self._scheduler.remove_job(name)
            return
        self._set(name, action, lambda: DateTrigger(self._on_this_machine(moment)))

    def set_anew(self) -> None:
        """Reckons all waits anew: the machine's clock was set, and what was to be soon would be in hours, or the past.

        What came about already runs once more: every action only asks the store what there is to do.
        """
        for wish in list(self._wishes.values()):
            wish()

    def _set(self, name: str, action: Action, trigger: Callable[[], DateTrigger | IntervalTrigger]) -> None:
        def wish() -> None:
            self._scheduler.add_job(self._guarded(name, action), trigger(), id=name, replace_existing=True)

        self._wishes[name] = wish
        wish()

    def _on_this_machine(self, moment: datetime) -> datetime:
        return datetime.now(UTC) + (moment - self._clock.now())

    def _guarded(self, name: str, action: Action) -> Action:
        async def run() -> None:
            try:
                await action()
            except asyncio.CancelledError:  # the service ends; what is still due, the next one asks the store for
                _log.info("scheduler.stopped", action=name)
            except UnreachableError as error:
                if self._outages[name].begins():
                    _log.warning("scheduler.waiting", action=name, error=str(error))
            except Exception:  # a failed wake-up must not end the others
                _log.exception("scheduler.failed", action=name)
            else:
                if self._outages[name].ends():
                    _log.info("scheduler.goes_on", action=name)

        return run
