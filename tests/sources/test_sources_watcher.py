"""Hints of changes, from a real folder."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.sources.watcher import changes


@asynccontextmanager
async def watched(root: Path, *, force_polling: bool = False) -> AsyncIterator["asyncio.Queue[frozenset[str]]"]:
    """Watches a folder, and asserts that the watcher ends when it is told to."""
    stop = asyncio.Event()
    batches: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def watch() -> None:
        async for batch in changes(root, stop, force_polling=force_polling):
            batches.put_nowait(batch)

    task = asyncio.create_task(watch())
    try:
        await _until_heard(root, batches, task)
        yield batches
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


async def _until_heard(root: Path, batches: "asyncio.Queue[frozenset[str]]", task: "asyncio.Task[None]") -> None:
    """Waits until the watcher, which starts in a thread of its own, tells of a first change."""
    for number in range(100):
        if task.done():
            await task
        (root / "started.md").write_text(str(number))
        try:
            await asyncio.wait_for(batches.get(), 0.5)
        except TimeoutError:
            continue
        break
    await asyncio.sleep(0.3)
    while not batches.empty():
        batches.get_nowait()


async def collected(batches: "asyncio.Queue[frozenset[str]]", wanted: set[str]) -> set[str]:
    """Returns all paths told of until the wanted ones are among them."""
    seen: set[str] = set()
    async with asyncio.timeout(60):
        while not wanted <= seen:
            seen |= await batches.get() - {"started.md"}  # which may be told of late
    return seen


@pytest.mark.parametrize("force_polling", [False, True])
async def test_new_changed_and_removed_files_are_told(tmp_path: Path, force_polling: bool):
    """Below the folder, in POSIX form; polling tells as much."""
    async with watched(tmp_path, force_polling=force_polling) as batches:
        (tmp_path / "2025").mkdir()
        (tmp_path / "a.md").write_text("x")
        await collected(batches, {"a.md"})
        (tmp_path / "2025" / "b.md").write_text("x")
        await collected(batches, {"2025/b.md"})
        (tmp_path / "a.md").unlink()
        await collected(batches, {"a.md"})


async def test_moved_in_file_is_told_without_its_temporary_name(tmp_path: Path):
    """The good way to write."""
    async with watched(tmp_path) as batches:
        (tmp_path / "a.md.tmp").write_text("x")
        os.replace(tmp_path / "a.md.tmp", tmp_path / "a.md")
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "b.md").write_text("x")
        (tmp_path / "last.md").write_text("x")
        assert await collected(batches, {"a.md", "last.md"}) == {"a.md", "last.md"}


async def test_missing_folder_is_an_error(tmp_path: Path):
    """Said at once."""
    with pytest.raises(SourceError, match="cannot be watched"):
        async for _ in changes(tmp_path / "missing", asyncio.Event()):
            pass


async def test_folder_that_goes_away_is_an_error(tmp_path: Path):
    """Nothing would be told from then on, and silence would look like peace."""
    root = tmp_path / "articles"
    root.mkdir()
    seen = asyncio.Event()

    async def watch() -> None:
        async for _ in changes(root, asyncio.Event()):
            seen.set()

    task = asyncio.create_task(watch())
    while not seen.is_set():
        (root / "a.md").write_text("x")
        await asyncio.sleep(0.05)
    (root / "a.md").unlink()
    root.rmdir()
    with pytest.raises(SourceError, match="has gone"):
        await asyncio.wait_for(task, 60)
