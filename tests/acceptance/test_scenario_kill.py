"""A kill is final (scenario 7), and a withdrawal is not a kill."""

import json
import sqlite3
from contextlib import closing

import pytest

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import canary, holders, long_story, public_bytes
from ninjs_schema import faults

HAD_IT = "a@reader.example"
QUEUED = "d@reader.example"
NEVER = "never@reader.example"
PUBLIC = "p@reader.example"
REASON = "The council never met"
WAITING = {"PUBLISHER_DELIVERY__RETRY_AFTER": "10m"}


@pytest.fixture
def environment() -> dict[str, str]:
    return WAITING


def killed() -> str:
    return long_story("Council").replace("---\n\n", f"status: killed\nkill_reason: {REASON}\n---\n\n", 1)


def test_a_kill_is_final(stage: Stage) -> None:
    """Scenario 7: out of everything within a cycle, told to who had it, and never to come back."""
    for address, products, newsletters in (
        (HAD_IT, "*", "daily"), (QUEUED, "*", "daily"), (NEVER, "sport", "daily"), (PUBLIC, "", "bulletin")
    ):  # fmt: skip
        stage.reader(address, products, newsletters)
    stage.write("council.md", long_story("Council"))
    stage.write("ferry.md", long_story("Ferry"))
    stage.script({QUEUED: ["451 4.7.1 try again later"]})
    with stage.running() as live:
        private, never = stage.private(HAD_IT), stage.private(NEVER)
        eventually(lambda: "Council" in live.entries("/feeds/all.atom"), "the story")
        identity = live.entries("/feeds/all.atom")["Council"].id
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.mail(HAD_IT, canary("Council"))
        eventually(lambda: [sent for sent in stage.attempts() if sent.recipient == QUEUED], "D's mail is put off")
        stage.write("council.md", killed())
        notice = stage.mail(HAD_IT, "KILL")
        _told_at_once(stage, notice.subject + notice.text)
        eventually(lambda: live.get("/articles/council/").status == 410, "the page is gone", seconds=15)
        _in_no_output(stage, live, private, never, identity)
        stage.set_clock("2026-10-20T07:15:00+03:00")
        late = stage.mail(QUEUED, "Ferry")
        assert canary("Ferry") in late.text
        assert holders("Council", {"mail": late.words.encode()}) == []
        _stays_killed(stage, live)
        stage.set_clock("2026-10-21T08:00:05+03:00")
        live.stop()
    for address in (QUEUED, NEVER, PUBLIC):
        assert [sent.subject for sent in stage.mails(address) if "KILL" in sent.words or "Council" in sent.words] == []
    assert len([sent for sent in stage.mails(HAD_IT) if "KILL" in sent.words]) == 1
    assert len(stage.mails(QUEUED)) == 1


def _told_at_once(stage: Stage, words: str) -> None:
    assert REASON in words
    assert canary("Council") not in words
    assert "What Council is about" not in words
    assert f"{stage.now():%H:%M}" < "04:05"


def _in_no_output(stage: Stage, live: Live, private: str, never: str, identity: str) -> None:
    paths = ["/", "/sections/asia-pacific/", "/articles/council/", "/sitemap.xml", "/news-sitemap.xml", "/feeds.opml"]
    names = ("all.rss", "all.atom", "all.json", "wire.json")
    paths += [f"{folder}/{name}" for folder in (private, never) for name in names]
    places = {**public_bytes(stage.folder), **{f"GET {n}": live.get(path).body for n, path in enumerate(paths)}}
    for needle in (canary("Council"), "What Council is about", "Council paragraph", ">Council<", '"Council"'):
        assert holders(needle, places) == [], needle
    by_id = {entry.id: entry for entry in live.entries("/feeds/all.atom").values()}
    assert by_id[identity].title.startswith("STORY WITHDRAWN")
    assert "council" not in live.get("/sitemap.xml").text.casefold()
    mine = live.entries(f"{private}/all.atom")
    assert {entry.id: title for title, entry in mine.items()}[identity].startswith("STORY WITHDRAWN")
    assert [title for title, entry in mine.items() if title.startswith("KILL") and REASON in str(entry)]
    [item] = [one for one in live.get(f"{private}/wire.json").json()["items"] if one["uri"] == identity]
    assert item["pubStatus"] == "canceled"
    assert item["edNote"] == f"KILL: {REASON}"
    assert faults(item) == []
    for path, data in public_bytes(stage.folder).items():
        assert REASON.encode() not in data, path
    assert REASON not in live.get("/articles/council/").text


def _stays_killed(stage: Stage, live: Live) -> None:
    """Neither under its file, nor under another, nor deleted and restored does the story come back."""
    stage.write("council.md", long_story("Council"))
    told = eventually(lambda: json.loads(stage.command("status", "--json"))["refused"], "the file is refused")
    assert any("council.md" in problem and "killed" in problem for problem in told)
    assert stage.run("check").returncode == 1
    (stage.folder / "articles" / "council.md").unlink()
    stage.set_clock("2026-10-20T07:20:00+03:00")
    stage.write("marker.md", long_story("Marker"))
    eventually(lambda: "Marker" in live.entries("/feeds/all.atom"), "the folder was looked at")
    stage.write("council.md", long_story("Council"))
    stage.write("second.md", long_story("Second"))
    eventually(lambda: "Second" in live.entries("/feeds/all.atom"), "the folder was looked at again")
    assert live.get("/articles/council/").status == 410
    assert holders(canary("Council"), public_bytes(stage.folder)) == []
    with closing(sqlite3.connect(stage.folder / "var" / "publisher.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [
            name
            for name in tables
            for row in database.execute(f'SELECT * FROM "{name}"')
            if canary("Council") in str(row)
        ]
    assert kept, "the text survives in the archive"


def test_a_deleted_file_is_withdrawn_not_killed(stage: Stage) -> None:
    """A deletion takes the text down and mails nobody; restored, the story is back under its id."""
    stage.reader(HAD_IT, "*", "alerts")
    with stage.running() as live:
        path = stage.write("council.md", long_story("Council"))
        stage.mail(HAD_IT, canary("Council"))
        identity = live.entries("/feeds/all.atom")["Council"].id
        path.unlink()
        eventually(lambda: live.get("/articles/council/").status == 410, "the page is gone")
        by_id = {entry.id: entry for entry in live.entries("/feeds/all.atom").values()}
        assert by_id[identity].title == "Withdrawn: Council"
        assert holders(canary("Council"), public_bytes(stage.folder)) == []
        assert holders("What Council is about", public_bytes(stage.folder)) == []
        stage.write("council.md", long_story("Council"))
        eventually(lambda: live.get("/articles/council/").status == 200, "the page is back")
        assert live.entries("/feeds/all.atom")["Council"].id == identity
        stage.set_clock("2026-10-19T18:00:00+03:00")
        stage.write("other.md", long_story("Other"))
        stage.mail(HAD_IT, canary("Other"))
        live.stop()
    assert [sent for sent in stage.mails(HAD_IT) if "Council" in sent.words] == stage.mails(HAD_IT)[:1]
