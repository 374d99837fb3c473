"""`publisher unsubscribes …`: mail that asks to be taken off a newsletter."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App

_OCTETS = 1024 * 1024
"""Of a mail are read: its head is all that matters."""


@click.group("unsubscribes")
def unsubscribes_command() -> None:
    """Mail that unsubscribes: process."""


@unsubscribes_command.command("process")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@pass_context
def process(ctx: Context, files: tuple[str, ...]) -> int:
    """Read mails that came to smtp.unsubscribe_mailto, one per FILE (- is stdin), and do what they ask.

    A mail without a link of ours is none of our business, and no error.
    """
    told: list[dict[str, Any]] = []

    async def work(app: "App") -> None:
        from publisher.mail.requests import unsubscribe_token
        from publisher.services.subscribe import Visit

        for name in files:
            try:
                token = unsubscribe_token(_read(name))
            except OSError as error:
                told.append({"file": name, "unsubscribed": False, "problem": error.strerror})
                continue
            done = token is not None and await app.subscribing.unsubscribe(token, "mail", Visit(), app.clock.now())
            told.append({"file": name, "unsubscribed": done, "problem": None})

    ctx.run(work)
    ctx.emit(told, "\n".join(map(_line, told)))
    return 1 if any(one["problem"] for one in told) else 0


def _line(one: dict[str, Any]) -> str:
    if one["problem"]:
        return f"{one['file']}: cannot be read: {one['problem']}"
    return f"{one['file']}: {'unsubscribed' if one['unsubscribed'] else 'no link of ours'}"


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(_OCTETS)
    with Path(name).open("rb") as file:
        return file.read(_OCTETS)
