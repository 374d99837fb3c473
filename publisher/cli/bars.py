"""Progress bars: on stderr, on a terminal only, and only where it takes a while."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE_SECONDS = 1.0


class Bar:
    """One bar; nothing is drawn before it has taken a while."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def phase(self, name: str, done: int, total: int) -> None:
        """Shows how far work is that has several phases."""
        self._title = name
        self.show(done, total)

    def show(self, done: int, total: int) -> None:
        """Shows that `done` of `total` are done."""
        if self._bar is None and time.monotonic() - self._began >= _PATIENCE_SECONDS:
            self._bar = self._drawn(total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=self._title, completed=done, total=total)

    def end(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _drawn(self, total: int) -> "Progress":
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        bar.add_task(self._title, total=total)
        bar.start()
        return bar
