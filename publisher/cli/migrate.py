"""`publisher migrate`: brings the database up to date."""

import click

from publisher.cli.context import Context, pass_context


@click.command("migrate")
@pass_context
def migrate_command(ctx: Context) -> None:
    """Bring the database up to date (run does it by itself)."""
    from publisher.app import App
    from publisher.stores.migrate import current_revision

    async def work(app: App) -> str | None:
        return await current_revision(app.database)

    revision = ctx.run(work)
    ctx.emit({"revision": revision}, f"the database is at revision {revision}")
