"""The lists beside the feeds: OPML for readers, sitemaps for search engines."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_rules import check_rfc822, check_rfc3339, check_sitemap, check_xml
from feed_samples import PUBLISHED, UPDATED, feed, full, summary

from publisher.feeds import FORMATS
from publisher.feeds.opml import CONTENT_TYPE as OPML_TYPE
from publisher.feeds.opml import opml
from publisher.feeds.sitemap import (
    NEWS_URLS,
    Location,
    news_language,
    news_sitemap,
    sitemap_index,
    urlset,
)
from publisher.model.view import Depth, View

S = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
N = "{http://www.google.com/schemas/sitemap-news/0.9}"
X = "{http://www.w3.org/1999/xhtml}"
SITE = "https://news.example.org"
NOW = PUBLISHED + timedelta(hours=1)


@pytest.mark.parametrize(("name", "version"), [("rss", "RSS2"), ("atom", "ATOM1"), ("json", None)])
def test_opml_lists_each_feed_once_with_its_address(name: str, version: str | None):
    feeds = [feed(), feed(title="Asia <&> Pacific", url=f"{SITE}/feeds/asia-pacific", language="tr", description="")]
    document = opml("Example News Flow: feeds", [(one, FORMATS[name]) for one in feeds])
    root = check_xml(document)
    assert (root.tag, root.get("version")) == ("opml", "2.0")
    assert root.findtext("head/title") == "Example News Flow: feeds"
    assert check_rfc822(root.findtext("head/dateModified")) == UPDATED
    outlines = root.findall("body/outline")
    assert [o.get("text") for o in outlines] == ["Example News Flow", "Asia <&> Pacific"]
    assert {o.get("type") for o in outlines} == {"rss"}
    assert [o.get("version") for o in outlines] == [version, version]
    assert outlines[1].get("xmlUrl") == f"{SITE}/feeds/asia-pacific.{name}"
    assert outlines[1].get("htmlUrl") == "https://news.example.org/"
    assert outlines[1].get("language") == "tr"
    assert [o.get("description") for o in outlines] == ["News from two ports", None]
    assert document == opml("Example News Flow: feeds", [(one, FORMATS[name]) for one in feeds])


def test_opml_of_nothing_is_still_a_document():
    root = check_xml(opml("None", []))
    assert root.find("head/dateModified") is None
    assert len(root.find("body")) == 0
    assert OPML_TYPE == "text/x-opml; charset=utf-8"


def _urls(document: bytes) -> list[str]:
    return [element.text for element in check_sitemap(document).iter(f"{S}loc")]


def test_a_sitemap_lists_pages_with_their_last_change():
    pages = [Location(url=f"{SITE}/"), Location(url=f"{SITE}/articles/a&b/", updated_at=UPDATED)]
    document = urlset(pages)
    assert _urls(document) == [page.url for page in pages]
    root = check_xml(document)
    assert root.tag == f"{S}urlset"
    assert [check_rfc3339(e.text) for e in root.iter(f"{S}lastmod")] == [UPDATED]


def test_a_page_in_several_languages_names_each():
    languages = (("en", f"{SITE}/a/"), ("tr", f"{SITE}/tr/a/?x=1&y=2"))
    pages = [
        Location(url=f"{SITE}/a/", updated_at=UPDATED, alternates=languages),
        Location(url=f"{SITE}/alone/", updated_at=UPDATED),
    ]
    root = check_sitemap(urlset(pages))
    links = [[(e.get("hreflang"), e.get("href")) for e in url.iter(f"{X}link")] for url in root]
    assert links == [list(languages), []]
    assert b"xhtml" not in urlset(pages[1:])


def test_an_index_says_when_each_part_changed():
    parts = [Location(url=f"{SITE}/sitemap-{n}.xml", updated_at=at) for n, at in ((1, UPDATED), (2, PUBLISHED))]
    document = sitemap_index(parts)
    index = check_xml(document)
    assert index.tag == f"{S}sitemapindex"
    assert _urls(document) == [part.url for part in parts]
    assert [check_rfc3339(e.text) for e in index.iter(f"{S}lastmod")] == [UPDATED, PUBLISHED]


HIDDEN: list[dict[str, Any]] = [
    {"url": None},
    {"depth": Depth.TOMBSTONE},
    {"depth": Depth.HOLD},
    {"depth": Depth.FULL_EMBARGOED},
]


@pytest.mark.parametrize("said", HIDDEN, ids=str)
def test_what_has_no_public_page_is_in_no_sitemap(said: dict[str, Any]):
    views: list[View] = [summary(**said), full(), summary(depth=Depth.HEADLINE, url=f"{SITE}/articles/another/")]
    assert len(_urls(news_sitemap(views, "Example News Flow", NOW))) == 2


def test_the_news_sitemap_says_what_the_schema_wants():
    view = summary(language="en-GB", title="Ports & <boats>")
    root = check_sitemap(news_sitemap([view], "Example News Flow", NOW))
    news = root.find(f"{S}url/{N}news")
    assert [child.tag for child in news] == [f"{N}publication", f"{N}publication_date", f"{N}title"]
    assert news.findtext(f"{N}publication/{N}name") == "Example News Flow"
    assert news.findtext(f"{N}publication/{N}language") == "en"
    assert check_rfc3339(news.findtext(f"{N}publication_date")) == PUBLISHED
    assert news.findtext(f"{N}title") == "Ports & <boats>"


@pytest.mark.parametrize(
    ("age", "listed"),
    [(timedelta(0), 1), (timedelta(hours=48), 1), (timedelta(hours=48, seconds=1), 0), (timedelta(seconds=-1), 0)],
)
def test_the_news_sitemap_holds_the_last_two_days(age: timedelta, listed: int):
    now = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    assert len(_urls(news_sitemap([summary(published_at=now - age)], "X", now))) == listed


def test_the_news_sitemap_of_nothing_is_still_a_document():
    assert _urls(news_sitemap([], "X", NOW)) == []


def test_the_news_sitemap_holds_a_thousand_stories():
    views = [summary(url=f"{SITE}/{n}/") for n in range(NEWS_URLS + 5)]
    assert _urls(news_sitemap(views, "X", NOW)) == [str(v.url) for v in views[:NEWS_URLS]]


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("TR", "tr"),
        ("fil", "fil"),
        ("zh", "zh-cn"),
        ("zh-Hans-CN", "zh-cn"),
        ("zh-Hant", "zh-tw"),
        ("zh-TW", "zh-tw"),
        ("zh-HK", "zh-tw"),
    ],
)
def test_languages_are_letters_without_a_region_except_chinese(tag: str, code: str):
    assert news_language(tag) == code
