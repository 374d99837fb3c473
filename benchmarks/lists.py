"""What it costs to take in a list of people with bad lines, and to write everybody out again, by the installed command.

`python -m benchmarks.lists [LINES]` prints the table: 100,000 lines of which every hundredth is bad, unless told.
"""

import csv
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LINES = 100_000
_BAD_EVERY = 100


@dataclass(frozen=True)
class _Run:
    """One command: its wall and CPU seconds, the most memory it had, in MB, and what it said."""

    seconds: float
    cpu: float
    megabytes: float
    output: bytes


def _run(folder: Path, *words: str) -> _Run:
    command = [str(Path(sysconfig.get_path("scripts")) / "publisher"), *words]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read()
    return _Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def _list(path: Path, lines: int) -> int:
    """Writes a list; returns how many of its lines are bad."""
    bad = 0
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["email", "name", "language", "timezone", "consent"])
        for n in range(1, lines + 1):
            wrong = n % _BAD_EVERY == 0
            bad += wrong
            address = f"reader{n}" if wrong else f"reader{n}@bench.example"
            rows.writerow([address, f"Reader {n}", "en", "Asia/Tokyo" if n % 3 == 0 else "", "form of 2024"])
    return bad


def lines(size: int = LINES) -> Sequence[str]:
    """Returns the lines of the table of docs/benchmarks.md."""
    with tempfile.TemporaryDirectory(prefix="publisher-lists-") as made:
        folder = Path(made) / "site"
        _run(Path(made), "init", str(folder), "--for", "blog")
        bad = _list(folder / "people.csv", size)
        idle = _run(folder, "status")
        rows = []
        for name, words in (
            ("import, dry run", ("subscribers", "import", "people.csv", "--dry-run", "--json")),
            ("import", ("subscribers", "import", "people.csv", "--json")),
            ("the same once more", ("subscribers", "import", "people.csv", "--json")),
            ("export", ("subscribers", "export", "-o", "out.csv")),
        ):
            one = _run(folder, *words)
            if "import" in words and len(json.loads(one.output)["skipped"]) != bad:
                raise AssertionError(f"{name}: not each of the {bad} bad lines is named")
            each = one.cpu / size * 1e6
            over = one.megabytes - idle.megabytes
            rows.append(f"| {name} | {size:,} | {one.seconds:.1f} | {one.cpu:.1f} | {each:.0f} | {over:.0f} |")
    return [
        "| | lines | wall, s | CPU, s | CPU per line, µs | MB over `publisher status` |",
        "|---|" + "---:|" * 5,
        *rows,
    ]


def main() -> None:
    """Prints the table."""
    for line in lines(*[int(size) for size in sys.argv[1:2]]):
        print(line, flush=True)


if __name__ == "__main__":
    main()
