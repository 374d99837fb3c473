"""`/readyz` is red while the state cannot be written, and green again by itself."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from publications import make_publication
from publisher.app import open_app
from publisher.web import health


async def test_a_database_that_others_hold_makes_it_red_in_time(
    tmp_path: Path, client_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_publication(tmp_path / "wire")
    async with open_app(folder) as app:
        client = client_of(Starlette(routes=health.routes(app, health.Vitals())))
        assert (await client.get("https://news.example.org/readyz")).status == 200
        with (folder / "var" / "db.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            monkeypatch.setattr(health, "_DATABASE_SECONDS", 0.3)
            red = await client.get("https://news.example.org/readyz")
            assert (await client.get("https://news.example.org/healthz")).status == 200
        assert red.status == 503
        assert "the database does not answer within" in red.text
        monkeypatch.undo()
        assert (await client.get("https://news.example.org/readyz")).status == 200


async def test_a_full_disk_makes_it_red(
    tmp_path: Path, client_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_publication(tmp_path / "wire")
    async with open_app(folder) as app:
        client = client_of(Starlette(routes=health.routes(app, health.Vitals())))
        monkeypatch.setattr("publisher.disk._SHARE", 1.0)
        monkeypatch.setattr("publisher.disk.Disk.__init__.__defaults__", (2**62,))
        red = await client.get("https://news.example.org/readyz")
    assert red.status == 503
    assert "are free where var/ is" in red.text
