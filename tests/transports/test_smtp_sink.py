"""Postfix' smtp-sink as a second oracle: it refuses, defers, hangs up and waits by command, and keeps its own log."""

import asyncio

import pytest

from mtas import running_sink
from publisher.mail.outcome import judge
from publisher.model.delivery import SETUP, Ending, Fault, Letter, Phase
from publisher.model.issue import DeliveryState
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport

WAYS = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "plain"])


def letter(number: int) -> Letter:
    """Returns a letter."""
    message = f"Subject: {number}\r\n\r\n.\r\n..two\r\nFrom here\r\n".encode()
    return Letter(sender="news@example.org", recipient=f"reader{number}@example.com", message=message)


async def sent(
    port: int, letters: int, *, pipelining: bool, connections: int = 1, one_by_one: bool = False
) -> list[Ending]:
    """Sends all at once, if not told otherwise; returns how each ended."""

    async def granted() -> bool:
        return True

    relay = Relay(host="127.0.0.1", port=port, security="none", hostname="client.example", pipelining=pipelining)
    pool = SmtpTransport(relay, connections, Patience())
    try:
        if one_by_one:
            return [await pool.send(letter(n), granted) for n in range(letters)]
        return list(await asyncio.gather(*(pool.send(letter(n), granted) for n in range(letters))))
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("options", "phase", "said", "state"),
    [
        (("-f", "MAIL"), Phase.MAIL, 500, DeliveryState.DEFERRED),
        (("-f", "RCPT"), Phase.RCPT, 500, DeliveryState.REJECTED),
        (("-f", "RCPT,RSET"), Phase.RCPT, 500, DeliveryState.REJECTED),
        (("-f", "DATA"), Phase.DATA, 500, DeliveryState.DEFERRED),
        (("-f", "."), Phase.BODY, 500, DeliveryState.DEFERRED),
        (("-r", "MAIL"), Phase.MAIL, 450, DeliveryState.DEFERRED),
        (("-r", "RCPT"), Phase.RCPT, 450, DeliveryState.DEFERRED),
        (("-r", "DATA"), Phase.DATA, 450, DeliveryState.DEFERRED),
        (("-r", "."), Phase.BODY, 450, DeliveryState.DEFERRED),
        (("-q", "EHLO"), Phase.HELLO, Fault.DISCONNECTED, DeliveryState.PENDING),
        (("-q", "MAIL"), Phase.MAIL, Fault.DISCONNECTED, DeliveryState.PENDING),
        (("-q", "RCPT"), Phase.RCPT, Fault.DISCONNECTED, DeliveryState.DEFERRED),
        (("-q", "DATA"), Phase.DATA, Fault.DISCONNECTED, DeliveryState.DEFERRED),
        (("-q", "."), Phase.BODY, Fault.DISCONNECTED, DeliveryState.UNCERTAIN),
        (("-Q", "CONNECT"), Phase.GREETING, 421, DeliveryState.PENDING),
        (("-Q", "MAIL"), Phase.MAIL, 421, DeliveryState.PENDING),
        (("-Q", "RCPT"), Phase.RCPT, 421, DeliveryState.DEFERRED),
        (("-Q", "DATA"), Phase.DATA, 421, DeliveryState.DEFERRED),
        (("-Q", "."), Phase.BODY, 421, DeliveryState.DEFERRED),
        (("-H", "1"), Phase.BODY, 250, DeliveryState.ACCEPTED),
        (("-p",), Phase.BODY, 250, DeliveryState.ACCEPTED),
        (("-e",), Phase.BODY, 250, DeliveryState.ACCEPTED),  # knows no EHLO
        (("-q", "QUIT"), Phase.BODY, 250, DeliveryState.ACCEPTED),
    ],
    ids=lambda value: "".join(value) if isinstance(value, tuple) else None,
)
@WAYS
async def test_what_the_sink_does_is_told_with_its_phase(
    options: tuple[str, ...], phase: Phase, said: int | Fault, state: DeliveryState, pipelining: bool
) -> None:
    with running_sink(*options, "-D", "log") as sink:
        endings = await sent(sink.port, 3, pipelining=pipelining, one_by_one=phase in SETUP)
        log = sink.log()
    assert [(ending.phase, ending.fault or ending.code) for ending in endings] == [(phase, said)] * 3
    outcomes = [judge(e, attempt=1, refusals=0) for e in endings]
    assert [outcome.state for outcome in outcomes] == [state] * 3
    assert not any(outcome.blames_address for outcome in outcomes)
    if state is DeliveryState.ACCEPTED:
        assert [recipient for recipient, _ in log] == [f"reader{n}@example.com" for n in range(3)]


@WAYS
async def test_a_sink_that_breaks_off_after_354_has_no_mail(pipelining: bool) -> None:
    """Its 550 comes with the 354, or while the body is on its way."""
    with running_sink("-A", "0", "-D", "log") as sink:
        endings = await sent(sink.port, 3, pipelining=pipelining)
        assert sink.log() == [] or all(message.strip() == b"" for _, message in sink.log())
    outcomes = [judge(e, attempt=1, refusals=0) for e in endings]
    assert {outcome.state for outcome in outcomes} <= {DeliveryState.DEFERRED, DeliveryState.UNCERTAIN}


async def test_its_log_says_that_both_ways_bring_the_same_to_everybody_once() -> None:
    logs = []
    for pipelining in (True, False):
        with running_sink("-D", "log") as sink:
            endings = await sent(sink.port, 150, pipelining=pipelining, connections=4)
            assert all(ending.accepted for ending in endings)
            logs.append(sink.log())
    assert logs[0] == logs[1]
    assert logs[0] == sorted((each.recipient, each.message.replace(b"\r\n", b"\n")) for each in map(letter, range(150)))
