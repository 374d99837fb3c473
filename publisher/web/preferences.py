"""`/preferences/TOKEN`: what a reader gets, when and how; whoever has one of the reader's mails may change it."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from publisher.app import App
from publisher.services.subscribe import Preferences, Visit
from publisher.web.forms import FIELDS, posted, refuse_foreign, text, texts, visit_of
from publisher.web.negotiation import known_language
from publisher.web.reader_pages import ReaderPages, nothing_there

_OFFERED = ("choose_newsletters", "save")


class PreferencesPages(ReaderPages):
    """The page of choices."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._subscribing = app.subscribing
        self._account = app.account

    async def preferences(self, request: Request) -> Response:
        """What a person gets, to choose from, to pause and to leave."""
        token = request.path_params["token"]
        found = await self._subscribing.preferences(token)
        if found is None:
            raise nothing_there()
        done = None
        if request.method == "POST":
            form = await posted(request)
            refuse_foreign(request, self._site.url)
            if text(form, "form") != "preferences":
                # No box ticked is a choice; a form that was cut off, or none at all, is not.
                raise HTTPException(422, "this is not the whole form", headers=FIELDS)
            done = "link_mailed" if text(form, "action") == "account" else "saved"
            words = self._shown(self._language(request, found.subscriber.language), _OFFERED, found.offered)
            found = await self._changed(token, form, visit_of(request, words)) or found
        language = self._language(request, found.subscriber.language)
        return self._page(
            "preferences",
            language,
            action=self._here(request),
            offered=found.offered,
            chosen=found.chosen,
            paused=found.paused,
            reader_language=found.subscriber.language,
            done=done,
        )

    async def _changed(self, token: str, form: FormData, visit: Visit) -> Preferences | None:
        now = self._now()
        match text(form, "action"):
            case "account":
                await self._account.mail_link(token, now)
                return None
            case "pause":
                return await self._subscribing.pause(token, now, paused=True)
            case "resume":
                return await self._subscribing.pause(token, now, paused=False)
            case "leave":
                return await self._subscribing.leave_all(token, visit, now)
            case _:
                language = known_language(text(form, "language"), self._site) or ""
                return await self._subscribing.choose(token, texts(form, "newsletter"), language, visit, now)
