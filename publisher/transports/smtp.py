"""Hands mail to a relay: a pool of connections, one recipient per transaction, every end told by its phase."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from publisher.model.delivery import Ending, Fault, Letter, Phase
from publisher.transports.wire import Reply, Wire, WireError, printable

_MESSAGES_PER_CONNECTION = 100
_IDLE_SECONDS = 60.0
_GOODBYE_SECONDS = 2.0
_SERVICE_CLOSING = 421

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each phase may take, in seconds (RFC 5321 §4.5.3.2, shorter where nothing is at stake)."""

    connect: float = 30.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    dot: float = 600.0
    """Long: as long as we wait, we know; a timeout here is an uncertain end."""
    total: float = 900.0
    """For a whole transaction; a lease always outlives it."""

    @classmethod
    def scaled(cls, seconds: float) -> "Patience":
        """Returns the usual limits for 60, and those before the final dot in proportion for any other value."""
        scale = seconds / 60.0
        return cls(connect=30 * scale, command=300 * scale, data=120 * scale, block=180 * scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where mail goes, and what we insist on."""

    host: str
    port: int
    security: Security
    username: str = ""
    password: str = ""
    hostname: str = ""
    """What EHLO says; empty: this machine's full name."""
    tls: ssl.SSLContext | None = None
    """None: the machine's certificate authorities, host name checked."""


class _EndedError(Exception):
    """A transaction's early end."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.text)
        self.ending = ending


@dataclass(slots=True)
class _Connection:
    wire: Wire
    size_limit: int | None
    """Octets of a message the relay takes, None: it does not offer SIZE (RFC 1870)."""
    dsn: bool = False
    """Whether it can be asked what to report, and with which mark (RFC 3461)."""
    used: int = 0
    idle_since: float = 0.0
    stale: bool = False
    """A transaction was left open: RSET first."""


class SmtpTransport:
    """A pool of at most `connections` sessions with one relay."""

    def __init__(self, relay: Relay, connections: int = 4, patience: Patience | None = None) -> None:
        self._relay = relay
        self._patience = patience or Patience()
        self._places = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []
        self._tls = relay.tls
        self._hostname = relay.hostname

    async def send(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]]) -> Ending:
        """Runs one transaction and returns how it ended.

        `in_flight` is awaited after the reply that lets the body go and before its first byte; where it returns
        False or raises, the connection is closed without a dot, so that nothing is sent, not even an empty mail.
        """
        async with self._places:
            connection, fresh = await self._connection()
            if isinstance(connection, Ending):
                return connection
            ending = await self._transaction(connection, letter, in_flight)
            if not fresh and _gone_while_idle(ending):
                connection = await self._opened()
                if isinstance(connection, Ending):
                    return connection
                ending = await self._transaction(connection, letter, in_flight)
            return ending

    async def close(self) -> None:
        """Ends the idle sessions politely."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.wire.quit(_GOODBYE_SECONDS) for connection in idle))

    async def _connection(self) -> tuple[_Connection | Ending, bool]:
        while self._idle:
            connection = self._idle.pop()
            if await self._usable(connection):
                return connection, False
            await connection.wire.quit(_GOODBYE_SECONDS)
        return await self._opened(), True

    async def _usable(self, connection: _Connection) -> bool:
        if not connection.wire.clean or connection.used >= _MESSAGES_PER_CONNECTION:
            return False
        if time.monotonic() - connection.idle_since > _IDLE_SECONDS:
            return False
        if not connection.stale:
            return True
        with contextlib.suppress(WireError):
            reply = await connection.wire.command("RSET", self._patience.command)
            connection.stale = False
            return reply.code == 250
        return False

    async def _transaction(
        self, connection: _Connection, letter: Letter, in_flight: Callable[[], Awaitable[bool]]
    ) -> Ending:
        steps = _Steps(connection.wire, self._patience, connection.size_limit, dsn=connection.dsn)
        try:
            async with asyncio.timeout(self._patience.total):
                ending = await steps.run(letter, in_flight)
        except _EndedError as refused:
            ending = refused.ending
        except WireError as error:
            ending = Ending(phase=steps.phase, fault=error.fault, text=error.text)
        except TimeoutError:
            ending = Ending(phase=steps.phase, fault=Fault.TIMEOUT, text=f"not done in {self._patience.total:g} s")
        except BaseException:  # ours: the mark failed, or we are being stopped
            connection.wire.close()
            raise
        connection.used += 1
        self._keep_or_close(connection, ending)
        return ending

    def _keep_or_close(self, connection: _Connection, ending: Ending) -> None:
        """Keeps a connection only where the reply was one that belongs to its phase (delivery.md §2.1)."""
        kept = ending.fault is None and ending.code != _SERVICE_CLOSING and connection.wire.clean
        refused = ending.phase is not Phase.MAIL and ending.code is not None and 400 <= ending.code <= 599
        if not kept or not (ending.accepted or refused):
            connection.wire.close()
            return
        connection.stale = ending.phase is not Phase.BODY
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    async def _opened(self) -> _Connection | Ending:
        opening = _Opening(self._relay, self._patience)
        try:
            if self._tls is None and self._relay.security != "none":
                self._tls = await asyncio.to_thread(ssl.create_default_context)
            if not self._hostname:
                self._hostname = await asyncio.to_thread(_own_name)
            async with asyncio.timeout(self._patience.total):
                return await opening.run(self._tls, self._hostname)
        except _EndedError as refused:
            ending = refused.ending
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            ending = _told(opening.phase, error)
        opening.abandon()
        return ending


class _Opening:
    """The way to a session, phase by phase."""

    def __init__(self, relay: Relay, patience: Patience) -> None:
        self._relay = relay
        self._patience = patience
        self._client: aiosmtplib.SMTP | None = None
        self.phase = Phase.CONNECT

    async def run(self, tls: ssl.SSLContext | None, hostname: str) -> _Connection:
        """Connects, greets, secures, logs in; returns the session."""
        relay = self._relay
        self._client = client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            local_hostname=hostname,
            use_tls=relay.security == "tls",
            start_tls=False,  # explicitly, below: what is opportunistic can be stripped (RFC 8314 §3)
            tls_context=tls,
            timeout=self._patience.command,
        )
        await client.connect(timeout=self._patience.connect)
        await self._greeted(client)
        if relay.security == "starttls":
            await self._secured(client)
        if relay.username:
            await self._logged_in(client)
        assert client.transport is not None
        return _Connection(
            Wire.over(client.transport), _size_limit(client.esmtp_extensions), client.supports_extension("dsn")
        )

    def abandon(self) -> None:
        """Closes what was opened."""
        if self._client is not None:
            self._client.close()

    async def _greeted(self, client: aiosmtplib.SMTP) -> None:
        self.phase = Phase.HELLO
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            if not client.is_connected or self._relay.security == "starttls" or self._relay.username:
                raise
            await client.helo()

    async def _secured(self, client: aiosmtplib.SMTP) -> None:
        self.phase = Phase.STARTTLS
        if not client.supports_extension("starttls"):
            raise _EndedError(
                Ending(phase=Phase.STARTTLS, fault=Fault.INSECURE, text="the relay does not offer STARTTLS")
            )
        await client.starttls(timeout=self._patience.connect)
        await self._greeted(client)  # RFC 3207 §4.2: everything said before is forgotten

    async def _logged_in(self, client: aiosmtplib.SMTP) -> None:
        self.phase = Phase.AUTH
        if client.get_transport_info("sslcontext") is None and not is_loopback(client.get_transport_info("peername")):
            raise _EndedError(Ending(phase=Phase.AUTH, fault=Fault.INSECURE, text="no password without TLS"))
        await client.login(self._relay.username, self._relay.password)


class _Steps:
    """One transaction, phase by phase."""

    def __init__(self, wire: Wire, patience: Patience, size_limit: int | None, *, dsn: bool) -> None:
        self._wire = wire
        self._patience = patience
        self._size_limit = size_limit
        self._dsn = dsn
        self.phase = Phase.MAIL

    async def run(self, letter: Letter, in_flight: Callable[[], Awaitable[bool]]) -> Ending:
        """Sends one letter; returns the reply to its dot."""
        size = ""
        if self._size_limit is not None:
            if 0 < self._size_limit < len(letter.message):
                raise _EndedError(Ending(phase=Phase.DATA, code=552, text="5.3.4 larger than the relay takes"))
            size = f" SIZE={len(letter.message)}"
        mark, wish = report_wishes(letter) if self._dsn else ("", "")
        patience, wanted = self._patience.command, range(200, 300)
        await self._say(Phase.MAIL, f"MAIL FROM:<{letter.sender}>{size}{mark}", patience, wanted)
        await self._say(Phase.RCPT, f"RCPT TO:<{letter.recipient}>{wish}", patience, wanted)
        await self._say(Phase.DATA, "DATA", self._patience.data, range(354, 355))
        if not await in_flight():
            raise _EndedError(Ending(phase=Phase.DATA, fault=Fault.WITHDRAWN, text="not ours to send any more"))
        await self._wire.body(letter.message, self._patience.block)
        self.phase = Phase.BODY
        return _ending(Phase.BODY, await self._wire.last_reply(self._patience.dot))

    async def _say(self, phase: Phase, line: str, timeout_seconds: float, wanted: range) -> None:
        self.phase = phase
        reply = await self._wire.command(line, timeout_seconds)
        if reply.code in wanted:
            return
        if not 400 <= reply.code <= 599:
            raise WireError(Fault.GARBAGE, f"{reply.code} {reply.text} in answer to {phase.upper()}")
        raise _EndedError(_ending(phase, reply))


def report_wishes(letter: Letter) -> tuple[str, str]:
    """Returns what a relay is asked at MAIL and at RCPT (RFC 3461 §4): failures only, headers only, our mark."""
    if not letter.envelope_id:
        return "", ""
    original = "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in letter.recipient)
    return f" RET=HDRS ENVID={letter.envelope_id}", f" NOTIFY=FAILURE ORCPT=rfc822;{original}"


def is_loopback(peername: object) -> bool:
    """Returns whether the other end of a socket is this machine itself."""
    if not isinstance(peername, tuple) or not peername:
        return False
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(str(peername[0]).split("%", maxsplit=1)[0]).is_loopback
    return False


def _size_limit(extensions: dict[str, str]) -> int | None:
    limit = extensions.get("size")
    return None if limit is None else int(limit) if limit.isdecimal() else 0


def _ending(phase: Phase, reply: Reply) -> Ending:
    return Ending(phase=phase, code=reply.code, text=reply.text)


def _gone_while_idle(ending: Ending) -> bool:
    return ending.phase is Phase.MAIL and (ending.fault is Fault.DISCONNECTED or ending.code == _SERVICE_CLOSING)


def _told(phase: Phase, error: Exception) -> Ending:
    """Returns how the way to a session ended."""
    text = printable(str(error))
    if isinstance(error, aiosmtplib.SMTPConnectResponseError):
        phase = Phase.GREETING
    if isinstance(error, aiosmtplib.SMTPResponseException):
        if error.code < 0:
            return Ending(phase=phase, fault=Fault.GARBAGE, text=text)
        return Ending(phase=phase, code=error.code, text=printable(error.message))
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Ending(phase=phase, fault=Fault.INSECURE, text=text)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return Ending(phase=phase, fault=Fault.TIMEOUT, text=text)
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError):
        return Ending(phase=phase, fault=Fault.DISCONNECTED, text=text)
    return Ending(phase=phase, fault=Fault.INSECURE, text=text)


def _own_name() -> str:
    """Returns this machine's full name, or its address as a literal (RFC 5321 §4.1.4)."""
    name = socket.getfqdn()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
