"""Two real relays, one of them dead: its newsletter waits and says why, the other is delivered whole."""

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from acceptance.running import eventually
from acceptance.stage import CONFIG, Stage, relay
from acceptance.told import long_story
from ports import free_port

BULLETIN = """id = "bulletin"
relay = "second"
"""
READERS = 12


@pytest.fixture
def second() -> int:
    """A port at which nobody answers yet."""
    return free_port()


@pytest.fixture
def environment(second: int) -> dict[str, str]:
    of = "PUBLISHER_RELAYS__SECOND__"
    server = {f"{of}HOST": "127.0.0.1", f"{of}PORT": str(second), f"{of}SECURITY": "none", f"{of}CONNECTIONS": "2"}
    return {**server, "PUBLISHER_DELIVERY__RELAY_PAUSE": "1s"}


def test_a_newsletter_whose_relay_is_dead_waits_alone(stage: Stage, second: int, tmp_path: Path) -> None:
    assert 'id = "bulletin"\n' in CONFIG
    config = stage.folder / "config.toml"
    config.write_text(config.read_text().replace('id = "bulletin"\n', BULLETIN))
    daily = [f"daily{n}@reader.example" for n in range(READERS)]
    bulletin = [f"bulletin{n}@reader.example" for n in range(READERS)]
    lists = tmp_path / "readers.csv"
    rows = [f"{address},confirmed,yes,*,daily" for address in daily]
    rows += [f"{address},confirmed,yes,*,bulletin" for address in bulletin]
    lists.write_text("\n".join(["email,status,consent,products,newsletters", *rows]))
    stage.command("subscribers", "import", str(lists))
    with stage.running() as live:
        stage.write("boats.md", long_story("Boats come home", section="economy", access="public"))
        eventually(lambda: "Boats come home" in live.entries("/feeds/all.atom"), "the story in the feed")
        stage.set_clock("2026-10-20T08:00:05+03:00")

        def state(newsletter: str) -> str:
            with closing(
                sqlite3.connect(stage.folder / "var/publisher.db")
            ) as state:  # asked often, so not by a command
                found = state.execute("SELECT state FROM issues WHERE newsletter = ?", [newsletter]).fetchone()
            return str(found[0]) if found else ""

        eventually(lambda: state("daily") == "done", "the daily is through")
        eventually(lambda: state("bulletin") == "paused", "the bulletin waits for its relay")
        assert Counter(sent.recipient for sent in stage.attempts() if "Boats" in sent.words) == Counter(daily)
        told = json.loads(stage.command("status", "--json"))
        [stop] = told["stopped"]
        assert (stop["code"], stop["relay"]) == ("relay", "second")
        assert re.search(r"relay: second: .*\(connect", stage.command("status"))
        assert b'publisher_relay_left_alone{relay="second"} 1.0' in live.get("/metrics").body
        with relay(tmp_path / "revived", second):
            eventually(lambda: state("bulletin") == "done", "the bulletin after its relay came back")
            got = [json.loads(path.read_text()) for path in sorted((tmp_path / "revived").glob("*[0-9].json"))]
            assert Counter(one["recipient"] for one in got) == Counter(bulletin)
        assert json.loads(stage.command("status", "--json"))["stopped"] == []
        assert not [sent for sent in stage.attempts() if "bulletin" in str(sent.message["List-Id"])]
