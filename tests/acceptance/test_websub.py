"""A saved file reaches subscribers by way of a hub: the service, a hub and a subscriber on loopback."""

import hashlib
import hmac
import json
from pathlib import Path

from acceptance.running import ask, eventually, publisher, running
from hubs import callback, hub
from ports import free_port
from publications import make_publication, story, write

CONFIG = """
[site]
title = "Harbour"
url = "http://127.0.0.1:8000"

[articles]
delete_grace = "1s"

[websub]
hubs = ["{hub}"]
"""


def test_a_save_reaches_a_subscriber_by_the_hub(tmp_path: Path) -> None:
    """The hub finds the new bytes when it is told; one that is away harms nothing, and is seen."""
    port = free_port()
    folder = make_publication(tmp_path / "site", CONFIG.format(hub=f"http://127.0.0.1:{port}/"))
    with running(folder) as service:
        topic = f"{service.url}/feeds/all.atom"
        answer = service.get("/feeds/all.atom")
        assert answer.headers["link"] == f'<http://127.0.0.1:{port}/>; rel="hub", <{topic}>; rel="self"'
        with hub(port) as there, callback() as (address, handed):
            form = {"hub.mode": "subscribe", "hub.topic": topic, "hub.callback": address, "hub.secret": "s3cret"}
            assert ask(there.url, form).status == 202
            metric = f'publisher_hub_feeds_waiting{{hub="{there.url}"}} 0.0'
            eventually(lambda: metric in service.get("/metrics").text, "a hub that has heard of all there is")
            write(folder, "ferry.md", story("The ferry is back"))
            eventually(lambda: handed, "what the hub hands on")
            body, signature = handed[0]
            assert b"The ferry is back" in body
            assert body == there.fetched[topic][0] == service.get("/feeds/all.atom").body
            assert signature == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
            eventually(lambda: metric in service.get("/metrics").text, "all told")
            assert len(there.topics) == len(set(there.topics))
        write(folder, "bridge.md", story("The bridge is open"))
        eventually(lambda: b"The bridge is open" in service.get("/feeds/all.rss").body, "the story in the feed")
        failing = f'publisher_hub_failing{{hub="http://127.0.0.1:{port}/"}} 1.0'
        eventually(lambda: failing in service.get("/metrics").text, "a hub that fails")
        assert service.get("/readyz").status == 200
        [state] = json.loads(publisher("status", "--json", folder=folder).stdout)["hubs"]
        assert state["waiting"] > 0
        assert state["error"]
        assert "changed feeds wait" in publisher("status", folder=folder).stdout
        assert service.stop() == 0
