"""Hands mail to a relay: a pool of connections, one recipient per transaction, every end told by its phase."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from publisher.model.delivery import Ending, Fault, Letter
from publisher.transports.line import Line
from publisher.transports.postings import Posting, Postings, Tell
from publisher.transports.session import Doorstep, Patience, Relay, Session

_CLOSING_SECONDS = 3.0
_log = structlog.get_logger(__name__)


class SmtpTransport:
    """A pool of at most `connections` sessions with one relay."""

    def __init__(self, relay: Relay, connections: int = 4, patience: Patience | None = None) -> None:
        self._relay = relay
        self._connections = connections
        self._patience = patience or Patience()
        self._doorstep = Doorstep(relay, self._patience)
        self._postings = Postings()
        self._lines: set[asyncio.Task[None]] = set()
        self._standing = 0
        self._closing = False
        self._out_of_step = False

    async def ready(self) -> None:
        """Makes ready to send: sessions are opened when there is something to carry."""

    def post(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]], tell: Tell) -> Posting:
        """Hands over one letter; `tell` hears how its transaction ended.

        `in_flight` is awaited after the reply that lets the body go and before its first byte; where it returns
        False or raises, the connection is closed without a dot, so that nothing is sent, not even an empty mail.
        Where the relay offers PIPELINING, a letter that waits while all connections are busy is announced with the
        body before it: so hand over two per connection. The end of a letter is told before `in_flight` is asked for
        the next one on its connection.
        """
        posting = Posting(letter, in_flight, tell)
        if not self._postings.put(posting) and len(self._lines) < self._connections:
            self._add_line()
        return posting

    async def send(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]]) -> Ending:
        """Hands over one letter and returns how that ended; what `in_flight` raises is raised."""
        ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

        def tell(end: Ending | BaseException) -> None:
            if ended.done():
                return
            if isinstance(end, Ending):
                ended.set_result(end)
            else:
                ended.set_exception(end)

        posting = self.post(letter, in_flight, tell)
        try:
            return await ended
        except asyncio.CancelledError:
            if not self._postings.remove(posting):
                posting.abandon()
            raise

    async def close(self) -> None:
        """Ends the sessions, politely where nothing is under way."""
        self._closing = True
        self._postings.dismiss()
        try:
            if self._lines:
                _, busy = await asyncio.wait(self._lines, timeout=_CLOSING_SECONDS)
                for line in busy:
                    line.cancel()
                await asyncio.gather(*busy, return_exceptions=True)
        finally:
            self._closing = False

    @property
    def pipelining(self) -> bool:
        """Whether sessions may pipeline: no longer once the relay's replies got out of step."""
        return self._relay.pipelining and not self._out_of_step

    async def open(self) -> Session | Ending:
        """Opens a session (for lines)."""
        opened = await self._doorstep.open()
        if isinstance(opened, Session):
            self._standing += 1
        return opened

    def take(self) -> Posting | None:
        """Returns a letter that waits (for lines)."""
        return self._postings.take()

    async def next(self) -> Posting | None:
        """Waits for a letter as long as an idle session is kept (for lines)."""
        return self._postings.take() if self._closing else await self._postings.next(self._patience.idle)

    def part(self, session: Session, *, out_of_step: bool) -> None:
        """Counts a session that has ended, and stops pipelining if its replies got out of step (for lines)."""
        self._standing -= 1
        if out_of_step and session.pipelining and self.pipelining:
            self._out_of_step = True
            _log.warning("smtp.pipelining_off", relay=f"{self._relay.host}:{self._relay.port}")

    def unreachable(self, ending: Ending) -> None:
        """Lets go of what waits when no session could be opened and none stands (for lines).

        It was not tried: one failure is told once.
        """
        said = ending.text or str(ending.fault or ending.code)
        for posting in self._postings.take_all() if not self._standing else ():
            posting.end(Ending(phase=ending.phase, fault=Fault.WITHDRAWN, text=f"no session to go over: {said}"))

    def _add_line(self) -> None:
        line = asyncio.create_task(Line(self, self._patience).run())
        self._lines.add(line)
        line.add_done_callback(self._line_ended)

    def _line_ended(self, line: "asyncio.Task[None]") -> None:
        self._lines.discard(line)
        if not line.cancelled() and (error := line.exception()) is not None:
            _log.error("smtp.line", error=repr(error))
        if self._postings and len(self._lines) < self._connections:
            self._add_line()
