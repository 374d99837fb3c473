"""Debian's chromium, spoken to over its debugging protocol: what a page looks like once its script has run."""

import base64
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
_PATIENCE_SECONDS = 60
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Page:
    """One tab."""

    def __init__(self, address: str) -> None:
        """`address` is that of its debugging socket (RFC 6455), on loopback."""
        host, _, path = address.removeprefix("ws://").partition("/")
        name, _, port = host.partition(":")
        self._socket = socket.create_connection((name, int(port)), timeout=_PATIENCE_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._stream = self._socket.makefile("rb")
        while self._stream.readline().strip():
            pass
        self._asked = 0

    def open(self, url: str) -> None:
        """Goes to an address."""
        self._ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """Returns what an expression of the page is at this moment; None while there is no page."""
        return self._ask("Runtime.evaluate", expression=expression, returnByValue=True).get("result", {}).get("value")

    def picture(self, width: int, height: int, file: Path) -> None:
        """Writes what the page looks like in a window of a size, in pixels."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        file.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """Hangs up."""
        self._stream.close()
        self._socket.close()

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        self._send(json.dumps({"id": self._asked, "method": method, "params": parameters}).encode())
        while True:
            told = json.loads(self._receive())
            if told.get("id") == self._asked:
                return dict(told.get("result", {}))

    def _send(self, data: bytes) -> None:
        mask = os.urandom(4)
        length = struct.pack("!BH", 0x80 | 126, len(data))
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        self._socket.sendall(b"\x81" + length + mask + masked)

    def _receive(self) -> bytes:
        message = b""
        while True:
            first, second = self._stream.read(2)
            length = second & 0x7F
            if length > 125:
                layout, size = ("!H", 2) if length == 126 else ("!Q", 8)
                (length,) = struct.unpack(layout, self._stream.read(size))
            message += self._stream.read(length)
            if first & 0x80:
                return message


@contextmanager
def chromium() -> Iterator[Page]:
    """Starts a browser with one empty tab, and ends it."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
        browser = subprocess.Popen(
            [CHROMIUM, *options, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            page = Page(_socket_of(Path(profile) / "DevToolsActivePort"))
            yield page
            page.close()
        finally:
            browser.terminate()
            browser.wait(_PATIENCE_SECONDS)


def _socket_of(port_file: Path) -> str:
    """Returns the address of the first tab's debugging socket, once there is one."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if port_file.exists() and (port := port_file.read_text().partition("\n")[0]):
            with contextlib.suppress(OSError), _opener.open(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                for target in json.load(answer):
                    if target["type"] == "page":
                        return str(target["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("chromium has no tab")
