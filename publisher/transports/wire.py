"""Our end of an SMTP connection once the session stands: octets out, replies in, first in, first out.

aiosmtplib makes the session (greeting, EHLO, STARTTLS, AUTH); then this
protocol takes over its transport, because the promise on duplicates needs
what a general client hides: the exact moment before the body, and whether
anything came that nobody had asked for (RFC 1047, RFC 5321 §4.2). It knows
no commands and judges no codes; it counts what was asked and matches what
came (RFC 2920 §3.1).
"""

import asyncio
import contextlib
import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from publisher.model.delivery import Fault

_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_LONGEST_LINE = 2048
"""Octets; RFC 5321 §4.5.3.1.5 says 512, relays that explain themselves say more."""
_LONGEST_REPLY = 64 * 1024
_KEPT_TEXT = 500
"""Characters of a reply that are kept."""
_BLOCK = 64 * 1024
_SERVICE_CLOSING = 421
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\uffff]+")
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
EOD = b".\r\n"
"""What ends a message whose last line is complete."""


class WireError(Exception):
    """The connection can be used no more; says what came instead of a reply."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault
        self.text = text


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the server, its lines joined."""

    code: int
    octets: bytes

    @property
    def text(self) -> str:
        """Returns what was said beside the code, made harmless."""
        return printable(self.octets)


class Watch:
    """One alarm for one connection; a timer is seldom set, for what is waited for nearly always comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0
        self._due = 0.0
        self._late: Callable[[], object] | None = None

    def until(self, due: float, late: Callable[[], object]) -> None:
        """Calls `late` at a moment of the loop's clock, unless it is called off before."""
        self._due, self._late = due, late
        if self._timer is None or due < self._rings:
            self.close()
            self._late = late
            self._set()

    def off(self) -> None:
        """Calls it off."""
        self._late = None

    def close(self) -> None:
        """Calls it off for good."""
        self._late = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self._rings = self._due
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._late is None:
            return
        if self._rings < self._due:
            self._set()
            return
        late, self._late = self._late, None
        late()


class Wire(asyncio.Protocol):
    """A connection that counts; any surprise breaks it for good."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = b""
        self._reply_octets = 0
        self._awaited = 0
        self._replies: deque[Reply] = deque()
        self._broken: WireError | None = None
        self._news: asyncio.Future[None] | None = None
        self._watch = Watch(self._loop)
        self._writable: asyncio.Future[None] | None = None

    @classmethod
    def over(cls, transport: asyncio.BaseTransport) -> "Wire":
        """Returns a wire that has taken the connection of `transport` over."""
        wire = cls()
        wire._transport = cast(asyncio.Transport, transport)
        transport.set_protocol(wire)
        if transport.is_closing():
            wire._break(Fault.DISCONNECTED, "connection lost")
        return wire

    @property
    def clean(self) -> bool:
        """Whether something new may be asked: connected, nothing left over, nothing owed."""
        return self._is_as_asked and not self._replies and self._awaited == 0

    @property
    def _is_as_asked(self) -> bool:
        return self._broken is None and not self._rest

    @property
    def fault(self) -> Fault | None:
        """Returns what broke the connection; None: it stands."""
        return self._broken.fault if self._broken is not None else None

    def ask(self, octets: bytes, replies: int = 1) -> None:
        """Writes commands that bring so many replies; WireError: nothing was written."""
        if self._broken is not None:
            raise self._broken
        if not self.clean:
            self._break(Fault.GARBAGE, "something was left over from before")
            raise WireError(Fault.GARBAGE, "something was left over from before")
        self._write(octets)
        self._awaited += replies

    async def body(self, octets: tuple[bytes, bytes], then: bytes, replies: int, block_seconds: float) -> None:
        """Writes a body and its end with the dot, as it crosses the wire, and in the same write what follows it.

        WireError: the dot did not leave this process. Once this returns the server may have the message, and
        `replies` are awaited: to the dot, then to what followed.
        """
        message, end = octets
        last = max(0, (len(message) - 1) // _BLOCK * _BLOCK)
        for start in range(0, last, _BLOCK):
            await self._room(block_seconds)
            self._write(message[start : start + _BLOCK])
        await self._room(block_seconds)
        self._write(b"".join((message[last:] if last else message, end, then)))
        self._awaited += replies

    async def reply(self, seconds: float, until: float = math.inf) -> Reply:
        """Returns the next reply; WireError when there is none within the time, or none that can be one.

        `until` is a moment of the event loop's clock, for the transaction as a whole.
        """
        if not self._replies:
            await self._told(seconds, until)
        self._awaited -= 1
        return self._replies.popleft()

    def heard(self) -> Reply | None:
        """Returns the next reply if it has come already."""
        if not self._replies:
            return None
        self._awaited -= 1
        return self._replies.popleft()

    def all_heard(self, codes: tuple[int, ...]) -> bool:
        """Takes the replies, if all that are awaited have come, with these codes, and nothing else."""
        if len(self._replies) != self._awaited or not self._is_as_asked:
            return False
        if tuple([reply.code for reply in self._replies]) != codes:
            return False
        self._replies.clear()
        self._awaited = 0
        return True

    async def until(self, moment: float, answer: "asyncio.Future[bool]") -> bool:
        """Returns an answer; TimeoutError, and whoever gives it is called off, where it does not come by a moment."""
        self._watch.until(moment, answer.cancel)
        try:
            return await answer
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not answer.cancelled() or (task is not None and task.cancelling()):
                raise
            raise TimeoutError from None
        finally:
            self._watch.off()

    async def quit(self, seconds: float) -> None:
        """Says goodbye if there is anybody to say it to, and closes."""
        if self.clean:
            with contextlib.suppress(WireError):
                self.ask(b"QUIT\r\n")
                await self.reply(seconds)
        self.close()

    def close(self) -> None:
        """Closes at once; what the server has not got by now it does not get."""
        self._break(Fault.DISCONNECTED, "closed by us")

    def data_received(self, data: bytes) -> None:
        """Takes what the server says (asyncio)."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._broken is not None:
                return
            self._take(line)
        if len(self._rest) > _LONGEST_LINE:
            self._break(Fault.GARBAGE, "a line without end")
        if self._replies:
            self._tell()

    def eof_received(self) -> bool:
        """Treats a half-closed connection as lost (asyncio)."""
        self._break(Fault.DISCONNECTED, "connection closed by the relay")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes the end of the connection (asyncio)."""
        self._break(Fault.DISCONNECTED, str(exc) if exc else "connection lost")

    def pause_writing(self) -> None:
        """Notes that the relay reads too slowly (asyncio)."""
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Notes that there is room again (asyncio)."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _take(self, line: bytes) -> None:
        match = _REPLY_LINE.fullmatch(line.rstrip(b"\r")) if len(line) <= _LONGEST_LINE else None
        self._reply_octets += len(line)
        if match is None or self._reply_octets > _LONGEST_REPLY or (self._lines and match[1] != self._code):
            self._break(Fault.GARBAGE, f"not a reply: {printable(line)}")
            return
        code = int(match[1])
        if len(self._replies) >= self._awaited:
            closing = code == _SERVICE_CLOSING  # allowed at any time (RFC 5321 §3.8); everything else needs a question
            self._break(Fault.DISCONNECTED if closing else Fault.GARBAGE, f"nobody asked: {printable(line)}")
            return
        self._lines.append(match[3] or b"")
        self._code = match[1]
        if match[2] == b"-":
            return
        self._replies.append(Reply(code, b" ".join(self._lines)))
        self._lines.clear()
        self._reply_octets = 0

    async def _told(self, seconds: float, until: float) -> None:
        if self._broken is not None:
            raise self._broken
        self._news = self._loop.create_future()
        self._watch.until(min(self._loop.time() + seconds, until), self._silent)
        try:
            await self._news
        finally:
            self._watch.off()
            self._news = None
        if not self._replies:
            assert self._broken is not None
            raise self._broken

    def _silent(self) -> None:
        self._break(Fault.TIMEOUT, "no reply in time")

    async def _room(self, seconds: float) -> None:
        """Waits until the connection takes more of a body; nothing may have been said meanwhile."""
        waiting = self._writable
        if waiting is not None:
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.shield(waiting)
            except TimeoutError:
                self._break(Fault.TIMEOUT, f"the relay did not read for {seconds:g} s")
        if self._broken is None and not self.clean:
            self._break(Fault.GARBAGE, "something was left over from before")
        if self._broken is not None:
            raise self._broken

    def _write(self, octets: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            self._break(Fault.DISCONNECTED, "connection lost")
        if self._broken is not None:
            raise self._broken
        assert self._transport is not None
        self._transport.write(octets)

    def _break(self, fault: Fault, text: str) -> None:
        if self._broken is None:
            self._broken = WireError(fault, text)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()
        self._watch.close()
        self.resume_writing()
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


def transparent(message: bytes) -> bytes:
    """Returns the message as it crosses the wire: CRLF throughout, dots stuffed, the final dot (RFC 5321 §4.5.2)."""
    lines = message.count(b"\n")
    if message.count(b"\r\n") != lines or message.count(b"\r") != lines:
        message = _BARE_LINE_END.sub(b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..") + EOD


def printable(text: bytes | str) -> str:
    """Returns what a relay said, fit for logs and pages: one line, no control characters, not too long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return _UNPRINTABLE.sub(" ", text).strip()[:_KEPT_TEXT]
