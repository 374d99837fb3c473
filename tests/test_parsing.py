"""Files that are read by several processes: the same stories, whoever reads them and whatever becomes of them."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from publisher import parsing
from publisher.content import Rules
from publisher.content.assets import asset_path
from publisher.errors import RefusedError
from publisher.parsing import File, Parsing, Read

RULES = Rules(
    timezone=ZoneInfo("Europe/Istanbul"),
    language="en",
    languages=("en", "tr"),
    site_url="https://news.example.org",
    asset_path=partial(asset_path, b"key"),
)
RICH = """---
title: "Ünlü liman"
date: 2026-01-02 03:04:05.678901+03:00
embargo: 2026-02-01
tags: [a, b]
image: {src: pier.jpg, alt: The pier, width: 400}
enclosures: [{url: talk.mp3, length: 12, duration: "1:02"}]
dateline: Ankara, TR
contributors: [{name: A. Name, role: writer}]
corrections: [{kind: correction, date: 2026-01-03, text: It was a Tuesday.}]
season: 2
surprise: yes
---
**One** [two](other.md) ![three](pier.jpg) <b>four & five</b>
"""
REFUSED = "---\ntitle: A\nurgency: eleven\n---\n"


def files(count: int) -> list[File]:
    """Returns stories of every kind, each with a name of its own."""
    texts = (RICH, REFUSED, "# Plain\n\nText.\n", "")
    return [(f"story-{number}.md", texts[number % len(texts)].encode()) for number in range(count)]


def told(found: list[Read]) -> list[object]:
    """Returns what can be compared: two errors never are the same."""
    return [(one.line, one.message) if isinstance(one, RefusedError) else one for one in found]


@pytest.fixture
def expected() -> list[object]:
    """What one process makes of the files."""
    with Parsing(RULES).of(400) as read:
        assert not multiprocessing.active_children()
        return told(read(files(400)))


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two helpers, and few files at a time, so that each has several turns."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(parsing, "_HELPED", 10)
    monkeypatch.setattr(parsing, "_OWN", 1)


def test_helpers_read_what_one_process_reads(expected: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file in its place, refused ones with line and words; a helper reads some of them, and is gone after that."""
    taken = []
    done = parsing._Helper.done

    def counted(helper: parsing._Helper) -> tuple[int, list[Read] | None] | None:
        found = done(helper)
        taken.extend([found[0]] if found else [])
        return found

    monkeypatch.setattr(parsing._Helper, "done", counted)
    with Parsing(RULES, many=1).of(400) as read:
        while not taken:  # until they have started everything is read here
            assert told(read(files(400))) == expected
        assert told(read([])) == []
    assert not multiprocessing.active_children()


def test_helpers_may_be_killed(expected: list[object]) -> None:
    """Before they have begun, and between one batch and the next."""
    with Parsing(RULES, many=1).of(400) as read:
        first, second = multiprocessing.active_children()
        os.kill(first.pid or 0, signal.SIGKILL)
        assert told(read(files(400))) == expected
        os.kill(second.pid or 0, signal.SIGKILL)
        assert told(read(files(400))) == expected
    assert not multiprocessing.active_children()


def test_a_helper_that_dies_at_work_leaves_nothing_undone(
    expected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = parsing._Helper.take

    def struck(helper: parsing._Helper, start: int, some: list[File]) -> bool:
        taken = take(helper, start, some)
        helper._process.kill()
        return taken

    monkeypatch.setattr(parsing._Helper, "take", struck)
    with Parsing(RULES, many=1).of(400) as read:
        while multiprocessing.active_children():
            assert told(read(files(400))) == expected


def test_a_helper_that_is_stopped_is_not_waited_for(expected: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """As it takes files, more than fit between two processes among them, and with files in hand."""
    monkeypatch.setattr(parsing, "_PATIENCE_SECONDS", 1)
    take = parsing._Helper.take
    stopped = []

    def struck(helper: parsing._Helper, start: int, some: list[File]) -> bool:
        stopped.append(helper)
        os.kill(helper._process.pid or 0, signal.SIGSTOP)
        large = [(path, b"a" * 2**20) for path, _ in some]
        return take(helper, start, some if len(stopped) == 1 else large)

    monkeypatch.setattr(parsing._Helper, "take", struck)
    with Parsing(RULES, many=1).of(400) as read:
        while len(stopped) < 2:
            assert told(read(files(400))) == expected
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("room", [0, 1])
def test_a_system_that_starts_no_process_more_has_fewer_helpers(
    room: int, expected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = SpawnProcess.start

    def limited(process: SpawnProcess) -> None:
        if len(multiprocessing.active_children()) >= room:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        start(process)

    monkeypatch.setattr(SpawnProcess, "start", limited)
    with Parsing(RULES, many=1).of(400) as read:
        assert len(multiprocessing.active_children()) == room
        assert told(read(files(400))) == expected
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(("cores", "count"), [({0}, 10_000), ({0, 1}, parsing._MANY - 1)])
def test_few_files_and_one_core_need_no_helper(cores: set[int], count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    with Parsing(RULES).of(count):
        assert not multiprocessing.active_children()


def test_what_goes_wrong_is_said_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is nobody's fault but ours comes out where the files are read, not in a helper's last words."""
    with Parsing(RULES, many=1).of(4) as read:
        broken = [("a.md", None)] * 4
        with pytest.raises(TypeError):
            read(broken)  # type: ignore[arg-type]


def test_ctrl_c_is_for_the_one_they_help() -> None:
    """It goes to all that the terminal started; helpers would say how it took them by surprise."""
    with Parsing(RULES, many=1).of(1):
        for helper in multiprocessing.active_children():
            status = Path(f"/proc/{helper.pid}/status").read_text()
            assert int(status.split("SigBlk:")[1].split()[0], 16) >> (signal.SIGINT - 1) & 1


def test_helpers_end_with_the_one_they_help(tmp_path: Path) -> None:
    """However suddenly that ends."""
    script = tmp_path / "reading.py"
    script.write_text(
        "import multiprocessing, os, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import test_parsing as tests\n"
        "os.sched_getaffinity = lambda _: {0, 1}\n"
        "if __name__ == '__main__':\n"
        "    with tests.Parsing(tests.RULES, many=1).of(1):\n"
        "        print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "        sys.stdin.read()\n"
    )
    command = [sys.executable, str(script), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        process.kill()
    while Path(f"/proc/{helper}").exists() and "\nState:\tZ" not in Path(f"/proc/{helper}/status").read_text():
        time.sleep(0.01)
