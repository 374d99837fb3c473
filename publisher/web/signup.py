"""`/subscribe` and `/confirm/TOKEN`: GET shows, POST acts.

The sign-up form, which anybody may fill in for anybody, carries a signed token
of its own and a trap; a form on a site that `http.form_origins` names has
its origin for a token.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from publisher.app import App
from publisher.errors import UnreachableError
from publisher.mail.addresses import Address, AddressError, parse_address
from publisher.model.people import ConfirmationState
from publisher.services.outline import issue_path
from publisher.services.subscribe import Visit, Welcome
from publisher.web.forms import allowed_origin, posted, refuse_foreign, text, texts, visit_of
from publisher.web.negotiation import known_language
from publisher.web.reader_pages import ReaderPages, nothing_there

_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0)
"""Pauses between the attempts to keep a sign-up that was answered already: four minutes in all."""
_FORM_LASTS = 24 * 3600
_FILLED_IN = 2
"""Seconds within which no person fills the form in (security S1)."""
_OFFERED = ("sign_up_title", "sign_up_explained", "sign_up_promise")
_ASKED = ("confirm_explained", "confirm_button")
_log = structlog.get_logger(__name__)


class SignUpPages(ReaderPages):
    """The way in."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._subscribing = app.subscribing
        self._archive = app.publishing.archive
        self._origins = frozenset(app.settings.http.form_origins)

    async def subscribe(self, request: Request) -> Response:
        """The sign-up form, and its taking; the answer is the same whoever is signed up."""
        language = self._language(request)
        if request.method != "POST":
            return self._form(request, language, self._asked_for(request))
        form = await posted(request)
        origin = allowed_origin(request, self._origins)
        if not origin:
            refuse_foreign(request, self._site.url)
        address, chosen = text(form, "email"), texts(form, "newsletter")
        language = known_language(text(form, "language"), self._site) or language
        offered = [newsletter for newsletter in self._subscribing.offered() if newsletter.id in chosen]
        if not origin and not self._forms.signed(text(form, "form_token"), "subscribe", _FORM_LASTS):
            return self._form(request, language, chosen, address, "problem_form", 403)
        if not offered:
            return self._form(request, language, chosen, address, "problem_choice", 422)
        try:
            parsed = parse_address(address)
        except AddressError:
            return self._form(request, language, chosen, address, "problem_address", 422)
        if not origin and self._forms.is_newer(text(form, "form_token"), "subscribe", _FILLED_IN):
            # Shown once more as it was, with its first moment: the next press counts.
            return self._form(request, language, chosen, address, "problem_quick", token=text(form, "form_token"))
        task = None
        if not text(form, "website"):
            words = f"form at {origin}" if origin else self._shown(language, _OFFERED, offered)
            # After the answer: how long it takes must not tell whether somebody is known.
            task = BackgroundTask(
                self._sign_up, parsed, chosen, language, visit_of(request, words), self._now(), origin
            )
        inbox = self._site.absolute("/inbox/") if self._app.settings.smtp.sandbox else None
        answer = self._page("subscribe_done", language, 202, task, inbox_url=inbox, back=origin)
        answer.headers["connection"] = "close"  # nor does the next answer on the same connection wait for it
        return answer

    async def confirm(self, request: Request) -> Response:
        """The button behind a confirmation mail; pressing it twice is as good as once."""
        token = request.path_params["token"]
        pending = await self._subscribing.pending(token, self._now())
        if pending is None:
            raise nothing_there()
        language = self._language(request, pending.language)
        ids = [newsletter.id for newsletter in pending.newsletters]
        if request.method != "POST":
            if pending.expired:
                return self._form(request, language, ids, problem="problem_expired", status=410)
            titles = [newsletter.title.in_language(language) for newsletter in pending.newsletters]
            return self._page("confirm", language, action=self._here(request), titles=titles)
        await posted(request)
        refuse_foreign(request, self._site.url)
        words = self._shown(language, _ASKED, pending.newsletters)
        done = await self._subscribing.confirm(token, visit_of(request, words), self._now())
        if done is None:
            raise nothing_there()
        if done.state is ConfirmationState.EXPIRED:
            return self._form(request, language, ids, problem="problem_expired", status=410)
        if not done.newsletters:
            return self._form(request, language, ids, problem="problem_left")
        return self._confirmed(done, language)

    def _confirmed(self, done: Welcome, language: str) -> Response:
        titles = [newsletter.title.in_language(language) for newsletter in done.newsletters]
        return self._page(
            "confirmed", language, titles=titles, feed_url=done.feed_url, preferences_url=done.preferences_url
        )

    async def _sign_up(
        self, address: Address, newsletters: Sequence[str], language: str, visit: Visit, now: datetime, origin: str
    ) -> None:
        """Keeps what was promised with the answer, also when the database is away for a while."""
        for pause in (*_RETRY_SECONDS, None):
            try:
                await self._subscribing.sign_up(address, newsletters, language, visit, now, form=origin)
            except UnreachableError as error:
                if pause is None:
                    _log.error("subscribe.lost", newsletters=newsletters, at=now.isoformat(), error=str(error))
                    return
                await self._pause(pause, newsletters, now, error)
            else:
                return

    async def _pause(self, seconds: float, newsletters: Sequence[str], now: datetime, error: UnreachableError) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:  # the service ends before the database is back
            _log.error("subscribe.lost", newsletters=newsletters, at=now.isoformat(), error=str(error))
            raise

    # ----------------------------------------------------------------------------------------------------------------

    def _form(
        self,
        request: Request,
        language: str,
        chosen: Sequence[str],
        address: str = "",
        problem: str | None = None,
        status: int = 200,
        token: str = "",
    ) -> Response:
        return self._page(
            "subscribe",
            language,
            status,
            action=self._site.absolute("/subscribe"),
            form_token=token or self._forms.sign("subscribe"),
            chosen=chosen,
            address=address[:254],
            problem=problem,
            examples=self._examples(language),
            robots="noindex",
            languages=self._in_languages("/subscribe") if request.url.path == "/subscribe" else (),
        )

    def _asked_for(self, request: Request) -> Sequence[str]:
        """What is ticked at first: what the link asks for, else the only one there is."""
        offered = [newsletter.id for newsletter in self._subscribing.offered()]
        asked = request.query_params.getlist("newsletter")
        return [name for name in offered if name in asked] or (offered if len(offered) == 1 else [])

    def _examples(self, language: str) -> dict[str, str]:
        """The latest issue of each newsletter that keeps its issues on the web."""
        latest = {n.id: self._archive.latest(n.id)[:1] for n in self._subscribing.offered()}
        return {
            name: self._site.absolute(issue_path(self._site, name, issue.edition, language))
            for name, issues in latest.items()
            for issue in issues
        }
