"""Web pages: what they say, to whom, and that nothing else gets in."""

import json
import re
from html.parser import HTMLParser

import pytest
from rendering_samples import BASE, CANARY, FEEDS, PAGES, agency, blog, edition, full, templates, view
from selectolax.lexbor import LexborHTMLParser

from publisher.editorial.tally import Tally
from publisher.model.catalogue import Newsletter
from publisher.model.text import Localized
from publisher.model.view import Depth, Label
from publisher.starter import packaged_static, packaged_templates

VOID = {"meta", "link", "img", "input", "br", "hr"}
PAGE_NAMES = sorted(path.stem for path in (packaged_templates() / "web").glob("[!_]*.html") if path.stem != "base")


class Balance(HTMLParser):
    """Notes every element that is closed out of turn or never."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"{tag} at {self.getpos()}")


def imbalance(html: str) -> list[str]:
    parser = Balance()
    parser.feed(html)
    parser.close()
    return parser.wrong + parser.open


def ids(html: str) -> list[str]:
    return [node.attributes["id"] or "" for node in LexborHTMLParser(html).css("[id]")]


def test_every_packaged_page_has_a_sample() -> None:
    """A page added without a sample would go untested."""
    assert sorted(PAGES) == PAGE_NAMES


@pytest.mark.parametrize("language", ["en", "tr", "ar"])
@pytest.mark.parametrize("name", PAGE_NAMES)
def test_page_is_well_formed_and_runs_no_script(name: str, language: str) -> None:
    html = templates(agency).page(name, language, **PAGES[name])
    tree = LexborHTMLParser(html)
    root = tree.css_first("html")

    assert imbalance(html) == []
    assert len(ids(html)) == len(set(ids(html)))
    assert root is not None
    assert root.attributes["lang"] == language
    assert root.attributes["dir"] == ("rtl" if language == "ar" else "ltr")
    assert len(tree.css("h1")) == 1
    assert len(tree.css("main")) == 1
    scripts = [node for node in tree.css("script") if node.attributes.get("type") != "application/ld+json"]
    allowed = ["/preview/live.js"] if name == "preview" else []
    assert [node.attributes.get("src") for node in scripts] == allowed, "the preview alone has one"
    assert not any(node.text() for node in scripts)
    assert not re.search(r"\son\w+=|javascript:|style=", html)
    assert all("alt" in node.attributes for node in tree.css("img"))


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_page_of_a_blog_never_speaks_of_subscriptions(name: str) -> None:
    """Where everything is public nobody is asked to pay (decisions 9)."""
    context = PAGES[name] | {"view": full()} if name == "article" else PAGES[name]
    if "views" in context:
        context = context | {"views": (full(),)}
    if "edition" in context:
        context = context | {"edition": edition(full())}

    words = LexborHTMLParser(templates(blog).page(name, "en", **context)).text().lower()

    assert not re.search(r"subscription|subscriber|contact us", words)


def test_pages_link_to_each_other_without_scheme_and_host() -> None:
    """A page works under every name and port it is reached by; its canonical address stays absolute."""
    html = templates(agency).page("article", "en", view=view(), here=f"{BASE}/articles/ferry/")
    tree = LexborHTMLParser(html)

    assert {node.attributes["href"] for node in tree.css("nav.sections a")} == {
        "/sections/economy/",
        "/sections/sport/",
    }
    assert tree.css_first('link[rel="canonical"]').attributes["href"] == f"{BASE}/articles/ferry/"


def test_every_feed_is_announced_under_a_title_of_its_own() -> None:
    tree = LexborHTMLParser(templates(agency).page("front", "en", views=(), feeds=FEEDS))
    links = tree.css('head link[rel="alternate"]')

    assert [node.attributes["href"] for node in links] == [feed.url for feed in FEEDS]
    assert len({node.attributes["title"] for node in links}) == len(FEEDS)


def test_only_newsletters_open_to_all_are_offered() -> None:
    html = templates(agency).page("subscribe", "en", action=f"{BASE}/subscribe")

    assert 'value="daily"' in html
    assert 'value="staff"' not in html


def test_public_article_says_its_summary_and_the_notice_once() -> None:
    tree = LexborHTMLParser(templates(agency).page("article", "en", view=view()))
    words = tree.text()

    assert len(tree.css('aside[data-role="subscription-notice"]')) == 1
    assert tree.css_first("aside.subscription-notice a").attributes["href"] == "mailto:desk@example.org?subject=Options"
    for said in (
        "A ferry line between",
        "Nine years of waiting",
        "It is nine years",
        "* Writing by A. Writer",
        "Harbour Gazette",
    ):
        assert said in words
    assert [node.attributes["datetime"] for node in tree.css(".story-head time")] == [
        "2026-11-18T06:40:00+00:00",
        "2026-11-18T09:05:00+00:00",
    ]
    assert "November 18, 2026, 12:05" in words.replace("\u00a0", " ").replace(" at ", ", ")


def test_full_article_has_its_text_with_the_dateline_run_in_and_no_notice() -> None:
    tree = LexborHTMLParser(templates(agency).page("article", "en", view=full(free=True)))
    first = tree.css_first(".text p")

    assert first is not None
    assert first.text() == "PORT AMBRY — Opening words."
    assert CANARY in tree.text()
    assert tree.css_first(".subscription-notice") is None


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('<p dir="auto">B</p>', '<p dir="auto"><span class="dateline">PORT AMBRY</span> — B</p>'),
        ("<h2>A</h2>", '<p><span class="dateline">PORT AMBRY</span></p><h2>A</h2>'),
    ],
)
def test_dateline_stands_in_the_first_paragraph_or_before_what_is_none(body: str, shown: str) -> None:
    assert f'<div class="text">{shown}</div>' in templates(agency).page("article", "en", view=full(body_html=body))


def test_structured_data_never_holds_the_text_and_cannot_leave_its_element() -> None:
    """JSON-LD says what is free (schema.org isAccessibleForFree) and is safe against a hostile title."""
    title = "</script><script>alert('x')</script> & <!-- "
    html = templates(agency).page("article", "en", view=full(title=title))
    tree = LexborHTMLParser(html)
    data = json.loads(tree.css_first('script[type="application/ld+json"]').text())

    assert len(tree.css("script")) == 1
    assert data["headline"] == title
    assert data["@type"] == "NewsArticle"
    assert data["isAccessibleForFree"] is False
    assert data["correction"][0]["text"] == "It is nine years, not eight."
    assert "articleBody" not in data
    assert CANARY not in json.dumps(data)


def test_post_of_a_blog_is_a_blog_posting() -> None:
    html = templates(blog).page("article", "en", view=full(authors=(), section=None))
    data = json.loads(LexborHTMLParser(html).css_first("script").text())

    assert data["@type"] == "BlogPosting"
    assert data["author"] == [{"@type": "Person", "name": "Ada"}]


@pytest.mark.parametrize("depth", [Depth.HOLD, Depth.TOMBSTONE])
def test_story_on_hold_is_kept_from_search_engines(depth: Depth) -> None:
    html = templates(agency).page("article", "en", view=view(depth=depth, notice=None))

    assert '<meta name="robots" content="noindex">' in html
    assert "ld+json" not in html


def test_hostile_words_are_shown_not_run() -> None:
    bad = '"><img src=x onerror=alert(1)>'
    html = templates(agency).page("article", "en", view=view(title=bad, deck=bad, key_points=(bad,), authors=(bad,)))

    assert "<img src=x" not in html


def test_front_page_says_the_notice_once_for_all_stories() -> None:
    html = templates(agency).page("front", "en", views=tuple(view(id=str(i)) for i in range(12)))

    assert html.count('data-role="subscription-notice"') == 1


def test_story_in_another_language_says_so() -> None:
    html = templates(agency).page("front", "en", views=(view(), view(id="2", language="ar", direction="rtl")))

    assert '<article class="teaser card pictured" lang="ar" dir="rtl">' in html


def test_each_note_in_the_log_of_corrections_has_a_name_of_its_own() -> None:
    """By its headline and its moment: a story may have several."""
    entries = [*PAGES["corrections"]["entries"]] * 2
    tree = LexborHTMLParser(
        templates(agency).page("corrections", "en", **(PAGES["corrections"] | {"entries": entries}))
    )
    names = [node.attributes["aria-labelledby"] for node in tree.css("aside")]

    assert len(set(names)) == len(entries)
    assert all(tree.css_first(f"#{name}") is not None for both in names for name in str(both).split())


def test_frames_of_the_preview_are_reached_by_keyboard() -> None:
    """What scrolls sideways must not need a mouse."""
    frames = LexborHTMLParser(templates(agency).page("preview", "en", **PAGES["preview"])).css_first(".frames")

    assert frames.attributes["tabindex"] == "0"
    assert frames.attributes["aria-label"]


@pytest.mark.parametrize("name", ["front", "section", "tag"])
def test_list_without_stories_says_so(name: str) -> None:
    html = templates(agency).page(name, "en", **(PAGES[name] | {"views": ()}))

    assert "No stories yet." in html


def test_current_section_is_marked() -> None:
    html = templates(agency).page(
        "section", "tr", section=Label(id="sport", title="Spor"), views=(), here=f"{BASE}/sections/sport/"
    )

    assert '<a href="/sections/sport/" aria-current="page">Spor</a>' in html


def test_mail_in_the_inbox_is_shown_in_a_frame_without_rights() -> None:
    html = templates(agency).page("inbox_message", "en", **PAGES["inbox_message"])
    frame = LexborHTMLParser(html).css_first("iframe")

    assert frame.attributes["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert "&lt;script&gt;alert(1)" in html
    assert '<a href="https://news.example.org/confirm/x" rel="noopener noreferrer">' in html


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("Every day at 7:00\u00a0AM", "As it happens", "Fridays at 4:00\u00a0PM")),
        ("tr", ("Her gün saat 07:00", "Yayımlandığı anda", "Her cuma saat 16:00")),
    ],
)
def test_form_says_when_each_newsletter_comes(language: str, said: tuple[str, ...]) -> None:
    html = templates(agency).page("subscribe", language, action="/subscribe")

    assert tuple(node.text() for node in LexborHTMLParser(html).css(".rhythm")) == said


@pytest.mark.parametrize(
    ("schedule", "language", "words"),
    [
        ("monthly last 7:05", "en", "On the last day of every month at 7:05\u00a0AM"),
        ("monthly 31 07:05", "tr", "Her ayın son günü saat 07:05"),
        ("Weekly Friday 16:00", "ar", "كل يوم جمعة عند 4:00 م"),
        ("monthly 3 07:05", "he", "Every month on day 3 at 7:05\u00a0AM"),
        ("0 7 * * 1-5", "tr", "Düzenli olarak"),
    ],
)
def test_every_rhythm_has_words(schedule: str, language: str, words: str) -> None:
    newsletter = Newsletter(id="x", title=Localized.of("X"), schedule=schedule)
    html = templates(agency).page("preferences", language, **PAGES["preferences"] | {"offered": (newsletter,)})

    assert LexborHTMLParser(html).css_first(".rhythm").text() == words


def test_front_page_counts_what_it_keeps_back() -> None:
    """Two numbers, each in the plural of its language; none where there is nothing to say."""
    counted = templates(agency).page("front", "ar", views=(view(),), tally=Tally(out=12, hidden=11, summarised=1))
    alone = templates(agency).page("front", "en", views=(view(),), tally=Tally(out=1, hidden=1, summarised=0))

    line = LexborHTMLParser(counted).css_first(".tally")
    assert " ".join(line.text().split()) == "11 خبرًا آخر اليوم للمشتركين اليوم: 12 خبرًا للمشتركين، والملخص منها هنا: 1"
    assert LexborHTMLParser(alone).css_first(".tally").text().strip() == "1 more story today for subscribers"
    assert "tally" not in templates(agency).page("front", "en", views=(view(),))


def test_style_sheet_needs_nothing_from_elsewhere() -> None:
    """One small file of our own: no font, picture or sheet is fetched."""
    sheet = (packaged_static() / "style.css").read_text(encoding="utf-8")

    assert not re.search(r"url\(|@import|@font-face", sheet)
    assert "subscri" not in sheet, "a blog's files never speak of it"
    assert len(sheet) < 24_000
