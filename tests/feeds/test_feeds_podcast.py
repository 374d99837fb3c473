"""A podcast as directories want it (Apple's requirements, podcastindex.org namespace 1.0), in RSS and for readers."""

from dataclasses import replace
from typing import Any

import feedparser
from feed_rules import check_atom, check_json, check_rss, check_uri
from feed_samples import AUDIO, IMAGE, REPORT, feed, full, summary

from publisher.feeds import FORMATS
from publisher.feeds.podcast import ITUNES, PODCAST, guid, guid_of
from publisher.model.article import Episode, EpisodeKind
from publisher.model.podcast import Podcast

SHOW = Podcast(
    image="https://news.example.org/cover.jpg", category="News", subcategory="Daily News", owner="pod@news.example.org"
)
HEARD = full(
    enclosures=(replace(AUDIO, duration=3723), REPORT),
    image=IMAGE,
    episode=Episode(number=7, season=2, explicit=True),
)
TRAILER = full(id="tag:x,2026:t", enclosures=(AUDIO,), episode=Episode(number=1, season=1, kind=EpisodeKind.TRAILER))
WITHHELD = summary(id="tag:x,2026:w", key_points=())


def rss(*entries: Any, podcast: Podcast | None = SHOW) -> Any:
    return check_rss(FORMATS["rss"].render(feed(*entries, podcast=podcast)))


def itunes(element: Any, name: str) -> str | None:
    return element.findtext(f"{{{ITUNES}}}{name}")


def test_the_channel_has_what_directories_ask_for():
    """Image, category, explicit, author and owner, each once, before the items; a guid made of the address alone."""
    channel = rss(HEARD)
    names = [child.tag for child in channel if child.tag.startswith(f"{{{ITUNES}}}")]
    assert len(names) == len(set(names))
    check_uri(channel.find(f"{{{ITUNES}}}image").get("href"))
    category = channel.find(f"{{{ITUNES}}}category")
    assert (category.get("text"), category[0].get("text")) == ("News", "Daily News")
    assert (itunes(channel, "explicit"), itunes(channel, "type")) == ("false", "episodic")
    assert channel.findtext(f"{{{ITUNES}}}owner/{{{ITUNES}}}email") == "pod@news.example.org"
    assert channel.findtext(f"{{{PODCAST}}}guid") == guid(feed(title="Another"))
    assert rss(podcast=replace(SHOW, owner="")).find(f"{{{ITUNES}}}owner") is None


def test_the_guid_is_that_of_the_podcast_namespace():
    """Its documentation's own example, of a feed at an address without scheme; an archive document has its feed's."""
    assert guid_of("https://podnews.net/rss") == "9b024349-ccf0-5f69-a609-6b82873eab3c"
    archive = feed(url="https://news.example.org/feeds/all/archive/1", current="https://news.example.org/feeds/all")
    assert guid(archive) == guid(feed())


def test_an_episode_has_its_place_and_its_length():
    """One enclosure; what else goes with it is media; a trailer has no number; nothing withheld is heard."""
    heard, trailer, withheld = rss(HEARD, TRAILER, WITHHELD).findall("item")
    assert [itunes(heard, name) for name in ("duration", "episode", "season", "episodeType", "explicit")] == [
        "3723", "7", "2", "full", "true",
    ]  # fmt: skip
    assert heard.findtext(f"{{{PODCAST}}}season") == "2"
    assert heard.find(f"{{{ITUNES}}}image").get("href") == IMAGE.src
    assert heard.find("enclosure").get("url") == AUDIO.url
    media = heard.findall("{http://search.yahoo.com/mrss/}content")
    assert [one.get("url") for one in media] == [IMAGE.src, REPORT.url]
    assert media[1].get("medium") == "document"
    assert (itunes(trailer, "episodeType"), itunes(trailer, "episode")) == ("trailer", None)
    assert withheld.find("enclosure") is None
    assert (itunes(withheld, "explicit"), itunes(withheld, "duration")) == ("false", None)


def test_a_reader_finds_episodes():
    """feedparser tells them from the other tags."""
    parsed = feedparser.parse(FORMATS["rss"].render(feed(HEARD, podcast=SHOW)))
    assert not parsed.bozo
    assert parsed.feed.image.href == SHOW.image
    [entry] = parsed.entries
    assert (entry.itunes_duration, entry.itunes_episode, entry.itunes_season) == ("3723", "7", "2")


def test_other_feeds_and_formats_stay_what_they_are():
    """No foreign namespace where there is no podcast; JSON Feed has the length as it knows it."""
    assert b"itunes" not in FORMATS["rss"].render(feed(HEARD))
    check_atom(FORMATS["atom"].render(feed(HEARD, podcast=SHOW)))
    [item] = check_json(FORMATS["json"].render(feed(HEARD, podcast=SHOW)))["items"]
    assert [one.get("duration_in_seconds") for one in item["attachments"]] == [3723, None]
