"""Posted forms: read whole and within limits, judged by where they come from, and signed so that they can be ours."""

import asyncio
import ipaddress
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from publisher.services.subscribe import LOCAL_NETWORK, Visit
from publisher.web.headers import PAGE_POLICY

FIELDS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
    "content-security-policy": PAGE_POLICY,
}
"""The headers of every page that is about one person."""
_MAX_BODY = 16 * 1024
_BODY_SECONDS = 15.0


async def posted(request: Request, fields: int = 100) -> FormData:
    """Returns the fields of a posted form, so many at most, urlencoded or multipart; nothing is kept on disk."""
    body = await _body(request)

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        return await Request(request.scope, replay).form(max_files=0, max_fields=fields, max_part_size=_MAX_BODY)
    except (MultiPartException, HTTPException, UnicodeDecodeError) as error:
        raise HTTPException(400, "the form cannot be read", headers=FIELDS) from error


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MAX_BODY:
                    raise HTTPException(413, headers=FIELDS)
    except TimeoutError as error:
        raise HTTPException(408, headers={**FIELDS, "connection": "close"}) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the form did not come whole", headers=FIELDS) from error
    return body


def text(form: Mapping[str, object], name: str) -> str:
    """Returns one field, trimmed; empty when it was not sent."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts(form: FormData, name: str) -> list[str]:
    """Returns the values of a field that may come several times."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def allowed_origin(request: Request, origins: Collection[str]) -> str:
    """Returns which of these other sites a form was posted from; empty: from none of them.

    A browser names the origin in every such post (Fetch §3.2), and no page can make it name another.
    """
    origin = request.headers.get("origin", "").lower()
    return origin if origin in origins else ""


def refuse_foreign(request: Request, site_url: str) -> None:
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
        raise HTTPException(403, "forms of other sites are not taken", headers=FIELDS)


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def visit_of(request: Request, words: str = "") -> Visit:
    """Returns where a request came from, as evidence; `words` are those that the form showed."""
    host = request.client.host if request.client else ""
    return Visit(network=_network(host), user_agent=request.headers.get("user-agent", ""), words=words)


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


class FormTokens:
    """Signs forms: proof that we made one, for which purpose and when; nothing is remembered."""

    def __init__(self, key: bytes, now: Callable[[], datetime]) -> None:
        """Takes the key of forms (`Tokens.form_key`) and whose time it is."""
        self._key = key
        self._now = now

    def sign(self, purpose: str) -> str:
        """Returns the token of a form that is shown now."""
        return self._serializer(purpose).dumps(purpose)

    def signed(self, token: str, purpose: str, lasts: int) -> bool:
        """Returns whether a token is ours, for this purpose, and at most `lasts` seconds old."""
        try:
            return bool(self._serializer(purpose).loads(token, max_age=lasts) == purpose)
        except BadSignature:
            return False

    def is_newer(self, token: str, purpose: str, seconds: int) -> bool:
        """Returns whether a token is ours and not `seconds` old yet: quicker than a person fills a form in."""
        return self.signed(token, purpose, seconds - 1)

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        now = self._now

        class OurTime(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(now().timestamp())

        return URLSafeTimedSerializer(self._key, salt=purpose, signer=OurTime)
