"""The trial before any mail goes: it passes here, and says what an unsound interpreter does."""

from collections.abc import Callable, Iterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest

from publisher.errors import PublisherError
from publisher.mail import encoding, message, trial
from publisher.mail.trial import require_sound_mail


@pytest.fixture(autouse=True)
def untried() -> Iterator[None]:
    """Forgets what was tried before, and what is tried with a spoilt interpreter."""
    for known in (require_sound_mail, message._date):
        known.cache_clear()
    yield
    for known in (require_sound_mail, message._date):
        known.cache_clear()


def test_this_interpreter_is_sound() -> None:
    require_sound_mail()


def second_zero(at: datetime) -> str:
    """Writes another date."""
    return f"{at:%a, %d %b %Y %H:%M:00 +0000}"


def no_date(at: datetime) -> str:
    """Writes a date in another language."""
    return f"Sa, {at:%d} Sub 2026"


def shifted(text: str) -> list[str]:
    """Encodes every text as the same."""
    return ["=?utf-8?b?QQ==?="] if text else []


def one_header_more(octets: bytes, policy: Any) -> Message:
    """Reads a header that nobody wrote."""
    return message_from_bytes(b"Bcc: x@example.org\r\n" + octets, policy=policy)


@pytest.mark.parametrize(
    ("module", "name", "broken", "named"),
    [
        (message, "format_datetime", second_zero, "Date"),
        (message, "format_datetime", no_date, "cannot make and read"),
        (encoding, "_encoded_words", shifted, "Subject, From, To"),
        (trial, "message_from_bytes", one_header_more, "headers"),
    ],
)
def test_what_is_read_differently_is_named(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, broken: Callable[..., object], named: str
) -> None:
    monkeypatch.setattr(module, name, broken)
    with pytest.raises(PublisherError, match=named):
        require_sound_mail()
