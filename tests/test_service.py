"""The service as a whole: what it does when it is told to stop before it serves."""

from pathlib import Path

import pytest

from publications import ManualClock, make_publication, story, write
from publisher.app import open_app
from publisher.service import Service
from publisher.services import intake


async def test_a_stop_while_the_first_pages_are_made_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for all of a large folder; the next start does the rest."""
    monkeypatch.setattr(intake, "_BATCH", 5)
    folder, clock = make_publication(tmp_path), ManualClock()
    for number in range(30):
        write(folder, f"{number}.md", story(f"Story {number}"))
    ready: list[str] = []
    async with open_app(folder, clock) as app:
        service = Service(app)
        await service.run(ready.append, progress=lambda *_: service.stop())
        assert not ready
        assert not (folder / "public" / "index.html").exists()
    async with open_app(folder, clock) as app:
        service = Service(app)

        def stop(address: str) -> None:
            ready.append(address)
            service.stop()

        await service.run(stop)
    assert ready
    assert len([*(folder / "public" / "articles").iterdir()]) == 30
