"""What one correction costs: the files that hold the story, however many others there are."""

from pathlib import Path

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import open_app

SECTIONS = ("asia-pacific", "economy")
NOTE = "[{date: 2026-11-02T09:00:00Z, kind: correction, text: It is nine.}]"
OLD = {"section": "economy", "tags": "[tea]", "date": "2026-10-01T00:00:30Z"}


async def corrected(folder: Path, size: int) -> tuple[list[str], int]:
    """Corrects one old story among `size`; returns the files written and how many articles were read."""
    make_publication(folder, AGENCY)
    clock = ManualClock()
    for number in range(size):
        day, hour, minute = 1 + number % 28, number % 24, number % 60
        date = f"2026-10-{day:02}T{hour:02}:{minute:02}:00Z"
        text = story(f"Story {number}", section=SECTIONS[number % 2], tags="[sea]", date=date)
        write(folder, f"{number}.md", text)
    write(folder, "one.md", story("One", **OLD))
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        await app.publishing.refresh(clock.now())
        write(folder, "one.md", story("One", corrections=NOTE, **OLD))
        report = await app.publishing.refresh(clock.move(minutes=1), ["one.md"])
        assert not report.refused
        return report.written, report.taken.read


async def test_a_correction_touches_only_what_holds_the_story(tmp_path: Path) -> None:
    """The story's page, the feeds of its shelves, its archive document, the log, and the list pages that lead to it."""
    small, read = await corrected(tmp_path / "small", 300)
    large, _ = await corrected(tmp_path / "large", 2000)
    assert read == 1
    assert [name for name in large if "sitemap" not in name] == [name for name in small if "sitemap" not in name]
    assert [name for name in large if name.startswith("sitemap")] == ["sitemap-5.xml", "sitemap.xml"]
    feeds = [
        f"feeds/{name}.{ext}" for name in ("all", "economy", "en/all", "en/economy", "tags/tea") for ext in FORMATS
    ]
    feeds += [f"feeds/{name}/index.html" for name in ("all", "economy", "en/all", "en/economy", "tags/tea")]
    feeds += [f"feeds/all/archive/1.{ext}" for ext in FORMATS]
    log = ["corrections.atom", "corrections/index.html", "tr/corrections/index.html"]
    lists = [
        f"{language}{page}index.html"
        for language in ("", "tr/")
        for page in ("", "sections/asia-pacific/", "sections/economy/")
    ]
    assert sorted(small) == sorted(["articles/one/index.html", "sitemap.xml", *feeds, *log, *lists])


FORMATS = ("rss", "atom", "json")
