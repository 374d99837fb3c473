"""DNS and the web as others see us, asked of real servers on loopback."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from name_server import name_server
from publisher.errors import UnreachableError
from publisher.probes.names import NameServers
from publisher.probes.website import Website


async def test_texts_are_joined_and_a_name_that_is_not_there_has_none() -> None:
    records = {
        ("flow.press", "TXT"): ['"v=spf1 -all"', '"one " "and the same"'],
        ("flow.press", "MX"): ["20 second.press.", "10 first.press."],
        ("none.press", "MX"): ["0 ."],
    }
    with name_server(records) as port:
        names = NameServers(["127.0.0.1"], port)
        assert sorted(await names.texts("flow.press")) == ["one and the same", "v=spf1 -all"]
        assert await names.exchangers("flow.press") == ("first.press", "second.press")
        assert await names.exchangers("none.press") == (".",)
        assert await names.texts("none.press") == ()
        assert await names.texts("nowhere.press") == ()


async def test_a_name_server_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("publisher.probes.names._SECONDS", 0.2)
    with name_server({}) as port:
        pass  # nobody listens there any more
    with pytest.raises(UnreachableError, match=r"flow\.press"):
        await NameServers(["127.0.0.1"], port).texts("flow.press")


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/moved": 301, "/broken": 500}.get(self.path, 200)
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "https://elsewhere.press/")
        self.end_headers()
        self.wfile.write(b"here we are")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Page) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


async def test_an_answer_is_told_whatever_it_is_and_a_redirect_is_not_followed(server: HTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    good, moved, broken = [await Website().get(url + path) for path in ("/", "/moved", "/broken")]
    assert (good.status, good.body, good.at is not None) == (200, b"here we are", True)
    assert (moved.status, moved.location) == (301, "https://elsewhere.press/")
    assert broken.status == 500


async def test_nobody_there_and_a_wrong_certificate_are_unreachable(server: HTTPServer, tmp_path: object) -> None:
    with HTTPServer(("127.0.0.1", 0), _Page) as gone:
        port = gone.server_port
    with pytest.raises(UnreachableError, match="refused"):
        await Website().get(f"http://127.0.0.1:{port}/")
    with pytest.raises(UnreachableError):
        await Website().get(f"https://127.0.0.1:{server.server_port}/")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tls")
    import subprocess

    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
         "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-days", "2"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with HTTPServer(("127.0.0.1", 0), _Page) as made:
        made.socket = context.wrap_socket(made.socket, server_side=True)
        thread = threading.Thread(target=made.handle_request)
        thread.start()
        with pytest.raises(UnreachableError, match="certificate is not valid"):
            await Website().get(f"https://localhost:{made.server_port}/")
        thread.join()
