"""How the service, and a command that sends, end when they are told to: no sooner than what is under way."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acceptance.running import PATIENCE_SECONDS, eventually, publisher, running
from publications import AGENCY, make_publication, story, write

SINK = Path(__file__).parents[1] / "delivery" / "sink_process.py"
READERS = 60


@contextmanager
def sinking(log: Path, seconds: float) -> Iterator[dict[str, str]]:
    """Runs a relay that takes so long for an answer; yields the settings of a publication that mails to it."""
    sink = subprocess.Popen([sys.executable, str(SINK), str(log), str(seconds)], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    try:
        yield {
            "PUBLISHER_SMTP__SANDBOX": "false",
            "PUBLISHER_SMTP__PORT": sink.stdout.readline().strip(),
            "PUBLISHER_SMTP__SENDER": "Wire <news@wire.example>",
        }
    finally:
        sink.kill()
        sink.wait()
        sink.stdout.close()


def test_a_second_sigterm_ends_what_the_first_lets_end(tmp_path: Path) -> None:
    """The first waits for the relay's answer; after the second the mail is uncertain and nobody is lost."""
    log = tmp_path / "sink.log"
    folder = make_publication(tmp_path / "wire", AGENCY)
    with sinking(log, 300) as relay:
        publisher("subscribers", "add", "a@reader.example", "--confirmed", "--newsletters", "alerts", folder=folder)
        with running(folder, **relay) as service:
            write(folder, "flash.md", story("Flash", urgency="flash", section="economy"))
            listed = lambda: publisher("issues", "list", folder=folder, **relay).stdout  # noqa: E731
            eventually(lambda: "held" in listed(), "the first issue is held")
            publisher("issues", "release", "1", folder=folder, **relay)
            eventually(lambda: log.exists() and log.read_text(), "the mail is on the wire")
            service.process.send_signal(signal.SIGTERM)
            time.sleep(2)
            assert service.process.poll() is None
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=PATIENCE_SECONDS) == -signal.SIGTERM


def test_a_send_that_is_told_to_stop_lets_transactions_end_and_is_gone_on_with(tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    folder = make_publication(tmp_path / "wire", AGENCY)
    people = "email,newsletters,products\n" + "".join(f"r{n}@reader.example,alerts,*\n" for n in range(READERS))
    (tmp_path / "people.csv").write_text(people)
    publisher("subscribers", "import", str(tmp_path / "people.csv"), "--confirmed", folder=folder)
    write(folder, "flash.md", story("Flash", urgency="flash", section="economy"))
    command = ("send", "alerts", "--since", "2020-01-01T00:00Z", "--yes", "--json")
    with sinking(log, 0.2) as relay:
        sending = subprocess.Popen(
            [sys.executable, "-m", "publisher", "-C", str(folder), *command],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **relay},
        )  # fmt: skip
        eventually(lambda: log.exists() and len(log.read_text().splitlines()) > 5, "mail goes out")
        sending.send_signal(signal.SIGTERM)
        _, said = sending.communicate(timeout=PATIENCE_SECONDS)
        assert (sending.returncode, "run the same command again" in said) == (130, True), said
        arrived = log.read_text().splitlines()
        assert len(arrived) < READERS
        assert _states(folder) == {"accepted": len(arrived), "pending": READERS - len(arrived)}
        told = json.loads(publisher(*command, folder=folder, **relay).stdout)
    assert (told["issue"], told["accepted"]) == (1, READERS)
    copies = Counter(line.split()[0] for line in log.read_text().splitlines())
    assert set(copies.values()) == {1}
    assert len(copies) == READERS


def _states(folder: Path) -> dict[str, int]:
    connection = sqlite3.connect(folder / "var" / "publisher.db")
    try:
        return dict(connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())
    finally:
        connection.close()
