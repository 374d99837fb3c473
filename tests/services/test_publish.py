"""From files to public/: what is written, what is not, and what stays when something is wrong."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import feedparser
import pytest

from publications import AGENCY, ManualClock, make_publication, story, write
from publisher.app import App, open_app
from publisher.services.publish import Report


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An agency without any article."""
    return make_publication(tmp_path / "wire")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def opened(folder: Path, clock: ManualClock) -> AsyncIterator[App]:
    async with open_app(folder, clock) as app:
        await app.publishing.open()
        yield app


async def build(folder: Path, clock: ManualClock, **options: bool) -> Report:
    """One pass by a process of its own, once files count as deleted."""
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now(), **options)
        return await app.publishing.refresh(clock.move(seconds=3), **options)


async def first_build(folder: Path, clock: ManualClock) -> Report:
    async with opened(folder, clock) as app:
        return await app.publishing.refresh(clock.now())


def public(folder: Path) -> dict[str, bytes]:
    root = folder / "public"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def feed(folder: Path, name: str = "all.atom") -> feedparser.FeedParserDict:
    parsed = feedparser.parse((folder / "public" / "feeds" / name).read_bytes())
    assert not parsed.bozo, parsed.get("bozo_exception")
    return parsed


async def test_an_empty_folder_is_a_publication(folder: Path, clock: ManualClock) -> None:
    """Every feed and page exists and is valid before the first story."""
    report = await first_build(folder, clock)
    assert not report.refused
    for name in ("all", "asia-pacific", "en/all", "tr/economy"):
        for extension in ("rss", "atom"):
            assert feed(folder, f"{name}.{extension}").entries == []
        assert json.loads((folder / f"public/feeds/{name}.json").read_text())["items"] == []
    assert b"Test Wire" in public(folder)["index.html"]
    assert b"<urlset" in public(folder)["sitemap.xml"]


async def test_the_second_build_writes_nothing(folder: Path, clock: ManualClock) -> None:
    """Unchanged input leaves every byte, also hours later and in a new process."""
    write(folder, "a.md", story("One", section="economy", tags="[tea]"))
    await first_build(folder, clock)
    before = public(folder)
    clock.move(hours=3)
    report = await first_build(folder, clock)
    assert (report.written, report.removed, report.taken.read) == ([], [], 0)
    assert public(folder) == before


async def test_news_grow_old(folder: Path, clock: ManualClock) -> None:
    """The one thing that time alone changes: two days later a story is no longer in the news sitemap."""
    write(folder, "a.md", story("One"))
    await first_build(folder, clock)
    assert b"articles/a/" in public(folder)["news-sitemap.xml"]
    clock.move(days=3)
    report = await first_build(folder, clock)
    assert report.written == ["news-sitemap.xml"]
    assert b"articles/a/" not in public(folder)["news-sitemap.xml"]


async def test_news_grow_old_while_a_process_runs(folder: Path, clock: ManualClock) -> None:
    """With nothing else to do, and no sooner than they are old."""
    write(folder, "a.md", story("A", section="economy", date="2026-11-02T08:00:00Z"))
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        due = app.publishing.next_change_at(clock.now())
        assert due is not None
        clock.moment = due
        assert (await app.publishing.refresh(due)).written == ["news-sitemap.xml"]
        assert app.publishing.next_change_at(due) is None


async def test_a_first_template_may_come_while_a_process_runs(folder: Path, clock: ManualClock) -> None:
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        (folder / "templates" / "web").mkdir(parents=True)
        (folder / "templates" / "web" / "not_found.html").write_text("Own", encoding="utf-8")
        assert (await app.publishing.refresh(clock.now())).written == ["404.html"]
    assert public(folder)["404.html"] == b"Own"


async def test_a_lost_public_folder_is_made_again_byte_for_byte(folder: Path, clock: ManualClock) -> None:
    """public/ may be deleted at any time."""
    import shutil

    write(folder, "a.md", story("One", section="economy"))
    await first_build(folder, clock)
    before = public(folder)
    shutil.rmtree(folder / "public")
    clock.move(hours=5)
    await first_build(folder, clock)
    assert public(folder) == before


async def test_one_changed_file_costs_one_parse_and_the_outputs_that_hold_it(folder: Path, clock: ManualClock) -> None:
    """A change in one section touches no output of another."""
    write(folder, "a.md", story("One", section="economy"))
    write(folder, "b.md", story("Two", section="asia-pacific"))
    await first_build(folder, clock)
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        write(folder, "b.md", story("Two, rewritten", section="asia-pacific"))
        report = await app.publishing.refresh(clock.move(minutes=1), ["b.md"])
    assert report.taken.read == 1
    assert "articles/b/index.html" in report.written
    assert "feeds/asia-pacific.rss" in report.written
    assert "feeds/all.rss" in report.written
    assert not [path for path in report.written if "economy" in path or "/a/" in path or path.startswith("tr/")]


async def test_ids_survive_rename_move_and_a_new_domain(folder: Path, clock: ManualClock) -> None:
    """An id is minted once; the address of a renamed file stays too."""
    path = write(folder, "first.md", story("One"))
    await first_build(folder, clock)
    [before] = feed(folder).entries
    moved = folder / "articles" / "2026" / "second.md"
    moved.parent.mkdir()
    path.rename(moved)
    (folder / "config.toml").write_text(AGENCY.replace("https://wire.example", "https://elsewhere.example"))
    await build(folder, clock)
    [after] = feed(folder).entries
    assert (after.id, after.updated, after.published) == (before.id, before.updated, before.published)
    assert after.link == "https://elsewhere.example/articles/first/"


async def test_a_rename_seen_as_two_events_is_no_new_story(folder: Path, clock: ManualClock) -> None:
    """The file is missing for a moment, then there under another name: nothing is taken down between."""
    path = write(folder, "first.md", story("One"))
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        [before] = feed(folder).entries
        path.rename(folder / "articles" / ".hidden")
        report = await app.publishing.refresh(clock.move(milliseconds=200), ["first.md"])
        assert report.taken.again_at is not None
        assert len(feed(folder).entries) == 1
        (folder / "articles" / ".hidden").rename(folder / "articles" / "second.md")
        await app.publishing.refresh(clock.move(milliseconds=200), ["second.md"])
        await app.publishing.refresh(clock.move(seconds=5))
        [after] = feed(folder).entries
    assert after.id == before.id


async def test_a_deleted_file_leaves_every_output_and_its_address_is_gone(folder: Path, clock: ManualClock) -> None:
    """After the grace the story is out of pages and sitemap, its address is known to be gone, its entry is blanked."""
    path = write(folder, "a.md", story("One", section="economy", tags="[tea]"))
    write(folder, "b.md", story("Two"))
    await first_build(folder, clock)
    path.unlink()
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        report = await app.publishing.refresh(clock.move(seconds=3))
        assert app.publishing.gone == {"/articles/a/"}
    assert report.removed == ["articles/a/index.html"]
    assert [entry.title for entry in feed(folder).entries] == ["Two", "Withdrawn: One"]
    assert [entry.title for entry in feed(folder, "tags/tea.atom").entries] == ["Withdrawn: One"]
    assert b"articles/a/" not in public(folder)["sitemap.xml"]


async def test_a_restored_file_is_the_same_story(folder: Path, clock: ManualClock) -> None:
    """Deleting and bringing back keeps the id and the first publication."""
    path = write(folder, "a.md", story("One"))
    await first_build(folder, clock)
    [before] = feed(folder).entries
    text = path.read_text()
    path.unlink()
    await build(folder, clock)
    [withdrawn] = feed(folder).entries
    write(folder, "a.md", text)
    clock.move(minutes=1)
    await build(folder, clock)
    [after] = feed(folder).entries
    assert (after.id, after.published) == (withdrawn.id, withdrawn.published) == (before.id, before.published)
    assert (after.title, withdrawn.title) == ("One", "Withdrawn: One")
    assert before.updated < withdrawn.updated < after.updated


async def test_most_of_the_folder_gone_at_once_is_not_believed(folder: Path, clock: ManualClock) -> None:
    """An unmounted disk takes nothing down; the operator's word does."""
    for number in range(8):
        write(folder, f"{number}.md", story(f"Story {number}"))
    await first_build(folder, clock)
    for number in range(7):
        (folder / "articles" / f"{number}.md").unlink()
    report = await build(folder, clock)
    assert len(feed(folder).entries) == 8
    assert "7 of 8 stories are gone" in report.refused[0].message
    await build(folder, clock, accept_loss=True)
    assert [entry.title for entry in feed(folder).entries if not entry.title.startswith("Withdrawn")] == ["Story 7"]


async def test_more_than_a_handful_gone_is_held_until_somebody_says_so(folder: Path, clock: ManualClock) -> None:
    """Eleven of forty: held with its reason, also after a restart; one word takes them down, and no others."""
    for number in range(40):
        write(folder, f"{number}.md", story(f"Story {number}"))
    await first_build(folder, clock)
    for number in range(11):
        (folder / "articles" / f"{number}.md").unlink()
    await build(folder, clock)
    since = clock.now()
    clock.move(minutes=5)
    report = await build(folder, clock)
    assert "11 of 40 stories are gone" in report.refused[0].message
    assert len(feed(folder).entries) == 40
    async with opened(folder, clock) as app:
        loss = await app.publishing.loss()
        assert loss is not None
        assert (loss.at, len(loss.sources), loss.released) == (since, 11, False)
        assert await app.publishing.release_loss()
    for number in range(11, 23):
        (folder / "articles" / f"{number}.md").unlink()
    report = await build(folder, clock)
    assert "23 of 40 stories are gone" in report.refused[0].message  # not those that were meant
    assert len(feed(folder).entries) == 40
    async with opened(folder, clock) as app:
        assert await app.publishing.release_loss()
        await app.publishing.refresh(clock.now(), at_once=True)
        assert await app.publishing.loss() is None
        assert not await app.publishing.release_loss()
    assert len([entry for entry in feed(folder).entries if not entry.title.startswith("Withdrawn")]) == 17


async def test_files_that_come_back_end_the_hold(folder: Path, clock: ManualClock) -> None:
    """A disk that is mounted again needs nobody's word."""
    for number in range(12):
        write(folder, f"{number}.md", story(f"Story {number}"))
    await first_build(folder, clock)
    (folder / "articles").rename(folder / "elsewhere")
    (folder / "articles").mkdir()
    await build(folder, clock)
    (folder / "articles").rmdir()
    (folder / "elsewhere").rename(folder / "articles")
    report = await build(folder, clock)
    assert not report.refused
    assert len(feed(folder).entries) == 12
    async with opened(folder, clock) as app:
        assert await app.publishing.loss() is None


async def test_a_folder_that_moves_is_no_loss(folder: Path, clock: ManualClock) -> None:
    """Thirty files in another place are thirty stories under their old ids."""
    for number in range(30):
        write(folder, f"old/{number}.md", story(f"Story {number}"))
    await first_build(folder, clock)
    before = {entry.id for entry in feed(folder).entries}
    (folder / "articles" / "old").rename(folder / "articles" / "new")
    for _ in range(2):
        report = await build(folder, clock)
        assert not report.refused
        assert not report.taken.gone
    assert {entry.id for entry in feed(folder).entries} == before


async def test_a_missing_folder_takes_nothing_down(folder: Path, clock: ManualClock) -> None:
    """A folder that is not there is an error, not an empty publication."""
    from publisher.errors import SourceError

    write(folder, "a.md", story("One"))
    await first_build(folder, clock)
    (folder / "articles").rename(folder / "elsewhere")
    async with opened(folder, clock) as app:
        with pytest.raises(SourceError):
            await app.publishing.refresh(clock.now())
    assert len(feed(folder).entries) == 1


BROKEN: dict[str, bytes] = {
    "bad-yaml.md": b"---\ntitle: [unclosed\n---\ntext\n",
    "no-title.md": b"---\nsection: economy\n---\ntext\n",
    "bad-date.md": b"---\ntitle: A\ndate: the day after tomorrow\n---\ntext\n",
    "latin-1.md": "---\ntitle: Caf\xe9\n---\ntext\n".encode("latin-1"),
    "empty.md": b"",
    "huge.md": b"---\ntitle: A\n---\n" + b"word " * 1_048_576,
    "half.md": b"---\ntitle: A\nsection: eco",
    "control.md": b"---\ntitle: A\n---\na \x01 control\n",
    "bad-access.md": b"---\ntitle: A\naccess: everybody\n---\ntext\n",
    "bad-toml.md": b"+++\ntitle = \n+++\ntext\n",
    "twin.md": b"---\ntitle: A\nslug: good-one\n---\ntext\n",
}


async def test_twelve_broken_files_beside_three_good_ones(folder: Path, clock: ManualClock, tmp_path: Path) -> None:
    """Each is named with file, line and reason; the good ones are published."""
    for name in ("good-one", "good-three", "good-two"):
        write(folder, f"{name}.md", story(name.replace("-", " ").title()))
    await first_build(folder, clock)
    for name, data in BROKEN.items():
        write(folder, name, data)
    secret = tmp_path / "secret.md"
    secret.write_text(story("Secret"))
    (folder / "articles" / "link.md").symlink_to(secret)
    report = await build(folder, clock)
    refused = {problem.path.removeprefix("articles/"): problem for problem in report.refused}
    assert set(refused) == {*BROKEN, "link.md"}
    assert all(problem.line >= 1 and len(problem.message) > 10 for problem in refused.values())
    assert refused["bad-date.md"].line == 3
    assert "good-one.md" in refused["twin.md"].message
    assert sorted(entry.title for entry in feed(folder).entries) == ["Good One", "Good Three", "Good Two"]


async def test_the_last_good_version_of_a_file_that_broke_stays(folder: Path, clock: ManualClock) -> None:
    """A broken save changes no output; mending it publishes the new text."""
    write(folder, "a.md", story("One"))
    await first_build(folder, clock)
    before = public(folder)
    write(folder, "a.md", "---\ntitle: [broken\n---\n")
    report = await build(folder, clock)
    assert [problem.path for problem in report.refused] == ["articles/a.md"]
    assert public(folder) == before
    write(folder, "a.md", story("One, mended"))
    report = await build(folder, clock)
    assert not report.refused
    assert [entry.title for entry in feed(folder).entries] == ["One, mended"]


async def test_an_update_moves_updated_and_nothing_else(folder: Path, clock: ManualClock) -> None:
    """id, address and date of publication stay; a quiet edit moves no date at all."""
    write(folder, "a.md", story("One", date="2026-11-01T10:00:00+03:00"))
    await first_build(folder, clock)
    [first] = feed(folder).entries
    write(folder, "a.md", story("One with a typo mended", date="2026-11-01T10:00:00+03:00"))
    await build(folder, clock)
    [quiet] = feed(folder).entries
    assert (quiet.title, quiet.updated) == ("One with a typo mended", first.updated)
    updated = story("One", date="2026-11-01T10:00:00+03:00", updated="2026-11-01T14:30:00+03:00")
    write(folder, "a.md", updated)
    await build(folder, clock)
    [after] = feed(folder).entries
    assert (after.id, after.link, after.published) == (first.id, first.link, first.published)
    assert after.updated == "2026-11-01T11:30:00Z" or after.updated.startswith("2026-11-01T1")
    assert after.updated != first.updated


async def test_a_story_for_subscribers_leaves_no_trace(folder: Path, clock: ManualClock) -> None:
    """Neither title, slug, id, tag nor text of it is in any public byte; a summary's body is not either."""
    write(folder, "open.md", story("Open", body="Lead of the story.\n\nCANARYBODY is only in the body.\n"))
    secret = story("Hidden Heron", access="subscriber", tags="[herontag]", body="HERONBODY\n", section="economy")
    write(folder, "heron-file.md", secret)
    await first_build(folder, clock)
    everything = b"\n".join([*public(folder).values(), *(name.encode() for name in public(folder))]).lower()
    for trace in (b"heron", b"canarybody"):
        assert trace not in everything
    assert b'data-role="subscription-notice"' in public(folder)["articles/open/index.html"]


async def test_a_scheduled_story_comes_out_at_its_minute(folder: Path, clock: ManualClock) -> None:
    """Nothing of it is public before; `next_change_at` says when to look."""
    write(folder, "a.md", story("Later", publish_at="2026-11-02T12:30:00+00:00"))
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        assert feed(folder).entries == []
        due = app.publishing.next_change_at(clock.now())
        assert due is not None
        clock.moment = due
        await app.publishing.refresh(clock.now(), ())
        assert [entry.title for entry in feed(folder).entries] == ["Later"]


async def test_a_renamed_slug_redirects(folder: Path, clock: ManualClock) -> None:
    """The old address leads to the new one; so does an alias."""
    write(folder, "a.md", story("One", slug="old-name"))
    await first_build(folder, clock)
    write(folder, "a.md", story("One", slug="new-name", aliases="[/2019/one/]"))
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        assert app.publishing.moved == {
            "/articles/old-name/": "/articles/new-name/",
            "/2019/one/": "/articles/new-name/",
        }
    assert "articles/old-name/index.html" not in public(folder)


async def test_a_changed_configuration_reaches_old_stories(folder: Path, clock: ManualClock) -> None:
    """What config says of access holds for every story from the next pass on, without an edit."""
    write(folder, "a.md", story("One", body="Lead.\n\nCANARY text.\n"))
    await first_build(folder, clock)
    assert b"CANARY" not in public(folder)["feeds/all.atom"]
    (folder / "config.toml").write_text(AGENCY.replace('access = "summary"', 'access = "public"'))
    await first_build(folder, clock)
    assert b"CANARY" in public(folder)["feeds/all.atom"]
    [entry] = feed(folder).entries
    (folder / "config.toml").write_text(AGENCY.replace('access = "summary"', 'access = "subscriber"'))
    await first_build(folder, clock)
    assert feed(folder).entries == []
    assert entry.id.startswith("tag:wire.example,2026-11-02:")


async def test_files_beside_a_story_are_published_where_nobody_guesses(folder: Path, clock: ManualClock) -> None:
    """An image that a story refers to is served; one that none refers to is not."""
    write(folder, "2026/picture.png", b"\x89PNG picture")
    write(folder, "2026/unused.png", b"\x89PNG unused")
    body = "Lead.\n\n![A bird](picture.png)\n"
    write(folder, "2026/a.md", story("One", access="public", body=body))
    await first_build(folder, clock)
    [media] = [name for name in public(folder) if name.startswith("media/")]
    assert public(folder)[media] == b"\x89PNG picture"
    assert f"https://wire.example/{media}".encode() in public(folder)["feeds/all.atom"]


async def test_pages_and_static_files_are_published_as_they_are(folder: Path, clock: ManualClock) -> None:
    """pages/ becomes pages in the navigation, static/ is copied, both follow changes."""
    (folder / "pages").mkdir()
    (folder / "static").mkdir()
    (folder / "pages" / "about.md").write_text("---\ntitle: About us\n---\n\nWho we are.\n")
    (folder / "static" / "CNAME").write_text("wire.example\n")
    await first_build(folder, clock)
    assert b"Who we are." in public(folder)["about/index.html"]
    assert public(folder)["CNAME"] == b"wire.example\n"
    assert b"About us" in public(folder)["index.html"]
    assert "about" not in public(folder)["feeds/all.rss"].decode()
    (folder / "pages" / "about.md").unlink()
    await first_build(folder, clock)
    assert "about/index.html" not in public(folder)
    assert b"About us" not in public(folder)["index.html"]


async def test_check_changes_nothing(folder: Path, clock: ManualClock) -> None:
    """A rehearsal names every problem and keeps nothing."""
    write(folder, "a.md", story("One"))
    write(folder, "b.md", BROKEN["bad-yaml.md"])
    async with open_app(folder, clock) as app:
        await app.rehearsal.load()
        taken = await app.rehearsal.take(clock.now(), everything=True)
        assert [problem.path for problem in taken.problems if problem.fatal] == ["articles/b.md"]
        assert await app.articles.current() == []
    assert not (folder / "public").exists()


async def test_a_faulty_template_keeps_only_its_own_pages_back(folder: Path, clock: ManualClock) -> None:
    """Feeds and other pages go on; the fault names file and line; mending it makes the page."""
    own = folder / "templates" / "web"
    own.mkdir(parents=True)
    (own / "article.html").write_text("{# mine #}\n{{ nonsense.there }}\n")
    write(folder, "a.md", story("One"))
    report = await first_build(folder, clock)
    [fault] = report.faults
    assert "article.html:2" in fault
    assert len(feed(folder).entries) == 1
    assert "articles/a/index.html" not in public(folder)
    (own / "article.html").unlink()
    report = await first_build(folder, clock)
    assert not report.faults
    assert "articles/a/index.html" in public(folder)


async def test_a_story_that_is_withheld_leaves_its_tags_feed_at_once(folder: Path, clock: ManualClock) -> None:
    """Becoming subscribers-only, or losing a tag, empties the tag's feeds in the same pass."""
    write(folder, "a.md", story("One", tags="[zebra]"))
    write(folder, "b.md", story("Two", tags="[yak, cow]"))
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        assert "feeds/tags/zebra.rss" in public(folder)
        write(folder, "a.md", story("One", tags="[zebra]", access="subscriber"))
        write(folder, "b.md", story("Two", tags="[cow]"))
        await app.publishing.refresh(clock.move(seconds=1), ["a.md", "b.md"])
        left = [name for name in public(folder) if name.startswith("feeds/tags/")]
    assert sorted(left) == [
        "feeds/tags/cow.atom",
        "feeds/tags/cow.json",
        "feeds/tags/cow.rss",
        "feeds/tags/cow/index.html",
    ]


async def test_a_build_takes_deleted_stories_down_at_once(folder: Path, clock: ManualClock) -> None:
    """One pass has no later look that could tell a deletion from a move."""
    path = write(folder, "a.md", story("One"))
    await first_build(folder, clock)
    path.unlink()
    async with opened(folder, clock) as app:
        report = await app.publishing.refresh(clock.now(), at_once=True)
    assert "articles/a/index.html" in report.removed
    assert [entry.title for entry in feed(folder).entries] == ["Withdrawn: One"]


async def test_swapped_files_keep_their_stories(folder: Path, clock: ManualClock) -> None:
    """Each text keeps its id and address, and none gets what the other's name is known for."""
    one, two = story("Open", section="economy"), story("Secret", access="subscriber")
    write(folder, "open.md", one)
    write(folder, "zebra-merger.md", two)
    await first_build(folder, clock)
    [before] = feed(folder).entries
    write(folder, "open.md", two)
    write(folder, "zebra-merger.md", one)
    await build(folder, clock)
    [after] = feed(folder).entries
    assert (after.id, after.link) == (before.id, before.link)
    assert "zebra" not in str(sorted(public(folder)))


async def test_a_chain_of_renames_keeps_every_story(folder: Path, clock: ManualClock) -> None:
    """f becomes g, g becomes h, h becomes i, in one pass; a new text under an old name does not take its story over."""
    for name in "fgh":
        write(folder, f"{name}.md", story(f"Story {name}"))
    await first_build(folder, clock)
    before = {entry.title: entry.id for entry in feed(folder).entries}
    for old, new in (("h", "i"), ("g", "h"), ("f", "g")):
        (folder / "articles" / f"{old}.md").rename(folder / "articles" / f"{new}.md")
    write(folder, "f.md", story("Something else"))
    report = await build(folder, clock)
    assert {entry.title: entry.id for entry in feed(folder).entries} == before
    assert [problem.path for problem in report.refused] == ["articles/f.md"]


async def test_a_refusal_ends_when_its_reason_does(folder: Path, clock: ManualClock) -> None:
    """A file whose address was taken is published once the other one gives it up."""
    write(folder, "a.md", story("One", slug="same"))
    write(folder, "b.md", story("Two", slug="same"))
    report = await first_build(folder, clock)
    [problem] = report.refused
    assert problem.path == "articles/b.md"
    assert "a.md" in problem.message
    write(folder, "a.md", story("One", slug="other"))
    await build(folder, clock)
    report = await build(folder, clock)
    assert not report.refused
    assert len(feed(folder).entries) == 2


async def test_hostile_tags_end_nothing(folder: Path, clock: ManualClock) -> None:
    """Tags longer than any file's name, with slashes or leading dots, have feeds of their own."""
    tags = json.dumps(["ü" * 120, "a/b", "a-b", ".NET"])
    write(folder, "a.md", story("One", tags=tags))
    report = await first_build(folder, clock)
    assert not report.faults
    assert len([name for name in public(folder) if name.startswith("feeds/tags/")]) == 4 * 4  # three formats and a page
    assert not [name for name in public(folder) if "/." in name]


async def test_a_full_disk_ends_nothing(folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is a fault with its reason; it is written when there is room again."""
    import errno

    from publisher import output

    write(folder, "a.md", story("One"))
    await first_build(folder, clock)
    before = public(folder)
    real = output._write_beside

    def full(target: str, data: bytes) -> str:
        if "/feeds/" in target:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(target, data)

    write(folder, "a.md", story("Two"))
    with monkeypatch.context() as patch:
        patch.setattr(output, "_write_beside", full)
        report = await build(folder, clock)
    assert any("No space left" in fault for fault in report.faults)
    assert public(folder)["feeds/all.rss"] == before["feeds/all.rss"]
    await build(folder, clock)
    assert [entry.title for entry in feed(folder).entries] == ["Two"]


async def test_assets_with_any_name_are_served_under_it(folder: Path, clock: ManualClock) -> None:
    """The file stands where the decoded address of the page points."""
    from urllib.parse import unquote, urlsplit

    write(folder, "a b#ü.png", b"\x89PNG picture")
    write(folder, "a.md", story("One", access="public", body="Lead.\n\n![x](a%20b%23%C3%BC.png)\n"))
    await first_build(folder, clock)
    [content] = feed(folder).entries[0].content
    address = content.value.split('src="')[1].split('"')[0]
    assert unquote(urlsplit(address).path).removeprefix("/") in public(folder)


async def test_pages_cannot_be_kept_from_anybody(folder: Path, clock: ManualClock) -> None:
    """A page with a gate, or at an address of the program's own, is refused and said so."""
    (folder / "pages").mkdir()
    (folder / "static").mkdir()
    (folder / "pages" / "g.md").write_text("---\ntitle: Gate\naccess: subscriber\n---\n\nGATED\n")
    (folder / "pages" / "subscribe.md").write_text("---\ntitle: Mine\n---\n\nx\n")
    (folder / "static" / "healthz").write_text("fine")
    (folder / "static" / "robots.txt").write_text("mine\n")
    report = await first_build(folder, clock)
    assert {problem.path for problem in report.refused} == {"pages/g.md", "pages/subscribe.md", "static/healthz"}
    assert b"GATED" not in b"".join(public(folder).values())
    assert "healthz" not in public(folder)
    assert public(folder)["robots.txt"] == b"mine\n"


async def test_a_story_cannot_stand_in_the_place_of_something_else(folder: Path, clock: ManualClock) -> None:
    """List pages, pages and static files keep their addresses."""
    (folder / "pages").mkdir()
    (folder / "pages" / "about.md").write_text("---\ntitle: About\n---\n\nWho we are.\n")
    for number, path in enumerate(("/tr/", "/404.html", "/style.css", "/about/", "/tr/sections/economy/")):
        write(folder, f"{number}.md", story(f"Story {number}", permalink=path))
    report = await first_build(folder, clock)
    assert len(report.refused) == 5
    assert all("taken by" in problem.message for problem in report.refused)


async def test_what_never_was_public_is_never_gone(folder: Path, clock: ManualClock) -> None:
    """A deleted subscribers' story answers like a name that never was, whatever config says later; a draft is gone."""
    secret = write(folder, "secret.md", story("Secret", aliases="[/old-secret/]"))
    write(folder, "plain.md", story("Plain", access="public"))
    (folder / "config.toml").write_text(AGENCY.replace('access = "summary"', 'access = "subscriber"'))
    await first_build(folder, clock)
    secret.unlink()
    await build(folder, clock)
    (folder / "config.toml").write_text(AGENCY)
    write(folder, "plain.md", story("Plain", access="public", status="draft"))
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        assert app.publishing.gone == {"/articles/plain/"}


async def test_a_new_pattern_of_addresses_moves_every_story(folder: Path, clock: ManualClock) -> None:
    """Ids stay, old addresses redirect."""
    write(folder, "a.md", story("One", section="economy"))
    await first_build(folder, clock)
    [before] = feed(folder).entries
    pattern = AGENCY.replace('on_delete = "withdraw"', 'on_delete = "withdraw"\npermalink = "/{section}/{slug}/"')
    (folder / "config.toml").write_text(pattern)
    async with opened(folder, clock) as app:
        await app.publishing.refresh(clock.now())
        assert app.publishing.moved == {"/articles/a/": "/economy/a/"}
    [after] = feed(folder).entries
    assert after.id == before.id
    assert after.link.endswith("/economy/a/")
