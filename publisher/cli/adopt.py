"""`publisher adopt`: moving in without a bump."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.content.adoption import Matches
    from publisher.model.foreign import Adoption


@click.command("adopt")
@click.argument("feeds", nargs=-1, required=True, metavar="FEED…", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@pass_context
def adopt_command(ctx: Context, feeds: tuple[Path, ...], dry_run: bool) -> int:
    """Take over ids and addresses from FEED, the saved files of the feeds you had elsewhere.

    What the stories were called is written into their files, so that nobody's feed reader sees them as new and
    old addresses lead here. Do it before the first run.
    """
    from publisher.content.adoption import match
    from publisher.feeds.foreign import read

    entries = [entry for path in feeds for entry in read(str(path), _bytes(path))]
    if not entries:
        raise UsageError("there is no story in these feeds")

    async def work(app: "App") -> "tuple[Matches, dict[str, str]]":
        await app.rehearsal.load()
        taken = await app.rehearsal.take(app.clock.now(), everything=True)
        for problem in taken.problems:
            if problem.fatal:
                ctx.say(f"refused: {problem}")
        out = {a.source: a.id for a in await app.articles.current() if a.first_published_at is not None}
        return match(entries, app.rehearsal.articles), out

    matches, out = ctx.run(work)
    refused: list[dict[str, str]] = []
    written: list[dict[str, str]] = []
    root = _root(ctx)
    for adoption in matches.adopted:
        if not (adoption.id or adoption.guid or adoption.alias):
            continue
        try:
            _adopt(root / adoption.source, adoption, out.get(adoption.source), dry_run=dry_run)
            written.append(_told(adoption))
        except RefusedError as error:
            refused.append({"file": adoption.source, "message": error.message})
    _tell(ctx, matches, written, refused, dry_run=dry_run)
    return 1 if refused or matches.unknown or matches.doubtful else 0


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}; save the feed to a file first: curl -o {path.name} https://…"
        ) from error


def _root(ctx: Context) -> Path:
    from publisher import config

    return ctx.folder / config.load(ctx.folder).articles.path


def _adopt(path: Path, adoption: "Adoption", out_as: str | None, *, dry_run: bool) -> None:
    """Writes into one file what it has to say, in one step; RefusedError where it must not be touched."""
    from publisher.content.adoption import insert

    if out_as is not None and (adoption.id or adoption.guid):
        raise RefusedError(
            f"it was published here already, as {out_as}, and an id never changes; "
            "as long as nobody reads these feeds you may begin anew: stop the service, move var/ away, adopt again"
        )
    try:
        text = insert(path.read_bytes().decode("utf-8"), adoption)
        if not dry_run:
            new = path.with_name(f".{path.name}.adopted")
            new.write_bytes(text.encode("utf-8"))
            shutil.copymode(path, new)
            new.replace(path)
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"it cannot be rewritten: {error}") from error


def _told(adoption: "Adoption") -> dict[str, str]:
    found = {"file": adoption.source, "title": adoption.title}
    pairs = (("id", adoption.id), ("guid", adoption.guid), ("alias", adoption.alias))
    return found | {name: value for name, value in pairs if value}


def _tell(
    ctx: Context, matches: "Matches", written: list[dict[str, str]], refused: list[dict[str, str]], *, dry_run: bool
) -> None:
    unknown = [{"title": entry.title, "link": entry.link, "feed": entry.feed} for entry in matches.unknown]
    doubtful = [{"title": entry.title, "files": files} for entry, files in matches.doubtful]
    lines = [
        f"{one['file']}: " + ", ".join(f"{key} {one[key]}" for key in ("id", "guid", "alias") if key in one)
        for one in written
    ]
    lines += [f"refused: {one['file']}: {one['message']}" for one in refused]
    lines += [f"no story here: {one['title'] or one['link']} ({one['link']})" for one in unknown]
    lines += [f"which one? {one['title']}: {', '.join(one['files'])}" for one in doubtful]
    done = "would be written" if dry_run else "written"
    as_before = len(matches.adopted) - len(written) - len(refused)
    lines.append(f"{len(written)} files {done}, {as_before} as they should be, {len(unknown)} entries without a story")
    told: dict[str, Any] = {
        "written": written,
        "as_before": as_before,
        "refused": refused,
        "unknown": unknown,
        "doubtful": doubtful,
        "dry_run": dry_run,
    }
    ctx.emit(told, "\n".join(lines))
