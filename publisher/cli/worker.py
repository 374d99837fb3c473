"""`publisher worker`: delivery only, beside a `run` on another machine."""

import asyncio
import logging

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.serving import until_told
from publisher.errors import ConfigError


@click.command("worker")
@pass_context
def worker_command(ctx: Context) -> None:
    """Send what others plan, until SIGTERM or Ctrl-C; needs PostgreSQL."""
    import uvloop

    from publisher.app import open_app
    from publisher.logs import configure
    from publisher.owner import owning
    from publisher.worker import Worker

    configure(logging.DEBUG if ctx.verbose else logging.INFO)

    async def work() -> None:
        async with open_app(ctx.folder, patient=True) as app:
            if app.node is None:
                raise ConfigError(
                    ["database.url: a worker shares a PostgreSQL with the service; SQLite is one process's"]
                )
            worker = Worker(app, app.node)

            def ready(address: str) -> None:
                click.echo(f"{app.catalogue.site.title}: sending from here; stop with Ctrl-C")
                if address:
                    click.echo(f"how it is: {address}readyz")

            await until_told(worker.run(ready), worker.stop)

    with owning(ctx.state()), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
