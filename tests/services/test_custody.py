"""Whose folder is the publication's: no node takes down what it does not have."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from publications import make_publication, story, write
from publisher.app import App, open_app
from publisher.cli.status import node_lines
from publisher.errors import SourceError
from publisher.model.files import Scan
from publisher.services.custody import FOLDER, Custody
from publisher.services.publish import Report
from publisher.sources.mark import Mark
from publisher.sources.scan import Directory
from publisher.stores.articles import Articles
from publisher.stores.schema import metadata

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)


@dataclass
class Memory:
    """Facts and turns that several nodes share."""

    facts: dict[str, str] = field(default_factory=dict)
    holder: str = ""
    taken_in: bool = False

    async def get(self, name: str) -> str | None:
        return self.facts.get(name)

    async def settle(self, name: str, value: str) -> str:
        return self.facts.setdefault(name, value)

    async def put(self, name: str, value: str) -> None:
        self.facts[name] = value

    async def hold(self, name: str, holder: str, now: datetime, lasting: timedelta) -> bool:
        self.holder = self.holder or holder
        return self.holder == holder

    async def supersede(self, name: str, before: str, after: str) -> bool:
        if self.taken_in or self.facts.get(name) != before:
            return False
        self.facts[name] = after
        return True


def node(memory: Memory, folder: Path, home: str, place: str = "") -> Custody:
    """Returns one node's part, with the articles in this folder."""
    return Custody(memory, memory, Mark(folder, lambda path: place or str(path)), Directory(folder), home)


def folder(path: Path, *names: str) -> Path:
    """Makes an articles folder that holds these files."""
    path.mkdir()
    for name in names:
        (path / name).write_text("# A story\n\nText.\n")
    return path


async def test_a_folder_of_its_own_is_not_the_publications(tmp_path: Path) -> None:
    memory = Memory()
    assert await node(memory, folder(tmp_path / "one", "a.md"), "one").ours(NOW)
    memory.taken_in = True
    assert not await node(memory, folder(tmp_path / "two", "b.md"), "two").ours(NOW)
    assert not await node(memory, folder(tmp_path / "three"), "three").ours(NOW)
    assert not await node(memory, tmp_path / "none", "four").ours(NOW)


async def test_nodes_that_share_the_folder_take_it_in_by_turns(tmp_path: Path) -> None:
    memory, shared = Memory(), folder(tmp_path / "shared", "a.md")
    one, two = node(memory, shared, "one", "here"), node(memory, shared, "two", "there")
    assert [await one.ours(NOW), await two.ours(NOW)] == [True, False]
    memory.holder = ""
    assert [await two.ours(NOW), await one.ours(NOW)] == [True, False]


async def test_who_comes_first_with_nothing_gives_way_to_who_has_stories(tmp_path: Path) -> None:
    memory = Memory()
    empty = node(memory, folder(tmp_path / "empty"), "empty")
    assert await empty.ours(NOW)
    memory.holder = ""
    assert await node(memory, folder(tmp_path / "full", "a.md"), "full").ours(NOW)
    memory.taken_in = True
    assert not await empty.ours(NOW)


async def test_a_mark_that_was_tidied_away_is_written_again_where_it_was(tmp_path: Path) -> None:
    memory, root = Memory(), folder(tmp_path / "one", "a.md")
    assert await node(memory, root, "one", "its-place").ours(NOW)
    memory.taken_in = True
    (root / ".publication").unlink()
    assert not await node(memory, root, "one", "what-it-was-mounted-over").ours(NOW)
    assert await node(memory, root, "one", "its-place").ours(NOW)
    assert (root / ".publication").read_text().strip() == memory.facts[FOLDER]


async def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    memory = Memory()
    with pytest.raises(SourceError):
        await node(memory, tmp_path / "none", "one").ours(NOW)
    assert memory.facts == {}


async def test_the_operator_may_name_another_folder(tmp_path: Path) -> None:
    memory = Memory()
    one, two = node(memory, folder(tmp_path / "one", "a.md"), "one"), node(memory, folder(tmp_path / "two"), "two")
    await one.ours(NOW)
    memory.taken_in = True
    await two.adopt()
    memory.holder = ""
    assert [await one.ours(NOW), await two.ours(NOW)] == [False, True]


# Two nodes on a real PostgreSQL ---------------------------------------------------------------------------------------


@pytest.fixture
async def nodes(tmp_path: Path, migrated_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[App]]:
    """Two nodes, each with a folder of its own and the same secret; the first has the stories."""
    with psycopg.connect(migrated_postgresql, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY CASCADE")
    monkeypatch.setenv("PUBLISHER_DATABASE__URL", migrated_postgresql)
    async with AsyncExitStack() as opened:
        apps: list[App] = []
        for name in ("first", "second"):
            root = make_publication(tmp_path / name)
            if apps:
                (root / "var").mkdir()
                (root / "var" / "secret.key").write_bytes((apps[0].state / "secret.key").read_bytes())
            else:
                write(root, "a.md", story("A"))
                write(root, "b.md", story("B"))
            apps.append(await opened.enter_async_context(open_app(root)))
        for app in apps:
            await app.publishing.open()
            await app.publishing.refresh(app.clock.now())
        yield apps


def shows(app: App, slug: str) -> bool:
    """Returns whether a story's page stands in a node's public/."""
    return (app.folder / "public" / "articles" / slug / "index.html").exists()


async def test_a_node_without_stories_follows_the_one_that_has_them(nodes: list[App]) -> None:
    first, second = nodes
    assert [shows(second, "a"), shows(second, "b")] == [True, True]
    (first.articles_root / "a.md").unlink()
    write(first.folder, "b.md", story("B", body="Another text.\n", updated="2026-11-01T10:00:00Z"))
    await first.publishing.refresh(first.clock.now(), at_once=True)
    assert await second.publishing.is_behind(second.clock.now())
    await second.publishing.refresh(second.clock.now())
    assert not await second.publishing.is_behind(second.clock.now())
    assert [shows(app, "a") for app in nodes] == [False, False]
    page = Path("public/articles/b/index.html")
    assert (second.folder / page).read_bytes() == (first.folder / page).read_bytes()
    assert "Another text" in (second.folder / page).read_text()
    assert len(first.publishing.intake.articles) == len(second.publishing.intake.articles) == 1


async def test_nodes_start_at_a_glance_while_nobody_has_saved(
    nodes: list[App], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the folder in, and who follows: neither reads a story where nothing has changed."""

    async def read(*_: object) -> None:
        raise AssertionError("a story was read")

    for name in ("current", "gone", "files", "outputs", "bodies", "save", "save_outputs"):
        monkeypatch.setattr(Articles, name, read)
    for node in nodes:
        async with open_app(node.folder) as started:
            report = await started.publishing.glance(started.clock.now(), thorough=True)
            assert isinstance(report, Report)
            assert not report.written


async def test_what_another_node_did_meanwhile_is_right_at_a_start(nodes: list[App]) -> None:
    """Its own folder is as it was, and stories are not: one is new, one gone, one gone and back again."""
    first, second = nodes

    async def started_after(*, gone: bool) -> None:
        await first.publishing.refresh(first.clock.now(), at_once=True)
        async with open_app(second.folder) as started:
            now = started.clock.now()
            seen = await started.publishing.glance(now, thorough=False)
            assert isinstance(seen, Scan)
            await started.publishing.refresh(now, scan=seen)
            assert [shows(app, "a") for app in (first, started)] == [not gone] * 2
            assert [shows(app, "c") for app in (first, started)] == [True] * 2
            assert isinstance(await started.publishing.glance(now, thorough=True), Report)

    write(first.folder, "c.md", story("C"))
    await started_after(gone=False)
    (first.articles_root / "a.md").rename(first.folder / "kept.md")
    await started_after(gone=True)
    (first.folder / "kept.md").rename(first.articles_root / "a.md")
    await started_after(gone=False)


async def test_a_folder_that_counts_from_now_on_is_read_although_it_is_as_it_was(nodes: list[App]) -> None:
    """Its node followed when it last looked: what is in there was never taken in."""
    first, second = nodes
    write(second.folder, "own.md", story("Own"))
    await second.publishing.refresh(second.clock.now())
    assert not shows(second, "own")
    assert second.node is not None
    await second.node.custody.adopt()
    with psycopg.connect(os.environ["PUBLISHER_DATABASE__URL"], autocommit=True) as connection:
        connection.execute("DELETE FROM turns")
    async with open_app(second.folder) as started:
        now = started.clock.now()
        assert isinstance(await started.publishing.glance(now, thorough=False), Scan)
        await started.publishing.refresh(now, accept_loss=True, at_once=True)
        assert [shows(started, "own"), shows(started, "a")] == [True, False]
    assert await first.publishing.is_behind(first.clock.now())
    await first.publishing.refresh(first.clock.now())
    assert [shows(first, "own"), shows(first, "a")] == [True, False]


async def test_a_new_folder_is_a_copy_until_a_node_of_the_publication_is_seen_to_live(nodes: list[App]) -> None:
    first, second = nodes
    assert not first.copied
    assert second.copied
    assert first.node is not None

    async def live() -> None:
        assert first.node is not None
        while True:
            await first.node.beat(first.clock.now())
            await asyncio.sleep(0.1)

    living = asyncio.create_task(live())
    await first.node.beat(first.clock.now())
    async with open_app(second.folder) as joined:
        assert not joined.copied
        (listed,) = await node_lines(joined, joined.clock.now())
        assert (listed["folder"], listed["articles"]) == (str(first.folder), True)
        assert joined.node is not None
        assert {each.folder for each in await joined.node.others(joined.clock.now())} == {str(first.folder)}
    living.cancel()
