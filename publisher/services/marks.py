"""Group commit: whatever queued up during the last commit goes into the next one (decisions 13).

Where the relay answers sooner than the disk, a commit waits for those whose
mail is on its way, so that all connections share it; never longer than a
commit takes, and not at all for a relay that is slower than that.

A beginning is granted only once it is durable. The end of one message and the
beginning of the next on the same connection go into one commit, or the end
before, so a crash leaves at most one delivery per connection in doubt.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from publisher.errors import DiskFullError, PublisherError, UnreachableError
from publisher.model.delivery import Boot, Claimed, Ended
from publisher.ports import DeliveryStore, Reserve
from publisher.services.outage import Outage

_AGAIN_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 0.05
"""For those on their way, however long a commit took: it may have waited for another process, or for a server."""
_SHORTEST_WAIT_SECONDS = 0.003
"""However short a commit took: each costs as much CPU as a dozen messages in it, and a relay so near has more to do."""
_log = structlog.get_logger(__name__)


class Marks:
    """Writes beginnings and ends of transactions, many in one commit."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        boot: Boot,
        now: Callable[[], datetime],
        margin: timedelta,
        reserve: Reserve | None = None,
    ) -> None:
        """`margin` is how much of a lease must be left when a body begins; `reserve` is for ends on a full disk."""
        self._reserve = reserve
        self._deliveries = deliveries
        self._boot = boot
        self._now = now
        self._margin = margin
        self._begun: list[tuple[Claimed, asyncio.Future[bool]]] = []
        self._ended: list[Ended] = []
        self._writing: list[Ended] = []
        self._away: dict[int, float] = {}
        """Whose mail is on its way, since when; who left last stands last."""
        self._expected: set[int] = set()
        """Those of them whom the next commit waits for."""
        self._home = asyncio.Event()
        self._round = 0.0
        """Seconds that the last mail was on its way."""
        self._took = 0.0
        """Seconds that the last commit took, as far as it is worth waiting."""
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._writer: asyncio.Task[None] | None = None
        self._outage = Outage()

    def begin(self, row: Claimed) -> asyncio.Future[bool]:
        """Asks for the in-flight mark; the answer is durable: True, the body may go."""
        granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._begun.append((row, granted))
        self._stir()
        return granted

    def end(self, ended: Ended, *, at_once: bool) -> None:
        """Records an end, durable no later than any beginning that is asked for from now on.

        `at_once` False: it waits for the next beginning or `flush`, which saves a commit per message.
        """
        self._ended.append(ended)
        self._settled.clear()
        since = self._away.pop(ended.number, None)
        if since is not None:
            self._round = time.monotonic() - since
            self._expected.discard(ended.number)
            if not self._expected:
                self._home.set()
        if at_once:
            self._stir()

    def flush(self) -> None:
        """Writes what waits."""
        if self._ended:
            self._stir()

    @property
    def unwritten(self) -> set[int]:
        """Returns the deliveries whose ends wait to be written."""
        return {end.number for end in (*self._ended, *self._writing)}

    @property
    def settled(self) -> bool:
        """Whether everything is written."""
        return self._settled.is_set()

    async def settle(self) -> None:
        """Returns once everything is written."""
        self.flush()
        await self._settled.wait()

    async def close(self, patience_seconds: float = 5.0) -> None:
        """Writes what is left; what cannot be written within the time is found in doubt at the next start."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.settle(), patience_seconds)
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None

    def _stir(self) -> None:
        self._settled.clear()
        self._wake.set()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._begun or self._ended:
                await self._gather()
                begun, self._begun = self._begun, []
                ended, self._ended = self._ended, []
                self._writing = ended
                if not await self._committed(begun, ended):
                    self._ended, self._writing = ended + self._ended, []
                    await asyncio.sleep(_AGAIN_SECONDS)
            self._writing = []
            self._settled.set()

    async def _gather(self) -> None:
        """Waits for those on their way as long as they are likely to be back before a commit without them would be.

        Who is late is late for all: only those are waited for who left a shorter time ago than is worth waiting.
        """
        worth = max(self._took, _SHORTEST_WAIT_SECONDS)
        if not self._away or self._round > worth:
            return
        now = time.monotonic()
        self._expected = {number for number, since in self._away.items() if now - since < worth}
        if self._expected:
            self._home.clear()
            last = next(reversed(self._away.values()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(last + worth - now):
                    await self._home.wait()

    async def _committed(self, begun: list[tuple[Claimed, asyncio.Future[bool]]], ended: list[Ended]) -> bool:
        granted: set[int] = set()
        began = time.monotonic()
        try:
            rows = [row for row, _ in begun]
            granted = await self._deliveries.mark(self._boot, self._now(), rows, ended, margin=self._margin)
        except PublisherError as error:
            if isinstance(error, DiskFullError) and self._reserve is not None:
                self._reserve.relieve()
            if self._outage.begins() or not isinstance(error, UnreachableError):
                _log.error("marks.unwritten", error=str(error), beginnings=len(begun), ends=len(ended))
            return False
        except Exception:  # whatever it is: the writer must not die, what it has to write is all that is known
            _log.exception("marks.unwritten", beginnings=len(begun), ends=len(ended))
            return False
        finally:
            now = time.monotonic()
            self._took = min(now - began, _LONGEST_WAIT_SECONDS)
            for row, answer in begun:
                if answer.done():  # nobody waits for it any more
                    continue
                answer.set_result(row.number in granted)
                if row.number in granted:
                    self._away[row.number] = now
        if self._outage.ends():
            _log.info("marks.written_again")
        return True
