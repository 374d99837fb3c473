"""The preview in a real browser: its script runs under our policy, and a saved file is seen."""

from pathlib import Path

import pytest

from acceptance.browser import CHROMIUM, Page, chromium
from acceptance.running import eventually, running
from publications import make_publication, story, write


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_saved_file_is_seen_without_anybodys_doing(tmp_path: Path) -> None:
    """In the page itself and in its frames; and the frames run nothing."""
    folder = make_publication(tmp_path / "wire")
    write(folder, "port.md", story("Port closes", date="2026-09-02T08:00:00Z"))
    with running(folder) as service, chromium() as page:
        page.open(f"{service.url}/preview/?newsletter=daily&scheme=dark")
        eventually(lambda: _shown(page, "Port closes"), "the newest story")
        assert page.value("document.querySelectorAll('iframe').length") == 2
        assert page.value("document.querySelector('iframe').contentDocument") is None, "a frame is of no origin"
        for number in range(2):
            write(folder, "port.md", story(f"Port opens {number}", date="2026-09-02T08:00:00Z"))
            headline = f"Port opens {number}"
            eventually(lambda words=headline: _shown(page, words), f"the story saved as {headline!r}")
    assert not (folder / "public" / "preview").exists()


def _shown(page: Page, words: str) -> bool:
    return words in (page.value("document.body && document.body.innerText") or "")
