"""The filters and functions that every template may use."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from functools import partial
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup

from publisher.languages import (
    city_text,
    clock_text,
    date_text,
    datetime_text,
    direction,
    full_date_text,
    label,
    language_name,
    spoken,
    time_text,
    upper,
    zones,
)
from publisher.model import personal
from publisher.model.catalogue import Site
from publisher.model.feed import FeedLink
from publisher.model.view import FullView, View
from publisher.newsletters.schedule import parse
from publisher.rendering import layout, plaintext
from publisher.rendering.fragments import Fragments
from publisher.rendering.structured import structured

_HEADING = re.compile(r"</?h([1-6])\b")
_HEADING_TEXT = re.compile(r"<h[1-6]\b[^>]*>(.*?)</h[1-6]>", re.DOTALL)
_UNSIZED = re.compile(r"<img\b(?![^>]*\swidth=)")
_FIRST_PARAGRAPH = re.compile(r"\s*<p\b[^>]*>")


def install(env: jinja2.Environment, fragments: Fragments) -> None:
    """Gives an environment our names."""
    env.globals.update(t=_t, arrange=layout.arrange, remembered=fragments.remembered, structured=_structured)
    env.filters.update(
        address=_address,
        body=_body,
        capitals=_capitals,
        date=_date,
        date_in=_date_in,
        datetime=_datetime,
        dateline=_dateline,
        day=_day,
        direction=direction,
        full_day=_full_day,
        in_formats=_in_formats,
        iso=_iso,
        language_name=language_name,
        local=_local,
        local_day=_local_day,
        occasion=_occasion,
        one_line=plaintext.one_line,
        rhythm=_rhythm,
        run_in=_run_in,
        shortened=plaintext.shortened,
        spoken=_spoken,
        stamp=_stamp,
        trusted=_sanitised,
        with_notice=_with_notice,
        zones=zones,
    )
    env.policies["json.dumps_kwargs"] = {"ensure_ascii": False}


@jinja2.pass_context
def _t(context: Context, key: str, **values: object) -> str:
    return label(key, _words_of(context), **values)


def _words_of(context: Context) -> str:
    """The language of labels: the page's, where we speak it, else the site's."""
    site: Site = context["site"]
    return spoken(context["language"], site.language)


@jinja2.pass_context
def _structured(context: Context, view: View) -> dict[str, object]:
    return structured(view, context["site"], context["kin"], news=bool(context["sections"]))


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


@jinja2.pass_context
def _full_day(context: Context, at: datetime) -> str:
    """The day with its weekday, in the moment's own zone."""
    return full_date_text(at, context["language"], str(at.tzinfo))


def _address(view: View) -> str | None:
    """Where a reader of a mail reads on: what is for all of them on its page, the rest on a page of their own."""
    if view.shortened and not (view.free and view.url):
        return f"{personal.MARKERS['read_url']}#a{view.number}"
    return view.url


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


def _run_in(view: View) -> str:
    """The place a story was filed from, in capitals as the story's language has them, before its first words."""
    if not view.dateline:
        return ""
    return upper(view.dateline, view.language) + label("dateline_separator", view.words)


def _dateline(view: View) -> Markup:
    return _place(view) + label("dateline_separator", view.words) if view.dateline else Markup("")


def _place(view: View) -> Markup:
    return Markup('<span class="dateline">{}</span>').format(upper(view.dateline, view.language))


def _body(view: FullView, below: int = 0) -> Markup:
    """The text in full, with the dateline run into its first paragraph.

    `below`: in a mail, the level of the headline that it stands under; its own headings go down from there.
    """
    html = _in_mail(view.body_html, below) if below else view.body_html
    opening = _FIRST_PARAGRAPH.match(html)
    if opening is None:
        alone = Markup("<p>{}</p>").format(_place(view)) if view.dateline else Markup("")
        return alone + _sanitised(html)
    at = opening.end()
    return _sanitised(html[:at]) + _dateline(view) + _sanitised(html[at:])


def _in_mail(html: str, below: int) -> str:
    levels = [int(level) for level in _HEADING.findall(html)]
    down = below + 1 - min(levels, default=0)
    html = _HEADING.sub(lambda tag: f"{tag[0][:-1]}{min(int(tag[1]) + down, 6)}", html)
    # Outlook for Windows knows no largest width: what says none of its own gets one there by this class.
    return _UNSIZED.sub('<img class="wide"', html)


def _spoken(view: FullView) -> str:
    """The text in full as a mail without HTML tells it."""
    found = _HEADING_TEXT.findall(view.body_html)
    headings = {plaintext.one_line(Markup(words).striptags()) for words in found}  # noqa: S704 - nothing is shown of it
    return _run_in(view) + plaintext.told(view.body_text.strip(), headings, partial(upper, language=view.language))


def _sanitised(html: str) -> Markup:
    """`content` has sanitised every body before it came here."""
    return Markup(html)  # noqa: S704


@jinja2.pass_context
def _rhythm(context: Context, schedule: str) -> str:
    """When a newsletter goes out, in words."""
    say = partial(label, language=_words_of(context))
    match parse(schedule).text.split():
        case ["instant"]:
            return say("rhythm_instant")
        case ["weekdays", at]:
            return say("rhythm_weekdays", time=_clock(context, at))
        case ["daily", at]:
            return say("rhythm_daily", time=_clock(context, at))
        case ["weekly", day, at]:
            return say("rhythm_weekly", day=say(f"weekday_{day}"), time=_clock(context, at))
        case ["monthly", "last", at]:
            return say("rhythm_month_end", time=_clock(context, at))
        case ["monthly", day, at]:
            return say("rhythm_monthly", day=int(day), time=_clock(context, at))
    return say("rhythm_regular")


@jinja2.pass_context
def _occasion(context: Context, at: datetime, zone: str) -> str:
    """A moment to come as a reader knows it: the day with its name, the time, and whose clock it is."""
    words = _words_of(context)
    day, time = full_date_text(at, words, zone), time_text(at, words, zone)
    return label("next_when", words, day=day, time=time, place=city_text(zone, words))


@jinja2.pass_context
def _date_in(context: Context, at: datetime, zone: str) -> str:
    return date_text(at, _words_of(context), zone)


def _local_day(at: datetime, zone: str) -> str:
    """A day for a date field (`2026-12-01`)."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def _clock(context: Context, at: str) -> str:
    """The time of a schedule (`07:00`) in words that fit its label."""
    return clock_text(time.fromisoformat(at), _words_of(context))


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
