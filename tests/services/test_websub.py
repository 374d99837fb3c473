"""Hubs are told of every change of a public feed, again and again until they have heard of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.errors import UnreachableError
from publisher.services.websub import Announcer, is_topic, link_header
from publisher.stores.announcements import Announcements

HUB, OTHER = "https://hub.example/", "https://other.example/hub?x=1"
CONFIG = AGENCY + f'\n[websub]\nhubs = ["{HUB}", "{OTHER}"]\n'


class Hubs:
    """Hubs that note what they are told, or fail."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.broken: set[str] = set()
        self.hanging: set[str] = set()

    async def publish(self, hub: str, topic: str) -> None:
        self.told.append((hub, topic))
        if hub in self.hanging:
            await asyncio.Event().wait()
        if hub in self.broken:
            raise UnreachableError("it answered 500")

    def take(self, hub: str) -> list[str]:
        """Returns what a hub was told since it was last asked."""
        told = [topic for name, topic in self.told if name == hub]
        self.told = [one for one in self.told if one[0] != hub]
        return told


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def hubs() -> Hubs:
    return Hubs()


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock, hubs: Hubs) -> AsyncIterator[tuple[App, Announcer]]:
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        yield app, Announcer(app.catalogue.site, Announcements(app.database), app.facts, hubs, clock)


async def test_a_hub_is_told_of_what_changed_and_of_nothing_else(
    tmp_path: Path, clock: ManualClock, hubs: Hubs
) -> None:
    """Each topic once a change, by the address that the feed calls its own; what stood there before is no news."""
    folder = make_publication(tmp_path, CONFIG)
    write(folder, "a.md", story("One", section="economy"))
    async with opened(folder, clock, hubs) as (app, announcer):
        await announcer.announce(HUB)
        assert hubs.told == []
        write(folder, "a.md", story("One, again", section="economy", tags="[Çay]"))
        await app.publishing.refresh(clock.move(minutes=1), ["a.md"])
        write(folder, "a.md", story("One, once more", section="economy", tags="[Çay]"))
        await app.publishing.refresh(clock.move(minutes=1), ["a.md"])
        await announcer.announce(HUB)
        told = hubs.take(HUB)
        names = ("all", "economy", "en/all", "en/economy", "tags/%C3%87ay")
        assert sorted(told) == sorted(
            f"https://wire.example/feeds/{name}.{extension}" for name in names for extension in ("rss", "atom", "json")
        )
        await announcer.announce(HUB)
        assert hubs.take(HUB) == []
        feed = (folder / "public/feeds/all.atom").read_text()
        assert f'<link href="{HUB}" rel="hub"/>' in feed


async def test_a_broken_hub_hears_of_it_later_also_after_a_restart(
    tmp_path: Path, clock: ManualClock, hubs: Hubs
) -> None:
    """Waits grow; nobody else waits; what is pending is derived from what stands in public/."""
    folder = make_publication(tmp_path, CONFIG)
    async with opened(folder, clock, hubs) as (app, announcer):
        for hub in (HUB, OTHER):
            await announcer.announce(hub)
        hubs.broken.add(HUB)
        write(folder, "a.md", story("One"))
        await app.publishing.refresh(clock.move(minutes=1), ["a.md"])
        waits = []
        for _ in range(4):
            await announcer.announce(HUB)
            [state, _] = await announcer.states()
            assert state.trouble is not None
            waits.append((state.trouble.again_at - clock.now()).total_seconds())
            assert hubs.take(HUB) != []
            assert await announcer.announce(HUB) > 0
            assert hubs.take(HUB) == [], "not before its time"
            clock.moment = state.trouble.again_at
        assert waits == [15, 30, 60, 120]
        await announcer.announce(OTHER)
        assert "https://wire.example/feeds/all.atom" in hubs.take(OTHER)
        assert (state.waiting, state.trouble.error, state.trouble.failures) == (6, "it answered 500", 4)
    async with opened(folder, clock, hubs) as (_, announcer):
        hubs.broken.clear()
        await announcer.announce(HUB)
        assert len(hubs.take(HUB)) == 6
        assert [(one.waiting, one.trouble) for one in await announcer.states()] == [(0, None), (0, None)]


async def test_a_hub_that_hangs_keeps_no_other_waiting(tmp_path: Path, clock: ManualClock, hubs: Hubs) -> None:
    """Each is told by itself, and all of it ends with the service."""
    folder = make_publication(tmp_path, CONFIG)
    async with opened(folder, clock, hubs) as (app, announcer):
        for hub in (HUB, OTHER):
            await announcer.announce(hub)
        hubs.hanging.add(HUB)
        stop = asyncio.Event()
        running = asyncio.create_task(announcer.run(stop))
        for number in range(3):
            write(folder, "a.md", story(f"Number {number}"))
            await app.publishing.refresh(clock.move(minutes=1), ["a.md"])
            announcer.ring()
            async with asyncio.timeout(60):
                while "https://wire.example/feeds/all.atom" not in hubs.take(OTHER):
                    await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(running, 60)


async def test_archives_and_private_things_are_no_topics(tmp_path: Path, clock: ManualClock, hubs: Hubs) -> None:
    """What never changes is not announced, nor is anything that is not a public feed."""
    folder = make_publication(tmp_path, CONFIG.replace("[articles]", "feed_limit = 1\n[articles]"))
    async with opened(folder, clock, hubs) as (app, announcer):
        await announcer.announce(HUB)
        for name in "ab":
            write(folder, f"{name}.md", story(name.upper()))
        await app.publishing.refresh(clock.move(minutes=1), ["a.md", "b.md"])
        assert (folder / "public/feeds/all/archive/1.atom").exists()
        await announcer.announce(HUB)
        assert all("/archive/" not in topic and "/u/" not in topic for topic in hubs.take(HUB))
        archive = (folder / "public/feeds/all/archive/1.atom").read_bytes()
        assert HUB.encode() not in archive
        site = app.catalogue.site
        assert link_header(site, "feeds/all.rss") == (
            f'<{HUB}>; rel="hub", <{OTHER}>; rel="hub", <https://wire.example/feeds/all.rss>; rel="self"'.encode()
        )
        assert link_header(site, "feeds/all/archive/1.rss") == link_header(site, "index.html") == b""
    for path in ("sitemap.xml", "feeds/index.html", "feeds.opml", "articles/feeds/x.atom"):
        assert not is_topic(path)
