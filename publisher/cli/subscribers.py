"""`publisher subscribers …`: people, what they get, and what they may read."""

import csv
import io
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.choices import Change
    from publisher.model.people import Person, Subscription
    from publisher.services.circulation import Dossier, ImportReport, Skipped


@click.group("subscribers")
def subscribers_command() -> None:
    """People: list, add, show, edit, import, export, erase, token."""


def _person_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--newsletters", metavar="IDS", help='Separated by commas; "" for none at all.'),
        click.option(
            "--products", metavar="IDS", help='What licences are for, separated by commas; "*" for everything.'
        ),
        click.option("--name"),
        click.option("--language", metavar="TAG", help="One of site.languages."),
        click.option("--timezone", metavar="ZONE", help="Such as Europe/Istanbul."),
        click.option("--valid-from", metavar="DAY", help="First day of the licences."),
        click.option("--valid-until", metavar="DAY", help="Last day of the licences."),
        click.option(
            "--archive-days",
            type=click.IntRange(min=0),
            metavar="N",
            help="How far back the licences reach; 0 for all there is.",
        ),
        click.option(
            "--embargo-cleared/--no-embargo-cleared",
            default=None,
            help="Whether stories under embargo come early, by mail and wire.json.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


_CHOICES = ("rhythm", "pause", "pause_until", "sections", "tags", "languages", "urgency", "form", "only")


def _choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option(
            "--rhythm", metavar="WORDS", help='Such as "weekly fri 18:00"; "" for the newsletter\'s own.', default=None
        ),
        click.option("--pause/--resume", default=None, help="Hold everything until further notice, or go on."),
        click.option("--pause-until", metavar="DAY", help="Hold everything until the morning of a day."),
        click.option("--sections", metavar="IDS", help='Only these, separated by commas; "" for all.'),
        click.option("--tags", metavar="WORDS", help='Only stories with one of these; "" for all.'),
        click.option("--languages", metavar="TAGS", help='Only stories in these; "" for all.'),
        click.option("--urgency", type=click.IntRange(0, 9), help="Only as urgent as this (1: most); 0 for all."),
        click.option("--form", type=click.Choice(["full", "brief", "text"]), help="How much of a mail is shown."),
        click.option("--only", metavar="IDS", help="The newsletters that these choices are for."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _change(app: "App", wished: dict[str, Any]) -> "Change":
    from publisher.model.choices import Change, Form
    from publisher.services.roster import parse_list, parse_moment

    def listed(name: str) -> tuple[str, ...] | None:
        return None if wished[name] is None else parse_list(wished[name])

    until = parse_moment(wished["pause_until"] or "", app.catalogue.site.timezone, end=False)
    if until is not None and wished["pause"] is not None:
        raise UsageError("--pause-until says by itself that it is a pause; leave --pause or --resume out")
    return Change(
        rhythm=wished["rhythm"],
        paused=True if until else wished["pause"],
        paused_until=until,
        sections=listed("sections"),
        tags=listed("tags"),
        languages=listed("languages"),
        urgency_max=wished["urgency"],
        form=Form(wished["form"]) if wished["form"] else None,
    )


@subscribers_command.command("list")
@click.option("--newsletter", metavar="ID", help="Only who has, or had, this one.")
@pass_context
def list_people(ctx: Context, newsletter: str | None) -> None:
    """List everybody with what they get."""

    async def work(app: "App") -> list[dict[str, Any]]:
        if newsletter is not None and newsletter not in app.catalogue.newsletters:
            known = ", ".join(app.catalogue.newsletters) or "none"
            raise UsageError(f"there is no newsletter {newsletter!r}; there are: {known}")
        found = []
        async for page in app.circulation.everybody():
            found += [_person(person) for person in page]
        return [person for person in found if newsletter is None or newsletter in person["newsletters"]]

    people = ctx.run(work)
    lines = [f"{p['address']}  {_listed(p['newsletters'])}" for p in people]
    ctx.emit(people, "\n".join([*lines, f"{len(people)} subscribers"]))


@subscribers_command.command("add")
@click.argument("address")
@click.option("--confirmed", is_flag=True, help="You have their word: no confirmation mail.")
@_person_options
@pass_context
def add(ctx: Context, /, address: str, confirmed: bool, **given: Any) -> None:
    """Add one person; without --confirmed a confirmation mail goes out.

    Without --newsletters it is every scheduled one, never an instant one. Without --products the licences are
    those that the open subscribers' newsletters among them bring.
    """
    from publisher.model.people import Enrolled

    async def work(app: "App") -> Enrolled:
        return await app.circulation.add(address, app.clock.now(), confirmed=confirmed, **_judged(app, given))

    answer = ctx.run(work)
    asked = answer.signup is not None
    kept = list(answer.kept_unsubscribed)
    lines = [f"{address}: {answer.result}"]
    if asked:
        lines.append("a confirmation mail is on its way, or was on the day before")
    elif not confirmed and answer.result == "limited":
        lines.append("no further confirmation mail goes out for now: one a day, three a month")
    if kept:
        lines.append(f"stays unsubscribed from {', '.join(kept)}; to override: publisher subscribers edit {address}")
    ctx.emit(
        {"address": address, "result": answer.result, "confirmation": asked, "kept_unsubscribed": kept},
        "\n".join(lines),
    )


@subscribers_command.command("show")
@click.argument("address")
@pass_context
def show(ctx: Context, address: str) -> None:
    """Show everything that is known of one person."""

    async def work(app: "App") -> "Dossier":
        return await app.circulation.show(address)

    dossier = ctx.run(work)
    known = _dossier(dossier)
    ctx.emit(known, _described(known))


@subscribers_command.command("edit")
@click.argument("address")
@_person_options
@click.option("--renew", metavar="IDS", help="Grant these products, or renew them, and leave the other licences.")
@click.option("--end", metavar="IDS", help="End the licences for these products now, and leave the others.")
@_choice_options
@pass_context
def edit(ctx: Context, /, address: str, **given: Any) -> None:
    """Change what is given; the lists replace what the person had, also what they unsubscribed from.

    Dates, --archive-days and clearance are for the licences that --products or --renew name, else for all that
    are active. Rhythm, pause, sections, tags, --languages, urgency and form are for the newsletters that --only
    names, else for all that the person gets.
    """
    if all(value is None for value in given.values()):
        raise UsageError("say what to change; see: publisher subscribers edit --help")
    wished = {name: given.pop(name) for name in _CHOICES}

    async def work(app: "App") -> dict[str, Any]:
        now, judged = app.clock.now(), _judged(app, given)
        only = parse_list(wished["only"] or "")
        change = _change(app, wished)
        app.choosing.judge(only, change, now)
        person = await app.circulation.edit(address, now, **judged)
        number = person.subscriber.number
        current = [s.newsletter for s in person.subscriptions if s.status != "unsubscribed"]
        known = [name for name in current if name in app.catalogue.newsletters]
        await app.choosing.change(number, only or known, change, now)
        return _dossier(await app.circulation.show(address))

    from publisher.services.roster import parse_list

    known = ctx.run(work)
    ctx.emit(known, f"{known['address']}  {_listed(known['newsletters'])}")


@subscribers_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--confirmed", is_flag=True, help="You have everybody's word: no confirmation mails.")
@click.option("--dry-run", is_flag=True, help="Report, and store nothing.")
@pass_context
def import_people(ctx: Context, file: Path, confirmed: bool, dry_run: bool) -> int:
    """Add people from a CSV; exit code 1 when a line was skipped. Importing it again changes nothing."""
    lines = _lines(file)

    async def work(app: "App") -> "ImportReport":
        now = app.clock.now()
        return await app.circulation.import_csv(lines, file.name, now, confirmed=confirmed, dry_run=dry_run)

    report = ctx.run(work)
    for skipped in report.skipped:
        ctx.say(f"{file}:{skipped.line}: {skipped.reason}")
    for left in report.left_alone:
        ctx.say(f"{file}:{left.line}: left alone: {left.email}: {left.reason}")
    ctx.emit(
        {
            "dry_run": report.dry_run,
            "read": report.read,
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "confirmations": report.confirmations,
            "skipped": _skipped(report.skipped),
            "left_alone": _skipped(report.left_alone),
        },
        f"{'would be: ' if dry_run else ''}{report.added} added, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.confirmations} asked by mail, "
        f"{len(report.left_alone)} left alone, {len(report.skipped)} skipped",
    )
    return 1 if report.skipped else 0


@subscribers_command.command("export")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file, else stdout.")
@click.option("--raw", is_flag=True, help="Cells as they are, even those that a spreadsheet would run as formulas.")
@pass_context
def export(ctx: Context, output: Path | None, raw: bool) -> None:
    """Write everybody as a CSV that `import` reads."""
    from publisher.services.roster import COLUMNS, guarded

    async def work(app: "App") -> list[dict[str, str]]:
        return [row async for row in app.circulation.export()]

    rows = ctx.run(work)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row[name] if raw else guarded(row[name]) for name in COLUMNS] for row in rows)
    if output is None:
        ctx.emit(rows, text.getvalue().removesuffix("\n"))
        return
    output.touch(mode=0o600)
    output.write_text(text.getvalue(), encoding="utf-8")
    ctx.emit({"file": str(output), "rows": len(rows)}, f"{len(rows)} lines written to {output}")


@subscribers_command.command("erase")
@click.argument("address")
@pass_context
def erase(ctx: Context, address: str) -> None:
    """Delete one person for good; only a hash of the address stays, so that no import brings them back."""

    async def work(app: "App") -> None:
        await app.circulation.erase(address, app.clock.now())

    ctx.run(work)
    ctx.emit({"address": address, "erased": True}, f"{address}: erased")


@subscribers_command.command("token")
@click.argument("address")
@pass_context
def token(ctx: Context, address: str) -> None:
    """Print a new private feed address; the old one ends after a day."""
    from publisher.services.circulation import FeedAddress

    async def work(app: "App") -> FeedAddress:
        return await app.circulation.token(address, app.clock.now())

    feed = ctx.run(work)
    ctx.say(f"the address before this one works until {feed.old_until:%Y-%m-%d %H:%M} UTC")
    ctx.emit({"address": address, "url": feed.url, "old_until": feed.old_until.isoformat()}, feed.url)


def _judged(app: "App", given: dict[str, Any]) -> dict[str, Any]:
    from publisher.services.roster import parse_list, parse_moment

    zone = app.catalogue.site.timezone
    names = [key for key in ("newsletters", "products", "renew", "end") if key in given]
    lists: dict[str, Any] = {key: None if given[key] is None else parse_list(given[key]) for key in names}
    return {
        **given,
        **lists,
        "valid_from": parse_moment(given["valid_from"] or "", zone, end=False),
        "valid_until": parse_moment(given["valid_until"] or "", zone, end=True),
    }


def _lines(file: Path) -> list[str]:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        return data.decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}:{line}: this is not UTF-8; save the file as CSV UTF-8") from error


def _person(person: "Person") -> dict[str, Any]:
    subscriber = person.subscriber
    return {
        "address": subscriber.address,
        "name": subscriber.name,
        "language": subscriber.language,
        "timezone": subscriber.timezone,
        "newsletters": {s.newsletter: s.status.value for s in person.subscriptions},
        "products": [licence.product for licence in person.licences if licence.active],
        "created_at": subscriber.created_at.isoformat(),
    }


def _dossier(dossier: "Dossier") -> dict[str, Any]:
    return {
        **_person(dossier.person),
        "suppressed": dossier.suppression,
        "choices": {s.newsletter: _chosen(s) for s in dossier.person.subscriptions},
        "licences": [
            {
                "product": licence.product,
                "active": licence.active,
                "valid_from": _iso(licence.valid_from),
                "valid_until": _iso(licence.valid_until),
                "archive_days": licence.archive_days,
                "embargo_cleared": licence.embargo_cleared,
            }
            for licence in dossier.person.licences
        ],
        "consents": [
            {
                "at": consent.at.isoformat(),
                "newsletter": consent.newsletter,
                "event": consent.event,
                "origin": consent.origin,
                "evidence": consent.evidence,
            }
            for consent in dossier.consents
        ],
    }


def _chosen(subscription: "Subscription") -> dict[str, Any]:
    choices = subscription.choices
    return {
        "rhythm": subscription.cadence,
        "timezone": subscription.timezone,
        "paused_until": _iso(subscription.paused_until),
        "sections": choices.sections,
        "tags": choices.tags,
        "languages": choices.languages,
        "urgency": choices.urgency_max,
        "form": choices.form.value,
    }


def _described(known: dict[str, Any]) -> str:
    lines = [
        known["address"],
        f"  name         {known['name'] or '-'}",
        f"  language     {known['language']}",
        f"  time zone    {known['timezone'] or 'as the newsletter'}",
        f"  newsletters  {_listed(known['newsletters'])}",
        f"  suppressed   {known['suppressed'] or 'no'}",
    ]
    for name, chosen in known["choices"].items():
        wishes = [
            f"{key.replace('_', ' ')} {', '.join(value) if isinstance(value, tuple) else value}"
            for key, value in chosen.items()
            if value and (key, value) != ("form", "full")
        ]
        lines += [f"  chosen       {name}: {'; '.join(wishes)}"] if wishes else []
    for licence in known["licences"]:
        dates = f"from {licence['valid_from'] or 'the start'} until {licence['valid_until'] or 'further notice'}"
        archive = f", {licence['archive_days']} days of archive" if licence["archive_days"] else ""
        cleared = ", embargo cleared" if licence["embargo_cleared"] else ""
        ended = "" if licence["active"] else " (inactive)"
        lines.append(f"  licence      {licence['product']} {dates}{archive}{cleared}{ended}")
    for consent in known["consents"]:
        words = f"{consent['event']} {consent['newsletter']} ({consent['origin']}) {consent['evidence']}"
        lines.append(f"  {consent['at']}  {words.rstrip()}")
    return "\n".join(lines)


def _listed(newsletters: dict[str, str]) -> str:
    return ", ".join(f"{name} {status}" for name, status in newsletters.items()) or "no newsletter"


def _skipped(lines: "Iterable[Skipped]") -> list[dict[str, Any]]:
    return [{"line": line.line, "email": line.email, "reason": line.reason} for line in lines]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
