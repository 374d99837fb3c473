"""`publisher suppressions …`: who is never mailed."""

from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.people import Suppression


@click.group("suppressions")
def suppressions_command() -> None:
    """Addresses that are never mailed: list, add, remove."""


@suppressions_command.command("list")
@pass_context
def list_suppressions(ctx: Context) -> None:
    """List who is never mailed, and why; of an erased person only a hash is known."""

    async def work(app: "App") -> "list[Suppression]":
        return await app.subscribing.suppressions()

    found = ctx.run(work)
    lines = [f"{s.at:%Y-%m-%d}  {s.reason:<9}  {s.address or s.address_hash}  ({s.origin})" for s in found]
    ctx.emit(
        [
            {
                "address": s.address,
                "address_hash": s.address_hash,
                "reason": s.reason,
                "at": s.at.isoformat(),
                "origin": s.origin,
            }
            for s in found
        ],
        "\n".join([*lines, f"{len(found)} suppressed"]),
    )


@suppressions_command.command("add")
@click.argument("address")
@pass_context
def add(ctx: Context, address: str) -> None:
    """Never mail this address again."""

    async def work(app: "App") -> bool:
        return await app.subscribing.suppress(address, app.clock.now())

    fresh = ctx.run(work)
    ctx.emit({"address": address, "added": fresh}, f"{address}: {'suppressed' if fresh else 'was suppressed before'}")


@suppressions_command.command("remove")
@click.argument("address")
@pass_context
def remove(ctx: Context, address: str) -> None:
    """Let an address be mailed again."""

    async def work(app: "App") -> None:
        await app.subscribing.unsuppress(address)

    ctx.run(work)
    ctx.emit({"address": address, "removed": True}, f"{address}: no longer suppressed")
