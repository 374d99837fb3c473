"""`publisher preview`: a digest as somebody would get it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.moments import moment_option
from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.services.preview import Preview
    from publisher.services.proofs import Proof


@click.command("preview")
@click.argument("newsletter")
@click.option(
    "--as", "address", metavar="ADDRESS", help="As this reader would get it (default: a reader of everything)."
)
@click.option("--at", metavar="TIME", help="As it would be then, such as 2026-10-19T07:00 (default: now).")
@click.option("--format", "form", type=click.Choice(["html", "text", "eml"]), default="text", show_default=True)
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@pass_context
def preview_command(
    ctx: Context, newsletter: str, address: str | None, at: str | None, form: str, output: Path | None
) -> int:
    """Show the digest of NEWSLETTER as somebody would get it; changes nothing."""

    from publisher.services.preview import NoMail

    async def work(app: "App") -> "NoMail | tuple[Preview, Proof]":
        from publisher.mail.addresses import parse_address

        key = parse_address(address).key if address else None
        found = await app.previewing.preview(newsletter, app.clock.now(), address_key=key, at=moment_option(app, at))
        return found if isinstance(found, NoMail) else (found, await app.proofs.of(found))

    made = ctx.run(work)
    if isinstance(made, NoMail):
        ctx.emit({"newsletter": newsletter, "subject": None, "stories": [], "reason": made.reason}, "")
        ctx.say(f"there would be no mail: {made.reason}")
        return 0
    found, proof = made
    if found.sample:
        ctx.say("nothing is pending just now: these are the newest stories")
    content = {"eml": proof.source, "html": proof.html.encode(), "text": proof.text.encode()}[form]
    if output is not None:
        _write(output, content)
        ctx.say(f"written to {output}")
    if ctx.json:
        told = {
            "newsletter": newsletter,
            "subject": found.mail.subject,
            "language": found.reader.language,
            "stories": found.stories,
            "sample": found.sample,
        }
        ctx.emit(told if output else {**told, "content": content.decode("utf-8", "replace")}, "")
    elif output is None:
        sys.stdout.buffer.write(content)
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
