"""Lists of people as files: opened whatever program wrote them, and written so that nobody else reads them."""

import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from publisher.services.importing import ImportReport

_CHUNK = 1 << 20
_SAMPLE = 400
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class ListFile:
    """A list that is being read, line by line; `position` and `size` are octets."""

    def __init__(self, data: IO[bytes], size: int) -> None:
        self._data = data
        self.size = size
        self.encoding, self.strange_line = _encoding(data)
        """`strange_line`: the first that is no UTF-8; 0: none, or it is another Unicode by its first octets."""

        self._text = io.TextIOWrapper(data, encoding=self.encoding, errors="replace", newline="")

    def lines(self) -> Iterator[str]:
        """Yields the lines with their ends."""
        yield from self._text

    def close(self) -> None:
        """Lets go of the file."""
        self._text.close()

    @property
    def position(self) -> int:
        """How far it has been read."""
        return self._data.tell()


@contextmanager
def opened(file: Path) -> Iterator[ListFile]:
    """Opens a list; `-` is standard input."""
    data = _spooled(sys.stdin.buffer) if str(file) == "-" else file.open("rb")
    with data:
        size = data.seek(0, io.SEEK_END)
        data.seek(0)
        found = ListFile(data, size)
        try:
            yield found
        finally:
            found.close()


def _spooled(source: IO[bytes]) -> IO[bytes]:
    """Returns what can be read twice."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(source, spool, _CHUNK)
    return spool


def _encoding(data: IO[bytes]) -> tuple[str, int]:
    """Returns the encoding, and the first line that is no UTF-8 where it is guessed; reads the file once through."""
    head = data.read(_SAMPLE)
    data.seek(0)
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name, 0
    zeros = (head[0::2].count(0), head[1::2].count(0))
    if sum(zeros) * 3 > len(head):  # plain letters in two octets each, and nothing that says so
        return ("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"), 0
    strange = _first_strange_line(data)
    data.seek(0)
    return ("cp1252", strange) if strange else ("utf-8", 0)


def _first_strange_line(data: IO[bytes]) -> int:
    """Returns the first line that is no UTF-8; 0 when all are."""
    for number, line in enumerate(iter(lambda: data.readline(_CHUNK), b""), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            if len(line) < _CHUNK:  # a line that long is cut somewhere
                return number
    return 0


def write_report(file: Path, report: "ImportReport") -> None:
    """Writes every line that there is something to say about, in the order of the list."""
    from publisher.services.cells import guarded

    kinds = (("skipped", report.skipped), ("left alone", report.left_alone), ("repeated", report.repeated))
    remarks = sorted((each.line, each.email, kind, each.reason) for kind, found in kinds for each in found)
    with private(file) as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["line", "email", "outcome", "reason"])
        writer.writerows([line, guarded(email), kind, guarded(reason)] for line, email, kind, reason in remarks)


@contextmanager
def private(file: Path) -> Iterator[IO[str]]:
    """Gives a file that nobody else can read, and that takes the place of the old one when all is written."""
    draft = file.with_name(f".{file.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    try:
        with draft.open("w", encoding="utf-8", newline="") as target:
            yield target
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def csv_lines(columns: Iterable[str]) -> Callable[[dict[str, Any] | None], str]:
    """Returns what makes a line of CSV of a row (None: of the header), without its end."""
    names = list(columns)

    def line(row: dict[str, Any] | None) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(names if row is None else [row[name] for name in names])
        return text.getvalue()

    return line
