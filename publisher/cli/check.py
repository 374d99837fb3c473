"""`publisher check`: is everything here as it should be?"""

import click

from publisher.cli.context import Context, pass_context


@click.command("check")
@click.option("--strict", is_flag=True, help="Fail for warnings as well.")
@pass_context
def check_command(ctx: Context, strict: bool) -> int:
    """Validate config, articles and templates; changes nothing."""
    from publisher.app import App
    from publisher.cli.look import look
    from publisher.model.article import Problem

    async def work(app: App) -> list[Problem]:
        await app.rehearsal.load()
        taken = await app.rehearsal.take(app.clock.now(), everything=True)
        faults = [Problem(path=e.path, line=e.line, message=e.message) for e in app.templates.problems()]
        return [*taken.problems, *app.companions.problems(), *faults, *look(app)]

    problems = ctx.run(work)
    refused = [problem for problem in problems if problem.fatal]
    lines = [
        f"{problem.path}:{problem.line}: {'' if problem.fatal else 'warning: '}{problem.message}"
        for problem in problems
    ]
    lines.append(f"{len(refused)} refused, {len(problems) - len(refused)} warnings")
    ctx.emit(
        {
            "refused": [ctx.problem(problem) for problem in refused],
            "warnings": [ctx.problem(problem) for problem in problems if not problem.fatal],
        },
        "\n".join(lines),
    )
    return 1 if refused or (strict and problems) else 0
