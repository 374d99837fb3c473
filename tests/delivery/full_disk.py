"""Delivers an issue from a file system of 8 MiB that is full for a while; runs in a mount namespace of its own.

Arguments: the migrated database, a folder to mount at, the number of arrivals at which the disk becomes full. Prints
one JSON object of what was seen.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from test_delivering import desk, until

from ledger_rows import add_issue, issue_state, states
from publisher.disk import Disk
from publisher.model.delivery import Policy
from publisher.stores.database import Database

PEOPLE = 150
CONNECTIONS = 4
_QUIET_SECONDS = 2.5
"""Longer than two tries to write."""


async def seen(migrated: Path, folder: Path, moment: int) -> dict[str, Any]:
    """Fills the disk, looks, gives it free again, and looks once more."""
    shutil.copy(migrated, folder / "publisher.db")
    database = Database.open("sqlite:///publisher.db", folder)
    disk = Disk(folder)
    disk.stock()
    assert (folder / "ballast").exists()
    issue = await add_issue(database, range(1, PEOPLE + 1))
    policy = Policy(connections=CONNECTIONS)
    async with desk(database, policy=policy, guards=[disk], reserve=disk) as (service, relay):
        relay.delay = 0.005
        if not moment:
            _fill(folder / "filler")
        async with service.running():
            while len(relay.received) < moment:
                await asyncio.sleep(0)  # not a mail more than can be helped
            _fill(folder / "filler")
            arrived = await _settled(relay, lambda: states(database, issue))
            while_full = dict(await states(database, issue))
            stopped = [stop.code for stop in await service.delivering.stops()]
            (folder / "filler").unlink()

            async def done() -> bool:
                return await issue_state(database, issue) == "done"

            await until(done)
            copies = Counter(received.recipient for received in relay.received)
    await database.close()
    return {
        "arrived": arrived,
        "while_full": while_full,
        "stopped": stopped,
        "people": len(copies),
        "copies": copies.total(),
        "empty": relay.empty_dots,
        "reserve": (folder / "ballast").exists(),
    }


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue


async def _settled(relay: Any, found: Callable[[], Awaitable[dict[str, int]]]) -> int:
    """Returns how many have arrived once nothing has come for a while; what was answered has a minute to be written."""
    arrived, since = -1, time.monotonic()
    while (quiet := time.monotonic() - since) < _QUIET_SECONDS or (
        quiet < 60 and ((rows := await found()).get("accepted", 0) != arrived or "in_flight" in rows)
    ):
        if len(relay.received) != arrived:
            arrived, since = len(relay.received), time.monotonic()
        await asyncio.sleep(0.05)
    return arrived


def main(migrated: str, folder: str, moment: str) -> None:
    """Mounts, runs, tells."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
    print(json.dumps(asyncio.run(seen(Path(migrated), Path(folder), int(moment)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
