"""Tells a WebSub hub that a feed has changed (W3C WebSub §6).

One small request, of whose answer only the status counts: written here, so that a hub that hangs holds no thread
and ends with the service.
"""

import asyncio
import ssl
from urllib.parse import SplitResult, urlencode, urlsplit

from publisher.errors import UnreachableError

_SECONDS = 10.0
_PORTS = {"http": 80, "https": 443}


class HubCaller:
    """Posts to hubs; follows no redirect, as a POST must not become a GET."""

    async def publish(self, hub: str, topic: str) -> None:
        """Says that the feed at the address `topic` is another one; UnreachableError when the hub does not take it."""
        # How to say it is free (§6); hubs in use know the second key, or both.
        form = urlencode({"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}).encode()
        try:
            async with asyncio.timeout(_SECONDS):
                status = await _post(urlsplit(hub), form)
        except TimeoutError as error:
            raise UnreachableError(f"no answer within {_SECONDS:g} seconds") from error
        except (OSError, ValueError) as error:
            raise UnreachableError(str(error) or type(error).__name__) from error
        if not 200 <= status < 300:
            raise UnreachableError(f"it answered {status}")


async def _post(hub: SplitResult, form: bytes) -> int:
    """Returns the status that a hub answers with."""
    secure = ssl.create_default_context() if hub.scheme == "https" else None
    reader, writer = await asyncio.open_connection(hub.hostname, hub.port or _PORTS[hub.scheme], ssl=secure)
    try:
        head = [
            f"POST {hub.path or '/'}{f'?{hub.query}' if hub.query else ''} HTTP/1.1",
            f"Host: {hub.netloc.rpartition('@')[2]}",
            "User-Agent: publisher",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(form)}",
            "Connection: close",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode("ascii") + form)
        await writer.drain()
        version, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError("it does not speak HTTP")
        return int(rest[:3])
    finally:
        writer.close()
