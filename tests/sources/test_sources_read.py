"""Reading a file that somebody is writing."""

import os
import threading
from pathlib import Path

from publisher.errors import RefusedError, UnsettledError
from publisher.sources.scan import Directory


def test_a_file_that_grows_is_not_taken_half(tmp_path: Path):
    """What is read is one state of the file, or an error: never the beginning of a longer one with its end missing."""
    file = tmp_path / "a.md"
    file.write_bytes(b"")
    stop = threading.Event()

    def write() -> None:
        with file.open("ab", buffering=0) as stream:
            while not stop.is_set() and stream.tell() < 1_500_000:
                stream.write(b"0123456789" * 50)

    writer = threading.Thread(target=write)
    writer.start()
    directory, seen, unsettled = Directory(tmp_path), [], 0
    try:
        for _ in range(300):
            before = directory.stat("a.md")
            try:
                data = directory.read("a.md")
            except UnsettledError:
                unsettled += 1
                continue
            after = directory.stat("a.md")
            assert before is not None
            assert after is not None
            assert before.size <= len(data) <= after.size
            seen.append(len(data))
    finally:
        stop.set()
        writer.join()
    assert seen == sorted(seen)
    assert len(seen) + unsettled == 300


def test_a_file_swapped_for_a_link_is_not_followed(tmp_path: Path):
    """The race between look and read ends with the file itself or with a refusal."""
    secret = tmp_path / "secret.md"
    secret.write_text("secret")
    root = tmp_path / "articles"
    root.mkdir()
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (root / "new").write_text("mine")
            os.replace(root / "new", root / "a.md")
            (root / "new").symlink_to(secret)
            os.replace(root / "new", root / "a.md")

    (root / "a.md").write_text("mine")
    swapper = threading.Thread(target=swap)
    swapper.start()
    read = []
    try:
        for _ in range(500):
            try:
                read.append(Directory(root).read("a.md"))
            except (RefusedError, UnsettledError):
                read.append(b"refused")
    finally:
        stop.set()
        swapper.join()
    assert set(read) == {b"mine", b"refused"}
