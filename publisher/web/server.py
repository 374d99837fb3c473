"""The built-in web server: an ASGI application at an address, until it is told to stop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from publisher.errors import UnreachableError


class _Server(uvicorn.Server):
    """uvicorn without its own idea of signals: who runs it has one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to others."""
        yield


async def serve(application: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answers what comes to the socket until `stop`."""
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,  # addresses with tokens must not stand in a log
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
        proxy_headers=False,  # whoever is no proxy of ours could name any peer it likes (web.proxied)
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving


def listen(host: str, port: int, key: str) -> socket.socket:
    """Returns a socket that listens; UnreachableError says who else may have the port, and which `key` names it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise UnreachableError(
            f"cannot listen at {host}:{port}: {error.strerror}; choose another port with {key}"
        ) from error


def address_of(listener: socket.socket) -> str:
    """Returns where a socket is asked."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
