"""Entries that are remembered: the bytes are those of a feed that was never written before, whatever was."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from feed_samples import AUDIO, CANARY, CORRECTION, IMAGE, NOTICE, PUBLISHED, REPORT, feed, full, summary

from publisher.feeds import FORMATS, atom, json_feed, rss
from publisher.feeds.remembered import Entries, Pieces
from publisher.model.advisory import AdvisoryKind
from publisher.model.article import Episode
from publisher.model.feed import Feed
from publisher.model.podcast import Podcast
from publisher.model.view import Depth, FullView, Kin, Label

SHOW = Podcast(image="https://news.example.org/cover.jpg", category="News")
STORY = full(image=IMAGE, enclosures=(AUDIO, REPORT), episode=Episode(number=1), corrections=(CORRECTION,))
OTHER: dict[str, Any] = {
    "advisory": AdvisoryKind.CORRECTION,
    "authors": ("Somebody",),
    "body_html": "<p>Other words.</p>",
    "body_text": "Other words.",
    "contributors": (("Editing by", "B. Editor"),),
    "corrections": (),
    "country": "TR",
    "dateline": "Ankara",
    "deck": "Another deck",
    "depth": Depth.FULL_EMBARGOED,
    "direction": "rtl",
    "embargo_reason": "So it was agreed",
    "embargo_text": "at ten",
    "enclosures": (REPORT,),
    "episode": Episode(number=2),
    "expires": PUBLISHED + timedelta(days=9),
    "free": True,
    "genre": "analysis",
    "guid": "https://old.example.org/7",
    "id": "tag:news.example.org,2026-03-08:other",
    "image": None,
    "key_points": ("Another point",),
    "kin": Kin(related=(Label(id="en", title="Other", url="https://news.example.org/articles/other/"),)),
    "labels": "tr",
    "language": "tr",
    "lead": ("A first paragraph.",),
    "notice": NOTICE,
    "number": 8,
    "published_at": PUBLISHED - timedelta(days=1),
    "published_text": "yesterday",
    "recalled_at": PUBLISHED + timedelta(days=2),
    "section": None,
    "shortened": True,
    "sources": ("Another source",),
    "subjects": ("01000000",),
    "summary": "Another summary",
    "tags": (),
    "title": "Another title",
    "update_shown": True,
    "updated_at": PUBLISHED + timedelta(days=3),
    "updated_text": "today",
    "urgency": 1,
    "url": "https://news.example.org/articles/other/",
    "version": 9,
}
FEEDS: dict[str, Callable[[Feed], Feed]] = {
    "as it is": lambda one: one,
    "in another language": lambda one: replace(one, language="tr"),
    "by somebody else": lambda one: replace(one, author="Somebody else", entries=(replace(STORY, authors=()),)),
    "a podcast": lambda one: replace(one, podcast=SHOW),
    "another podcast": lambda one: replace(one, podcast=replace(SHOW, explicit=True)),
    "an archive document": lambda one: replace(one, current="https://news.example.org/feeds/all"),
    "shorter": lambda one: replace(one, entries=one.entries[:1]),
    "the other way round": lambda one: replace(one, entries=one.entries[::-1]),
    "one twice": lambda one: replace(one, entries=(*one.entries, *one.entries)),
    "none": lambda one: replace(one, entries=()),
}


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every format begin anew, as a new process does."""
    for room, name in ((rss, "_ITEMS"), (atom, "_ENTRIES"), (json_feed, "_ITEMS")):
        monkeypatch.setattr(room, name, Entries())


def written(one: Feed) -> dict[str, bytes]:
    return {name: fmt.render(one) for name, fmt in FORMATS.items()}


def test_the_table_has_every_field() -> None:
    assert OTHER.keys() == {field.name for field in fields(FullView)}
    assert all(getattr(STORY, name) != value for name, value in OTHER.items())


@pytest.mark.parametrize("name", OTHER)
def test_whatever_differs_in_a_story_is_written_anew(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = feed(replace(STORY, **{name: OTHER[name]}), summary())
    written(feed(STORY, summary()))
    after = written(changed)
    forget(monkeypatch)
    assert after == written(changed)


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_is_the_same_whatever_was_written_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = full(
        id="tag:news.example.org,2026-03-08:hostile",
        title='"items": [] \n    <item>\n  <entry>',
        body_html='<pre>\n    <item>\n  <entry>\n</pre><p>"items": []</p>',
    )
    wanted = FEEDS[name](feed(STORY, hostile, summary(), title='"items": []'))
    for other in FEEDS.values():
        written(other(feed(STORY, hostile, summary())))
    after = written(wanted)
    forget(monkeypatch)
    assert after == written(wanted)
    assert after == written(wanted), "from memory"


def test_who_gets_less_gets_nothing_of_what_others_got() -> None:
    story = full(summary="", deck="", key_points=())
    assert all(CANARY.encode() in data for data in written(feed(story)).values())
    less = summary(id=story.id, number=story.number, version=story.version)
    assert not any(CANARY.encode() in data for data in written(feed(less)).values())


def test_what_nobody_asked_for_is_forgotten_first() -> None:
    asked: list[str] = []

    def write(keys: Any) -> Pieces:
        asked.extend(keys)
        return Pieces(b"<", [f"{key:4}".encode() for key in keys], b">")

    entries: Entries[str] = Entries(octets=8)
    assert entries.together(["a", "b"], write) == b"<a   b   >"
    assert entries.together(["a"], write) == b"<a   >"
    assert entries.together(["c"], write) == b"<c   >"
    assert asked == ["a", "b", "c"]
    assert entries.together(["a", "c"], write, b"|") == b"<a   |c   >"
    assert asked == ["a", "b", "c"]
    assert entries.together(["a", "b", "c"], write) == b"<a   b   c   >"
    assert asked == ["a", "b", "c", "b"]
