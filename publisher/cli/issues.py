"""`publisher issues …`: what went out, what is held, and what becomes of it."""

from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context
from publisher.errors import NotFoundError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from publisher.app import App
    from publisher.model.article import Article
    from publisher.model.issue import Issue, IssueCounts

_SHOWN = 50
_ENDED = ("done", "done_with_uncertain", "cancelled")
_ALL, _LOSSES = "all", "losses"
_MENTIONS = {"updated": " (updated)", "corrected": " (corrected)", "advisory": " (told about)"}
_NUMBER = click.IntRange(1, 2**63 - 1)
"""What the database can number."""


@click.group("issues")
def issues_command() -> None:
    """Issues: list, show, hold, release, cancel, retry."""


@issues_command.command("list")
@click.option("--newsletter", metavar="ID", help="Only this newsletter's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=_SHOWN, show_default=True)
@pass_context
def list_issues(ctx: Context, newsletter: str | None, limit: int) -> None:
    """List issues with their counts, newest first."""

    async def work(app: "App") -> tuple[list[dict[str, Any]], list[str]]:
        found = await app.issues.latest(newsletter=newsletter, limit=limit)
        counts = await app.issues.all_counts([issue.number for issue in found])
        loss = await app.publishing.loss()
        missing = [f"held: {loss.reason}"] if loss is not None and not loss.released else []
        return [_told(app, issue, counts[issue.number]) for issue in found], missing

    issues, missing = ctx.run(work)
    lines = [*missing, *map(_line, issues)]
    ctx.emit(issues, "\n".join(lines) or "no issue was made yet")


@issues_command.command("show")
@click.argument("number", type=_NUMBER)
@pass_context
def show_issue(ctx: Context, number: int) -> None:
    """Show one issue: its stories, its counts, and who has not got it."""

    async def work(app: "App") -> dict[str, Any]:
        issue = await _found(app, number)
        refs = await app.issues.stories(number)
        articles = await app.articles.by_numbers(ref.article for ref in refs)
        return {
            **_told(app, issue, await app.issues.counts(number)),
            "waits": [str(stop) for stop in await app.delivering.stops()] if issue.state.value == "sending" else [],
            "stories": [
                {
                    "title": _title(articles[ref.article]),
                    "id": articles[ref.article].id,
                    "version": ref.version,
                    "depth": ref.depth.value,
                    "updated": ref.mention.value == "updated",
                    "mention": ref.mention.value,
                }
                for ref in refs
                if ref.article in articles
            ],
            "preflight": _found_in(app, articles.values()) if issue.state.value == "held" else [],
            "unreached": [
                {"address": one.address, "state": one.state.value, "reason": one.reason, "reply": one.reply}
                for one in await app.issues.unreached(number)
            ],
        }

    shown = ctx.run(work)
    lines = [_line(shown), f"  {shown['subject']}"]
    lines += [f"  held: {reason}" for reason in shown["held"]]
    lines += [f"  stopped: {shown['stopped']}"] if shown["stopped"] else []
    lines += [f"  waits: {reason}" for reason in shown["waits"]]
    lines += [f"  - {story['title']}{_MENTIONS.get(story['mention'], '')}" for story in shown["stories"]]
    lines += [f"    {finding}" for finding in shown["preflight"]]
    lines += [f"  {one['state']}: {one['address']}  {one['reason']} {one['reply']}" for one in shown["unreached"]]
    ctx.emit(shown, "\n".join(lines))


def _found_in(app: "App", articles: "Iterable[Article]") -> list[str]:
    """Returns what is to be found in the files of these stories as they are now."""
    return [f"{problem} [{problem.code}]" for problem in app.preflight.of_files([one.source for one in articles])]


@issues_command.command("hold")
@click.argument("number", type=_NUMBER)
@pass_context
def hold_issue(ctx: Context, number: int) -> None:
    """Stop an issue until it is released; what is on its way is not called back."""

    async def work(app: "App") -> dict[str, Any]:
        _require(await app.issues.hold(number, "operator: held by hand"), await _found(app, number), "held")
        return await _after(app, number)

    ctx.emit(after := ctx.run(work), _line(after))


@issues_command.command("release")
@click.argument("what", metavar="N...|all|losses", nargs=-1, required=True)
@pass_context
def release_issue(ctx: Context, what: tuple[str, ...]) -> None:
    """Let held or paused issues go: by number, or `all` that are held.

    The running service delivers them, else the next `send` or `run`. `losses` has the stories taken down that are
    gone from the folder and were held because they are many.
    """
    if what == (_LOSSES,):
        return _release_losses(ctx)

    async def work(app: "App") -> list[dict[str, Any]]:
        numbers = await _held(app) if what == (_ALL,) else [_number(word) for word in what]
        for number in numbers:
            await _require_deliverable(app, number)
        released = []
        for number in numbers:
            _require(await app.issues.release(number, app.clock.now()), await _found(app, number), "released")
            released.append(await _after(app, number))
        return released

    after = ctx.run(work)
    single = after[0] if len(after) == 1 and what != (_ALL,) else after
    ctx.emit(single, "\n".join(map(_line, after)) or "nothing is held")
    return None


def _release_losses(ctx: Context) -> None:
    async def work(app: "App") -> int:
        loss = await app.publishing.loss()
        if loss is None or not await app.publishing.release_loss():
            raise NotFoundError("no stories are missing from the folder")
        return len(loss.sources)

    gone = ctx.run(work)
    ctx.emit(
        {"released": gone}, f"{gone} stories will be taken down by the service within a minute, or by the next build"
    )


async def _held(app: "App") -> list[int]:
    """Returns the issues that wait for a word and may go at present, oldest first."""
    found = await app.issues.held()
    return [issue.number for issue in found if app.deliveries.bar(sandbox=issue.sandbox) is None]


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or not 1 <= int(word) < 2**63:
        raise UsageError(f"{word!r} is no issue's number; say numbers, `{_ALL}` or `{_LOSSES}`")
    return int(word)


@issues_command.command("cancel")
@click.argument("number", type=_NUMBER)
@pass_context
def cancel_issue(ctx: Context, number: int) -> None:
    """End an issue: whoever has not got it will not; its stories become pending again for them."""

    async def work(app: "App") -> dict[str, Any]:
        done = await app.issues.cancel(number, app.clock.now())
        _require(done, await _found(app, number), "cancelled")
        return await _after(app, number)

    ctx.emit(after := ctx.run(work), _line(after))


@issues_command.command("retry")
@click.argument("number", type=_NUMBER)
@pass_context
def retry_issue(ctx: Context, number: int) -> None:
    """Send once more to everybody whose mail was refused, expired or is uncertain."""

    async def work(app: "App") -> dict[str, Any]:
        await _require_deliverable(app, number)
        again = await app.issues.retry(number, app.clock.now())
        return {**await _after(app, number), "again": again}

    after = ctx.run(work)
    ctx.emit(after, f"{after['again']} deliveries are tried again\n{_line(after)}")


async def _found(app: "App", number: int) -> "Issue":
    issue = await app.issues.issue(number)
    if issue is None:
        raise NotFoundError(f"there is no issue {number}; see: publisher issues list")
    return issue


async def _after(app: "App", number: int) -> dict[str, Any]:
    return _told(app, await _found(app, number), await app.issues.counts(number))


def _require(done: bool, issue: "Issue", what: str) -> None:
    if not done:
        raise StoreError(f"issue {issue.number} is {issue.state.value}: it cannot be {what}")


async def _require_deliverable(app: "App", number: int) -> None:
    issue = await _found(app, number)
    if barred := app.deliveries.bar(sandbox=issue.sandbox):
        raise StoreError(f"issue {number} was {barred}")


def _title(article: "Article") -> str:
    """Returns how a story is called; a killed one by its number, for the headline may be what was wrong."""
    return f"ref {article.number}, killed" if article.status.value == "killed" else article.title


def _barred(app: "App", issue: "Issue") -> str:
    """Returns why an unfinished issue does not go on at present, empty when it does."""
    barred = app.deliveries.bar(sandbox=issue.sandbox)
    return barred if barred and issue.state not in _ENDED else ""


def _told(app: "App", issue: "Issue", counts: "IssueCounts") -> dict[str, Any]:
    return {
        "issue": issue.number,
        "kind": issue.kind.value,
        "newsletter": issue.newsletter,
        "edition": issue.edition,
        "event": issue.event,
        "slot": issue.period,
        "timezone": issue.timezone,
        "due_at": issue.due_at,
        "planned_at": issue.planned_at,
        "state": issue.state.value,
        "subject": issue.subject,
        "sandbox": issue.sandbox,
        "held": issue.hold_reasons,
        "stopped": _barred(app, issue) or issue.stop_reason,
        "planned": counts.planned,
        "accepted": counts.accepted,
        "deferred": counts.deferred,
        "rejected": counts.rejected,
        "suppressed": counts.suppressed,
        "uncertain": counts.uncertain,
    }


def _line(told: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{told[name]} {name}" for name in ("accepted", "deferred", "rejected", "suppressed", "uncertain") if told[name]
    )
    where = f"{told['newsletter'] or told['kind']} {told['edition'] or ''}".strip()
    done = f"{told['planned']} planned: {counts or 'none yet'}"
    stopped = f"  ({told['stopped']})" if told["stopped"] else ""
    return f"{told['issue']:>5}  {where}  {told['slot'] or told['event']}  {told['state']}  {done}{stopped}"
