"""`publisher suppressions …`: who is never mailed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.people import Suppression
    from publisher.model.report import Quarantine

_NUMBER = click.IntRange(1, 2**63 - 1)
"""What the database can number."""


_reason_option = click.option(
    "--reason", type=click.Choice(["manual", "bounce", "complaint"]), default="manual", help="Why."
)


@click.group("suppressions")
def suppressions_command() -> None:
    """Addresses that are never mailed: list, add, import, export, remove; approve, dismiss what is quarantined."""


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
@_reason_option
@pass_context
def add(ctx: Context, address: str, reason: str) -> None:
    """Never mail this address again."""
    from publisher.model.people import SuppressionReason

    async def work(app: "App") -> bool:
        return await app.circulation.suppress(address, app.clock.now(), SuppressionReason(reason))

    fresh = ctx.run(work)
    ctx.emit({"address": address, "added": fresh}, f"{address}: {'suppressed' if fresh else 'was suppressed before'}")


@suppressions_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@_reason_option
@click.option("--dry-run", is_flag=True, help="Report, and store nothing.")
@click.option(
    "--report",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.csv",
    help="Write every line with a remark there.",
)
@pass_context
def import_suppressions(ctx: Context, file: Path, reason: str, dry_run: bool, target: Path | None) -> int:
    """Never mail the addresses of a list again: one on each line, or a CSV with a column of them.

    --reason is for lines that give none. Exit code 1 when a line was skipped.
    """
    from publisher.cli.bars import Bar
    from publisher.cli.lists import opened
    from publisher.cli.subscriber_lists import answer
    from publisher.model.people import SuppressionReason
    from publisher.services.importing import ImportReport
    from publisher.services.roster import address_list

    async def work(app: "App") -> ImportReport:
        with opened(file) as found:
            bar = Bar("lines")
            try:
                return await app.circulation.import_suppressions(
                    address_list(found.lines()),
                    file.name,
                    SuppressionReason(reason),
                    app.clock.now(),
                    dry_run=dry_run,
                    progress=lambda _: bar.show(found.position, found.size),
                )
            finally:
                bar.end()

    return answer(ctx, file, ctx.run(work), target)


@suppressions_command.command("export")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file, else stdout.")
@pass_context
def export(ctx: Context, output: Path | None) -> None:
    """Write who is never mailed as a CSV that `import` reads; of erased people there is nothing to write."""
    from publisher.cli.lists import csv_lines, private
    from publisher.services.cells import guarded

    async def work(app: "App") -> "list[Suppression]":
        return await app.circulation.suppressions()

    found = ctx.run(work)
    rows = [
        {"email": s.address, "reason": s.reason.value, "at": s.at.isoformat(), "origin": s.origin}
        for s in found
        if s.address
    ]
    line = csv_lines(("email", "reason", "at", "origin"))
    lines = [line(None), *(line({name: guarded(str(cell)) for name, cell in row.items()}) for row in rows)]
    if output is None:
        ctx.emit(rows, "\n".join(lines))
        return
    with private(output) as target:
        target.writelines(f"{each}\n" for each in lines)
    ctx.emit({"file": str(output), "rows": len(rows)}, f"{len(rows)} lines written to {output}")


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
