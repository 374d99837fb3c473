"""The way to a session with a relay: connect, be greeted, secure, log in; every failure told by its phase."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from publisher.model.delivery import Ending, Fault, Phase
from publisher.transports.wire import Wire, printable

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each phase may take, in seconds (RFC 5321 §4.5.3.2, shorter where nothing is at stake)."""

    connect: float = 30.0
    command: float = 300.0
    """The greeting, EHLO, MAIL and RCPT."""
    data: float = 120.0
    block: float = 180.0
    dot: float = 600.0
    """Long: as long as we wait, we know; a timeout here is an uncertain end."""
    total: float = 900.0
    """For a whole transaction; a lease always outlives it."""
    idle: float = 60.0
    """How long a session is kept with nothing to send."""

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
    pipelining: bool = True
    """Whether to use PIPELINING where the relay offers it (RFC 2920)."""


@dataclass(slots=True)
class Session:
    """A session that stands: the wire, and what the relay said of itself."""

    wire: Wire
    size_limit: int | None
    """Octets of a message the relay takes, 0: it does not say how many, None: it does not offer SIZE (RFC 1870)."""
    pipelining: bool
    """Whether the relay offers PIPELINING."""
    dsn: bool = False
    """Whether it can be asked what to report, and with which mark (RFC 3461)."""
    used: int = 0
    """Transactions begun."""
    stale: bool = False
    """A transaction was left open: RSET first."""


class Doorstep:
    """Opens sessions with one relay."""

    def __init__(self, relay: Relay, patience: Patience) -> None:
        self._relay = relay
        self._patience = patience
        self._tls = relay.tls
        self._hostname = relay.hostname

    async def open(self) -> Session | Ending:
        """Returns a session, or how the way to it ended."""
        if self._tls is None and self._relay.security != "none":
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        if not self._hostname:
            self._hostname = await asyncio.to_thread(_own_name)
        opening = _Opening(self._relay, self._patience)
        try:
            async with asyncio.timeout(self._patience.total):
                return await opening.run(self._tls, self._hostname)
        except _InsecureError as refused:
            ending = Ending(phase=opening.phase, fault=Fault.INSECURE, text=str(refused))
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            ending = _ended(opening.phase, error)
        except BaseException:
            opening.abandon()
            raise
        opening.abandon()
        return ending


class _InsecureError(Exception):
    """What we insist on is not to be had."""


class _Opening:
    """The way to a session, phase by phase."""

    def __init__(self, relay: Relay, patience: Patience) -> None:
        self._relay = relay
        self._patience = patience
        self._client: aiosmtplib.SMTP | None = None
        self._socket: socket.socket | None = None
        self.phase = Phase.CONNECT

    async def run(self, tls: ssl.SSLContext | None, hostname: str) -> Session:
        """Connects, greets, secures, logs in; returns the session."""
        relay = self._relay
        async with asyncio.timeout(self._patience.connect):
            self._socket = await _connected(relay.host, relay.port)
        self._client = client = aiosmtplib.SMTP(
            hostname=relay.host,
            sock=self._socket,
            local_hostname=hostname,
            use_tls=relay.security == "tls",
            start_tls=False,  # explicitly, below: what is opportunistic can be stripped (RFC 8314 §3)
            tls_context=tls,
            timeout=self._patience.command,
        )
        self.phase = Phase.GREETING
        await client.connect()
        await self._greeted(client)
        if relay.security == "starttls":
            await self._secured(client)
        if relay.username:
            await self._logged_in(client)
        assert client.transport is not None
        return Session(
            wire=Wire.over(client.transport),
            size_limit=_size_limit(client.esmtp_extensions),
            pipelining=relay.pipelining and client.supports_extension("pipelining"),
            dsn=client.supports_extension("dsn"),
        )

    def abandon(self) -> None:
        """Closes what was opened."""
        if self._client is not None:
            self._client.close()  # the socket is its transport's by now
        elif self._socket is not None:
            self._socket.close()

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
            raise _InsecureError("the relay does not offer STARTTLS")
        await client.starttls(timeout=self._patience.connect)
        await self._greeted(client)  # RFC 3207 §4.2: everything said before is forgotten

    async def _logged_in(self, client: aiosmtplib.SMTP) -> None:
        self.phase = Phase.AUTH
        if client.get_transport_info("sslcontext") is None and not is_loopback(client.get_transport_info("peername")):
            raise _InsecureError("no password without TLS")
        await client.login(self._relay.username, self._relay.password)


async def _connected(host: str, port: int) -> socket.socket:
    """Returns a connected socket: the first of the host's addresses that answers; OSError when none does."""
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


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


def _ended(phase: Phase, error: Exception) -> Ending:
    """Returns how the way to a session ended."""
    text = printable(str(error))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        if error.code < 0:
            return Ending(phase=phase, fault=Fault.GARBAGE, text=text)
        return Ending(phase=phase, code=error.code, text=printable(error.message))
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Ending(phase=phase, fault=Fault.INSECURE, text=text)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return Ending(phase=phase, fault=Fault.TIMEOUT, text=text or "no connection within the time")
    if isinstance(error, aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError):
        return Ending(phase=phase, fault=Fault.DISCONNECTED, text=text)
    return Ending(phase=phase, fault=Fault.INSECURE, text=text)


def _own_name() -> str:
    """Returns this machine's full name, or its address as a literal (RFC 5321 §4.1.4)."""
    name = socket.getfqdn()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
