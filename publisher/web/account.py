"""`/account/TOKEN` and `/address/TOKEN`: what is sensitive, behind links that were mailed just now; POST alone acts."""

import json

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from publisher.app import App
from publisher.mail.addresses import Address, AddressError, parse_address
from publisher.model.people import MoveState
from publisher.services.account import Opened
from publisher.web.forms import FIELDS, posted, refuse_foreign, text, visit_of
from publisher.web.reader_pages import ReaderPages, nothing_there


class AccountPages(ReaderPages):
    """A reader's address, private feed and data."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self._account = app.account
        self._moving = app.moving

    async def account(self, request: Request) -> Response:
        """What a fresh link opens: another address, a new private feed, all data, erasure."""
        token = request.path_params["token"]
        opened = await self._account.opened(token, self._now())
        if opened is None:
            return self._ended(request, token)
        language = self._language(request, opened.subscriber.language)
        if request.method != "POST":
            return self._shown_account(request, language, opened)
        form = await posted(request)
        refuse_foreign(request, self._site.url)
        match text(form, "action"):
            case "export":
                return await self._export(request, token)
            case "feed":
                opened = await self._account.renew_feed(token, self._now())
                return self._shown_account(request, language, opened, done="feed_renewed")
            case "move":
                return await self._wish(request, token, language, opened, text(form, "email"))
            case "erase" if text(form, "sure") != "yes":
                return self._shown_account(request, language, opened, problem="problem_sure", status=422)
            case "erase":
                if not await self._account.erase(token, self._now()):
                    return self._ended(request, token)
                return self._page("erased", language)
        raise HTTPException(422, "this is not the whole form", headers=FIELDS)

    async def _wish(self, request: Request, token: str, language: str, opened: Opened, given: str) -> Response:
        try:
            to = parse_address(given)
        except AddressError:
            return self._shown_account(
                request, language, opened, problem="problem_address", given=given[:254], status=422
            )
        if to.key == Address(opened.subscriber.address).key:
            return self._shown_account(
                request, language, opened, problem="problem_same_address", given=given[:254], status=422
            )
        await self._account.wish_to_move(token, to, visit_of(request), self._now())
        return self._shown_account(request, language, opened, done="move_asked")

    async def _export(self, request: Request, token: str) -> Response:
        record = await self._account.export(token, self._now())
        if record is None:
            return self._ended(request, token)
        told = {"publication": self._site.title, "url": self._site.url, "at": self._now().isoformat(), **record}
        name = f"{self._now():%Y-%m-%d}.json"
        return Response(
            json.dumps(told, ensure_ascii=False, indent=2) + "\n",
            media_type="application/json",
            headers={**FIELDS, "content-disposition": f'attachment; filename="my-data-{name}"'},
        )

    def _shown_account(
        self,
        request: Request,
        language: str,
        opened: Opened | None,
        *,
        problem: str | None = None,
        done: str | None = None,
        given: str = "",
        status: int = 200,
    ) -> Response:
        if opened is None:
            return self._ended(request, request.path_params["token"])
        return self._page(
            "account",
            language,
            status,
            action=self._here(request),
            address=opened.subscriber.address,
            feed_url=opened.feed_url,
            preferences_url=opened.preferences_url,
            problem=problem,
            done=done,
            given=given,
        )

    def _ended(self, request: Request, token: str) -> Response:
        """A link of ours that is too old, or none: nobody's language is known then."""
        if not self._account.is_ours(token):
            raise nothing_there()
        return self._page("account_ended", self._language(request), 410)

    async def move(self, request: Request) -> Response:
        """One end of a change of address: its yes or no, and how things stand."""
        token = request.path_params["token"]
        move = await self._moving.look(token, self._now())
        if move is None:
            raise nothing_there()
        language, state = self._language(request, move.language), move.state
        if request.method == "POST":
            form = await posted(request)
            refuse_foreign(request, self._site.url)
            match text(form, "action"):
                case "agree":
                    asked = "move_explained_new" if move.new_end else "move_explained_old"
                    words = self._say(asked, language, site=self._site.title)
                    state = await self._moving.agree(token, visit_of(request, words), self._now()) or state
                case "call_off":
                    await self._moving.call_off(token, self._now())
                    state = MoveState.EXPIRED if state is not MoveState.DONE else state
                case _:
                    raise HTTPException(422, "this is not the whole form", headers=FIELDS)
        status = 410 if state is MoveState.EXPIRED and request.method != "POST" else 200
        return self._page("move", language, status, action=self._here(request), state=state.value, new_end=move.new_end)
