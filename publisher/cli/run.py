"""`publisher run`: the service."""

import asyncio
import logging

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context
from publisher.cli.serving import until_told


@click.command("run")
@pass_context
def run_command(ctx: Context) -> None:
    """Watch, schedule, deliver and serve, until SIGTERM or Ctrl-C."""
    import uvloop

    from publisher.app import App, open_app
    from publisher.logs import configure
    from publisher.owner import owning
    from publisher.service import Service

    configure(logging.DEBUG if ctx.verbose else logging.INFO)

    bar = Bar("building")

    def ready(app: App, address: str) -> None:
        bar.end()
        click.echo(f"{app.catalogue.site.title} is at {address}")
        if app.settings.smtp.sandbox:
            click.echo(f"mail goes to the built-in inbox, none leaves this machine: {address}inbox/")
        click.echo("stop with Ctrl-C")

    async def serve() -> None:
        async with open_app(ctx.folder, patient=True) as app:
            service = Service(app)
            served = service.run(lambda address: ready(app, address), progress=bar.phase)
            try:
                await until_told(served, service.stop)
            finally:
                bar.end()

    state = ctx.state()
    with owning(state), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
