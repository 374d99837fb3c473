"""Two feed readers that we did not write take in every feed and archive document over HTTP (RFC 5005 §4)."""

import asyncio
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import feedparser
import feedparser_sgmllib
import pytest
import uvicorn
from reader import make_reader
from test_feed_archives import build, make, put

from publications import ManualClock, story, write
from publisher.web.public import PublicFiles

# reader 3.26 asks for the old name of this module, which its own dependency has replaced.
sys.modules.setdefault("sgmllib", feedparser_sgmllib)

_NEWSBOAT = shutil.which("newsboat")
_STORIES = {"A talk", *(f"Story {number}" for number in range(1, 12))}
_POD = "feeds/pod.rss"
_MORE = """
[[feeds]]
id = "pod"
title = "Pod"
archive = true
limit = 4
podcast = { image = "/cover.jpg", category = "News", subcategory = "Daily News" }
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """Serves a publication of eleven stories, one of them taken back; yields its address and its feeds' paths."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    folder, clock = make(tmp_path_factory.mktemp("site"), range(1, 12), more=_MORE), ManualClock()
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("https://harbour.example", f"http://127.0.0.1:{port}"))
    write(folder, "talk.md", story("A talk", date="2026-10-20T08:00:00Z", audio="https://harbour.example/talk.mp3"))
    put(folder, 12)
    asyncio.run(build(folder, clock))
    clock.move(hours=1)
    put(folder, 12, status="draft")
    asyncio.run(build(folder, clock))
    assert b"deleted-entry" in (folder / "public/feeds/all.atom").read_bytes()
    files = PublicFiles(folder / "public", _nothing, dict)
    server = uvicorn.Server(uvicorn.Config(files, log_config=None, lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    found = (folder / "public/feeds").rglob("*")
    paths = sorted(one.relative_to(folder / "public").as_posix() for one in found if one.suffix in {".atom", ".rss"})
    yield f"http://127.0.0.1:{port}", paths
    server.should_exit = True
    thread.join()
    listener.close()


async def _nothing(_scope: object, _receive: object, send: uvicorn._types.ASGISendCallable) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def _titles(url: str, path: str) -> list[str]:
    return [entry.title for entry in feedparser.parse(f"{url}/{path}").entries]


def test_reader_takes_in_every_document(site: tuple[str, list[str]]) -> None:
    """Each shows its stories, a second look finds nothing new, and together the documents have every story."""
    url, paths = site
    assert {f"feeds/{stem}.{kind}" for stem in ("all", "all/archive/1", "pod") for kind in ("atom", "rss")} <= {*paths}
    with make_reader(":memory:") as reader:
        for path in paths:
            reader.add_feed(f"{url}/{path}")
        for path in paths:
            address = f"{url}/{path}"
            reader.update_feed(address)
            shown = [entry.title for entry in reader.get_entries(feed=address)]
            assert sorted(map(str, shown)) == sorted(_titles(url, path))
            again = reader.update_feed(address)
            assert again is None or (again.new, again.modified) == (0, 0)
        walked = [f"{url}/{path}" for path in paths if path.startswith("feeds/all") and path.endswith("atom")]
        assert {entry.title for address in walked for entry in reader.get_entries(feed=address)} == _STORIES


@pytest.mark.skipif(_NEWSBOAT is None, reason="needs newsboat, which .ci/run installs")
def test_newsboat_takes_in_documents_of_each_kind(site: tuple[str, list[str]], tmp_path: Path) -> None:
    """It keeps each document's stories under their titles; one cache has an entry once, so each has its own."""
    url, _ = site
    (tmp_path / "config").write_text("")
    for number, path in enumerate(("feeds/all.atom", "feeds/all/archive/1.atom", "feeds/all/archive/2.rss", _POD)):
        urls, cache = tmp_path / f"urls-{number}", tmp_path / f"cache-{number}"
        urls.write_text(f"{url}/{path}\n")
        command = [str(_NEWSBOAT), "-u", urls, "-c", cache, "-C", tmp_path / "config", "-x", "reload"]
        subprocess.run(command, check=True, timeout=120, env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"})
        with closing(sqlite3.connect(cache)) as kept:
            shown = [title for (title,) in kept.execute("SELECT title FROM rss_item")]
        assert sorted(shown) == sorted(_titles(url, path)), path
