"""`publisher send`: an issue now."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.moments import moment_option
from publisher.errors import OwnerError, PublisherError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from publisher.app import App
    from publisher.model.delivery import Ending
    from publisher.model.issue import IssueCounts
    from publisher.services.plan import Sending

    _Work = Callable[[App], Awaitable[dict[str, Any]]]

_POLL_SECONDS = 0.3
_NOTHING = {"planned": 0, "accepted": 0, "deferred": 0, "rejected": 0, "suppressed": 0, "uncertain": 0}


@click.command("send")
@click.argument("newsletter")
@click.option("--dry-run", is_flag=True, help="Show who would get what, who would not and why; send nothing.")
@click.option(
    "--to", "address", metavar="ADDRESS", help="Send one mail marked [TEST] to this address; nothing is noted."
)
@click.option("--at", metavar="TIME", help="Plan as of this moment, such as 2026-10-19T07:00.")
@click.option("--since", metavar="TIME", help="Reach back to stories published since then.")
@click.option("--segment", default="", metavar="ID", help="Only to those of its readers who are in this segment.")
@click.option("--yes", is_flag=True, help="Let the issue go even if it would be held.")
@pass_context
def send_command(
    ctx: Context,
    newsletter: str,
    dry_run: bool,
    address: str | None,
    at: str | None,
    since: str | None,
    segment: str,
    yes: bool,
) -> int:
    """Plan and deliver an issue of NEWSLETTER now, or go on with an unfinished one."""
    if dry_run and address:
        raise UsageError("--dry-run and --to are two different things: choose one")
    if dry_run:
        return _rehearse(ctx, newsletter, at, since, segment)
    if address and segment:
        raise UsageError("--to and --segment are two different things: choose one")
    if address:
        return _test(ctx, newsletter, address, at, since)
    return _send(ctx, newsletter, at, since, segment, yes=yes)


# Looking only ---------------------------------------------------------------------------------------------------------


def _rehearse(ctx: Context, newsletter: str, at: str | None, since: str | None, segment: str) -> int:

    async def work(app: "App") -> dict[str, Any]:
        found = await app.previewing.rehearse(
            newsletter, app.clock.now(), at=moment_option(app, at), since=moment_option(app, since), segment=segment
        )
        return {
            "newsletter": newsletter,
            "planned": found.planned,
            "recipients": [
                {
                    "address": address,
                    "language": share.language,
                    "stories": share.stories,
                    "already_sent": share.already_sent,
                }
                for share in found.shares
                for address in share.addresses
            ],
            "left_out": [{"address": address, "reason": reason} for address, reason in found.left_out],
            "held": found.held,
        }

    async def after_taking_in(app: "App") -> dict[str, Any]:
        await _take_in(app, ctx)
        return await work(app)

    plan = _alone_or_beside(ctx, after_taking_in, work)
    lines = [f"{newsletter}: {plan['planned']} mails"]
    lines += [f"  {one['address']} ({one['language']}): {'; '.join(one['stories'])}" for one in plan["recipients"]]
    lines += [f"  not {one['address']}: {one['reason']}" for one in plan["left_out"]]
    lines += [f"would be held: {reason}" for reason in plan["held"]]
    ctx.emit(plan, "\n".join(lines))
    return 0


def _test(ctx: Context, newsletter: str, address: str, at: str | None, since: str | None) -> int:
    from publisher.services.preview import NoMail

    async def work(app: "App") -> tuple[dict[str, Any], int]:
        from publisher.mail.addresses import parse_address

        mailbox = parse_address(address)
        found = await app.previewing.preview(
            newsletter,
            app.clock.now(),
            address_key=mailbox.key,
            at=moment_option(app, at),
            since=moment_option(app, since),
            test=True,
        )
        if isinstance(found, NoMail):
            raise UsageError("there is no story yet that a test could show")
        ending = await app.delivering.deliver_test(found.mail, await app.proofs.recipient(mailbox.mailbox), newsletter)
        reply = f"{ending.code or ''} {ending.text}".strip() or str(ending.fault or "")
        told = {"to": mailbox.mailbox, "subject": found.mail.subject, "accepted": ending.accepted, "reply": reply}
        return told, _failure(ending)

    told, code = ctx.run(work)
    ctx.emit(told, f"{'accepted' if told['accepted'] else 'not accepted'}: {told['to']}: {told['reply']}")
    return code


def _failure(ending: "Ending") -> int:
    """Returns the exit code: 3 where the relay could not be spoken to, 1 where it said no."""
    from publisher.model.delivery import SETUP, Fault, Phase

    if ending.accepted:
        return 0
    silent = ending.phase in SETUP and ending.fault in (Fault.DISCONNECTED, Fault.TIMEOUT)
    return 3 if silent or ending.phase is Phase.CONNECT else 1


# Sending --------------------------------------------------------------------------------------------------------------


def _send(ctx: Context, newsletter: str, at: str | None, since: str | None, segment: str, *, yes: bool) -> int:
    progress = _Progress()
    try:
        told = _alone_or_beside(
            ctx,
            lambda app: _send_alone(app, ctx, newsletter, at, since, segment, yes=yes, progress=progress.show),
            lambda app: _send_beside(app, newsletter, at, since, segment, yes=yes, progress=progress.show),
        )
    except KeyboardInterrupt:
        ctx.say("stopped; run the same command again to go on")
        raise
    finally:
        progress.end()
    return _answer(ctx, told)


def _alone_or_beside(ctx: Context, alone: "_Work", beside: "_Work") -> dict[str, Any]:
    """Runs `alone` as the publication's one owner, `beside` where a service runs already."""
    from publisher.owner import owned, owning

    state = ctx.state()
    if owned(state) is not None:
        return ctx.run(beside)
    with owning(state):
        return ctx.run(alone)


async def _take_in(app: "App", ctx: Context) -> None:
    """Takes in what changed in the folder, so that a plan knows it."""
    await app.planning.begin(app.clock.now())
    report = await app.publishing.catch_up(app.clock.now(), thorough=False)
    for problem in report.refused:
        ctx.say(f"refused: {problem}")


async def _send_alone(
    app: "App",
    ctx: Context,
    newsletter: str,
    at: str | None,
    since: str | None,
    segment: str,
    *,
    yes: bool,
    progress: "Callable[[IssueCounts], None]",
) -> dict[str, Any]:
    """Takes in what changed in the folder, plans, and delivers in this process."""
    await _take_in(app, ctx)
    now = app.clock.now()
    await app.choosing.wake(now)
    await _announce(app, now)
    sending: Sending = await app.planning.send(
        newsletter, now, at=_not_ahead(app, at), since=moment_option(app, since), segment=segment, release=yes
    )
    if sending.held:
        return {"held": sending.held}
    if sending.issue is None:
        return {"issue": None, **_NOTHING}
    drained = await app.delivering.drain(sending.issue.number, progress)
    if drained.trouble:
        ctx.say(f"not all could be delivered: {drained.trouble}")
    return {"issue": sending.issue.number, **asdict(drained.counts)}


async def _announce(app: "App", now: "datetime") -> None:
    """Tells first what happened to stories that people have: who was told gets nothing of it in the issue."""
    for issue in await app.announcing.due(now, impatient=True):
        await app.delivering.drain(issue)


async def _send_beside(
    app: "App",
    newsletter: str,
    at: str | None,
    since: str | None,
    segment: str,
    *,
    yes: bool,
    progress: "Callable[[IssueCounts], None]",
) -> dict[str, Any]:
    """Leaves the wish for the running service and follows what comes of it (decisions 16)."""
    app.planning.newsletter(newsletter)
    ahead, back = _not_ahead(app, at), moment_option(app, since)
    options = {
        "at": ahead.isoformat() if ahead else None,
        "since": back.isoformat() if back else None,
        "segment": segment,
        "yes": yes,
    }
    wish = await app.issues.request_send(newsletter, options, app.clock.now())
    answer = await _answered(app, wish)
    if "error" in answer:
        raise PublisherError(str(answer["error"]))
    if "held" in answer or answer.get("issue") is None:
        return answer if "held" in answer else {"issue": None, **_NOTHING}
    return {"issue": answer["issue"], **asdict(await _followed(app, int(answer["issue"]), progress))}


async def _answered(app: "App", wish: int) -> dict[str, Any]:
    while True:
        request = await app.issues.request(wish)
        if request is not None and request.answer is not None:
            return request.answer
        await _still_running(app)


async def _followed(app: "App", issue: int, progress: "Callable[[IssueCounts], None]") -> "IssueCounts":
    from publisher.model.issue import DeliveryState

    waiting = {DeliveryState.DEFERRED, DeliveryState.UNCERTAIN}
    while True:
        settled = set(await app.deliveries.unsettled(issue)) <= waiting
        counts = await app.issues.counts(issue)
        progress(counts)
        if settled:
            return counts
        await _still_running(app)


async def _still_running(app: "App") -> None:
    from publisher.owner import owned

    if owned(app.state) is None:
        raise OwnerError("the service has ended before it was done; run the same command again to go on")
    await asyncio.sleep(_POLL_SECONDS)


def _not_ahead(app: "App", at: str | None) -> Any:
    moment = moment_option(app, at)
    if moment is not None and moment > app.clock.now():
        raise UsageError("--at lies ahead: see what would go out then with --dry-run, or set a schedule")
    return moment


def _answer(ctx: Context, told: dict[str, Any]) -> int:
    if "held" in told:
        lines = [*(f"held: {reason}" for reason in told["held"]), "let it go with --yes, or: publisher issues release"]
        ctx.emit({"held": told["held"]}, "\n".join(lines))
        return 1
    if told["issue"] is None:
        ctx.emit(told, "nothing to send: no reader has anything pending")
        return 0
    counts = ", ".join(f"{told[name]} {name}" for name in _NOTHING)
    ctx.emit(told, f"issue {told['issue']}: {counts}")
    return 1 if told["deferred"] or told["uncertain"] else 0


class _Progress:
    """A line that shows how far delivery is, on a terminal only."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, counts: "IssueCounts") -> None:
        """Shows the present counts in place of the last ones."""
        if sys.stderr.isatty():
            done = counts.planned - counts.deferred
            click.echo(f"\r{done} of {counts.planned} done, {counts.accepted} accepted ", nl=False, err=True)
            self._shown = True

    def end(self) -> None:
        """Ends the line."""
        if self._shown:
            click.echo(err=True)
