"""`publisher init`: a new publication."""

import sys
from pathlib import Path

import click

from publisher.cli.context import Context, pass_context

_SENDER = "news@example.org"


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--for", "kind", type=click.Choice(["blog", "agency"]), help="What it is to be (default: blog).")
@click.option("--title", help="Its name.")
@click.option("--url", help="Its public address.")
@click.option("--sender", help='Who its mail is from: "Name <address>".')
@pass_context
def init_command(
    ctx: Context, folder: Path, kind: str | None, title: str | None, url: str | None, sender: str | None
) -> None:
    """Make a starter publication in DIR, which must be new or empty."""
    from publisher import starter
    from publisher.errors import UsageError

    target = ctx.folder / folder
    asked = sys.stdin.isatty() and not ctx.json
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{folder} is not empty; choose a new folder")
    if kind is None:
        kind = (
            click.prompt("blog or agency", default="blog", type=click.Choice(["blog", "agency"])) if asked else "blog"
        )
    title = title or (click.prompt("title", default=_title(target)) if asked else _title(target))
    url = url or (click.prompt("public address", default="http://127.0.0.1:8000") if asked else None)
    default_sender = f"{title} <{_SENDER}>"
    sender = sender or (click.prompt("mail is from", default=default_sender) if asked else default_sender)
    made = starter.create(target, "agency" if kind == "agency" else "blog", title=title, url=url, sender=sender)
    names = [path.relative_to(target).as_posix() for path in made]
    ctx.emit(
        {"folder": str(target), "kind": kind, "files": names},
        f"made {folder} with {len(names)} files; now: publisher -C {folder} run",
    )


def _title(target: Path) -> str:
    return target.name.replace("-", " ").replace("_", " ").strip().capitalize() or "My publication"
