"""The database's server is killed under the running service: it says so, and is back by itself when the server is."""

import time
from collections import Counter
from pathlib import Path

from acceptance.running import eventually, publisher, running
from acceptance.test_stop import sinking
from mortal_server import mortal_server
from publications import AGENCY, make_publication, story, write

READERS = 80
BACK_SECONDS = 30.0


def test_the_service_is_back_by_itself_after_its_database_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "sink.log"
    log.touch()
    folder = make_publication(tmp_path / "wire", AGENCY)
    people = "email,newsletters,products\n" + "".join(f"r{n}@reader.example,alerts,*\n" for n in range(READERS))
    (tmp_path / "people.csv").write_text(people)

    def arrived() -> list[str]:
        return [line.split()[0] for line in log.read_text().splitlines()]

    with mortal_server() as server, sinking(log, 0.1) as relay:
        settings = {**relay, "PUBLISHER_DATABASE__URL": server.url}
        publisher("subscribers", "import", str(tmp_path / "people.csv"), "--confirmed", folder=folder, **settings)
        with running(folder, **settings) as service:
            write(folder, "flash.md", story("Flash", urgency="flash", section="economy"))
            listed = lambda: publisher("issues", "list", folder=folder, **settings).stdout  # noqa: E731
            eventually(lambda: "held" in listed(), "the first issue is held")
            assert service.get("/readyz").status == 200
            publisher("issues", "release", "1", folder=folder, **settings)
            eventually(lambda: len(arrived()) >= READERS // 8, "the first mails")
            server.kill()
            answer = service.get("/readyz")
            assert (answer.status, list(answer.json()["faults"])) == (503, ["database"])
            assert service.get("/healthz").status == 200
            time.sleep(1)
            assert len(arrived()) < READERS
            back = server.start()
            eventually(lambda: service.get("/readyz").status == 200, "it is ready again", BACK_SECONDS)
            eventually(lambda: len(set(arrived())) == READERS, "everybody has the mail", BACK_SECONDS)
            assert time.monotonic() - back < BACK_SECONDS
            assert service.stop() == 0
    assert set(Counter(arrived()).values()) == {1}
