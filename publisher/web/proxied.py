"""Behind a proxy: who really asks, and the path below the public address."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


class _Below:
    """Takes the public address's own path off, where the proxy has left it on."""

    def __init__(self, behind: ASGIApp, prefix: str) -> None:
        self._behind = behind
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on."""
        if scope["type"] == "http" and scope["path"].startswith(f"{self._prefix}/"):
            path = scope["path"].removeprefix(self._prefix)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._behind(scope, receive, send)


def proxied(behind: ASGIApp, prefix: str, proxies: Sequence[str]) -> ASGIApp:
    """Returns the application as it is behind these proxies, whose word about the client is taken."""
    application = _Below(behind, prefix) if prefix else behind
    return ProxyHeadersMiddleware(application, list(proxies)) if proxies else application  # type: ignore[return-value,arg-type]
