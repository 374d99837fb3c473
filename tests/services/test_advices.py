"""Everything that happens to a story, in every feed and page: by status, viewer, format, over time and restarts."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app

DATE = "2026-11-01T08:00:00Z"
BODY = "Opening words.\n\nThe canary counted eleven lanterns.\n"
CANARY = "eleven lanterns"
DECK = "Nine years of waiting"
REASON = "Invented by a rival"
AT = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
VALID = "{http://purl.org/dc/terms/}valid"
ATOM = "{http://www.w3.org/2005/Atom}"
HELD_TEXT = "on hold"
VIEWERS = {"public": [], "lapsed": ["asia"], "asia": ["asia"], "money": ["money"]}
FEEDS = ("all.atom", "all.rss", "all.json")
CONFIG = AGENCY.replace(
    "[[newsletters]]", '[[products]]\nid = "money"\ntitle = "Money"\nsections = ["economy"]\n\n[[newsletters]]', 1
)


@dataclass
class Newsroom:
    """A publication whose one story of the Asian desk goes through everything, opened anew at every look."""

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    config: str = CONFIG

    def __post_init__(self) -> None:
        make_publication(self.folder, self.config)

    def say(self, name: str = "ferry", **keys: object) -> None:
        """Writes the story; `keys` are its front matter."""
        title = str(keys.pop("title", "Ferry line reopens"))
        matter = {"section": "asia-pacific", "deck": DECK, "tags": "[boats]", "date": DATE} | keys
        body = BODY if name == "ferry" else "Other words.\n\nAnd more.\n"
        write(self.folder, f"{name}.md", story(title, body=body, **matter))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[App]:
        async with open_app(self.folder, self.clock) as app:
            await app.publishing.open()
            yield app

    async def look(self, **step: float) -> list[str]:
        """Lets time pass and makes a pass in a process of its own; returns what was written."""
        async with self.opened() as app:
            await app.publishing.refresh(self.clock.move(**step))
            report = await app.publishing.refresh(self.clock.move(seconds=3))
            return report.written

    async def turn(self, name: str = "ferry", **keys: object) -> None:
        """Changes the story and looks an hour later."""
        self.say(name, **keys)
        await self.look(hours=1)

    async def enrol(self) -> None:
        """Adds the readers; the licence of one ends tomorrow."""
        async with self.opened() as app:
            for name, products in VIEWERS.items():
                until = self.clock.now().replace(day=3) if name == "lapsed" else None
                await app.circulation.add(
                    f"{name}@example.org",
                    self.clock.now(),
                    confirmed=True,
                    newsletters=[],
                    products=products,
                    valid_until=until,
                )

    async def private(self, viewer: str, name: str) -> bytes:
        """Returns a reader's feed."""
        return (await self.private_of([viewer], [name]))[viewer, name]

    async def private_of(self, viewers: Iterable[str], names: Iterable[str]) -> dict[tuple[str, str], bytes]:
        """Returns readers' feeds, one after the other from one process."""
        bodies = {}
        async with self.opened() as app:
            await app.publishing.refresh(self.clock.now())
            for viewer, name in product(viewers, names):
                subscriber = await app.people.by_address(f"{viewer}@example.org")
                assert subscriber is not None
                found = await app.private_feeds.feed(subscriber, "token", *name.split("."), self.clock.now())
                assert found is not None
                bodies[viewer, name] = found.body
        return bodies

    def public(self, name: str) -> bytes:
        return (self.folder / "public" / name).read_bytes()

    def everything(self) -> bytes:
        """Returns all that is in public/, names included."""
        root = self.folder / "public"
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return b"\n".join(str(path.relative_to(root)).encode() + b"\n" + path.read_bytes() for path in files)

    def has(self, name: str) -> bool:
        return (self.folder / "public" / name).exists()


@pytest.fixture
async def room(tmp_path: Path) -> Newsroom:
    """The story is out, beside one of the other desk; a day later nobody but two has a licence."""
    made = Newsroom(tmp_path / "wire")
    made.say("tea", title="Tea is served", section="economy", deck="Hot", tags="[]")
    made.say()
    await made.look()
    await made.enrol()
    await made.look(days=2)
    return made


def entries(document: bytes) -> dict[str, Any]:
    """Returns the entries of an XML feed by what is before the last part of their id."""
    parsed = feedparser.parse(document)
    assert not parsed.bozo
    assert len({entry.id for entry in parsed.entries}) == len(parsed.entries)
    return {entry.id.rpartition(":")[2]: entry for entry in parsed.entries}


def titles(document: bytes) -> list[str]:
    return [entry.title for entry in feedparser.parse(document).entries]


def departed(document: bytes) -> list[str]:
    """Returns the ids a feed carries no more; none of them is an entry as well."""
    root = etree.fromstring(document)
    gone = [element.get("ref") for element in root.findall(AT)]
    live = [element.text for element in root.iter(f"{ATOM}id")]
    assert not set(gone) & set(live)
    return [ref.rpartition(":")[2] for ref in gone]


def validity(document: bytes, name: str) -> str | None:
    root = etree.fromstring(document)
    (entry,) = [e for e in root.findall(f"{ATOM}entry") if e.findtext(f"{ATOM}id").endswith(f":{name}")]
    return entry.findtext(VALID)


TURNS: dict[str, dict[str, Any]] = {
    "corrected": {"corrections": "[{date: 2026-11-04T10:00:00Z, kind: correction, text: Nine not eight.}]"},
    "clarified": {"corrections": "[{date: 2026-11-04T10:00:00Z, kind: clarification, text: It is nine.}]"},
    "held": {"status": "held"},
    "withdrawn": {"status": "withdrawn"},
    "killed": {"status": "killed", "kill_reason": REASON},
}
SAID: dict[tuple[str, str], list[str]] = {
    ("corrected", "asia"): ["Correction: Ferry line reopens", "Ferry line reopens"],
    ("clarified", "asia"): ["Clarification: Ferry line reopens", "Ferry line reopens"],
    ("held", "asia"): ["HOLD: Ferry line reopens", "Ferry line reopens"],
    ("withdrawn", "asia"): ["Withdrawn: Ferry line reopens"],
    ("killed", "asia"): ["KILL (ref 1)", "STORY WITHDRAWN (ref 1)"],
    ("corrected", "public"): ["Correction: Ferry line reopens", "Ferry line reopens"],
    ("clarified", "public"): ["Clarification: Ferry line reopens", "Ferry line reopens"],
    ("held", "public"): ["Ferry line reopens"],
    ("withdrawn", "public"): ["Withdrawn: Ferry line reopens"],
    ("killed", "public"): ["STORY WITHDRAWN (ref 1)"],
}
"""What is told of the story, newest first; whose licence ended is told what the public is, another desk nothing."""


@pytest.mark.parametrize("turn", TURNS)
async def test_what_happens_to_a_story_in_private_feeds(room: Newsroom, turn: str) -> None:
    await room.turn(**TURNS[turn])
    others = {"Tea is served", "Your subscription ended on November 3, 2026"}
    for (viewer, name), document in (await room.private_of(VIEWERS, FEEDS)).items():
        told = SAID.get((turn, "public" if viewer == "lapsed" else viewer), [])
        items = json.loads(document)["items"] if name.endswith("json") else feedparser.parse(document).entries
        found = [item["title"] for item in items]
        assert [title for title in found if title not in others] == told, name
        assert ("Tea is served" in found) == (viewer != "asia")
        text = document.decode()
        assert (CANARY in text) == (viewer == "asia" and turn in ("corrected", "clarified"))
        assert (REASON in text) == (viewer == "asia" and turn == "killed")
        assert DECK not in text or turn in ("corrected", "clarified")


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("feed", ["feeds/all", "feeds/asia-pacific", "feeds/en/all", "feeds/tags/boats"])
async def test_what_happens_to_a_story_in_public_feeds(room: Newsroom, feed: str, turn: str) -> None:
    before = entries(room.public(f"{feed}.atom"))["ferry"]
    await room.turn(**TURNS[turn])
    for extension in ("atom", "rss"):
        found = titles(room.public(f"{feed}.{extension}"))
        assert [title for title in found if title != "Tea is served"] == SAID[turn, "public"]
    after = entries(room.public(f"{feed}.atom"))["ferry"]
    assert (after.id, after.published) == (before.id, before.published)
    assert after.updated > before.updated
    assert feedparser.parse(room.public(f"{feed}.atom")).feed.updated >= after.updated
    assert CANARY.encode() not in room.everything()


async def test_a_held_story_says_so_and_nothing_else(room: Newsroom) -> None:
    page = "articles/ferry/index.html"
    before = room.public(page)
    await room.turn(status="held")
    text = room.public(page).decode()
    assert HELD_TEXT in text
    assert 'content="noindex"' in text
    assert not [trace for trace in (DECK, "og:title", "ld+json", "boats") if trace in text]
    assert b"articles/ferry" not in room.public("sitemap.xml") + room.public("news-sitemap.xml")
    assert b"Ferry" not in room.public("index.html") + room.public("sections/asia-pacific/index.html")
    assert HELD_TEXT in entries(room.public("feeds/all.atom"))["ferry"].summary
    await room.turn()
    assert room.public(page).replace(b'"version": 3', b'"version": 1') == before
    released = entries(await room.private("asia", "all.atom"))
    assert [e.title for key, e in released.items() if "release" in key] == ["May be used: Ferry line reopens"]
    assert CANARY in released["ferry"].content[0].value
    assert "release" not in room.public("feeds/all.atom").decode()


async def test_a_withdrawn_story_is_blanked_where_it_was(room: Newsroom) -> None:
    await room.turn(status="withdrawn")
    assert not room.has("articles/ferry/index.html")
    document = room.public("feeds/all.atom")
    end = validity(document, "ferry").partition("end=")[2].partition(";")[0]  # type: ignore[union-attr]
    assert datetime.fromisoformat(end) <= room.clock.now()
    assert b"dcterms:valid>" in room.public("feeds/all.rss")
    (item,) = [i for i in json.loads(room.public("feeds/all.json"))["items"] if i["title"].startswith("Withdrawn")]
    assert item["_wire"]["pub_status"] == "canceled"
    assert DECK.encode() not in room.everything()
    async with room.opened() as app:
        await app.publishing.refresh(room.clock.now())
        assert app.publishing.gone == {"/articles/ferry/"}
    assert (room.folder / "gone.map").read_text() == "/articles/ferry/ 1;\n"


async def test_a_killed_story_leaves_nothing(room: Newsroom) -> None:
    """Not its headline, its address, its summary, its words; nor what had been said about it before."""
    await room.turn(**TURNS["corrected"])
    assert room.has("corrections/index.html")
    await room.turn(**TURNS["killed"] | {"corrections": TURNS["corrected"]["corrections"]})
    said = room.everything()
    assert b"STORY WITHDRAWN (ref 1)" in said
    assert not [trace for trace in (CANARY, DECK, "Ferry", "articles/ferry", REASON, "Nine") if trace.encode() in said]
    assert not room.has("corrections/index.html")
    private = (await room.private("asia", "all.atom")).decode()
    assert REASON in private
    assert not [trace for trace in (CANARY, DECK, "Ferry", "articles/ferry", "Nine") if trace in private]


@pytest.mark.parametrize("turn", ["held", "withdrawn", "killed"])
async def test_an_entry_stays_for_thirty_days_and_its_going_is_said_for_a_year(room: Newsroom, turn: str) -> None:
    await room.turn(**TURNS[turn])
    for step, live, gone in [(0.0, 1, 0), (29.9, 1, 0), (0.2, 0, 1), (300.0, 0, 1), (70.0, 0, 0)]:
        await room.look(days=step)
        for document in (room.public("feeds/all.atom"), await room.private("asia", "all.atom")):
            assert len([name for name in entries(document) if name == "ferry"]) == live
            assert departed(document) == ["ferry"] * gone
        assert ("ferry" in str(entries(room.public("feeds/all.rss")).keys())) == bool(live)
    assert room.has("articles/ferry/index.html") == (turn == "held")


async def test_time_alone_is_waited_for(room: Newsroom) -> None:
    """A running service wakes when an entry's time is over, and does what a restarted one would."""
    await room.turn(status="withdrawn")
    async with room.opened() as app:
        await app.publishing.refresh(room.clock.now())
        before = room.public("feeds/tags/boats.atom")
        moment = app.publishing.next_change_at(room.clock.now())
        assert moment is not None
        room.clock.moment = moment
        report = await app.publishing.refresh(moment, [])
        assert "feeds/tags/boats.atom" in report.removed
        assert "feeds/asia-pacific.rss" in report.written
        assert not [path for path in report.written if "economy" in path]
    assert b"Withdrawn" in before
    assert await room.look() == []


@pytest.mark.parametrize("how", ["deleted", "draft", "letter"])
async def test_what_is_simply_removed_is_gone_at_once(tmp_path: Path, how: str) -> None:
    room = Newsroom(tmp_path / "wire", config=CONFIG.replace('"withdraw"', '"remove"'))
    room.say()
    await room.look()
    if how == "deleted":
        (room.folder / "articles" / "ferry.md").unlink()
    else:
        room.say(**{"draft": {"status": "draft"}, "letter": {"deliver": "mail"}}[how])
    await room.look(hours=1)
    await room.look()
    async with room.opened() as app:
        await app.publishing.refresh(room.clock.now())
        assert app.publishing.gone == {"/articles/ferry/"}
    assert entries(room.public("feeds/all.atom")) == {}
    assert departed(room.public("feeds/all.atom")) == ["ferry"]
    assert departed(room.public("feeds/asia-pacific.atom")) == ["ferry"]
    assert departed(room.public("feeds/economy.atom")) == []
    assert b"xmlns:at" not in room.public("feeds/economy.atom")
    assert not room.has("articles/ferry/index.html")
    assert b"Ferry" not in room.everything()
    room.say()
    await room.look(hours=1)
    (back,) = entries(room.public("feeds/all.atom")).values()
    assert departed(room.public("feeds/all.atom")) == []
    assert back.updated_parsed > datetime(2026, 11, 2, 9, 30, tzinfo=UTC).timetuple()


async def test_an_old_story_that_is_recalled_is_told_of_in_place_of_a_newer_one(tmp_path: Path) -> None:
    limited = CONFIG.replace("[articles]", "feed_limit = 3\n\n[articles]", 1)
    room = Newsroom(tmp_path / "wire", config=limited)
    for number in range(5):
        room.say(f"n{number}", title=f"Story {number}", date=f"2026-11-01T0{number}:00:00Z")
    await room.look()
    assert titles(room.public("feeds/all.atom")) == ["Story 4", "Story 3", "Story 2"]
    room.say("n0", title="Story 0", date="2026-11-01T00:00:00Z", status="withdrawn")
    await room.look(hours=1)
    assert titles(room.public("feeds/all.atom")) == ["Story 4", "Story 3", "Withdrawn: Story 0"]


async def test_a_recall_is_told_on_every_desk_that_had_the_story(room: Newsroom) -> None:
    await room.turn(section="economy", tags="[ports]")
    await room.turn(section="economy", tags="[ports]", status="withdrawn")
    for name in ("asia-pacific", "economy", "tags/boats", "tags/ports"):
        assert "Withdrawn: Ferry line reopens" in titles(room.public(f"feeds/{name}.atom"))


async def test_nobody_is_told_of_what_they_never_had(room: Newsroom) -> None:
    """A story for subscribers, and one whose secret title came after it left the public."""
    room.say("heron", title="Unseen Heron", access="subscriber")
    await room.look(hours=1)
    await room.turn("heron", title="Unseen Heron", access="subscriber", status="killed", kill_reason=REASON)
    room.say(title="Secret sequel", access="subscriber")
    await room.look(hours=1)
    await room.turn(title="Secret sequel", access="subscriber", status="withdrawn")
    said = room.everything().decode()
    assert not [trace for trace in ("heron", "Heron", "Secret", REASON, "ref 3") if trace in said]
    assert "Withdrawn: Ferry line reopens" in said
    assert {"KILL (ref 3)", "STORY WITHDRAWN (ref 3)", "Withdrawn: Secret sequel"} <= set(
        titles(await room.private("asia", "all.atom"))
    )


async def test_a_correction_in_a_moved_file_is_still_known(room: Newsroom) -> None:
    await room.turn(**TURNS["corrected"])
    (room.folder / "articles" / "ferry.md").rename(room.folder / "articles" / "boat.md")
    await room.look(hours=1)
    assert titles(room.public("feeds/all.atom"))[0] == "Correction: Ferry line reopens"


async def test_the_log_of_corrections(room: Newsroom) -> None:
    """It begins with the first note; the list pages lead to it from then on, and the corrected story's own."""
    assert not room.has("corrections/index.html")
    assert not room.has("corrections.atom")
    assert b"/corrections/" not in room.public("index.html")
    room.say("heron", title="Unseen Heron", access="subscriber", corrections="[{date: 2026-11-04, text: Hidden}]")
    await room.turn(**TURNS["corrected"])
    for name in ("corrections/index.html", "tr/corrections/index.html", "corrections.atom"):
        assert (b"Nine not eight" in room.public(name)) == (not name.startswith("tr/"))
        assert b"Hidden" not in room.public(name)
    assert "Düzeltmeler".encode() in room.public("tr/corrections/index.html")
    assert titles(room.public("corrections.atom")) == ["Correction: Ferry line reopens"]
    for name in ("index.html", "tr/index.html", "sections/economy/index.html", "articles/ferry/index.html"):
        assert b'/corrections/"' in room.public(name), name
    assert b"/corrections/" not in room.public("articles/tea/index.html")
    [_, ld] = room.public("articles/ferry/index.html").decode().split('<script type="application/ld+json">')
    told = json.loads(ld.partition("</script>")[0])
    assert told["correction"][0]["@type"] == "CorrectionComment"
    assert told["publisher"]["correctionsPolicy"] == "https://wire.example/corrections/"
    await room.turn(corrections="[]")
    assert not room.has("corrections.atom")
    assert b"/corrections/" not in room.public("index.html")


async def test_an_update_heads_the_text(room: Newsroom) -> None:
    note = "[{date: 2026-11-04T10:00:00Z, kind: update, text: The mayor speaks.}]"
    await room.turn(updated="2026-11-04T10:00:00Z", access="public")
    (item,) = [i for i in json.loads(room.public("feeds/all.json"))["items"] if "Ferry" in i["title"]]
    assert item["content_html"].startswith("<p><em>Updated November 4, 2026")
    await room.turn(updated="2026-11-04T10:00:00Z", access="public", corrections=note)
    (item,) = [i for i in json.loads(room.public("feeds/all.json"))["items"] if "Ferry" in i["title"]]
    assert item["content_html"].startswith("<p><em>Updated November 4, 2026")
    assert item["content_html"].count("The mayor speaks.") == 1
    assert "Correction" not in room.public("feeds/all.atom").decode()


async def test_the_public_waits_its_time(tmp_path: Path) -> None:
    """To the moment, in pages, feeds, lists and sitemaps; entitled readers have it at once."""
    delayed = CONFIG.replace("[articles]", '[articles]\npublic_delay = "15m"', 1)
    room = Newsroom(tmp_path / "wire", config=delayed)
    room.say("tea", title="Tea is served", section="economy")
    await room.look()
    await room.enrol()
    await room.look(days=2)
    room.say(date="2026-11-04T09:00:00Z")
    async with room.opened() as app:
        now = room.clock.now()
        await app.publishing.refresh(now)
        assert b"Ferry" not in room.everything()
        assert app.publishing.next_change_at(now) is not None
        readers = {name: await app.people.by_address(f"{name}@example.org") for name in VIEWERS}

        async def heard(viewer: str) -> tuple[bool, bool]:
            reader = readers[viewer]
            assert reader is not None
            found = [
                await app.private_feeds.feed(reader, "token", *name.split("."), room.clock.now())
                for name in ("all.atom", "wire.json")
            ]
            return tuple(b"Ferry" in one.body for one in found if one is not None)  # type: ignore[return-value]

        assert await heard("asia") == (True, True)
        assert await heard("lapsed") == (False, False)
        opens = app.publishing.next_change_at(now)
        assert opens is not None
        assert (opens - now).total_seconds() == 15 * 60
        room.clock.moment = opens
        await app.publishing.refresh(opens, [])
        assert await heard("lapsed") == (True, True)
    for name in ("index.html", "feeds/all.atom", "news-sitemap.xml", "articles/ferry/index.html"):
        assert b"Ferry" in room.public(name)
    assert b"articles/ferry/" in room.public("sitemap.xml")
    assert await room.look() == []


async def test_what_was_killed_before_the_public_had_it_leaves_no_trace(tmp_path: Path) -> None:
    delayed = CONFIG.replace("[articles]", '[articles]\npublic_delay = "2h"', 1)
    room = Newsroom(tmp_path / "wire", config=delayed)
    await room.look()
    await room.enrol()
    await room.turn()
    await room.turn(status="killed", kill_reason=REASON)
    await room.look(days=1, hours=-12)
    assert b"STORY WITHDRAWN" not in room.everything()
    assert "KILL (ref 1)" in titles(await room.private("asia", "all.atom"))
    assert b"canceled" not in await room.private("public", "wire.json")


@pytest.mark.parametrize("kept", [True, False])
async def test_a_story_whose_time_is_over(tmp_path: Path, kept: bool) -> None:
    config = CONFIG.replace("[articles]", f'[articles]\non_expire = "{"keep" if kept else "remove"}"', 1)
    room = Newsroom(tmp_path / "wire", config=config)
    room.say(expires="2026-11-02T12:00:00Z")
    await room.look()
    page = room.public("articles/ferry/index.html")
    document = room.public("feeds/all.atom")
    assert (
        validity(document, "ferry") == "start=2026-11-01T08:00:00+00:00; end=2026-11-02T12:00:00+00:00; scheme=W3C-DTF"
    )
    assert b"dcterms:valid>" not in room.public("feeds/all.rss")
    await room.look(hours=4)
    assert titles(room.public("feeds/all.atom")) == departed(room.public("feeds/all.atom")) == []
    assert b"articles/ferry" not in room.public("sitemap.xml") + room.public("index.html")
    assert room.has("articles/ferry/index.html") == kept
    assert not kept or room.public("articles/ferry/index.html") == page
    async with room.opened() as app:
        await app.publishing.refresh(room.clock.now())
        assert app.publishing.gone == (set() if kept else {"/articles/ferry/"})


async def test_paragraphs_given_away(tmp_path: Path) -> None:
    config = CONFIG.replace("[articles]", "[articles]\npublic_paragraphs = { page = 2, feed = 1 }", 1)
    room = Newsroom(tmp_path / "wire", config=config)
    write(room.folder, "a.md", story("A", body="First one.\n\nSecond one.\n\nThe canary.\n", section="economy"))
    await room.look()
    page, feed = room.public("articles/a/index.html").decode(), room.public("feeds/all.rss").decode()
    assert page.count("<p>First one.</p>") == 1
    assert "Second one." in page
    assert feed.count("First one.") == 1
    assert "Second one." not in feed
    assert b"The canary." not in room.everything()


@pytest.mark.parametrize("shown", [True, False])
async def test_what_products_leave_out(tmp_path: Path, shown: bool) -> None:
    """Nothing of it, or summaries; a product may also keep away from feeds."""
    config = CONFIG.replace("[articles]", f'[articles]\noutside_products = "{"summary" if shown else "nothing"}"', 1)
    config = config.replace('id = "asia"\n', 'id = "asia"\nchannels = ["email"]\n', 1)
    room = Newsroom(tmp_path / "wire", config=config)
    room.say()
    await room.look()
    await room.enrol()
    for document in (await room.private_of(["asia", "money"], ["all.rss", "all.json", "wire.json"])).values():
        assert (b"Ferry" in document) == shown
        assert CANARY.encode() not in document


async def test_ties_to_what_a_viewer_may_know_of(tmp_path: Path) -> None:
    """Translations and what a story replaces, where both are visible; of the others there is no trace."""
    room = Newsroom(tmp_path / "wire")
    base = "tag:wire.example,2026-11-01"
    room.say()
    room.say("feribot", title="Feribot", language="tr", translation_of=f"{base}:ferry", section="economy")
    room.say("heron", title="Unseen Heron", access="subscriber")
    room.say("next", title="Next", supersedes=f'["{base}:ferry", "{base}:heron"]', related=f'["{base}:feribot"]')
    await room.look()
    await room.enrol()
    await room.look(days=2)

    def ties(document: bytes, name: str) -> set[tuple[str, str | None, str]]:
        links = entries(document)[name].links
        return {(one.rel, one.get("hreflang"), one.href.split("/")[-2]) for one in links if one.get("hreflang")}

    for feed in ("all", "en/all", "asia-pacific"):
        document = room.public(f"feeds/{feed}.atom")
        assert ties(document, "ferry") == {("alternate", "tr", "feribot"), ("alternate", "en", "ferry")}
        assert ties(document, "next") == {("related", "tr", "feribot"), ("predecessor-version", "en", "ferry")}
    private = await room.private_of(["asia", "money"], ["all.atom"])
    assert ties(private["asia", "all.atom"], "ferry") == set()
    assert ties(private["asia", "all.atom"], "next") == {("predecessor-version", "en", "ferry")}
    assert ties(private["money", "all.atom"], "feribot") == set()
    room.say(
        "feribot", title="Feribot", language="tr", translation_of=f"{base}:ferry", section="economy", status="draft"
    )
    await room.look(hours=1)
    assert ties(room.public("feeds/en/all.atom"), "ferry") == set()
    assert b"heron" not in room.everything()


async def test_gone_map_is_written_only_when_it_changes(room: Newsroom) -> None:
    """It names what answers 410, is empty again when nothing does, and is made again when it was lost."""
    path = room.folder / "gone.map"
    assert not path.exists()
    await room.turn(status="withdrawn")
    before = path.stat()
    await room.look(hours=1)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.unlink()
    await room.look(hours=1)
    assert path.read_text() == "/articles/ferry/ 1;\n"
    await room.turn()
    assert path.read_text() == ""
    assert not room.has("gone.map")
