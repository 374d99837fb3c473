"""`publisher migrate`: brings the database up to date."""

import click

from publisher.cli.context import Context, pass_context


@click.command("migrate")
@click.option("--accept-new-key", is_flag=True, help="Go on with a new var/secret.key: all links sent so far are void.")
@click.option("--confirm-copy", is_flag=True, help="This copy, or restored state, is the publication from now on.")
@pass_context
def migrate_command(ctx: Context, accept_new_key: bool, confirm_copy: bool) -> None:
    """Bring the database up to date (run does it by itself)."""
    from publisher.app import App
    from publisher.stores.migrate import current_revision

    async def work(app: App) -> tuple[str | None, tuple[int, ...]]:
        held = (
            await app.issues.hold_all("restored: it may have gone out from where this was copied")
            if confirm_copy
            else ()
        )
        return await current_revision(app.database), held

    revision, held = ctx.run(work, accept_key=accept_new_key, confirm_copy=confirm_copy)
    lines = [f"the database is at revision {revision}"]
    lines += [f"issue {number} is held: release or cancel it" for number in held]
    ctx.emit({"revision": revision, "held": held}, "\n".join(lines))
