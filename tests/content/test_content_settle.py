"""When a file is whole."""

from datetime import UTC, datetime, timedelta

import pytest

from publisher.content.settle import moved_in, rested, settled
from publisher.model.files import FileStat

NOW = datetime(2025, 9, 2, 12, tzinfo=UTC)
NS = int(NOW.timestamp()) * 10**9


def stat(*, size: int = 10, written: float = 0.0, touched: float | None = None, inode: int = 1) -> FileStat:
    """Returns a file written and last touched so many seconds ago."""
    ago = written if touched is None else touched
    return FileStat(size, NS - int(written * 1e9), NS - int(ago * 1e9), inode)


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        (None, stat(), False),
        (stat(), stat(), True),
        (stat(size=9), stat(), False),
        (stat(written=1), stat(), False),
        (stat(inode=2), stat(), False),
        (None, stat(written=1, touched=0.5), True),
    ],
)
def test_two_equal_looks_or_a_move(before, after, whole):
    """A file that is still written differs from look to look."""
    assert settled(before, after) is whole


def test_a_rename_touches_the_file_after_its_last_write():
    """That is how a moved file is known."""
    assert moved_in(stat(written=1, touched=0.9))
    assert not moved_in(stat(written=1))


@pytest.mark.parametrize(("seconds", "ready"), [(0.0, False), (1.9, False), (2.0, True), (60.0, True)])
def test_mail_waits_two_seconds(seconds, ready):
    """What was mailed cannot be replaced."""
    assert rested(stat(), NOW + timedelta(seconds=seconds)) is ready
