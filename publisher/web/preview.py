"""`/preview/`: the next mail of a newsletter as anybody would get it, and again whenever a file is saved.

For the operator's eyes: there only while the sandbox is on, and only for a
browser on this machine, as it shows what any reader may read.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from publisher.app import App
from publisher.errors import NotFoundError, PublisherError, UsageError
from publisher.mail.addresses import parse_address
from publisher.model.archive import PastIssue
from publisher.model.catalogue import Newsletter
from publisher.services.moments import parse_moment
from publisher.services.preview import NoMail, Preview
from publisher.web.headers import MAIL_POLICY, PAGE_POLICY

NEW, PUBLIC, READER = "new", "public", "reader"
"""Who looks: a new subscriber to everything, anybody on the web, one reader."""
FORMS = ("html", "text", "eml")
SCHEMES = ("light", "dark")
_NOTHING_PUBLIC = "the public would have nothing of this issue"
_OFFERED_READERS = 50
_LOOK_SECONDS = 0.1
_KEEP_ALIVE_SECONDS = 15.0
_SCRIPT = """\
"use strict";
const script = document.currentScript;
const changes = new EventSource(script.dataset.changes);
changes.addEventListener("change", () => { changes.close(); location.reload(); });
addEventListener("pagehide", () => changes.close());
"""
_FIELDS = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_OWN_POLICY = f"{PAGE_POLICY}; frame-src 'self'; script-src 'self'; connect-src 'self'"
_SCHEME_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")
_SCHEME_CHOICE = re.compile(r"(<meta name=\"(?:supported-)?color-schemes?\" content=\"|color-scheme:\s*)light dark")
_STYLESHEET = re.compile(r'<link rel="stylesheet" href="[^"]*/style\.css">')
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is to be shown."""

    newsletter: Newsletter
    who: str
    address: str
    at: datetime | None
    form: str
    scheme: str


def routes(app: App) -> list[BaseRoute]:
    """Returns the routes of the preview; none when mail goes to real people."""
    if not app.settings.smtp.sandbox:
        return []

    async def page(request: Request) -> Response:
        _require_local(request)
        if not app.catalogue.newsletters:
            raise HTTPException(404)
        stamp = app.publishing.stamp
        shown, status = await _shown(app, request.query_params)
        changes = f"{app.catalogue.site.absolute('/preview/changes')}?{urlencode({'since': stamp})}"
        html = app.templates.page("preview", app.catalogue.site.language, **shown, changes=changes)
        return HTMLResponse(html, status, headers={**_FIELDS, "content-security-policy": _OWN_POLICY})

    async def frame(request: Request) -> Response:
        _require_local(request)
        try:
            html = await _framed(app, _wish(app, request.query_params))
        except (NotFoundError, UsageError) as error:
            raise HTTPException(404, str(error)) from error
        return HTMLResponse(html, headers={**_FIELDS, "content-security-policy": MAIL_POLICY})

    async def changes(request: Request) -> Response:
        _require_local(request)
        stream = _changes(app, request.query_params.get("since", ""))
        return StreamingResponse(stream, media_type="text/event-stream", headers=_FIELDS)

    async def script(request: Request) -> Response:
        _require_local(request)
        return Response(_SCRIPT, media_type="text/javascript; charset=utf-8", headers=_FIELDS)

    return [
        Route("/preview", page),
        Route("/preview/", page),
        Route("/preview/frame", frame),
        Route("/preview/changes", changes),
        Route("/preview/live.js", script),
    ]


def _require_local(request: Request) -> None:
    """Answers 404 to whoever is not on this machine, or comes through a proxy: what is shown is for few."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    if forwarded or request.client is None or not _is_loopback(request.client.host):
        raise HTTPException(404)


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


# What is asked for ----------------------------------------------------------------------------------------------------


def _wish(app: App, asked: Mapping[str, str]) -> _Wish:
    """Returns what an address asks for; UsageError or NotFoundError says what is wrong with it."""
    newsletters = app.catalogue.newsletters
    name = asked.get("newsletter") or next(iter(newsletters))
    address, who = asked.get("address", "").strip(), asked.get("who", NEW)
    if address and who == NEW:
        who = READER
    if who == READER and not address:
        raise UsageError("write the reader's address")
    at = asked.get("at", "").strip()
    return _Wish(
        newsletter=app.planning.newsletter(name),
        who=who if who in (NEW, PUBLIC, READER) else NEW,
        address=parse_address(address).key if who == READER else "",
        at=parse_moment(at, app.catalogue.site.timezone) if at else None,
        form=asked["form"] if asked.get("form") in FORMS else FORMS[0],
        scheme=asked["scheme"] if asked.get("scheme") in SCHEMES else SCHEMES[0],
    )


async def _shown(app: App, asked: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    """Returns what the page says, and its status."""
    common: dict[str, Any] = {
        "chosen_newsletter": asked.get("newsletter", ""),
        "who": asked.get("who", NEW),
        "address": asked.get("address", ""),
        "at": asked.get("at", ""),
        "form": asked.get("form", FORMS[0]),
        "scheme": asked.get("scheme", SCHEMES[0]),
        "all_newsletters": tuple(app.catalogue.newsletters.values()),
        "readers": (),
        "mail": None,
        "frame_url": None,
        "reason": "",
    }
    try:
        wish = _wish(app, asked)
        common |= {"who": wish.who, "readers": await _readers(app, wish.newsletter)}
        return common | await _told(app, wish), 200
    except PublisherError as error:
        return common | {"problem": str(error)}, 400


async def _told(app: App, wish: _Wish) -> dict[str, Any]:
    if wish.who == PUBLIC:
        html = await _issue_page(app, wish)
        return {"frame_url": _frame_url(app, wish)} if html else {"reason": _NOTHING_PUBLIC}
    preview = await _preview(app, wish)
    if isinstance(preview, NoMail):
        return {"reason": preview.reason}
    proof = await app.proofs.of(preview)
    texts = {"text": proof.text, "eml": proof.source.decode("utf-8", "replace"), "html": ""}
    mail = {
        "subject": preview.mail.subject,
        "preheader": preview.mail.preheader,
        "recipient": preview.reader.address,
        "sample": preview.sample,
        "kilobytes": round(len(proof.html.encode()) / 1024),
        "text": texts[wish.form],
    }
    return {"mail": mail, "frame_url": _frame_url(app, wish) if wish.form == "html" else None}


def _frame_url(app: App, wish: _Wish) -> str:
    asked = {"newsletter": wish.newsletter.id, "who": wish.who, "address": wish.address, "scheme": wish.scheme}
    if wish.at is not None:
        asked["at"] = wish.at.isoformat()
    return f"{app.catalogue.site.absolute('/preview/frame')}?{urlencode(asked)}"


async def _readers(app: App, newsletter: Newsletter) -> list[str]:
    page = await app.readers.page(newsletter.id, newsletter.schedule, newsletter.timezone, limit=_OFFERED_READERS)
    return [reader.address for reader in page]


async def _preview(app: App, wish: _Wish) -> Preview | NoMail:
    key = wish.address or None
    return await app.previewing.preview(wish.newsletter.id, app.clock.now(), address_key=key, at=wish.at)


# What is shown --------------------------------------------------------------------------------------------------------


async def _framed(app: App, wish: _Wish) -> str:
    """Returns the HTML of a frame, in one colour scheme whatever the browser prefers."""
    if wish.who == PUBLIC:
        html = await _issue_page(app, wish)
        if html is None:
            raise NotFoundError(_NOTHING_PUBLIC)
        style = await asyncio.to_thread(_stylesheet, app)
        html = _STYLESHEET.sub(lambda _: f"<style>{style}</style>", html)
    else:
        preview = await _preview(app, wish)
        if isinstance(preview, NoMail):
            raise NotFoundError(preview.reason)
        html = (await app.proofs.of(preview)).html
    # Links open in a tab of their own, for inside the frame the pages' forms are dead.
    return _HEAD.sub(lambda head: f'{head[0]}<base target="_blank">', in_scheme(html, wish.scheme), count=1)


async def _issue_page(app: App, wish: _Wish) -> str | None:
    """Returns the page that the issue would have on the web; None where it would have none."""
    if not wish.newsletter.archive:
        raise UsageError(f"issues of {wish.newsletter.id} do not stand on the web: see newsletters.archive")
    preview = await _preview(app, wish)
    if isinstance(preview, NoMail):
        return None
    await app.publishing.wake(app.clock.now())
    page = await app.publishing.rehearse_issue(
        PastIssue(
            number=0,
            newsletter=wish.newsletter.id,
            edition=await app.issues.next_edition(wish.newsletter.id),
            due_at=preview.at,
            timezone=wish.newsletter.timezone,
            stories=tuple((pick.article.number, pick.mention) for pick in preview.picks),
        )
    )
    return None if page is None else page.decode()


def _stylesheet(app: App) -> str:
    file = app.folder / "public" / "style.css"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def in_scheme(html: str, scheme: str) -> str:
    """Returns a document as a browser shows it that prefers a colour scheme, `light` or `dark`."""
    chosen = _SCHEME_QUERY.sub(lambda found: f"({'min' if found[1] == scheme else 'max'}-width: 0px)", html)
    return _SCHEME_CHOICE.sub(lambda found: f"{found[1]}{scheme}", chosen)


async def _changes(app: App, since: str) -> AsyncIterator[str]:
    """Yields an event as soon as what is out, or how it is laid out, is not what it was."""
    waited = 0.0
    yield "retry: 500\n\n"
    while app.publishing.stamp == since:
        await asyncio.sleep(_LOOK_SECONDS)
        waited += _LOOK_SECONDS
        if waited >= _KEEP_ALIVE_SECONDS:
            waited = 0.0
            yield ": nothing new\n\n"
    yield f"event: change\ndata: {app.publishing.stamp}\n\n"
