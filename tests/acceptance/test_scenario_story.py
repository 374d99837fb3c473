"""A wire text becomes an article; the public gets a portion of it (scenarios 1 and 2)."""

import html
import json
from pathlib import Path

import feedparser

from acceptance.running import eventually
from acceptance.stage import Live, Sent, Stage
from acceptance.told import (
    CONTACT,
    CONTACT_TR,
    NOTICE,
    NOTICE_TR,
    PARAGRAPHS,
    canary,
    holders,
    long_story,
    public_bytes,
)

WIRE = Path(__file__).parents[1] / "content" / "fixtures" / "wire.txt"
READER = "a@reader.example"
PUBLIC = "p@reader.example"


def test_a_wire_text_becomes_an_article(stage: Stage) -> None:
    """Scenario 1: an agency's text, unaltered, is a story with all its parts and nothing of its page around it."""
    stage.reader(READER, "*", "")
    private = stage.private(READER)
    title = "Port Alder mayor reaches Sorrel for first harbour talks"
    with stage.running() as live:
        stage.write("wire.txt", WIRE.read_bytes())

        def seen() -> bool:
            return title in live.entries(f"{private}/all.atom")

        eventually(seen, "the story in the private feed", seconds=10)
        [item] = [
            one for one in live.get(f"{private}/wire.json").json()["items"] if one["headlines"][0]["value"] == title
        ]
        entry = live.entries(f"{private}/all.atom")[title]
        rss = live.entries(f"{private}/all.rss")[title]
        page = live.get(entry.link or live.entries("/feeds/all.atom")[title].link).text if entry.get("link") else ""
    body = html.unescape(entry.content[0].value)
    assert [one["literal"] for one in item["subjects"] if one.get("rel") == "section"] == ["isles-north"]
    assert [one["value"] for one in item["headlines"] if one.get("role") == "subhead"] == [
        "Mayor, alongside two council leaders, to sit at one table for the first time in memory"
    ]
    assert item["by"] == "Example staff"
    assert rss.author == "Example staff"
    # Day first: 2 and 3 September, midnight in Istanbul.
    assert item["firstCreated"].startswith("2025-09-01T21:00:00")
    assert item["versionCreated"].startswith("2025-09-02T21:00:00")
    assert [one["value"] for one in item["descriptions"] if one.get("role") == "keypoints"] != []
    assert [body.count(point) for point in ("200 ships waiting in fog", "with the island to 'go on growing,'")] == [
        1,
        1,
    ]
    assert item["located"].casefold() == "alderport"
    [main] = [one["value"] for one in item["bodies"]]
    assert main.count("<p>") == PARAGRAPHS
    assert main.count("<h2") == 2
    assert {"name": "Ilse Maren", "role": "writer"}.items() <= item["infoSources"][0].items()
    assert "\u00a0" not in main
    for words in (body, json.dumps(item, ensure_ascii=False), page):
        assert "website contains only a portion" not in words
        assert "Related topics" not in main
        assert "Bu haberi paylaşın" not in words
    assert title not in main


def test_the_public_gets_a_portion(stage: Stage) -> None:
    """Scenario 2: a summary and one notice for the public, nothing of what is withheld, everything to subscribers."""
    stage.reader(READER, "*", "daily")
    stage.reader(PUBLIC, "", "bulletin")
    stage.write("ferry.md", long_story("Ferry", key_points='["The ferry has sailed"]', access="summary"))
    stage.write("vapur.md", long_story("Vapur", language="tr", deck="Vapur kısaca", access="summary"))
    stage.write(
        "harbour.md",
        long_story("Quietus", slug="quietus-slug", id="tag:wire.example,2026:quietus-id", access="subscriber"),
    )
    stage.write("open.md", long_story("Open", access="public"))
    with stage.running() as live:
        eventually(lambda: "Ferry" in live.entries("/feeds/all.atom"), "the story in the feed")
        assert "1 more story today for subscribers" in live.get("/").text
        private = stage.private(READER)
        stage.set_clock("2026-10-20T07:00:05+03:00")
        digest = stage.mail(READER, "Ferry")
        stage.set_clock("2026-10-20T08:00:05+03:00")
        bulletin = stage.mail(PUBLIC, "Ferry")
        _public_has_a_portion(live, stage)
        _mail_has_a_portion(bulletin)
        assert holders("Quietus", {"mail": bulletin.words.encode()}) == []
        _subscriber_has_everything(live, private, digest)


def _public_has_a_portion(live: Live, stage: Stage) -> None:
    places = {**public_bytes(stage.folder), **_crawled(live)}
    for needle in (canary("Ferry"), canary("Vapur"), canary("Quietus"), "Quietus", "quietus-slug", "quietus-id"):
        assert holders(needle, places) == [], needle
    assert holders(canary("Open"), places) != []
    for form in ("rss", "atom", "json"):
        assert holders("What Ferry is about, in short", {form: places[f"feeds/all.{form}"]}) == [form]
    page = live.get(live.entries("/feeds/all.atom")["Ferry"].link).text
    assert "What Ferry is about, in short" in page
    assert page.count(NOTICE) == 1
    turkish = live.get(live.entries("/feeds/all.atom")["Vapur"].link).text
    assert turkish.count(NOTICE_TR) == 1
    assert CONTACT_TR in turkish
    assert NOTICE not in turkish
    for name, contact in (("Ferry", CONTACT), ("Vapur", CONTACT_TR)):
        assert _entry_words(live.entries("/feeds/all.atom")[name]).count(contact) == 1
        assert _entry_words(live.entries("/feeds/all.rss")[name]).count(contact) == 1
        [item] = [one for one in live.get("/feeds/all.json").json()["items"] if one["title"] == name]
        assert json.dumps(item.get("content_html", ""), ensure_ascii=False).count(contact) == 1
    assert _entry_words(live.entries("/feeds/all.atom")["Open"]).count(CONTACT) == 0


def _entry_words(entry: feedparser.FeedParserDict) -> str:
    """Returns the text of an entry as one of its elements shows it: the content, else the summary."""
    return str(entry.content[0].value if "content" in entry else entry.summary)


def _mail_has_a_portion(bulletin: Sent) -> None:
    for words in (bulletin.html, bulletin.text):
        assert "What Ferry is about, in short" in words
        assert words.count(NOTICE) == 1
        assert canary("Ferry") not in words
        assert canary("Open") in words


def _subscriber_has_everything(live: Live, private: str, digest: Sent) -> None:
    rss = live.entries(f"{private}/all.rss")["Ferry"].content[0].value
    atom = live.entries(f"{private}/all.atom")["Ferry"].content[0].value
    [item] = [one for one in live.get(f"{private}/all.json").json()["items"] if one["title"] == "Ferry"]
    for words in (rss, atom, item["content_html"], digest.html, digest.text):
        assert canary("Ferry") in words
        assert sum(f"Ferry paragraph {n} is told" in words for n in range(1, PARAGRAPHS + 1)) == PARAGRAPHS - 1
        assert CONTACT not in words
        assert "publishes only part" not in words
    assert canary("Quietus") in live.entries(f"{private}/all.atom")["Quietus"].content[0].value
    assert canary("Quietus") in digest.html


def _crawled(live: Live) -> dict[str, bytes]:
    paths = ("/", "/tr/", "/sections/asia-pacific/", "/sitemap.xml", "/news-sitemap.xml", "/feeds.opml", "/robots.txt",
             "/feeds/tr/all.atom", "/feeds/asia-pacific.rss", "/corrections/", "/corrections.atom", "/nowhere/",
             "/articles/quietus-slug/")  # fmt: skip
    answers = {path: live.get(path) for path in paths}
    assert answers["/articles/quietus-slug/"].status == 404
    return {f"GET {n}": answer.body for n, (path, answer) in enumerate(answers.items()) if path}
