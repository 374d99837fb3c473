"""A publication on a stage: its folder, a clock that the test moves, and a relay that is the judge of all mail."""

import email
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import feedparser

from acceptance import relay_process, shifted
from acceptance.running import PATIENCE_SECONDS, Answer, ask, eventually
from nursery import process
from ports import free_port
from publications import make_publication, write

CONFIG = """
[site]
title = "Harbour Wire"
language = "en"
languages = ["en", "tr"]
timezone = "Europe/Istanbul"
contact = "mailto:desk@wire.example"

[articles]
access = "summary"
on_delete = "withdraw"

[[sections]]
id = "asia-pacific"
title = { en = "Asia - Pacific", tr = "Asya - Pasifik" }

[[sections]]
id = "economy"
title = { en = "Economy", tr = "Ekonomi" }

[[sections]]
id = "isles-north"
title = "Isles - North"

[[sections]]
id = "sport"
title = { en = "Sport", tr = "Spor" }

[[products]]
id = "asia"
title = { en = "Asia desk", tr = "Asya masası" }
sections = ["asia-pacific"]

[[products]]
id = "sport"
title = { en = "Sport desk", tr = "Spor masası" }
sections = ["sport"]

[[newsletters]]
id = "daily"
title = { en = "Daily digest", tr = "Günlük bülten" }
audience = "subscribers"
open = true
schedule = "daily 07:00"
grace = "0s"

[[newsletters]]
id = "alerts"
title = { en = "Alerts", tr = "Son dakika" }
audience = "subscribers"
open = true
schedule = "instant"

[[newsletters]]
id = "bulletin"
title = { en = "Bulletin", tr = "Bülten" }
audience = "public"
schedule = "daily 08:00"
grace = "0s"

[[newsletters]]
id = "weekly"
title = { en = "Weekly", tr = "Haftalık" }
audience = "public"
schedule = "weekly sun 23:00"

[smtp]
sandbox = false
sender = "Harbour Wire <news@wire.example>"

[delivery]
retry_after = "2s"
resend_after = "2s"
"""

OPENING = """---
title: The wire opens
date: 2026-09-01T09:00:00+03:00
section: economy
access: public
---

The harbour office opens its wire.
"""


@dataclass(frozen=True)
class Sent:
    """One mail that reached the relay, and what the relay said to it."""

    recipient: str
    at: float
    """When, in the machine's own seconds."""
    answer: str
    raw: bytes

    @property
    def accepted(self) -> bool:
        return self.answer.startswith("250")

    @property
    def message(self) -> EmailMessage:
        found: EmailMessage = email.message_from_bytes(self.raw, policy=default)  # type: ignore[assignment]
        return found

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None, f"no {kind} part"
        return str(body.get_content())

    @property
    def text(self) -> str:
        return self.part("plain")

    @property
    def html(self) -> str:
        return self.part("html")

    @property
    def words(self) -> str:
        """All that somebody could read of it: headers and both parts, decoded."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.message.items())
        return "\n".join([headers, self.text, self.html])


class Forked:
    """A process that was forked from one which has everything loaded."""

    def __init__(self, work: Callable[..., object], *arguments: object) -> None:
        self._process = process(work, *arguments)

    def poll(self) -> int | None:
        """Returns its exit code; None: it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Returns its exit code once it has ended."""
        self._process.join(timeout)
        code = self.poll()
        assert code is not None, "it does not end"
        return code

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kills it, as a power cut does."""
        self.send_signal(signal.SIGKILL)
        self.wait()


@dataclass(frozen=True)
class Live:
    """The service as it runs on the stage."""

    stage: "Stage"
    process: Forked

    @property
    def url(self) -> str:
        return self.stage.url

    def get(self, path: str, **headers: str) -> Answer:
        return ask(path if path.startswith("http") else self.url + path, **headers)

    def entries(self, path: str) -> dict[str, feedparser.FeedParserDict]:
        """Returns a feed's entries by title."""
        answer = self.get(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        parsed = feedparser.parse(answer.body)
        assert not parsed.bozo, f"{path}: {parsed.get('bozo_exception')}"
        return {entry.title: entry for entry in parsed.entries}

    def kill(self) -> None:
        """Kills the process, as a power cut does."""
        self.process.kill()

    def stop(self) -> None:
        """Asks the service to stop, and expects it to do so cleanly."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=PATIENCE_SECONDS) == 0


class Stage:
    """One publication that mails for real, to a relay of the test's own."""

    def __init__(self, folder: Path, config: str, relay_port: int, mails: Path, **environment: str) -> None:
        self.folder = make_publication(folder, config)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.logs = folder.with_name(f"{folder.name}.log")
        self.logs.touch()
        self._mails = mails
        self._count = itertools.count()
        self._offset = folder.with_name(f"{folder.name}.offset")
        self._environment = {
            **os.environ,
            "PUBLISHER_SITE__URL": self.url,
            "PUBLISHER_HTTP__PORT": str(self.port),
            "PUBLISHER_SMTP__PORT": str(relay_port),
            **environment,
        }
        self.set_clock("2026-10-19T12:00:00+03:00")

    # Time -------------------------------------------------------------------------------------------------------------

    def set_clock(self, moment: str) -> None:
        """Sets the publication's clock; it goes on from there."""
        self._say(str(datetime.fromisoformat(moment).timestamp() - time.time()))

    def stop_clock(self, moment: datetime) -> None:
        """Sets the publication's clock, which then stands until it is set again."""
        self._say(f"={moment.timestamp()}")

    def _say(self, what: str) -> None:
        made = self._offset.with_suffix(".tmp")
        made.write_text(what)
        made.replace(self._offset)

    def now(self) -> datetime:
        """Returns the publication's present moment."""
        return datetime.fromtimestamp(time.time() + float(self._offset.read_text()), UTC)

    def go_round(self) -> None:
        """Returns once the service has seen what is so now, and again some seconds later by its clock."""
        for seconds in (0, 6):
            self._say(str(float(self._offset.read_text()) + seconds))
            for _ in range(2):  # the first may have begun before
                seen = self._rounds()
                eventually(lambda seen=seen: all(map(int.__gt__, self._rounds(), seen)), "a round")

    def _rounds(self) -> list[int]:
        files = [self._offset.with_suffix(name) for name in ("._plan", "._refresh")]
        return [file.stat().st_size if file.exists() else 0 for file in files]

    def moment(self, sent: Sent) -> datetime:
        """Returns when a mail came, by the present setting of the publication's clock."""
        return datetime.fromtimestamp(sent.at + float(self._offset.read_text()), UTC)

    # The command ------------------------------------------------------------------------------------------------------

    def command(self, *arguments: str, exits: int = 0) -> str:
        """Runs a command to its end, expects its exit code and returns its output."""
        done = self.run(*arguments)
        assert done.returncode == exits, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end, whatever comes of it."""
        out, said = (self.logs.with_suffix(f".{next(self._count)}") for _ in range(2))
        running = Forked(shifted.work, self._offset, ["-C", str(self.folder), *arguments], self._environment, out, said)
        code = running.wait(2 * PATIENCE_SECONDS)
        with self.logs.open("a") as log:
            log.write(said.read_text())
        return subprocess.CompletedProcess(arguments, code, out.read_text(), said.read_text())

    @contextmanager
    def running(
        self, at: str | None = None, *, rounds: float | None = 1.0, verbose: bool = False, **environment: str
    ) -> Iterator[Live]:
        """Runs the service, from a moment on, until the end of the block; `rounds` None: as often as it is made to."""
        if at is not None:
            self.set_clock(at)
        extra = environment if rounds is None else {"SHIFTED_ROUND_SECONDS": str(rounds), **environment}
        out = self.logs.with_suffix(f".{next(self._count)}")
        out.touch()
        command = ["-C", str(self.folder), "run", *(["-v"] if verbose else [])]
        running = Forked(shifted.work, self._offset, command, {**self._environment, **extra}, out, self.logs)
        try:
            eventually(lambda: "\n" in out.read_text() or running.poll() is not None, "the service's first line")
            line = out.read_text()
            assert f"127.0.0.1:{self.port}" in line, f"did not start: {line}{self.logs.read_text()}"
            yield Live(self, running)
        finally:
            running.kill()

    # People and stories -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Lets the first issue to real people go, so that no later one is held for being the first."""
        write(self.folder, "opening.md", OPENING)
        self.reader("opener@reader.example", "", "weekly")
        told = json.loads(self.command("send", "weekly", "--since", "2026-08-01T00:00Z", "--yes", "--json"))
        assert told["accepted"] == 1, told

    def reader(self, address: str, products: str, newsletters: str, *options: str) -> None:
        """Adds a reader who has confirmed."""
        self.command(
            "subscribers", "add", address, "--confirmed", "--products", products, "--newsletters", newsletters, *options
        )

    def private(self, address: str) -> str:
        """Returns a reader's folder of private feeds, under a new token."""
        url = json.loads(self.command("subscribers", "token", address, "--json"))["url"]
        return str(url).rsplit("/", 1)[0]

    def issues(self) -> list[dict[str, object]]:
        return list(json.loads(self.command("issues", "list", "--json")))

    def write(self, name: str, text: str) -> Path:
        return write(self.folder, name, text)

    # Mail -------------------------------------------------------------------------------------------------------------

    def script(self, answers: dict[str, list[str]] | None = None, pause_seconds: float = 0) -> None:
        """Tells the relay what to answer from now on."""
        made = self._mails / ".script.tmp"
        made.write_text(json.dumps({"answers": answers or {}, "pause_seconds": pause_seconds}))
        made.replace(self._mails / "script.json")

    def attempts(self) -> list[Sent]:
        """Returns every mail that was handed to the relay, accepted or not, in the order of arrival."""
        found = []
        for path in sorted(self._mails.glob("*[0-9].json")):
            told = json.loads(path.read_text())
            raw = path.with_suffix(".eml").read_bytes()
            found.append(Sent(told["recipient"], told["at"], told["answer"], raw))
        return found

    def mails(self, recipient: str) -> list[Sent]:
        """Returns the mails that the relay accepted for somebody."""
        return [sent for sent in self.attempts() if sent.accepted and sent.recipient == recipient]

    def mail(self, recipient: str, about: str) -> Sent:
        """Waits for a mail to somebody with some words in its subject or text, and returns the first."""

        def found() -> list[Sent]:
            return [sent for sent in self.mails(recipient) if about in sent.words]

        return eventually(found, f"a mail to {recipient} about {about!r}; there are: {self.told()}")[0]

    def told(self) -> list[tuple[str, str, str]]:
        """Returns who got what, in short."""
        return [(sent.recipient, sent.subject, sent.answer) for sent in self.attempts()]


@contextmanager
def relay(folder: Path, port: int = 0) -> Iterator[int]:
    """Runs the relay, at any free port or at one that is known; yields the port."""
    folder.mkdir()
    relaying = Forked(relay_process.work, folder, port)
    told = folder / "port"
    try:
        eventually(lambda: told.exists() or relaying.poll() is not None, "the relay's port")
        yield int(told.read_text())
    finally:
        relaying.kill()
