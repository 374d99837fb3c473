"""`publisher simulate`: the issues of the days to come."""

import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from rich.progress import Progress

    from publisher.app import App
    from publisher.services.preview import Forecast

_PATIENCE_SECONDS = 1.0
"""After which somebody at a terminal is shown how far it is."""


@click.command("simulate")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True)
@pass_context
def simulate_command(ctx: Context, days: int) -> None:
    """Show the slots of the next days with what is pending for each; changes nothing.

    Instant newsletters have no slots: each story goes out as it comes.
    """

    async def work(app: "App") -> "list[Forecast]":
        return await app.previewing.simulate(days, app.clock.now(), bar.show)

    bar = _Bar()
    try:
        forecast = ctx.run(work)
    finally:
        bar.end()
    ctx.emit(
        [
            {
                "newsletter": one.newsletter,
                "slot": one.slot,
                "timezone": one.timezone,
                "due_at": one.due_at,
                "local_time": _local(one),
                "readers": one.readers,
                "recipients": one.recipients,
                "stories": one.stories,
            }
            for one in forecast
        ],
        "\n".join(_line(one) for one in forecast) or "no newsletter has a schedule",
    )


class _Bar:
    """A progress bar on stderr, on a terminal only, and only where it takes a while."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def show(self, done: int, total: int) -> None:
        """Shows that `done` of `total` slots are simulated."""
        if self._bar is None and time.monotonic() - self._began >= _PATIENCE_SECONDS:
            self._bar = _progress(total)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done)

    def end(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()


def _progress(total: int) -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    bar.add_task("slots", total=total)
    bar.start()
    return bar


def _local(one: "Forecast") -> str:
    return one.due_at.astimezone(ZoneInfo(one.timezone)).isoformat()


def _line(one: "Forecast") -> str:
    when = one.due_at.astimezone(ZoneInfo(one.timezone))
    pending = f"{len(one.stories)} stories" if len(one.stories) != 1 else "1 story"
    told = (
        f"{one.recipients} of {one.readers} readers, {pending}"
        if one.stories
        else f"{one.readers} readers, nothing yet"
    )
    return f"{when:%a %Y-%m-%d %H:%M} {one.timezone}  {one.newsletter}  {one.slot}  {told}"
