"""An issue of a newsletter as one entry of a feed: the public renditions of its stories, one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape

from publisher.languages import label, spoken
from publisher.model.issue import Edition
from publisher.model.view import Depth, FullView, View


def issue_entry(
    edition: Edition,
    *,
    id: str,  # noqa: A002  (the noun's own word)
    title: str,
    published_at: datetime,
    updated_at: datetime,
    site_language: str,
) -> FullView:
    """Returns the entry; it says of each story what its View does, and never more than its summary."""
    views = edition.views
    words = spoken(edition.language, site_language)
    parts = [part for group in edition.groups for part in _group(group.label, group.views, edition.language)]
    notices = {view.notice.text: view for view in views if view.notice is not None}
    return FullView(
        id=id,
        number=0,
        version=1,
        depth=Depth.FULL,
        url=edition.web_url,
        language=edition.language,
        direction=edition.direction,
        labels=words,
        title=title,
        summary=label("list_separator", words).join(view.title for view in views),
        published_at=published_at,
        updated_at=updated_at,
        free=not notices,
        body_html="".join([*parts, *map(_notice, notices.values())]),
        body_text="",
    )


def _group(heading: str, views: Sequence[View], language: str) -> Iterator[str]:
    if heading:
        yield f"<h2>{escape(heading)}</h2>"
    for view in views:
        inner = "".join(_story(view))
        foreign = view.language != language
        yield f'<div lang="{escape(view.language)}" dir="{view.direction}">{inner}</div>' if foreign else inner


def _story(view: View) -> Iterator[str]:
    title = escape(view.title)
    yield f'<h3><a href="{escape(view.url)}">{title}</a></h3>' if view.url else f"<h3>{title}</h3>"
    yield from (f"<p>{escape(text)}</p>" for text in _said(view))


def _said(view: View) -> Iterable[str]:
    return dict.fromkeys(text for text in (view.deck, view.summary) if text)


def _notice(view: View) -> str:
    notice = view.notice
    assert notice is not None
    contact = f' <a href="{escape(notice.contact)}">{escape(notice.contact_label)}</a>' if notice.contact else ""
    return f'<p lang="{escape(view.words)}">{escape(notice.text)}{contact}</p>'
