"""The machine's clock is set while the service runs and slots are awaited: each slot once, and nothing stands still."""

import json
import sqlite3
import time

import pytest

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import long_story

ADA = "ada@reader.example"
BORA = "bora@reader.example"


@pytest.fixture
def environment() -> dict[str, str]:
    """It is the machine's clock that is set, for all that asks it."""
    return {"SHIFTED_MACHINE": "1"}


def set_to(stage: Stage, live: Live, at: str, jumps: int) -> None:
    """Sets the machine's clock and waits until the service has noticed."""
    stage.set_clock(at)
    eventually(lambda: stage.logs.read_text().count("clock.jumped") == jumps, f"jump {jumps} is in the log")
    assert live.process.poll() is None


def issues(stage: Stage, newsletter: str) -> list[sqlite3.Row]:
    """Returns the issues of a newsletter, as they stand."""
    connection = sqlite3.connect(stage.folder / "var" / "publisher.db")
    connection.row_factory = sqlite3.Row
    try:
        query = "SELECT id, state, hold_reasons FROM issues WHERE newsletter = ? ORDER BY id"
        return connection.execute(query, [newsletter]).fetchall()
    finally:
        connection.close()


def test_a_clock_that_is_set_makes_each_slot_once_and_stops_nothing(stage: Stage) -> None:
    """Back over the slot, forth over it again, three days on, an hour forth and back as at both ends of summer time."""
    stage.reader(ADA, "*", "daily,bulletin")
    stage.reader(BORA, "*", "alerts")
    with stage.running("2026-10-20T06:59:30+03:00") as live:
        stage.write("one.md", long_story("One"))
        eventually(lambda: "One" in live.get("/").text, "the story is out")
        set_to(stage, live, "2026-10-20T04:59:50+03:00", 1)  # two hours back, before the slot
        # What looks around at intervals goes on: a story is alerted, a wish of a command is answered.
        stage.write("flash.md", long_story("Flash", urgency="flash"))
        stage.mail(BORA, "Flash")
        assert json.loads(stage.command("send", "weekly", "--json"))["accepted"] == 1
        assert issues(stage, "daily") == []
        set_to(stage, live, "2026-10-20T06:59:57+03:00", 2)
        eventually(lambda: [one for one in issues(stage, "daily") if one["state"] == "done"], "the slot at seven")
        assert stage.mail(ADA, "One")
        set_to(stage, live, "2026-10-20T05:59:58+03:00", 3)  # summer time ends
        set_to(stage, live, "2026-10-20T06:59:57+03:00", 4)  # and begins
        time.sleep(4)
        assert len(issues(stage, "daily")) == 1
        stage.write("two.md", long_story("Two"))
        eventually(lambda: "Two" in live.get("/").text, "the second story is out")
        set_to(stage, live, "2026-10-23T07:10:00+03:00", 5)  # three days on
        held = eventually(lambda: [one for one in issues(stage, "daily") if one["state"] == "held"], "the late one")
        assert "late" in str(held[0]["hold_reasons"])
        stage.command("issues", "release", str(held[0]["id"]))
        assert stage.mail(ADA, "Two")
        time.sleep(3)
        assert len(issues(stage, "daily")) == 2
        live.stop()
    for about in ("One", "Two"):
        assert len([sent for sent in stage.mails(ADA) if about in sent.subject + sent.text]) == 1
