"""Asks other sites whether links to them still lead somewhere; only when somebody wants to know."""

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import Sequence

_PATIENCE_SECONDS = 10
_AT_ONCE = 8
_AGENT = "publisher-check"
_GONE = frozenset({404, 410})
"""Answers that say that nothing is there; others (403, 429, 503) say only that we were not let in."""


async def unreachable(urls: Sequence[str]) -> dict[str, str]:
    """Returns the addresses at which nothing is, and what came in place of an answer."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def one(url: str) -> str:
        async with few:
            return await asyncio.to_thread(_fault, url)

    answers = await asyncio.gather(*map(one, urls))
    return {url: fault for url, fault in zip(urls, answers, strict=True) if fault}


def _fault(url: str) -> str:
    """Returns what is wrong with an address; a site that answers no HEAD is asked with GET."""
    for method in ("HEAD", "GET"):
        try:
            request = urllib.request.Request(url, method=method, headers={"User-Agent": _AGENT})  # noqa: S310
            with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):  # noqa: S310 - http and https only
                return ""
        except urllib.error.HTTPError as error:
            if method == "HEAD" and error.code not in (429, 503):
                continue
            return f"answers {error.code}" if error.code in _GONE else ""
        except (OSError, http.client.HTTPException, ValueError) as error:
            return f"cannot be reached: {getattr(error, 'reason', None) or error}"
    return ""
