"""Articles as their viewers get them: every output is made from these Views and from nothing else.

What a viewer may not see never enters a View; links are made absolute here,
and labels are in the story's language.
"""

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, time, timedelta
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from publisher.editorial.access import effective_access, goes_by
from publisher.languages import date_text, datetime_text, direction, label, spoken, time_text
from publisher.model.advisory import Advisory, AdvisoryKind
from publisher.model.article import Access, Article, Body, Correction, Image, Status
from publisher.model.catalogue import Catalogue, Policy, Section, Site
from publisher.model.view import FULL, Channel, Depth, FullView, Label, Notice, View

_ORDER = (Depth.HEADLINE, Depth.SUMMARY, Depth.FULL).index
_ROLES = {
    "writer": "writing_by",
    "editor": "editing_by",
    "reporter": "reporting_by",
    "photographer": "photo_by",
    "translator": "translation_by",
    "": "contribution_by",
}
_TAG = re.compile(r"<[a-zA-Z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_ROOTED = re.compile(r"""(\s(?:href|src|poster|cite)\s*=\s*["'])(/(?!/))""", re.IGNORECASE)
_SLASHED = re.compile(r"""/(?<=["'\s,]/)""")
"""What may be the beginning of a root-relative address; few texts have any."""
_SRCSET = re.compile(r"""(\ssrcset\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_ROOTED_CANDIDATE = re.compile(r"(^[\"']\s*|,\s*)(/(?!/))")
_PARAGRAPH = re.compile(r"<p(?:\s[^>]*)?>(.*?)</p>", re.DOTALL)
_UNDESCRIBED = re.compile(r"<img\b(?![^>]*\salt=)")
_BREAK = re.compile(r"<br\b[^>]*>")
_MARKUP = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")
_INSTANT = timedelta(microseconds=1)
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9/._~-]*)?")
"""Most are: there is nothing to encode."""
_URL_SAFE = "/%:?#[]@!$&'()*+,;=~-._"


def needs_body(depth: Depth, channel: Channel, policy: Policy) -> bool:
    """Returns whether a rendition is made from the text: in full, or from its first paragraphs."""
    return depth in FULL or (depth is Depth.SUMMARY and policy.lead_paragraphs.get(channel, 0) > 0)


def view(
    article: Article,
    depth: Depth,
    *,
    catalogue: Catalogue,
    body: Body | None = None,
    channel: Channel = Channel.PAGE,
) -> View | None:
    """Returns the rendition of an article at the depth that `decide` gave; None for HIDE.

    FULL and FULL_EMBARGOED need the `body`, and give a `FullView`: asking for one without it is an error. A summary
    takes as many paragraphs of it as the publication gives away on the `channel`, and none without it.
    """
    match depth:
        case Depth.HIDE:
            return None
        case Depth.FULL | Depth.FULL_EMBARGOED:
            if body is None:
                raise ValueError(f"a full rendition of {article.id} needs its body")
            return _full(article, depth, catalogue, body)
        case Depth.SUMMARY:
            return View(
                **_of_summary(article, depth, catalogue),
                lead=_lead(body, catalogue.policy.lead_paragraphs.get(channel, 0)),
                notice=subscription_notice(article, catalogue.site),
            )
        case Depth.HEADLINE:
            notice = subscription_notice(article, catalogue.site)
            return View(**_of_headline(article, depth, catalogue), notice=notice)
        case Depth.HOLD | Depth.TOMBSTONE:
            return _advice(article, depth, catalogue)


def _frame(article: Article, depth: Depth, catalogue: Catalogue) -> View:
    """Returns what every rendition has, even a tombstone."""
    return View(**_of_frame(article, depth, catalogue))


def _of_frame(article: Article, depth: Depth, catalogue: Catalogue) -> dict[str, Any]:
    """Returns the values of a frame: what is added to them makes one View in place of one after the other."""
    access = effective_access(article, _section(article, catalogue), catalogue.default_access)
    zone = catalogue.site.timezone
    paged = access is not Access.SUBSCRIBER and goes_by(article, Channel.PAGE)
    published_text = stamp_text(article.published_at, article.language, zone)
    updated = article.updated_at != article.published_at
    return {
        "id": article.id,
        "guid": article.guid,
        "number": article.number,
        "version": article.version,
        "depth": depth,
        "url": absolute_url(catalogue.site, article.path) if paged else None,
        "language": article.language,
        "direction": direction(article.language),
        "labels": _words(article, catalogue.site),
        "title": article.title,
        "urgency": article.urgency,
        "published_at": article.published_at,
        "updated_at": article.updated_at,
        "expires": article.expires,
        "published_text": published_text,
        "updated_text": stamp_text(article.updated_at, article.language, zone) if updated else published_text,
        "update_shown": update_shown(article, zone),
        "free": access is Access.PUBLIC,
    }


def _of_headline(article: Article, depth: Depth, catalogue: Catalogue) -> dict[str, Any]:
    site = catalogue.site
    image = _image(article.image, site)
    return _of_frame(article, depth, catalogue) | {
        "section": _section_label(article, catalogue),
        "tags": tuple(Label(id=tag, title=tag) for tag in article.tags),
        "authors": article.authors or ((site.author,) if site.author else ()),
        "contributors": tuple((role_phrase(c.role, _words(article, site)), c.name) for c in article.contributors),
        "dateline": article.dateline.city if article.dateline else "",
        "country": article.dateline.country if article.dateline else "",
        "genre": article.genre,
        "subjects": article.subjects,
        "image": replace(image, caption="") if image else None,
    }


def _of_summary(article: Article, depth: Depth, catalogue: Catalogue) -> dict[str, Any]:
    return _of_headline(article, depth, catalogue) | {
        "deck": article.deck,
        "summary": article.summary,
        "key_points": article.key_points,
        "sources": article.sources,
        "image": _image(article.image, catalogue.site),
        "corrections": article.corrections,
        "episode": article.episode,
    }


def plain_text(html: str) -> str:
    """Returns the words of a piece of sanitised HTML, on one line."""
    return _SPACE.sub(" ", unescape(_MARKUP.sub("", _BREAK.sub(" ", html)))).strip()


def _lead(body: Body | None, count: int) -> tuple[str, ...]:
    """Returns the first paragraphs of a text, plain; never all of them, for then nothing would be kept back."""
    if body is None or count <= 0:
        return ()
    paragraphs = [words for found in _PARAGRAPH.findall(body.html) if (words := plain_text(found))]
    return tuple(paragraphs[: min(count, len(paragraphs) - 1)])


def _full(article: Article, depth: Depth, catalogue: Catalogue, body: Body) -> FullView:
    site = catalogue.site
    shown = _of_summary(article, depth, catalogue)
    if depth is Depth.FULL_EMBARGOED and article.embargo is not None:
        shown["embargo_text"] = embargo_text(article.embargo, article.language, site.timezone)
        shown["embargo_reason"] = article.embargo_reason
    return FullView(
        **shown,
        enclosures=tuple(replace(e, url=absolute_url(site, e.url)) for e in article.enclosures),
        body_html=_with_alt(absolute_links(body.html, site.url)),
        body_text=body.text,
    )


def _with_alt(html: str) -> str:
    """Returns a text whose pictures all have an `alt`: without one some programs read out a picture's address."""
    return _UNDESCRIBED.sub('<img alt=""', html)


def brief(shown: View) -> View:
    """Returns a few lines of a rendition in full, without its text; a viewer who may have no more keeps what they have.

    Where a story has no summary, its first paragraph stands for it.
    """
    if not isinstance(shown, FullView):
        return shown
    lead = () if shown.summary or shown.deck else _lead(Body(html=shown.body_html, text=shown.body_text), 1)
    values = {field.name: getattr(shown, field.name) for field in fields(View)}
    return View(**(values | {"lead": lead, "key_points": (), "shortened": True}))


def beginning(shown: FullView, paragraphs: Sequence[str], ending: str) -> View:
    """Returns a rendition with no more of its text than the first paragraphs, and a line that says so."""
    values = {field.name: getattr(shown, field.name) for field in fields(View)}
    return View(**(values | {"summary": "", "lead": (*paragraphs, ending)}))


def capped(shown: View, depth: Depth) -> View:
    """Returns a rendition for a list that shows at most this depth of every story, whatever its viewer may have."""
    if depth is Depth.FULL or shown.depth not in (Depth.FULL, Depth.SUMMARY):
        return shown
    return replace(brief(shown) if depth is Depth.SUMMARY else bare(shown), depth=min(shown.depth, depth, key=_ORDER))


def bare(shown: View) -> View:
    """Returns no more of a rendition than its headline, and where to read on."""
    return replace(brief(shown), deck="", summary="", key_points=(), lead=(), image=None)


def _advice(article: Article, depth: Depth, catalogue: Catalogue) -> View:
    """Returns a hold or a tombstone: nothing of the story but its title, and of a killed one not even that."""
    say = partial(label, language=_words(article, catalogue.site))
    at = max(article.revised_at, article.published_at)
    frame = replace(
        _frame(article, depth, catalogue),
        updated_at=at,  # a reader replaces what it has only by something newer
        updated_text=stamp_text(at, article.language, catalogue.site.timezone),
        update_shown=False,
        expires=None,
        recalled_at=None if depth is Depth.HOLD else article.revised_at,
    )
    if depth is Depth.HOLD:
        return replace(frame, summary=say("hold_text"))
    blanked = replace(frame, summary=say("tombstone_text"))
    if article.status is Status.KILLED:  # the address tells the headline as well
        return replace(blanked, url=None, title=say("killed_title", ref=str(article.number)), urgency=4)
    return replace(blanked, title=say("withdrawn_title", title=article.title))


def advice(advisory: Advisory, depth: Depth, catalogue: Catalogue, *, told: bool) -> View | None:
    """Returns what is said about a story, for a viewer to whom `decide` gives the story at `depth`; None for HIDE.

    It has an id and dates of its own, so that readers see it beside the story it is about. `told`: the viewer
    hears what the desk says to desks, such as why a story was killed.
    """
    article = advisory.article
    if depth is Depth.HIDE:
        return None
    say = partial(label, language=_words(article, catalogue.site))
    killed = advisory.kind is AdvisoryKind.KILL
    stamp = stamp_text(advisory.at, article.language, catalogue.site.timezone)
    reason = article.kill_reason if told else ""
    title = say(f"advisory_{advisory.kind.value}", title=article.title, ref=str(article.number))
    texts = {
        AdvisoryKind.HOLD: "advisory_hold_text",
        AdvisoryKind.RELEASE: "advisory_release_text",
        AdvisoryKind.WITHDRAWAL: "tombstone_text",
        AdvisoryKind.KILL: "advisory_kill_text",
    }
    frame = _frame(article, depth, catalogue)
    text = say(texts[advisory.kind]) if advisory.kind in texts else ""
    return replace(
        frame,
        id=advisory.id,
        url=None if killed else frame.url,
        title=title,
        summary=" ".join(filter(None, (text, reason if killed else ""))),
        corrections=() if depth is Depth.HEADLINE else advisory.corrections,
        section=None if killed else _section_label(article, catalogue),
        published_at=advisory.at,
        updated_at=advisory.at,
        published_text=stamp,
        updated_text=stamp,
        update_shown=False,
        expires=None,
        advisory=advisory.kind,
    )


def log_entry(shown: View, note: Correction, catalogue: Catalogue) -> View:
    """Returns one note of a story as an entry of the log of corrections, made from what its reader may have."""
    kind = AdvisoryKind(note.kind)
    same = [other for other in shown.corrections if (other.kind, other.at) == (note.kind, note.at)]
    ordinal = f"-{same.index(note) + 1}" if len(same) > 1 else ""
    stamp = stamp_text(note.at, shown.language, catalogue.site.timezone)
    return View(
        id=f"{shown.id}{'/' if shown.id.startswith('tag:') else '#'}{kind}-{note.at:%Y%m%dT%H%M%SZ}{ordinal}",
        number=shown.number,
        version=shown.version,
        depth=Depth.SUMMARY,
        url=shown.url,
        language=shown.language,
        direction=shown.direction,
        title=label(f"advisory_{kind.value}", shown.words, title=shown.title),
        section=shown.section,
        corrections=(note,),
        published_at=note.at,
        updated_at=note.at,
        published_text=stamp,
        updated_text=stamp,
        advisory=kind,
        labels=shown.labels,
        free=shown.free,
    )


def lapse(*, id: str, ended_at: datetime, language: str, catalogue: Catalogue) -> View:  # noqa: A002
    """Returns the one entry that tells a former subscriber why the full text is gone, and whom to ask."""
    site = catalogue.site
    when = date_text(ended_at - _INSTANT, language, site.timezone)  # what ends at midnight had the day before as last
    return View(
        id=id,
        number=0,
        version=1,
        depth=Depth.SUMMARY,
        url=f"{site.url}/",
        language=language,
        direction=direction(language),
        title=label("licence_ended_title", language, date=when),
        summary=label("licence_ended_text", language, service=site.service or site.title),
        published_at=ended_at,
        updated_at=ended_at,
        published_text=when,
        updated_text=when,
        notice=notice_in(language, site, ref=id),
    )


def stamp_text(moment: datetime, language: str, zone: str) -> str:
    """Returns a stamp at its own precision: a moment at midnight in the site's zone is a date without a time."""
    show = datetime_text if _has_time(moment.astimezone(ZoneInfo(zone))) else date_text
    return show(moment, language, zone)


def known_zone(zone: str | None, default: str) -> str:
    """Returns a time zone that the clock database knows: somebody's own, else the default."""
    try:
        return str(ZoneInfo(zone)) if zone else default
    except (ValueError, ZoneInfoNotFoundError):
        return default


def embargo_text(until: datetime, language: str, zone: str) -> str:
    """Returns the end of an embargo so that nobody takes it for another hour: time, offset and day in a zone."""
    offset = f"{until.astimezone(ZoneInfo(zone)):%z}"
    offset = f"UTC{offset[:3]}:{offset[3:5]}"
    when = {"time": time_text(until, language, zone), "zone": offset, "date": date_text(until, language, zone)}
    return label("embargo_when", language, **when)


def update_shown(article: Article, zone: str) -> bool:
    """Returns whether the update stamp says something that the date of publication does not."""
    if article.updated_at <= article.published_at:
        return False
    published, updated = (moment.astimezone(ZoneInfo(zone)) for moment in (article.published_at, article.updated_at))
    return updated.date() != published.date() or _minute(updated) != _minute(published)


def _has_time(local: datetime) -> bool:
    return local.time() != time.min


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _words(article: Article, site: Site) -> str:
    """Returns the language of a story's labels: its own, where we speak it, else the site's."""
    return spoken(article.language, site.language)


def _section(article: Article, catalogue: Catalogue) -> Section | None:
    return catalogue.sections.get(article.section) if article.section else None


def _section_label(article: Article, catalogue: Catalogue) -> Label | None:
    if not article.section:
        return None
    section = _section(article, catalogue)
    if section is None:
        return Label(id=article.section, title=article.section)
    url = absolute_url(catalogue.site, f"/sections/{section.id}/")
    return Label(id=section.id, title=section.title.in_language(article.language), url=url)


def role_phrase(role: str, language: str) -> str:
    """Returns the words before a contributor's name, such as "Writing by"; a role we have no words for as it is."""
    key = _ROLES.get(role.strip().lower())
    return label(key, language) if key else role


def subscription_notice(article: Article, site: Site) -> Notice | None:
    """Returns the notice of a rendition that is less than full, in its language; None where nothing is withheld."""
    return notice_in(_words(article, site), site, ref=article.id) if site.gated else None


def notice_in(language: str, site: Site, *, ref: str) -> Notice:
    """Returns the notice in a language; `ref` tells the desk which entry made somebody write."""
    return Notice(
        text=label("notice", language, site=site.title, service=site.service or site.title),
        contact=_contact(site.contact, label("notice_subject", language, ref=ref)),
        contact_label=label("notice_contact", language),
    )


def _contact(contact: str, subject: str) -> str:
    """Returns the address of the contact; a mail gets a subject unless the address has one (RFC 6068 §2)."""
    if not contact.lower().startswith("mailto:") or re.search(r"[?&]subject=", contact, re.IGNORECASE):
        return contact
    return f"{contact}{'&' if '?' in contact else '?'}subject={quote(subject, safe='')}"


def _image(image: Image | None, site: Site) -> Image | None:
    return replace(image, src=absolute_url(site, image.src)) if image else None


def absolute_url(site: Site, address: str) -> str:
    """Returns a URI (RFC 3986) for a root-relative path or an absolute address; what is encoded stays so."""
    absolute = site.absolute(address) if address.startswith("/") and not address.startswith("//") else address
    if _PLAIN_URL.fullmatch(absolute):
        return absolute
    parts = urlsplit(absolute)
    if not parts.netloc.isascii():
        absolute = urlunsplit(parts._replace(netloc=_ascii_host(parts.netloc)))
    return quote(absolute, safe=_URL_SAFE)


def _ascii_host(netloc: str) -> str:
    try:
        return netloc.encode("idna").decode("ascii")
    except UnicodeError:
        return netloc


def absolute_links(html: str, base: str) -> str:
    """Returns sanitised HTML whose root-relative links, images and media start with `base` (no trailing slash)."""
    if not _SLASHED.search(html):
        return html
    return _TAG.sub(lambda tag: _absolute_tag(tag[0], base), html)


def _absolute_tag(tag: str, base: str) -> str:
    tag = _ROOTED.sub(lambda found: f"{found[1]}{base}{found[2]}", tag)
    return _SRCSET.sub(lambda found: found[1] + _absolute_candidates(found[2], base), tag)


def _absolute_candidates(candidates: str, base: str) -> str:
    return _ROOTED_CANDIDATE.sub(lambda found: f"{found[1]}{base}{found[2]}", candidates)
