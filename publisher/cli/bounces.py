"""`publisher bounces …`: reports about mail that came back."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.report import Receipt

_STDIN = "-"


@click.group("bounces")
def bounces_command() -> None:
    """Bounces and complaints: process."""


@bounces_command.command("process")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@pass_context
def process(ctx: Context, files: tuple[str, ...]) -> int:
    """Read bounces and complaints out of files.

    A FILE is a message, an mbox, a Maildir, or - for standard input. Each message is told with what it meant; one that
    does not prove to be about a mail of ours is ignored.
    """

    async def work(app: "App") -> list[dict[str, Any]]:
        found = []
        for name in files:
            for source, raw in _messages(name):
                if isinstance(raw, str):
                    found.append(_told(source, None, raw))
                else:
                    found.append(_told(source, await app.bounces.take_message(raw, app.clock.now())))
        return found

    found = ctx.run(work)
    unread = [each for each in found if each["kind"] == "unreadable"]
    counted = f"{len(found)} messages" if len(found) != 1 else "1 message"
    ctx.emit(found, "\n".join([*map(_line, found), f"{counted}, {len(unread)} of them unreadable"]))
    return 1 if unread else 0


def _messages(name: str) -> Iterator[tuple[str, bytes | str]]:
    """Yields the messages of one argument with where they are from; a text instead of one says why it is none."""
    from publisher.mail.reports import LARGEST
    from publisher.transports.mailfiles import message_files, messages

    if name == _STDIN:
        yield from _numbered(name, messages(sys.stdin.buffer, LARGEST))
        return
    try:
        paths = message_files(Path(name))
    except OSError as error:
        yield name, f"cannot be read: {error.strerror}"
        return
    if not paths:
        yield name, "there is no message in this folder"
    for path in paths:
        try:
            with path.open("rb") as file:
                yield from _numbered(str(path), messages(file, LARGEST))
        except OSError as error:
            yield str(path), f"cannot be read: {error.strerror}"


def _numbered(name: str, found: Iterator[bytes]) -> Iterator[tuple[str, bytes | str]]:
    number = 0
    for number, raw in enumerate(found, start=1):
        yield (name if number == 1 else f"{name} no. {number}"), raw
    if not number:
        yield name, "is empty"


def _told(source: str, receipt: "Receipt | None", why: str = "") -> dict[str, Any]:
    return {
        "file": source,
        "kind": receipt.kind.value if receipt else "unreadable",
        "meaning": receipt.meaning.value if receipt else "nothing",
        "effect": receipt.effect.value if receipt else "none",
        "address": receipt.address if receipt else "",
        "issue": receipt.issue if receipt else None,
        "status": receipt.status if receipt else "",
        "detail": receipt.detail if receipt else why,
    }


def _line(told: dict[str, Any]) -> str:
    detail = "".join(c if c.isprintable() else " " for c in told["detail"])[:160]
    words = " ".join(filter(None, [told["status"], detail]))
    if told["kind"] == "unreadable":
        return f"{told['file']}: unreadable: {detail}"
    if told["meaning"] == "nothing":
        return f"{told['file']}: {_KINDS[told['kind']]}: nothing to do" + (f" ({words})" if words else "")
    about = f"{told['address']}, issue {told['issue']}" if told["address"] else "nobody we know of"
    meaning = told["meaning"] if told["meaning"] == "complaint" else f"{told['meaning']} bounce"
    return f"{told['file']}: {meaning}, {about}: {_EFFECTS[told['effect']]}" + (f" ({words})" if words else "")


_KINDS = {"bounce": "delivery report", "complaint": "feedback", "reply": "automatic reply", "other": "no report"}
_EFFECTS = {
    "unproven": "ignored, nothing proves that it is about a mail of ours",
    "repeated": "known before",
    "recorded": "recorded",
    "suppressed": "recorded, no more mail goes there",
    "quarantined": "quarantined with its issue",
    "none": "too old to matter",
}
