"""A real disk becomes full in the middle of an issue: what was answered is recorded, and nothing begins."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from crashes import PATIENCE, PROVE
from full_disk import CONNECTIONS, PEOPLE

MOMENTS = [0, 1, 2, 5, 10, 25, 50, 90, 130, PEOPLE - 1] if PROVE else [1, 75, PEOPLE - 1]
SCRIPT = Path(__file__).with_name("full_disk.py")


def told(migrated: Path, folder: Path, moment: int) -> dict[str, Any]:
    """Runs one case in a namespace of its own, where it may mount a file system of 8 MiB."""
    folder.mkdir()
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, str(SCRIPT), str(migrated), str(folder), str(moment)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def holds(migrated: Path, folder: Path, moment: int) -> None:
    """Judges one case."""
    seen = told(migrated, folder, moment)
    open_rows = PEOPLE - seen["arrived"]
    recorded = seen["while_full"].get("accepted", 0)
    assert set(seen["while_full"]) <= {"accepted", "pending", "claimed"}, seen
    assert recorded == seen["arrived"], seen  # from the reserve, while there is no room
    assert seen["arrived"] <= moment + 3 * CONNECTIONS, seen
    assert not open_rows or seen["stopped"] == ["disk"], seen
    assert seen["people"] == PEOPLE, seen  # lost: none
    assert seen["copies"] == PEOPLE, seen  # twice: none
    assert seen["empty"] == 0


def test_a_full_disk_stops_an_issue_and_loses_nobody(migrated_sqlite: Path, tmp_path: Path) -> None:
    """T-ENOSPC on a tmpfs of 8 MiB, filled to its last octet at so many arrivals."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(holds, migrated_sqlite, tmp_path / str(moment), moment) for moment in MOMENTS]:
            done.result()
