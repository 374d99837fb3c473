"""What crosses the wire: one end of data, no bare line ends, whatever the body (RFC 5321 §4.5.2)."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaping import leap
from publisher.mail.message import Personal, Sender, fill, prepare
from publisher.model.issue import MailText
from publisher.model.personal import MARKERS
from publisher.transports.wire import EOD, Watch, printable, transparent


def received(octets: bytes) -> tuple[bytes, bytes]:
    """Returns what a strict server takes as the message, and what it takes as the next command."""
    message, _, rest = (b"\r\n" + octets).partition(b"\r\n.\r\n")
    return message.removeprefix(b"\r\n").replace(b"\r\n..", b"\r\n."), rest


@pytest.mark.parametrize(
    ("message", "octets"),
    [
        (b"", b"\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\nMAIL FROM:<x@example.org>", b"a\r\n..\r\nMAIL FROM:<x@example.org>\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\n.\r\nb", b"a\r\n..\r\nb\r\n.\r\n"),
    ],
)
def test_dots_and_line_ends(message: bytes, octets: bytes) -> None:
    assert transparent(message) == octets


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"QUIT", b"\0"]), max_size=30).map(b"".join))
def test_no_body_can_end_itself(message: bytes) -> None:
    octets = transparent(message)
    assert octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")
    assert received(octets)[1] == b""
    assert (b"\r\n" + octets).count(b"\r\n.\r\n") == 1


HOSTILE = st.lists(st.sampled_from(["\r", "\n", "\r\n", ".", "..", "a", "QUIT", "\0", " ", "ş", "=", "."]), max_size=40)


@given(text=HOSTILE.map("".join), name=HOSTILE.map("".join), subject=HOSTILE.map("".join))
def test_a_filled_mail_crosses_the_wire_as_it_is(text: str, name: str, subject: str) -> None:
    """What `Letter.transparent` says of it: nothing is left to be done but the dot."""
    personal = f"{text}{MARKERS['name']}.{text}"
    mail = MailText(subject=subject, preheader="", text=personal, html=personal)
    message = fill(
        prepare(mail, sender=Sender(name=name, address="news@example.org")),
        Personal(
            name=name,
            address="a@example.com",
            message_id="<1@example.org>",
            at=datetime(2026, 3, 4, tzinfo=UTC),
            unsubscribe_url=None,
            values={"name": name},
        ),
    )
    assert transparent(message) == message + EOD


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"2.0.0 ok", "2.0.0 ok"),
        (b"a\x1b[31mred\x00\x07", "a [31mred"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 900, "x" * 500),
    ],
)
def test_what_a_relay_says_is_made_harmless(said: bytes, shown: str) -> None:
    assert printable(said) == shown


def test_an_alarm_that_was_moved_rings_when_it_is_due_and_once() -> None:
    leap(_alarmed())


async def _alarmed() -> None:
    loop = asyncio.get_running_loop()
    rang: list[float] = []
    began = loop.time()
    watch = Watch(loop)
    watch.until(began + 0.02, lambda: rang.append(0.0))
    watch.off()
    watch.until(began + 0.1, lambda: rang.append(loop.time() - began))
    await asyncio.sleep(0.05)
    assert rang == []
    await asyncio.sleep(0.15)
    assert len(rang) == 1
    assert rang == [pytest.approx(0.1)]
    watch.until(loop.time() + 60, lambda: rang.append(1.0))
    watch.until(loop.time() + 0.01, lambda: rang.append(2.0))
    await asyncio.sleep(0.05)
    assert rang[1:] == [2.0]
    watch.until(loop.time() + 0.01, lambda: rang.append(3.0))
    watch.close()
    await asyncio.sleep(0.03)
    assert len(rang) == 2
