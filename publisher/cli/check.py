"""`publisher check`: is everything here as it should be?"""

from typing import TYPE_CHECKING

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.article import Problem


@click.command("check")
@click.option("--strict", is_flag=True, help="Fail for warnings as well.")
@click.option("--external", is_flag=True, help="Ask other sites whether the links to them still lead somewhere.")
@pass_context
def check_command(ctx: Context, strict: bool, external: bool) -> int:
    """Validate config, articles and templates, and look over what goes out next; changes nothing.

    Each finding has a code (docs/preflight.md); one that blocks keeps something from going out.
    """

    bar = Bar("checking")

    async def work(app: "App") -> "list[Problem]":
        found = await _refused(app, bar)
        places = [*app.publishing.addresses(), *await app.articles.redirects()]
        found += app.preflight.among(app.rehearsal.articles, places)
        config = (app.folder / "config.toml").read_text(encoding="utf-8")
        found += app.preflight.publication(config)
        found += app.preflight.missing(await app.readers.newsletters())
        found += await app.preflight.issues(app.previewing, config)
        return found + (await _unreachable(ctx, app) if external else [])

    try:
        problems = list(dict.fromkeys(ctx.run(work)))
    finally:
        bar.end()
    refused = [problem for problem in problems if problem.fatal]
    lines = [
        f"{problem.path}:{problem.line}: {'' if problem.fatal else 'warning: '}{problem.message} [{problem.code}]"
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


async def _refused(app: "App", bar: Bar) -> "list[Problem]":
    """Returns what cannot be used as it is, and what was noticed while it was read."""
    from publisher.cli.look import look
    from publisher.model.article import Problem

    await app.rehearsal.load()
    taken = await app.rehearsal.take(app.clock.now(), everything=True, progress=bar.phase)
    bar.end()
    faults = [Problem(path=e.path, line=e.line, message=e.message, code="template") for e in app.templates.problems()]
    return [*taken.problems, *app.companions.problems(), *faults, *look(app)]


async def _unreachable(ctx: Context, app: "App") -> "list[Problem]":
    from publisher.sources.links import unreachable

    links = app.preflight.outward_links()
    ctx.say(f"asking other sites about {len(links)} links")
    return app.preflight.unreachable(await unreachable(sorted(links)))
