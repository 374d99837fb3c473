"""Feeds within their limits, and what leaves them: archive documents that a reader walks (RFC 5005 §4)."""

import json
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from editorial.editorial_samples import NOW, article, catalogue
from feeds.feed_rules import ATOM, check_atom, check_json, check_rss
from publications import ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.config import load
from publisher.editorial.shelves import ALL, Shelves
from publisher.errors import ConfigError
from publisher.model.article import Article
from publisher.services.feed_archives import FeedArchives
from publisher.services.outline import Outline
from publisher.stores.database import Database
from publisher.stores.feed_archives import FeedArchiveRows

CONFIG = """
[site]
title = "Harbour"
url = "https://harbour.example"
feed_limit = 4
{site}

[[sections]]
id = "economy"
title = "Economy"

{more}
"""
HISTORY = "{http://purl.org/syndication/history/1.0}"


def make(folder: Path, stories: Iterable[int] = (), *, site: str = "", more: str = "", **keys: object) -> Path:
    """Makes a publication with some stories, all alike but for number and date."""
    made = make_publication(folder, CONFIG.format(site=site, more=more))
    for number in stories:
        put(made, number, **keys)
    return made


def put(folder: Path, number: int, **keys: object) -> None:
    """Writes story `number`; a later one has a later date."""
    body = str(keys.pop("body", f"Words of {number}.\n"))
    write(folder, f"s{number}.md", story(f"Story {number}", body=body, date=f"2026-10-{number:02}T08:00:00Z", **keys))


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock) -> AsyncIterator[App]:
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        yield app


async def build(folder: Path, clock: ManualClock) -> None:
    async with opened(folder, clock):
        pass


def files(folder: Path) -> dict[str, bytes]:
    root = folder / "public"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def read(folder: Path, url: str) -> bytes:
    """Returns what is published at an address."""
    return (folder / "public" / url.removeprefix("https://harbour.example/")).read_bytes()


def titles(root: Any) -> list[str]:
    return [entry.findtext(f"{ATOM}title") for entry in root.findall(f"{ATOM}entry")]


def link(root: Any, rel: str) -> str | None:
    return next((one.get("href") for one in root.findall(f"{ATOM}link") if one.get("rel") == rel), None)


def walk(folder: Path, feed: str = "all") -> dict[str, list[str]]:
    """Follows an Atom feed to its oldest archive document, as a client does; returns the titles by address."""
    url: str | None = f"https://harbour.example/feeds/{feed}.atom"
    found: dict[str, list[str]] = {}
    while url is not None:
        assert url not in found
        root = check_atom(read(folder, url))
        found[url] = titles(root)
        assert link(root, "self") == url
        if len(found) > 1:
            assert root.find(f"{HISTORY}archive") is not None
            assert link(root, "current") == f"https://harbour.example/feeds/{feed}.atom"
        url = link(root, "prev-archive")
    return found


def reachable(folder: Path, feed: str = "all") -> set[str]:
    return {title for shown in walk(folder, feed).values() for title in shown}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_reader_walks_from_the_feed_to_the_first_story(tmp_path: Path, clock: ManualClock) -> None:
    """Every story is reachable, whichever format is walked, and documents are valid and know their neighbours."""
    folder = make(tmp_path, range(1, 12))
    await build(folder, clock)
    found = walk(folder)
    newest, *older = found.values()
    assert newest == ["Story 11", "Story 10", "Story 9", "Story 8"]
    assert older == [["Story 8", "Story 7", "Story 6", "Story 5"], ["Story 4", "Story 3", "Story 2", "Story 1"]]
    first, second = (check_atom(read(folder, f"feeds/all/archive/{n}.atom")) for n in (1, 2))
    assert link(first, "next-archive") == link(check_atom(read(folder, "feeds/all.atom")), "prev-archive")
    assert link(second, "next-archive") is None
    assert link(first, "prev-archive") is None

    channel = check_rss(read(folder, "feeds/all/archive/2.rss"))
    assert channel.find(f"{HISTORY}archive") is not None
    assert link(channel, "prev-archive") == "https://harbour.example/feeds/all/archive/1.rss"
    assert link(channel, "current") == "https://harbour.example/feeds/all.rss"
    told, url = [], "feeds/all.json"
    while url:
        document = check_json(read(folder, url))
        told += [item["title"] for item in document["items"]]
        url = document.get("next_url", "")
    assert set(told) == {f"Story {number}" for number in range(1, 12)}


async def test_new_stories_leave_every_document_as_it_is_but_the_last(tmp_path: Path, clock: ManualClock) -> None:
    """The last one learns who follows it; whoever has fetched the others need never fetch them again."""
    folder = make(tmp_path, range(1, 10))
    await build(folder, clock)
    before = files(folder)
    async with opened(folder, clock) as app:
        for number in range(10, 22):
            put(folder, number)
            await app.publishing.refresh(clock.move(hours=1), [f"s{number}.md"])
            assert reachable(folder) == {f"Story {n}" for n in range(1, number + 1)}
    after = files(folder)
    assert before["feeds/all/archive/1.atom"] == after["feeds/all/archive/1.atom"]
    assert len([name for name in after if name.startswith("feeds/all/archive/") and name.endswith(".atom")]) > 3

    grown = files(folder)
    clock.move(hours=1)
    await build(folder, clock)
    assert files(folder) == grown


async def test_documents_are_the_same_after_public_was_lost(tmp_path: Path, clock: ManualClock) -> None:
    """The cuts are in the store: an old story that comes late moves none of them, and is reachable as well."""
    folder = make(tmp_path, range(2, 12))
    await build(folder, clock)
    before = files(folder)
    shutil.rmtree(folder / "public")
    put(folder, 1)
    await build(folder, clock)
    after = files(folder)
    assert after["feeds/all/archive/1.atom"] == before["feeds/all/archive/1.atom"]
    assert "Story 1" in reachable(folder)


async def test_what_is_taken_back_leaves_its_document(tmp_path: Path, clock: ManualClock) -> None:
    """A killed story is blank there, a withdrawn one says so; what its file no longer says is nowhere."""
    folder = make(tmp_path)
    for number in range(1, 10):
        put(folder, number, body="The pelican sentence.\n" if number < 4 else "Words.\n")
    async with opened(folder, clock) as app:
        before = files(folder)
        put(folder, 1, status="killed", kill_reason="wrong", body="The pelican sentence.\n")
        put(folder, 2, status="withdrawn", body="The pelican sentence.\n")
        put(folder, 3, access="subscriber", body="The pelican sentence.\n")
        await app.publishing.refresh(clock.move(hours=1), ["s1.md", "s2.md", "s3.md"])
    after = files(folder)
    documents = [name for name in after if name.startswith("feeds/all/archive/")]
    assert any(b"pelican" in before[name] for name in documents)
    assert not any(b"pelican" in after[name] for name in after)
    assert any("Story 4" in shown for shown in walk(folder).values())
    blank = [title for shown in list(walk(folder).values())[1:] for title in shown if "Story 1" in title]
    assert blank == []

    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.move(days=40))
    gone = [
        etree.fromstring(data).findall("{http://purl.org/atompub/tombstones/1.0}deleted-entry")
        for name, data in files(folder).items()
        if name.startswith("feeds/all/archive/") and name.endswith(".atom")
    ]
    assert sum(map(len, gone)) == 2


@pytest.mark.parametrize("extension", ["rss", "atom", "json"])
async def test_no_feed_is_larger_than_it_may_be(tmp_path: Path, clock: ManualClock, extension: str) -> None:
    """Long stories leave room for few; those that find none are in archive documents."""
    folder = make(
        tmp_path,
        range(1, 9),
        site='feed_bytes = 30000\nfeed_archives = "every"',
        section="economy",
        body="<b>&amp;</b> word\n" * 600,
    )
    await build(folder, clock)
    feeds = [data for name, data in files(folder).items() if name.startswith("feeds/") and name.endswith(extension)]
    assert len(feeds) > 8
    assert max(map(len, feeds)) <= 30000
    for feed in ("all", "economy", "en/all"):
        assert reachable(folder, feed) == {f"Story {number}" for number in range(1, 9)}


async def test_recalls_leave_a_feed_no_longer_than_it_may_be(tmp_path: Path, clock: ManualClock) -> None:
    """A mass withdrawal takes half of a feed at most, and the newest stories are there."""
    folder = make(tmp_path, range(1, 13))
    async with opened(folder, clock) as app:
        for number in range(1, 11):
            put(folder, number, status="withdrawn")
        await app.publishing.refresh(clock.move(hours=1), [f"s{number}.md" for number in range(1, 11)])
    shown = titles(check_atom(read(folder, "feeds/all.atom")))
    assert len(shown) == 4
    assert shown[:2] == ["Story 12", "Story 11"]
    assert len(json.loads(read(folder, "feeds/all.json"))["items"]) == 4


async def test_without_archives_there_are_none(tmp_path: Path, clock: ManualClock) -> None:
    """What was cut is remembered, though: turned on again, the documents are those from before."""
    folder = make(tmp_path, range(1, 10))
    await build(folder, clock)
    before = files(folder)
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace("feed_limit = 4", 'feed_limit = 4\nfeed_archives = "none"'))
    await build(folder, clock)
    assert not [name for name in files(folder) if "/archive/" in name]
    assert b"prev-archive" not in files(folder)["feeds/all.atom"]
    (folder / "config.toml").write_text(config)
    await build(folder, clock)
    assert files(folder) == before


async def test_two_machines_cut_one_feed_alike(sqlite_database: Database) -> None:
    """Whoever comes second takes what the first has said, and cuts only what is left."""
    known = catalogue()
    outline = Outline(known, "harbour.example,2026-10-05", NOW)
    machines = []
    for count in (5, 7):
        public = Shelves(known)
        machines.append(FeedArchives(FeedArchiveRows(sqlite_database), known, outline, public))
        await machines[-1].open()
        for number in range(1, count + 1):
            public.put(article(number=number, published_at=NOW + timedelta(hours=number)))
        machines[-1].note(range(1, count + 1))

    async def four(stories: Sequence[Article]) -> int:
        return min(4, len(stories))

    one, other = machines
    assert await one.cut(ALL, {2, 3, 4, 5}, four) == {1}
    assert await other.cut(ALL, {6, 7}, four) == {1, 2}
    assert await one.cut(ALL, {2, 3, 4, 5}, four) == set()
    assert other.pages(ALL) == [(4, 3, 2, 1), (7, 6, 5)]


async def test_one_switch_makes_every_public_feed_short(tmp_path: Path, clock: ManualClock) -> None:
    """In every format, archive documents too; pages stay whole, and nobody speaks of a subscription."""
    folder = make(tmp_path, site='feed_depth = "summary"')
    for number in range(1, 7):
        put(folder, number, section="economy", tags="[sea]", summary=f"Sum {number}.", body="The pelican sentence.\n")
    await build(folder, clock)
    published = files(folder)
    feeds = [name for name in published if name.startswith("feeds/") and not name.endswith(".html")]
    assert len(feeds) > 12
    assert not [name for name in feeds if b"pelican" in published[name] or b"subscri" in published[name].lower()]
    assert b"Sum 1." in published["feeds/all/archive/1.json"]
    assert b"pelican" in published["articles/s1/index.html"]


# Declared feeds -------------------------------------------------------------------------------------------------------

FLASHES = """
[[feeds]]
id = "flashes"
title = "Flashes"
urgency_max = 2
exclude = { tags = ["sport"] }
limit = 2
depth = "summary"
formats = ["atom", "json"]
"""


async def test_a_declared_feed_holds_what_it_says(tmp_path: Path, clock: ManualClock) -> None:
    """Filter, limit, depth, formats, name and address; listed where feeds are; its archive goes on."""
    folder = make(tmp_path, more=FLASHES)
    for number in range(1, 5):
        put(folder, number, urgency=1, summary=f"Sum {number}.", body="The pelican sentence.\n")
    put(folder, 5, urgency=4)
    put(folder, 6, urgency=1, tags="[sport]")
    await build(folder, clock)
    published = files(folder)
    root = check_atom(published["feeds/flashes.atom"])
    assert root.findtext(f"{ATOM}title") == "Harbour - Flashes"
    assert titles(root) == ["Story 4", "Story 3"]
    assert {title for shown in walk(folder, "flashes").values() for title in shown} == {
        f"Story {n}" for n in range(1, 5)
    }
    assert b"pelican" not in published["feeds/flashes.atom"] + published["feeds/flashes/archive/1.json"]
    assert b"Sum 4." in published["feeds/flashes.atom"]
    assert b"pelican" in published["feeds/all.atom"]
    assert "feeds/flashes.rss" not in published
    [item, _] = check_json(published["feeds/flashes.json"])["items"]
    assert item["_wire"]["depth"] == "summary"
    for listing in ("feeds/index.html", "index.html", "articles/s1/index.html"):
        assert b"/feeds/flashes.atom" in published[listing]
        assert b"/feeds/flashes.rss" not in published[listing]
    assert b"https://harbour.example/feeds/flashes.atom" in published["feeds.opml"]


async def test_a_story_comes_and_goes_as_its_words_do(tmp_path: Path, clock: ManualClock) -> None:
    """One changed file touches a declared feed when it enters and when it leaves, and not otherwise."""
    folder = make(tmp_path, more=FLASHES)
    put(folder, 1, urgency=4)
    async with opened(folder, clock) as app:
        put(folder, 1, urgency=1)
        report = await app.publishing.refresh(clock.move(hours=1), ["s1.md"])
        assert "feeds/flashes.atom" in report.written
        assert titles(check_atom(read(folder, "feeds/flashes.atom"))) == ["Story 1"]
        put(folder, 1, urgency=5)
        await app.publishing.refresh(clock.move(hours=1), ["s1.md"])
        assert titles(check_atom(read(folder, "feeds/flashes.atom"))) == []
        put(folder, 1, urgency=5, deck="Another")
        report = await app.publishing.refresh(clock.move(hours=1), ["s1.md"])
        assert "feeds/flashes.atom" not in report.written


async def test_a_declared_feed_never_tells_more_than_the_public_may_have(tmp_path: Path, clock: ManualClock) -> None:
    """`depth` is a limit: it opens nothing; a recall is told there as well."""
    more = """
[[feeds]]
id = "whole"
title = "Whole"
depth = "full"

[[feeds]]
id = "lines"
title = "Lines"
depth = "headline"
"""
    folder = make(tmp_path, site='contact = "mailto:d@harbour.example"', more=more)
    put(folder, 1, access="summary", body="The pelican sentence.\n", summary="Short.")
    put(folder, 2, access="subscriber", body="The pelican sentence.\n", summary="Short.")
    put(folder, 3, access="public", body="The pelican sentence.\n", summary="Short.")
    async with opened(folder, clock) as app:
        published = files(folder)
        assert titles(check_atom(published["feeds/whole.atom"])) == ["Story 3", "Story 1"]
        assert published["feeds/whole.atom"].count(b"pelican") == 1
        assert published["feeds/lines.atom"].count(b"pelican") == 0
        assert b"Short." not in published["feeds/lines.rss"]
        put(folder, 3, status="withdrawn", body="The pelican sentence.\n")
        await app.publishing.refresh(clock.move(hours=1), ["s3.md"])
    assert not any(b"pelican" in data for data in files(folder).values())
    assert any("Story 3" in title for title in titles(check_atom(read(folder, "feeds/lines.atom"))))


PODCAST = """
[[feeds]]
id = "talks"
title = "Talks"
podcast = { image = "/cover.jpg", category = "News", owner = "pod@harbour.example" }
"""


async def test_a_podcast_has_what_can_be_heard(tmp_path: Path, clock: ManualClock) -> None:
    """Stories with something to hear, with what front matter says of them."""
    folder = make(tmp_path, more=PODCAST)
    put(folder, 1)
    put(folder, 2, audio="https://harbour.example/two.mp3", duration='"1:02:03"', episode=7, season=2, explicit="true")
    put(folder, 3, enclosures="https://harbour.example/three.pdf")
    await build(folder, clock)
    channel = check_rss(read(folder, "feeds/talks.rss"))
    [item] = channel.findall("item")
    itunes = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
    assert item.find("enclosure").get("type") == "audio/mpeg"
    told = [item.findtext(itunes + name) for name in ("duration", "episode", "season", "explicit")]
    assert told == ["3723", "7", "2", "true"]
    assert channel.find(f"{itunes}image").get("href") == "https://harbour.example/cover.jpg"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[feeds]]\nid = "economy"\ntitle = "E"', "feeds.0.id: the section 'economy' has its feed"),
        ('[[feeds]]\nid = "en"\ntitle = "E"', "feeds.0.id: this id would collide"),
        ('[[feeds]]\nid = "one"\ntitle = "E"\nsections = ["sport"]', "feeds.0.sections: there is no section 'sport'"),
        ('[[feeds]]\nid = "one"\ntitle = "E"\nproducts = ["x"]', "feeds.0.products: there is no product 'x'"),
        ('[[feeds]]\nid = "one"\ntitle = "E"\nformats = ["xml"]', "feeds.0.formats.0: "),
        ('[[feeds]]\nid = "one"\ntitle = "E"\nformats = []', "feeds.0.formats: "),
        ('[[feeds]]\nid = "one"\ntitle = "E"\ndepth = "all"', "feeds.0.depth: "),
        ('[[feeds]]\nid = "one"\ntitle = "E"\nlimit = 0', "feeds.0.limit: "),
        ('[[feeds]]\nid = "one"\ntitle = "E"\nwhere = "x"', "feeds.0.where: unknown key"),
        ('[[feeds]]\nid = "one"\ntitle = "E"\npodcast = { category = "News" }', "feeds.0.podcast.image: "),
        (
            '[[feeds]]\nid = "one"\ntitle = "E"\npodcast = { image = "/c.jpg", category = "Gossip" }',
            "feeds.0.podcast.category: 'Gossip' is none of Apple's categories: Arts, ",
        ),
        (
            '[[feeds]]\nid = "one"\ntitle = "E"\npodcast = { image = "/c.jpg", subcategory = "Golf" }',
            "feeds.0.podcast.subcategory: 'Golf' is not below 'News', which has one of Business News, Daily News, ",
        ),
        (
            '[[feeds]]\nid = "a"\ntitle = "E"\npodcast = { image = "/c", category = "History", subcategory = "Golf" }',
            "feeds.0.podcast.subcategory: 'Golf' is not below 'History', which has none",
        ),
        (
            '[[feeds]]\nid = "one"\ntitle = "E"\n[[feeds]]\nid = "one"\ntitle = "F"',
            "feeds.1.id: 'one' is given twice",
        ),
        ('[websub]\nhubs = ["hub.example.org"]', "websub.hubs.0: the address of a hub"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, more: str, said: str) -> None:
    """With what to do about it."""
    make(tmp_path, more=more)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert any(problem.startswith(said) for problem in caught.value.problems), caught.value.problems
