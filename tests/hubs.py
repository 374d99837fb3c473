"""A WebSub hub on loopback (W3C WebSub): it verifies who subscribes, fetches what it is told of, and hands it on."""

import hashlib
import hmac
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Hub:
    """What a hub was told and what it did."""

    url: str = ""
    status: int = 204
    """With which it answers an announcement."""
    topics: list[str] = field(default_factory=list)
    fetched: dict[str, list[bytes]] = field(default_factory=dict)
    """What it found at each topic when it was told of it."""
    subscribers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Callback and secret, by topic."""

    def announced(self, form: dict[str, str]) -> None:
        """Fetches a topic and distributes it (§7)."""
        topic = form["hub.url"]
        with _opener.open(topic, timeout=60) as answer:
            body, kind = answer.read(), answer.headers["content-type"]
        self.topics.append(topic)
        self.fetched.setdefault(topic, []).append(body)
        for callback, secret in self.subscribers.get(topic, []):
            signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            headers = {
                "Content-Type": kind,
                "X-Hub-Signature": signature,
                "Link": f'<{self.url}>; rel="hub", <{topic}>; rel="self"',
            }
            _opener.open(urllib.request.Request(callback, data=body, headers=headers), timeout=60).close()

    def subscribed(self, form: dict[str, str]) -> None:
        """Asks a callback whether it meant it (§5.3), and takes it."""
        asked = {"hub.mode": "subscribe", "hub.topic": form["hub.topic"], "hub.challenge": "sesame"}
        with _opener.open(f"{form['hub.callback']}?{urllib.parse.urlencode(asked)}", timeout=60) as answer:
            assert answer.read() == b"sesame"
        self.subscribers.setdefault(form["hub.topic"], []).append((form["hub.callback"], form["hub.secret"]))


@contextmanager
def hub(port: int = 0) -> Iterator[Hub]:
    """Runs a hub until the end of the block."""
    made = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            form = dict(urllib.parse.parse_qsl(text))
            status = made.status
            if form["hub.mode"] == "subscribe":
                made.subscribed(form)
                status = 202
            elif status < 300:
                made.announced(form)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with _serving(Handler, port) as made.url:
        yield made


@contextmanager
def callback() -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """Runs a subscriber's end; gives its address and what it was handed, each with its signature."""
    handed: list[tuple[bytes, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
            self._answer(asked["hub.challenge"].encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            handed.append((body, self.headers["x-hub-signature"]))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with _serving(Handler, 0) as url:
        yield url, handed


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], port: int) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
