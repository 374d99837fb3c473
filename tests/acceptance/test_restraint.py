"""Much at once is not believed: it waits, with its reason, for one command (a checkout, a lost disk)."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import long_story, public_state

READER = "a@reader.example"
MANY, FOLDER = 50, 30


def _told(stage: Stage) -> str:
    """Returns what the operator is told of what waits."""
    return stage.command("status") + stage.command("issues", "list") + stage.command("issues", "list", "--json")


def _stories(stage: Stage, folder: str, count: int, **keys: object) -> None:
    for n in range(count):
        stage.write(f"{folder}/{folder}-{n}.md", long_story(f"{folder.title()} {n}", **keys))


@pytest.fixture
def old_stories(stage: Stage) -> Stage:
    """The stage with thirty old stories in one folder and forty in another, taken in before anybody reads."""
    _stories(stage, "island", FOLDER, date="2026-09-02T10:00:00+03:00")
    _stories(stage, "harbour", FOLDER + 10, date="2026-09-02T10:00:00+03:00")
    stage.run("build")
    stage.reader(READER, "*", "alerts,daily")
    return stage


def _held(stage: Stage, newsletter: str) -> list[dict[str, object]]:
    return [issue for issue in stage.issues() if issue["state"] == "held" and issue["newsletter"] == newsletter]


def test_a_checkout_that_brings_fifty_stories_is_held(stage: Stage) -> None:
    """Nothing is mailed before one command lets it go; then everybody gets each story once."""
    stage.reader(READER, "*", "daily")
    with stage.running(rounds=0.25) as live:
        _stories(stage, "checkout", MANY)
        eventually(lambda: len(live.entries("/feeds/all.atom")) >= MANY - 1, "the stories in the feed")
        stage.set_clock("2026-10-20T07:00:05+03:00")
        held = eventually(lambda: _held(stage, "daily"), "the digest is held")
        stage.go_round()
        assert stage.mails(READER) == []
        assert "first seen at once" in str(held[0]["held"])
        assert "first seen at once" in stage.command("status")
        stage.command("issues", "release", str(held[0]["issue"]))
        eventually(lambda: stage.mails(READER), "the digest goes")
    assert len(stage.mails(READER)) == 1


def test_alerts_of_a_checkout_are_held_together(stage: Stage) -> None:
    """Fifty instant mails are as wrong as one digest of fifty: not one goes before the word is given."""
    stage.reader(READER, "*", "alerts")
    with stage.running(rounds=0.25) as live:
        _stories(stage, "checkout", MANY)
        eventually(lambda: len(live.entries("/feeds/all.atom")) >= MANY - 1, "the stories in the feed")
        stage.go_round()
        assert stage.mails(READER) == []
        eventually(lambda: "held" in _told(stage), "word of what is held")


def test_fifty_touched_files_mail_nobody(old_stories: Stage) -> None:
    """A new time of writing is no news; and fifty stories that are really changed at once are held."""
    stage = old_stories
    with stage.running(rounds=0.25) as live:
        for path in _files(stage, "island") + _files(stage, "harbour"):
            os.utime(path)
        stage.go_round()
        assert stage.mails(READER) == []
        before = public_state(stage.folder)
        stage.go_round()
        assert public_state(stage.folder) == before
        for path in _files(stage, "island") + _files(stage, "harbour"):
            text = path.read_text().replace("---\n\n", "updated: 2026-10-19T12:00:00+03:00\n---\n\n", 1)
            stage.write(str(path.relative_to(stage.folder / "articles")), text)
        stage.go_round()
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.go_round()
        assert live.get("/healthz").status == 200
        assert stage.mails(READER) == []
        eventually(lambda: "held" in _told(stage), "word of what is held")


def _files(stage: Stage, folder: str) -> list[Path]:
    return sorted((stage.folder / "articles" / folder).glob("*.md"))


def test_a_moved_folder_moves_nothing(old_stories: Stage) -> None:
    """Thirty stories in another folder are the same thirty: ids, addresses and inboxes stay as they are."""
    stage = old_stories
    with stage.running(rounds=0.25) as live:
        before = {title: (entry.id, entry.link) for title, entry in live.entries("/feeds/all.atom").items()}
        (stage.folder / "articles" / "island").rename(stage.folder / "articles" / "moved")
        stage.go_round()
        after = {title: (entry.id, entry.link) for title, entry in live.entries("/feeds/all.atom").items()}
        assert after == before
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.go_round()
        assert stage.mails(READER) == []


def _lose_a_folder(folder: Path) -> None:
    shutil.rmtree(folder / "articles" / "island")


def _unmount(folder: Path) -> None:
    (folder / "articles").rename(folder / "elsewhere")
    (folder / "articles").mkdir()


@pytest.mark.parametrize("lose", [_lose_a_folder, _unmount], ids=["a folder of thirty", "the whole folder"])
def test_a_lost_folder_empties_nothing(old_stories: Stage, lose: Callable[[Path], None]) -> None:
    """Nothing is taken down and nobody told before one command says that it is meant; the reason stands in `status`."""
    stage = old_stories
    with stage.running(rounds=0.25) as live:
        before = public_state(stage.folder)
        lose(stage.folder)
        stage.go_round()
        assert public_state(stage.folder) == before
        assert _public_stories(live) != []
        words = "are gone from the folder at once"
        eventually(lambda: words in str(json.loads(stage.command("status", "--json"))["held"]), "word of the loss")
        stage.set_clock("2026-10-20T07:00:05+03:00")
        stage.go_round()
        assert stage.mails(READER) == []
        live.stop()
    assert "are gone from the folder at once" in stage.command("issues", "list")
    stage.command("issues", "release", "losses")
    stage.command("build")
    left = [path for path in public_state(stage.folder) if path.startswith("articles/")]
    assert len(left) < len([path for path in before if path.startswith("articles/")])
    assert stage.mails(READER) == []


def _public_stories(live: Live) -> list[str]:
    return list(live.entries("/feeds/all.atom"))
