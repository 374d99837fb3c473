"""The service: watching, publishing, planning, delivering and serving, in one process and one event loop.

Each part only ever asks the store what there is to do, so each may be late,
run twice or be killed: none of them holds anything that the others need.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog

from publisher.app import App
from publisher.errors import PublisherError, UnreachableError
from publisher.model.files import Scan
from publisher.scheduler import Scheduler
from publisher.services.turns import Progress, unseen
from publisher.sources.names import is_article
from publisher.sources.watcher import changes
from publisher.stores.nodes import BEAT_SECONDS
from publisher.web.application import application
from publisher.web.health import Vitals
from publisher.web.server import address_of, listen, serve

_RESCAN_SECONDS = 60
_PLAN_SECONDS = 30
_REQUESTS_SECONDS = 1
_FOLLOW_SECONDS = 2
_HOUSEKEEPING_SECONDS = 600
_STOP_SECONDS = 75
_WATCH_AGAIN_SECONDS = 5
_log = structlog.get_logger(__name__)


class Service:
    """One running publication."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._scheduler = Scheduler(app.clock)
        self._vitals = Vitals()
        self._stop = asyncio.Event()
        self._planning = asyncio.Lock()
        self._told: set[str] = set()

    def stop(self) -> None:
        """Asks the service to end cleanly."""
        self._stop.set()

    async def run(self, ready: Callable[[str], None], progress: Progress = unseen) -> None:
        """Runs until `stop`; `ready` is told the address once everything stands, `progress` how far that is."""
        listener = listen(self._app.settings.http.host, self._app.settings.http.port, "http.port")
        try:
            if await self._is_up_to_date(progress):
                await self._go_on(listener, ready)
        finally:
            listener.close()

    async def _is_up_to_date(self, progress: Progress) -> bool:
        """Makes ready what is to be served; False: it was told to stop before, and the next start does the rest."""
        preparing, stopped = asyncio.create_task(self._prepare(progress)), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([preparing, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            preparing.cancel()
            await asyncio.wait([preparing])
        return not preparing.cancelled() and preparing.result()

    async def _prepare(self, progress: Progress) -> bool:
        await self._beat()
        await self._app.planning.begin(self._app.clock.now())
        await self._look(progress)
        return True

    async def _go_on(self, listener: socket.socket, ready: Callable[[str], None]) -> None:
        address = address_of(listener)
        self._scheduler.start()
        self._scheduler.every("rescan", _RESCAN_SECONDS, self._refresh)
        self._scheduler.every("plan", _PLAN_SECONDS, self._plan)
        if self._app.node is not None:
            self._scheduler.every("beat", BEAT_SECONDS, self._beat)
            self._scheduler.every("follow", _FOLLOW_SECONDS, self._follow)
        self._scheduler.every("requests", _REQUESTS_SECONDS, self._answer_requests)
        self._scheduler.every("housekeeping", _HOUSEKEEPING_SECONDS, self._tidy_up)
        self._app.timekeeping.on_jump(self._set_anew)
        self._read_reports()
        web = serve(application(self._app, self._vitals), listener, self._stop)
        parts = [web, self._app.announcer.run(self._stop), *map(self._watch, self._watched())]
        tasks = [asyncio.create_task(part) for part in parts]
        tasks.append(asyncio.create_task(self._app.engine.serve(self._stop)))
        await self._plan()
        # What waited while nothing ran may say what holds no more: planning ends that first.
        tasks.append(asyncio.create_task(self._deliver()))
        ready(address)
        await self._until_stopped(tasks)

    async def _until_stopped(self, tasks: list["asyncio.Task[None]"]) -> None:
        """Waits for `stop`, or for a part that ended by itself: nothing stops silently."""
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            stopped.cancel()
            self._scheduler.stop()
            _, late = await asyncio.wait(tasks, timeout=_STOP_SECONDS + 5)
            for task in late:
                task.cancel()
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    # Articles ---------------------------------------------------------------------------------------------------------

    async def _look(self, progress: Progress) -> None:
        """Brings public/ up to date before it is served; where it is so already, stories are read beside serving."""
        now = self._app.clock.now()
        seen = await self._app.publishing.glance(now, thorough=False)
        if isinstance(seen, Scan):
            await self._refresh(scan=seen, progress=progress)
        else:
            self._tell_problems([*map(str, seen.refused)])
            self._scheduler.at("wake", now, self._refresh)

    async def _refresh(
        self, paths: Iterable[str] | None = None, *, scan: Scan | None = None, progress: Progress = unseen
    ) -> None:
        """Brings public/ up to date; what is newly out is planned at once."""
        began = time.perf_counter()
        try:
            now = self._app.clock.now()
            report = await self._app.publishing.refresh(now, paths, scan=scan, progress=progress)
        except PublisherError as error:
            self._vitals.faults["articles"] = str(error)
            _log.error("publish.failed", error=str(error))
            return
        if report.faults:
            self._vitals.faults["articles"] = "; ".join(report.faults)
        else:
            self._vitals.faults.pop("articles", None)
        if report.written:
            self._app.announcer.ring()
        changed = [article.source for _, article in report.taken.changes]
        if changed or report.taken.gone or report.written or report.removed:
            _log.info(
                "publish.done",
                changed=len(changed),
                gone=len(report.taken.gone),
                written=len(report.written),
                removed=len(report.removed),
                milliseconds=round((time.perf_counter() - began) * 1000, 1),
            )
        self._tell_problems([*map(str, report.refused), *report.faults])
        self._scheduler.at("again", report.taken.again_at, self._refresh)
        self._scheduler.at("release", self._app.publishing.next_change_at(self._app.clock.now()), self._refresh)
        if changed:  # beside, not before: the next save must not wait for planning
            self._scheduler.at("plan-next", self._app.clock.now(), self._plan)

    def _tell_problems(self, problems: list[str]) -> None:
        """Logs each problem once, not at every look."""
        for problem in sorted(set(problems) - self._told):
            _log.warning("publish.problem", problem=problem)
        self._told = set(problems)

    def _watched(self) -> list[Path]:
        folders = [self._app.articles_root, *(self._app.folder / name for name in ("pages", "static", "templates"))]
        return [folder for folder in folders if folder.is_dir()]

    async def _watch(self, folder: Path) -> None:
        """Follows a folder's changes; they are hints, the rescan is the truth."""
        stories = folder == self._app.articles_root
        polling = self._app.settings.articles.force_polling
        while not self._stop.is_set():
            try:
                async for paths in changes(folder, self._stop, force_polling=polling):
                    hinted = stories and all(is_article(path) for path in paths)
                    await self._refresh(paths if hinted else None)
            except PublisherError as error:
                _log.warning("watch.failed", folder=folder.name, error=str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _WATCH_AGAIN_SECONDS)

    # Other nodes ------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        if self._app.node is not None:
            with suppress(UnreachableError):  # who delivers says so
                await self._app.node.beat(self._app.clock.now())

    async def _follow(self) -> None:
        """Shows what another node has taken in, and takes the folder in where that one does so no more."""
        with suppress(UnreachableError):
            if await self._app.publishing.is_behind(self._app.clock.now()):
                await self._refresh()

    # Mail -------------------------------------------------------------------------------------------------------------

    async def _plan(self) -> None:
        """Plans what is due and sets the next wake-up."""
        async with self._planning:
            now = self._app.clock.now()
            try:
                await self._app.choosing.wake(now)
                await self._app.announcing.due(now)
                if await self._app.planning.due(now):
                    await self._refresh_issues(now)
                ahead = (await self._app.announcing.next_due(now), await self._app.planning.next_due(now))
                self._scheduler.at("plan-next", min(filter(None, ahead), default=None), self._plan)
                self._vitals.faults.pop("planning", None)
            except PublisherError as error:
                self._vitals.faults["planning"] = str(error)
                _log.error("plan.failed", error=str(error))
            await self._app.doorbell.ring()

    async def _answer_requests(self) -> None:
        """Does what commands beside this service asked for (decisions 16)."""
        loss = await self._app.publishing.loss()
        if loss is not None and loss.released:
            await self._refresh()
        async with self._planning:
            if await self._app.planning.answer_requests(self._app.clock.now()):
                await self._app.doorbell.ring()
        # What somebody released beside us, before a reader asks for it.
        await self._refresh_issues(self._app.clock.now())

    async def _refresh_issues(self, now: datetime) -> None:
        if (await self._app.publishing.refresh_issues(now)).written:
            self._app.announcer.ring()

    def _set_anew(self) -> None:
        """The clock was set: other slots may be due now, and timers would ring at the wrong time."""
        self._scheduler.set_anew()
        self._scheduler.at("plan-next", self._app.clock.now(), self._plan)

    async def _tidy_up(self) -> None:
        if await self._app.housekeeping.run(self._app.clock.now()):
            await self._app.doorbell.ring()

    async def _deliver(self) -> None:
        await self._app.delivering.run(self._stop)

    def _read_reports(self) -> None:
        """Looks into the mailbox for reports now and every so often."""
        mailbox = self._app.report_mailbox
        if mailbox is None:
            return

        async def collect() -> None:
            await self._app.bounces.collect(mailbox, self._app.clock.now())

        self._scheduler.at("reports-first", self._app.clock.now(), collect)
        self._scheduler.every("reports", self._app.settings.bounces.interval, collect)
