"""Messages out of files: where one ends, and how much of it is read."""

import io
from pathlib import Path

import pytest

from publisher.transports.mailfiles import message_files, messages

_FROM = b"From a@b.example Wed Mar  4 06:00:00 2026\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (b"Subject: x\n\nFrom here on\n\nFrom a@b Wed Mar  4 06:00:00 2026\n", None),
        (_FROM, [b""]),
        (_FROM + b"S: 1\n\nx\n\n" + _FROM + b"S: 2\n\ny\n", [b"S: 1\n\nx\n\n", b"S: 2\n\ny\n"]),
        (
            _FROM + b"S: 1\n\nno blank line\n" + _FROM + b"still 1\n",
            [b"S: 1\n\nno blank line\n" + _FROM + b"still 1\n"],
        ),
        (_FROM + b"S: 1\n\n\nFrom me to you\n", [b"S: 1\n\n\nFrom me to you\n"]),
        (_FROM + b"S: 1\n\n>From me\n>>From you\n", [b"S: 1\n\nFrom me\n>From you\n"]),
        (b"\n\n", [b"\n\n"]),
        (_FROM.replace(b"\n", b"\r\n") + b"S: 1\r\n\r\nx\r\n", [b"S: 1\r\n\r\nx\r\n"]),
    ],
    ids=range(9),
)
def test_an_mbox_is_parted_and_a_message_is_left_whole(content: bytes, found: list[bytes] | None) -> None:
    """RFC 4155: a line that begins so, after a blank one; a file that does not begin so is one message."""
    assert list(messages(io.BytesIO(content), 10_000)) == ([content] if found is None else found)


def test_of_a_huge_message_no_more_is_kept_than_tells_that_it_is_too_large() -> None:
    huge = _FROM + b"x" * 3_000_000 + b"\n" + b"y\n" * 3000 + b"\n" + _FROM + b"S: 2\n"
    assert [len(raw) for raw in messages(io.BytesIO(huge), 1000)] == [1001, 5]


def test_a_maildir_is_what_is_new_and_what_was_read(tmp_path: Path) -> None:
    for name in ("new/2", "cur/1:2,S", "tmp/3", "new/.hidden", "new/folder/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert [path.name for path in message_files(tmp_path)] == ["1:2,S", "2"]
    assert message_files(tmp_path / "new" / "folder") == [tmp_path / "new" / "folder" / "x"]
    assert message_files(tmp_path / "new" / "2") == [tmp_path / "new" / "2"]
