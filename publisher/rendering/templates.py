"""Pages and mails from templates."""

import re
from pathlib import Path

import css_inline

from publisher.errors import TemplateError
from publisher.languages import direction
from publisher.model import personal
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.issue import Edition, MailText
from publisher.model.view import Kin, Label
from publisher.rendering import environment, names
from publisher.rendering.plaintext import one_line, wrapped

_PREHEADER = 140
_DEFAULTS: dict[str, object] = {
    "address": "",
    "chosen": (),
    "corrections": None,
    "feed_url": None,
    "feeds": (),
    "form_token": None,
    "here": None,
    "inbox_url": None,
    "issues": None,
    "kin": Kin(),
    "languages": (),
    "newer": None,
    "benefits": None,
    "older": None,
    "opml": None,
    "pages": (),
    "paused": False,
    "preferences_url": None,
    "problem": None,
    "related": (),
    "robots": None,
    "saved": False,
    "summary": "",
    "tally": None,
    "undo": None,
}
"""What a page may say and need not."""
_HEAD = re.compile(r"Subject:(?P<subject>[^\n]*)\n(?:Preheader:(?P<preheader>[^\n]*)\n)?\n?(?P<text>.*)", re.DOTALL)


class Templates:
    """The templates of one publication; both folders hold `web/` and `email/`.

    Every page template gets `site`, `language`, `direction`, `sections` and `newsletters` (those open
    to all) from the catalogue, `home` (the front page's address) and the optional names at the
    top of `web/base.html`; every mail template gets `site`, `language`, `direction` and `personal`, whose
    values are markers (`model.personal`).
    """

    def __init__(self, packaged: Path, own: Path | None, catalogue: Catalogue) -> None:
        self._own = own
        self._catalogue = catalogue
        self._env = environment.environment(packaged, own)
        self._inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
        names.install(self._env)

    def page(self, name: str, language: str, **context: object) -> str:
        """Returns the web page `web/NAME.html`; the template says at its top what it needs."""
        return self._rendered(f"web/{name}.html", {**_DEFAULTS, **self._common(language), **context})

    def mail(self, edition: Edition) -> MailText:
        """Returns a digest, or a single story's mail, laid out; `[TEST]` heads the subject of a test."""
        views = edition.views
        name = "story" if edition.instant and len(views) == 1 else "digest"
        context = {"edition": edition, "views": views, **self._common(edition.language)}
        mail = self._mail(name, {**context, "subject": self._own_subject(edition, context)})
        if not edition.test:
            return mail
        return MailText(subject=f"[TEST] {mail.subject}", preheader=mail.preheader, html=mail.html, text=mail.text)

    def message(self, kind: str, language: str, **context: object) -> MailText:
        """Returns service mail to one person: `confirmation` (titles) or `welcome` (titles, private_feed)."""
        return self._mail(kind, {**self._common(language), **context})

    def fingerprint(self) -> str:
        """Returns a hash of all templates that apply: pages are made anew when it changes."""
        return environment.fingerprint(self._env, self._own)

    def problems(self) -> list[TemplateError]:
        """Returns the templates that cannot be compiled."""
        return environment.problems(self._env, self._own)

    def _common(self, language: str) -> dict[str, object]:
        site = self._catalogue.site
        return {
            "site": site,
            "home": site.absolute("/"),
            "language": language,
            "direction": direction(language),
            "sections": tuple(
                Label(id=s.id, title=s.title.in_language(language), url=site.absolute(f"/sections/{s.id}/"))
                for s in self._catalogue.sections.values()
            ),
            "newsletters": self._open_newsletters(),
            "personal": personal.MARKERS,
        }

    def _open_newsletters(self) -> tuple[Newsletter, ...]:
        return tuple(newsletter for newsletter in self._catalogue.newsletters.values() if newsletter.open)

    def _own_subject(self, edition: Edition, context: dict[str, object]) -> str:
        newsletter = self._catalogue.newsletters.get(edition.newsletter_id)
        if newsletter is None or not newsletter.subject:
            return ""
        try:
            with environment.naming_faults(self._own):
                return one_line(self._env.from_string(newsletter.subject).render(context))
        except TemplateError as error:
            raise TemplateError(f"newsletters.{edition.newsletter_id}.subject", error.line, error.message) from error

    def _mail(self, name: str, context: dict[str, object]) -> MailText:
        """The text template comes first: it says subject and preheader, which the HTML one then may use."""
        plain = _HEAD.fullmatch(self._rendered(f"email/{name}.txt", context))
        if plain is None:
            raise TemplateError(f"email/{name}.txt", 1, 'its first line must be "Subject: …"')
        subject = one_line(plain["subject"])
        preheader = one_line(plain["preheader"] or "")
        html = self._rendered(f"email/{name}.html", {**context, "subject": subject, "preheader": preheader})
        return MailText(
            subject=subject, preheader=preheader, html=self._inliner.inline(html), text=wrapped(plain["text"])
        )

    def _rendered(self, name: str, context: dict[str, object]) -> str:
        with environment.naming_faults(self._own, name):
            return self._env.get_template(name).render(context)
