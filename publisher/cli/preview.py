"""`publisher preview`: a digest as somebody would get it."""

import email
import email.policy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.moments import moment_option

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.people import Subscriber
    from publisher.services.preview import Preview


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

    async def work(app: "App") -> "tuple[Preview, bytes] | None":
        from publisher.mail.addresses import parse_address

        key = parse_address(address).key if address else None
        found = await app.previewing.preview(newsletter, app.clock.now(), address_key=key, at=moment_option(app, at))
        return None if found is None else (found, message(app, found, await recipient(app, found.reader.address)))

    made = ctx.run(work)
    if made is None:
        ctx.emit({"newsletter": newsletter, "subject": None, "stories": []}, "")
        ctx.say("nothing is pending: there would be no mail")
        return 0
    found, raw = made
    if found.sample:
        ctx.say("nothing is pending just now: these are the newest stories")
    content = raw if form == "eml" else part(raw, form).encode()
    if output is not None:
        output.write_bytes(content)
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


async def recipient(app: "App", address: str) -> "Subscriber":
    """Returns who has an address; somebody nobody knows, when it is not in the store."""
    from publisher.mail.addresses import parse_address
    from publisher.model.people import Subscriber

    found = await app.people.by_address(parse_address(address).key)
    return found or Subscriber(
        number=0, address=address, language=app.catalogue.site.language, created_at=app.clock.now()
    )


def message(app: "App", found: "Preview", to: "Subscriber") -> bytes:
    """Returns a preview as the message that would go over the wire."""
    from publisher.model.issue import IssueKind

    prepared = app.letters.prepared(found.mail, IssueKind.DIGEST, found.newsletter.id)
    return app.letters.test_letter(prepared, to, found.newsletter.id, app.clock.now()).message


def part(raw: bytes, form: str) -> str:
    """Returns the HTML or plain text part of a message."""
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    body = parsed.get_body(("html", "plain") if form == "html" else ("plain",))
    return "" if body is None else str(body.get_content()).replace("\r\n", "\n")
