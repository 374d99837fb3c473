"""The room that the state has: a floor under which nothing new begins, and a reserve for what must still be written."""

import contextlib
import os
from pathlib import Path

from publisher.model.delivery import Stop

FLOOR = 256 * 1024 * 1024
_SHARE = 0.05
"""Of a small disk the floor is this share."""
_BALLAST = 1024 * 1024
_MIB = 1024 * 1024


class Disk:
    """Where the state folder is."""

    def __init__(self, state: Path, floor: int = FLOOR) -> None:
        """`floor`: octets that must be free."""
        self._state = state
        self._floor = floor
        self._ballast = state / "ballast"

    def stop(self) -> Stop | None:
        """Returns why nothing new may begin; None: there is room."""
        found = os.statvfs(self._state)
        return self._judged(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def stock(self) -> None:
        """Lays in the reserve if there is room: real octets, for a file system may keep nothing of empty ones."""
        if self._ballast.exists() or self.stop() is not None:
            return
        try:
            self._ballast.write_bytes(os.urandom(_BALLAST))
        except OSError:
            self.relieve()

    def relieve(self) -> None:
        """Gives the reserve free."""
        with contextlib.suppress(OSError):
            self._ballast.unlink()

    def _judged(self, free: int, size: int) -> Stop | None:
        # Room that is only there because the reserve was given free is no room to begin anything in.
        floor = min(self._floor, max(int(size * _SHARE), 2 * _BALLAST))
        if free >= floor:
            return None
        reason = f"{free // _MIB} MiB are free where {self._state.name}/ is, {floor // _MIB} are needed"
        return Stop(code="disk", reason=reason)
