"""How much goes into one transaction, so that whoever else wants to write gets a turn soon."""

from dataclasses import dataclass

_WANTED = 0.04
"""Seconds: well below what others are promised to wait at most (a tenth), for the next step may be dearer."""


@dataclass(slots=True)
class Pace:
    """Rows per transaction: as many as the last ones took time for, on this machine and as busy as it is."""

    rows: int = 1_000
    least: int = 500
    most: int = 20_000

    def took(self, rows: int, seconds: float) -> None:
        """Notes what some rows took. It slows down at once, and gains at most half as much again at a step."""
        if rows < self.least:  # the rest of a range: what it took is the waiting for the disk
            return
        fit = self.most if seconds <= 0 else int(rows * _WANTED / seconds)
        self.rows = max(self.least, min(self.most, self.rows * 3 // 2, fit))
