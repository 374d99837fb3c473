"""Letters on their way from those who send them to the connections that carry them."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable

from publisher.model.delivery import Ending, Letter
from publisher.transports.session import Session
from publisher.transports.wire import EOD, Wire, transparent

_PATH = re.compile(r"[!-;=?-~]*")
"""What may stand between `<` and `>` of an envelope: no space, no control character, no bracket."""
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")
"""What is written as its number in a parameter (RFC 3461 §4)."""


Tell = Callable[[Ending | BaseException], None]
"""Hears how a transaction ended, or what failed of the sender's own."""


class Posting:
    """One letter handed over, until it has ended."""

    __slots__ = ("_in_flight", "_letter", "_tell", "_wire", "over", "size")

    def __init__(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]], tell: Tell) -> None:
        """`tell` hears once how it ended; ValueError: an address would say more to a relay than an address."""
        for address in (letter.sender, letter.recipient):
            if not _PATH.fullmatch(address):
                raise ValueError(f"{address!r} cannot stand in an envelope")
        self._letter = letter
        self._in_flight = in_flight
        self._tell = tell
        self._wire: Wire | None = None
        self.over = False
        """Whether it has ended, or whoever sent it was stopped."""
        self.size = len(letter.message)
        """Octets of the message."""

    def envelope(self, session: Session) -> tuple[bytes, bytes, bytes]:
        """Returns MAIL, RCPT and DATA; the size is declared where the relay offers that (RFC 1870)."""
        size = f" SIZE={self.size}" if session.size_limit is not None else ""
        mark, wish = _report_wishes(self._letter) if session.dsn else ("", "")
        return (
            f"MAIL FROM:<{self._letter.sender}>{size}{mark}\r\n".encode("ascii"),
            f"RCPT TO:<{self._letter.recipient}>{wish}\r\n".encode("ascii"),
            b"DATA\r\n",
        )

    def body(self) -> tuple[bytes, bytes]:
        """Returns the message as it crosses the wire, and its end with the dot."""
        return (self._letter.message, EOD) if self._letter.transparent else (transparent(self._letter.message), b"")

    def leave(self) -> "asyncio.Future[bool]":
        """Asks whoever sends it whether the body may go; what they raise is raised."""
        leave = self._in_flight()
        return leave if isinstance(leave, asyncio.Future) else asyncio.ensure_future(leave)

    def begin(self, wire: Wire) -> None:
        """Notes the connection that carries it now."""
        self._wire = wire

    def end(self, ending: Ending) -> None:
        """Tells how it ended."""
        self._told(ending)

    def fail(self, error: BaseException) -> None:
        """Tells whoever sends it that their own part failed."""
        self._told(error)

    def abandon(self) -> None:
        """Ends the connection that carries it, if its own transaction has begun: nobody waits for it any more."""
        self.over = True
        if self._wire is not None:
            self._wire.close()

    def _told(self, end: Ending | BaseException) -> None:
        self._wire = None
        if not self.over:
            self.over = True
            self._tell(end)


def _report_wishes(letter: Letter) -> tuple[str, str]:
    """Returns what a relay is asked at MAIL and at RCPT (RFC 3461 §4): failures only, headers only, our mark."""
    mark = letter.envelope_id()
    if not mark:
        return "", ""
    original = _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", letter.recipient)
    return f" RET=HDRS ENVID={mark}", f" NOTIFY=FAILURE ORCPT=rfc822;{original}"


class Postings:
    """The queue in front of the connections; whoever waited the shortest gets the next one, so that the others rest."""

    def __init__(self) -> None:
        self._waiting: deque[Posting] = deque()
        self._idle: list[asyncio.Future[Posting | None]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, posting: Posting) -> bool:
        """Hands a letter to a connection that waits for one; False: none does, and it is kept in the queue."""
        while self._idle:
            taker = self._idle.pop()
            if not taker.done():
                taker.set_result(posting)
                return True
        self._waiting.append(posting)
        return False

    def remove(self, posting: Posting) -> bool:
        """Forgets a letter that waits; returns whether it did."""
        if posting in self._waiting:
            self._waiting.remove(posting)
            return True
        return False

    def take(self) -> Posting | None:
        """Returns the first letter that waits."""
        return self._waiting.popleft() if self._waiting else None

    def take_all(self) -> list[Posting]:
        """Returns all letters that wait."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    async def next(self, seconds: float) -> Posting | None:
        """Returns the next letter as soon as there is one; None: none came within the time, or we are closing."""
        if self._waiting:
            return self._waiting.popleft()
        loop = asyncio.get_running_loop()
        taker: asyncio.Future[Posting | None] = loop.create_future()
        self._idle.append(taker)
        alarm = loop.call_later(seconds, _nothing, taker)
        try:
            return await taker
        finally:
            alarm.cancel()
            if taker in self._idle:
                self._idle.remove(taker)

    def dismiss(self) -> None:
        """Tells every connection that waits that nothing comes."""
        idle, self._idle = self._idle, []
        for taker in idle:
            _nothing(taker)


def _nothing(taker: "asyncio.Future[Posting | None]") -> None:
    if not taker.done():
        taker.set_result(None)
