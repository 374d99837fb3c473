"""Stories in several languages: which pages link to which, and what each says in whose words."""

import json
import re
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.services.publish import Report

FIRST = "tag:wire.example,2026-11-02:first"
S = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
XHTML = "{http://www.w3.org/1999/xhtml}"
ARABIC = story(
    "إعادة فتح خط العبّارات بعد تسعة أعوام",
    body="أبحرت أول عبّارة عند الفجر.\n\nوكانت الجملة السرية في آخر النص.\n",
    language="ar",
    section="asia-pacific",
    deck="أول رحلة تنطلق عند الفجر",
    dateline="{city: فيرا, country: TA}",
    authors="غرفة الأخبار",
    slug="ferry-ar",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An agency without any article."""
    return make_publication(tmp_path / "wire")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def build(folder: Path, clock: ManualClock) -> Report:
    """One pass by a process of its own, a minute later."""
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        return await app.publishing.refresh(clock.move(minutes=1), at_once=True)


def translated(title: str, language: str, **keys: object) -> str:
    return story(title, language=language, translation_of=f'"{FIRST}"', **keys)


def page(folder: Path, path: str) -> LexborHTMLParser:
    return LexborHTMLParser((folder / "public" / path / "index.html").read_text(encoding="utf-8"))


def alternates(tree: LexborHTMLParser) -> dict[str, str]:
    nodes = tree.css('head link[rel="alternate"][hreflang]')
    return {str(node.attributes["hreflang"]): str(node.attributes["href"]) for node in nodes}


def structured(tree: LexborHTMLParser) -> dict[str, Any]:
    node = tree.css_first('script[type="application/ld+json"]')
    assert node is not None
    found: dict[str, Any] = json.loads(node.text())
    return found


def sitemap_languages(folder: Path) -> dict[str, dict[str, str]]:
    root = etree.fromstring((folder / "public/sitemap.xml").read_bytes())
    return {
        url.findtext(f"{S}loc", ""): {
            link.get("hreflang", ""): link.get("href", "") for link in url.findall(f"{XHTML}link")
        }
        for url in root.iter(f"{S}url")
    }


BOTH = {"en": "https://wire.example/articles/first/", "tr": "https://wire.example/articles/ilk/"}


async def test_translations_name_each_other_everywhere(folder: Path, clock: ManualClock) -> None:
    """Page, sitemap and JSON-LD agree, each page names itself too, and the switch leads to the other."""
    write(folder, "first.md", story("First", id=f'"{FIRST}"'))
    write(folder, "ilk.md", translated("İlk", "tr"))
    await build(folder, clock)
    english, turkish = page(folder, "articles/first"), page(folder, "articles/ilk")
    assert alternates(english) == alternates(turkish) == BOTH
    assert sitemap_languages(folder) == dict.fromkeys(BOTH.values(), BOTH)
    [also] = english.css(".also a")
    assert (also.attributes["href"], also.attributes["hreflang"]) == ("/articles/ilk/", "tr")
    assert also.text() == "Also in Türkçe"
    assert [node.text() for node in turkish.css(".also a")] == ["Diğer dilde: English"]
    assert structured(english)["workTranslation"] == [
        {"@type": "CreativeWork", "headline": "İlk", "url": BOTH["tr"], "inLanguage": "tr"}
    ]
    assert structured(turkish)["translationOfWork"]["url"] == BOTH["en"]
    assert "workTranslation" not in structured(turkish)


@pytest.mark.parametrize("gone", ["access: subscriber", "status: draft", "status: withdrawn", None], ids=str)
async def test_a_translation_that_the_public_may_not_see_leaves_no_trace(
    folder: Path, clock: ManualClock, gone: str | None
) -> None:
    """Going it takes its links with it, and only the pages that had them are written."""
    write(folder, "first.md", story("First", id=f'"{FIRST}"'))
    path = write(folder, "ilk.md", translated("Gizli", "tr"))
    write(folder, "other.md", story("Other"))
    await build(folder, clock)
    if gone is None:
        path.unlink()
    else:
        write(folder, "ilk.md", translated("Gizli", "tr").replace("language:", f"{gone}\nlanguage:"))
    report = await build(folder, clock)
    assert "articles/first/index.html" in report.written
    assert "articles/other/index.html" not in report.written
    html = (folder / "public/articles/first/index.html").read_text()
    assert "Gizli" not in html
    assert "ilk" not in html
    assert alternates(page(folder, "articles/first")) == {}
    assert "translationOfWork" not in html
    assert "workTranslation" not in html
    assert sitemap_languages(folder)[BOTH["en"]] == {}


async def test_a_change_of_one_reaches_the_page_of_the_other(folder: Path, clock: ManualClock) -> None:
    """Also when only the changed file is looked at."""
    write(folder, "first.md", story("First", id=f'"{FIRST}"'))
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        write(folder, "ilk.md", translated("İlk", "tr"))
        report = await app.publishing.refresh(clock.move(minutes=1), ["ilk.md"])
        assert "articles/first/index.html" in report.written
        write(folder, "ilk.md", translated("İlk, yeni başlık", "tr"))
        report = await app.publishing.refresh(clock.move(minutes=1), ["ilk.md"])
    assert "articles/first/index.html" in report.written
    assert structured(page(folder, "articles/first"))["workTranslation"][0]["headline"] == "İlk, yeni başlık"


async def test_translations_of_a_hidden_original_still_know_each_other(folder: Path, clock: ManualClock) -> None:
    """Of the original itself nothing is said."""
    write(folder, "first.md", story("Secret original", id=f'"{FIRST}"', access="subscriber"))
    write(folder, "ilk.md", translated("İlk", "tr"))
    write(folder, "ferry.md", ARABIC.replace("language: ar", f'language: ar\ntranslation_of: "{FIRST}"'))
    await build(folder, clock)
    turkish = page(folder, "articles/ilk")
    assert alternates(turkish) == {"tr": BOTH["tr"], "ar": "https://wire.example/articles/ferry-ar/"}
    assert FIRST not in str(turkish.html)
    assert "translationOfWork" not in structured(turkish)


async def test_related_stories_are_shown_as_far_as_the_public_may_see_them(folder: Path, clock: ManualClock) -> None:
    """A story that goes leaves the pages that named it."""
    ids = '["tag:wire.example,2026:a", "tag:wire.example,2026:b", "tag:wire.example,2026:none"]'
    write(folder, "a.md", story("Shown beside it", id='"tag:wire.example,2026:a"'))
    write(folder, "b.md", story("Kept apart", id='"tag:wire.example,2026:b"', access="subscriber"))
    write(folder, "c.md", story("The story", related=ids, supersedes=ids))
    await build(folder, clock)
    tree = page(folder, "articles/c")
    assert [node.text() for node in tree.css(".related .headline")] == ["Shown beside it"]
    assert structured(tree)["relatedLink"] == structured(tree)["isBasedOn"] == ["https://wire.example/articles/a/"]
    write(folder, "a.md", story("Shown beside it", id='"tag:wire.example,2026:a"', status="draft"))
    report = await build(folder, clock)
    assert "articles/c/index.html" in report.written
    assert page(folder, "articles/c").css(".related") == []


async def test_an_arabic_story_is_arabic_throughout(folder: Path, clock: ManualClock) -> None:
    """Its page is in Arabic from the frame to the notice; on an English page the story alone is, and feeds say so."""
    write(folder, "ferry.md", ARABIC)
    await build(folder, clock)
    own, front = page(folder, "articles/ferry-ar"), page(folder, "")
    root, notice = own.css_first("html"), own.css_first("aside.subscription-notice")
    assert root is not None
    assert notice is not None
    assert (root.attributes["lang"], root.attributes["dir"]) == ("ar", "rtl")
    assert "للاشتراك يُرجى التواصل معنا" in notice.text()
    assert "بقلم: غرفة الأخبار" in own.text()
    assert "2 نوفمبر 2026" in own.text()
    assert not re.search(r"\b(By|Updated|Key points|Sign up|Contact us)\b", own.text())
    teaser = front.css_first("article.teaser")
    assert teaser is not None
    assert (teaser.attributes["lang"], teaser.attributes["dir"]) == ("ar", "rtl")
    when = teaser.css_first(".when")
    assert when is not None
    assert (when.attributes["lang"], when.attributes["dir"]) == ("en", "ltr")
    feeds = folder / "public/feeds"
    assert '<entry xml:lang="ar">' in (feeds / "all.atom").read_text()
    assert "<dc:language>ar</dc:language>" in (feeds / "all.rss").read_text()
    [item] = json.loads((feeds / "all.json").read_text())["items"]
    assert item["language"] == "ar"
    assert item["content_html"].startswith('<div lang="ar" dir="rtl">')
    for name in ("all.atom", "all.rss"):
        [entry] = feedparser.parse((feeds / name).read_bytes(), sanitize_html=False).entries
        assert entry.summary.startswith('<div dir="rtl" lang="ar">')  # feedparser sorts attributes


HEBREW = story("המעבורת שבה לפעול", language="he", section="economy", authors="מערכת", slug="ferry-he")


@pytest.mark.parametrize(("main", "words"), [("en", "Contact us for subscription"), ("tr", "lütfen iletişime")])
async def test_a_language_without_words_gets_those_of_the_site(
    folder: Path, clock: ManualClock, main: str, words: str
) -> None:
    """Hebrew has no catalogue: the story stays Hebrew and right-to-left, its frame speaks the site's language."""
    config = AGENCY.replace('language = "en"', f'language = "{main}"')
    (folder / "config.toml").write_text(config)
    write(folder, "ferry.md", HEBREW)
    await build(folder, clock)
    tree = page(folder, "articles/ferry-he")
    root, article, notice = (
        tree.css_first("html"),
        tree.css_first("article.story"),
        tree.css_first(".subscription-notice"),
    )
    assert root is not None
    assert article is not None
    assert notice is not None
    assert (root.attributes["lang"], root.attributes["dir"]) == (main, "ltr")
    assert (article.attributes["lang"], article.attributes["dir"]) == ("he", "rtl")
    assert words in notice.text()
    line = article.css_first(".credits")
    assert line is not None
    assert (line.attributes["lang"], line.attributes["dir"]) == (main, "ltr")
    [item] = json.loads((folder / "public/feeds/all.json").read_text())["items"]
    assert words in item["content_html"]


# What the public does not see ----------------------------------------------------------------------------------------


def tally(folder: Path, path: str = "") -> str | None:
    node = page(folder, path).css_first(".tally")
    return None if node is None else " ".join(node.text().split())


async def test_the_front_page_counts_what_it_does_not_show(folder: Path, clock: ManualClock) -> None:
    """Per language, of today alone, and the count is all that it says."""
    write(folder, "seen.md", story("Seen", date="2026-11-02T08:00:00+03:00"))
    write(folder, "free.md", story("Free", date="2026-11-02T08:00:00+03:00", access="public"))
    write(folder, "x.md", story("Quiet one", date="2026-11-02T00:00:00+03:00", access="subscriber"))
    write(folder, "y.md", story("Quiet two", date="2026-11-02T09:00:00+03:00", access="subscriber"))
    write(folder, "old.md", story("Quiet three", date="2026-11-01T23:59:00+03:00", access="subscriber"))
    write(folder, "tr.md", story("Sessiz", date="2026-11-02T09:00:00+03:00", access="subscriber", language="tr"))
    await build(folder, clock)
    said = "2 more stories today for subscribers Today: 4 stories to subscribers, 1 summarised here"
    assert tally(folder) == said
    assert tally(folder, "tr") == "Bugün aboneler için 1 haber daha"
    for path in (folder / "public").rglob("*.*"):
        assert not re.search(rb"Quiet|Sessiz", path.read_bytes()), path


async def test_the_count_moves_with_the_stories_and_touches_the_front_page_alone(
    folder: Path, clock: ManualClock
) -> None:
    """A story that no page shows changes one line of one page."""
    write(folder, "seen.md", story("Seen"))
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        assert tally(folder) is None
        assert _midnight(app, clock) is None
        path = write(folder, "x.md", story("Quiet", access="subscriber"))
        report = await app.publishing.refresh(clock.move(minutes=1), ["x.md"])
        assert (report.written, report.removed) == (["index.html"], [])
        assert tally(folder) is not None
        write(folder, "x.md", story("Quiet, with another title", access="subscriber"))
        report = await app.publishing.refresh(clock.move(minutes=1), ["x.md"])
        assert report.written == []
        path.unlink()
        report = await app.publishing.refresh(clock.move(minutes=1), at_once=True)
    assert report.written == ["index.html"]
    assert tally(folder) is None


async def test_the_count_ends_with_the_day_of_the_site(folder: Path, clock: ManualClock) -> None:
    """At midnight in Istanbul, by itself: no file changed."""
    write(folder, "x.md", story("Quiet", access="subscriber"))
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        at = app.publishing.next_change_at(clock.now())
        assert at is not None
        assert at.isoformat() == "2026-11-03T00:00:00+03:00"
        clock.moment = at
        report = await app.publishing.refresh(clock.now())
        assert report.written == ["index.html"]
        assert tally(folder) is None
        assert app.publishing.next_change_at(clock.now()) is None


def _midnight(app: App, clock: ManualClock) -> object:
    """When a front page begins another day; a story that is no news any more is another matter."""
    at = app.publishing.next_change_at(clock.now())
    return None if at is not None and at.microsecond else at


# What a subscription brings ------------------------------------------------------------------------------------------


async def test_a_summary_says_what_a_subscription_brings(folder: Path, clock: ManualClock) -> None:
    """The products and newsletters that would carry this story, and where to sign up; once, and separable."""
    write(folder, "a.md", story("In Asia", section="asia-pacific"))
    write(folder, "b.md", story("Free", section="asia-pacific", access="public"))
    await build(folder, clock)
    [notice] = page(folder, "articles/a").css('aside[data-role="subscription-notice"]')
    words = " ".join(notice.text().split())
    assert "part of: Asia desk" in words
    assert "by a private feed" in words
    assert "by mail, in: Daily digest, Alerts" in words
    links = [str(node.attributes["href"]) for node in notice.css("a")]
    assert "/subscribe?lang=en&newsletter=daily&newsletter=alerts" in links
    assert any(link.startswith("mailto:desk@wire.example?subject=") for link in links)
    assert page(folder, "articles/b").css("[data-role]") == []


async def test_sitemaps_leave_out_what_is_not_there(folder: Path, clock: ManualClock) -> None:
    """Held, expired, scheduled, embargoed, subscribers-only: none is in either; the rest with its real last change."""
    write(folder, "a.md", story("Shown", date="2026-11-02T08:00:00Z", updated="2026-11-02T08:30:00Z"))
    hidden = {
        "held": "status: held",
        "expired": "expires: 2026-11-02T08:50:00Z",
        "later": "publish_at: 2026-11-02T12:00:00Z",
        "embargoed": "embargo: 2026-11-02T12:00:00Z",
        "quiet": "access: subscriber",
        "killed": "status: killed\nkill_reason: wrong",
    }
    for name, line in hidden.items():
        write(folder, f"{name}.md", story(name.title()).replace("title:", f"{line}\ntitle:"))
    await build(folder, clock)
    for name in ("sitemap.xml", "news-sitemap.xml"):
        root = etree.fromstring((folder / "public" / name).read_bytes())
        assert [e.text for e in root.iter(f"{S}loc")] == ["https://wire.example/articles/a/"]
    root = etree.fromstring((folder / "public/sitemap.xml").read_bytes())
    assert [e.text for e in root.iter(f"{S}lastmod")] == ["2026-11-02T08:30:00+00:00"]
