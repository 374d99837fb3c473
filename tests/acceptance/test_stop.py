"""How the service ends while a relay keeps it waiting: at the second word, at once."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from acceptance.running import PATIENCE_SECONDS, eventually, publisher, running
from publications import AGENCY, make_publication, story, write

SINK = Path(__file__).parents[1] / "delivery" / "sink_process.py"


def test_a_second_sigterm_ends_what_the_first_lets_end(tmp_path: Path) -> None:
    """The first waits for the relay's answer; after the second the mail is uncertain and nobody is lost."""
    log = tmp_path / "sink.log"
    sink = subprocess.Popen([sys.executable, str(SINK), str(log), "300"], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    relay = {
        "PUBLISHER_SMTP__SANDBOX": "false",
        "PUBLISHER_SMTP__PORT": sink.stdout.readline().strip(),
        "PUBLISHER_SMTP__SENDER": "Wire <news@wire.example>",
    }
    folder = make_publication(tmp_path / "wire", AGENCY)
    try:
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
    finally:
        sink.kill()
        sink.wait()
        sink.stdout.close()
