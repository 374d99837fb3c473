"""`make bench`: builds, what one changed file costs, signing, sending and planning mail.

Medians of several runs, and ratios within one run: against the same tree unchanged, a bare look at the files, a bare
signature, bare rows.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks import mail, planning, serving, signing
from publisher.app import open_app

_CONFIG = """
[site]
title = "Benchmark"
url = "https://bench.example"
contact = "mailto:desk@bench.example"
[articles]
access = "summary"
""" + "".join(f'[[sections]]\nid = "desk-{n}"\ntitle = "Desk {n}"\n' for n in range(10))
_PARAGRAPH = "Words of a story that nobody will ever read, with **weight** and a [link](https://a.example/). " * 4
_RUNS = 5


def _publication(folder: Path, stories: int) -> None:
    (folder / "articles").mkdir(parents=True)
    (folder / "config.toml").write_text(_CONFIG)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(stories):
        _write(folder, number, day + timedelta(minutes=number))


def _write(folder: Path, number: int, date: datetime, extra: str = "") -> str:
    text = f"---\ntitle: Story {number}{extra}\nsection: desk-{number % 10}\ndate: {date.isoformat()}\n---\n\n"
    name = f"story-{number}.md"
    made = folder / "articles" / f".{name}"
    made.write_text(text + "\n\n".join([_PARAGRAPH] * 10))
    made.rename(folder / "articles" / name)
    return name


def _bare_look(folder: Path) -> float:
    began = time.perf_counter()
    with os.scandir(folder / "articles") as entries:
        for entry in entries:
            entry.stat()
    return time.perf_counter() - began


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _measure(stories: int) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "site"
        _publication(folder, stories)
        now = datetime(2026, 11, 1, tzinfo=UTC)
        async with open_app(folder) as app:
            await app.publishing.open()
            cold = await _timed(lambda: app.publishing.refresh(now))
        starts, changes, looks = [], [], []
        for run in range(_RUNS):
            async with open_app(folder) as app:

                async def start() -> None:
                    await app.publishing.open()
                    await app.publishing.refresh(now)

                starts.append(await _timed(start))
                names = [_write(folder, stories // 2, now, f" changed {run}")]
                changes.append(await _timed(partial(app.publishing.refresh, now, names)))
            looks.append(_bare_look(folder))
        return cold, statistics.median(starts), statistics.median(changes), statistics.median(looks)


def main() -> None:
    """Prints the tables of docs/benchmarks.md."""
    print(
        "| stories | cold build, s | per story, ms | start unchanged, s | of a bare scandir+stat | one file saved, ms |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    for stories in (1_000, 10_000):
        cold, start, change, look = asyncio.run(_measure(stories))
        each = cold / stories * 1000
        print(f"| {stories:,} | {cold:.2f} | {each:.2f} | {start:.3f} | {start / look:.0f}x | {change * 1000:.1f} |")
    print(f"\n{signing.table()}")
    print(f"\n{mail.table()}")
    print(f"\n{serving.table()}\n")
    for line in planning.lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
