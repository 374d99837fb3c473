"""A 100 KB feed over HTTP: ours beside nginx with the same file, 64 connections (Debian: nginx-light, wrk).

`python -m benchmarks.serving` prints the table alone. Both have one process; wrk, in C, is the load, and its requests
are made before it starts. CPU is the server's alone, so it holds where the three of them share two cores.
"""

import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mtas import SINK, running_sink

_RUNS = 3
_SECONDS = 4
_FEED_OCTETS = 100_000
_STORIES = 50
_READERS = 40_000
"""So many mails take longer than a load does."""
_CONFIG = """
[site]
title = "Benchmark"
url = "http://127.0.0.1"
[http]
port = {port}
[[newsletters]]
id = "weekly"
title = "Weekly"
schedule = "weekly mon 07:00"
[smtp]
host = "127.0.0.1"
port = {relay}
sender = "Benchmark <news@bench.example>"
sandbox = false
hostname = "client.example"
[delivery]
connections = 8
"""
_NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  types {{ application/rss+xml rss; }}
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; root {root}; gzip_static on; }}
}}
"""
_MIX = """
local count, first, again = 0, nil, nil
init = function()
  first = wrk.format("GET", "/feeds/all.rss", {["Accept-Encoding"] = "gzip"})
  again = wrk.format("GET", "/feeds/all.rss", {["Accept-Encoding"] = "gzip", ["If-None-Match"] = '%s'})
end
request = function()
  count = count + 1
  if count % 10 == 0 then return first end
  return again
end
"""
_LOADS = ("304", "200", "90 % 304")
_SENDING = "90 % 304, an issue being sent"


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers: where, and as which process."""

    url: str
    process: int


@dataclass(frozen=True, slots=True)
class Rate:
    """What one load came to."""

    per_second: float
    p99_ms: float
    cpu_us: float
    """Of the server, a request."""


def lacking() -> str:
    """Returns which program is missing; empty: none."""
    missing = [name for name in ("nginx", "wrk") if not _program(name)]
    return ", ".join([*missing, *([] if SINK.exists() else ["smtp-sink"])])


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def table() -> str:
    """Returns the table of docs/benchmarks.md, or what is lacking for it."""
    if missing := lacking():
        return f"Serving feeds was not measured: {missing} is not installed."
    lines = [
        "| load | ours, requests/s | nginx | of nginx | p99 ours, ms | nginx | CPU ours, µs | nginx | of nginx |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {load} | {ours.per_second:,.0f} | {peer.per_second:,.0f} | {ours.per_second / peer.per_second:.2f} | "
        f"{ours.p99_ms:.1f} | {peer.p99_ms:.1f} | {ours.cpu_us:.1f} | {peer.cpu_us:.1f} | "
        f"{peer.cpu_us / ours.cpu_us:.2f} |"
        for load, ours, peer in measure()
    ]
    return "\n".join(lines)


def measure() -> list[tuple[str, Rate, Rate]]:
    """Returns (load, ours, nginx), medians of runs that take turns; what is sent is sent once, by ours."""
    with tempfile.TemporaryDirectory() as temporary, running_sink() as sink:
        folder = Path(temporary)
        _write(folder / "wire", sink.port)
        with _ours(folder / "wire") as ours, _nginx(folder, folder / "wire" / "public") as peer:
            found = []
            for load in _LOADS:
                rates: dict[Server, list[Rate]] = {ours: [], peer: []}
                for _ in range(_RUNS):
                    for server in (ours, peer):
                        rates[server].append(_load(server, load, folder))
                found.append((load, _median(rates[ours]), _median(rates[peer])))
            with _sending(folder / "wire"):
                found.append((_SENDING, _load(ours, _SENDING, folder), found[-1][2]))
            return found


def _median(rates: list[Rate]) -> Rate:
    return Rate(*(statistics.median(getattr(rate, name) for rate in rates) for name in Rate.__slots__))


def _load(server: Server, load: str, folder: Path) -> Rate:
    request = urllib.request.Request(f"{server.url}/feeds/all.rss", headers={"accept-encoding": "gzip"})
    with urllib.request.urlopen(request) as answer:
        etag = answer.headers["etag"]
    command = [str(_program("wrk")), "-t1", "-c64", f"-d{_SECONDS}s", "--latency", "-H", "Accept-Encoding: gzip"]
    if load == "304":
        command += ["-H", f"If-None-Match: {etag}"]
    elif load != "200":
        script = folder / "mix.lua"
        script.write_text(_MIX.replace("%s", etag))
        command += ["-s", str(script)]
    before = _cpu_seconds(server.process)
    said = subprocess.run([*command, f"{server.url}/feeds/all.rss"], capture_output=True, text=True, check=True).stdout
    spent = _cpu_seconds(server.process) - before
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    number = re.search(r"(\d+) requests in", said)
    assert rate is not None, said
    assert p99 is not None, said
    assert number is not None, said
    assert "Non-2xx" not in said, said
    milliseconds = float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]]
    return Rate(float(rate[1]), milliseconds, spent / int(number[1]) * 1e6)


def _cpu_seconds(process: int) -> float:
    """Returns what a process and its children have spent, ended ones not counted."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(") ")
        except OSError:
            continue
        values = fields.split()
        if process in (int(name.partition(" ")[0]), int(values[1])):
            ticks += int(values[11]) + int(values[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _write(folder: Path, relay: int) -> None:
    """Writes a publication whose feed has 100 KB of words that pack like prose."""
    (folder / "articles").mkdir(parents=True)
    (folder / "config.toml").write_text(_CONFIG.format(port=_free_port(), relay=relay))
    chosen = random.Random(6)
    known = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=chosen.randint(2, 9))) for _ in range(4000)]
    for number in range(_STORIES):
        words = " ".join(chosen.choices(known, k=_FEED_OCTETS // _STORIES // 7))
        (folder / "articles" / f"story-{number}.md").write_text(f"---\ntitle: Story {number}\n---\n\n{words}\n")
    people = folder / "people.csv"
    people.write_text(
        "email,status,consent,newsletters\n"
        + "".join(f"reader{n}@bench.example,confirmed,asked,weekly\n" for n in range(_READERS))
    )
    subprocess.run([*_publisher(folder), "build"], check=True, capture_output=True)
    subprocess.run([*_publisher(folder), "subscribers", "import", str(people)], check=True, capture_output=True)


def _publisher(folder: Path) -> list[str]:
    return [sys.executable, "-m", "publisher", "-C", str(folder)]


@contextmanager
def _ours(folder: Path) -> Iterator[Server]:
    found = re.search(r"^port = (\d+)", (folder / "config.toml").read_text(), re.MULTILINE)
    assert found is not None
    with _running([*_publisher(folder), "run"], f"http://127.0.0.1:{found[1]}") as server:
        yield server


@contextmanager
def _sending(folder: Path) -> Iterator[None]:
    """Has the service send an issue, of which mails go out all through the block."""
    command = [*_publisher(folder), "--json", "send", "weekly", "--since", "2000-01-01", "--yes"]
    sending = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        while not (before := _accepted(folder)):
            assert sending.poll() is None, sending.communicate()[0]
        yield
        assert before < _accepted(folder) < _READERS
    finally:
        sending.terminate()
        sending.communicate()


def _accepted(folder: Path) -> int:
    listed = subprocess.run([*_publisher(folder), "--json", "issues", "list"], check=True, stdout=subprocess.PIPE)
    return sum(issue["accepted"] for issue in json.loads(listed.stdout))


@contextmanager
def _nginx(folder: Path, root: Path) -> Iterator[Server]:
    port = _free_port()
    subprocess.run(["gzip", "-k", "-f", str(root / "feeds" / "all.rss")], check=True)
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, root=root))
    with _running([str(_program("nginx")), "-c", str(config), "-p", str(folder)], f"http://127.0.0.1:{port}") as server:
        yield server


@contextmanager
def _running(command: list[str], url: str) -> Iterator[Server]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"{url}/feeds/all.rss")
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url) as answer:
                if len(answer.read()) > _FEED_OCTETS // 2:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{url} never came")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    print(table())
