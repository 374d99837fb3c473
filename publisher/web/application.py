"""The web side as one ASGI application: what is published first, then what answers to people."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from publisher.app import App
from publisher.web import health, inbox, private, subscriptions
from publisher.web.health import Vitals
from publisher.web.public import PublicFiles

_PAGES = {404: "not_found", 410: "gone"}
_FIELDS = {"cache-control": "no-store", "x-robots-tag": "noindex", "x-content-type-options": "nosniff"}


def application(app: App, vitals: Vitals) -> ASGIApp:
    """Returns the ASGI application of one publication."""
    routes: Sequence[BaseRoute] = [
        *subscriptions.routes(app),
        *private.routes(app),
        *inbox.routes(app),
        *health.routes(app, vitals),
    ]

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        if status == 404 and request.url.path in app.publishing.gone:
            status = 410
        headers = {**_FIELDS, **(error.headers or {})}
        if not _wants_page(request):
            return JSONResponse({"error": error.detail}, status, headers=headers)
        return HTMLResponse(_page(app, _PAGES.get(status, "error"), status), status, headers=headers)

    async def failure(_request: Request, _error: Exception) -> Response:
        return HTMLResponse(_page(app, "error", 500), 500, headers=_FIELDS)

    behind = Starlette(routes=routes, exception_handlers={HTTPException: http_error, 500: failure})
    return PublicFiles(app.folder / "public", behind, lambda: app.publishing.moved)


def _wants_page(request: Request) -> bool:
    return "application/json" not in request.headers.get("accept", "")


def _page(app: App, name: str, status: int) -> str:
    return app.templates.page(name, app.catalogue.site.language, robots="noindex", status=status)
