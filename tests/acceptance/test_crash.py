"""The service is killed while mail goes out to a mail server of its own process, whose log is the only judge."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.running import eventually, publisher, running
from publications import AGENCY, make_publication, story, write

RECIPIENTS = 300
CONNECTIONS = 4
SECONDS = 0.05
"""What the server takes for a mail: without that all would have arrived before anybody could be killed."""
SINK = Path(__file__).parents[1] / "delivery" / "sink_process.py"


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A mail server that takes everything: its port and its log."""
    log = tmp_path / "sink.log"
    log.touch()
    process = subprocess.Popen([sys.executable, str(SINK), str(log), str(SECONDS)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline()), log
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_killed_service_loses_nobody(tmp_path: Path, sink: tuple[int, Path]) -> None:
    """After two kills everybody has the mail, under one Message-ID each; at most the open transactions twice."""
    port, log = sink
    folder = make_publication(tmp_path / "wire", AGENCY)
    people = "email,newsletters,products\n" + "".join(f"r{n}@reader.example,alerts,*\n" for n in range(RECIPIENTS))
    (tmp_path / "people.csv").write_text(people)
    publisher("subscribers", "import", str(tmp_path / "people.csv"), "--confirmed", folder=folder)
    relay = {
        "PUBLISHER_SMTP__SANDBOX": "false",
        "PUBLISHER_SMTP__PORT": str(port),
        "PUBLISHER_SMTP__SENDER": "Wire <news@wire.example>",
        "PUBLISHER_DELIVERY__CONNECTIONS": str(CONNECTIONS),
        "PUBLISHER_DELIVERY__RESEND_AFTER": "1s",
    }

    def arrived() -> list[tuple[str, str]]:
        return [(line.split()[0], line.split()[1]) for line in log.read_text().splitlines()]

    def issues() -> list[dict[str, object]]:
        listed = publisher("issues", "list", "--json", folder=folder, **relay)
        found = json.loads(listed.stdout)
        return list(found if isinstance(found, list) else found["issues"])

    with running(folder, **relay) as service:
        write(folder, "flash.md", story("Flash", urgency="flash", section="economy"))
        eventually(lambda: [issue for issue in issues() if issue["state"] == "held"], "the first issue is held")
        assert arrived() == []
        publisher("issues", "release", "1", folder=folder, **relay)
        eventually(lambda: len(arrived()) >= RECIPIENTS // 10, "the first mails")
        service.kill()
    first = len(arrived())
    assert first < RECIPIENTS, "killed too late to show anything"
    with running(folder, **relay) as service:
        eventually(lambda: len(arrived()) >= first + RECIPIENTS // 10, "more mails after the first kill")
        service.kill()
    with running(folder, **relay) as service:
        eventually(lambda: len({who for who, _ in arrived()}) == RECIPIENTS, "everybody has the mail")
        eventually(lambda: [issue for issue in issues() if issue["state"] == "done"], "the issue is done")
        assert service.stop() == 0
    identities = defaultdict(set)
    for who, identity in arrived():
        identities[who].add(identity)
    copies = Counter(who for who, _ in arrived())
    assert all(len(found) == 1 for found in identities.values())
    assert len({identity for found in identities.values() for identity in found}) == RECIPIENTS
    assert max(copies.values()) <= 2
    assert sum(copies.values()) - RECIPIENTS <= 2 * CONNECTIONS
