"""What a file says it is, and which story it is: overwritten, swapped, renamed, restored, with an id of its own."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from publications import ManualClock, make_publication, story, write
from publisher.app import App, open_app

KILLED = {"status": "killed", "kill_reason": "Invented"}


class Desk:
    """A service at work over a folder, and what it knows."""

    def __init__(self, folder: Path, app: App, clock: ManualClock) -> None:
        self.folder = folder
        self.app = app
        self.clock = clock

    async def look(self, *names: str) -> None:
        """Looks at files by name, or at everything; twice, as what is missing counts as deleted only then."""
        paths = names or None
        await self.app.publishing.refresh(self.clock.now(), paths)
        await self.app.publishing.refresh(self.clock.move(seconds=3), paths)

    async def write(self, name: str, title: str, **keys: object) -> None:
        write(self.folder, name, story(title, **keys))
        await self.look(name)

    def put(self, name: str, target: str) -> None:
        (self.folder / "articles" / name).replace(self.folder / "articles" / target)

    def there(self) -> dict[str, tuple[int, str, str]]:
        """Returns number, title and status of each story whose file is there, by file."""
        return {a.source: (a.number, a.title, a.status.value) for a in self.app.publishing.intake.articles}

    def gone(self) -> dict[int, str]:
        return {a.number: a.status.value for a in self.app.publishing.intake.gone}

    def problems(self) -> str:
        return "\n".join(f"{p.path}:{p.line}: {p.message}" for p in self.app.publishing.intake.problems())

    def pages(self) -> set[str]:
        return {path.parent.name for path in (self.folder / "public" / "articles").rglob("index.html")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_publication(tmp_path / "wire")


@pytest.fixture
async def desk(folder: Path) -> AsyncIterator[Desk]:
    clock = ManualClock()
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        made = Desk(folder, app, clock)
        await made.look()
        yield made


async def test_text_that_was_in_a_file_once_ends_nothing(desk: Desk) -> None:
    """A file was edited and deleted; what it first said turns up in another one."""
    first = story("One")
    write(desk.folder, "a.md", first)
    await desk.look()
    await desk.write("a.md", "Two")
    (desk.folder / "articles/a.md").unlink()
    await desk.look()
    write(desk.folder, "b.md", first)
    await desk.look()
    assert desk.there() == {"b.md": (2, "One", "published")}
    assert desk.gone() == {1: "withdrawn"}


async def test_a_story_whose_file_was_overwritten_by_another_is_gone(desk: Desk) -> None:
    await desk.write("a.md", "One")
    await desk.write("b.md", "Two")
    desk.put("b.md", "a.md")
    await desk.look("a.md", "b.md")
    await desk.look()
    assert desk.there() == {"a.md": (2, "Two", "published")}
    assert desk.gone() == {1: "withdrawn"}
    assert desk.pages() == {"b"}
    async with open_app(desk.folder, desk.clock) as again:
        await again.publishing.open()
        report = await again.publishing.refresh(desk.clock.now())
        assert (report.taken.gone, report.written, report.removed) == ([], [], [])
        assert [a.number for a in again.publishing.intake.gone] == [1]


@pytest.mark.parametrize("looks", [[["b.md"], ["a.md"]], [["a.md"], ["b.md"]], [["a.md", "b.md"]], [[]]])
async def test_files_swapped_under_our_eyes_keep_their_stories(desk: Desk, looks: Iterable[list[str]]) -> None:
    """However many looks it takes to see all of it."""
    await desk.write("a.md", "One")
    await desk.write("b.md", "Two")
    desk.put("a.md", ".tmp")
    desk.put("b.md", "a.md")
    desk.put(".tmp", "b.md")
    for names in looks:
        await desk.app.publishing.refresh(desk.clock.move(seconds=0.5), names or None)
    await desk.look()
    assert desk.there() == {"a.md": (2, "Two", "published"), "b.md": (1, "One", "published")}
    assert desk.gone() == {}


async def test_a_new_text_under_the_name_of_a_story_that_was_moved(desk: Desk) -> None:
    """The move is seen first, the new text later."""
    await desk.write("a.md", "One")
    await desk.write("b.md", "Two")
    desk.put("b.md", "a.md")
    await desk.look("a.md")
    await desk.write("b.md", "Three", slug="three")
    await desk.look()
    assert desk.problems() == ""
    assert desk.there() == {"a.md": (2, "Two", "published"), "b.md": (3, "Three", "published")}
    assert desk.gone() == {1: "withdrawn"}


@pytest.mark.parametrize("slug", ["one", "another"])
async def test_the_id_of_a_story_that_is_out_never_changes(desk: Desk, slug: str) -> None:
    """Its last good version stays, and the message says what to do."""
    await desk.write("a.md", "One", slug="one")
    await desk.write("a.md", "Changed", slug=slug, id="'tag:wire.example,2026:other'")
    await desk.look()
    assert desk.there() == {"a.md": (1, "One", "published")}
    assert "articles/a.md:" in desk.problems()
    assert "an id never changes" in desk.problems()
    await desk.write("a.md", "Changed", slug=slug)
    assert desk.there() == {"a.md": (1, "Changed", "published")}
    assert desk.problems() == ""


async def test_a_draft_may_still_get_an_id(desk: Desk) -> None:
    await desk.write("a.md", "One", status="draft")
    await desk.write("a.md", "One", id="'tag:wire.example,2026:mine'")
    assert desk.there() == {"a.md": (1, "One", "published")}
    assert [a.id for a in desk.app.publishing.intake.articles] == ["tag:wire.example,2026:mine"]


@pytest.mark.parametrize("end", [KILLED, {}])
async def test_another_story_under_the_name_of_one_that_is_gone(desk: Desk, end: dict[str, str]) -> None:
    """An id of its own says that it is another one; without that it is the old one."""
    await desk.write("a.md", "One")
    if end:
        await desk.write("a.md", "One", **end)
    (desk.folder / "articles/a.md").unlink()
    await desk.look()
    await desk.write("a.md", "Two", slug="two", id="'tag:wire.example,2026:two'")
    assert desk.problems() == ""
    assert desk.there() == {"a.md": (2, "Two", "published")}
    assert desk.gone() == {1: "killed" if end else "withdrawn"}


async def test_a_file_that_takes_the_id_of_another_leaves_its_own_story(desk: Desk) -> None:
    """The story it told before has no file any more."""
    await desk.write("a.md", "One")
    await desk.write("b.md", "Two", id="'tag:wire.example,2026:two'")
    (desk.folder / "articles/b.md").unlink()
    await desk.look()
    await desk.write("a.md", "Two again", id="'tag:wire.example,2026:two'")
    await desk.look()
    assert desk.there() == {"a.md": (2, "Two again", "published")}
    assert desk.gone() == {1: "withdrawn"}


@pytest.mark.parametrize("taken", [False, True])
async def test_what_was_killed_does_not_come_back_by_a_rename(desk: Desk, taken: bool) -> None:
    """The file says that it is published again, is refused, and is moved: away, or over another one."""
    await desk.write("a.md", "One")
    await desk.write("a.md", "One", **KILLED)
    await desk.write("a.md", "One, as it was")
    if taken:
        await desk.write("b.md", "Two")
    desk.put("a.md", "b.md")
    for names in (["a.md", "b.md"], [], []):
        await desk.look(*names)
    assert "was killed and stays killed" in desk.problems()
    assert {(number, status) for number, _, status in desk.there().values()} == {(1, "killed")}
    assert desk.gone() == ({2: "withdrawn"} if taken else {})
    assert desk.pages() == set()
