"""`/preferences/TOKEN`: what a reader gets, when and how; whoever has one of the reader's mails may change it."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from publisher.app import App
from publisher.errors import UsageError
from publisher.model.choices import Change
from publisher.newsletters.schedule import parse
from publisher.services.subscribe import Preferences, Visit
from publisher.web.choices import begin_of, change_of, is_there
from publisher.web.forms import FIELDS, posted, refuse_foreign, text, texts, visit_of
from publisher.web.negotiation import known_language
from publisher.web.reader_pages import ReaderPages, nothing_there

_OFFERED = ("choose_newsletters", "save")
_FIELDS_AT_MOST = 1000


class PreferencesPages(ReaderPages):
    """The page of choices."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._subscribing = app.subscribing
        self._choosing = app.choosing
        self._upcoming = app.upcoming
        self._account = app.account

    async def preferences(self, request: Request) -> Response:
        """What a person gets, to choose from, to pause and to leave."""
        token = request.path_params["token"]
        found = await self._subscribing.preferences(token)
        if found is None:
            raise nothing_there()
        if request.method != "POST":
            return await self._shown_preferences(request, found)
        form = await posted(request, _FIELDS_AT_MOST)
        refuse_foreign(request, self._site.url)
        if text(form, "form") != "preferences":
            # No box ticked is a choice; a form that was cut off, or none at all, is not.
            raise HTTPException(422, "this is not the whole form", headers=FIELDS)
        words = self._shown(self._language(request, found.subscriber.language), _OFFERED, found.offered)
        try:
            after = await self._changed(token, found, form, visit_of(request, words))
        except UsageError:
            return await self._shown_preferences(request, found, problem="problem_choices", status=422)
        done = "link_mailed" if text(form, "action") == "account" else "saved"
        return await self._shown_preferences(request, after or found, done=done)

    async def _changed(self, token: str, found: Preferences, form: FormData, visit: Visit) -> Preferences | None:
        now, zone = self._now(), self._zone(found, text(form, "timezone"))
        match text(form, "action"):
            case "account":
                await self._account.mail_link(token, now)
                return None
            case "pause":
                return await self._subscribing.pause(token, now, paused=True, until=begin_of(text(form, "until"), zone))
            case "resume":
                return await self._subscribing.pause(token, now, paused=False)
            case "leave":
                return await self._subscribing.leave_all(token, visit, now)
            case _:
                return await self._save(token, found, form, visit)

    async def _save(self, token: str, found: Preferences, form: FormData, visit: Visit) -> Preferences | None:
        """Keeps all of it, or, when anything cannot be had, nothing."""
        now, number, ticked = self._now(), found.subscriber.number, texts(form, "newsletter")
        timezone = text(form, "timezone") if "timezone" in form else None
        self._choosing.judge((), Change(timezone=timezone), now)
        zone = self._zone(found, timezone)
        kept = [n for n in found.offered if n.id in found.chosen and n.id in ticked and is_there(form, n)]
        changes = {newsletter.id: change_of(form, newsletter, zone) for newsletter in kept}
        for name, change in changes.items():
            self._choosing.judge([name], change, now)
        language = known_language(text(form, "language"), self._site) or ""
        await self._subscribing.choose(token, ticked, language, visit, now)
        if timezone is not None and timezone != (found.subscriber.timezone or ""):
            await self._choosing.move(number, timezone)
        for name, change in changes.items():
            await self._choosing.change(number, [name], change, now)
        return await self._subscribing.preferences(token)

    def _zone(self, found: Preferences, asked: str | None) -> str:
        """Where the reader's dates are."""
        return asked or found.subscriber.timezone or self._site.timezone

    async def _shown_preferences(
        self,
        request: Request,
        found: Preferences,
        *,
        done: str | None = None,
        problem: str | None = None,
        status: int = 200,
    ) -> Response:
        now, language = self._now(), self._language(request, found.subscriber.language)
        zone = self._zone(found, None)
        chosen = [newsletter for newsletter in found.offered if newsletter.id in found.chosen]
        tomorrow = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
        return self._page(
            "preferences",
            language,
            status,
            action=self._here(request),
            offered=found.offered,
            subscriptions=found.subscriptions,
            schedules={n.id: parse(found.subscriptions[n.id].cadence or n.schedule) for n in chosen},
            paused=found.paused,
            upcoming=await self._upcoming.of(found.subscriber, chosen, now),
            reader_language=found.subscriber.language,
            timezone=found.subscriber.timezone or "",
            zone=zone,
            tomorrow=tomorrow.isoformat(),
            done=done,
            problem=problem,
        )
