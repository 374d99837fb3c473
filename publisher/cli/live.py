"""`publisher live`: from the sandbox to real people, one step after the other."""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.doctor import lines, nameserver_option, told

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.checkup import Finding
    from publisher.services.golive import Audience


@dataclass(slots=True)
class _Walk:
    """How far somebody has come, and what comes next."""

    findings: "list[Finding]"
    audience: "Audience"
    live: bool = False
    tested: str | None = None
    """The address of the test mail that counts."""
    read: bool = False
    """Whether its code was said."""
    next: list[str] = field(default_factory=list)
    running: bool = False


@click.command("live")
@click.option("--to", "address", metavar="ADDRESS", help="Send the test mail to this address, by the real relay.")
@click.option("--code", metavar="NNNNNN", help="What the test mail said.")
@click.option("--recipients", type=int, metavar="N", help="How many people mail will go to from now on.")
@click.option("--despite", multiple=True, metavar="WHAT", help="Go on although this failed, such as: address.")
@nameserver_option
@pass_context
def live_command(
    ctx: Context,
    address: str | None,
    code: str | None,
    recipients: int | None,
    despite: tuple[str, ...],
    nameserver: str,
) -> int:
    """Go from the sandbox to real people: what must stand, a test mail that arrived, the count confirmed.

    Each step stays done; called again it goes on with the next. At the end smtp.sandbox is false in config.toml.
    """
    from publisher import config

    if not config.load(ctx.folder).smtp.sandbox:
        return _already(ctx, nameserver)
    config.load(ctx.folder, live=True)

    async def work(app: "App") -> _Walk:
        return await _walk(app, ctx, address, code, recipients, despite, nameserver)

    walk = ctx.run(work)
    if walk.live:
        config.leave_sandbox(ctx.folder)
        ctx.run(_note)
    _tell(ctx, walk)
    return 0 if walk.live else 1


def _already(ctx: Context, nameserver: str) -> int:
    async def work(app: "App") -> "tuple[list[Finding], Any]":
        return await app.doctor(nameserver=nameserver).examine(app.clock.now()), await app.going_live.live_since()

    findings, since = ctx.run(work)
    shown = [*lines(findings), "mail goes to real people" + (f" since {since:%Y-%m-%d %H:%M} UTC" if since else "")]
    ctx.emit({"live": True, "since": since, "findings": [told(finding) for finding in findings]}, "\n".join(shown))
    return 1 if any(finding.blocks for finding in findings) else 0


async def _walk(
    app: "App",
    ctx: Context,
    address: str | None,
    code: str | None,
    recipients: int | None,
    despite: tuple[str, ...],
    nameserver: str,
) -> _Walk:
    from publisher.owner import owned

    now, going = app.clock.now(), app.going_live
    findings = await app.doctor(nameserver=nameserver, live=True).examine(now)
    walk = _Walk(findings=findings, audience=await going.audience(), running=owned(app.state) is not None)
    for line in lines(findings):
        ctx.say(line)
    barred = [finding.about for finding in findings if finding.blocks and finding.about not in despite]
    if barred:
        walk.next.append(f"mend what failed, and call publisher live again: {', '.join(barred)}")
        return walk
    await _test(app, ctx, walk, address, code)
    if walk.read:
        _count(ctx, walk, recipients)
    return walk


async def _test(app: "App", ctx: Context, walk: _Walk, address: str | None, code: str | None) -> None:
    """The step of the test mail: sent, arrived, read."""
    going = app.going_live
    trial = await going.trial(app.clock.now())
    walk.read = await going.proven(app.clock.now()) and not address
    if not walk.read and address is None and trial is None and _asks(ctx):
        address = click.prompt("a test mail goes to", err=True)
    if address:
        endings = await going.send_test(address, app.clock.now())
        for name, ending in endings.items():
            relay = "the relay" if len(endings) == 1 else f"the relay {name}"
            if not ending.accepted:
                reply = f"{ending.code or ''} {ending.text}".strip() or str(ending.fault or "")
                walk.next.append(f"{relay} did not take the test mail to {address}: {reply}")
            else:
                ctx.say(f"{relay} took a test mail to {address}")
        if walk.next:
            return
        if len(endings) > 1:
            ctx.say(f"see that all {len(endings)} arrive, one by each relay")
        trial = await going.trial(app.clock.now())
    walk.tested = trial.address if trial else None
    if trial is None:
        walk.next.append("send a test mail: publisher live --to you@your.domain")
        return
    if walk.read:
        return
    if code is None and _asks(ctx):
        code = click.prompt(f"what does the mail to {trial.address} say", err=True)
    if code is None:
        walk.next.append(f"open the mail to {trial.address}, and say what it says: publisher live --code NNNNNN")
        return
    walk.read = await going.take_code(code, app.clock.now())
    if not walk.read:
        walk.next.append(f"the mail to {trial.address} says something else; look again: publisher live --code NNNNNN")


def _count(ctx: Context, walk: _Walk, recipients: int | None) -> None:
    """The step of the count: read, and said again."""
    people = walk.audience.people
    for line in _audience(walk.audience):
        ctx.say(line)
    if recipients is None and _asks(ctx):
        recipients = click.prompt("how many people is that", type=int, err=True)
    if recipients is None:
        walk.next.append(f"confirm the count: publisher live --recipients {people}")
    elif recipients != people:
        walk.next.append(f"it is {people} people, not {recipients}: look at publisher subscribers list")
    else:
        walk.live = True


def _audience(audience: "Audience") -> list[str]:
    shown = [f"mail will go to {audience.people} people"]
    shown += [f"  {name}: {count}" for name, count in sorted(audience.newsletters.items())]
    if audience.unreal:
        shown.append(
            f"  {audience.unreal} of them have addresses that no mail reaches (example.org and such): "
            "end them with publisher subscribers erase"
        )
    return shown


def _asks(ctx: Context) -> bool:
    return not ctx.json and sys.stdin.isatty() and sys.stderr.isatty()


async def _note(app: "App") -> None:
    await app.going_live.went_live(app.clock.now())


def _tell(ctx: Context, walk: _Walk) -> None:
    after = []
    if walk.live:
        after = ["smtp.sandbox is false now: mail goes to real people"]
        after.append("start the service again" if walk.running else "start the service: publisher run")
        after.append("its first issue to real people waits for your word: publisher issues list")
    ctx.emit(
        {
            "live": walk.live,
            "findings": [told(finding) for finding in walk.findings],
            "test": {"address": walk.tested, "read": walk.read},
            "recipients": walk.audience.people,
            "newsletters": walk.audience.newsletters,
            "unreal": walk.audience.unreal,
            "next": walk.next or after,
        },
        "\n".join([*(f"next: {step}" for step in walk.next), *after]),
    )
