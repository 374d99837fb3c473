"""Runs the installed command under a clock that tests move: the real time plus an offset that a file says.

Arguments: OFFSET_FILE, then those of the command. The file is read at every look at the clock, so that a test can
move the time of a running service, as the clock of a machine is moved that slept. A service looks around by itself
every minute; SHIFTED_ROUND_SECONDS makes its rounds shorter, so that tests do not wait for that.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import publisher.app
from publisher.cli import main


class ShiftedClock:
    """The machine's clock, moved by as many seconds as the file says."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(_offset_file.read_text()))


def shorten_rounds(seconds: float) -> None:
    """Makes the service look around more often."""
    import publisher.service

    publisher.service._RESCAN_SECONDS = seconds
    publisher.service._PLAN_SECONDS = seconds


_offset_file = Path(sys.argv[1])
publisher.app.SystemClock = ShiftedClock
if rounds := os.environ.get("SHIFTED_ROUND_SECONDS"):
    shorten_rounds(float(rounds))
main(sys.argv[2:])
