"""`publisher simulate`: the issues of the days to come."""

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.forecast import Turn

_MOST_TITLES = 3


@click.command("simulate")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True)
@pass_context
def simulate_command(ctx: Context, days: int) -> None:
    """Show what the next days bring, from what is known now; changes nothing.

    The real planning runs with a moved clock on a copy of the state: stories come out and licences and pauses end
    when their hour has come, what overflows comes in the next issue, and what would be held stays held.
    """

    async def work(app: "App") -> "list[Turn]":
        from publisher.app import simulation

        async with simulation(app) as simulating:
            return await simulating.run(days, app.clock.now(), bar.show)

    bar = Bar("seconds of the future")
    try:
        turns = ctx.run(work)
    finally:
        bar.end()
    ctx.emit([_told(turn) for turn in turns], "\n".join(map(_line, turns)) or "there is no newsletter in config.toml")


def _told(turn: "Turn") -> dict[str, Any]:
    return {
        "newsletter": turn.newsletter,
        "slot": turn.slot or None,
        "rhythm": turn.cadence or None,
        "timezone": turn.timezone,
        "due_at": turn.due_at if turn.slot else None,
        "local_time": turn.due_at.astimezone(ZoneInfo(turn.timezone)).isoformat() if turn.slot else None,
        "edition": turn.edition or None,
        "readers": turn.readers,
        "recipients": turn.recipients,
        "stories": turn.stories,
        "mentions": turn.mentions,
        "held": turn.held,
        "why": turn.why or None,
        "left_out": turn.left_out,
    }


def _line(turn: "Turn") -> str:
    if not turn.slot:
        return f"{turn.newsletter}: no issue in these days: {turn.why}"
    when = f"{turn.due_at.astimezone(ZoneInfo(turn.timezone)):%a %Y-%m-%d %H:%M} {turn.timezone}"
    if turn.newsletter is None:
        return f"{when}  {turn.slot}  {turn.recipients} readers, told of: {_titles(turn)}{_held(turn)}"
    head = f"{when}  {turn.newsletter}  {turn.slot}"
    if turn.why:
        return f"{head}  {turn.readers} readers, no mail: {turn.why}"
    rest = "".join(f"; {count}: {reason}" for reason, count in turn.left_out.items())
    return f"{head}  {turn.recipients} of {turn.readers} readers: {_titles(turn)}{rest}{_held(turn)}"


def _titles(turn: "Turn") -> str:
    more = len(turn.stories) - _MOST_TITLES
    marked = [
        title if mention == "story" else f"{title} ({mention})"
        for title, mention in zip(turn.stories, turn.mentions, strict=True)
    ]
    return ", ".join([*marked[:_MOST_TITLES], *([f"{more} more"] if more > 0 else [])])


def _held(turn: "Turn") -> str:
    return f"  HELD until released: {'; '.join(turn.held)}" if turn.held else ""
