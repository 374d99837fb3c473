"""Against real Postfix and real Exim: plain and over STARTTLS, pipelined and not, the same mails, each once."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtas import Mta, Tap, running_exim, running_postfix
from publisher.model.delivery import Ending, Fault, Letter, Phase
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport

SERVERS = {"postfix": running_postfix, "exim": running_exim}


@pytest.fixture(scope="module", params=sorted(SERVERS))
def mta(request: pytest.FixtureRequest, authority: Path) -> Iterator[Mta]:
    """A running mail server with a certificate of our authority."""
    with SERVERS[request.param](authority / "server.pem", authority / "server.key") as running:
        yield running


def body(mark: str, number: int, lines: int = 5) -> bytes:
    """Returns a body that is hard to carry, and that tells whose it is."""
    hard = [f"{mark} {number}", ".", "..", ".dot", "From the start", "=2E", "", "end."]
    return "\r\n".join(hard + [f"line {n} of {number}" for n in range(lines)]).encode() + b"\r\n"


def letter(mark: str, number: int, to: str = "reader", lines: int = 5) -> Letter:
    """Returns a letter."""
    head = f"From: news@example.org\r\nTo: {to}{number}@example.com\r\nSubject: {number}\r\n\r\n".encode()
    message = head + body(mark, number, lines)
    return Letter(sender="news@example.org", recipient=f"{to}{number}@example.com", message=message)


async def sent(
    port: int, letters: list[Letter], *, trust: ssl.SSLContext | None, pipelining: bool, connections: int = 2
) -> list[Ending]:
    """Sends all at once; returns how each ended."""

    async def granted() -> bool:
        return True

    relay = Relay(
        host="localhost",
        port=port,
        security="none" if trust is None else "starttls",
        hostname="client.example",
        tls=trust,
        pipelining=pipelining,
    )
    pool = SmtpTransport(relay, connections, Patience())
    try:
        endings = list(await asyncio.gather(*(pool.send(each, granted) for each in letters)))
        assert pool.pipelining is pipelining  # nothing got out of step
        return endings
    finally:
        await pool.close()


async def arrived(mta: Mta, mark: str, count: int) -> list[bytes]:
    """Returns the bodies with a mark, once there are so many, and none comes after them."""
    deadline = time.monotonic() + 60.0
    while True:
        found = [each for each in mta.bodies() if each.startswith(mark.encode() + b" ")]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "plain"])
@pytest.mark.parametrize("secured", [False, True], ids=["none", "starttls"])
async def test_everybody_gets_theirs_whoever_is_refused_and_whenever_the_relay_hangs_up(
    mta: Mta, trust: ssl.SSLContext, secured: bool, pipelining: bool
) -> None:
    """Every seventh recipient is refused, and twice the relay closes in mid-flight with 421."""
    mark = f"mark-{secured}-{pipelining}"
    refused, closing = set(range(3, 60, 7)), {21, 40}
    letters = [
        letter(mark, n, "refused" if n in refused else "closing" if n in closing else "reader") for n in range(60)
    ]
    endings = await sent(mta.port, letters, trust=trust if secured else None, pipelining=pipelining)
    for number, ending in enumerate(endings):
        if number in refused:
            assert (ending.phase, ending.code, ending.enhanced) == (Phase.RCPT, 550, "5.1.1"), ending
        elif number in closing:
            assert (ending.phase, ending.code) == (Phase.RCPT, 421), ending
        else:
            assert ending.accepted, ending
    expected = [body(mark, n).replace(b"\r\n", b"\n") for n in range(60) if n not in refused | closing]
    assert sorted(await arrived(mta, mark, len(expected))) == sorted(expected)


@pytest.mark.parametrize("secured", [False, True], ids=["none", "starttls"])
async def test_a_message_costs_one_round_trip(mta: Mta, trust: ssl.SSLContext, secured: bool) -> None:
    """Counted between the two, TLS or not: how often somebody speaks after the other."""
    tls = trust if secured else None
    async with Tap(mta.port).running() as tap:
        endings = await sent(tap.port, [letter("a", n) for n in range(40)], trust=tls, pipelining=True, connections=1)
        turns, tap.turns = tap.turns, 0
        await sent(tap.port, [letter("b", n) for n in range(40)], trust=tls, pipelining=False, connections=1)
    assert all(ending.accepted for ending in endings)
    # Greeting, EHLO, STARTTLS, handshake, EHLO, the first envelope, QUIT; a body may now and then come in two pieces.
    assert 40 + 3 <= turns <= 40 + 7 + 10
    assert tap.turns >= 4 * 40


@pytest.mark.parametrize("secured", [False, True], ids=["none", "starttls"])
async def test_a_slow_reader_gets_all_of_it(mta: Mta, trust: ssl.SSLContext, secured: bool) -> None:
    """The connection takes 2 MB a second and the messages are 1 MB each: they stand in the way of each other."""
    mark = f"slow-{secured}"
    async with Tap(mta.port, octets_per_second=2_000_000).running() as tap:
        began = time.monotonic()
        letters = [letter(mark, n, lines=50_000) for n in range(4)]
        endings = await sent(tap.port, letters, trust=trust if secured else None, pipelining=True)
        assert time.monotonic() - began > 0.5
    assert all(ending.accepted for ending in endings)
    expected = [body(mark, n, 50_000).replace(b"\r\n", b"\n") for n in range(4)]
    assert sorted(await arrived(mta, mark, 4)) == sorted(expected)


async def test_a_certificate_nobody_vouches_for_ends_it(mta: Mta) -> None:
    (ending,) = await sent(mta.port, [letter("never", 1)], trust=ssl.create_default_context(), pipelining=True)
    assert (ending.phase, ending.fault) == (Phase.STARTTLS, Fault.INSECURE)


async def test_a_guard_that_says_no_in_mid_flight_sends_nothing_and_no_empty_mail(mta: Mta) -> None:
    pool = SmtpTransport(
        Relay(host="localhost", port=mta.port, security="none", hostname="client.example"), 1, Patience()
    )
    before = len(mta.bodies())

    async def says(answer: bool) -> bool:
        return answer

    endings = await asyncio.gather(
        *(pool.send(letter("guard", n), lambda n=n: says(n % 3 != 1)) for n in range(9))  # type: ignore[misc]
    )
    await pool.close()
    assert [ending.fault for ending in endings] == [Fault.WITHDRAWN if n % 3 == 1 else None for n in range(9)]
    expected = [body("guard", n).replace(b"\r\n", b"\n") for n in range(9) if n % 3 != 1]
    assert sorted(await arrived(mta, "guard", 6)) == sorted(expected)
    await asyncio.sleep(0.5)
    assert len(mta.bodies()) == before + 6
