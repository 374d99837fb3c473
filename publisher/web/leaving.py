"""`/unsubscribe/TOKEN` and its undo: whoever holds the link may leave; GET shows, POST acts."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from publisher.app import App
from publisher.services.subscribe import Leaving
from publisher.web.forms import FIELDS, posted, refuse_foreign, text, visit_of
from publisher.web.reader_pages import ReaderPages, nothing_there

_UNDO_LASTS = 3600


class LeavingPages(ReaderPages):
    """The way out, and back for a while."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._subscribing = app.subscribing

    async def unsubscribe(self, request: Request) -> Response:
        """Leaving a newsletter: by a button, or by one click in a mail program (RFC 8058), which needs nothing else."""
        token = request.path_params["token"]
        leaving = await self._subscribing.leaving(token)
        if leaving is None:
            raise nothing_there()
        language = self._language(request, leaving.language)
        title = self._title(leaving, language)
        if request.method != "POST" and leaving.left:
            return self._page("unsubscribed", language, newsletter_title=title, undo=None)
        if request.method != "POST":
            return self._page("unsubscribe", language, action=self._here(request), newsletter_title=title)
        form = await posted(request)
        if text(form, "List-Unsubscribe") == "One-Click":
            await self._subscribing.unsubscribe(token, "one-click", visit_of(request), self._now())
            return PlainTextResponse(self._say("unsubscribed_title", language) + "\n", headers=FIELDS)
        refuse_foreign(request, self._site.url)
        await self._subscribing.unsubscribe(token, "web", visit_of(request), self._now())
        return self._page(
            "unsubscribed",
            language,
            newsletter_title=title,
            undo=None if leaving.everything else f"{self._here(request)}/undo",
            form_token=self._forms.sign(f"undo {token}"),
        )

    async def undo(self, request: Request) -> Response:
        """Takes back an unsubscription: only from the page that told of it, and only for a while."""
        token = request.path_params["token"]
        leaving = await self._subscribing.leaving(token)
        if leaving is None:
            raise nothing_there()
        form = await posted(request)
        refuse_foreign(request, self._site.url)
        language = self._language(request, leaving.language)
        signed = self._forms.signed(text(form, "form_token"), f"undo {token}", _UNDO_LASTS)
        if not signed or not await self._subscribing.undo_unsubscribe(token, visit_of(request), self._now()):
            raise HTTPException(403, headers=FIELDS)
        return self._page("confirmed", language, titles=[self._title(leaving, language)])

    def _title(self, leaving: Leaving, language: str) -> str:
        if leaving.newsletter is not None:
            return leaving.newsletter.title.in_language(language)
        return self._say("all_newsletters", language) if leaving.everything else self._site.title
