"""The mark of an articles folder: a hidden file, so that all machines that share the folder read the same."""

import os
from collections.abc import Callable
from pathlib import Path

_NAME = ".publication"
_LONGEST = 64


class Mark:
    """The mark of one folder; where none can be written, the folder goes by its place on this machine."""

    def __init__(self, root: Path, place: Callable[[Path], str]) -> None:
        """`place` says of a folder what tells it from others on this machine and elsewhere, but not who shares it."""
        self._root = root
        self._place = place

    @property
    def place(self) -> str:
        """Returns where the folder is: asked anew each time, for a mount may be gone and leave its mount point."""
        return self._place(self._root)

    def read(self) -> str | None:
        """Returns the mark; None for a folder that has none or is not there."""
        try:
            return (self._root / _NAME).read_text(encoding="ascii", errors="replace")[:_LONGEST].strip() or None
        except OSError:
            return self.place if self._root.is_dir() and not os.access(self._root, os.W_OK) else None

    def write(self, mark: str) -> str:
        """Gives the folder a mark; returns the one by which it goes from now on."""
        try:
            with (self._root / _NAME).open("x", encoding="ascii") as file:
                file.write(f"{mark}\n")
        except OSError:  # somebody was faster, or it cannot be written
            return self.read() or self.place
        return mark
