"""Reads what is published beside the stories: pages/, static/, and files that stories refer to."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from publisher.content.permalink import address, is_reserved
from publisher.errors import RefusedError
from publisher.model.article import Access, Deliver, Manuscript, Problem, Status
from publisher.model.page import Page, PlainFile

_PAGE_SUFFIXES = frozenset({".md", ".markdown", ".html", ".htm"})
_LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is published as it is; larger ones belong on a server of their own."""


class FolderCompanions:
    """The folders `pages/` and `static/`, and the files beside the stories."""

    def __init__(
        self,
        *,
        pages: Path,
        static: Sequence[Path],
        articles: Path,
        parse: Callable[[str, bytes], Manuscript],
        asset_path: Callable[[str], str],
    ) -> None:
        """`static`: of two files with one name the later folder's wins."""
        self._pages_root = pages
        self._static_roots = static
        self._articles_root = articles
        self._parse = parse
        self._asset_path = asset_path
        self._pages: dict[str, tuple[str, Page | Problem]] = {}

    def pages(self) -> list[Page]:
        """Returns the pages that can be used, by address."""
        found = (outcome for _, outcome in self._read_pages().values())
        return sorted((page for page in found if isinstance(page, Page)), key=lambda page: page.path)

    def problems(self) -> list[Problem]:
        """Returns what is wrong with the pages that cannot be used."""
        faulty = [outcome for _, outcome in self._read_pages().values() if isinstance(outcome, Problem)]
        for root in self._static_roots:
            for name, _ in _walk(root):
                if is_reserved(name):
                    message = "this address is the program's own; the file is not published: rename it"
                    faulty.append(Problem(path=f"{root.name}/{name}", line=1, message=message, code="page"))
        return faulty

    def files(self) -> list[PlainFile]:
        """Returns the files of static/, by their name below it."""
        found: dict[str, PlainFile] = {}
        for root in self._static_roots:
            for name, status in _walk(root):
                if not is_reserved(name):
                    found[name] = _plain(root / name, name, status)
        return [found[name] for name in sorted(found)]

    def asset(self, source: str) -> PlainFile | None:
        """Returns a file beside a story, ready for its unguessable address; None when it is none."""
        root = self._articles_root.resolve()
        path = root / source
        try:
            if not path.resolve(strict=True).is_relative_to(root):
                return None
            status = path.stat()
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None
        return _plain(path, unquote(self._asset_path(source)).removeprefix("/"), status)

    def fingerprint(self) -> str:
        """Returns a hash of the pages' names, which every page shows."""
        names = "\0".join(f"{page.path} {page.title}" for page in self.pages())
        return hashlib.sha256(names.encode()).hexdigest()

    def _read_pages(self) -> dict[str, tuple[str, Page | Problem]]:
        """Parses again only what changed since the last look."""
        seen: dict[str, tuple[str, Page | Problem]] = {}
        for name, status in _walk(self._pages_root):
            if Path(name).suffix.lower() not in _PAGE_SUFFIXES:
                continue
            mark = _mark(status)
            known = self._pages.get(name)
            seen[name] = known if known and known[0] == mark else (mark, self._page(name))
        self._pages = seen
        return {name: seen[name] for name in sorted(seen) if not _is_draft(seen[name][1])}

    def _problem(self, name: str, message: str, line: int = 1) -> Problem:
        return Problem(path=f"{self._pages_root.name}/{name}", line=line, message=message, code="page")

    def _page(self, name: str) -> Page | Problem:
        try:
            manuscript = self._parse(name, (self._pages_root / name).read_bytes())
        except RefusedError as error:
            return self._problem(name, error.message, error.line)
        except OSError as error:
            return self._problem(name, f"cannot be read: {error.strerror}")
        draft = manuscript.status is not Status.PUBLISHED
        path = address(manuscript.permalink or f"/{manuscript.slug}/")
        if _gated(manuscript):
            return self._problem(
                name, "a page is for everybody at once: take out access, deliver, publish_at, embargo, expires"
            )
        if path is None:
            return self._problem(name, f"the address /{manuscript.slug}/ is the program's own; write another slug")
        return Page(
            path="" if draft else path,
            title=manuscript.title,
            summary=manuscript.summary,
            language=manuscript.language,
            body_html=manuscript.body.html,
            content_hash=manuscript.content_hash,
        )


def _gated(manuscript: Manuscript) -> bool:
    """Returns whether a page asks to be kept from somebody, which pages cannot be: doubt never publishes."""
    dates = (manuscript.publish_at, manuscript.embargo, manuscript.expires)
    return manuscript.access not in (None, Access.PUBLIC) or manuscript.deliver is Deliver.MAIL or any(dates)


def _is_draft(outcome: Page | Problem) -> bool:
    return isinstance(outcome, Page) and not outcome.path


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yields the regular files below a folder that may be published: nothing hidden, no back-ups, no links outwards."""
    if not root.is_dir():
        return
    bound = root.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") or name == ".well-known")
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith(".") or name.endswith(("~", ".swp", ".tmp", ".part")):
                continue
            try:
                status = path.stat()
                inside = path.resolve().is_relative_to(bound)
            except OSError:
                continue
            if inside and stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST:
                yield path.relative_to(root).as_posix(), status


def _plain(path: Path, name: str, status: os.stat_result) -> PlainFile:
    return PlainFile(path=name, mark=_mark(status), size=status.st_size, read=partial(_bytes_of, path))


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def _mark(status: os.stat_result) -> str:
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"
