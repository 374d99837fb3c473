"""`publisher check`: what is wrong, where, and what to do; nothing is changed by asking."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import structlog

from publications import AGENCY, make_publication, story, write
from publisher.cli import main
from publisher.model.preflight import CODES


class Desk:
    """A publication, and its commands in this process."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = make_publication(folder)
        self._capfd = capfd

    def run(self, *arguments: str) -> tuple[int, str]:
        """Returns the exit code and what stands on stdout."""
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(self.folder), *arguments])
        return int(ended.value.code or 0), self._capfd.readouterr().out

    def write(self, name: str, title: str, **keys: str) -> None:
        """Writes a story of a known date, unless it says another."""
        write(self.folder, name, story(title, **{"date": "2026-10-19T08:00:00Z", **keys}))

    def findings(self, *options: str) -> list[tuple[str, int, str]]:
        """Returns file, line and code of all that `check` says."""
        told = json.loads(self.run("check", "--json", *options)[1])
        return [(one["file"], one["line"], one["code"]) for one in (*told["refused"], *told["warnings"])]


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    yield Desk(tmp_path / "wire", capfd)
    structlog.reset_defaults()


def test_every_code_is_in_the_documented_table() -> None:
    """With whether it blocks."""
    text = (Path(__file__).parents[2] / "docs" / "preflight.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([a-z ]+) \|", text, re.MULTILINE))
    assert {code: blocks != "no" for code, blocks in rows.items()} == CODES


def test_a_newsletter_that_people_have_and_config_lacks(desk: Desk) -> None:
    """As when its id was changed: nobody would notice that its readers get nothing."""
    for address in ("ada@example.org", "bob@example.org"):
        desk.run("subscribers", "add", address, "--confirmed", "--newsletters", "daily")
    assert "newsletter-missing" not in [code for _, _, code in desk.findings()]
    assert "missing" not in desk.run("status")[1]
    config = desk.folder / "config.toml"
    config.write_text(config.read_text().replace('id = "daily"', 'id = "morning"'))
    assert ("config.toml", 1, "newsletter-missing") in desk.findings()
    assert (
        "missing    there is no newsletter 'daily', which 2 people have: they get nothing of it"
        in desk.run("status")[1]
    )


def test_links_into_the_site_lead_somewhere(desk: Desk) -> None:
    """To stories, lists, pages, files and old addresses; not to drafts, letters, and what the public never sees."""
    (desk.folder / "pages").mkdir()
    (desk.folder / "pages" / "about.md").write_text("# About\n\nUs.\n")
    (desk.folder / "static").mkdir()
    (desk.folder / "static" / "map.pdf").write_bytes(b"%PDF")
    desk.write("port.md", "Port", aliases="[/old/port/]")
    desk.write("draft.md", "Draft", status="draft")
    desk.write("letter.md", "Letter", deliver="mail")
    desk.write("secret.md", "Secret", access="subscriber")
    good = [
        "port.md",
        "/articles/port",
        "/articles/port/?a=b#c",
        "/",
        "/sections/economy/",
        "/about/",
        "/map.pdf",
        "/old/port/",
    ]
    good += ["/tr/", "/subscribe", "/feeds/all.rss", "https://elsewhere.example/none", "mailto:a@b.example", "#top"]
    bad = ["draft.md", "letter.md", "secret.md", "nothing.md", "/abuot/", "https://wire.example/none"]
    body = "\n\n".join(f"[{n}]({link})" for n, link in enumerate([*good, *bad], start=1))
    desk.write("links.md", "Links", body=f"{body}\n")
    found = desk.findings()
    first = 6 + 2 * len(good)
    assert found == [("articles/links.md", first + 2 * n, "link-dead") for n in range(len(bad))]
    said = desk.run("check")[1]
    assert "the link letter.md leads to a letter" in said
    assert "the link draft.md leads to a story that is not out" in said
    assert "the link secret.md leads to a story without a public page" in said


def test_what_shows_only_among_all_stories(desk: Desk) -> None:
    """The same headline twice in a week, and ids that no story has."""
    first, soon, later = ("2026-10-01T08:00:00Z", "2026-10-05T08:00:00Z", "2026-10-19T08:00:00Z")
    desk.write("a.md", "Notes", id="tag:wire.example,2026:a", date=first)
    desk.write("b.md", "notes", date=soon, related="tag:wire.example,2026:a")
    desk.write("c.md", "Notes", date=later, supersedes="tag:wire.example,2026:z")
    desk.write("d.md", "Notes", date=later, language="tr", translation_of="tag:wire.example,2026:y")
    assert desk.findings() == [
        ("articles/b.md", 1, "headline-twice"),
        ("articles/c.md", 4, "reference-unknown"),
        ("articles/d.md", 5, "reference-unknown"),
    ]


def test_what_blocks_fails_and_warnings_fail_only_when_asked(desk: Desk) -> None:
    """A file that is refused and a template that cannot be compiled block."""
    assert desk.run("check", "--strict")[0] == 0
    desk.write("a.md", "Port", body="TK\n")
    assert desk.run("check")[0] == 0
    assert desk.run("check", "--strict")[0] == 1
    desk.write("b.md", "Pier", acess="public")
    (desk.folder / "templates" / "web").mkdir(parents=True)
    (desk.folder / "templates" / "web" / "page.html").write_text("<p>\n{% if %}\n")
    code, told = desk.run("check", "--json")
    assert code == 1
    blocking = [(one["file"], one["line"], one["code"]) for one in json.loads(told)["refused"]]
    assert blocking == [("articles/b.md", 4, "article"), ("templates/web/page.html", 2, "template")]
    assert all(one["blocks"] for one in json.loads(told)["refused"])
    assert not (desk.folder / "public").exists()


def test_the_next_issue_is_looked_over(desk: Desk) -> None:
    """Its size, its subject, and a template that only fails when it is used, with file and line."""
    for number in range(4):
        desk.write(f"{number}.md", f"Port {number}", body="Boats came. " * 3000)
    desk.run("build")
    assert desk.findings() == [], "what is too long for one mail is in it as a summary"
    mails = desk.folder / "templates" / "email"
    mails.mkdir(parents=True)
    (mails / "digest.html").write_text(f"<!doctype html><html><head></head><body><p>{'x' * 110_000}</p></body></html>")
    said = [line for file, line, code in desk.findings() if (file, code) == ("config.toml", "issue-clipped")]
    lines = (desk.folder / "config.toml").read_text().split("\n")
    assert [lines[line - 1] for line in said] == ['id = "daily"', 'id = "weekly"']
    long = AGENCY.replace('schedule = "weekly fri 16:00"', f'schedule = "weekly fri 16:00"\nsubject = "{"x" * 130}"')
    (desk.folder / "config.toml").write_text(long)
    assert ("config.toml", lines.index('id = "weekly"') + 1, "subject-long") in desk.findings()
    (mails / "digest.txt").write_text("Subject: A\n\n{{ nothing }}\n")
    [faulty] = {(file, line) for file, line, code in desk.findings() if code == "template"}
    assert faulty == ("templates/email/digest.txt", 3)


def test_what_config_leaves_out(desk: Desk) -> None:
    """A postal address once mail goes to real people; a title in each language, where it is said in any."""
    real = AGENCY.replace('title = { en = "Economy", tr = "Ekonomi" }', 'title = { en = "Economy" }')
    (desk.folder / "config.toml").write_text(real)
    assert desk.findings() == []
    (desk.folder / "config.toml").write_text(
        AGENCY.replace('title = { en = "Asia desk", tr = "Asya masası" }', 'title = { en = "Desk", de = "Tisch" }')
        + '[smtp]\nsandbox = false\nsender = "Wire <news@wire.example>"\n'
    )
    assert {code for _, _, code in desk.findings()} == {"postal-missing", "translation-missing"}


class _Elsewhere(BaseHTTPRequestHandler):
    asked: list[str]

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        codes = {"/there": 200, "/gone": 410, "/shut": 403, "/no-head": 405}
        self.send_response(codes.get(self.path, 404))
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response({"/no-head": 200, "/shut": 403}.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    _Elsewhere.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_other_sites_are_asked_only_when_somebody_wants_it(desk: Desk, elsewhere: str) -> None:
    """Gone is gone; who shuts us out has not said that nothing is there."""
    links = "\n\n".join(f"[x]({elsewhere}/{name})" for name in ("there", "gone", "shut", "no-head", "never"))
    desk.write("a.md", "Port", body=f"{links}\n")
    assert desk.findings() == []
    assert _Elsewhere.asked == []
    said = [(line, code) for _, line, code in desk.findings("--external")]
    assert said == [(8, "link-unreachable"), (14, "link-unreachable")]
