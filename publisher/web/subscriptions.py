"""`/subscribe`, `/confirm/TOKEN`, `/unsubscribe/TOKEN`, `/preferences/TOKEN`: GET shows, POST acts.

Whoever holds a signed link may do what it is for, so those pages need no other
proof than not being posted to by another site. The sign-up form, which anybody may
fill in for anybody, carries a signed token of its own and a trap.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message

from publisher.app import App
from publisher.errors import UnreachableError
from publisher.languages import label, language_name, spoken
from publisher.mail.addresses import Address, AddressError, parse_address
from publisher.model.people import ConfirmationState
from publisher.model.view import Label
from publisher.services.subscribe import LOCAL_NETWORK, Leaving, Preferences, Visit
from publisher.web.headers import PAGE_POLICY
from publisher.web.negotiation import known_language, language_for

_MAX_BODY = 16 * 1024
_BODY_SECONDS = 15.0
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0)
"""Pauses between the attempts to keep a sign-up that was answered already: four minutes in all."""
_FORM_LASTS = 24 * 3600
_UNDO_LASTS = 3600
_FIELDS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
    "content-security-policy": PAGE_POLICY,
}
_log = structlog.get_logger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(app: App) -> list[BaseRoute]:
    """Returns the routes of everything that people do with their subscriptions."""
    pages = _Pages(app)
    return [
        Route("/subscribe", pages.subscribe, methods=["GET", "POST"]),
        Route("/confirm/{token}", pages.confirm, methods=["GET", "POST"]),
        Route("/unsubscribe/{token}", pages.unsubscribe, methods=["GET", "POST"]),
        Route("/unsubscribe/{token}/undo", pages.undo, methods=["POST"]),
        Route("/preferences/{token}", pages.preferences, methods=["GET", "POST"]),
    ]


class _Pages:
    """The pages of one publication."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._subscribing = app.subscribing
        self._site = app.catalogue.site

    async def subscribe(self, request: Request) -> Response:
        """The sign-up form, and its taking; the answer is the same whoever is signed up."""
        language = self._language(request)
        if request.method != "POST":
            return self._form(request, language, self._asked_for(request))
        form = await _form(request)
        _refuse_foreign(request, self._site.url)
        address, chosen = _text(form, "email"), _texts(form, "newsletter")
        language = known_language(_text(form, "language"), self._site) or language
        opened = {newsletter.id for newsletter in self._subscribing.offered()}
        if not self._signed(_text(form, "form_token"), "subscribe", _FORM_LASTS):
            return self._form(request, language, chosen, address, "problem_form", 403)
        if not opened.intersection(chosen):
            return self._form(request, language, chosen, address, "problem_choice", 422)
        try:
            parsed = parse_address(address)
        except AddressError:
            return self._form(request, language, chosen, address, "problem_address", 422)
        task = None
        if not _text(form, "website"):
            # After the answer: how long it takes must not tell whether somebody is known.
            task = BackgroundTask(self._sign_up, parsed, chosen, language, _visit(request), self._now())
        inbox = self._site.absolute("/inbox/") if self._app.settings.smtp.sandbox else None
        return self._page("subscribe_done", language, 202, task, inbox_url=inbox)

    async def confirm(self, request: Request) -> Response:
        """The button behind a confirmation mail; pressing it twice is as good as once."""
        token = request.path_params["token"]
        pending = await self._subscribing.pending(token, self._now())
        if pending is None:
            raise HTTPException(404, headers=_FIELDS)
        language = self._language(request, pending.language)
        ids = [newsletter.id for newsletter in pending.newsletters]
        if request.method != "POST":
            if pending.expired:
                return self._form(request, language, ids, problem="problem_expired", status=410)
            titles = [newsletter.title.in_language(language) for newsletter in pending.newsletters]
            return self._page("confirm", language, action=self._site.absolute(request.url.path), titles=titles)
        await _form(request)
        _refuse_foreign(request, self._site.url)
        done = await self._subscribing.confirm(token, _visit(request), self._now())
        if done is None:
            raise HTTPException(404, headers=_FIELDS)
        if done.state is ConfirmationState.EXPIRED:
            return self._form(request, language, ids, problem="problem_expired", status=410)
        if not done.newsletters:
            return self._form(request, language, ids, problem="problem_left")
        titles = [newsletter.title.in_language(language) for newsletter in done.newsletters]
        return self._page(
            "confirmed", language, titles=titles, feed_url=done.feed_url, preferences_url=done.preferences_url
        )

    async def unsubscribe(self, request: Request) -> Response:
        """Leaving a newsletter: by a button, or by one click in a mail program (RFC 8058), which needs nothing else."""
        token = request.path_params["token"]
        leaving = await self._subscribing.leaving(token)
        if leaving is None:
            raise HTTPException(404, headers=_FIELDS)
        language = self._language(request, leaving.language)
        title = self._title(leaving, language)
        if request.method != "POST":
            action = self._site.absolute(request.url.path)
            return self._page("unsubscribe", language, action=action, newsletter_title=title)
        form = await _form(request)
        if _text(form, "List-Unsubscribe") == "One-Click":
            await self._subscribing.unsubscribe(token, "one-click", _visit(request), self._now())
            return PlainTextResponse(
                label("unsubscribed_title", spoken(language, self._site.language)) + "\n", headers=_FIELDS
            )
        _refuse_foreign(request, self._site.url)
        await self._subscribing.unsubscribe(token, "web", _visit(request), self._now())
        return self._page(
            "unsubscribed",
            language,
            newsletter_title=title,
            undo=None if leaving.everything else self._site.absolute(f"{request.url.path}/undo"),
            form_token=self._sign(f"undo {token}"),
        )

    async def undo(self, request: Request) -> Response:
        """Takes back an unsubscription: only from the page that told of it, and only for a while."""
        token = request.path_params["token"]
        leaving = await self._subscribing.leaving(token)
        if leaving is None:
            raise HTTPException(404, headers=_FIELDS)
        form = await _form(request)
        _refuse_foreign(request, self._site.url)
        language = self._language(request, leaving.language)
        signed = self._signed(_text(form, "form_token"), f"undo {token}", _UNDO_LASTS)
        if not signed or not await self._subscribing.undo_unsubscribe(token, _visit(request), self._now()):
            raise HTTPException(403, headers=_FIELDS)
        return self._page("confirmed", language, titles=[self._title(leaving, language)])

    async def preferences(self, request: Request) -> Response:
        """What a person gets, to choose from, to pause and to leave."""
        token = request.path_params["token"]
        found = await self._subscribing.preferences(token)
        if found is None:
            raise HTTPException(404, headers=_FIELDS)
        saved = request.method == "POST"
        if saved:
            form = await _form(request)
            _refuse_foreign(request, self._site.url)
            if _text(form, "form") != "preferences":
                # No box ticked is a choice; a form that was cut off, or none at all, is not.
                raise HTTPException(422, "this is not the whole form", headers=_FIELDS)
            found = await self._changed(token, form, _visit(request)) or found
        language = self._language(request, found.subscriber.language)
        return self._page(
            "preferences",
            language,
            action=self._site.absolute(request.url.path),
            offered=found.offered,
            chosen=found.chosen,
            paused=found.paused,
            reader_language=found.subscriber.language,
            saved=saved,
        )

    async def _changed(self, token: str, form: FormData, visit: Visit) -> Preferences | None:
        now = self._now()
        match _text(form, "action"):
            case "pause":
                return await self._subscribing.pause(token, now, paused=True)
            case "resume":
                return await self._subscribing.pause(token, now, paused=False)
            case "leave":
                return await self._subscribing.leave_all(token, visit, now)
            case _:
                language = known_language(_text(form, "language"), self._site) or ""
                return await self._subscribing.choose(token, _texts(form, "newsletter"), language, visit, now)

    async def _sign_up(
        self, address: Address, newsletters: Sequence[str], language: str, visit: Visit, now: datetime
    ) -> None:
        """Keeps what was promised with the answer, also when the database is away for a while."""
        for pause in (*_RETRY_SECONDS, None):
            try:
                await self._subscribing.sign_up(address, newsletters, language, visit, now)
            except UnreachableError as error:
                if pause is None:
                    _log.error("subscribe.lost", newsletters=newsletters, at=now.isoformat(), error=str(error))
                    return
                await self._pause(pause, newsletters, now, error)
            else:
                return

    async def _pause(self, seconds: float, newsletters: Sequence[str], now: datetime, error: UnreachableError) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:  # the service ends before the database is back
            _log.error("subscribe.lost", newsletters=newsletters, at=now.isoformat(), error=str(error))
            raise

    # ----------------------------------------------------------------------------------------------------------------

    def _form(
        self,
        request: Request,
        language: str,
        chosen: Sequence[str],
        address: str = "",
        problem: str | None = None,
        status: int = 200,
    ) -> Response:
        return self._page(
            "subscribe",
            language,
            status,
            action=self._site.absolute("/subscribe"),
            form_token=self._sign("subscribe"),
            chosen=chosen,
            address=address[:254],
            problem=problem,
            robots="noindex",
            languages=self._in_languages("/subscribe") if request.url.path == "/subscribe" else (),
        )

    def _page(
        self, name: str, language: str, status: int = 200, task: BackgroundTask | None = None, /, **context: Any
    ) -> Response:
        content = self._app.templates.page(name, language, **context)
        return HTMLResponse(content, status, headers={**_FIELDS, "content-language": language}, background=task)

    def _now(self) -> datetime:
        return self._app.clock.now()

    def _title(self, leaving: Leaving, language: str) -> str:
        if leaving.newsletter is not None:
            return leaving.newsletter.title.in_language(language)
        return (
            label("all_newsletters", spoken(language, self._site.language)) if leaving.everything else self._site.title
        )

    def _asked_for(self, request: Request) -> Sequence[str]:
        """What is ticked at first: what the link asks for, else the only one there is."""
        offered = [newsletter.id for newsletter in self._subscribing.offered()]
        asked = request.query_params.getlist("newsletter")
        return [name for name in offered if name in asked] or (offered if len(offered) == 1 else [])

    def _in_languages(self, path: str) -> tuple[Label, ...]:
        tags = self._site.languages if len(self._site.languages) > 1 else ()
        return tuple(
            Label(id=tag, title=language_name(tag), url=self._site.absolute(f"{path}?lang={tag}")) for tag in tags
        )

    def _language(self, request: Request, reader: str = "") -> str:
        return language_for(request, self._site, reader)

    def _sign(self, purpose: str) -> str:
        return self._serializer(purpose).dumps(purpose)

    def _signed(self, token: str, purpose: str, lasts: int) -> bool:
        try:
            return bool(self._serializer(purpose).loads(token, max_age=lasts) == purpose)
        except BadSignature:
            return False

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        now = self._now

        class OurTime(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(now().timestamp())

        return URLSafeTimedSerializer(self._app.tokens.form_key(), salt=purpose, signer=OurTime)


async def _form(request: Request) -> FormData:
    """Returns the fields of a posted form, urlencoded or multipart; nothing is kept on disk."""
    body = await _body(request)

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        return await Request(request.scope, replay).form(max_files=0, max_fields=100, max_part_size=_MAX_BODY)
    except (MultiPartException, HTTPException, UnicodeDecodeError) as error:
        raise HTTPException(400, "the form cannot be read", headers=_FIELDS) from error


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MAX_BODY:
                    raise HTTPException(413, headers=_FIELDS)
    except TimeoutError as error:
        raise HTTPException(408, headers={**_FIELDS, "connection": "close"}) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the form did not come whole", headers=_FIELDS) from error
    return body


def _text(form: Mapping[str, object], name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _texts(form: FormData, name: str) -> list[str]:
    return [value for value in form.getlist(name) if isinstance(value, str)]


def _refuse_foreign(request: Request, site_url: str) -> None:
    """Refuses what another site's page posts (OWASP CSRF, Fetch Metadata §2.4).

    Our own pages send no referrer, so a browser names their origin as `null`.
    """
    fetched_from = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "null")
    if fetched_from is not None:
        ours = fetched_from in ("same-origin", "none")
    else:
        host = _host(origin)
        ours = origin == "null" or (host != "" and host in (request.headers.get("host"), urlsplit(site_url).netloc))
    if not ours:
        raise HTTPException(403, "forms of other sites are not taken", headers=_FIELDS)


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _visit(request: Request) -> Visit:
    host = request.client.host if request.client else ""
    return Visit(network=_network(host), user_agent=request.headers.get("user-agent", ""))


def _network(host: str) -> str:
    """Returns the /24 or /64 that a peer is in: enough to count by, and less than a person."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return LOCAL_NETWORK
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback:
        return LOCAL_NETWORK
    bits = 24 if address.version == 4 else 64
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
