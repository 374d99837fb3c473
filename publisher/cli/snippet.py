"""`publisher snippet`: a sign-up form for one's own site."""

from typing import TYPE_CHECKING

import click

from publisher.cli.context import Context, pass_context
from publisher.errors import NotFoundError, UsageError
from publisher.languages import languages

if TYPE_CHECKING:
    from publisher.app import App
    from publisher.model.catalogue import Newsletter


@click.command("snippet")
@click.argument("newsletters", nargs=-1)
@click.option("--language", default="", help="Language of the form; the site's when not given.")
@pass_context
def snippet_command(ctx: Context, newsletters: tuple[str, ...], language: str) -> None:
    """Print a sign-up form for another site, plain HTML without script.

    It is for the NEWSLETTERS named, or all that anybody may sign up for. That site has to be in
    http.form_origins, or its forms are refused.
    """

    async def work(app: "App") -> tuple[str, list[str], list[str]]:
        offered = _wanted({n.id: n for n in app.subscribing.offered()}, newsletters)
        site = app.catalogue.site
        asked = language or site.language
        if asked not in (*site.languages, *languages()):
            raise UsageError(f"no form is in {asked!r}; there are: {', '.join(site.languages)}")
        html = app.templates.page("_snippet", asked, offered=offered, action=site.absolute("/subscribe"))
        return html.strip() + "\n", [n.id for n in offered], app.settings.http.form_origins

    html, names, origins = ctx.run(work)
    if not origins:
        ctx.say('name the site it will stand on, or its forms are refused: http.form_origins = ["https://example.org"]')
    ctx.emit({"html": html, "newsletters": names, "form_origins": origins}, html.rstrip("\n"))


def _wanted(offered: "dict[str, Newsletter]", names: tuple[str, ...]) -> "list[Newsletter]":
    for name in names:
        if name not in offered:
            known = ", ".join(offered) or "none"
            raise NotFoundError(f"there is no newsletter {name!r} that anybody may sign up for; there are: {known}")
    return [offered[name] for name in dict.fromkeys(names or offered)]
