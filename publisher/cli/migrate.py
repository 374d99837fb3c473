"""`publisher migrate`: brings the database up to date."""

import click

from publisher.cli.context import Context, pass_context


@click.command("migrate")
@click.option("--accept-new-key", is_flag=True, help="Go on with a new var/secret.key: all links sent so far are void.")
@pass_context
def migrate_command(ctx: Context, accept_new_key: bool) -> None:
    """Bring the database up to date (run does it by itself)."""
    from publisher.app import App
    from publisher.stores.migrate import current_revision

    async def work(app: App) -> str | None:
        return await current_revision(app.database)

    revision = ctx.run(work, accept_key=accept_new_key)
    ctx.emit({"revision": revision}, f"the database is at revision {revision}")
