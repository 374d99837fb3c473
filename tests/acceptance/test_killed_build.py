"""A build is killed with SIGKILL while files are being written: the next one makes public/ what it should be."""

import subprocess
import sys
import time
from pathlib import Path

from acceptance.running import publisher
from publications import AGENCY, make_publication, story, write

_STORIES = 120


def _public(folder: Path) -> dict[str, bytes]:
    root = folder / "public"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_killed_build_is_made_good(tmp_path: Path) -> None:
    """What it was about has been taken back meanwhile: nothing of it may stand, whenever it was killed."""
    folder = make_publication(tmp_path / "wire", AGENCY)
    for number in range(_STORIES):
        write(folder, f"{number}.md", story(f"Story {number}", section="economy", date="2026-01-01T00:00:00Z"))
    publisher("build", folder=folder)
    before = _public(folder)
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace("[site]", '[site]\ndescription = "Another description"', 1))
    process = subprocess.Popen(
        [sys.executable, "-m", "publisher", "-C", str(folder), "build"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not list((folder / "public" / "articles").glob("*/.publisher-*")):
        time.sleep(0.001)
    process.kill()
    process.wait()
    (folder / "config.toml").write_text(config)
    publisher("build", folder=folder)
    assert _public(folder) == before
