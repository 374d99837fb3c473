"""The real time."""

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Returns the present moment, aware UTC."""
        return datetime.now(UTC)
