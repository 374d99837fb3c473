"""`publisher run`: the service."""

import asyncio
import logging
import signal

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context


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
        async with open_app(ctx.folder) as app:
            service = Service(app)
            loop = asyncio.get_running_loop()

            def told(number: int) -> None:
                """Ends cleanly; whoever says it again is not kept waiting (what is open is found in doubt then)."""
                service.stop()
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, told, number)
            try:
                await service.run(lambda address: ready(app, address), progress=bar.phase)
            finally:
                bar.end()

    state = ctx.state()
    with owning(state), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
