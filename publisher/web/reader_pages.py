"""What the pages that readers come, choose and go by have in common: language, layout, form tokens, the clock."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from publisher.app import App
from publisher.languages import label, language_name, spoken
from publisher.model.catalogue import Newsletter
from publisher.model.view import Label
from publisher.web.forms import FIELDS, FormTokens
from publisher.web.negotiation import language_for


class ReaderPages:
    """The ground that each group of pages stands on."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._site = app.catalogue.site
        self._forms = FormTokens(app.tokens.form_key(), app.clock.now)

    def _page(
        self, name: str, language: str, status: int = 200, task: BackgroundTask | None = None, /, **context: Any
    ) -> Response:
        content = self._app.templates.page(name, language, **context)
        return HTMLResponse(content, status, headers={**FIELDS, "content-language": language}, background=task)

    def _now(self) -> datetime:
        return self._app.clock.now()

    def _language(self, request: Request, reader: str = "") -> str:
        return language_for(request, self._site, reader)

    def _words(self, language: str) -> str:
        """The language of labels on a page in `language`."""
        return spoken(language, self._site.language)

    def _say(self, key: str, language: str, **values: object) -> str:
        return label(key, self._words(language), **values)

    def _shown(self, language: str, keys: Iterable[str], newsletters: Iterable[Newsletter]) -> str:
        """The words that stood around a choice of newsletters, for the record of consent."""
        titles = [newsletter.title.in_language(language) for newsletter in newsletters]
        return " | ".join([*(self._say(key, language, site=self._site.title) for key in keys), *titles])

    def _in_languages(self, path: str) -> tuple[Label, ...]:
        tags = self._site.languages if len(self._site.languages) > 1 else ()
        return tuple(
            Label(id=tag, title=language_name(tag), url=self._site.absolute(f"{path}?lang={tag}")) for tag in tags
        )

    def _here(self, request: Request) -> str:
        return self._site.absolute(request.url.path)


def nothing_there() -> HTTPException:
    """Returns the answer to a link that is not ours."""
    return HTTPException(404, headers=FIELDS)
