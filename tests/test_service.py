"""The running service, where its hints fail it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import feedparser
import pytest

import publisher.service
from ports import free_port
from publications import AGENCY, make_publication, story, write
from publisher.app import open_app
from publisher.service import Service


async def test_what_the_watcher_lost_the_rescan_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-OVERFLOW: not one change is told, as where the system's queue ran over: a while later public/ is the folder."""

    async def deaf(_folder: Path, stop: asyncio.Event, *, force_polling: bool) -> AsyncIterator[set[str]]:
        await stop.wait()
        for _ in ():
            yield set()

    monkeypatch.setattr(publisher.service, "changes", deaf)
    monkeypatch.setattr(publisher.service, "_RESCAN_SECONDS", 0.2)
    monkeypatch.setenv("PUBLISHER_HTTP__PORT", str(free_port()))
    folder = make_publication(tmp_path, AGENCY)
    dated = {"section": "economy", "date": "2026-01-01T00:00:00Z"}
    for number in range(8):
        write(folder, f"{number}.md", story(f"Story {number}", **dated))
    ready = asyncio.Event()
    async with open_app(folder) as app, asyncio.timeout(120):
        service = Service(app)
        running = asyncio.create_task(service.run(lambda _: ready.set()))
        await ready.wait()
        for number in range(2):
            (folder / "articles" / f"{number}.md").unlink()
            write(folder, f"late/new{number}.md", story(f"Late {number}", **dated))
        (folder / "articles" / "7.md").rename(folder / "articles" / "moved.md")
        write(folder, "6.md", story("Another 6", **dated))
        stand = {f"Story {n}" for n in (2, 3, 4, 5, 7)} | {"Another 6"}
        titles = stand | {f"{kind} {n}" for kind in ("Withdrawn: Story", "Late") for n in range(2)}
        while _titles(folder) != titles:
            await asyncio.sleep(0.05)
        service.stop()
        await running


def _titles(folder: Path) -> set[str]:
    return {entry.title for entry in feedparser.parse((folder / "public" / "feeds" / "all.atom").read_bytes()).entries}
