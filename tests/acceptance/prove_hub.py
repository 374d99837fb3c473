"""`make prove-hub`: a saved file reaches a subscriber by Flask-WebSub, which others wrote, and how soon."""

import hashlib
import hmac
import os
import socket
import statistics
import subprocess
import time
from pathlib import Path

from acceptance.running import ask, eventually, running
from acceptance.test_websub import CONFIG
from hubs import callback
from ports import free_port
from publications import make_publication, story, write

_PROGRAM = Path(__file__).parents[1] / "flask_hub.py"
_SAVES = 10


def test_a_hub_of_others_serves_the_new_bytes(tmp_path: Path) -> None:
    """It verifies the subscriber, fetches what it is told of, and hands the very bytes on, signed."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/hub"
    folder = make_publication(tmp_path / "site", CONFIG.format(hub=url))
    log = (tmp_path / "hub.log").open("w")
    hub = subprocess.Popen([os.environ["HUB_PYTHON"], _PROGRAM, str(port), tmp_path / "hub.db"], stdout=log, stderr=log)
    try:
        eventually(lambda: _listens(port), "the hub")
        with running(folder) as service, callback() as (address, handed):
            topic = f"{service.url}/feeds/all.atom"
            form = {"hub.mode": "subscribe", "hub.topic": topic, "hub.callback": address, "hub.secret": "s3cret"}
            assert ask(url, form).status == 202
            metric = f'publisher_hub_feeds_waiting{{hub="{url}"}} 0.0'
            waits = []
            for number in range(_SAVES):
                eventually(lambda: metric in service.get("/metrics").text, "a hub that has heard of all there is")
                handed.clear()
                write(folder, f"s{number}.md", story(f"Story {number}"))
                saved = time.monotonic()
                while not any(f"Story {number}".encode() in body for body, _ in handed):
                    assert time.monotonic() - saved < 60
                    time.sleep(0.005)
                waits.append(time.monotonic() - saved)
                body, signature = handed[-1]
                assert body == service.get("/feeds/all.atom").body
                assert signature == "sha512=" + hmac.new(b"s3cret", body, hashlib.sha512).hexdigest()
            print(f"\nfrom the save to the subscriber: {statistics.median(waits):.2f} s, {max(waits):.2f} at most")
    finally:
        hub.terminate()
        hub.wait()
        log.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
