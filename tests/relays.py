"""Mail servers for tests: real sockets on loopback, polite unless a script says otherwise."""

import asyncio
import socket
import ssl
import struct
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CLOSE = "CLOSE"
"""Closes the connection instead of answering."""
RESET = "RESET"
"""Breaks the connection off (RST) instead of answering."""
SILENCE = "SILENCE"
"""Never answers."""

Step = str | bytes | float
Answer = Step | tuple[Step, ...]
"""A line, sent with CRLF; raw `bytes`; seconds to wait; CLOSE, RESET or SILENCE; or several of them in turn."""

POLITE = {
    "CONNECT": "220 relay.example ready",
    "EHLO": "250 relay.example",
    "HELO": "250 relay.example",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 queued",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class Received:
    """A message whose dot arrived, whatever was answered."""

    sender: str
    recipient: str
    message: bytes
    session: int
    at: float = field(default_factory=time.monotonic)
    """When, in seconds that nobody sets."""


class _EndedError(Exception):
    """The relay has ended the connection."""


@dataclass
class ScriptedRelay:
    """Answers each command with the next line of its script, politely once that has run out.

    Beside the verbs there are CONNECT (the greeting), TLS (the handshake), BODY (once the first octets of a message
    are here), DOT (the end of it) and IDLE (after the answer to that). What it says goes out when it has
    nothing left to read, as servers do that offer PIPELINING; each such moment is one turn.
    """

    script: dict[str, list[Answer]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    port: int = 0
    delay: float = 0.0
    """Seconds that what it says is on the way."""
    sessions: int = 0
    turns: int = 0
    commands: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    empty_dots: int = 0
    """Messages without any octet."""
    most_at_once: int = 0
    _now: int = 0
    _left: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedRelay"]:
        """Listens while the context lasts."""
        for phase, answers in self.script.items():
            self._left[phase].extend(answers)
        server = await asyncio.start_server(
            self._session, "127.0.0.1", self.port, ssl=self.tls if self.implicit_tls else None
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.sessions += 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            # Cancelled at the end of a test; asyncio would log it.
            with suppress(ConnectionError, ssl.SSLError, _EndedError, asyncio.CancelledError):
                await _Talk(self, reader, writer, self.sessions).run()
        finally:
            self._now -= 1
            writer.transport.abort()

    def answer(self, phase: str) -> Answer | None:
        """Returns what the script says next; None: nothing."""
        return self._left[phase].popleft() if self._left[phase] else None

    def offers(self) -> str:
        """Returns the answer to EHLO."""
        lines = ["relay.example", *self.extensions]
        return "\r\n".join(f"250{' ' if n == len(lines) else '-'}{line}" for n, line in enumerate(lines, start=1))


class _Talk:
    """One session."""

    def __init__(
        self, relay: ScriptedRelay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._number = number
        self._unread = bytearray()
        self._unsaid = bytearray()
        self._sender: str | None = None
        self._recipient: str | None = None

    async def run(self) -> None:
        """Talks until one of us leaves."""
        await self._say("CONNECT")
        while line := (await self._until(b"\n")).decode().rstrip("\r\n"):
            self._relay.commands.append(line)
            verb = line.split(" ", maxsplit=1)[0].upper()
            code = await self._answered(verb, line)
            if verb == "QUIT":
                await self._flush()
                return
            if verb == "STARTTLS" and code == "220":
                await self._secure()
            if verb == "DATA" and code == "354":
                await self._message()

    async def _answered(self, verb: str, line: str) -> str:
        if verb == "EHLO":
            return await self._say(verb, self._relay.offers())
        if verb == "MAIL":
            code = await self._say(verb, "503 5.5.1 one at a time" if self._sender is not None else None)
            self._sender = line[line.index("<") + 1 : line.index(">")] if code[0] == "2" else self._sender
            return code
        if verb == "RCPT":
            code = await self._say(verb, "503 5.5.1 MAIL first" if self._sender is None else None)
            self._recipient = line[line.index("<") + 1 : line.index(">")] if code[0] == "2" else self._recipient
            return code
        if verb == "DATA":
            return await self._say(verb, "554 5.5.1 no valid recipients" if self._recipient is None else None)
        if verb in ("RSET", "EHLO", "HELO"):
            self._sender = self._recipient = None
        return await self._say(verb)

    async def _message(self) -> None:
        started = self._relay.answer("BODY")
        if started is not None:
            while not self._unread:
                await self._read()
            await self._perform(started)
        message = (b"\r\n" + await self._until(b"\r\n.\r\n", before=b"\r\n"))[2:-3]
        self._relay.empty_dots += not message
        assert self._sender is not None
        assert self._recipient is not None
        message = message.removeprefix(b".") if message.startswith(b"..") else message
        self._relay.received.append(
            Received(self._sender, self._recipient, message.replace(b"\r\n..", b"\r\n."), self._number)
        )
        self._sender = self._recipient = None
        await self._say("DOT")
        idle = self._relay.answer("IDLE")
        if idle is not None:
            await self._perform(idle)

    async def _secure(self) -> None:
        assert self._relay.tls is not None
        await self._flush()
        handshake = self._relay.answer("TLS")
        if handshake is not None:
            await self._perform(handshake)
        self._unread.clear()
        await self._writer.start_tls(self._relay.tls)

    async def _say(self, phase: str, polite: str | None = None) -> str:
        """Answers; returns the code."""
        answer = self._relay.answer(phase)
        if answer is None:
            answer = polite or POLITE.get(phase, "502 5.5.2 what?")
        await self._perform(answer)
        said = [step for step in (answer if isinstance(answer, tuple) else (answer,)) if not isinstance(step, float)]
        return "".join(step.decode("latin-1") if isinstance(step, bytes) else step for step in said)[:3]

    async def _perform(self, answer: Answer) -> None:
        for step in answer if isinstance(answer, tuple) else (answer,):
            if isinstance(step, float):
                await self._flush()
                await asyncio.sleep(step)
            elif step in (CLOSE, RESET, SILENCE):
                await self._flush()
                await self._end(str(step))
            else:
                self._unsaid += step if isinstance(step, bytes) else step.encode() + b"\r\n"

    async def _end(self, how: str) -> None:
        if how == SILENCE:
            await asyncio.sleep(3600)
        if how == RESET:
            await asyncio.sleep(0.02)  # what was said before arrives: a reset may overtake it
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _EndedError

    async def _until(self, end: bytes, before: bytes = b"") -> bytes:
        """Returns what comes, up to and with `end`; `before` is taken to stand in front of it."""
        while True:
            at = (before + self._unread).find(end)
            if at >= 0:
                size = at + len(end) - len(before)
                taken = bytes(self._unread[:size])
                del self._unread[:size]
                return taken
            await self._read()

    async def _read(self) -> None:
        if self._unsaid:
            self._relay.turns += 1
        await self._flush()
        octets = await self._reader.read(2**20)
        if not octets:
            raise _EndedError
        self._unread += octets

    async def _flush(self) -> None:
        if self._unsaid:
            if self._relay.delay:
                await asyncio.sleep(self._relay.delay)
            self._writer.write(bytes(self._unsaid))
            self._unsaid.clear()
            await self._writer.drain()
