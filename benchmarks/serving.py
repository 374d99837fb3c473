"""A 100 KB feed over HTTP: ours beside nginx with the same file, 64 connections (Debian: nginx-light, wrk)."""

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

_RUNS = 3
_SECONDS = 4
_FEED_OCTETS = 100_000
_STORIES = 200
_CONFIG = """
[site]
title = "Benchmark"
url = "http://127.0.0.1"
[http]
port = {port}
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
local requests = 0
request = function()
  requests = requests + 1
  if requests % 10 == 0 then return wrk.format("GET", "/feeds/all.rss", {["Accept-Encoding"] = "gzip"}) end
  return wrk.format("GET", "/feeds/all.rss", {["Accept-Encoding"] = "gzip", ["If-None-Match"] = '%s'})
end
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """What one load came to."""

    per_second: float
    p99_ms: float


def lacking() -> str:
    """Returns which program is missing; empty: none."""
    return ", ".join(name for name in ("nginx", "wrk") if not _program(name))


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def table() -> str:
    """Returns the table of docs/benchmarks.md, or what is lacking for it."""
    if missing := lacking():
        return f"Serving feeds was not measured: {missing} is not installed."
    lines = [
        "| load | ours, requests/s | nginx, requests/s | of nginx | p99 ours, ms | p99 nginx, ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {load} | {ours.per_second:,.0f} | {peer.per_second:,.0f} | {ours.per_second / peer.per_second:.2f} | "
        f"{ours.p99_ms:.1f} | {peer.p99_ms:.1f} |"
        for load, ours, peer in measure()
    ]
    return "\n".join(lines)


def measure() -> list[tuple[str, Rate, Rate]]:
    """Returns (load, ours, nginx), medians of runs that take turns."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with _ours(folder / "wire") as ours, _nginx(folder, folder / "wire" / "public") as peer:
            found = []
            for load in ("304", "200", "90 % 304"):
                rates: dict[str, list[Rate]] = {ours: [], peer: []}
                for _ in range(_RUNS):
                    for url in (ours, peer):
                        rates[url].append(_load(url, load, folder))
                found.append((load, _median(rates[ours]), _median(rates[peer])))
            return found


def _median(rates: list[Rate]) -> Rate:
    return Rate(statistics.median(r.per_second for r in rates), statistics.median(r.p99_ms for r in rates))


def _load(url: str, load: str, folder: Path) -> Rate:
    request = urllib.request.Request(f"{url}/feeds/all.rss", headers={"accept-encoding": "gzip"})
    with urllib.request.urlopen(request) as answer:
        etag = answer.headers["etag"]
    command = [str(_program("wrk")), "-t1", "-c64", f"-d{_SECONDS}s", "--latency", "-H", "Accept-Encoding: gzip"]
    if load == "304":
        command += ["-H", f"If-None-Match: {etag}"]
    elif load != "200":
        script = folder / "mix.lua"
        script.write_text(_MIX.replace("%s", etag))
        command += ["-s", str(script)]
    said = subprocess.run([*command, f"{url}/feeds/all.rss"], capture_output=True, text=True, check=True).stdout
    rate, p99 = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert rate is not None, said
    assert p99 is not None, said
    return Rate(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]])


@contextmanager
def _ours(folder: Path) -> Iterator[str]:
    port = _free_port()
    (folder / "articles").mkdir(parents=True)
    (folder / "config.toml").write_text(_CONFIG.format(port=port))
    words = "Words of a story that is of no use but for its length. " * (_FEED_OCTETS // 50 // 60)
    for number in range(_STORIES):
        (folder / "articles" / f"story-{number}.md").write_text(f"---\ntitle: Story {number}\n---\n\n{words}\n")
    with _running([sys.executable, "-m", "publisher", "-C", str(folder), "run"], f"http://127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _nginx(folder: Path, root: Path) -> Iterator[str]:
    port = _free_port()
    subprocess.run(["gzip", "-k", "-f", str(root / "feeds" / "all.rss")], check=True)
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, root=root))
    with _running([str(_program("nginx")), "-c", str(config), "-p", str(folder)], f"http://127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], url: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"{url}/feeds/all.rss")
        yield
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
