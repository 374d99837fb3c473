"""`publisher subscribers import` and `export`: whole lists of people."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.bars import Bar
from publisher.cli.context import Context, pass_context
from publisher.cli.lists import ListFile, csv_lines, opened, private, write_report
from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.services.importing import ImportReport, Remark

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_TARGET = click.Path(dir_okay=False, path_type=Path)
_SHOWN = 200
"""Lines of a list that are spoken of one by one on the terminal; the report has them all."""


def picking_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that pick people; together they narrow."""
    options = [
        click.option("--newsletter", default="", metavar="ID", help="Only who has, or had, this one."),
        click.option("--segment", default="", metavar="ID", help="Only the people of a segment of config.toml."),
        click.option("--where", default="", metavar="CONDITION", help="Such as: 'language = tr and not product = *'."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--map", "mapping", multiple=True, metavar="OURS=THEIRS", help='Such as email=E-mail,name="First name".')
@click.option("--confirmed", is_flag=True, help="You have everybody's word: no confirmation mails.")
@click.option("--consent", default="", metavar="WORDS", help="What they said yes to, and where; kept as evidence.")
@click.option("--newsletters", metavar="IDS", help="For lines that name none, instead of every scheduled one.")
@click.option("--products", metavar="IDS", help="Licences for lines that name none.")
@click.option("--dry-run", is_flag=True, help="Report, and store nothing.")
@click.option("--report", "target", type=_TARGET, metavar="FILE.csv", help="Write every line with a remark there.")
@pass_context
def import_people(ctx: Context, /, file: Path, mapping: tuple[str, ...], target: Path | None, **said: Any) -> int:
    """Add people from a CSV; exit code 1 when a line was skipped. Importing it again changes nothing.

    Exports of listmonk, Mailchimp, Ghost, Substack and Buttondown are recognised by their columns. Who once
    unsubscribed, complained, bounced or was erased stays out.
    """
    from publisher.services.cells import parse_list
    from publisher.services.columns import parse_mapping
    from publisher.services.importing import Instructions
    from publisher.services.roster import Roster

    lists = {name: None if said[name] is None else parse_list(said[name]) for name in ("newsletters", "products")}
    wish = Instructions(source=file.name, **{**said, **lists})
    columns = parse_mapping(mapping)

    async def work(app: "App") -> "ImportReport":
        with opened(file) as found:
            _warn(ctx, file, found)
            roster = Roster(found.lines(), columns)
            if roster.layout.origin:
                ctx.say(f"{file}: an export of {roster.layout.origin.title}")
            if roster.layout.left_out:
                ctx.say(f"{file}: left out: {', '.join(roster.layout.left_out)}")
            bar = Bar("lines")
            try:
                return await app.circulation.import_people(
                    roster, wish, app.clock.now(), lambda _: bar.show(found.position, found.size)
                )
            finally:
                bar.end()

    return answer(ctx, file, ctx.run(work), target)


@click.command("export")
@click.option("-o", "--output", type=_TARGET, help="A file, else stdout.")
@click.option("--raw", is_flag=True, help="Cells as they are, even those that a spreadsheet would run as formulas.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", help="jsonl: one JSON object per line."
)
@click.option("--address", help="All that is held of one person, as JSON, to be handed to them.")
@picking_options
@pass_context
def export(ctx: Context, /, output: Path | None, raw: bool, form: str, address: str | None, **picking: str) -> None:
    """Write everybody as a CSV that `import` reads, or all that is held of one person."""
    if address is not None:
        if raw or any(picking.values()):
            raise UsageError("--address is one person and everything; leave out --raw and what picks people")
        _hand_over(ctx, address, output)
    else:
        _export(ctx, output, form, picking, raw=raw)


def _export(ctx: Context, output: Path | None, form: str, picking: dict[str, str], *, raw: bool) -> None:
    from publisher.services.cells import guarded
    from publisher.services.columns import COLUMNS

    as_csv = csv_lines(COLUMNS)
    rows: list[dict[str, str]] = []

    def line(row: dict[str, str]) -> str:
        if form == "jsonl":
            return json.dumps(row, ensure_ascii=False)
        return as_csv(row if raw else {name: guarded(cell) for name, cell in row.items()})

    async def write(app: "App", say: Callable[[str], Any]) -> int:
        number = 0
        if form == "csv":
            say(as_csv(None))
        async for row in app.circulation.export(app.circulation.pick(app.clock.now(), **picking)):
            say(line(row))
            number += 1
        return number

    async def work(app: "App") -> int:
        if output is not None:
            with private(output) as target:
                return await write(app, lambda text: target.write(f"{text}\n"))
        if ctx.json:
            rows.extend([row async for row in app.circulation.export(app.circulation.pick(app.clock.now(), **picking))])
            return len(rows)
        return await write(app, click.echo)

    number = ctx.run(work)
    if output is not None:
        ctx.emit({"file": str(output), "rows": number}, f"{number} lines written to {output}")
    elif ctx.json:
        ctx.emit(rows, "")


def _hand_over(ctx: Context, address: str, output: Path | None) -> None:
    async def work(app: "App") -> dict[str, Any]:
        return await app.circulation.held(address)

    held = ctx.run(work)
    text = json.dumps(held, ensure_ascii=False, indent=2)
    if output is None:
        ctx.emit(held, text)
        return
    with private(output) as target:
        target.write(f"{text}\n")
    ctx.emit({"file": str(output), "address": address}, f"all that is held of {address} is in {output}")


def answer(ctx: Context, file: Path, report: "ImportReport", target: Path | None) -> int:
    """Says what came of an import and returns the exit code."""
    if target is not None:
        write_report(target, report)
    remarks = [
        *(f"{file}:{each.line}: {each.reason}" for each in report.skipped),
        *(f"{file}:{each.line}: left alone: {each.email}: {each.reason}" for each in report.left_alone),
        *(f"{file}:{each.line}: repeated: {each.email}: {each.reason}" for each in report.repeated),
    ]
    for remark in remarks[:_SHOWN]:
        ctx.say(remark)
    if len(remarks) > _SHOWN:
        where = f"they are in {target}" if target else "write them all to a file with --report FILE.csv"
        ctx.say(f"and {len(remarks) - _SHOWN} more lines; {where}")
    ctx.emit(
        {
            "dry_run": report.dry_run,
            "origin": report.origin or None,
            "left_out": report.left_out,
            "read": report.read,
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "suppressed": report.suppressed,
            "confirmations": report.confirmations,
            "skipped": _listed(report.skipped),
            "left_alone": _listed(report.left_alone),
            "repeated": _listed(report.repeated),
        },
        f"{'would be: ' if report.dry_run else ''}{report.added} added, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.suppressed} suppressed, {report.confirmations} asked by mail, "
        f"{len(report.left_alone)} left alone, {len(report.repeated)} repeated, {len(report.skipped)} skipped",
    )
    return 1 if report.skipped else 0


def _warn(ctx: Context, file: Path, found: ListFile) -> None:
    if found.strange_line:
        ctx.say(
            f"{file}:{found.strange_line}: this is not UTF-8 and is read as Western European (Windows-1252); "
            "look at the names, and if they are wrong save the list as CSV UTF-8"
        )


def _listed(remarks: "list[Remark]") -> list[dict[str, Any]]:
    return [{"line": each.line, "email": each.email, "reason": each.reason} for each in remarks]
