"""Whatever an editor or an attacker writes, every format stays readable and says the same."""

import re
from html import escape
from typing import Any

import feedparser
import pytest
from feed_rules import ATOM, CONTENT, check_atom, check_json, check_rss
from feed_samples import CANARY, IMAGE, NOTICE, feed, full, summary
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.feeds import FORMATS
from publisher.feeds.text import clean, line
from publisher.model.article import Enclosure
from publisher.model.view import Label

HOSTILE = [
    "]]>",
    "<![CDATA[",
    "<!--",
    "&nbsp; &amp; &#0; &lt;",
    "\x00\x01\x0b\x0c\x1f\x7f\x85",
    "\ud800 lone \udfff",
    "\ufffe\uffff",
    "\r\nline\rline",
    "\u2028\u2029",
    "👩‍👩‍👧‍👦🇹🇷",
    "مرحبا بالعالم \u202e\u200f",
    "İıŞş ﷽ z̸̢̛͓̣a̷̧͓lg̴o",
    "\ue000address\ue001",
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "<?xml version='1.0'?>",
    "{{ title }} {0} {title} %s",
]
texts = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None), max_size=20)), min_size=1, max_size=4
).map("".join)
words = texts.filter(lambda text: line(text) != "")


@st.composite
def views(draw: st.DrawFn) -> Any:
    """Returns a rendition whose every text is hostile; only addresses and markup are as our own code makes them."""
    said: dict[str, Any] = {
        "title": draw(texts),
        "deck": draw(texts),
        "summary": draw(texts),
        "key_points": tuple(draw(st.lists(texts, max_size=2))),
        "section": Label(id="asia", title=draw(texts), url="https://news.example.org/sections/asia/"),
        "tags": tuple(Label(id=tag, title=tag) for tag in draw(st.lists(texts, max_size=3))),
        "authors": tuple(draw(st.lists(texts, max_size=2))),
        "contributors": tuple((draw(texts), name) for name in draw(st.lists(texts, max_size=2))),
        "sources": tuple(draw(st.lists(texts, max_size=2))),
        "dateline": draw(texts),
        "urgency": draw(st.integers(0, 9)),
        "image": IMAGE,
        "enclosures": (Enclosure(url="https://e.example/a", media_type="audio/mpeg", title=draw(texts)),),
    }
    if draw(st.booleans()):
        return full(**said, body_html=f"<p>{escape(draw(texts))}</p>", body_text=draw(texts), url=None)
    notice = None if draw(st.booleans()) else NOTICE
    return summary(**said, notice=notice)


@given(view=views(), title=texts, description=texts, author=texts)
@settings(max_examples=150, deadline=None)
def test_any_text_makes_a_document_that_keeps_the_rules(view: Any, title: str, description: str, author: str):
    sample = feed(view, title=title, description=description, author=author)
    for name, check in (("rss", check_rss), ("atom", check_atom)):
        document = FORMATS[name].render(sample)
        check(document)
        assert not feedparser.parse(document).bozo
    check_json(FORMATS["json"].render(sample))


@given(title=words, body=texts)
@settings(max_examples=100, deadline=None)
def test_any_text_arrives_the_same_in_every_format(title: str, body: str):
    view = full(title=title, dateline="", key_points=(), contributors=(), body_html=f"<p>{escape(body)}</p>")
    sample = feed(view)
    item = check_rss(FORMATS["rss"].render(sample)).find("item")
    entry = check_atom(FORMATS["atom"].render(sample)).find(f"{ATOM}entry")
    same = check_json(FORMATS["json"].render(sample))["items"][0]
    assert item.findtext("title") == entry.findtext(f"{ATOM}title") == same["title"] == line(title)
    expected = f"<p>{clean(escape(body))}</p>"
    assert item.findtext(CONTENT) == entry.findtext(f"{ATOM}content") == same["content_html"] == expected


@given(text=st.text(st.characters(codec=None)))
def test_cleaning_keeps_everything_that_xml_allows(text: str):
    kept = clean(text)
    assert clean(kept) == kept
    assert "\r" not in kept
    assert re.sub("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff\n]", "", text) == kept.replace("\n", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_that_are_not_markup_are_never_markup(text: str):
    """Summary, key points and notice are plain text: each `<` in them arrives as `&lt;`."""
    view = summary(deck=text, summary="", key_points=(text,), authors=(text,), notice=None)
    for html in (
        check_rss(FORMATS["rss"].render(feed(view))).find("item").findtext("description"),
        check_json(FORMATS["json"].render(feed(view)))["items"][0]["content_html"],
    ):
        assert set(re.findall(r"<[^>]*>?", html)) <= {"<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>"}


@pytest.mark.parametrize("name", list(FORMATS))
@given(view=views())
@settings(max_examples=40, deadline=None)
def test_rendering_is_a_function_of_the_views(name: str, view: Any):
    assert FORMATS[name].render(feed(view)) == FORMATS[name].render(feed(view))


def test_the_canary_is_in_the_body_alone():
    assert CANARY not in repr(summary())
