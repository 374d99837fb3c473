"""One process per publication: the owner lock, and the secret that belongs to the folder."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from publisher.errors import OwnerError

_KEY_BYTES = 32


@contextmanager
def owning(state: Path) -> Iterator[None]:
    """Holds the owner lock of a state folder; OwnerError names the process that has it.

    The lock dies with the process, so a killed one never has to be cleaned up after.
    """
    path = state / "owner.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise OwnerError(f"this publication is already being run, by process {holder}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def owned(state: Path) -> int | None:
    """Returns the process that runs the publication now, or None."""
    try:
        with owning(state):
            return None
    except OwnerError:
        return int((state / "owner.lock").read_text() or "0")


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
