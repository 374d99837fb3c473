"""One process per publication: the owner lock, the secret that belongs to the folder, and whether it is a copy."""

import fcntl
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from publisher.errors import OwnerError

_KEY_BYTES = 32
_LOCK = "owner.lock"
_PAUSE_SECONDS = 0.05
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@contextmanager
def owning(state: Path, patience_seconds: float = 0.3) -> Iterator[None]:
    """Holds the owner lock of a state folder; OwnerError names the process that has it and does not let go.

    The lock dies with the process, so a killed one never has to be cleaned up after.
    """
    descriptor = os.open(state / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(descriptor, patience_seconds):
            holder = _holder(descriptor) or "unknown"
            raise OwnerError(f"this publication is already being run, by process {holder}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, patience_seconds: float) -> bool:
    """Takes the lock; waits at least for those who only look whether somebody has it."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def owned(state: Path) -> int | None:
    """Returns the process that runs the publication now, or None; makes nothing."""
    try:
        descriptor = os.open(state / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor) or 0
    finally:
        os.close(descriptor)
    return None


def home(state: Path, database: Path | None, server: str = "") -> str:
    """Returns what tells this publication from a copy of it: the machine, the state folder, the database.

    `database` is its file, `server` what its server calls it. Moving the folder on its disk changes nothing; copying
    or restoring it, or just the database, does.
    """
    places = [str(path.stat().st_ino) for path in (state, database) if path is not None and path.exists()]
    named = [server] if server else []
    return hashlib.sha256("\n".join([_machine(), *places, *named]).encode()).hexdigest()[:32]


def place(folder: Path) -> str:
    """Returns what tells a folder from others on this machine and elsewhere, also before it is there."""
    number = str(folder.stat().st_ino) if folder.exists() else ""
    return hashlib.sha256("\n".join([_machine(), number, str(folder)]).encode()).hexdigest()[:32]


def host() -> str:
    """Returns this machine's name, with what tells it from others of the same name where there is such a thing."""
    machine = _machine()
    mark = hashlib.sha256(f"publisher host {machine}".encode()).hexdigest()[:8]
    return f"{socket.gethostname()}/{mark}" if machine else socket.gethostname()


def _machine() -> str:
    return next((text for path in _MACHINE_IDS if (text := _text(path))), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def key_id(key: bytes) -> str:
    """Returns what tells one secret from another without telling it."""
    return hashlib.sha256(b"publisher key id" + key).hexdigest()[:16]


def secret_key(state: Path) -> bytes:
    """Returns the folder's secret, made at first use; every link and token is derived from it."""
    path = state / "secret.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != _KEY_BYTES:
            raise OwnerError(
                f"{path} is damaged: restore it from a backup, or all links sent so far are void"
            ) from None
        return key
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_bytes(_KEY_BYTES)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
