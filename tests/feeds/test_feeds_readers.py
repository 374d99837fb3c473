"""A real feed reader fetches the documents over HTTP and shows what was written."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import feedparser_sgmllib
import pytest
from feed_samples import AUDIO, CANARY, feed, full, summary
from reader import Reader, make_reader

from publisher.feeds import FORMATS, Format

# reader 3.26 asks for the old name of this module, which its own dependency has replaced.
sys.modules.setdefault("sgmllib", feedparser_sgmllib)

PUBLIC = summary(id="tag:news.example.org,2026-03-08:summary", language="tr")
WHOLE = full(id="tag:news.example.org,2026-03-08:full", enclosures=(AUDIO,))
SECRET = full(id="tag:news.example.org,2026-03-08:secret", url=None, summary="", deck="", key_points=())


class _Feeds(BaseHTTPRequestHandler):
    """Serves the sample in every format, each with its own media type."""

    def do_GET(self) -> None:
        entry = next(f for f in FORMATS.values() if self.path.endswith(f".{f.extension}"))
        document = entry.render(feed(PUBLIC, WHOLE, SECRET))
        self.send_response(200)
        self.send_header("Content-Type", entry.content_type)
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Feeds)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def subscriber() -> Iterator[Reader]:
    with make_reader(":memory:") as reader:
        yield reader


@pytest.mark.parametrize("entry", FORMATS.values(), ids=FORMATS)
def test_a_reader_subscribes_and_shows_the_entries(entry: Format, site: str, subscriber: Reader):
    address = f"{site}/feeds/all.{entry.extension}"
    subscriber.add_feed(address)
    subscriber.update_feed(address)
    assert subscriber.get_feed(address).title == "Example News Flow"
    shown = {e.id: e for e in subscriber.get_entries()}
    assert shown.keys() == {PUBLIC.id, WHOLE.id, SECRET.id}
    assert {e.published for e in shown.values()} == {PUBLIC.published_at}
    assert {e.updated for e in shown.values()} == {PUBLIC.updated_at}
    assert shown[PUBLIC.id].link == PUBLIC.url
    assert "Contact us" in repr((shown[PUBLIC.id].summary, shown[PUBLIC.id].content))
    assert CANARY not in repr((shown[PUBLIC.id].summary, shown[PUBLIC.id].content))
    for whole in (WHOLE, SECRET):
        content = shown[whole.id].get_content(prefer_summary=False)
        assert content is not None
        assert CANARY in content.value
        assert content.is_html
    assert [e.href for e in shown[WHOLE.id].enclosures if e.type == AUDIO.media_type] == [AUDIO.url]


@pytest.mark.parametrize("entry", FORMATS.values(), ids=FORMATS)
def test_a_second_look_brings_nothing_new(entry: Format, site: str, subscriber: Reader):
    address = f"{site}/feeds/all.{entry.extension}"
    subscriber.add_feed(address)
    first = subscriber.update_feed(address)
    second = subscriber.update_feed(address)
    assert first is not None
    assert first.new == 3
    assert second is None or (second.new, second.modified) == (0, 0)
