"""Quoted-printable and header words: legal lines whatever the text."""

import quopri
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.encoding import LINE, is_sendable, mailbox, one_line, quoted_printable, unstructured

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=400)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", b""),
        ("plain", b"plain"),
        ("a=b", b"a=3Db"),
        ("trailing ", b"trailing=20"),
        ("tab\tend", b"tab=09end"),
        ("two\nlines", b"two\r\nlines"),
        (".", b"=2E"),
        ("..\n.x", b"=2E.\r\n=2Ex"),
        ("From me", b"=46rom me"),
        ("é", b"=C3=A9"),
    ],
)
def test_quoted_printable(text: str, encoded: bytes) -> None:
    assert quoted_printable(text) == encoded


@given(TEXTS)
def test_quoted_printable_keeps_the_text_and_the_limits(text: str) -> None:
    encoded = quoted_printable(text)
    assert quopri.decodestring(encoded.replace(b"\r\n", b"\n")).decode() == text
    for line in encoded.split(b"\r\n"):
        assert len(line) <= LINE
        assert not line.startswith(b".")
        assert not line.endswith((b" ", b"\t"))
        assert b"\r" not in line
        assert b"\n" not in line


@pytest.mark.parametrize("at", range(70, 80))
def test_a_soft_break_never_splits_an_escape(at: int) -> None:
    encoded = quoted_printable("x" * at + "éé" + "y" * 90)
    assert quopri.decodestring(encoded.replace(b"\r\n", b"\n")).decode() == "x" * at + "éé" + "y" * 90
    assert max(map(len, encoded.split(b"\r\n"))) <= LINE


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Plain words", b"Subject: Plain words"),
        ("", b"Subject: "),
        ("line\r\nBcc: x@example.org", b"Subject: line Bcc: x@example.org"),
        ("Ağaç", b"Subject: =?utf-8?b?QcSfYcOn?="),
        ("=?utf-8?b?QQ==?=", b"Subject: =?utf-8?b?PT91dGYtOD9iP1FRPT0/PQ==?="),
    ],
)
def test_subject(text: str, line: bytes) -> None:
    assert unstructured("Subject", text) == line


@given(TEXTS)
def test_a_subject_is_read_back_as_it_was(text: str) -> None:
    line = unstructured("Subject", text)
    message = message_from_bytes(line + b"\r\n\r\n", policy=default)
    assert message["Subject"] == one_line(text)
    assert message.keys() == ["Subject"]
    assert all(len(part) <= LINE for part in line.split(b"\r\n"))


@given(TEXTS)
def test_a_name_is_read_back_as_it_was(name: str) -> None:
    line = mailbox("To", name, "reader@example.org")
    message = message_from_bytes(line + b"\r\n\r\n", policy=compat32)
    phrase, address = parseaddr(str(message["To"]).replace("\r\n", ""))
    assert (str(make_header(decode_header(phrase))), address) == (one_line(name), "reader@example.org")
    assert message.keys() == ["To"]
    assert all(len(part) <= LINE for part in line.split(b"\r\n"))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "a@b@example.org",
        '"x@evil"@example.org',
        "reader@example.org>\r\nBcc: <x@example.org",
        "reader @example.org",
        "reader@[127.0.0.1]",
        "réader@example.org",
        "reader@exämple.org",
        "a" * 250 + "@example.org",
        "=?utf-8?q?x?=@example.org",
    ],
)
def test_an_address_that_could_be_read_differently_is_refused(address: str) -> None:
    assert not is_sendable(address)
    with pytest.raises(ValueError, match="cannot stand in a header"):
        mailbox("To", "Reader", address)


@given(TEXTS)
def test_a_soft_break_may_follow_any_text(text: str) -> None:
    assert all(len(line) <= LINE for line in (quoted_printable(text) + b"=").split(b"\r\n"))
