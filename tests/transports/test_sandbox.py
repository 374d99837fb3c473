"""The sandbox: real SMTP to a server of our own, every mail kept, none passed on."""

import asyncio
from pathlib import Path

import pytest

from publisher.model.delivery import Ending, Letter
from publisher.transports.inbox import Inbox
from publisher.transports.sandbox import SandboxTransport

MESSAGE = (
    b"From: Example <news@example.org>\r\nTo: =?utf-8?b?QXnFn2U=?= <ayse@example.com>\r\nSubject: News\r\n"
    b"Date: Wed, 04 Mar 2026 06:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="=_b"\r\n\r\n'
    b"--=_b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Merhaba =C5=9F\r\n.dot\r\n\r\n"
    b"--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Merhaba</p>\r\n--=_b--\r\n"
)


async def granted() -> bool:
    """Lets every body go."""
    return True


def letter(number: int = 1) -> Letter:
    """Returns a letter."""
    return Letter(sender="news@example.org", recipient=f"reader{number}@example.com", message=MESSAGE)


async def sent(inbox: Inbox, *letters: Letter) -> list[Ending]:
    """Sends through a sandbox of its own."""
    transport = SandboxTransport(inbox, connections=3)
    try:
        return list(await asyncio.gather(*(transport.send(each, granted) for each in letters)))
    finally:
        await transport.close()


async def test_every_mail_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    endings = await sent(inbox, letter())
    assert [ending.accepted for ending in endings] == [True]
    (arrival,) = inbox.arrivals()
    assert (arrival.subject, arrival.sender) == ("News", "Example <news@example.org>")
    assert arrival.recipient == "Ayşe <ayse@example.com>"
    mail = inbox.open(arrival.id)
    assert mail is not None
    assert mail.text == "Merhaba ş\n.dot\n"
    assert mail.html == "<p>Merhaba</p>"
    assert mail.source == b"Return-Path: <news@example.org>\r\nDelivered-To: reader1@example.com\r\n" + MESSAGE


async def test_mails_come_newest_first_and_survive_the_process(tmp_path: Path) -> None:
    for number in range(5):
        await sent(Inbox(tmp_path / "inbox"), letter(number))
    inbox = Inbox(tmp_path / "inbox")
    arrivals = inbox.arrivals(3)
    assert inbox.count() == 5
    assert [arrival.id for arrival in arrivals] == sorted((a.id for a in arrivals), reverse=True)
    newest = inbox.open(arrivals[0].id)
    assert newest is not None
    assert ("Delivered-To", "reader4@example.com") in newest.headers


async def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox", kept=10)
    for number in range(25):
        inbox.store("news@example.org", f"reader{number}@example.com", MESSAGE)
    assert inbox.count() == 10


async def test_two_processes_may_keep_mail_at_once(tmp_path: Path) -> None:
    first, second = Inbox(tmp_path / "inbox"), Inbox(tmp_path / "inbox")
    await asyncio.gather(sent(first, *map(letter, range(20))), sent(second, *map(letter, range(20))))
    assert first.count() == second.count() == 40


@pytest.mark.parametrize("identity", ["", "..", "../../config", "x.eml", "1" * 20, "0" * 20 + "-1-000000"])
def test_an_id_is_no_path(tmp_path: Path, identity: str) -> None:
    assert Inbox(tmp_path / "inbox").open(identity) is None


def test_an_empty_inbox(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    assert (inbox.arrivals(), inbox.count()) == ([], 0)


async def test_the_sandbox_starts_again_after_it_was_closed(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    transport = SandboxTransport(inbox)
    for _ in range(2):
        assert (await transport.send(letter(), granted)).accepted
        await transport.close()
    assert inbox.count() == 2


def test_what_is_broken_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    identity = inbox.store("a@example.org", "b@example.com", b"\xff\xfe not a mail\r\n\r\n\x00")
    mail = inbox.open(identity)
    assert mail is not None
    assert mail.arrival.recipient == "b@example.com"


@pytest.mark.parametrize("charset", ["x-unknown", "hex", "idna", '"utf-8\0"', "*=utf-8''nonsense"])
def test_a_charset_that_nobody_knows_is_read_as_far_as_it_goes(tmp_path: Path, charset: str) -> None:
    inbox = Inbox(tmp_path / "inbox")
    parameter = charset if charset.startswith("*") else f"={charset}"
    mail = f"Subject: Odd\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset{parameter}\r\n\r\nMerhaba ş"
    opened = inbox.open(inbox.store("a@example.org", "b@example.org", mail.encode() + b"\xff\r\n"))
    assert opened is not None
    assert opened.text.startswith("Merhaba ")
