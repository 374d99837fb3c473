"""`/read/TOKEN/`: one reader's page of an issue; never in a cache, an index, a log or a referrer."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from publisher.app import App
from publisher.web.headers import PAGE_POLICY

_FIELDS = {
    "cache-control": "private, no-store",
    "x-robots-tag": "noindex, nofollow",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": PAGE_POLICY.replace("img-src 'self'", "img-src 'self' https:"),
}


def routes(app: App) -> list[BaseRoute]:
    """Returns the routes of readers' own pages of issues."""

    async def read(request: Request) -> Response:
        found = await app.reading_room.reading(request.path_params["token"], app.clock.now())
        if found is None:
            raise HTTPException(404, "nothing at this address", headers=_FIELDS)
        language = found.edition.language
        home = app.publishing.outline.home_url(language)
        html = app.templates.page(
            "read", language, edition=found.edition, lapse=found.lapse, home=home, robots="noindex"
        )
        return HTMLResponse(html, headers=_FIELDS)

    return [Route("/read/{token}", read), Route("/read/{token}/", read)]
