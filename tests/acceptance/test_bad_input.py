"""What is wrong is named, with its place and the contract's status or exit code; everything else goes on."""

import json
import re

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import canary, holders, long_story, public_bytes

READER = "a@reader.example"
REFUSED = [
    (
        "both-gates",
        "title: T\npublish_at: 2026-10-20T10:00:00Z\nembargo: 2026-10-20T10:00:00Z",
        ("publish_at:", "embargo:"),
        ("publish_at", "embargo"),
    ),
    ("no-reason", "title: T\nstatus: killed", ("status:",), ("kill_reason",)),
    ("no-such-status", "title: T\nstatus: perhaps", ("status:",), ("perhaps",)),
    ("no-such-access", "title: T\naccess: some", ("access:",), ("access",)),
    ("misspelt-gate", "title: T\nacess: subscriber", ("acess:",), ("access",)),
    ("no-such-day", "title: T\ndate: 31.02.2026", ("date:",), ("31.02.2026",)),
    ("no-title", "deck: T", ("---", "deck:"), ("title",)),
]


def test_files_that_cannot_be_used(desk: Stage) -> None:
    """`check` and `build` exit with 1 and name `file:line: message` for each; the good story beside them is out."""
    for name, matter, _, _ in REFUSED:
        desk.write(f"{name}.md", f"---\n{matter}\n---\n\nThe text of it.\n")
    desk.write("good.md", long_story("Good"))
    checked, built = desk.run("check"), desk.run("build", "--json")
    assert checked.returncode == built.returncode == 1
    refused = {one["file"]: one["line"] for one in json.loads(built.stdout)["refused"]}
    assert set(refused) == {f"articles/{name}.md" for name, *_ in REFUSED}
    for name, _, lines, words in REFUSED:
        file = f"articles/{name}.md"
        number, message = _told(checked.stdout + checked.stderr, file)
        source = (desk.folder / file).read_text().splitlines()
        assert source[number - 1].startswith(lines), (name, source[number - 1])
        assert all(word in message for word in words), (name, message)
        assert refused[file] == number
    assert holders("What Good is about", public_bytes(desk.folder))
    assert not holders("The text of it", public_bytes(desk.folder))


def _told(output: str, file: str) -> tuple[int, str]:
    found = re.search(rf"^(?:refused: )?{re.escape(file)}:(\d+): (.+)$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1]), found[2]


def test_an_unknown_product(desk: Stage) -> None:
    """In a story it is named with its line; in a command and in config it is a usage error."""
    desk.write("odd.md", long_story("Odd", products="[asia, nosuch]"))
    checked = desk.run("check")
    number, message = _told(checked.stdout + checked.stderr, "articles/odd.md")
    assert "nosuch" in message
    assert "products" in (desk.folder / "articles" / "odd.md").read_text().splitlines()[number - 1]
    done = desk.run("subscribers", "add", READER, "--confirmed", "--products", "nosuch")
    assert done.returncode == 2
    assert "nosuch" in done.stderr
    assert json.loads(desk.command("subscribers", "list", "--json")) == []
    config = desk.folder / "config.toml"
    config.write_text(config.read_text().replace('id = "alerts"', 'id = "alerts"\nproducts = ["nosuch"]', 1))
    done = desk.run("check")
    assert done.returncode == 2
    assert "nosuch" in done.stderr


def test_a_licence_that_ends_before_it_begins(desk: Stage) -> None:
    """Refused on the command line and, with its line, in an import; nothing is stored."""
    turned = ("--valid-from", "2027-01-01", "--valid-until", "2026-12-01")
    done = desk.run("subscribers", "add", READER, "--confirmed", "--products", "asia", *turned)
    assert done.returncode == 2
    assert "valid" in done.stderr
    rows = desk.folder.parent / "people.csv"
    rows.write_text(
        "email,products,valid_from,valid_until\n"
        f"{READER},asia,2027-01-01,2026-12-01\n"
        "good@reader.example,asia,2026-01-01,2027-12-01\n"
    )
    done = desk.run("subscribers", "import", str(rows), "--confirmed")
    assert done.returncode == 1
    assert f"{rows}:2: " in done.stderr
    assert desk.run("subscribers", "edit", "good@reader.example", "--valid-until", "2025-12-01").returncode == 2
    [person] = json.loads(desk.command("subscribers", "list", "--json"))
    assert person["address"] == "good@reader.example"


def test_tokens(desk: Stage) -> None:
    """Forged and unknown: 404; replaced: good for a day, then 410; the new one: 200; of who was erased: 404."""
    desk.reader(READER, "*", "")
    desk.write("good.md", long_story("Good"))
    with desk.running() as live:
        old = desk.private(READER)
        new = desk.private(READER)
        assert old != new
        for name in ("all.atom", "all.rss", "all.json", "wire.json", "feeds.opml"):
            assert live.get(f"{old}/{name}").status == 200
            assert live.get(f"{new}/{name}").status == 200
            for forged in _forged(new):
                assert live.get(f"{forged}/{name}").status == 404, forged
        _guarded(live, new)
        desk.set_clock("2026-10-20T12:30:00+03:00")
        for name in ("all.atom", "all.rss", "all.json", "wire.json", "feeds.opml"):
            gone = live.get(f"{old}/{name}")
            assert gone.status == 410
            assert canary("Good") not in gone.text
            assert live.get(f"{new}/{name}").status == 200
        assert live.get(f"{new}/nosuch.atom").status == 404
        assert live.get(f"{new}/wire.json?cursor=nonsense").status == 400
        desk.command("subscribers", "erase", READER)
        assert live.get(f"{new}/all.atom").status == 404


def _forged(folder: str) -> list[str]:
    """Returns addresses that are nearly right."""
    root, _, token = folder.rpartition("/")
    turned = "A" if token[-1] != "A" else "B"
    return [
        f"{root}/{one}"
        for one in (token[:-1] + turned, token[::-1], token[:-1], token + "A", token.swapcase(), "A" * 43)
    ]


def _guarded(live: Live, folder: str) -> None:
    headers = live.get(f"{folder}/all.atom").headers
    assert "private" in headers["Cache-Control"]
    assert {"noindex", "nofollow"} <= set(re.split(r"[,\s]+", headers["X-Robots-Tag"]))
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["ETag"]


def test_two_files_with_one_id(desk: Stage) -> None:
    """The second is refused by name, whichever way they come; the first stays what it is."""
    identity = "tag:wire.example,2026:one"
    desk.write("first.md", long_story("First", id=identity))
    desk.command("build")
    desk.write("second.md", long_story("Second", id=identity))
    checked = desk.run("check")
    assert checked.returncode == 1
    _, message = _told(checked.stdout + checked.stderr, "articles/second.md")
    assert identity in message
    assert "first.md" in message
    assert desk.run("build").returncode == 1
    assert holders("Second", public_bytes(desk.folder)) == []
    assert holders("What First is about", public_bytes(desk.folder))


def test_deleted_and_restored(stage: Stage) -> None:
    """A restored file is the same story, under its id and address, also under another name; nobody is mailed again."""
    stage.reader(READER, "*", "alerts")
    with stage.running() as live:
        path = stage.write("ferry.md", long_story("Ferry"))
        stage.mail(READER, canary("Ferry"))
        before = live.entries("/feeds/all.atom")["Ferry"]
        path.unlink()
        eventually(lambda: live.get("/articles/ferry/").status == 410, "the page is gone")
        stage.write("back.md", long_story("Ferry", id=before.id, slug="ferry"))
        eventually(lambda: live.get("/articles/ferry/").status == 200, "the page is back")
        after = live.entries("/feeds/all.atom")["Ferry"]
        assert (after.id, after.link, after.published) == (before.id, before.link, before.published)
        stage.set_clock("2026-10-19T18:00:00+03:00")
        stage.write("next.md", long_story("Next"))
        stage.mail(READER, canary("Next"))
    assert len([sent for sent in stage.mails(READER) if canary("Ferry") in sent.text]) == 1
