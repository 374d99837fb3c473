"""The articles folder as it is now.

Nothing outside the folder is ever read: symbolic links are followed only to
files inside it, and files are opened part by part without following any.
"""

import contextlib
import errno
import os
import stat as modes
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from publisher.errors import NotFoundError, RefusedError, SourceError, UnsettledError
from publisher.model.article import Problem
from publisher.model.files import ARTICLE_BYTES, FileStat, Scan
from publisher.sources import names

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that took a file's place would wait for its writer.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_KINDS = {modes.S_IFIFO: "a FIFO", modes.S_IFSOCK: "a socket", modes.S_IFCHR: "a device", modes.S_IFBLK: "a device"}


class Directory:
    """A folder of articles on this machine; satisfies `ports.Source`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._spellings: dict[str, str] = {}
        """Paths whose spelling on disk is not NFC."""

    def scan(self) -> Scan:
        """Returns all files as of now; raises SourceError when the folder is not there or cannot be listed."""
        look = _Look(self._root)
        look.run()
        self._spellings = look.spellings
        return look.result()

    def stat(self, path: str) -> FileStat | None:
        """Returns one article as it is now, None when it has gone or its name is none of an article.

        One that is there and cannot be used has a state as well: it has not gone, and `read` says what is wrong.
        """
        parts = path.split("/")
        if not names.is_article(path) or any(part == "" or names.is_ignored(part) for part in parts):
            return None
        root = self._root.resolve()
        file = root.joinpath(self._spellings.get(path, path))
        try:
            if file.parent.resolve() != file.parent:  # a linked folder is not looked into
                return None
            status = os.stat(file, follow_symlinks=False)
            if modes.S_ISLNK(status.st_mode) and (target := _target(root, file)):
                status = os.stat(root.joinpath(target), follow_symlinks=False)
        except (OSError, ValueError, RuntimeError):
            return None
        return None if modes.S_ISDIR(status.st_mode) else _stat(status)

    def read(self, path: str) -> bytes:
        """Returns a file's bytes.

        Raises RefusedError for what must not or cannot be read, UnsettledError for a file that changed while it was
        read, and NotFoundError for one that has gone.
        """
        try:
            with self._open(path) as file:
                before = _checked(file, path)
                with open(file, "rb", closefd=False) as stream:
                    data = stream.read(before.size + 1)
                if _checked(file, path) != before or len(data) != before.size:
                    raise UnsettledError(f"{path} is still being written")
                return data
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"{path} has gone") from error
        except OSError as error:
            raise RefusedError(_unreadable(error)) from error

    @contextlib.contextmanager
    def _open(self, path: str) -> Iterator[int]:
        """Opens a file below the root, following a link only to another file below the root."""
        parts = _parts(self._spellings.get(path, path))
        try:
            file = _open_below(self._root, parts)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.EMLINK}:
                raise
            target = _target(self._root.resolve(), self._root.joinpath(*parts))
            if target is None:
                raise RefusedError(
                    "a symbolic link that leads out of the articles folder; put the file itself here"
                ) from error
            file = _open_below(self._root, target.parts)
        try:
            yield file
        finally:
            os.close(file)


class _Look:
    """One walk over the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real = root.resolve()
        self._articles: dict[str, FileStat] = {}
        self._assets: dict[str, FileStat] = {}
        self._refused: dict[str, Problem] = {}
        self._unread: list[str] = []
        self.spellings: dict[str, str] = {}

    def run(self) -> None:
        try:
            entries = self._strange(self._root, "")
        except OSError as error:
            raise SourceError(f"the articles folder {self._root} cannot be read: {error.strerror or error}") from error
        folders = [("", entries, 0)]
        while folders:
            prefix, entries, depth = folders.pop()
            for entry in entries:
                below = self._take(entry, prefix, depth)
                if below is not None:
                    folders.append((f"{prefix}{entry.name}/", below, depth + 1))

    def result(self) -> Scan:
        self._check_case()
        for path in self._refused:
            self._articles.pop(path, None)
            self._assets.pop(path, None)
        return Scan(
            articles=self._articles,
            assets=self._assets,
            refused=tuple(self._refused[path] for path in sorted(self._refused)),
            unread=tuple(self._unread),
        )

    def _strange(self, folder: str | Path, prefix: str) -> "list[os.DirEntry[str]]":
        """Notes plain files with plain names, nearly all there are, by the shortest way; returns the other entries.

        OSError when the folder cannot be listed to its end.
        """
        files, plain, is_regular = self._articles, names.is_plain_article, modes.S_ISREG
        easy = prefix.isascii()  # else the spelling of all that is below is to be looked at
        strange = []
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if easy and plain(name) and entry.is_file(follow_symlinks=False):
                    path = prefix + name
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        strange.append(entry)
                        continue
                    if status.st_size <= ARTICLE_BYTES and path not in files and is_regular(status.st_mode):
                        files[path] = FileStat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                        continue
                strange.append(entry)
        return strange

    def _take(self, entry: "os.DirEntry[str]", prefix: str, depth: int) -> "list[os.DirEntry[str]] | None":
        """Notes a file, or returns what is in a folder."""
        name = entry.name
        if names.is_ignored(name):
            return None
        path = written = prefix + name
        if not path.isascii():
            path = unicodedata.normalize("NFC", written)
            if not _is_utf8(path):
                self._refuse(os.fsencode(path).decode(errors="replace"), "the name is not UTF-8; rename it")
                return None
        try:
            if entry.is_dir(follow_symlinks=False):
                return self._folder(entry, path, depth)
            status = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                status = self._linked(entry, path) or status
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refuse(path, _unreadable(error))
            return None
        if modes.S_ISREG(status.st_mode):
            self._file(path, written, name, status)
        elif modes.S_IFMT(status.st_mode) in _KINDS:
            self._refuse(path, _not_a_file(status))
        return None

    def _folder(self, entry: "os.DirEntry[str]", path: str, depth: int) -> "list[os.DirEntry[str]] | None":
        if depth >= names.MAX_DEPTH:
            self._refuse(path, f"folders are looked into {names.MAX_DEPTH} deep; move this one up")
            return None
        try:
            return self._strange(entry.path, f"{path}/")
        except FileNotFoundError:
            return None
        except OSError as error:
            self._unread.append(f"{path}/")
            self._refuse(path, _unreadable(error))
            return None

    def _file(self, path: str, written: str, name: str, status: os.stat_result) -> None:
        article = names.is_article(name)
        if article and status.st_size > ARTICLE_BYTES:
            self._refuse(path, _too_large(status.st_size))
            return
        if path != written:
            self.spellings[path] = written
        files = self._articles if article else self._assets
        if path in files:
            self._refuse(path, "two files have this name, spelled with different code points; rename one")
        files[path] = _stat(status)

    def _check_case(self) -> None:
        """Refuses paths that are one and the same on systems that do not tell case."""
        paths = [*self._articles, *self._assets]
        together = "//".join(paths)
        folded = together.lower().split("//") if together.isascii() else map(_fold, paths)
        if len(set(folded)) == len(paths):
            return
        alike: dict[str, list[str]] = {}
        for path in paths:
            alike.setdefault(_fold(path), []).append(path)
        for group in alike.values():
            for path in group if len(group) > 1 else ():
                other = next(one for one in group if one != path)
                self._refuse(path, f"its name differs from {other} only in case; rename one")

    def _linked(self, entry: "os.DirEntry[str]", path: str) -> os.stat_result | None:
        """Returns the file a link leads to, when it is one inside the folder."""
        target = _target(self._real, Path(entry.path))
        if target is None:
            self._refuse(
                path, "a symbolic link that leads out of the articles folder or nowhere; put the file itself here"
            )
            return None
        status = os.stat(self._real / target, follow_symlinks=False)
        if modes.S_ISDIR(status.st_mode):
            self._refuse(path, "a symbolic link to a folder; put the folder itself here")
            return None
        return status

    def _refuse(self, path: str, message: str) -> None:
        self._refused.setdefault(path, Problem(path=path, line=1, message=message))


def _fold(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path.casefold())


def _stat(status: os.stat_result) -> FileStat:
    return FileStat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _target(real_root: Path, link: Path) -> Path | None:
    """Returns where a link leads, relative to the root; None when that is outside, nowhere or in a circle."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return target.relative_to(real_root) if target.is_relative_to(real_root) else None


def _parts(path: str) -> tuple[str, ...]:
    parts = tuple(path.split("/"))
    if any(part in {"", ".", ".."} or "\x00" in part for part in parts):
        raise RefusedError(f"{path!r} is not a path below the articles folder")
    return parts


def _open_below(root: Path, parts: tuple[str, ...]) -> int:
    """Returns a descriptor of the file, opened from folder to folder without following a link on the way."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _OPEN_FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _OPEN_FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _checked(file: int, path: str) -> FileStat:
    """Returns the state of an open file; raises RefusedError when it is none that may be read."""
    status = os.fstat(file)
    if not modes.S_ISREG(status.st_mode):
        raise RefusedError(_not_a_file(status))
    if names.is_article(path) and status.st_size > ARTICLE_BYTES:
        raise RefusedError(_too_large(status.st_size))
    return _stat(status)


def _not_a_file(status: os.stat_result) -> str:
    return f"{_KINDS.get(modes.S_IFMT(status.st_mode), 'a folder')}, not a file; remove or rename it"


def _too_large(size: int) -> str:
    limit = ARTICLE_BYTES // 2**20
    return f"the file has {size / 2**20:.1f} MiB, more than the {limit} MiB an article may have; shorten it"


def _unreadable(error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "cannot be read: permission denied; let the program's user read it"
    return f"cannot be read: {error.strerror or error}"


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
