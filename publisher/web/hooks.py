"""`/hooks/bounce`: reports from a mail service, signed with a shared secret (docs/bounces.md)."""

import asyncio
import hmac
from datetime import datetime

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from publisher.app import App
from publisher.mail.reports import LARGEST
from publisher.model.report import Receipt, Recipient, Report, ReportKind

_BODY_SECONDS = 30.0
_WINDOW_SECONDS = 300
"""How far the signature's time may be from ours; a report that is said again within it changes nothing."""
_MOST_REPORTS = 100
_FIELDS = {"cache-control": "no-store", "x-robots-tag": "noindex", "x-content-type-options": "nosniff"}


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """One report as JSON; what is missing is empty."""

    type: str
    return_path: str = ""
    message_id: str = ""
    recipient: str = ""
    action: str = "failed"
    status: str = ""
    diagnostic: str = ""
    feedback: str = "abuse"

    def to_report(self) -> Report:
        """Returns it as any other report; ValueError for a type that there is not."""
        if self.type not in ("bounce", "complaint"):
            raise ValueError(f'type: "bounce" or "complaint" is needed, not {self.type!r}')
        kind = ReportKind(self.type)
        address = self.recipient.strip().lower()
        return Report(
            kind=kind,
            recipients=(
                Recipient(
                    addresses=(address,) if address else (),
                    action=self.action.lower(),
                    status=self.status,
                    diagnostic=self.diagnostic[:500],
                ),
            ),
            feedback=self.feedback.lower() if kind is ReportKind.COMPLAINT else "",
            envelopes=(self.return_path[:320],) if self.return_path else (),
            message_ids=(self.message_id[:320],) if self.message_id else (),
        )


class _Documents(msgspec.Struct, forbid_unknown_fields=True):
    """What is posted."""

    reports: list[_Document]


def routes(app: App) -> list[BaseRoute]:
    """Returns the hook's route; without a secret there is none."""
    secret = app.settings.bounces.hook_secret.get_secret_value().encode()

    async def answered(request: Request) -> Response:
        try:
            return JSONResponse({"reports": [_told(receipt) for receipt in await take(request)]}, headers=_FIELDS)
        except HTTPException as error:  # a machine asks, whatever it says that it accepts
            fields = {**_FIELDS, **(error.headers or {})}
            return JSONResponse({"error": error.detail}, error.status_code, headers=fields)

    async def take(request: Request) -> list[Receipt]:
        body = await _body(request)
        now = app.clock.now()
        if not _is_signed(request, body, secret, now):
            raise HTTPException(401, "the signature is missing, wrong or too old")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == "message/rfc822":
            return [await app.bounces.take_message(body, now)]
        if content_type == "application/json":
            return [await app.bounces.take(report, now) for report in _reports(body)]
        raise HTTPException(415, "application/json or message/rfc822 is needed")

    return [Route("/hooks/bounce", answered, methods=["POST"])] if secret else []


def _is_signed(request: Request, body: bytes, secret: bytes, now: datetime) -> bool:
    """HMAC-SHA-256 over `TIME.BODY`, hexadecimal, compared in constant time; TIME must be near ours."""
    time = request.headers.get("x-publisher-timestamp", "")
    said = request.headers.get("x-publisher-signature", "").removeprefix("sha256=")
    ours = hmac.digest(secret, time.encode("latin-1") + b"." + body, "sha256").hex()
    genuine = hmac.compare_digest(ours.encode(), said.encode("latin-1"))
    fresh = time.isascii() and time.isdecimal() and abs(int(time[:12]) - now.timestamp()) <= _WINDOW_SECONDS
    return genuine and fresh


def _reports(body: bytes) -> list[Report]:
    try:
        documents = msgspec.json.decode(body, type=_Documents).reports
        if len(documents) > _MOST_REPORTS:
            raise ValueError(f"at most {_MOST_REPORTS} reports in one call")
        return [document.to_report() for document in documents]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise HTTPException(400, f"the reports cannot be read: {error}") from error


def _told(receipt: Receipt) -> dict[str, str | int | None]:
    """What the caller may know: not whose address it was, for a mail service has that already."""
    return {
        "kind": receipt.kind.value,
        "meaning": receipt.meaning.value,
        "effect": receipt.effect.value,
        "issue": receipt.issue,
    }


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise HTTPException(413, "too large for a report", {"connection": "close"})
    except TimeoutError as error:
        raise HTTPException(408, "the report did not come in time", {"connection": "close"}) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the report did not come whole") from error
    return bytes(body)
