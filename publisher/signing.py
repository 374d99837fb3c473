"""The file of the key that signs outgoing mail: made once, read when the publication is opened."""

import os
from pathlib import Path

from publisher.errors import ConfigError, UsageError
from publisher.mail.dkim import Signer, new_key, read_key
from publisher.settings import DkimSettings


def signer(settings: DkimSettings, folder: Path) -> Signer:
    """Returns who signs for the publication in `folder`; ConfigError when the key cannot be used."""
    path = folder / settings.key_file
    try:
        key = read_key(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError([f"dkim.key_file: there is no {path}; make the key with: publisher dkim new"]) from None
    except OSError as error:
        raise ConfigError([f"dkim.key_file: cannot read {path}: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"dkim.key_file: {path}: {error}"]) from error
    return Signer(settings.domain, settings.selector, key)


def make_key(path: Path, *, replace: bool) -> None:
    """Writes a new key that only its owner can read, durable when this returns; UsageError: there is one already.

    `replace`: in its place, at once; whoever reads the file finds the old key or the new one.
    """
    target = path.with_name(f".{path.name}.{os.getpid()}") if replace else path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(target, new_key())
        if replace:
            target.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            raise UsageError(
                f"{path} is there already, and mail may be signed with it: for a second key choose another "
                "--selector and --key-file; to overwrite this one add --replace"
            ) from error
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _write(path: Path, pem: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
