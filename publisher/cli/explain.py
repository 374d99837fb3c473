"""`publisher explain ARTICLE [ADDRESS]`: where a story is and why; whether and why somebody got it, or will."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from publisher.cli.context import Context, pass_context

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.article import Article
    from publisher.model.trace import Carried, Mailed
    from publisher.services.explain import Account, Verdict


@click.command("explain")
@click.argument("article")
@click.argument("address", required=False)
@pass_context
def explain_command(ctx: Context, article: str, address: str | None) -> int:
    """Say where ARTICLE is and why; with ADDRESS, whether and why that person got it or will.

    ARTICLE is a number, id, slug, address, file, or a part of the title.
    """

    async def work(app: "App") -> "tuple[list[Article], Account | None, Verdict | None]":
        found, now = await app.explaining.find(article), app.clock.now()
        if len(found) > 1:
            return found, None, None
        verdict = await app.explaining.verdict(found[0], address, now) if address else None
        return found, await app.explaining.account(found[0], now), verdict

    found, account, verdict = ctx.run(work)
    if account is None:
        lines = [f"{len(found)} stories are called so; name one by its number:"]
        lines += [f"  {one.number:>6}  {one.title}  ({one.source})" for one in found]
        ctx.emit({"ambiguous": [_named(one) for one in found]}, "\n".join(lines))
        return 1
    lines = [*_headed(account.article)]
    lines += _told(verdict) if verdict else _accounted(account)
    ctx.emit({**_account(account), "reader": _verdict(verdict) if verdict else None}, "\n".join(lines))
    return 0


def _headed(article: "Article") -> list[str]:
    return [
        f"{article.title}",
        f"  number {article.number}, version {article.version}, {article.status.value}, {article.language}",
        f"  {article.id}",
    ]


def _accounted(account: "Account") -> list[str]:
    lines = [f"  file    {account.article.source}"]
    lines += [f"          {problem}" for problem in account.file_problems]
    if account.refused:
        lines.append("          The file as it is now was refused; what is out is its last good version.")
    lines.append("Where it is")
    lines += [f"  {'yes' if place.there else 'no ':<4} {place.name}: {place.why}" for place in account.places]
    lines.append("What happened to it")
    lines += [f"  {step.at:%Y-%m-%d %H:%M} UTC  version {step.version}: {step.change}" for step in account.steps]
    lines.append("Mail that had it" if account.carried else "No mail had it")
    lines += [f"  {_issue(each)}: {each.accepted} of {each.recipients} accepted" for each in account.carried]
    return lines


def _told(verdict: "Verdict") -> list[str]:
    lines = [f"{verdict.address}", f"  {verdict.verdict}"]
    lines += [f"  {reason}" for reason in verdict.reasons]
    lines += ["Mail to them that had it"] if verdict.brought else []
    lines += [f"  {_mail(each)}" for each in verdict.brought]
    lines.append("Newsletters")
    lines += [f"  {each.newsletter}: {' '.join(each.sentences)}" for each in verdict.prospects]
    return lines


def _issue(each: "Carried | Mailed") -> str:
    name = f"{each.newsletter or ''} no. {each.edition}" if each.edition else f"{each.kind.value} (issue {each.issue})"
    return f"{each.planned_at:%Y-%m-%d %H:%M} UTC  {name.strip()}{', in the sandbox' if each.sandbox else ''}"


def _mail(each: "Mailed") -> str:
    parts = [f"{_issue(each)}: version {each.version} as {each.mention.value} ({each.depth.value}), {each.state.value}"]
    parts += [f"{each.ended_at:%Y-%m-%d %H:%M} UTC"] if each.ended_at else []
    parts += [f"the relay said: {each.reply}"] if each.reply else []
    parts += [each.reason] if each.reason else []
    parts += [f"later: {report}" for report in each.reports]
    return ", ".join(parts)


def _named(article: "Article") -> dict[str, Any]:
    return {"number": article.number, "id": article.id, "title": article.title, "file": article.source}


def _account(account: "Account") -> dict[str, Any]:
    article = account.article
    return {
        **_named(article),
        "path": article.path,
        "version": article.version,
        "status": article.status,
        "access": article.access,
        "first_published_at": article.first_published_at and article.first_published_at.isoformat(),
        "file_problems": account.file_problems,
        "refused": account.refused,
        "places": [asdict(place) for place in account.places],
        "history": [asdict(step) for step in account.steps],
        "issues": [asdict(each) for each in account.carried],
    }


def _verdict(verdict: "Verdict") -> dict[str, Any]:
    return asdict(verdict)
