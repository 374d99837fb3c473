"""`/u/TOKEN/…`: one subscriber's feeds; never in a shared cache, an index, a log or a referrer."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from publisher.app import App
from publisher.errors import UsageError
from publisher.feeds import FORMATS
from publisher.languages import label, spoken
from publisher.model.people import FeedReader, TokenState
from publisher.web.conditional import Representation, answer
from publisher.web.headers import PAGE_POLICY
from publisher.web.negotiation import language_for
from publisher.web.public import opened_by_a_person

_FIELDS = (
    (b"cache-control", b"private, no-cache"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"referrer-policy", b"no-referrer"),
)
_PLAIN = {
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": PAGE_POLICY,
}

_READ_BY_PROGRAMS = frozenset(fmt.extension for fmt in FORMATS.values() if fmt.name != "json")
"""What browsers show as a heap of signs, or hand to another program."""


class _Conditional(Response):
    """A representation as a response: 304 where the client has it already."""

    def __init__(self, representation: Representation) -> None:
        super().__init__()
        self._representation = representation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        await answer(self._representation, scope, send)


def routes(app: App) -> list[BaseRoute]:
    """Returns the routes of the private feeds."""

    def say(request: Request, key: str) -> str:
        site = app.catalogue.site
        return label(key, spoken(language_for(request, site), site.language)) + "\n"

    async def reader_of(request: Request, token: str) -> FeedReader | Response:
        reader = await app.private_feeds.reader(token, app.clock.now())
        if reader is None:
            return PlainTextResponse(say(request, "no_such_feed"), 404, headers=_PLAIN)
        if reader.token is TokenState.GONE:
            return PlainTextResponse(say(request, "feed_replaced"), 410, headers=_PLAIN)
        return reader

    async def overview(request: Request) -> Response:
        token = request.path_params["token"]
        reader = await reader_of(request, token)
        if isinstance(reader, Response):
            return reader
        links = await app.private_feeds.links(reader.subscriber, token, app.clock.now())
        opml_url = app.links.feed_folder(token) + "feeds.opml"
        language = reader.subscriber.language
        html = app.templates.page("private_feeds", language, feeds=links, opml=opml_url, robots="noindex")
        return HTMLResponse(html, headers=_PLAIN)

    async def feed(request: Request) -> Response:
        token, name = request.path_params["token"], request.path_params["name"]
        stem, _, extension = name.rpartition(".")
        reader = await reader_of(request, token)
        if isinstance(reader, Response):
            return reader
        if extension in _READ_BY_PROGRAMS and opened_by_a_person(request.scope):
            return await overview(request)
        cursor = request.query_params.get("cursor", "")
        try:
            found = await app.private_feeds.feed(reader.subscriber, token, stem, extension, app.clock.now(), cursor)
        except UsageError as error:
            return PlainTextResponse(f"{error}\n", 400, headers=_PLAIN)
        if found is None:
            return PlainTextResponse(say(request, "no_such_feed"), 404, headers=_PLAIN)
        return _Conditional(Representation(found.body, found.content_type, None, _FIELDS))

    return [Route("/u/{token}", overview), Route("/u/{token}/", overview), Route("/u/{token}/{name}", feed)]
