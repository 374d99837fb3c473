"""Writes bytes into public/ so that a reader, or a power cut, finds the old file or the new one, never half."""

import ctypes
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = ".publisher-"
_MANY = 8
"""From so many files on, one sync of the file system costs less than one per file and folder."""
_LIBC = ctypes.CDLL(None)


class Output:
    """The folder of what is published."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = os.fspath(root)
        """The same as text: of thousands of files, joining paths otherwise costs as much as writing them."""
        self._staged: dict[str, str] = {}
        """Files that are written beside their places, by their paths."""

    def exists(self, path: str) -> bool:
        """Returns whether the file stands there."""
        return (self.root / path).is_file()

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Replaces files by path, each atomically, durable when this returns; OSError when one cannot be."""
        failed = {**self.stage(contents), **self.settle()}
        for path, reason in failed.items():
            raise OSError(f"{path}: {reason}")

    def stage(self, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Writes files beside their places, where nobody sees them; returns why some could not be, by path."""
        failed = {}
        for path, data in contents.items():
            try:
                self._staged[path] = _write_beside(self._inside(path), data)
            except OSError as error:
                failed[path] = error.strerror or str(error)
        return failed

    def settle(self) -> dict[str, str]:
        """Puts all that is staged in its place, each file atomically and all durably, by one sync before and one after.

        Returns why some could not be, by path: what stood there stays.
        """
        staged, self._staged = self._staged, {}
        failed = {}
        try:
            _sync(self.root, staged.values())
            for path, made in staged.items():
                try:
                    os.replace(made, self._inside(path))
                except OSError as error:
                    failed[path] = error.strerror or str(error)
            _sync(self.root, {os.path.dirname(made) for made in staged.values()})
        except OSError as error:  # nobody knows what is on disk
            failed = dict.fromkeys(staged, error.strerror or str(error))
        for path in failed:
            Path(staged[path]).unlink(missing_ok=True)
        return failed

    def remove(self, paths: list[str]) -> None:
        """Deletes files and the folders that become empty."""
        for path in paths:
            target = Path(self._inside(path))
            target.unlink(missing_ok=True)
            for folder in target.parents:
                if folder == self.root or not folder.is_relative_to(self.root):
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def _inside(self, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise OSError(f"{path} leads out of the folder")
        return f"{self._root}/{path}"

    def sweep(self) -> set[str]:
        """Deletes temporary files that a killed process left; returns the paths of all others."""
        found = set()
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                with os.scandir(self.root / prefix) as entries:
                    for entry in entries:
                        if entry.name.startswith(_TEMPORARY):
                            Path(entry.path).unlink(missing_ok=True)
                        elif entry.is_dir(follow_symlinks=False):
                            folders.append(f"{prefix}{entry.name}/")
                        else:
                            found.add(prefix + entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
        return found


def _write_beside(target: str, data: bytes) -> str:
    folder, name = os.path.split(target)
    made = os.path.join(folder, f"{_TEMPORARY}{os.getpid()}-{name}")
    try:
        with _opened(made, folder) as file:
            file.write(data)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    return made


def _opened(made: str, folder: str) -> BinaryIO:
    """Opens a new file for writing, and makes its folder where there is none."""
    try:
        return open(made, "wb")
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        return open(made, "wb")


def _sync(root: Path, paths: Iterable[str]) -> None:
    """Makes files or folders durable: a few one by one, many with everything on their file system."""
    few = list(paths)
    if len(few) < _MANY:
        for path in few:
            _on_disk(path, os.fsync)
    else:
        _on_disk(root, _sync_file_system)


def _on_disk(path: str | Path, sync: Callable[[int], object]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(descriptor: int) -> None:
    """Waits for the file system that a file is on (syncfs, Linux), or for all of them where there is no such call."""
    syncfs = getattr(_LIBC, "syncfs", None)
    if syncfs is None or syncfs(descriptor) != 0:
        os.sync()
