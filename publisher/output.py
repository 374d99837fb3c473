"""Writes bytes into public/ so that a reader, or a power cut, finds the old file or the new one, never half."""

import os
from collections.abc import Mapping
from pathlib import Path

_TEMPORARY = ".publisher-"
_MANY = 32
"""From so many files on, one sync of the file system costs less than one per file."""


class Output:
    """The folder of what is published."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, path: str) -> bool:
        """Returns whether the file stands there."""
        return (self.root / path).is_file()

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Replaces files by path, each atomically, durable when this returns (temp, fsync, rename, fsync folder)."""
        temporary: dict[Path, Path] = {}
        try:
            for path, data in contents.items():
                target = self._inside(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary[target] = _write_beside(target, data, sync=len(contents) < _MANY)
            if len(contents) >= _MANY:
                os.sync()
            for target, made in temporary.items():
                made.replace(target)
        except BaseException:
            for made in temporary.values():
                made.unlink(missing_ok=True)
            raise
        for folder in {target.parent for target in temporary}:
            _sync_folder(folder)

    def remove(self, paths: list[str]) -> None:
        """Deletes files and the folders that become empty."""
        for path in paths:
            target = self._inside(path)
            target.unlink(missing_ok=True)
            for folder in target.parents:
                if folder == self.root or not folder.is_relative_to(self.root):
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def _inside(self, path: str) -> Path:
        if path.startswith("/") or ".." in path.split("/"):
            raise OSError(f"{path} leads out of the folder")
        return self.root / path

    def sweep(self) -> None:
        """Deletes temporary files that a killed process left."""
        for path in self.root.rglob(f"{_TEMPORARY}*"):
            path.unlink(missing_ok=True)


def _write_beside(target: Path, data: bytes, *, sync: bool) -> Path:
    made = target.parent / f"{_TEMPORARY}{os.getpid()}-{target.name}"
    with made.open("wb") as file:
        try:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    return made


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
