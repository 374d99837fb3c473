"""`publisher status`: what is running, what comes next, what waits, what is wrong."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.cli.suppressions import quarantine_line

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.issue import Issue

_SHOWN = 10


@click.command("status")
@pass_context
def status_command(ctx: Context) -> int:
    """Show what is running, the next slots, the queue and the latest problems."""
    found = ctx.run(standing)
    ctx.emit(found, _text(found))
    return 0


async def standing(app: "App") -> dict[str, Any]:
    """Returns all that the command shows."""
    from publisher.newsletters.schedule import next_slot, parse
    from publisher.owner import owned

    now = app.clock.now()
    problems = [str(problem) for problem in await app.publishing.problems() if problem.fatal]
    upcoming = {}
    for newsletter in app.catalogue.newsletters.values():
        slot = None if newsletter.instant else next_slot(parse(newsletter.schedule), newsletter.timezone, now)
        upcoming[newsletter.id] = slot.due_at if slot else None
    issues = await app.issues.latest(limit=_SHOWN)
    counts = await app.issues.all_counts([issue.number for issue in issues])
    loss = await app.publishing.loss()
    return {
        "running": owned(app.state),
        "nodes": await node_lines(app, now),
        "sandbox": app.settings.smtp.sandbox,
        "articles": len(app.publishing.intake.articles),
        "refused": problems,
        "held": [] if loss is None or loss.released else [loss.reason],
        "waiting": [issue.number for issue in await app.issues.held()],
        "next": upcoming,
        "missing": [problem.message for problem in app.preflight.missing(await app.readers.newsletters())],
        "issues": [
            {
                "issue": issue.number,
                "newsletter": issue.newsletter,
                "edition": issue.edition,
                "event": issue.event,
                "state": issue.state,
                "held": issue.hold_reasons,
                "stopped": _barred(app, issue) or issue.stop_reason,
                "planned_at": issue.planned_at,
                "counts": counts[issue.number],
            }
            for issue in issues
        ],
        "reports": await app.bounces.tallies(),
        "report_mailbox": await app.bounces.trouble() if app.report_mailbox else None,
        "hubs": [
            {
                "hub": each.hub,
                "waiting": each.waiting,
                "error": each.trouble.error if each.trouble else None,
                "since": each.trouble.since if each.trouble else None,
            }
            for each in await app.announcer.states()
        ],
        "quarantined": [
            {"issue": each.issue, "hard": each.hard, "recipients": each.recipients, "text": quarantine_line(each)}
            for each in await app.bounces.quarantines()
        ],
        "stopped": [
            {"code": stop.code, "reason": stop.reason, "until": stop.until, "relay": stop.relay or None}
            for stop in await app.delivering.stops()
        ],
        "queue": {state.value: count for state, count in (await app.deliveries.unsettled(None)).items()},
    }


async def node_lines(app: "App", now: datetime) -> list[dict[str, Any]]:
    """Returns the processes that share the database and live, with who takes the articles in."""
    from publisher.services.custody import ARTICLES

    if app.node is None:
        return []
    keeper = await app.node.nodes.holder(ARTICLES, now)
    return [
        {"host": each.host, "folder": each.folder, "process": each.pid, "articles": each.home == keeper}
        for each in await app.node.others(now)
    ]


def _barred(app: "App", issue: "Issue") -> str | None:
    """Returns why an unfinished issue waits for the sandbox to be turned on or off again."""
    unfinished = {"planning", "held", "sending", "paused"}
    return app.deliveries.bar(sandbox=issue.sandbox) if issue.state.value in unfinished else None


def _text(found: dict[str, Any]) -> str:
    lines = [
        f"service    {'process ' + str(found['running']) if found['running'] else 'not running'}",
        f"mail       {'sandbox: none leaves this machine' if found['sandbox'] else 'goes to real people'}",
        f"articles   {found['articles']}",
    ]
    lines += [
        f"node       {each['host']} {each['folder']}, process {each['process']}"
        f"{': the articles are taken in here' if each['articles'] else ''}"
        for each in found["nodes"]
    ]
    lines += [f"held       {reason}" for reason in found["held"]]
    if found["waiting"]:
        lines.append(f"waiting    for your word: publisher issues release {' '.join(map(str, found['waiting']))}")
    lines += [f"next       {name}: {_moment(at)}" for name, at in found["next"].items()]
    lines += [f"missing    {message}" for message in found["missing"]]
    queue = ", ".join(f"{count} {state}" for state, count in found["queue"].items() if count)
    lines.append(f"queue      {queue or 'empty'}")
    lines += [f"stopped    {stop['code']}: {stop['reason']}{_until(stop['until'])}" for stop in found["stopped"]]
    for issue in found["issues"]:
        counts = issue["counts"]
        reasons = [*issue["held"], *([issue["stopped"]] if issue["stopped"] else [])]
        held = f" ({'; '.join(reasons)})" if reasons else ""
        name = issue["event"] or f"{issue['newsletter']} no. {issue['edition']}"
        lines.append(
            f"issue {issue['issue']:<4} {name}: {issue['state'].value}{held}, "
            f"{counts.accepted} of {counts.planned} accepted"
        )
    if found["reports"]:
        lines.append("reports    " + ", ".join(f"{count} {name}" for name, count in found["reports"].items()))
    if found["report_mailbox"]:
        lines.append(f"reports    {found['report_mailbox']}")
    lines += [f"hub        {each['hub']}: {_heard(each)}" for each in found["hubs"]]
    lines += [f"bounces    {each['text']}" for each in found["quarantined"]]
    lines += [f"refused    {problem}" for problem in found["refused"]]
    return "\n".join(lines)


def _heard(hub: dict[str, Any]) -> str:
    waiting = f"{hub['waiting']} changed feeds wait" if hub["waiting"] else "has heard of every change"
    return f"{waiting}; since {_moment(hub['since'])}: {hub['error']}" if hub["error"] else waiting


def _until(at: Any) -> str:
    return "" if at is None else f" (until {_moment(at)})"


def _moment(at: Any) -> str:
    return "on publication" if at is None else at.isoformat(timespec="minutes")
