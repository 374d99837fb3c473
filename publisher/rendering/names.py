"""The filters and functions that every template may use."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup

from publisher.languages import date_text, datetime_text, label, language_name, upper
from publisher.model.catalogue import Newsletter, Site
from publisher.model.feed import FeedLink
from publisher.model.view import FullView, View
from publisher.rendering import layout, plaintext
from publisher.rendering.structured import structured

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_PARAGRAPH = re.compile(r"\s*<p\b[^>]*>")


def install(env: jinja2.Environment) -> None:
    """Gives an environment our names."""
    env.globals.update(t=_t, arrange=layout.arrange, structured=_structured)
    env.filters.update(
        body=_body,
        capitals=_capitals,
        date=_date,
        datetime=_datetime,
        dateline=_dateline,
        day=_day,
        in_formats=_in_formats,
        iso=_iso,
        language_name=language_name,
        local=_local,
        one_line=plaintext.one_line,
        rhythm=_rhythm,
        shortened=plaintext.shortened,
        stamp=_stamp,
        trusted=_sanitised,
        with_notice=_with_notice,
    )
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}


@jinja2.pass_context
def _t(context: Context, key: str, **values: object) -> str:
    return label(key, context["language"], **values)


@jinja2.pass_context
def _structured(context: Context, view: View) -> dict[str, object]:
    return structured(view, context["site"], "NewsArticle" if context["sections"] else "BlogPosting")


@jinja2.pass_context
def _capitals(context: Context, text: str) -> str:
    return upper(text, context["language"])


@jinja2.pass_context
def _date(context: Context, at: datetime) -> str:
    return date_text(at, context["language"], context["site"].timezone)


@jinja2.pass_context
def _datetime(context: Context, at: datetime) -> str:
    return datetime_text(at, context["language"], context["site"].timezone)


@jinja2.pass_context
def _stamp(context: Context, at: datetime) -> str:
    """A date without time in a file reads as midnight, and midnight says nothing to a reader."""
    site: Site = context["site"]
    midnight = at.astimezone(ZoneInfo(site.timezone)).time() == time.min
    return (date_text if midnight else datetime_text)(at, context["language"], site.timezone)


@jinja2.pass_context
def _day(context: Context, at: datetime) -> str:
    """The day in the moment's own zone."""
    return date_text(at, context["language"], str(at.tzinfo))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


@jinja2.pass_context
def _local(context: Context, url: str) -> str:
    """Pages keep working under every name and port that a reader reaches them by."""
    site: Site = context["site"]
    parts = urlsplit(site.url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if url.startswith(origin + "/"):
        return url.removeprefix(origin)
    return "/" if url == origin else url


def _dateline(view: View) -> Markup:
    if not view.dateline:
        return Markup("")
    place = upper(view.dateline, view.language)
    return Markup('<span class="dateline">{}</span> — ').format(place)


def _body(view: FullView) -> Markup:
    """The text in full, with the dateline run into its first paragraph."""
    run_in = _dateline(view)
    opening = _FIRST_PARAGRAPH.match(view.body_html)
    if opening is None:
        return _alone(run_in) + _sanitised(view.body_html)
    at = opening.end()
    return _sanitised(view.body_html[:at]) + run_in + _sanitised(view.body_html[at:])


def _alone(run_in: Markup) -> Markup:
    return Markup("<p>{}</p>").format(run_in.removesuffix(" — ")) if run_in else run_in


def _sanitised(html: str) -> Markup:
    """`content` has sanitised every body before it came here."""
    return Markup(html)  # noqa: S704


@jinja2.pass_context
def _rhythm(context: Context, newsletter: Newsletter) -> str:
    """When a newsletter goes out, in words."""
    language: str = context["language"]
    words = newsletter.schedule.split()
    match words:
        case ["instant"]:
            return label("rhythm_instant", language)
        case ["daily", at]:
            return label("rhythm_daily", language, time=at)
        case ["weekly", day, at] if day[:3].lower() in _WEEKDAYS:
            return label("rhythm_weekly", language, day=label(f"weekday_{day[:3].lower()}", language), time=at)
        case ["monthly", day, at]:
            return label("rhythm_monthly", language, day=day, time=at)
    return label("rhythm_regular", language)


def _in_formats(feeds: Iterable[FeedLink]) -> list[tuple[str, list[FeedLink]]]:
    found: dict[str, list[FeedLink]] = {}
    for feed in feeds:
        found.setdefault(feed.title, []).append(feed)
    return list(found.items())


def _with_notice(views: Sequence[View]) -> list[View]:
    """The first View of each different notice: a list says it once."""
    found: dict[str, View] = {}
    for view in views:
        if view.notice is not None:
            found.setdefault(view.notice.text, view)
    return list(found.values())
