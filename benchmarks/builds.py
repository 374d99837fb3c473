"""Builds: ours beside Hugo, Eleventy and Pelican on the same articles; what one saved file and a start cost.

`python -m benchmarks.builds` prints the tables; `--large` adds 100,000 articles for ours. A run takes minutes.
"""

import asyncio
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.peers import DESKS, Peer, peers
from publisher.app import App, open_app
from publisher.model.files import Scan

_CONFIG = """
[site]
title = "Benchmark"
url = "https://bench.example"
contact = "mailto:desk@bench.example"
[http]
port = 0
[articles]
access = "public"
""" + "".join(f'[[sections]]\nid = "desk-{n}"\ntitle = "Desk {n}"\n' for n in range(DESKS))
_PARAGRAPH = "Words of a story that nobody will ever read, with **weight** and a [link](https://a.example/). " * 4
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_RUNS = 5
_SIZES = (1_000, 10_000)
_LARGE = 100_000
_SECONDS = 280
_PAUSE = 0.02
"""Seconds between two looks at a process."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    wall: float
    cpu: float
    """Seconds, of all its threads and children."""
    memory: float
    """MB at the peak, of the process that was started and of those that it started."""


def _articles(folder: Path, count: int) -> None:
    for number in range(count):
        _article(folder, number)


def _article(folder: Path, number: int, extra: str = "") -> str:
    """Writes one article of 4 KB as an editor's program does, whole under another name; returns its path."""
    date = _FIRST + timedelta(minutes=number)
    desk = folder / f"desk-{number % DESKS}"
    desk.mkdir(parents=True, exist_ok=True)
    made = desk / f".story-{number}.md"
    made.write_text(f"---\ntitle: Story {number}{extra}\ndate: {date.isoformat()}\n---\n\n" + f"{_PARAGRAPH}\n\n" * 10)
    made.rename(desk / f"story-{number}.md")
    return f"{desk.name}/story-{number}.md"


def _run(command: list[str], folder: Path) -> Cost | None:
    """Runs a command to its end; None when it fails, or takes too long."""
    began = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)
    deadline = began + _SECONDS
    together = 0.0
    while True:
        together = max(together, _memory(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        if time.perf_counter() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            os.wait4(process.pid, 0)
            return None
        time.sleep(_PAUSE)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return None
    peak = max(together, usage.ru_maxrss / 1024)
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, peak)


def _memory(session: int) -> float:
    """Returns the MB that all processes of a session have at this moment; what they share counts for each."""
    pages = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getsid(int(folder.name)) == session:
                    pages += int((folder / "statm").read_text().split()[1])
            except (OSError, IndexError):
                continue  # it has ended
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# Beside others --------------------------------------------------------------------------------------------------------


def _ours() -> Peer:
    def prepare(site: Path) -> None:
        (site / "config.toml").write_text(_CONFIG)

    command = [sys.executable, "-m", "publisher", "build"]
    return Peer(name="publisher", articles="articles", prepare=prepare, command=command)


def _compared(count: int, runs: int, generators: list[Peer]) -> list[str]:
    """Returns a row for each generator; they take turns, and each begins with an empty folder every time."""
    cold: dict[str, list[Cost | None]] = {}
    changed: dict[str, list[Cost | None]] = {}
    for _ in range(runs):
        for peer in generators:
            with tempfile.TemporaryDirectory() as made:
                site = Path(made)
                peer.prepare(site)
                _articles(site / peer.articles, count)
                cold.setdefault(peer.name, []).append(_run(peer.command, site))
                _article(site / peer.articles, count // 2, " changed")
                changed.setdefault(peer.name, []).append(_run(peer.command, site))
    rows = []
    for peer in generators:
        first, second = _median(cold[peer.name]), _median(changed[peer.name])
        if first is None or second is None:
            rows.append(f"| {count:,} | {peer.name} | did not come to an end | | | |")
            continue
        memory = f"{first.memory:.0f}"
        rows.append(f"| {count:,} | {peer.name} | {first.wall:.2f} | {first.cpu:.2f} | {memory} | {second.wall:.2f} |")
    return rows


def _median(costs: list[Cost | None]) -> Cost | None:
    if None in costs:
        return None
    return sorted((cost for cost in costs if cost is not None), key=lambda cost: cost.wall)[len(costs) // 2]


def comparison() -> str:
    """Returns the table of all generators."""
    found, missing = peers()
    generators = [_ours(), *found]
    lines = [
        "| articles | | cold build, s | CPU, s | peak memory, MB | again after one change, s |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for count, runs in zip(_SIZES, (3, 1), strict=True):
        lines += _compared(count, runs, generators)
    return "\n".join([*lines, *(f"\n{line}." for line in missing)])


# One file, and a start ------------------------------------------------------------------------------------------------


def _bare_look(folder: Path) -> float:
    began = time.perf_counter()
    for desk in (folder / "articles").iterdir():
        with os.scandir(desk) as entries:
            for entry in entries:
                entry.stat()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Saved:
    """What it costs to take in one changed story; milliseconds."""

    wall: float
    cpu: float
    files: int
    statements: int

    def __str__(self) -> str:
        return f"{self.wall:.0f} / {self.cpu:.0f} / {self.files} / {self.statements}"


async def _saved(app: App, number: int) -> Saved:
    told: list[str] = []

    def tell(*event: object) -> None:
        told.append(str(event[2]))

    costs = []
    sa.event.listen(sa.Engine, "before_cursor_execute", tell)
    for run in range(2 * _RUNS):
        path = _article(app.articles_root, number, f" changed {run}")
        told.clear()
        began, used = time.perf_counter(), time.process_time()
        report = await app.publishing.refresh(datetime.now(UTC), [path])
        costs.append((time.perf_counter() - began, time.process_time() - used, len(report.written)))
    sa.event.remove(sa.Engine, "before_cursor_execute", tell)
    walls, cpus, files = zip(*costs[1:], strict=True)
    return Saved(statistics.median(walls) * 1000, statistics.median(cpus) * 1000, files[-1], len(told))


def _served(folder: Path, number: int) -> float:
    """Returns milliseconds from a save to the feed that has it, of a running service."""
    command = [*_ours().command[:-1], "run"]
    log = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True) as service:
        try:
            lines = iter(service.stdout or ())
            address = next(line[line.index("http://") :].split()[0] for line in lines if "http://" in line)
            feed = f"{address}feeds/all.json"
            times = []
            for run in range(_RUNS + 1):
                time.sleep(1.5)
                title = f'Story {number} served {run}"'.encode()
                _article(folder / "articles", number, f" served {run}")
                began = time.perf_counter()
                while title not in urllib.request.urlopen(feed).read():
                    time.sleep(0.001)
                times.append(time.perf_counter() - began)
            return statistics.median(times[1:]) * 1000
        finally:
            service.terminate()


async def _measured(folder: Path, count: int) -> str:
    starts, looks = [], []
    for _ in range(_RUNS):
        async with open_app(folder) as app:
            began = time.perf_counter()
            if isinstance(await app.publishing.glance(datetime.now(UTC), thorough=False), Scan):
                raise RuntimeError("something has changed since the build")
            starts.append(time.perf_counter() - began)
        looks.append(_bare_look(folder))
    async with open_app(folder) as app:
        began = time.perf_counter()
        await app.publishing.refresh(datetime.now(UTC))
        full = time.perf_counter() - began
        old, newest = await _saved(app, count // 2), await _saved(app, count - 1)
    start, look = statistics.median(starts), statistics.median(looks)
    started = f"{look * 1000:.0f} | {start * 1000:.0f} | {start / look:.1f}x | {full:.2f}"
    return f"| {count:,} | {started} | {old} | {newest} |"


def growth(sizes: tuple[int, ...] = _SIZES) -> str:
    """Returns the table of what must not grow with the number of articles."""
    head = [
        "articles",
        "bare look, ms",
        "start unchanged, ms",
        "ratio",
        "all read, s",
        "an old one saved",
        "newest saved",
    ]
    lines = [f"| {' | '.join(head)} | served, ms |", f"|{'---:|' * (len(head) + 1)}"]
    for count in sizes:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            peer = _ours()
            peer.prepare(folder)
            _articles(folder / peer.articles, count)
            time.sleep(1.1)  # files at rest need no second look
            subprocess.run(peer.command, cwd=folder, check=True, capture_output=True)
            row = asyncio.run(_measured(folder, count))
            lines.append(f"{row} {_served(folder, count - 1):.0f} |")
            shutil.rmtree(folder / "public")
    return "\n".join(lines)


def table() -> str:
    """Returns both tables at the standard sizes."""
    return f"{comparison()}\n\n{growth()}"


if __name__ == "__main__":
    print(growth((*_SIZES, _LARGE)) if "--large" in sys.argv[1:] else table())
