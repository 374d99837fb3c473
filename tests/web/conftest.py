"""A client that speaks ASGI to an application, without a socket."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application said."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one application."""

    app: ASGIApp
    peer: tuple[str, int] = ("192.0.2.7", 40000)

    async def ask(self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Returns the answer, its background work done."""
        await asyncio.sleep(0)  # what comes by a socket comes in a turn of the loop of its own
        parts = urlsplit(url)
        given = {"host": "news.example.org", **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": self.peer,
            "server": ("news.example.org", 443),
        }
        said: list[Message] = []
        asked = asyncio.Event()

        async def receive() -> Message:
            if asked.is_set():  # the client stays for as long as the answer takes
                await asyncio.Event().wait()
            asked.set()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        start = next(message for message in said if message["type"] == "http.response.start")
        content = b"".join(m.get("body", b"") for m in said if m["type"] == "http.response.body")
        return Answer(start["status"], Headers(raw=start["headers"]), content)

    async def get(self, url: str, **headers: str) -> Answer:
        """Asks for a page."""
        return await self.ask("GET", url, _names(headers))

    async def post(self, url: str, fields: list[tuple[str, str]], **headers: str) -> Answer:
        """Posts a form as a browser does."""
        form = {"content-type": "application/x-www-form-urlencoded", **_names(headers)}
        return await self.ask("POST", url, form, urlencode(fields).encode())


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def client_of() -> Callable[..., Client]:
    """Makes a client of an application."""
    return Client
