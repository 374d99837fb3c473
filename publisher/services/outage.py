"""What needs a thing that is away says so once, and once more when that is back."""


class Outage:
    """Whether what one part of the program needs is away."""

    def __init__(self) -> None:
        self._lasts = False

    def begins(self) -> bool:
        """Notes that there was no answer; whether that is news."""
        news, self._lasts = not self._lasts, True
        return news

    def ends(self) -> bool:
        """Notes that there was an answer; whether that is news."""
        news, self._lasts = self._lasts, False
        return news
