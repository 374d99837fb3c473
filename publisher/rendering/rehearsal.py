"""A try of every template before anybody waits for what it makes: mistakes are found by `check`, not on the day.

Mails are laid out with stories that have everything a story can have. An own
page may ask for the names that the packaged one of its name asks for.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import jinja2
from jinja2 import meta, nodes

from publisher.errors import TemplateError
from publisher.languages import direction
from publisher.model.advisory import AdvisoryKind
from publisher.model.article import Correction, Enclosure, Image
from publisher.model.catalogue import Newsletter, Site
from publisher.model.choices import Form
from publisher.model.issue import ComingUp, Edition, Group, Mention
from publisher.model.notice import NoticeText
from publisher.model.view import Depth, FullView, Label, Notice, View

_AT = datetime(2026, 11, 18, 9, 40, tzinfo=UTC)
_IMAGE = Image(
    src="https://example.org/a.jpg", alt="A picture", caption="Words", credit="A. Name", width=800, height=400
)


def story(site: Site, **said: object) -> View:
    """Returns a summary that has everything a summary can have; `said` changes it."""
    values: dict[str, object] = {
        "id": "tag:example.org,2026:story",
        "number": 1,
        "version": 2,
        "depth": Depth.SUMMARY,
        "url": site.absolute("/articles/story/"),
        "language": site.language,
        "direction": direction(site.language),
        "title": "A headline",
        "deck": "A line below it",
        "summary": "What happened, in a sentence.",
        "key_points": ("One", "Two"),
        "section": Label(id="desk", title="Desk", url=site.absolute("/sections/desk/")),
        "tags": (Label(id="tag", title="tag"),),
        "authors": ("A. Name",),
        "contributors": (("Writing by", "B. Name"),),
        "sources": ("A source",),
        "dateline": "Place",
        "lead": ("A first paragraph.",),
        "image": _IMAGE,
        "enclosures": (Enclosure(url="https://example.org/a.mp3", media_type="audio/mpeg"),),
        "corrections": (Correction(at=_AT, kind="correction", text="What is right."),),
        "urgency": 2,
        "published_at": _AT,
        "updated_at": _AT,
        "update_shown": True,
        "notice": Notice(text="There is more.", contact="mailto:a@example.org", contact_label="Ask us"),
        "free": False,
    }
    return View(**(values | said))  # type: ignore[arg-type]


def whole(site: Site, **said: object) -> FullView:
    """Returns a story in full, also ahead of its hour; `said` changes it."""
    shown = story(
        site, depth=Depth.FULL, notice=None, embargo_text="10:00", embargo_reason="So it was agreed.", lead=()
    )
    values = {field.name: getattr(shown, field.name) for field in fields(View)}
    text = {"body_html": "<p>Words.</p><h2>More</h2><p>Words.</p>", "body_text": "Words.\n\nMore\n\nWords."}
    return FullView(**(values | text | said))


def edition(site: Site, newsletter: Newsletter, views: Sequence[View], **said: object) -> Edition:
    """Returns an edition of a newsletter that has everything an edition can have; `said` changes it."""
    language = site.language
    values: dict[str, object] = {
        "newsletter_id": newsletter.id,
        "newsletter_title": newsletter.title.in_language(language),
        "newsletter_description": newsletter.description.in_language(language),
        "public": False,
        "instant": newsletter.instant,
        "number": 1,
        "language": language,
        "direction": direction(language),
        "local_date": _AT.astimezone(ZoneInfo(newsletter.timezone)),
        "groups": (
            Group(label="Corrections", views=tuple(views[:1]), mention=Mention.CORRECTED),
            Group(label="", views=tuple(views[1:])),
        ),
        "already_sent": (story(site),),
        "withdrawn": (story(site, title="Withdrawn: a headline"),),
        "coming_up": (ComingUp(title="A headline", date=_AT, language=language, direction=direction(language)),),
        "web_url": site.absolute("/issues/letter/1/"),
    }
    return Edition(**(values | said))  # type: ignore[arg-type]


def editions(site: Site, newsletter: Newsletter) -> Iterator[Edition]:
    """Yields editions that between them use every part of a digest, and one of a single story."""
    many = [whole(site), story(site), whole(site, url=None, image=None), story(site, shortened=True, key_points=())]
    yield edition(site, newsletter, many)
    yield edition(site, newsletter, many, form=Form.BRIEF, public=True)
    yield edition(site, newsletter, many[:1])
    yield edition(site, newsletter, many[1:2], instant=True)


def messages(site: Site) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields every other mail by its name, with what it is made of."""
    note = Correction(at=_AT, kind="correction", text="What is right.")
    notice = NoticeText(
        kind=AdvisoryKind.CORRECTION,
        heading="Correction: a headline",
        text="Do not use.",
        reason="It was wrong.",
        about="Ref 1",
        notes=(note,),
        story=whole(site),
        language=site.language,
        direction=direction(site.language),
        newsletter_title="A letter",
    )
    yield "notice", {"notice": notice}
    yield "embargo", {"view": whole(site), "newsletter_title": "A letter"}
    yield "confirmation", {"titles": ("A letter",)}
    yield "welcome", {"titles": ("A letter",), "private_feed": True}


def faults(trials: Sequence[Callable[[], object]]) -> list[TemplateError]:
    """Returns the mistakes that trials come upon, each place once."""
    found: dict[tuple[str, int], TemplateError] = {}
    for trial in trials:
        try:
            trial()
        except TemplateError as error:
            found.setdefault((error.path, error.line), error)
    return list(found.values())


def asked_names(source: str, env: jinja2.Environment) -> dict[str, int]:
    """Returns the names that a template asks for and does not say itself, with the first line of each."""
    tree = env.parse(source)
    said = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}  # blocks see what stands outside
    said |= {node.target for node in tree.find_all(nodes.Import)}
    asked = meta.find_undeclared_variables(tree) - said - env.globals.keys()
    lines = [(node.name, node.lineno) for node in tree.find_all(nodes.Name) if node.name in asked]
    return {name: min(line for other, line in lines if other == name) for name, _ in lines}
