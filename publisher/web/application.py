"""The web side as one ASGI application: what is published first, then what answers to people."""

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from publisher.app import App
from publisher.errors import UnreachableError
from publisher.services.websub import link_header
from publisher.web import health, hooks, inbox, metrics, preview, private, read, subscriptions
from publisher.web.headers import PAGE_POLICY
from publisher.web.health import Vitals
from publisher.web.negotiation import language_for
from publisher.web.pollers import Pollers
from publisher.web.proxied import proxied
from publisher.web.public import PublicFiles
from publisher.web.readership import Readership

_PAGES = {404: "not_found", 410: "gone"}
_FIELDS = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": PAGE_POLICY,
}
_RETRY_SECONDS = "30"
_log = structlog.get_logger(__name__)


def application(app: App, vitals: Vitals) -> ASGIApp:
    """Returns the ASGI application of one publication."""
    readership = Readership()
    routes: Sequence[BaseRoute] = [
        *subscriptions.routes(app),
        *private.routes(app),
        *read.routes(app),
        *inbox.routes(app),
        *preview.routes(app),
        *hooks.routes(app),
        *health.routes(app, vitals),
        *metrics.routes(app, vitals, readership),
    ]

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        if status == 404 and request.url.path in app.publishing.gone:
            status = 410
        return _answer(app, request, status, error.detail, {**_FIELDS, **(error.headers or {})})

    async def unreachable(request: Request, error: Exception) -> Response:
        _log.error("web.unreachable", error=str(error))
        return _answer(app, request, 503, "not available for the moment", {**_FIELDS, "retry-after": _RETRY_SECONDS})

    async def failure(request: Request, _error: Exception) -> Response:
        return HTMLResponse(_page(app, request, "error", 500), 500, headers=_FIELDS)

    behind = Starlette(
        routes=routes, exception_handlers={HTTPException: http_error, UnreachableError: unreachable, 500: failure}
    )
    # Starlette would send to the host that the request names, with the token in the address.
    behind.router.redirect_slashes = False
    redirects = app.settings.redirects
    prefix, http = urlsplit(app.catalogue.site.url).path, app.settings.http
    files = PublicFiles(
        app.folder / "public",
        behind,
        lambda: {**redirects, **app.publishing.moved},
        prefix=prefix,
        pollers=Pollers(http.poll_limit),
        readership=readership,
        link=partial(link_header, app.catalogue.site),
    )
    return proxied(files, prefix, http.trusted_proxies)


def _answer(app: App, request: Request, status: int, detail: str, headers: Mapping[str, str]) -> Response:
    if not _wants_page(request):
        return JSONResponse({"error": detail}, status, headers=headers)
    return HTMLResponse(_page(app, request, _PAGES.get(status, "error"), status), status, headers=headers)


def _wants_page(request: Request) -> bool:
    return "application/json" not in request.headers.get("accept", "")


def _page(app: App, request: Request, name: str, status: int) -> str:
    language = language_for(request, app.catalogue.site)
    home = app.publishing.outline.home_url(language)
    return app.templates.page(name, language, home=home, robots="noindex", status=status)
