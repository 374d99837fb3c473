"""Moving in with the installed command: readers of the old feeds see no story twice."""

import json

import feedparser

from acceptance.running import eventually
from acceptance.stage import Stage

GHOST = """<rss version="2.0"><channel><title>Old</title><link>https://old.press/</link>
<item><title>The ferry</title><link>https://old.press/the-ferry/</link><guid isPermaLink="false">5f3a99</guid></item>
<item><title>The tide</title><link>https://old.press/2019/tide/</link><guid>https://old.press/2019/tide/</guid></item>
<item><title>Lost</title><link>https://old.press/lost/</link><guid>https://old.press/lost/</guid></item>
</channel></rss>"""


def test_old_ids_and_addresses_go_on(desk: Stage) -> None:
    """Two stories keep the names their readers know, a lost one is told of; a second run has nothing to do."""
    for name, title in (("the-ferry", "The ferry"), ("tide", "The tide"), ("new", "Brand new")):
        desk.write(f"{name}.md", f"---\ntitle: {title}\ndate: 2019-05-01\naccess: public\n---\n\nText of {name}.\n")
    feed = desk.folder / "old.xml"
    feed.write_text(GHOST)
    before = (desk.folder / "articles" / "tide.md").read_bytes()
    told = json.loads(desk.command("adopt", str(feed), "--dry-run", "--json", exits=1))
    assert (len(told["written"]), [one["title"] for one in told["unknown"]]) == (2, ["Lost"])
    assert (desk.folder / "articles" / "tide.md").read_bytes() == before

    desk.command("adopt", str(feed), exits=1)
    told = json.loads(desk.command("adopt", str(feed), "--json", exits=1))
    assert (told["written"], told["as_before"]) == ([], 2)
    desk.command("check")
    config = desk.folder / "config.toml"
    config.write_text(config.read_text() + '\n[redirects]\n"/rss/" = "/feeds/all.rss"\n')
    with desk.running() as live:
        old = live.get("/rss/")
        assert (old.status, old.headers["location"]) == (301, "/feeds/all.rss")
        entries = eventually(lambda: feedparser.parse(live.get("/feeds/all.rss").body).entries, "stories in the feed")
        guids = {entry.title: entry.id for entry in entries}
        assert guids["The ferry"] == "5f3a99"
        assert guids["The tide"] == "https://old.press/2019/tide/"
        atom = {entry.title: entry.id for entry in feedparser.parse(live.get("/feeds/all.atom").body).entries}
        assert atom["The tide"] == "https://old.press/2019/tide/"
        assert atom["The ferry"].startswith("tag:")
        items = {item["title"]: item["id"] for item in json.loads(live.get("/feeds/all.json").body)["items"]}
        assert items["The ferry"] == "5f3a99"
        assert live.get("/2019/tide/").headers["location"].endswith("/articles/tide/")
        assert live.get("/the-ferry/").headers["location"].endswith("/articles/the-ferry/")


def test_what_readers_here_know_already_is_not_renamed(desk: Stage) -> None:
    """After a first run an id stays what it is, and the command says what can be done."""
    desk.write("tide.md", "---\ntitle: The tide\ndate: 2019-05-01\naccess: public\n---\n\nText.\n")
    desk.command("build")
    feed = desk.folder / "old.xml"
    feed.write_text(GHOST)
    told = json.loads(desk.command("adopt", str(feed), "--json", exits=1))
    assert told["written"] == []
    assert "never changes" in told["refused"][0]["message"]
    assert desk.run("adopt", str(desk.folder / "none.xml")).returncode == 2


def test_a_guid_that_changes_later_is_refused(desk: Stage) -> None:
    """What feeds call a story is as firm as its id."""
    text = "---\ntitle: The tide\nguid: {}\naccess: public\n---\n\nText.\n"
    desk.write("tide.md", text.format("first"))
    desk.command("build")
    desk.write("tide.md", text.format("second"))
    done = desk.run("build")
    assert done.returncode == 1
    assert "'first'" in done.stdout + done.stderr
