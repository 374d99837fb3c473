"""What one correction costs: the files that hold the story, however many others there are."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import open_app
from publisher.feeds import atom, json_feed, rss
from publisher.services.publish import Report

SECTIONS = ("asia-pacific", "economy")
NOTE = "[{{date: 2026-11-02T09:00:00Z, kind: correction, text: It is {hour}.}}]"
OLD = {"section": "economy", "tags": "[tea]", "date": "2026-10-01T00:00:30Z"}
NEW = {"section": "economy", "tags": "[tea]", "date": "2026-10-30T00:00:30Z"}


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch, steps: Counter[str]) -> Iterator[None]:
    """Counts what is done until the end of the block: statements, and entries of feeds that are written."""

    def told(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN") and "feed_archives" not in statement:  # now and then a feed is cut
            steps["statements"] += 1

    def counted(name: str, work: Any) -> Any:
        def done(*given: Any, **named: Any) -> Any:
            steps[name] += 1
            return work(*given, **named)

        return done

    sa.event.listen(sa.Engine, "before_cursor_execute", told)
    try:
        with monkeypatch.context() as patch:
            for room, name in ((rss, "_write"), (atom, "_write"), (json_feed, "_item")):
                patch.setattr(room, name, counted(f"{room.__name__} entries", getattr(room, name)))
            yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", told)


async def corrected(folder: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, list[Counter[str]]]:
    """Corrects an old story among `size` twice, and the newest; returns the first report, and what either took again.

    The first time it depends on what is still in memory.
    """
    make_publication(folder, AGENCY)
    clock = ManualClock()
    for number in range(size):
        day, hour, minute = 1 + number % 28, number % 24, number % 60
        date = f"2026-10-{day:02}T{hour:02}:{minute:02}:00Z"
        text = story(f"Story {number}", section=SECTIONS[number % 2], tags="[sea]", date=date)
        write(folder, f"{number}.md", text)
    write(folder, "one.md", story("One", **OLD))
    write(folder, "two.md", story("Two", **NEW))
    reports, taken = [], []
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        for name, dated, hour in ((*one, hour) for one in (("one", OLD), ("two", NEW)) for hour in ("nine", "ten")):
            write(folder, f"{name}.md", story(name.title(), corrections=NOTE.format(hour=hour), **dated))
            steps: Counter[str] = Counter()
            with counting(monkeypatch, steps):
                report = await app.publishing.refresh(clock.move(minutes=1), [f"{name}.md"])
            assert not report.refused
            steps["read"] = report.taken.read
            reports.append(report)
            taken.append(steps)
    return reports[0], taken[1::2]


async def test_a_correction_touches_only_what_holds_the_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story's page, the feeds of its shelves, its archive document, the log, and the list pages that lead to it.

    And it takes the same statements, and writes the same entries of feeds: a story's own, in each format once.
    """
    report, few = await corrected(tmp_path / "small", 300, monkeypatch)
    other, many = await corrected(tmp_path / "large", 900, monkeypatch)
    small, large = report.written, other.written
    assert many == few
    for steps in few:
        assert (steps["read"], steps["publisher.feeds.rss entries"], steps["publisher.feeds.json_feed entries"]) == (
            1,
            1,
            1,
        )
        assert steps["publisher.feeds.atom entries"] == 2, "the story's, and that of the log of corrections"
    assert [name for name in large if "sitemap" not in name] == [name for name in small if "sitemap" not in name]
    assert [name for name in large if name.startswith("sitemap")] == ["sitemap-2.xml", "sitemap.xml"]
    feeds = [
        f"feeds/{name}.{ext}" for name in ("all", "economy", "en/all", "en/economy", "tags/tea") for ext in FORMATS
    ]
    feeds += [f"feeds/{name}/index.html" for name in ("all", "economy", "en/all", "en/economy", "tags/tea")]
    feeds += [f"feeds/all/archive/1.{ext}" for ext in FORMATS]
    log = ["corrections.atom", "corrections/index.html", "tr/corrections/index.html"]
    lists = [
        f"{language}{page}index.html"
        for language in ("", "tr/")
        for page in ("", "issues/", "sections/asia-pacific/", "sections/economy/")
    ]
    assert sorted(small) == sorted(["articles/one/index.html", "sitemap.xml", *feeds, *log, *lists])


FORMATS = ("rss", "atom", "json")
