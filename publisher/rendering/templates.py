"""Pages and mails from templates."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import css_inline

from publisher.errors import TemplateError
from publisher.languages import date_text, direction
from publisher.model import personal
from publisher.model.catalogue import Catalogue, Site
from publisher.model.choices import Form
from publisher.model.issue import Edition, MailText
from publisher.model.theme import Theme
from publisher.model.view import Kin, Label
from publisher.rendering import environment, names, rehearsal
from publisher.rendering.fragments import Fragments
from publisher.rendering.parts import Parts
from publisher.rendering.plaintext import one_line, wrapped

_PREHEADER = 140
_DEFAULTS: dict[str, object] = {
    "address": "",
    "back": None,
    "chosen": (),
    "corrections": None,
    "done": None,
    "examples": {},
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
        self._theme = _absolute(catalogue.site)
        self._inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
        self._fragments = Fragments(packaged)
        names.install(self._env, self._fragments)
        self._home = catalogue.site.absolute("/")
        self._parts = Parts(self._env)
        self._newsletters = tuple(one for one in catalogue.newsletters.values() if one.open)
        self._sections: dict[str, tuple[Label, ...]] = {}
        """By language."""
        self._fingerprint = ""

    def page(self, name: str, language: str, **context: object) -> str:
        """Returns the web page `web/NAME.html`; the template says at its top what it needs."""
        return self._rendered(f"web/{name}.html", {**_DEFAULTS, **self._common(language), **context})

    def mail(self, edition: Edition) -> MailText:
        """Returns a digest, or a single story's mail, laid out; `[TEST]` heads the subject of a test."""
        views = edition.views
        name = "story" if len(views) == 1 and not edition.left_out else "digest"
        context = self._of_edition(edition)
        mail = self._mail(name, {**context, "subject": self._own_subject(edition, context)})
        return replace(
            mail,
            subject=f"[TEST] {mail.subject}" if edition.test else mail.subject,
            html="" if edition.form is Form.TEXT else mail.html,
        )

    def message(self, kind: str, language: str, **context: object) -> MailText:
        """Returns mail that is no newsletter's; the templates of `email/` say at their top what they are given."""
        return self._mail(kind, {**self._common(language), **context})

    def fingerprint(self) -> str:
        """Returns a hash of all templates that apply: pages are made anew when it changes."""
        found = environment.fingerprint(self._env, self._own)
        self._parts.forget()  # also when a template was another one for a moment only
        if found != self._fingerprint:
            self._fingerprint = found
            self._fragments.forget()
            environment.forget(self._env)
        return found

    def problems(self) -> list[TemplateError]:
        """Returns what is wrong with templates: what cannot be compiled, else what fails when own ones are tried."""
        found = environment.uncompiled(self._env, self._own)
        if found or self._own is None:
            return found
        tried = [error for error in rehearsal.faults(self._trials()) if error.path.startswith(f"{self._own.name}/")]
        return sorted([*tried, *self._unknown_names()], key=lambda error: (error.path, error.line))

    def subject_problems(self) -> list[TemplateError]:
        """Returns the subjects in config that no mail can have, each by its key."""
        site = self._catalogue.site
        return rehearsal.faults(
            [
                partial(self._own_subject, edition, self._of_edition(edition))
                for newsletter in self._catalogue.newsletters.values()
                if newsletter.subject
                for edition in rehearsal.editions(site, newsletter)
            ]
        )

    def _trials(self) -> list[Callable[[], object]]:
        site = self._catalogue.site
        newsletters = list(self._catalogue.newsletters.values())[:1]
        return [
            *(partial(self.mail, edition) for one in newsletters for edition in rehearsal.editions(site, one)),
            *(partial(self.message, name, site.language, **said) for name, said in rehearsal.messages(site)),
        ]

    def _unknown_names(self) -> Iterator[TemplateError]:
        """Yields the names on own pages that no page gets; mails are tried instead."""
        given = {*_DEFAULTS, *self._common(self._catalogue.site.language)}
        for name in environment.own_names(self._env, self._own):
            source, packaged = environment.sources(self._env, name)
            if packaged and name.startswith("web/"):
                known = given | rehearsal.asked_names(packaged, self._env).keys()
                for strange, line in rehearsal.asked_names(source, self._env).items():
                    if strange not in known:
                        yield TemplateError(f"templates/{name}", line, f"{strange!r} is undefined")

    def _common(self, language: str) -> dict[str, object]:
        site = self._catalogue.site
        return {
            "site": site,
            "theme": self._theme,
            "home": self._home,
            "language": language,
            "direction": direction(language),
            "sections": self._sections_in(language),
            "newsletters": self._newsletters,
            "personal": personal.MARKERS,
        }

    def _sections_in(self, language: str) -> tuple[Label, ...]:
        found = self._sections.get(language)
        if found is None:
            site = self._catalogue.site
            found = self._sections[language] = tuple(
                Label(id=s.id, title=s.title.in_language(language), url=site.absolute(f"/sections/{s.id}/"))
                for s in self._catalogue.sections.values()
            )
        return found

    def _of_edition(self, edition: Edition) -> dict[str, object]:
        return {"edition": edition, "views": edition.views, **self._common(edition.language)}

    def _own_subject(self, edition: Edition, context: dict[str, object]) -> str:
        newsletter = self._catalogue.newsletters.get(edition.newsletter_id)
        if newsletter is None or not newsletter.subject:
            return ""
        try:
            with environment.naming_faults(self._own):
                return one_line(self._env.from_string(newsletter.subject).render({**context, **_short(edition)}))
        except TemplateError as error:
            raise TemplateError(f"newsletters.{edition.newsletter_id}.subject", error.line, error.message) from error

    def _mail(self, name: str, context: dict[str, object]) -> MailText:
        """The text template comes first: it says subject and preheader, which the HTML one then may use."""
        plain = _HEAD.fullmatch(self._rendered(f"email/{name}.txt", context))
        if plain is None:
            path = environment.shown(self._own, f"email/{name}.txt")
            raise TemplateError(path, 1, 'its first line must be "Subject: …"')
        subject = one_line(plain["subject"])
        preheader = one_line(plain["preheader"] or "")
        html = self._rendered(f"email/{name}.html", {**context, "subject": subject, "preheader": preheader})
        return MailText(
            subject=subject, preheader=preheader, html=self._inliner.inline(html), text=wrapped(plain["text"])
        )

    def _rendered(self, name: str, context: dict[str, object]) -> str:
        with environment.naming_faults(self._own, name):
            return self._env.get_template(name).render(context)


def _short(edition: Edition) -> dict[str, object]:
    """Returns what a subject in config may speak of without knowing how an edition is made (docs/configuration.md)."""
    headlines = [view.title for view in edition.views]
    return {
        "newsletter": edition.newsletter_title,
        "number": edition.number,
        "date": date_text(edition.local_date, edition.language, str(edition.local_date.tzinfo)),
        "count": len(headlines) + edition.left_out,
        "headline": edition.lead.title,
        "headlines": headlines,
    }


def _absolute(site: Site) -> Theme:
    """Returns the site's look with its logo at addresses that a mail can show."""
    logo = site.theme.logo
    if logo is None:
        return site.theme
    src, dark = (site.absolute(address) if address.startswith("/") else address for address in (logo.src, logo.dark))
    return replace(site.theme, logo=replace(logo, src=src, dark=dark))
