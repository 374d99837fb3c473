"""Runs the command under a clock that tests move: the real time plus an offset that a file says.

The file is read at every look at the clock, so that a test can
move the time of a running service, as the clock of a machine is moved that slept. With SHIFTED_MACHINE it is the
machine's clock that somebody sets: all that asks it jumps, and only what measures how long a while is does not.
Where the file says `=` and a time (seconds since 1970), the clock stands at that time. With SHIFTED_DIES_AT the process
dies, as by a power cut, as soon as a slot of that period is granted and nothing else is written of it.
A service looks around by itself every minute; SHIFTED_ROUND_SECONDS makes its rounds shorter, so that tests do not
wait for that, and SHIFTED_RESCAN_SECONDS those in which it looks through its folder in another way. Each round of both
adds an octet to a file beside OFFSET_FILE, so that tests can wait for rounds and need not for a while.
"""

import importlib
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine

import publisher.app
import publisher.service
from publisher.cli import COMMANDS, main
from publisher.clock import SystemClock
from publisher.stores.issues import Issues

_LOOK_SECONDS = 0.02
_offset_file = Path()

for _name in COMMANDS:  # once, in the process that commands are forked from
    importlib.import_module(f"publisher.cli.{_name}")


class ShiftedClock(SystemClock):
    """The machine's clock, moved by as many seconds as the file says."""

    def now(self) -> datetime:
        said = _offset_file.read_text()
        if said.startswith("="):
            return datetime.fromtimestamp(float(said[1:]), UTC)
        return super().now() + timedelta(seconds=float(said))


def _offset() -> float:
    return float(_offset_file.read_text())


def die_at(period: str) -> None:
    """Kills this process once a slot of a period is granted."""
    granted = Issues.grant_slot

    async def grant(self: Issues, cohort: int, what: str, *moments: datetime) -> bool:
        done = await granted(self, cohort, what, *moments)
        if done and what == period:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Issues.grant_slot = grant


def set_machine() -> None:
    """Sets the clock of the whole process, now and whenever the file says something else."""
    at, offset = time.monotonic(), _offset()
    real = time.time()
    machine = time_machine.travel(real + offset).start()

    def follow(offset: float = offset) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            if (said := _offset()) != offset:
                offset = said
                machine.move_to(real + time.monotonic() - at + offset)

    threading.Thread(target=follow, daemon=True).start()


def shorten_rounds(planning: float, rescan: float) -> None:
    """Makes the service look around more often."""
    publisher.service._PLAN_SECONDS = planning
    publisher.service._RESCAN_SECONDS = rescan
    for name in ("_plan", "_refresh"):
        setattr(publisher.service.Service, name, _counted(getattr(publisher.service.Service, name), name))


def _counted(action: Callable[..., Awaitable[None]], name: str) -> Callable[..., Awaitable[None]]:
    """Returns an action that leaves, beside the offset, how often it has come to its end."""
    file = _offset_file.with_suffix(f".{name}")

    async def counted(*given: Any, **named: Any) -> None:
        await action(*given, **named)
        with file.open("ab", buffering=0) as rounds:
            rounds.write(b".")

    return counted


def work(offset: Path, arguments: list[str], environment: dict[str, str], out: Path, log: Path) -> None:
    """The process: runs a command in an environment, with its output and its log in files."""
    global _offset_file
    _offset_file = offset
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, file in ((1, out), (2, log)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    if environment.get("SHIFTED_MACHINE"):
        set_machine()
    else:
        publisher.app.SystemClock = ShiftedClock
    if rounds := environment.get("SHIFTED_ROUND_SECONDS"):
        shorten_rounds(float(rounds), float(environment.get("SHIFTED_RESCAN_SECONDS", rounds)))
    if period := environment.get("SHIFTED_DIES_AT"):
        die_at(period)
    main(arguments)
