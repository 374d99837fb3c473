"""What a remembered pass spares: a look at an unchanged folder reads no story, and never believes too much."""

import os
from pathlib import Path
from typing import Any

import pytest

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.model.files import Scan
from publisher.services.publish import Report
from publisher.stores.articles import Articles

DATED = {"section": "economy", "date": "2026-10-01T00:00:00Z"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_publication(tmp_path, AGENCY)
    for number in range(3):
        write(tmp_path, f"{number}.md", story(f"Story {number}", **DATED))
    return tmp_path


async def built(folder: Path, clock: ManualClock) -> Report:
    """As `publisher build`: a process of its own."""
    async with open_app(folder, clock) as app:
        now = clock.now()
        seen = await app.publishing.glance(now, thorough=True)
        return await app.publishing.refresh(now, scan=seen, at_once=True) if isinstance(seen, Scan) else seen


async def glanced(folder: Path, clock: ManualClock, *, thorough: bool = False) -> Report | None:
    """Whether a new process finds at a glance that nothing has changed."""
    async with open_app(folder, clock) as app:
        seen = await app.publishing.glance(clock.now(), thorough=thorough)
        return seen if isinstance(seen, Report) else None


async def test_a_start_on_an_unchanged_folder_reads_no_story(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from the folder nor from the store: what grows with the stories is the look at the folder alone."""
    clock = ManualClock()
    await built(folder, clock)

    async def read(*_: object) -> Any:
        raise AssertionError("a story was read")

    for name in ("current", "gone", "files", "outputs", "bodies", "save", "save_outputs"):
        monkeypatch.setattr(Articles, name, read)
    report = await glanced(folder, clock)
    assert report is not None
    assert not report.written
    assert await glanced(folder, clock, thorough=True) is not None


CHANGES: dict[str, Any] = {
    "a story": lambda folder: write(folder, "1.md", story("Another", **DATED)),
    "a new story": lambda folder: write(folder, "new.md", story("New", **DATED)),
    "a touched file": lambda folder: os.utime(folder / "articles" / "1.md"),
    "a deleted story": lambda folder: (folder / "articles" / "1.md").unlink(),
    "a picture": lambda folder: (folder / "articles" / "a.png").write_bytes(b"\x89PNG"),
    "config": lambda folder: (folder / "config.toml").write_text(
        (folder / "config.toml").read_text().replace("[site]", '[site]\ndescription = "Other"', 1)
    ),
    "a page": lambda folder: (_made(folder / "pages") / "about.md").write_text("---\ntitle: About\n---\n\nUs.\n"),
    "a file": lambda folder: (_made(folder / "static") / "a.txt").write_text("a"),
    "a template": lambda folder: (_made(folder / "templates" / "web") / "not_found.html").write_text("Gone."),
}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_changes_is_seen(folder: Path, change: str) -> None:
    clock = ManualClock()
    await built(folder, clock)
    CHANGES[change](folder)
    assert await glanced(folder, clock) is None


async def test_what_is_missing_in_public_is_made_again(folder: Path) -> None:
    clock = ManualClock()
    await built(folder, clock)
    (folder / "public" / "feeds" / "all.rss").unlink()
    report = await built(folder, clock)
    assert report.written == ["feeds/all.rss"]
    assert [reason.because for reason in report.reasons["feeds/all.rss"]] == ["missing"]


async def test_a_date_that_comes_is_seen(folder: Path) -> None:
    """A story that waits for its hour is out at its hour, whoever looked at the folder meanwhile."""
    clock = ManualClock()
    write(folder, "later.md", story("Later", section="economy", publish_at=f"{clock.now().year + 1}-01-01T00:00:00Z"))
    await built(folder, clock)
    assert await glanced(folder, clock.__class__()) is not None
    clock.move(days=400)
    report = await built(folder, clock)
    assert "articles/later/index.html" in report.written


async def test_old_addresses_and_gone_ones_answer_before_stories_are_read(folder: Path) -> None:
    clock = ManualClock()
    write(folder, "2.md", story("Story 2", aliases="[/old/]", **DATED))
    await built(folder, clock)
    (folder / "articles" / "1.md").unlink()
    await built(folder, clock)
    async with open_app(folder, clock) as app:
        assert isinstance(await app.publishing.glance(clock.now(), thorough=False), Report)
        assert app.publishing.moved == {"/old/": "/articles/2/"}
        assert app.publishing.gone == {"/articles/1/"}
        assert app.publishing.story_count == 2
        await app.publishing.wake(clock.now())
        assert {article.source for article in app.publishing.everything.newest()} == {"0.md", "2.md"}
        assert app.publishing.moved == {"/old/": "/articles/2/"}
        assert app.publishing.gone == {"/articles/1/"}


async def test_what_was_refused_is_told_at_a_glance(folder: Path) -> None:
    clock = ManualClock()
    write(folder, "bad.md", "---\ntitle: [\n---\n\nText.\n")
    first = await built(folder, clock)
    second = await glanced(folder, clock)
    assert second is not None
    assert [str(problem) for problem in second.refused] == [str(problem) for problem in first.refused] != []


async def test_a_file_that_came_and_went_between_two_looks_is_seen(folder: Path) -> None:
    """The folder is again as the remembered pass found it; what was made meanwhile is not."""
    clock = ManualClock()
    async with open_app(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        write(folder, "new.md", story("New", **DATED))
        await app.publishing.refresh(clock.move(seconds=5), ["new.md"])
    (folder / "articles" / "new.md").unlink()
    report = await built(folder, clock)
    assert "articles/new/index.html" in report.removed


class _EndedError(BaseException):
    """The process ends here, and nothing after it happens."""


@pytest.mark.parametrize("at", ["stage", "settle", "save_outputs"])
async def test_a_build_that_was_killed_is_done_again(folder: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the change that it was about has been taken back meanwhile: public/ may be half of it."""
    clock = ManualClock()
    await built(folder, clock)
    before = _public(folder)
    template = _made(folder / "templates" / "web") / "not_found.html"
    template.write_text("Gone.")

    async def ended(*_: object) -> None:
        raise _EndedError

    def ended_at_once(*_: object) -> None:
        raise _EndedError

    async with open_app(folder, clock) as app:
        if at == "save_outputs":
            monkeypatch.setattr(app.publishing._outputs, at, ended)
        else:
            monkeypatch.setattr(app.publishing._output, at, ended_at_once)
        with pytest.raises(_EndedError):
            await app.publishing.refresh(clock.now())
    monkeypatch.undo()
    (folder / "public" / ".publisher-1-index.html").write_text("half")
    template.unlink()
    assert await glanced(folder, clock) is None
    await built(folder, clock)
    assert _public(folder) == before


async def test_a_pass_that_failed_is_made_good_by_the_next_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One saved file whose outputs could not be written: the next look writes them, though nothing changed since."""
    clock = ManualClock()
    async with open_app(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        write(folder, "1.md", story("Another title", **DATED))
        with monkeypatch.context() as patch:
            patch.setattr(app.publishing._outputs, "save_outputs", _fails)
            with pytest.raises(OSError, match="no"):
                await app.publishing.refresh(clock.move(seconds=5), ["1.md"])
        await app.publishing.refresh(clock.move(seconds=60))
        assert "Another title" in (folder / "public" / "feeds" / "all.rss").read_text()
        assert await _nothing_to_do(app, clock)


async def _fails(*_: object) -> None:
    raise OSError("no")


async def _nothing_to_do(app: App, clock: ManualClock) -> bool:
    return isinstance(await app.publishing.glance(clock.now(), thorough=True), Report)


async def test_a_rescan_after_one_change_makes_no_fingerprint_of_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The minute's look after a change takes note of it, and does not go through all documents again."""
    clock = ManualClock()
    async with open_app(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        write(folder, "1.md", story("Another title", **DATED))
        await app.publishing.refresh(clock.move(seconds=5), ["1.md"])
        monkeypatch.setattr(app.publishing._documents, "all", None)
        report = await app.publishing.refresh(clock.move(seconds=60))
        assert not report.written
    assert await glanced(folder, clock) is not None


async def test_each_output_says_why_it_was_made(folder: Path) -> None:
    clock = ManualClock()
    first = await built(folder, clock)
    assert {reason.because for reasons in first.reasons.values() for reason in reasons} <= {"first", "file"}
    write(folder, "1.md", story("Another title", **DATED))
    report = await built(folder, clock)
    assert report.reasons.keys() == {*report.written}
    assert {(one.because, one.what) for one in report.reasons["articles/1/index.html"]} == {("story", "1.md")}
    assert {(one.because, one.what) for one in report.reasons["feeds/all.rss"]} == {("story", "1.md")}
    (_made(folder / "templates" / "web") / "not_found.html").write_text("Gone.")
    report = await built(folder, clock)
    assert [one.because for one in report.reasons["404.html"]] == ["templates"]
    assert report.written == ["404.html"]
    (folder / "articles" / "1.md").unlink()
    report = await built(folder, clock)
    assert {(one.what, one.change) for one in report.reasons["articles/1/index.html"]} == {("1.md", "gone")}
    assert {(one.what, one.change) for one in report.reasons["feeds/economy.atom"]} == {("1.md", "gone")}


def _public(folder: Path) -> dict[str, bytes]:
    root = folder / "public"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_a_long_build_makes_files_durable_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync before all files get their places and one after, however many they are."""
    from publisher import output

    for number in range(10, 50):  # fewer than a feed takes: archive documents would follow
        write(folder, f"{number}.md", story(f"Story {number}", **DATED))
    synced: list[Path] = []
    monkeypatch.setattr(output, "_on_disk", lambda path, _: synced.append(path))
    await built(folder, ManualClock())
    assert synced == [folder / "public"] * 2


async def test_progress_is_told_of_each_phase(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    clock = ManualClock()
    async with open_app(folder, clock) as app:
        report = await app.publishing.refresh(clock.now(), progress=lambda *step: told.append(step))
    assert told[0] == ("reading stories", 3, 3)
    assert {phase for phase, _, _ in told[1:]} == {"writing files"}
    assert all(0 < done <= total for _, done, total in told)
    assert told[-1][1] == told[-1][2] >= len(report.written)
