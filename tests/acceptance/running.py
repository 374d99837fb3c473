"""Drives the installed command as a user does: a process, a port, files and forms."""

import email
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, TypeVar

from ports import free_port

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""Long, for machines are slow and shared: a test fails because something does not happen, not because it is late."""


def publisher(
    *arguments: str, folder: Path, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "publisher", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=PATIENCE_SECONDS * 2,
    )
    if check:
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def eventually(look: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Returns what `look` finds as soon as it finds anything."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def ask(url: str, form: dict[str, str] | list[tuple[str, str]] | None = None, **headers: str) -> Answer:
    """Gets a page, or posts a form."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=data, headers=named)
    try:
        with _opener.open(request, timeout=PATIENCE_SECONDS) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@dataclass(frozen=True)
class Running:
    """A service and its folder."""

    folder: Path
    url: str
    process: "subprocess.Popen[str]"

    def get(self, path: str, **headers: str) -> Answer:
        return ask(self.url + path, **headers)

    def mails(self, recipient: str) -> list[EmailMessage]:
        """Returns what the sandbox caught for somebody, oldest first."""
        paths = sorted((self.folder / "var" / "inbox").glob("*.eml"))
        found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in paths]
        return [mail for mail in found if recipient in str(mail["To"])]  # type: ignore[misc]

    def kill(self) -> None:
        """Kills the process, as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Asks the service to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_SECONDS)


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Running]:
    """Runs the service until the end of the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = (folder.parent / f"{folder.name}-{port}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", "-C", str(folder), "run"],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "PUBLISHER_SITE__URL": url, "PUBLISHER_HTTP__PORT": str(port), **environment},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert f"127.0.0.1:{port}" in line, f"did not start: {line}{Path(log.name).read_text()}"
        yield Running(folder, url, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        log.close()


def form_fields(page: str) -> dict[str, str]:
    """Returns the hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return dict(found)


def press_sign_up(site: str, fields: dict[str, str]) -> None:
    """Presses the form's button until it is taken: one that was shown a moment ago asks for one more press."""
    eventually(lambda: ask(f"{site}/subscribe", fields, origin=site).status == 202, "the form to be taken")


def link_in(mail: EmailMessage, part: str) -> str:
    """Returns the first address in a mail's text that contains `part`."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(rf"https?://\S*{re.escape(part)}\S*", body.get_content())
    assert found is not None, body.get_content()
    return found[0]
