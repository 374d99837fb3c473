"""What a machine client is told of a story, and in which order versions come out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from publisher.editorial.access import entitled, open_from
from publisher.editorial.recall import seen_by
from publisher.languages import datetime_text, label, upper
from publisher.model.article import Article, Status
from publisher.model.catalogue import Catalogue, Policy
from publisher.model.people import Viewer
from publisher.model.view import Depth, FullView, View
from publisher.model.wire import WireItem

_PLAIN = Policy()
_NOTED = frozenset({"correction", "clarification", "update"})


def wire_item(article: Article, view: View, catalogue: Catalogue, *, told: bool) -> WireItem:
    """Returns a rendition of a story as a machine client gets it.

    `told`: the client holds a licence that is in force, and hears what the desk says to desks.
    """
    item = WireItem(
        view=view,
        status=article.status,
        revised_at=article.revised_at,
        ed_note=_ed_note(article, view, catalogue, told=told),
        copyright_holder=catalogue.site.title,
    )
    if isinstance(view, FullView) and not told:
        return replace(item, contributors=article.contributors, subjects=article.subjects, expires=article.expires)
    if isinstance(view, FullView):
        return replace(
            item,
            usage_terms=_full_terms(article.language, catalogue),
            contributors=article.contributors,
            subjects=article.subjects,
            genre=article.genre,
            slugline=article.slugline,
            embargoed_until=article.embargo if view.depth is Depth.FULL_EMBARGOED else None,
            expires=article.expires,
        )
    if view.depth in (Depth.HOLD, Depth.TOMBSTONE):
        return item
    return replace(item, usage_terms=_partial_terms(view), contributors=article.contributors, expires=article.expires)


def lapse_item(view: View, catalogue: Catalogue) -> WireItem:
    """Returns the word about the end of a subscription as an item of its own."""
    return WireItem(
        view=view,
        status=Status.PUBLISHED,
        revised_at=view.updated_at,
        usage_terms=_partial_terms(view),
        copyright_holder=catalogue.site.title,
    )


def _full_terms(language: str, catalogue: Catalogue) -> str:
    site = catalogue.site
    return label("usage_terms", language, service=site.service or site.title) if site.gated else ""


def _partial_terms(view: View) -> str:
    notice = view.notice
    return "" if notice is None else f"{notice.text} {notice.contact_label}: {notice.contact}".removesuffix(": ")


def _ed_note(article: Article, view: View, catalogue: Catalogue, *, told: bool) -> str:
    language = view.words
    match article.status:
        case Status.KILLED:
            return _with("KILL", article.kill_reason if told else view.summary)
        case Status.WITHDRAWN:
            return view.summary
        case Status.HELD:
            return _with("HOLD", view.summary)
        case _:
            notes = [
                _with(upper(label(n.kind, language), language), n.text) for n in view.corrections if n.kind in _NOTED
            ]
            if view.depth is Depth.FULL_EMBARGOED and article.embargo is not None:
                when = datetime_text(article.embargo, language, catalogue.site.timezone)
                notes.append(_with(label("embargoed_until", language, when=when), article.embargo_reason))
            if isinstance(view, FullView) and told:
                notes.append(article.ednote)
            return " ".join(filter(None, notes))


def _with(word: str, text: str) -> str:
    return f"{word}: {text}" if text else word


def came_out_at(article: Article, viewer: Viewer, now: datetime, policy: Policy = _PLAIN) -> datetime:
    """Returns when this version came out for the viewer: the order of the wire.

    A version that had to wait for its hour came out then, not when it was written: a client that read on in the
    meantime would never see it. Who is cleared had it before its embargo ended, and is not given it again; who does
    not subscribe to it waits for as long as subscribers are ahead.
    """
    if article.status is not Status.PUBLISHED:
        return article.revised_at
    early = article.embargo is not None and entitled(article, cleared(viewer), now)
    waits = [article.publish_at, None if early else article.embargo or article.date]
    if policy.public_delay and article.first_published_at is not None and not entitled(article, viewer, now):
        waits.append(open_from(article, policy, now))
    return max([article.revised_at, *(moment for moment in waits if moment is not None and moment <= now)])


def were_out(versions: Sequence[Article], viewer: Viewer, now: datetime, policy: Policy = _PLAIN) -> list[Article]:
    """Returns those versions that readers of the viewer's kind could have had: out, or early for who is cleared.

    `versions` are oldest first: what was replaced before its time came for the viewer was never theirs.
    """
    early = cleared(viewer)
    seen = {version.version for version in seen_by(versions, viewer, now, policy)}
    return [
        version
        for version in versions
        if version.version in seen
        or (version.status is Status.PUBLISHED and version.embargo and entitled(version, early, now))
    ]


def cleared(viewer: Viewer) -> Viewer:
    """Returns the viewer with no other licences than those that open stories under embargo."""
    return Viewer(grants=tuple(grant for grant in viewer.grants if grant.embargo_cleared))


def as_taken_back(article: Article) -> Article:
    """Returns a story that went back to its desk as withdrawn: who had it must not keep it."""
    return replace(article, status=Status.WITHDRAWN) if article.status in (Status.DRAFT, Status.PLANNED) else article
