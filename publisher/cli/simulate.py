"""`publisher simulate`: the issues of the days to come."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.services.preview import Forecast

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

    bar = Bar("slots")
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
