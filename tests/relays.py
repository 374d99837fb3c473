"""Mail servers for tests: real sockets on loopback, polite unless a script says otherwise."""

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CLOSE = "CLOSE"
"""Closes the connection instead of answering."""
SILENCE = "SILENCE"
"""Never answers."""

_POLITE = {
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


@dataclass
class ScriptedRelay:
    """Answers each command with the next line of its script, politely once that has run out.

    A line is sent as it is with CRLF; `bytes` are sent raw; CLOSE and SILENCE are what they say.
    """

    script: dict[str, list[str | bytes]] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    port: int = 0
    sessions: int = 0
    commands: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _left: dict[str, deque[str | bytes]] = field(default_factory=lambda: defaultdict(deque))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ScriptedRelay"]:
        """Listens while the context lasts."""
        for phase, lines in self.script.items():
            self._left[phase].extend(lines)
        server = await asyncio.start_server(
            self._session, "127.0.0.1", self.port, limit=2**23, ssl=self.tls if self.implicit_tls else None
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
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._talk(reader, writer, self.sessions)
        finally:
            self._now -= 1
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: int) -> None:
        sender = recipient = ""
        if not await self._answer("CONNECT", writer):
            return
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.commands.append(line)
            verb = line.split(" ", maxsplit=1)[0].upper()
            if verb == "EHLO" and self.extensions and not self._left["EHLO"]:
                self._left["EHLO"].append("\r\n".join(["250-relay.example", *self._offers()]))
            if verb == "MAIL":
                sender = line[line.index("<") + 1 : line.index(">")]
            if verb == "RCPT":
                recipient = line[line.index("<") + 1 : line.index(">")]
            answered = await self._answer(verb, writer)
            if not answered or verb == "QUIT":
                return
            if verb == "STARTTLS" and answered.startswith("220"):
                assert self.tls is not None
                await writer.start_tls(self.tls)
            if verb == "DATA" and answered.startswith("354"):
                message = await reader.readuntil(b"\r\n.\r\n")
                self.received.append(Received(sender, recipient, message[:-3].replace(b"\r\n..", b"\r\n."), session))
                if not await self._answer("DOT", writer):
                    return

    def _offers(self) -> list[str]:
        return [f"250{' ' if n == len(self.extensions) else '-'}{e}" for n, e in enumerate(self.extensions, start=1)]

    async def _answer(self, phase: str, writer: asyncio.StreamWriter) -> str:
        answer = self._left[phase].popleft() if self._left[phase] else _POLITE.get(phase, "502 5.5.2 what?")
        if answer == CLOSE:
            return ""
        if answer == SILENCE:
            await asyncio.sleep(3600)
        writer.write(answer if isinstance(answer, bytes) else answer.encode() + b"\r\n")
        await writer.drain()
        return answer.decode("latin-1") if isinstance(answer, bytes) else answer
