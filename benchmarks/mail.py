"""What sending costs, beside Postfix' own generator: the same mail into the same sink, all ways taking turns."""

import asyncio
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiosmtplib
import uvloop

from benchmarks import nodemailer
from publisher.app import open_app
from publisher.mail.dkim import new_key
from publisher.model.delivery import Letter
from publisher.transports.session import Relay
from publisher.transports.smtp import SmtpTransport
from tests.ledger_rows import add_issue
from tests.mtas import SINK, SOURCE, running_sink

_CONNECTIONS = 8
_MESSAGES = 4000
_MORE_MESSAGES = 20_000
"""Of which what an issue costs by itself is little."""
_ROUNDS = 5
_STORY = "Words of a story that nobody will ever read, and a few more of them.\n" * 3
_TEXT = "Dear \ue000name\ue001,\n\n" + f"{_STORY}\n" * 18 + "\ue000unsubscribe_url\ue001\n"
_HTML = (
    "<p>Dear \ue000name\ue001,</p>\n" + f"<p>{_STORY}</p>\n" * 18 + "<a href='\ue000unsubscribe_url\ue001'>out</a>\n"
)
_OCTETS = 10_000
_DISK = None
"""Where temporary files are."""
_MEMORY = "/dev/shm"
"""Where a commit costs no wait: what is left is our own."""
_SYNCS = 200
_MESSAGE = b"Subject: Twenty stories\r\n\r\n" + b"Words of a story that nobody will ever read, not even here.\r\n" * 160
_CONFIG = """
[site]
title = "Benchmark"
url = "https://bench.example"
[[newsletters]]
id = "daily"
title = "Daily"
[smtp]
host = "127.0.0.1"
port = {port}
sender = "Benchmark <news@bench.example>"
sandbox = false
hostname = "client.example"
pipelining = "{pipelining}"
[delivery]
connections = {connections}
"""
_DKIM = """
[dkim]
domain = "bench.example"
selector = "bench"
key_file = "dkim.pem"
"""


def table() -> str:
    """Returns the table of docs/benchmarks.md, and what was left out of it."""
    if not SINK.exists() or not SOURCE.exists():
        return "Sending is not measured: smtp-source and smtp-sink are missing (Debian's package postfix has them)."
    ways: dict[str, Callable[[int], tuple[float, float]]] = {
        "`smtp-source -s 8 -d`": _source,
        "aiosmtplib.send, a connection a message": _measured(_one_by_one, _MESSAGES // 8),
        "aiosmtplib, 8 connections, `sendmail`": _measured(_sendmail, _MESSAGES // 4),
        "our wire, 8 connections, line by line": _measured(partial(_wire, pipelining=False)),
        "our wire, 8 connections, pipelined": _measured(partial(_wire, pipelining=True)),
        "all of it, line by line": partial(_service, "off", _DISK),
        "all of it, pipelined": partial(_service, "auto", _DISK),
        "all of it, 16 connections": partial(_service, "auto", _DISK, connections=16),
        "all of it, 32 connections": partial(_service, "auto", _DISK, connections=32),
        "all of it, signed with RSA-2048": partial(_service, "auto", _DISK, signed=True),
        "all of it, state in memory": partial(_service, "auto", _MEMORY),
        "all of it, 32 connections, state in memory": partial(_service, "auto", _MEMORY, connections=32),
        "all of it, signed, state in memory": partial(_service, "auto", _MEMORY, signed=True),
        "all of 20,000": partial(_service, "auto", _DISK, messages=_MORE_MESSAGES),
        "all of 20,000, 32 connections": partial(_service, "auto", _DISK, connections=32, messages=_MORE_MESSAGES),
        "all of 20,000, signed": partial(_service, "auto", _DISK, signed=True, messages=_MORE_MESSAGES),
    }
    node = nodemailer.fetched()
    if isinstance(node, Path):
        text, html = _in_words(_TEXT), _in_words(_HTML)
        for signed, name in ((False, "Nodemailer's pool of 8, composed"), (True, "the same, signed with RSA-2048")):
            ways[name] = nodemailer.pool(node, _CONNECTIONS, _MESSAGES // 8, text, html, signed=signed)
    spent: dict[str, list[float]] = {way: [] for way in ways}
    shares: dict[str, list[float]] = {way: [] for way in ways}
    with running_sink() as sink:
        for _ in range(_ROUNDS):
            reference = 0.0
            for way, work in ways.items():
                cpu, wall = work(sink.port)
                reference = reference or wall
                spent[way].append(cpu * 1000)
                shares[way].append(reference / wall)
    reference = statistics.median(next(iter(spent.values())))
    lines = [f"| {_OCTETS // 1000} KB a mail | CPU ms a message | of smtp-source's CPU | of its speed |"]
    lines.append("|---|---:|---:|---:|")
    for way in ways:
        each = statistics.median(spent[way])
        lines.append(f"| {way} | {each:.3f} | {each / reference:.2f} | {statistics.median(shares[way]):.2f} |")
    lines.append(f"\nThe disk takes {_sync():.2f} ms for one fdatasync.")
    if not isinstance(node, Path):
        lines.append(f"Nodemailer was left out: {node}.")
    return "\n".join(lines)


def _in_words(text: str) -> str:
    return text.replace("\ue000name\ue001", "NAME").replace("\ue000unsubscribe_url\ue001", "URL")


def _source(port: int) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [str(SOURCE), "-s", str(_CONNECTIONS), "-m", str(_MESSAGES), "-d", "-l", str(_OCTETS), f"127.0.0.1:{port}"],
        check=True,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / _MESSAGES, wall / _MESSAGES


def _measured(
    work: Callable[[int, int], Awaitable[None]], messages: int = _MESSAGES
) -> Callable[[int], tuple[float, float]]:
    async def timed(port: int) -> tuple[float, float]:
        cpu, began = time.process_time(), time.perf_counter()
        await work(port, messages)
        return (time.process_time() - cpu) / messages, (time.perf_counter() - began) / messages

    return lambda port: asyncio.run(timed(port))


async def _shared(messages: int, senders: Iterable[Callable[[int], Awaitable[None]]]) -> None:
    numbers = iter(range(messages))

    async def sender(send: Callable[[int], Awaitable[None]]) -> None:
        for number in numbers:
            await send(number)

    await asyncio.gather(*map(sender, senders))


async def _one_by_one(port: int, messages: int) -> None:
    async def send(number: int) -> None:
        await aiosmtplib.send(
            _MESSAGE, sender="news@bench.example", recipients=[f"reader{number}@example.com"], hostname="127.0.0.1",
            port=port, start_tls=False, local_hostname="client.example",
        )  # fmt: skip

    await _shared(messages, [send] * _CONNECTIONS)


async def _sendmail(port: int, messages: int) -> None:
    clients = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="client.example")
        for _ in range(_CONNECTIONS)
    ]

    def over(client: aiosmtplib.SMTP) -> Callable[[int], Awaitable[None]]:
        async def send(number: int) -> None:
            await client.sendmail("news@bench.example", [f"reader{number}@example.com"], _MESSAGE)

        return send

    await asyncio.gather(*(client.connect() for client in clients))
    await _shared(messages, map(over, clients))
    await asyncio.gather(*(client.quit() for client in clients))


async def _wire(port: int, messages: int, *, pipelining: bool) -> None:
    relay = Relay(host="127.0.0.1", port=port, security="none", hostname="client.example", pipelining=pipelining)
    transport = SmtpTransport(relay, _CONNECTIONS)

    async def send(number: int) -> None:
        ending = await transport.send(
            Letter(
                sender="news@bench.example",
                recipient=f"reader{number}@example.com",
                message=_MESSAGE,
                transparent=True,
            ),
            _granted,
        )
        assert ending.accepted, ending

    await _shared(messages, [send] * (2 * _CONNECTIONS))
    await transport.close()


async def _granted() -> bool:
    return True


def _service(
    pipelining: str,
    place: str | None,
    port: int,
    *,
    signed: bool = False,
    connections: int = _CONNECTIONS,
    messages: int = _MESSAGES,
) -> tuple[float, float]:
    """Claims, fills, marks, sends and records, on SQLite with every commit durable, in a folder at `place`."""

    async def timed(folder: Path) -> tuple[float, float]:
        (folder / "articles").mkdir()
        (folder / "config.toml").write_text(_CONFIG.format(port=port, pipelining=pipelining, connections=connections))
        if signed:
            (folder / "dkim.pem").write_bytes(new_key())
            with (folder / "config.toml").open("a") as config:
                config.write(_DKIM)
        async with open_app(folder) as app:
            due = datetime.now(UTC) - timedelta(minutes=1)
            issue = await add_issue(app.database, range(1, messages + 1), html=_HTML, text=_TEXT, now=due)
            cpu, began = time.process_time(), time.perf_counter()
            drained = await app.delivering.drain(issue)
            spent = (time.process_time() - cpu) / messages, (time.perf_counter() - began) / messages
            assert drained.counts.accepted == messages, drained
            return spent

    made = tempfile.TemporaryDirectory(dir=place)
    with made as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as `publisher run` does
        return runner.run(timed(Path(folder)))


def _sync() -> float:
    """Returns the median milliseconds that the disk takes for an fdatasync after 32 KB."""
    spent = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(_SYNCS):
            os.pwrite(file.fileno(), b"x" * 32768, 0)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1000


if __name__ == "__main__":
    print(table())
