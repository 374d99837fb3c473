"""`publisher doctor`: does everything stand that mail and readers depend on?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.checkup import Finding

nameserver_option = click.option(
    "--nameserver", metavar="ADDRESS", default="", help="Ask this name server (default: the machine's)."
)


@click.command("doctor")
@nameserver_option
@pass_context
def doctor_command(ctx: Context, nameserver: str) -> int:
    """Look at config, clock, disk, relay, DNS and the public address; exit code 1 when something does not work."""

    async def work(app: "App") -> "list[Finding]":
        return await app.doctor(nameserver=nameserver).examine(app.clock.now())

    findings = ctx.run(work)
    ctx.emit({"findings": [told(finding) for finding in findings]}, "\n".join(lines(findings)))
    return 1 if any(finding.blocks for finding in findings) else 0


def told(finding: "Finding") -> dict[str, Any]:
    """Returns a finding for `--json`."""
    return {
        "about": finding.about,
        "verdict": finding.verdict.value,
        "says": finding.says,
        "remedy": finding.remedy,
    }


def lines(findings: "Sequence[Finding]") -> list[str]:
    """Returns findings as they are printed, what to do below each."""
    shown = []
    for finding in findings:
        shown.append(f"{finding.verdict.value:<8} {finding.about}: {finding.says}")
        if finding.remedy:
            shown.append(f"         → {finding.remedy}")
    return shown
