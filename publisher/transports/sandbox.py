"""The sandbox: a mail server on loopback, in this process, that keeps every mail and passes none on."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiosmtpd.smtp import SMTP, Envelope, Session

from publisher.model.delivery import Ending, Letter
from publisher.transports.inbox import Inbox
from publisher.transports.postings import Tell
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport

_LOOPBACK = "127.0.0.1"
_CLOSING_SECONDS = 2.0
_LARGEST = 32 * 1024 * 1024


class Sandbox:
    """A real SMTP server for the inbox; runs in the caller's event loop."""

    def __init__(self, inbox: Inbox, port: int = 0) -> None:
        """Takes the port to listen at, 0 for any free one."""
        self._handler = _Keeper(inbox)
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Starts to listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(
                self._handler,
                hostname="sandbox.localhost",
                ident="publisher sandbox: no mail leaves this machine",
                data_size_limit=_LARGEST,
                loop=loop,
            ),
            host=_LOOPBACK,
            port=self._port,
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stops to listen."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):  # from Python 3.12 on this waits for open sessions too
                await asyncio.wait_for(self._server.wait_closed(), _CLOSING_SECONDS)
            self._server = None


class SandboxTransport:
    """Hands mail to a sandbox of its own over real SMTP; whatever the settings say, it knows no other server."""

    def __init__(self, inbox: Inbox, connections: int = 4) -> None:
        self._sandbox = Sandbox(inbox)
        self._connections = connections
        self._starting = asyncio.Lock()
        self._smtp: SmtpTransport | None = None

    async def ready(self) -> None:
        """Starts the sandbox, unless it runs."""
        async with self._starting:
            if self._smtp is None:
                relay = Relay(host=_LOOPBACK, port=await self._sandbox.start(), security="none", hostname="localhost")
                self._smtp = SmtpTransport(relay, self._connections, Patience.scaled(10))

    def post(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]], tell: Tell) -> None:
        """Hands a letter to the sandbox, once that is ready."""
        assert self._smtp is not None
        self._smtp.post(letter, in_flight, tell)

    async def send(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]]) -> Ending:
        """Runs one transaction with the sandbox."""
        await self.ready()
        assert self._smtp is not None
        return await self._smtp.send(letter, in_flight)

    async def close(self) -> None:
        """Ends the sessions, then the server."""
        if self._smtp is not None:
            await self._smtp.close()
            self._smtp = None
        await self._sandbox.close()


class _Keeper:
    """What aiosmtpd calls with each mail."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            await asyncio.to_thread(self._inbox.store, envelope.mail_from or "", recipient, envelope.content)
        return "250 2.0.0 kept in the sandbox"
