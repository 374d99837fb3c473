"""`publisher build`: one pass from articles to public/."""

from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context
from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App

_PATIENCE_SECONDS = 20.0
"""For another build to end; a service does not, and publishes every change by itself."""


@click.command("build")
@click.option("--accept-loss", is_flag=True, help="Believe it when most of the folder is gone at once.")
@click.option("--from-here", is_flag=True, help="Of several nodes' folders this one is the publication's from now on.")
@pass_context
def build_command(ctx: Context, accept_loss: bool, from_here: bool) -> int:
    """Make one pass from articles/ to public/; exit code 1 when a file was refused."""
    from publisher.owner import owning
    from publisher.services.publish import Report

    async def work(app: "App") -> Report:
        if from_here:
            await _take_over(app)
        await app.planning.begin(app.clock.now())
        await app.publishing.open()
        return await app.publishing.refresh(app.clock.now(), accept_loss=accept_loss, at_once=True)

    with owning(ctx.state(), patience_seconds=_PATIENCE_SECONDS):
        report = ctx.run(work)
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
    lines.append(
        f"{len(changes)} stories changed, {len(report.written)} files written, {len(report.removed)} removed, "
        f"{len(report.refused)} refused"
    )
    ctx.emit(
        {
            "changes": changes,
            "written": report.written,
            "removed": report.removed,
            "faults": list(report.faults),
            "refused": [ctx.problem(problem) for problem in report.refused],
            "warnings": [ctx.problem(problem) for problem in report.taken.problems if not problem.fatal],
        },
        "\n".join(lines),
    )
    return 1 if report.refused or report.faults else 0


async def _take_over(app: "App") -> None:
    if app.node is None:
        raise UsageError("--from-here is for publications of several nodes, on PostgreSQL; here is the only folder")
    await app.node.custody.adopt()
