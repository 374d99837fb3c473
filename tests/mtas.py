"""Mail servers of others, for tests: Debian's Postfix and Exim with folders and ports of their own, and smtp-sink.

Postfix and Exim change users, so they need root. Debian's packages of the two exclude each other: Exim is only
unpacked, into `.exim/`; `.ci/run` does both.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ports import free_port

SINK = Path("/usr/sbin/smtp-sink")
SOURCE = Path("/usr/sbin/smtp-source")
POSTFIX = Path("/usr/sbin/postfix")
EXIM = Path(__file__).parents[1] / ".exim/usr/sbin/exim4"
_PATIENCE = 60.0

_POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.test
mydestination =
local_recipient_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_maps = regexp:{folder}/mailboxes
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_recipient_restrictions = check_recipient_access regexp:{folder}/recipients, permit_mynetworks, reject
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
message_size_limit = 50000000
"""
_POSTFIX_MASTER = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_EXIM = """\
primary_hostname = mx.example.test
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
queue_only = true
host_lookup =
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
acl_smtp_rcpt = recipients
acl_smtp_data = messages
message_size_limit = 50M
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
begin acl
recipients:
  deny    local_parts = ^refused
          message = 550 5.1.1 unknown
  defer   local_parts = ^closing
          message = 421 4.3.2 closing
  accept
messages:
  accept
"""


class Mta(Protocol):
    """A mail server that keeps what it takes; `refused…` it does not know, at `closing…` it hangs up with 421."""

    port: int

    def bodies(self) -> list[bytes]:
        """Returns the bodies of the messages it has, lines ending in LF."""


@dataclass
class Postfix:
    """A running Postfix."""

    folder: Path
    port: int

    def bodies(self) -> list[bytes]:
        """Returns the bodies of the messages in the mailbox."""
        return [file.read_bytes().partition(b"\n\n")[2] for file in (self.folder / "mail/all/new").glob("*")]


@dataclass
class Exim:
    """A running Exim, which keeps what it takes in its queue."""

    folder: Path
    port: int

    def bodies(self) -> list[bytes]:
        """Returns the bodies of the messages in the queue."""
        return [file.read_bytes().partition(b"\n")[2] for file in (self.folder / "spool/input").glob("**/*-D")]


@contextlib.contextmanager
def running_postfix(certificate: Path, key: Path) -> Iterator[Postfix]:
    """Runs a Postfix."""
    with _folder() as folder:
        port = free_port()
        config = folder / "config"
        config.mkdir()
        kept = _tls(folder, certificate, key)
        (config / "main.cf").write_text(_POSTFIX_MAIN.format(folder=folder, **kept))
        (config / "master.cf").write_text(_POSTFIX_MASTER.format(port=port))
        (folder / "mailboxes").write_text("/^(reader|closing)/ all/\n")
        (folder / "recipients").write_text("/^closing/ 421 4.3.2 closing\n")
        for name in ("queue", "data", "mail"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        (folder / "mail").chmod(0o777)
        try:
            _run(str(POSTFIX), "-c", str(config), "start")
            listening(port)
            yield Postfix(folder, port)
        finally:
            subprocess.run([str(POSTFIX), "-c", str(config), "stop"], capture_output=True, check=False)


@contextlib.contextmanager
def running_exim(certificate: Path, key: Path) -> Iterator[Exim]:
    """Runs an Exim."""
    with _folder() as folder:
        port = free_port()
        kept = _tls(folder, certificate, key)
        shutil.chown(kept["key"], "Debian-exim")
        (folder / "exim.conf").write_text(_EXIM.format(folder=folder, port=port, **kept))
        for name in ("spool", "log"):
            (folder / name).mkdir()
            shutil.chown(folder / name, "Debian-exim", "Debian-exim")
        process = subprocess.Popen(
            [str(EXIM), "-C", str(folder / "exim.conf"), "-bdf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            listening(port)
            yield Exim(folder, port)
        finally:
            process.terminate()
            process.wait()


@dataclass
class Sink:
    """A running smtp-sink, and what it wrote down of each transaction if it was told to (`-D log`)."""

    folder: Path
    port: int

    def log(self) -> list[tuple[str, bytes]]:
        """Returns recipient and message of each transaction, lines ending in LF, as the sink itself wrote them."""
        found = []
        log = self.folder / "log"
        for entry in (log.read_bytes() if log.exists() else b"").split(b"X-Client-Addr: ")[1:]:
            head, _, rest = entry.partition(b"\nReceived: ")
            (recipient,) = [line for line in head.split(b"\n") if line.startswith(b"X-Rcpt-Args:")]
            lines = rest.split(b"\n")[1:]
            while lines[0][:1] in (b" ", b"\t"):  # the rest of Received
                del lines[0]
            message = b"\n".join(lines).removesuffix(b"\n")
            found.append((recipient.partition(b"<")[2].partition(b">")[0].decode(), message))
        return sorted(found)


@contextlib.contextmanager
def running_sink(*options: str) -> Iterator[Sink]:
    """Runs an smtp-sink; it has to greet."""
    port = free_port()
    with _folder() as folder:
        folder.chmod(0o777)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [str(SINK), *user, *options, f"127.0.0.1:{port}", "100"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            listening(port)
            yield Sink(folder, port)
        finally:
            process.terminate()
            process.wait()


def listening(port: int) -> None:
    """Waits until somebody listens at the port."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as sock:
            sock.settimeout(_PATIENCE)
            if sock.recv(1):
                return
        assert time.monotonic() < deadline, f"nobody listens at {port}"
        time.sleep(0.05)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Makes a folder that other users may enter; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="publisher-mta-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def _tls(folder: Path, certificate: Path, key: Path) -> dict[str, Path]:
    kept = {"certificate": folder / "server.pem", "key": folder / "server.key"}
    shutil.copy(certificate, kept["certificate"])
    shutil.copy(key, kept["key"])
    return kept


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Tap:
    """Stands between a client and a server and counts how often the server's turn ended: the round trips."""

    target: int
    octets_per_second: int = 0
    """How fast it takes what the client says; 0: as fast as it comes."""
    port: int = 0
    turns: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Tap"]:
        """Listens while the context lasts."""
        listener = socket.create_server(("127.0.0.1", 0))
        if self.octets_per_second:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.port = listener.getsockname()[1]
        server = await asyncio.start_server(self._between, sock=listener, limit=4096)
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        asked = [True]
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            there = asyncio.create_task(self._forward(reader, far_writer, asked))
            back = asyncio.create_task(self._back(far_reader, writer, asked))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                far_writer.transport.abort()
                writer.transport.abort()
                for each in (there, back):
                    each.cancel()
                await asyncio.gather(there, back, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bool]) -> None:
        while octets := await reader.read(4096 if self.octets_per_second else 2**20):
            asked[0] = True
            writer.write(octets)
            await writer.drain()
            if self.octets_per_second:
                await asyncio.sleep(len(octets) / self.octets_per_second)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[bool]) -> None:
        while octets := await reader.read(2**20):
            self.turns += asked[0]
            asked[0] = False
            writer.write(octets)
            await writer.drain()
