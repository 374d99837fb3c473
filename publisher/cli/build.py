"""`publisher build`: one pass from articles to public/."""

import gc
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context
from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.services.publish import Report
    from publisher.services.reasons import Reason

_PATIENCE_SECONDS = 20.0
"""For another build to end; a service does not, and publishes every change by itself."""
_REASONS = {
    "story": "{what} ({change})",
    "date": "a date of {what} has come",
    "file": "{what} ({change})",
    "program": "another version of publisher",
    "config": "config.toml changed",
    "templates": "the templates changed",
    "pages": "the names of the pages changed",
    "issues": "there are other past issues",
    "missing": "it was missing from public/",
    "first": "the first build",
    "new": "new",
    "unfinished": "the build before was ended in the middle",
    "time": "time has passed",
}
"""What `services.reasons` names, in words."""
_NAMED = 3
"""Reasons that a line names."""
_SELDOM = (20_000, 50, 100)
"""When the collector of cycles looks (`gc.set_threshold`): what a build makes stays, or goes by itself."""


@click.command("build")
@click.option("--accept-loss", is_flag=True, help="Believe it when most of the folder is gone at once.")
@click.option("--from-here", is_flag=True, help="Of several nodes' folders this one is the publication's from now on.")
@click.option("--explain", is_flag=True, help="Say of each file why it was written or removed.")
@pass_context
def build_command(ctx: Context, accept_loss: bool, from_here: bool, explain: bool) -> int:
    """Make one pass from articles/ to public/; exit code 1 when a file was refused."""
    from publisher.owner import owning

    bar = Bar("building")
    gc.set_threshold(*_SELDOM)

    async def work(app: "App") -> "Report":
        gc.freeze()  # the program itself is no garbage
        if from_here:
            await _take_over(app)
        now = app.clock.now()
        await app.planning.begin(now)
        catch_up = app.publishing.catch_up
        return await catch_up(now, thorough=True, accept_loss=accept_loss, at_once=True, progress=bar.phase)

    try:
        with owning(ctx.state(), patience_seconds=_PATIENCE_SECONDS):
            report = ctx.run(work)
    finally:
        bar.end()
    for problem in report.taken.problems:
        ctx.say(f"{'refused' if problem.fatal else 'warning'}: {problem}")
    for fault in report.faults:
        ctx.say(f"fault: {fault}")
    changes = [
        {"change": change.kind.value, "source": article.source, "id": article.id, "version": article.version}
        for change, article in report.taken.changes
    ]
    changes += [
        {"change": "gone", "source": article.source, "id": article.id, "version": article.version}
        for article in report.taken.gone
    ]
    lines = [f"{change['change']:>10}  {change['source']}" for change in changes]
    if explain:
        lines += _explained(report)
    lines.append(
        f"{len(changes)} stories changed, {len(report.written)} files written, {len(report.removed)} removed, "
        f"{len(report.refused)} refused"
    )
    told = {"reasons": {path: list(map(_told, reasons)) for path, reasons in sorted(report.reasons.items())}}
    ctx.emit(
        {
            "changes": changes,
            "written": report.written,
            "removed": report.removed,
            "faults": list(report.faults),
            "refused": [ctx.problem(problem) for problem in report.refused],
            "warnings": [ctx.problem(problem) for problem in report.taken.problems if not problem.fatal],
            **(told if explain else {}),
        },
        "\n".join(lines),
    )
    return 1 if report.refused or report.faults else 0


def _explained(report: "Report") -> list[str]:
    lines = [f"{'written':>10}  {path}: {_because(report.reasons[path])}" for path in report.written]
    lines += [f"{'removed':>10}  {path}: {_because(report.reasons[path])}" for path in report.removed]
    return lines or ["nothing is to be made anew: no story, setting, template or file has changed"]


def _because(reasons: "list[Reason]") -> str:
    words = [_REASONS[one.because].format(what=one.what, change=one.change) for one in reasons]
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return "; ".join(words[:_NAMED]) + more


def _told(reason: "Reason") -> dict[str, Any]:
    return {"because": reason.because, "what": reason.what or None, "change": reason.change or None}


async def _take_over(app: "App") -> None:
    if app.node is None:
        raise UsageError("--from-here is for publications of several nodes, on PostgreSQL; here is the only folder")
    await app.node.custody.adopt()
