"""Messages out of files: one message, an mbox (RFC 4155), a Maildir; never more of each than is read as a report."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_FROM = re.compile(rb"From \S+ .*\d{4}\s*$")
_QUOTED_FROM = re.compile(rb">+From ")
_LONGEST_LINE = 1024 * 1024


def message_files(path: Path) -> list[Path]:
    """Returns the files that a path stands for: itself, or what is in a Maildir's `new` and `cur` or in a folder."""
    if not path.is_dir():
        return [path]
    folders = [path / name for name in ("new", "cur") if (path / name).is_dir()] or [path]
    found = [file for folder in folders for file in folder.iterdir() if not file.name.startswith(".")]
    return sorted(file for file in found if file.is_file())


def messages(lines: BinaryIO, largest: int) -> Iterator[bytes]:
    """Yields the messages of a file, an mbox or not; of each at most `largest` octets and one more."""
    message = bytearray()
    begun, blank, mbox = False, True, False
    while line := lines.readline(_LONGEST_LINE):
        if blank and _FROM.match(line) and (mbox or not begun):
            if begun:
                yield bytes(message)
            message, begun, mbox = bytearray(), True, True
            blank = False
            continue
        begun = True
        blank = not line.strip()
        if mbox and _QUOTED_FROM.match(line):
            line = line[1:]
        if len(message) <= largest:
            message += line[: largest + 1 - len(message)]
    if begun:
        yield bytes(message)
