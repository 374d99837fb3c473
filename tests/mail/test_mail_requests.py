"""Mail that unsubscribes: found however a mail program wrote it, and nothing else taken for it."""

from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.requests import unsubscribe_token
from publisher.mail.tokens import Links, Tokens

TOKENS = Tokens(b"k" * 32)
LINKS = Links("https://news.example.org", TOKENS, "leave+us@example.org")
MAILTO = LINKS.unsubscribe_mailto(17, "daily")
assert MAILTO is not None
TOKEN = TOKENS.unsubscribe(17, "daily")


def subject() -> str:
    """Returns the subject that a mail program takes from the header."""
    return parse_qs(urlsplit(MAILTO).query)["subject"][0]


def test_a_mail_program_finds_where_to_write_and_what() -> None:
    assert urlsplit(MAILTO).path == "leave%2Bus@example.org"
    assert subject() == f"unsubscribe {TOKEN}"
    assert Links("https://news.example.org", TOKENS).unsubscribe_mailto(17, "daily") is None


def test_a_mail_as_python_writes_it() -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "somebody.else@example.net"
    mail["To"] = "leave+us@example.org"
    mail["Subject"] = subject()
    mail.set_content("This was sent by a mail program.")
    assert unsubscribe_token(mail.as_bytes()) == TOKEN


@pytest.mark.parametrize(
    "line",
    [
        f"Subject: unsubscribe {TOKEN}",
        f"subject: unsubscribe\r\n {TOKEN}",
        f"SUBJECT: Re: [x] unsubscribe {TOKEN} ",
        f"Subject: {TOKEN}",
        f"Subject: {Header(f'abmelden ü {TOKEN}', 'utf-8').encode()}",
        f"Subject: =?utf-8?q?unsubscribe_{TOKEN.replace('_', '=5F')}?=",
        f"Subject:\r\nSubject: unsubscribe {TOKEN}",
    ],
)
def test_however_the_subject_is_written(line: str) -> None:
    assert unsubscribe_token(f"From: a@b.org\r\n{line}\r\n\r\nbody".encode()) == TOKEN


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: unsubscribe\r\n\r\n" + TOKEN.encode(),
        f"X-Subject: {TOKEN}\r\n\r\n".encode(),
        f"Subject: {TOKEN}x\r\n\r\n".encode(),
        b"Subject: =?no-such-charset?b?QQ==?=\r\n\r\n",
        b"Subject: =?utf-8?b?Q?=\r\n\r\n",
        b"Subject: \xff\xfe\r\n\r\n",
    ],
)
def test_what_asks_for_nothing(message: bytes) -> None:
    assert unsubscribe_token(message) is None


@given(st.binary(max_size=300))
def test_no_bytes_upset_it(octets: bytes) -> None:
    assert unsubscribe_token(b"Subject: " + octets) is None
