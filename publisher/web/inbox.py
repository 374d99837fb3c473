"""`/inbox/`: what the sandbox caught, for the operator's eyes; there only while the sandbox is on."""

import asyncio
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from publisher.app import App
from publisher.transports.inbox import Arrival, ReceivedMail
from publisher.web.headers import MAIL_POLICY, PAGE_POLICY

_SHOWN = 200
_FIELDS = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": f"{PAGE_POLICY}; frame-src 'self'",
}
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


def routes(app: App) -> list[BaseRoute]:
    """Returns the routes of the sandbox's inbox; none when mail goes to real people."""
    if not app.settings.smtp.sandbox:
        return []

    async def inbox(_request: Request) -> Response:
        arrivals = await asyncio.to_thread(app.inbox.arrivals, _SHOWN)
        total = await asyncio.to_thread(app.inbox.count)
        mails = [_listed(app, arrival) for arrival in arrivals]
        return _page(app, "inbox", mails=mails, total=total)

    async def message(request: Request) -> Response:
        mail = await _opened(app, request)
        url = _url(app, mail.arrival)
        shown = {**_listed(app, mail.arrival), "text": mail.text, "source": mail.source.decode("utf-8", "replace")}
        inbox_url = app.catalogue.site.absolute("/inbox/")
        html_url = f"{url}html" if mail.html else None
        return _page(app, "inbox_message", mail=shown, html_url=html_url, inbox_url=inbox_url)

    async def html(request: Request) -> Response:
        mail = await _opened(app, request)
        # Links open in a tab of their own, for inside the frame the pages' forms are dead.
        text = _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', mail.html, count=1)
        return HTMLResponse(text, headers={**_FIELDS, "content-security-policy": MAIL_POLICY})

    async def source(request: Request) -> Response:
        mail = await _opened(app, request)
        return Response(mail.source, media_type="text/plain; charset=utf-8", headers=_FIELDS)

    return [
        Route("/inbox", inbox),
        Route("/inbox/", inbox),
        Route("/inbox/{id}", message),
        Route("/inbox/{id}/", message),
        Route("/inbox/{id}/html", html),
        Route("/inbox/{id}/source", source),
    ]


async def _opened(app: App, request: Request) -> ReceivedMail:
    mail = await asyncio.to_thread(app.inbox.open, request.path_params["id"])
    if mail is None:
        raise HTTPException(404)
    return mail


def _listed(app: App, arrival: Arrival) -> dict[str, Any]:
    return {
        "url": _url(app, arrival),
        "subject": arrival.subject,
        "sender": arrival.sender,
        "recipient": arrival.recipient,
        "received_at": arrival.received_at,
    }


def _url(app: App, arrival: Arrival) -> str:
    return app.catalogue.site.absolute(f"/inbox/{arrival.id}/")


def _page(app: App, name: str, **context: object) -> Response:
    html = app.templates.page(name, app.catalogue.site.language, **context)
    return HTMLResponse(html, headers=_FIELDS)
