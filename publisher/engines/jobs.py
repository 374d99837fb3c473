"""The one door to procrastinate: its jobs are doorbells, each an issue and a range of its readers."""

import asyncio
from collections.abc import Callable

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued, AppNotOpen, ProcrastinateException
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.schema import SchemaManager

from publisher.model.delivery import Lot

SCHEMA = "procrastinate_" + procrastinate.__version__.replace(".", "_")
"""Its tables stand apart from ours and from those of its other versions: nodes are updated one by one."""
_QUEUE = "doorbell"
_CREATING = 0x646F6F72  # "door": one process at a time makes the tables
_POLL_SECONDS = 5.0
_ANNOUNCE_SECONDS = 3.0
_PATIENCE = {
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,
    "options": f"-c search_path={SCHEMA} -c statement_timeout=30s -c lock_timeout=20s",
}
_log = structlog.get_logger(__name__)


class Jobs:
    """One connection to the engine, for as long as it lasts."""

    def __init__(self, url: str, ring: Callable[[], None], connections: int) -> None:
        """`ring` is called at every job that comes to this process; `connections` are open at most."""
        self._ring = ring
        self._connector = procrastinate.PsycopgConnector(
            conninfo=url, kwargs=_PATIENCE, min_size=1, max_size=connections, timeout=_ANNOUNCE_SECONDS
        )
        self._app = procrastinate.App(connector=self._connector)
        self._bell = self._app.task(name=_QUEUE, queue=_QUEUE)(self._heard)

    async def announce(self, lot: Lot) -> None:
        """Leaves one job for whoever comes first; none while the same one still waits, and never an error."""
        job = self._bell.configure(queueing_lock=f"{lot.issue}:{lot.first}")
        try:
            async with asyncio.timeout(_ANNOUNCE_SECONDS):
                await job.defer_async(issue=lot.issue, first=lot.first, last=lot.last)
        except (AlreadyEnqueued, AppNotOpen):
            pass  # another process has said so, or this one is not there yet: others look by themselves
        except (ProcrastinateException, TimeoutError) as error:
            _log.warning("engine.unheard", issue=lot.issue, error=repr(error))

    async def hear(self) -> None:
        """Rings at every job, until cancelled or the server is away."""
        async with self._app.open_async():
            await self._make_tables()
            await self._sweep()
            await self._app.run_worker_async(
                queues=[_QUEUE],
                fetch_job_polling_interval=_POLL_SECONDS,
                delete_jobs=DeleteJobCondition.ALWAYS.value,
                install_signal_handlers=False,
                shutdown_graceful_timeout=0,
            )

    async def _heard(self, issue: int, first: int, last: int) -> None:
        _log.debug("engine.heard", issue=issue, first=first, last=last)
        self._ring()

    async def _make_tables(self) -> None:
        async with self._connector.pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATING,))
            found = await connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.procrastinate_jobs",))
            row = await found.fetchone()
            if row is None or row[0] is None:
                await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
                await connection.execute(SchemaManager.get_schema())

    async def _sweep(self) -> None:
        """Takes away what processes that are gone had in hand: a doorbell is not worth ringing twice."""
        for job in await self._app.job_manager.get_stalled_jobs():
            await self._app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
