"""`publisher suppressions …`: who is never mailed."""

from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.people import Suppression
    from publisher.model.report import Quarantine

_NUMBER = click.IntRange(1, 2**63 - 1)
"""What the database can number."""


@click.group("suppressions")
def suppressions_command() -> None:
    """Addresses that are never mailed: list, add, remove; approve, dismiss what is quarantined."""


@suppressions_command.command("list")
@pass_context
def list_suppressions(ctx: Context) -> None:
    """List who is never mailed, and why; of an erased person only a hash is known."""

    async def work(app: "App") -> "tuple[list[Suppression], list[Quarantine]]":
        return await app.circulation.suppressions(), await app.bounces.quarantines()

    found, quarantined = ctx.run(work)
    for each in quarantined:
        ctx.say(quarantine_line(each))
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
        return await app.circulation.suppress(address, app.clock.now())

    fresh = ctx.run(work)
    ctx.emit({"address": address, "added": fresh}, f"{address}: {'suppressed' if fresh else 'was suppressed before'}")


@suppressions_command.command("remove")
@click.argument("address")
@pass_context
def remove(ctx: Context, address: str) -> None:
    """Let an address be mailed again."""

    async def work(app: "App") -> None:
        await app.circulation.unsuppress(address)

    ctx.run(work)
    ctx.emit({"address": address, "removed": True}, f"{address}: no longer suppressed")


@suppressions_command.command("approve")
@click.argument("issue", type=_NUMBER)
@pass_context
def approve(ctx: Context, issue: int) -> None:
    """Believe an issue's quarantined bounces.

    Those addresses are never mailed again.
    """

    async def work(app: "App") -> int:
        return await app.bounces.approve(issue, app.clock.now())

    number = ctx.run(work)
    ctx.emit({"issue": issue, "suppressed": number}, f"issue {issue}: {number} suppressed")


@suppressions_command.command("dismiss")
@click.argument("issue", type=_NUMBER)
@pass_context
def dismiss(ctx: Context, issue: int) -> None:
    """Disbelieve an issue's quarantined bounces.

    They are taken for a server's mistake and suppress nobody.
    """

    async def work(app: "App") -> None:
        await app.bounces.dismiss(issue, app.clock.now())

    ctx.run(work)
    ctx.emit({"issue": issue, "suppressed": 0}, f"issue {issue}: its bounces suppress nobody")


def quarantine_line(quarantine: "Quarantine") -> str:
    """Returns what is said of an issue whose bounces wait for the operator's word."""
    name = f"{quarantine.newsletter} no. {quarantine.edition}" if quarantine.newsletter else "service mail"
    return (
        f"issue {quarantine.issue} ({name}): {quarantine.hard} hard bounces of {quarantine.recipients} recipients "
        f"are quarantined; publisher suppressions approve {quarantine.issue}, or dismiss {quarantine.issue}"
    )
