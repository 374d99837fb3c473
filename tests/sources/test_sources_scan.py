"""The folder as it is: what counts, what is refused, what is never read."""

import os
import shutil
import socket
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.errors import NotFoundError, RefusedError, SourceError
from publisher.model.files import FileStat
from publisher.sources.names import is_ignored
from publisher.sources.scan import Directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An articles folder inside a folder that is none."""
    folder = tmp_path / "articles"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("secret")
    return folder


def put(root: Path, *paths: str) -> None:
    """Writes files with their own paths as text."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)


def refused(root: Path) -> dict[str, str]:
    """Returns what one scan refused, and why."""
    return {problem.path: problem.message for problem in Directory(root).scan().refused}


def test_articles_and_assets_are_told_apart(root: Path):
    """By their endings, in any case."""
    put(
        root,
        "a.md",
        "2025/b.MD",
        "2025/c.html",
        "d.txt",
        "2025/photo.jpg",
        "plan.pdf",
        "e.markdown",
        "f.htm",
        "noending",
    )
    scan = Directory(root).scan()
    assert set(scan.articles) == {"a.md", "2025/b.MD", "2025/c.html", "d.txt", "e.markdown", "f.htm"}
    assert set(scan.assets) == {"2025/photo.jpg", "plan.pdf", "noending"}
    assert scan.refused == ()


def test_stat_of_a_file_is_the_systems(root: Path):
    """Size, times and inode, so that a change is seen without reading."""
    put(root, "a.md")
    status = (root / "a.md").stat()
    expected = FileStat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    assert Directory(root).scan().articles["a.md"] == expected
    assert Directory(root).stat("a.md") == expected


@pytest.mark.parametrize(
    "name",
    [".hidden.md", "a.md~", ".a.md.swp", "a.swp", "4913", ".#a.md", "#a.md#", "a.tmp", "a.part", "a.crdownload",
     "a.sync-conflict-20250902-101112-ABC.md", "a.bak", "_index.md", "_index.tr.md", "_index.html", "Thumbs.db",
     "A.TMP"],
)  # fmt: skip
def test_names_that_do_not_count(root: Path, name: str):
    """Editors, downloads, synchronisers and section pages."""
    put(root, name, f".git/{name}", ".obsidian/x.md")
    scan = Directory(root).scan()
    assert (scan.articles, scan.assets, scan.refused) == ({}, {}, ())
    assert is_ignored(name)
    assert Directory(root).stat(name) is None


@pytest.mark.parametrize(
    "name", ["index.md", "2024-01-02-title.md", "4913.md", "a b.md", "tmp.md", "bak.txt", "_posts", "a#b.md"]
)
def test_names_that_count(name: str):
    """Nothing of an editor's about them."""
    assert not is_ignored(name)


def test_links_out_of_the_folder_are_refused_and_never_read(root: Path):
    """To a file, to a folder, to nowhere, in a circle."""
    (root / "out.md").symlink_to(root.parent / "secret.md")
    (root / "folder").symlink_to(root.parent)
    (root / "nowhere.md").symlink_to("missing.md")
    (root / "circle.md").symlink_to("circle.md")
    directory = Directory(root)
    scan = directory.scan()
    assert {problem.path for problem in scan.refused} == {"out.md", "folder", "nowhere.md", "circle.md"}
    assert scan.articles == {}
    with pytest.raises(RefusedError, match="leads out of the articles folder"):
        directory.read("out.md")
    with pytest.raises((RefusedError, NotFoundError)):
        directory.read("folder/secret.md")
    assert directory.stat("folder/secret.md") is None


def test_link_to_a_file_inside_the_folder_is_that_file(root: Path):
    """A link to a folder is not followed: it would be a second copy of its stories."""
    put(root, "real/a.md")
    (root / "b.md").symlink_to("real/a.md")
    (root / "again").symlink_to("real")
    directory = Directory(root)
    scan = directory.scan()
    assert set(scan.articles) == {"real/a.md", "b.md"}
    assert scan.articles["b.md"] == scan.articles["real/a.md"] == directory.stat("b.md")
    assert directory.read("b.md") == b"real/a.md"
    assert [problem.path for problem in scan.refused] == ["again"]


@pytest.mark.parametrize(
    "path", ["../secret.md", "/etc/passwd", "a/../../secret.md", "", "a//b.md", "./a.md", "a\x00.md"]
)
def test_paths_that_are_none_are_never_opened(root: Path, path: str):
    """Whoever asks."""
    with pytest.raises(RefusedError, match="not a path below"):
        Directory(root).read(path)
    assert Directory(root).stat(path) is None


def test_fifo_and_socket_are_refused_without_waiting(root: Path, monkeypatch: pytest.MonkeyPatch):
    """Opening a FIFO would wait for its writer for ever."""
    os.mkfifo(root / "pipe.md")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.md")
        said = refused(root)
    assert said == {
        "pipe.md": "a FIFO, not a file; remove or rename it",
        "socket.md": "a socket, not a file; remove or rename it",
    }
    with pytest.raises(RefusedError, match="a FIFO"):
        Directory(root).read("pipe.md")
    assert Directory(root).stat("pipe.md") is not None


def test_a_large_article_is_refused_unread(root: Path):
    """An asset may be large."""
    for name in ("big.md", "big.bin"):
        with (root / name).open("wb") as file:
            file.truncate(5 * 1024 * 1024)
    directory = Directory(root)
    scan = directory.scan()
    assert [(problem.path, problem.message[:20]) for problem in scan.refused] == [("big.md", "the file has 5.0 MiB")]
    assert set(scan.assets) == {"big.bin"}
    with pytest.raises(RefusedError, match=r"5\.0 MiB"):
        directory.read("big.md")
    assert len(directory.read("big.bin")) == 5 * 1024 * 1024


def test_names_that_other_systems_hold_for_one_are_both_refused(root: Path):
    """On another machine, one would overwrite the other."""
    put(root, "Story.md", "story.md", "other.md", "İ/x.md")
    assert set(refused(root)) == {"Story.md", "story.md"}
    assert set(Directory(root).scan().articles) == {"other.md", "İ/x.md"}


def test_a_plain_name_below_a_folder_spelled_otherwise_is_found_by_its_path_in_nfc(root: Path) -> None:
    put(root, unicodedata.normalize("NFD", "çay/story.md"))
    put(root, "plain/story.md")
    directory = Directory(root)
    found = directory.scan().articles
    assert set(found) == {"çay/story.md", "plain/story.md"}
    assert {path: directory.stat(path) for path in found} == found
    assert directory.read("çay/story.md")


def test_paths_are_nfc_and_files_are_found_under_them(root: Path):
    """However the disk spells them."""
    spelled = unicodedata.normalize("NFD", "çay/café.md")
    put(root, spelled)
    directory = Directory(root)
    assert set(directory.scan().articles) == {"çay/café.md"}
    assert directory.read("çay/café.md").decode() == spelled
    assert directory.stat("çay/café.md") is not None


def test_two_spellings_of_one_name_are_refused(root: Path):
    """One path cannot be two files."""
    put(root, "café.md", unicodedata.normalize("NFD", "café.md"))
    scan = Directory(root).scan()
    assert [problem.path for problem in scan.refused] == ["café.md"]
    assert scan.articles == {}


def test_name_that_is_no_utf8_is_refused(root: Path):
    """It could not be said in a message or an address."""
    with open(os.fsencode(root) + b"/caf\xe9.md", "wb") as file:
        file.write(b"x")
    assert refused(root) == {"caf\ufffd.md": "the name is not UTF-8; rename it"}


def test_folders_are_looked_into_eight_deep(root: Path):
    """Deeper ones are named, not passed over."""
    put(root, "1/2/3/4/5/6/7/8/a.md", "1/2/3/4/5/6/7/8/9/b.md")
    scan = Directory(root).scan()
    assert set(scan.articles) == {"1/2/3/4/5/6/7/8/a.md"}
    assert [problem.path for problem in scan.refused] == ["1/2/3/4/5/6/7/8/9"]


def test_a_missing_folder_is_an_error_and_no_empty_scan(root: Path):
    """An unmounted disk must not take every story down."""
    root.rmdir()
    with pytest.raises(SourceError, match="cannot be read"):
        Directory(root).scan()
    root.write_text("a file")
    with pytest.raises(SourceError, match="cannot be read"):
        Directory(root).scan()


def test_reading_what_has_gone(root: Path):
    """Between scan and read."""
    put(root, "a/b.md")
    directory = Directory(root)
    directory.scan()
    shutil.rmtree(root / "a")
    with pytest.raises(NotFoundError, match="has gone"):
        directory.read("a/b.md")
    assert directory.stat("a/b.md") is None


def test_a_folder_named_like_an_article_is_none(root: Path):
    """Names alone do not make files."""
    (root / "a.md").mkdir()
    directory = Directory(root)
    assert directory.scan().articles == {}
    assert directory.stat("a.md") is None
    with pytest.raises(RefusedError, match="a folder"):
        directory.read("a.md")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that is looked at without the rights of root, whom nothing is closed to."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    put(root, "open.md", "shut.md", "room/inside.md")
    (root / "shut.md").chmod(0)
    (root / "room").chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield root
    if user == 0:
        os.seteuid(0)
    (root / "room").chmod(0o755)
    shutil.rmtree(root)


def test_files_and_folders_without_permission(closed: Path):
    """A folder that cannot be listed says nothing about what is in it."""
    directory = Directory(closed)
    scan = directory.scan()
    assert set(scan.articles) == {"open.md", "shut.md"}
    assert scan.unread == ("room/",)
    assert [(problem.path, problem.message) for problem in scan.refused] == [
        ("room", "cannot be read: permission denied; let the program's user read it")
    ]
    with pytest.raises(RefusedError, match="permission denied"):
        directory.read("shut.md")


def test_no_descriptor_is_left_open(root: Path):
    """Whatever a read ends with."""
    put(root, "a/b.md")
    os.mkfifo(root / "pipe.md")
    (root / "out.md").symlink_to(root.parent / "secret.md")
    directory = Directory(root)
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a/b.md", "pipe.md", "out.md", "a/missing.md", "missing/b.md", "a"):
        try:
            directory.read(path)
        except (RefusedError, NotFoundError):
            continue
    assert len(os.listdir("/proc/self/fd")) == before
