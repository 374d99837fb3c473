"""Three nodes on one PostgreSQL, each a process with a folder of its own: one dies, and then the server."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from acceptance.running import PATIENCE_SECONDS, ask, eventually, publisher, running
from acceptance.test_stop import sinking
from mortal_server import mortal_server
from ports import free_port
from publications import AGENCY, make_publication, story, write

READERS = 240
CONNECTIONS = 4
"""Per node."""
AT_ONCE = 16 * CONNECTIONS
"""What a node claims ahead."""


def joined(first: Path, folder: Path) -> Path:
    """Makes the folder of a node that joins, as docs/running.md says: config and key of the first, no stories."""
    make_publication(folder, AGENCY)
    (folder / "var").mkdir(mode=0o700)
    shutil.copy(first / "var" / "secret.key", folder / "var" / "secret.key")
    return folder


@contextmanager
def working(folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Runs a worker until the end of the block."""
    log = folder.parent / f"{folder.name}.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "publisher", "-C", str(folder), "worker"],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            env={**os.environ, **environment},
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "sending from here" in line, f"did not start: {line}{log.read_text()}"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def asked(url: str, query: str) -> int:
    """Returns the number that the database answers with."""
    with psycopg.connect(url) as connection:
        found = connection.execute(query.encode()).fetchone()
    assert found is not None
    return int(found[0])


def test_nodes_share_one_publication_and_none_of_them_is_needed(tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    log.touch()
    first = make_publication(tmp_path / "first", AGENCY)
    people = "email,newsletters,products\n" + "".join(f"r{n}@reader.example,alerts,*\n" for n in range(READERS))
    (tmp_path / "people.csv").write_text(people)
    write(first, "old.md", story("An old story", section="economy"))

    def arrived() -> list[str]:
        return [line.split()[0] for line in log.read_text().splitlines()]

    def told() -> str:
        return "".join(log.read_text() for log in tmp_path.glob("second-*.log"))

    def looked() -> list[str]:
        lines = [json.loads(line) for line in told().splitlines() if line[:1] + line[-1:] == "{}"]
        events = [line["event"] for line in lines if line.get("action") == "requests"]
        return [event.removeprefix("scheduler.") for event in events]

    with mortal_server() as server, sinking(log, 0.5) as relay:
        settings: dict[str, Any] = {
            **relay,
            "PUBLISHER_DATABASE__URL": server.url,
            "PUBLISHER_SITE__URL": f"http://127.0.0.1:{free_port()}",
            "PUBLISHER_DELIVERY__CONNECTIONS": str(CONNECTIONS),
        }
        publisher("subscribers", "import", str(tmp_path / "people.csv"), "--confirmed", folder=first, **settings)
        own_port = free_port()
        health = f"http://127.0.0.1:{own_port}"
        second, third = joined(first, tmp_path / "second"), joined(first, tmp_path / "third")
        with (
            running(first, **settings) as one,
            running(second, **settings) as two,
            working(third, **settings, PUBLISHER_HTTP__WORKER_PORT=str(own_port)) as worker,
        ):
            assert two.get("/articles/old/").status == 200  # its own folder is empty, and tells nothing
            write(first, "flash.md", story("Flash", urgency="flash", section="economy"))
            eventually(lambda: two.get("/articles/flash/").status == 200, "the other node shows the story")
            eventually(lambda: asked(server.url, "SELECT count(*) FROM issues WHERE state = 'held'"), "a held issue")
            assert two.get("/readyz").status == ask(f"{health}/readyz").status == 200
            assert (ask(f"{health}/healthz").status, ask(f"{health}/feeds/all.rss").status) == (200, 404)
            # Beside us: on a busy machine the mails could be gone before the command has ended.
            releasing = threading.Thread(
                target=publisher, args=("issues", "release", "1"), kwargs={"folder": second, **settings}
            )
            releasing.start()
            in_hand = "SELECT count(DISTINCT boot_id) FROM deliveries"
            eventually(
                lambda: len(arrived()) >= READERS // 6 and asked(server.url, in_hand) > 1, "mail of several nodes"
            )
            releasing.join()
            one.kill()
            server.kill()
            answer = two.get("/readyz")
            assert (answer.status, list(answer.json()["faults"])) == (503, ["database"])
            assert two.get("/healthz").status == 200
            answer = ask(f"{health}/readyz")
            assert (answer.status, list(answer.json()["faults"])) == (503, ["database"])
            assert len(set(arrived())) < READERS
            eventually(lambda: "waiting" in looked(), "a look for wishes that waits for the server")
            server.start()
            eventually(lambda: two.get("/readyz").status == 200, "it is ready again")
            eventually(lambda: ask(f"{health}/readyz").status == 200, "the worker as well")
            eventually(lambda: len(set(arrived())) >= READERS - AT_ONCE, "all but what the dead node had")
            assert worker.poll() is None
            # The dead node is started again: it knows at once what it had, and nobody has waited for its leases.
            with running(first, **settings, PUBLISHER_DELIVERY__RESEND_AFTER="1s") as again:
                eventually(lambda: len(set(arrived())) == READERS, "everybody has the mail")
                assert again.get("/articles/old/").status == 200
                assert two.get("/articles/old/").status == 200
            eventually(lambda: looked()[-1] == "goes_on", "the look for wishes again")
            assert two.stop() == 0
            worker.terminate()
            assert worker.wait(PATIENCE_SECONDS) == 0
    assert looked() == ["waiting", "goes_on"]
    assert "Traceback" not in told()
    copies = Counter(arrived())
    assert max(copies.values()) <= 2
    assert sum(copies.values()) - READERS <= CONNECTIONS
