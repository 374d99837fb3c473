"""Our end of an SMTP connection once the session stands: commands out, replies in, first in, first out.

aiosmtplib makes the session (greeting, EHLO, STARTTLS, AUTH); then this
protocol takes over its transport, because the promise on duplicates needs
what a general client hides: the exact moment before the body, and whether
anything came that nobody had asked for (RFC 1047, RFC 5321 §4.2).
"""

import asyncio
import contextlib
import re
from collections import deque
from dataclasses import dataclass
from typing import cast

from publisher.model.delivery import Fault

_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?")
_LONGEST_LINE = 2048
"""Octets; RFC 5321 §4.5.3.1.5 says 512, relays that explain themselves say more."""
_LONGEST_REPLY = 64 * 1024
_KEPT_TEXT = 500
"""Characters of a reply that are kept."""
_BLOCK = 64 * 1024
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\uffff]+")
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


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
    text: str


class Wire(asyncio.Protocol):
    """A connection in lock-step; any surprise breaks it for good."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._reply_octets = 0
        self._awaited = 0
        self._replies: deque[Reply] = deque()
        self._broken: WireError | None = None
        self._news: asyncio.Future[None] | None = None
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
        """Whether a new command may be sent: connected, nothing left over, nothing owed."""
        return self._broken is None and not self._buffer and not self._replies and self._awaited == 0

    async def command(self, line: str, timeout_seconds: float) -> Reply:
        """Sends one command and returns its reply; WireError when there is none."""
        self._require_clean()
        self._awaited += 1
        self._write(line.encode("ascii") + b"\r\n")
        return await self._reply(timeout_seconds)

    async def body(self, message: bytes, block_seconds: float) -> None:
        """Sends what follows a 354, the dot included; WireError: the dot did not leave this process.

        The reply is `last_reply`'s part: once this returns, the server may have the message.
        """
        self._require_clean()
        self._awaited += 1
        octets = transparent(message)
        for start in range(0, len(octets), _BLOCK):
            await self._drained(block_seconds)
            if self._broken is not None:
                raise self._broken
            if self._replies:  # an answer before the question is over: the dot is not sent
                raise WireError(Fault.GARBAGE, f"{self._replies[0].code} before the end of the body")
            self._write(octets[start : start + _BLOCK])

    async def last_reply(self, timeout_seconds: float) -> Reply:
        """Returns the reply to what was sent last; WireError when none comes."""
        return await self._reply(timeout_seconds)

    async def quit(self, timeout_seconds: float) -> None:
        """Says goodbye if there is anybody to say it to, and closes."""
        if self.clean:
            with contextlib.suppress(WireError):
                await self.command("QUIT", timeout_seconds)
        self.close()

    def close(self) -> None:
        """Closes at once; what the server has not got by now it does not get."""
        if self._transport is not None:
            self._transport.abort()
        self._break(Fault.DISCONNECTED, "closed by us")

    def data_received(self, data: bytes) -> None:
        """Takes what the server says (asyncio)."""
        self._buffer += data
        while self._broken is None:
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > _LONGEST_LINE:
                    self._break(Fault.GARBAGE, "a line without end")
                return
            line = bytes(self._buffer[: end + 1]).rstrip(b"\r\n")
            del self._buffer[: end + 1]
            self._take(line)

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
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Notes that there is room again (asyncio)."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _take(self, line: bytes) -> None:
        match = _REPLY_LINE.fullmatch(line) if len(line) <= _LONGEST_LINE else None
        self._reply_octets += len(line)
        if match is None or self._reply_octets > _LONGEST_REPLY:
            self._break(Fault.GARBAGE, f"not a reply: {printable(line)}")
            return
        if len(self._replies) >= self._awaited:
            self._break(Fault.GARBAGE, f"nobody asked: {printable(line)}")
            return
        self._lines.append(printable(match[3] or b""))
        if match[2] == b"-":
            return
        self._replies.append(Reply(int(match[1]), " ".join(self._lines)[:_KEPT_TEXT]))
        self._lines.clear()
        self._reply_octets = 0
        self._tell()

    async def _reply(self, timeout_seconds: float) -> Reply:
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._replies:
                    if self._broken is not None:
                        raise self._broken
                    self._news = asyncio.get_running_loop().create_future()
                    await self._news
        except TimeoutError as error:
            self._break(Fault.TIMEOUT, f"no reply within {timeout_seconds:g} s")
            raise WireError(Fault.TIMEOUT, f"no reply within {timeout_seconds:g} s") from error
        self._awaited -= 1
        return self._replies.popleft()

    async def _drained(self, timeout_seconds: float) -> None:
        waiting = self._writable
        if waiting is None:
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.shield(waiting)
        except TimeoutError as error:
            self._break(Fault.TIMEOUT, f"the relay did not read for {timeout_seconds:g} s")
            raise WireError(Fault.TIMEOUT, f"the relay did not read for {timeout_seconds:g} s") from error

    def _require_clean(self) -> None:
        if self._broken is not None:
            raise self._broken
        if not self.clean:
            raise WireError(Fault.GARBAGE, "something was left over from before")

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
    return message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def printable(text: bytes | str) -> str:
    """Returns what a relay said, fit for logs and pages: one line, no control characters, not too long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return _UNPRINTABLE.sub(" ", text).strip()[:_KEPT_TEXT]
