"""Opens a web address once, as a stranger would."""

import asyncio
import http.client
import ssl
import urllib.error
import urllib.request
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from publisher.errors import UnreachableError
from publisher.model.checkup import WebAnswer

_SECONDS = 10.0
_OCTETS = 64 * 1024


class Website:
    """The public address, from outside; certificates are verified, redirects told and not followed."""

    async def get(self, url: str) -> WebAnswer:
        """Returns the answer, whatever its status; UnreachableError when there is none."""
        return await asyncio.to_thread(_get, url)


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        return None


def _get(url: str) -> WebAnswer:
    opener = urllib.request.build_opener(_Straight(), urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"user-agent": "publisher doctor"})  # noqa: S310  (settings allow http only)
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return _told(answer.status, answer.headers, answer.read(_OCTETS))
    except urllib.error.HTTPError as error:
        with error:
            return _told(error.code, error.headers, error.read(_OCTETS))
    except urllib.error.URLError as error:
        raise UnreachableError(_why(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(_why(error)) from error


def _told(status: int, headers: Any, body: bytes) -> WebAnswer:
    return WebAnswer(status=status, body=body, location=headers.get("location") or "", at=_moment(headers.get("date")))


def _moment(date: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(date).astimezone(UTC) if date else None
    except ValueError:
        return None


def _why(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {reason.verify_message}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {_SECONDS:g} seconds"
    return str(reason) or type(reason).__name__
