"""The machine's clock is set while the service runs and slots are awaited: each slot once, and nothing stands still."""

import json
import time

import pytest

from acceptance.running import eventually
from acceptance.stage import Live, Stage
from acceptance.told import long_story

ADA = "ada@reader.example"


@pytest.fixture
def environment() -> dict[str, str]:
    """It is the machine's clock that is set, for all that asks it."""
    return {"SHIFTED_MACHINE": "1"}


def set_to(stage: Stage, live: Live, at: str, jumps: int) -> None:
    """Sets the machine's clock and waits until the service has noticed."""
    stage.set_clock(at)
    eventually(lambda: stage.logs.read_text().count("clock.jumped") == jumps, f"jump {jumps} is in the log")
    assert live.process.poll() is None


def issues(stage: Stage, newsletter: str) -> list[dict[str, object]]:
    return [issue for issue in stage.issues() if issue["newsletter"] == newsletter]


def test_a_clock_that_is_set_makes_each_slot_once_and_stops_nothing(stage: Stage) -> None:
    """Back over the slot, forth over it again, three days on, an hour forth and back as at both ends of summer time."""
    stage.reader(ADA, "*", "daily,alerts,bulletin")
    with stage.running("2026-10-20T06:59:30+03:00") as live:
        stage.write("one.md", long_story("One"))
        eventually(lambda: "One" in live.get("/").text, "the story is out")
        set_to(stage, live, "2026-10-20T04:59:50+03:00", 1)  # two hours back, before the slot
        # What looks around at intervals goes on: a story is alerted, a wish of a command is answered.
        stage.write("flash.md", long_story("Flash", urgency="flash"))
        stage.mail(ADA, "Flash")
        assert json.loads(stage.command("send", "bulletin", "--since", "2026-10-01T00:00Z", "--json"))["accepted"] >= 0
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
        assert stage.mail(ADA, "Two")
        eventually(lambda: issues(stage, "daily")[-1]["state"] == "done", "the issue after the jump")
        time.sleep(3)
        assert len(issues(stage, "daily")) == 2
        assert live.stop() == 0
    for about in ("One", "Two"):
        daily = [sent for sent in stage.mails(ADA) if "Daily digest" in str(sent.message["From"]) + sent.words]
        assert len([sent for sent in daily if about in sent.words]) <= 1
    assert len({sent.message["Message-ID"] for sent in stage.mails(ADA)}) == len(stage.mails(ADA))
