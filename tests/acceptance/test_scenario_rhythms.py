"""Readers' own rhythms, a slip that is caught in time, and an issue that waits for a word (scenario 9)."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.running import eventually
from acceptance.stage import CONFIG, Live, Stage, relay
from acceptance.told import canary, long_story

AYSE = "ayse@reader.example"
BEA = "bea@reader.example"
ED = "ed@reader.example"
PAU = "pau@reader.example"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A publication whose daily digest may come at once, after ten minutes, and whose bulletin wants approval."""
    daily = 'schedule = "daily 07:00"\ngrace = "10m"\nrhythms = ["instant", "daily", "weekdays"]\n'
    config = CONFIG.replace('schedule = "daily 07:00"\ngrace = "0s"\n', daily)
    config = config.replace('schedule = "daily 08:00"\n', 'schedule = "daily 08:00"\napproval = true\n')
    mails = tmp_path / "mails"
    with relay(mails) as port:
        made = Stage(tmp_path / "wire", config, port, mails)
        made.open()
        yield made


def test_readers_choose_and_editors_have_time(stage: Stage) -> None:
    stage.reader(AYSE, "*", "daily")
    stage.reader(BEA, "", "bulletin")
    stage.reader(ED, "*", "daily")
    stage.reader(PAU, "*", "daily")
    stage.set_clock("2026-10-30T12:00:00+00:00")
    chosen = json.loads(stage.command("subscribers", "edit", ED, "--rhythm", "instant", "--form", "brief", "--json"))
    assert (chosen["choices"]["daily"]["rhythm"], chosen["choices"]["daily"]["form"]) == ("instant", "brief")
    stage.command("subscribers", "edit", PAU, "--pause-until", "2026-10-31")
    assert "does not offer" in _refused(stage, "subscribers", "edit", ED, "--rhythm", "monthly 1 07:00")
    with stage.running("2026-10-30T12:00:10+00:00") as live:
        _a_slip_reaches_nobody(stage, live)
        foretold = json.loads(stage.command("simulate", "--days", "1", "--json"))
        _in_the_morning(stage, live, foretold)
        live.stop()
    copies = Counter(sent.recipient for sent in stage.attempts() if sent.accepted)
    assert {address: copies[address] for address in (AYSE, BEA, ED, PAU)} == dict.fromkeys((AYSE, BEA, ED, PAU), 1)
    assert not [sent for sent in stage.attempts() if canary("Slip") in sent.text or "slipped" in sent.text]


def _refused(stage: Stage, *arguments: str) -> str:
    done = stage.run(*arguments)
    assert done.returncode == 2, done.stderr
    return done.stderr


def _a_slip_reaches_nobody(stage: Stage, live: Live) -> None:
    """Removed within the grace it goes to nobody; edited within it, it goes out as edited."""
    slip = stage.write("slip.md", long_story("Slip"))
    typo = stage.write("ferry.md", long_story("Ferry", deck="The deck that slipped"))
    eventually(lambda: {"Slip", "Ferry"} <= set(live.entries("/feeds/all.atom")), "both are out")
    stage.set_clock("2026-10-30T12:05:00+00:00")
    slip.unlink()
    typo.write_text(long_story("Ferry", deck="The deck as it is now"))
    eventually(lambda: "Slip" not in live.entries("/feeds/all.atom"), "the slip is gone")
    eventually(lambda: "as it is now" in str(live.entries("/feeds/all.atom")["Ferry"]), "the edit is out")
    assert stage.mails(ED) == []
    stage.set_clock("2026-10-30T12:10:20+00:00")
    assert "The deck as it is now" in stage.mail(ED, "Ferry").text
    assert canary("Ferry") not in stage.mails(ED)[0].text  # brief


def _in_the_morning(stage: Stage, live: Live, foretold: list[dict[str, object]]) -> None:
    """The pause is over by itself; the bulletin waits, and goes out with what it says by then."""
    stage.set_clock("2026-10-31T03:59:58+00:00")
    for reader in (AYSE, PAU):
        assert canary("Ferry") in stage.mail(reader, "Ferry").text
    stage.set_clock("2026-10-31T04:59:58+00:00")
    waiting = eventually(lambda: json.loads(stage.command("status", "--json"))["waiting"], "the bulletin waits")
    assert "approval" in stage.command("status")
    assert stage.mails(BEA) == []
    stage.write("ferry.md", long_story("Ferry", deck="The deck that was approved"))
    eventually(lambda: "approved" in str(live.entries("/feeds/all.atom")["Ferry"]), "the second edit is out")
    stage.command("issues", "release", str(waiting[0]))
    assert "The deck that was approved" in stage.mail(BEA, "approved").text
    told = {(one["newsletter"], one["recipients"]): one for one in foretold if one["recipients"]}
    assert set(told) == {("daily", 2), ("bulletin", 1)}
    assert [re.sub(":.*", "", reason) for reason in told["bulletin", 1]["held"]] == ["approval"]  # type: ignore[attr-defined]
