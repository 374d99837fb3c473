"""Sitemaps (sitemaps.org 0.9) and the news sitemap (Google's schema 0.9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from publisher.feeds.dates import rfc3339
from publisher.feeds.text import clean, line, title
from publisher.model.view import Depth, View

CONTENT_TYPE = "application/xml; charset=utf-8"
NEWS_URLS = 1_000
NEWS_WINDOW = timedelta(hours=48)

_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NEWS = "http://www.google.com/schemas/sitemap-news/0.9"
_XHTML = "http://www.w3.org/1999/xhtml"
_LISTED = frozenset({Depth.HEADLINE, Depth.SUMMARY, Depth.FULL})
_CHINESE = {"zh": "zh-cn", "zh-hant": "zh-tw", "zh-tw": "zh-tw", "zh-hk": "zh-tw"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """One page of the site: its absolute URL and its last real change."""

    url: str
    updated_at: datetime | None = None
    alternates: tuple[tuple[str, str], ...] = ()
    """The same page in each of its languages, itself among them: language tag and URL."""


def urlset(places: Sequence[Location]) -> bytes:
    """Returns a sitemap of pages."""
    return _listing("urlset", "url", places)


def sitemap_index(parts: Sequence[Location]) -> bytes:
    """Returns the index of sitemaps, each with the last change in it."""
    return _listing("sitemapindex", "sitemap", parts)


def news_sitemap(views: Iterable[View], name: str, now: datetime) -> bytes:
    """Returns the stories of the last 48 hours, at most 1,000, newest first as given; `name` is the publication's."""
    root = _root("urlset", news=_NEWS)
    recent = (v for v in views if v.url and _is_listed(v) and now - NEWS_WINDOW <= v.published_at <= now)
    for view in islice(recent, NEWS_URLS):
        _add_news(etree.SubElement(root, f"{{{_SITEMAP}}}url"), view, name)
    return _bytes(root)


def _is_listed(view: View) -> bool:
    return view.depth in _LISTED


def _add_news(parent: "etree._Element", view: View, name: str) -> None:
    _text(parent, "loc", clean(view.url or ""))
    news = etree.SubElement(parent, f"{{{_NEWS}}}news")
    publication = etree.SubElement(news, f"{{{_NEWS}}}publication")
    _text(publication, "name", line(name), _NEWS)
    _text(publication, "language", news_language(view.language), _NEWS)
    _text(news, "publication_date", rfc3339(view.published_at), _NEWS)
    _text(news, "title", title(view), _NEWS)


def news_language(tag: str) -> str:
    """Returns the two or three letters that the schema takes: no regions, but for Chinese."""
    tag = tag.lower()
    if tag.startswith("zh"):
        return next((code for start, code in sorted(_CHINESE.items(), reverse=True) if tag.startswith(start)), "zh-cn")
    return tag.split("-", maxsplit=1)[0]


def _listing(outer: str, inner: str, places: Sequence[Location]) -> bytes:
    """Put together as text: a sitemap is the one document that grows with the number of stories."""
    prefix = f' xmlns:xhtml="{_XHTML}"' if any(place.alternates for place in places) else ""
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", f'<{outer} xmlns="{_SITEMAP}"{prefix}>']
    for place in places:
        changed = f"<lastmod>{rfc3339(place.updated_at)}</lastmod>" if place.updated_at is not None else ""
        links = "".join(
            f'<xhtml:link rel="alternate" hreflang={quoteattr(clean(language))} href={quoteattr(clean(url))}/>'
            for language, url in place.alternates
        )
        lines.append(f"<{inner}><loc>{escape(clean(place.url))}</loc>{changed}{links}</{inner}>")
    return "\n".join([*lines, f"</{outer}>", ""]).encode()


def _root(tag: str, **prefixes: str) -> "etree._Element":
    namespaces: Any = {None: _SITEMAP} | prefixes
    return etree.Element(f"{{{_SITEMAP}}}{tag}", nsmap=namespaces)


def _text(parent: "etree._Element", tag: str, text: str, namespace: str = _SITEMAP) -> None:
    etree.SubElement(parent, f"{{{namespace}}}{tag}").text = text


def _bytes(root: "etree._Element") -> bytes:
    document: bytes = etree.tostring(root, pretty_print=True, encoding="UTF-8", xml_declaration=True)
    return document
