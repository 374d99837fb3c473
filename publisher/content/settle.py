"""When a file is whole: nobody says so, but two equal looks do."""

from datetime import datetime

from publisher.model.files import FileStat

MAIL_SECONDS = 2.0
"""How long a file must have rested before its story may be mailed."""


def settled(before: FileStat | None, after: FileStat) -> bool:
    """Returns whether a file can be taken: it did not change between two looks, or it was moved in whole.

    A few milliseconds between the looks are enough for feeds: what they show can be replaced.
    """
    return before == after or moved_in(after)


def moved_in(stat: FileStat) -> bool:
    """Returns whether the last thing done to a file was not a write.

    A write sets both times alike; a rename, or the setting of times that ends `cp -p` and `rsync`, only the later one.
    """
    return stat.ctime_ns > stat.mtime_ns


def rested(stat: FileStat, now: datetime, seconds: float = MAIL_SECONDS) -> bool:
    """Returns whether a file has not changed for so long that its story may be mailed; moved-in files need not wait."""
    return moved_in(stat) or now.timestamp() - stat.mtime_ns / 1e9 >= seconds
