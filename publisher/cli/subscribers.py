"""`publisher subscribers …`: people, what they get, and what they may read."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.subscriber_lists import export, import_people, picking_options
from publisher.errors import UsageError

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.choices import Change
    from publisher.model.people import Person, Subscription
    from publisher.services.circulation import Dossier


@click.group("subscribers")
def subscribers_command() -> None:
    """People: list, add, show, edit, import, export, erase, token."""


subscribers_command.add_command(import_people)
subscribers_command.add_command(export)


def _person_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--newsletters", metavar="IDS", help='Separated by commas; "" for none at all.'),
        click.option(
            "--products", metavar="IDS", help='What licences are for, separated by commas; "*" for everything.'
        ),
        click.option("--name"),
        click.option("--language", metavar="TAG", help="One of site.languages."),
        click.option("--timezone", metavar="ZONE", help="Such as Europe/Istanbul."),
        click.option(
            "--attribute",
            "attributes",
            multiple=True,
            metavar="KEY=VALUE",
            help="What else you know of them, such as city=Izmir; KEY= forgets it.",
        ),
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


def _change(wished: dict[str, Any], zone: str) -> "Change":
    from publisher.model.choices import Change, Form
    from publisher.services.cells import parse_list, parse_moment

    def listed(name: str) -> tuple[str, ...] | None:
        return None if wished[name] is None else parse_list(wished[name])

    until = parse_moment(wished["pause_until"] or "", zone, end=False)
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
@picking_options
@pass_context
def list_people(ctx: Context, /, **picking: str) -> None:
    """List everybody with what they get."""

    async def work(app: "App") -> list[dict[str, Any]]:
        picked = app.circulation.pick(app.clock.now(), **picking)
        return [_person(person) async for page in app.circulation.everybody(picked) for person in page]

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
    if not any(value is not None and value != () for value in given.values()):
        raise UsageError("say what to change; see: publisher subscribers edit --help")
    wished = {name: given.pop(name) for name in _CHOICES}

    async def work(app: "App") -> dict[str, Any]:
        now, judged = app.clock.now(), _judged(app, given)
        only = parse_list(wished["only"] or "")
        person = (await app.circulation.show(address)).person
        zone = given["timezone"] or person.subscriber.timezone or app.catalogue.site.timezone
        change = _change(wished, zone)
        current = [s.newsletter for s in person.subscriptions if s.status != "unsubscribed"]
        wanted = only or (current if judged["newsletters"] is None else judged["newsletters"])
        names = only or [name for name in wanted if name in app.catalogue.newsletters]
        app.choosing.judge(names, change, now)
        await app.circulation.edit(address, now, **judged)
        await app.choosing.change(person.subscriber.number, names, change, now)
        return _dossier(await app.circulation.show(address))

    from publisher.services.cells import parse_list

    known = ctx.run(work)
    ctx.emit(known, f"{known['address']}  {_listed(known['newsletters'])}")


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
    from publisher.segments.attributes import given_attribute
    from publisher.services.cells import parse_list, parse_moment

    zone = app.catalogue.site.timezone
    names = [key for key in ("newsletters", "products", "renew", "end") if key in given]
    lists: dict[str, Any] = {key: None if given[key] is None else parse_list(given[key]) for key in names}
    return {
        **given,
        **lists,
        "valid_from": parse_moment(given["valid_from"] or "", zone, end=False),
        "valid_until": parse_moment(given["valid_until"] or "", zone, end=True),
        "attributes": dict(map(given_attribute, given["attributes"])) or None,
    }


def _person(person: "Person") -> dict[str, Any]:
    subscriber = person.subscriber
    return {
        "address": subscriber.address,
        "name": subscriber.name,
        "language": subscriber.language,
        "timezone": subscriber.timezone,
        "attributes": dict(subscriber.attributes),
        "newsletters": {s.newsletter: s.status.value for s in person.subscriptions},
        "products": [licence.product for licence in person.licences if licence.active],
        "created_at": subscriber.created_at.isoformat(),
    }


def _dossier(dossier: "Dossier") -> dict[str, Any]:
    return {
        **_person(dossier.person),
        "suppressed": dossier.suppression and dossier.suppression.reason,
        "suppressed_at": dossier.suppression and dossier.suppression.at.isoformat(),
        "suppressed_by": dossier.suppression and dossier.suppression.origin,
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
                "given_at": _iso(consent.given_at),
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
        f"  suppressed   {_suppressed(known)}",
    ]
    lines += [f"  {key:<11}  {_value(value)}" for key, value in known["attributes"].items()]
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
    lines += ["  consent"] if known["consents"] else []
    for consent in known["consents"]:
        given = f", given {consent['given_at'][:16]}" if consent["given_at"] else ""
        words = f': "{consent["evidence"]}"' if consent["evidence"] else ""
        said = f"{consent['event']} {consent['newsletter']}, by {consent['origin']}"
        lines.append(f"    {consent['at'][:16]}  {said}{given}{words}")
    return "\n".join(lines)


def _suppressed(known: dict[str, Any]) -> str:
    if not known["suppressed"]:
        return "no"
    return f"{known['suppressed']}, since {known['suppressed_at'][:16]}, by {known['suppressed_by']}"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _listed(newsletters: dict[str, str]) -> str:
    return ", ".join(f"{name} {status}" for name, status in newsletters.items()) or "no newsletter"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
