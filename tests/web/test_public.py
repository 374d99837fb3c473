"""What public/ holds, over HTTP: validators, codings, redirects, methods (standards §6)."""

import asyncio
import gzip
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import brotli
import pytest

from publisher.output import Output, _sync, _write_beside
from publisher.web.conditional import best_coding
from publisher.web.pollers import Pollers
from publisher.web.proxied import proxied
from publisher.web.public import PublicFiles

FEED = b"<rss>" + b"a feed " * 200 + b"</rss>"


Get = Callable[..., Awaitable[Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    (folder / "feeds").mkdir(parents=True)
    (folder / "articles" / "one").mkdir(parents=True)
    (folder / "feeds" / "all.rss").write_bytes(FEED)
    (folder / "index.html").write_bytes(b"<!doctype html>front")
    (folder / "articles" / "one" / "index.html").write_bytes(b"<!doctype html>one")
    (folder / ".publisher-1-x").write_bytes(b"half")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def get(root: Path, client_of: Callable[..., Any]) -> Get:
    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"behind"})

    files = PublicFiles(root, behind, lambda: {"/old/": "/articles/one/"})

    client = client_of(files)

    async def call(path: str, method: str = "GET", **headers: str) -> Any:
        return await client.ask(method, path, {name.replace("_", "-"): value for name, value in headers.items()})

    return call


async def test_a_feed_has_type_and_validators(get: Get) -> None:
    """Media type with charset, a strong ETag, Last-Modified, caching, and no script sniffing."""
    answer = await get("/feeds/all.rss")
    assert (answer.status, answer.body) == (200, FEED)
    assert answer.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["last-modified"].endswith(" GMT")
    assert "public" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "Accept-Encoding, Sec-Fetch-Dest, Sec-Fetch-Mode"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-length"] == str(len(FEED))


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_the_etag_of_either_coding_gives_304(get: Get, coding: str) -> None:
    """Each coding has its own ETag, and 304 says again what caches go by, and no more (RFC 9110 §15.4.5)."""
    first = await get("/feeds/all.rss", accept_encoding=coding)
    again = await get("/feeds/all.rss", accept_encoding="gzip", if_none_match=f'"other", W/{first.headers["etag"]}')
    assert (again.status, again.body) == (304, b"")
    assert {*again.headers} == {"etag", "vary", "cache-control", "access-control-allow-origin"}
    assert all(again.headers[name] == first.headers[name] for name in ("vary", "cache-control"))


async def test_gzip_where_it_is_wanted(get: Get) -> None:
    """The compressed body is the same feed under another ETag."""
    plain = await get("/feeds/all.rss")
    packed = await get("/feeds/all.rss", accept_encoding="gzip, deflate")
    smaller = await get("/feeds/all.rss", accept_encoding="gzip, deflate, br")
    assert (packed.headers["content-encoding"], smaller.headers["content-encoding"]) == ("gzip", "br")
    assert gzip.decompress(packed.body) == brotli.decompress(smaller.body) == FEED
    assert len({answer.headers["etag"] for answer in (plain, packed, smaller)}) == 3


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip;q=0", ""),
        ("*;q=0.1", "br"),
        ("br;q=0, *", "gzip"),
        ("br", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("gzip, br", "br"),
        ("identity, gzip;q=0.5", ""),
        ("gzip;q=nonsense", ""),
        ("deflate", ""),
        ("", ""),
    ],
)
def test_accept_encoding(header: str, coding: str) -> None:
    """`q=0` refuses, `*` stands for what is not named, of equals the smaller (RFC 9110 §12.5.3)."""
    assert best_coding(header.encode()) == coding


async def test_if_modified_since(get: Get) -> None:
    """An equal date gives 304, nonsense is ignored, If-None-Match wins."""
    first = await get("/feeds/all.rss")
    since = first.headers["last-modified"]
    assert (await get("/feeds/all.rss", if_modified_since=since)).status == 304
    assert (await get("/feeds/all.rss", if_modified_since="yesterday")).status == 200
    assert (await get("/feeds/all.rss", if_modified_since=since, if_none_match='"other"')).status == 200


async def test_a_replaced_file_is_served_anew(get: Get, root: Path) -> None:
    """The next request after the rename has the new bytes and a new ETag."""
    before = await get("/feeds/all.rss")
    made = root / "feeds" / "new"
    made.write_bytes(FEED + b"<!-- more -->")
    os.replace(made, root / "feeds" / "all.rss")
    after = await get("/feeds/all.rss", if_none_match=before.headers["etag"])
    assert after.status == 200
    assert after.body.endswith(b"<!-- more -->")


async def test_head_is_get_without_body(get: Get) -> None:
    """Same status and headers, no body (RFC 9110 §9.3.2)."""
    head, whole = await get("/feeds/all.rss", method="HEAD"), await get("/feeds/all.rss")
    assert (head.status, head.body) == (200, b"")
    assert list(head.headers.items()) == list(whole.headers.items())


async def test_other_methods_are_named(get: Get) -> None:
    """A published file cannot be posted to."""
    answer = await get("/feeds/all.rss", method="POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_folders_answer_with_their_page(get: Get) -> None:
    """`/articles/one/` is its index; without the slash it redirects; old addresses redirect too."""
    assert (await get("/articles/one/")).body == b"<!doctype html>one"
    for path in ("/articles/one", "/old/"):
        answer = await get(path)
        assert (answer.status, answer.headers["location"]) == (301, "/articles/one/")
    assert "content-security-policy" in (await get("/")).headers


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/feeds/../../secret.txt", "/.publisher-1-x", "/feeds/\0", "/" + "a" * 5000],
)
async def test_nothing_outside_is_served(get: Get, path: str) -> None:
    """Neither files outside of public/ nor half-written ones inside."""
    assert (await get(path)).body == b"behind"


async def test_a_link_out_of_public_is_not_followed(get: Get, root: Path, tmp_path: Path) -> None:
    """A symbolic link that somebody put there leads nowhere."""
    (root / "leak.txt").symlink_to(tmp_path / "secret.txt")
    assert (await get("/leak.txt")).body == b"behind"


async def test_json_is_a_feed_only_among_the_feeds(get: Get, root: Path) -> None:
    """A manifest is plain JSON; what is well known may be hidden by its name."""
    (root / "manifest.json").write_text("{}")
    (root / "feeds" / "all.json").write_text("{}")
    (root / ".well-known").mkdir()
    (root / ".well-known" / "security.txt").write_text("Contact: mailto:a@b.example")
    assert (await get("/manifest.json")).headers["content-type"] == "application/json"
    assert (await get("/feeds/all.json")).headers["content-type"].startswith("application/feed+json")
    assert (await get("/.well-known/security.txt")).status == 200


class Clockwork:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_who_fetches_an_unchanged_feed_without_end_is_asked_to_wait(
    root: Path, client_of: Callable[..., Any]
) -> None:
    """Whole answers are counted by peer, program and version; conditional requests, pages and this machine never."""
    seconds = Clockwork()
    files = PublicFiles(root, client_of, dict, pollers=Pollers(3, seconds))  # type: ignore[arg-type]
    client, other, here = client_of(files), client_of(files, ("192.0.2.8", 1)), client_of(files, ("127.0.0.1", 1))
    url = "https://news.example.org/feeds/all.rss"
    for _ in range(3):
        assert (await client.get(url, user_agent="Poller/1")).status == 200
    seconds.now += 600
    refused = await client.get(url, user_agent="Poller/1")
    assert (refused.status, refused.headers["retry-after"]) == (429, "3000")
    assert b"If-None-Match" in refused.body
    assert (await client.get(url, user_agent="Poller/1", if_none_match='"old"')).status == 200
    assert (await client.get(url, user_agent="Another/1")).status == 200
    assert (await other.get(url, user_agent="Poller/1")).status == 200
    for _ in range(5):
        assert (await here.get(url, user_agent="Poller/1")).status == 200
        assert (await client.get("https://news.example.org/", user_agent="Poller/1")).status == 200
    made = root / "feeds" / "new"
    made.write_bytes(FEED + b"<!-- news -->")
    os.replace(made, root / "feeds" / "all.rss")
    assert (await client.get(url, user_agent="Poller/1")).status == 200
    for _ in range(3):
        await client.get(url, user_agent="Poller/1")
    seconds.now += 3600
    assert (await client.get(url, user_agent="Poller/1")).status == 200


async def test_behind_a_proxy_below_a_path(root: Path, client_of: Callable[..., Any]) -> None:
    """With and without the path the same file is found, and redirects lead below it."""

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{scope['client'][0]} {scope['path']}".encode()})

    files = PublicFiles(
        root, behind, lambda: {"/old/": "/articles/one/", "/far/": "https://a.example/"}, prefix="/news"
    )
    client = client_of(proxied(files, "/news", ["192.0.2.7"]))
    for path in ("/news/feeds/all.rss", "/feeds/all.rss"):
        assert (await client.get(f"https://a.example{path}")).body == FEED
    assert (await client.get("https://a.example/news/old/")).headers["location"] == "/news/articles/one/"
    assert (await client.get("https://a.example/news/articles/one")).headers["location"] == "/news/articles/one/"
    assert (await client.get("https://a.example/news/far/")).headers["location"] == "https://a.example/"
    assert (
        await client.get("https://a.example/news/none", x_forwarded_for="198.51.100.9")
    ).text == "198.51.100.9 /none"
    assert (await client.get("https://a.example/newsroom")).text == "192.0.2.7 /newsroom"
    liar = client_of(proxied(files, "/news", ["192.0.2.1"]))
    assert (await liar.get("https://a.example/none", x_forwarded_for="198.51.100.9")).text == "192.0.2.7 /none"


# A feed in a browser --------------------------------------------------------------------------------------------------

NAVIGATION = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def shown(root: Path) -> Path:
    for name, words in (("feeds/all", "all, for people"), ("corrections", "the log"), ("issues/daily", "past issues")):
        (root / name).mkdir(parents=True)
        (root / name / "index.html").write_text(words)
    for name in ("feeds/all.json", "corrections.atom", "feeds/newsletters/daily.atom", "feeds/bare.rss", "feeds.opml"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("a feed")
    return root


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/feeds/all.rss", b"all, for people"),
        ("/feeds/all.json", b"all, for people"),
        ("/corrections.atom", b"the log"),
        ("/feeds/newsletters/daily.atom", b"past issues"),
        ("/feeds/bare.rss", b"a feed"),
        ("/feeds.opml", b"a feed"),
    ],
)
async def test_who_opens_a_feed_in_a_browser_gets_a_page(get: Get, shown: Path, path: str, words: bytes) -> None:
    """Only where there is one; what is a file to be taken into a reader stays one."""
    answer = await get(path, **{name.replace("-", "_"): value for name, value in NAVIGATION.items()})
    assert answer.body == words
    if words != b"a feed":
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "script" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
        {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors"},
        {"sec_fetch_dest": "document"},
        {"accept": "application/atom+xml, application/rss+xml, text/html"},
    ],
)
async def test_every_program_gets_the_feed(get: Get, shown: Path, headers: dict[str, str]) -> None:
    """Whatever it says that it accepts; and no cache hands a page to it."""
    await get("/feeds/all.rss", sec_fetch_dest="document", sec_fetch_mode="navigate")
    answer = await get("/feeds/all.rss", **headers)
    assert answer.body == FEED
    assert "Sec-Fetch-Dest" in answer.headers["vary"]


async def test_a_page_follows_its_feed(get: Get, shown: Path) -> None:
    """A changed page is shown at both addresses."""
    navigation = {name.replace("-", "_"): value for name, value in NAVIGATION.items()}
    await get("/feeds/all.rss", **navigation)
    (shown / "feeds/all/index.html").write_text("all, for people, and more of it")
    assert (await get("/feeds/all.rss", **navigation)).body == b"all, for people, and more of it"


_VERSIONS = [f"<rss>{number}{'.' * (number * 7919 % 200_000)}</rss>".encode() for number in range(60)]


async def test_every_answer_and_every_look_at_the_file_is_one_whole_version(get: Get, root: Path) -> None:
    """T-TORN: while one version after the other is written, and each ETag is that of the very bytes it came with."""
    output, written = Output(root), threading.Event()
    output.write({"feeds/all.rss": _VERSIONS[0]})

    def write() -> None:
        for version in _VERSIONS:
            output.write({"feeds/all.rss": version})
        written.set()

    looks: set[bytes] = set()
    tags: set[tuple[str, bytes]] = set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not written.is_set() and not writing.done():
            looks.add((root / "feeds" / "all.rss").read_bytes())
            answer = await get("/feeds/all.rss")
            assert answer.status == 200
            tags.add((answer.headers["etag"], answer.body))
            await asyncio.sleep(0)
        writing.result()
    tags.add(((answer := await get("/feeds/all.rss")).headers["etag"], answer.body))
    assert answer.body == _VERSIONS[-1]
    assert looks | {body for _, body in tags} <= set(_VERSIONS)
    assert len(looks) > 1
    assert len({tag for tag, _ in tags}) == len({body for _, body in tags}) == len(tags)


class _PowerCutError(BaseException):
    """Nothing is done any more."""


@pytest.mark.parametrize("step", range(8))
def test_whenever_writing_ends_each_file_is_the_old_or_the_new_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """K14 to K16: killed before and after each write, each sync and each move of a file to its place."""
    before = {f"feeds/{name}.rss": name.encode() * 9000 for name in "abc"}
    after = {path: data.upper() for path, data in before.items()}
    Output(root).write(before)
    steps = count()

    def dies(work: Callable[..., Any]) -> Callable[..., Any]:
        def worked(*arguments: Any) -> Any:
            if next(steps) == step:
                raise _PowerCutError
            return work(*arguments)

        return worked

    with monkeypatch.context() as patch:
        patch.setattr("publisher.output._write_beside", dies(_write_beside))
        patch.setattr("publisher.output._sync", dies(_sync))
        patch.setattr("publisher.output.os.replace", dies(os.replace))
        with pytest.raises(_PowerCutError):
            Output(root).write(after)
    found = {path: (root / path).read_bytes() for path in before}
    assert all(data in (before[path], after[path]) for path, data in found.items())
    assert (found == before) == (step < 5)
    assert not {path for path in Output(root).sweep() if "/." in path}
    Output(root).write(after)
    assert {path: (root / path).read_bytes() for path in before} == after
    assert {path.name for path in (root / "feeds").iterdir()} == {"a.rss", "all.rss", "b.rss", "c.rss"}
