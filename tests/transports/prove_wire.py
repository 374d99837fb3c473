"""The rest of T-CHAOS: what lasts, and what needs many letters. Run by `make prove-wire`; PATIENCE scales all waits."""

import asyncio

import pytest

from chaos import AFTER_A_WHILE, AT_ONCE, Cell, cells, hold
from publisher.model.delivery import Ending, Letter, Phase
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport
from relays import POLITE, Answer, ScriptedRelay

PATIENCE = 1.0
"""Seconds until we give up on a reply; a drip brings an octet every 0.4 s."""
WAYS = pytest.mark.parametrize("pipelined", [False, True], ids=["plain", "pipelined"])


async def sent(relay: ScriptedRelay, letters: int, connections: int = 2, size: int = 400) -> list[Ending]:
    """Sends so many letters at once; returns how each ended."""

    async def granted() -> bool:
        return True

    pool = SmtpTransport(
        Relay(host="127.0.0.1", port=relay.port, security="none", hostname="client.example"),
        connections,
        Patience(connect=30, command=30, data=30, block=30, dot=30, total=90),
    )
    message = b"Subject: x\r\n\r\n" + b"y" * 60 + b"\r\n" * (size // 62)
    try:
        return list(
            await asyncio.gather(
                *(
                    pool.send(Letter(sender="n@example.org", recipient=f"r{n}@example.com", message=message), granted)
                    for n in range(letters)
                )
            )
        )
    finally:
        await pool.close()


def offering(*, pipelined: bool) -> tuple[str, ...]:
    """Returns what the relay offers."""
    return ("PIPELINING",) if pipelined else ()


@pytest.mark.parametrize("cell", cells(AFTER_A_WHILE), ids=str)
@WAYS
async def test_what_lasts(cell: Cell, pipelined: bool) -> None:
    await hold(cell, pipelined=pipelined, seconds=PATIENCE)


@pytest.mark.parametrize("cell", cells(AT_ONCE), ids=str)
@WAYS
async def test_what_a_relay_does_wrong_again_and_again(cell: Cell, pipelined: bool) -> None:
    for _ in range(5):
        await hold(cell, pipelined=pipelined, seconds=10 * PATIENCE)


@pytest.mark.parametrize("every", [100, 2, 1])
@WAYS
async def test_refused_recipients_cost_themselves_only(every: int, pipelined: bool) -> None:
    answers: list[Answer] = ["550 5.1.1 unknown" if n % every == every - 1 else POLITE["RCPT"] for n in range(1000)]
    async with ScriptedRelay({"RCPT": answers}, extensions=offering(pipelined=pipelined)).running() as relay:
        endings = await sent(relay, 1000)
    refused = [ending for ending in endings if (ending.phase, ending.code) == (Phase.RCPT, 550)]
    assert len(refused) == 1000 // every
    assert sum(ending.accepted for ending in endings) == len(relay.received) == 1000 - len(refused)
    assert relay.empty_dots == 0


@WAYS
async def test_a_relay_that_closes_after_twenty_gets_all_the_others_all_the_same(pipelined: bool) -> None:
    answers: list[Answer] = ["421 4.7.0 enough" if n % 20 == 19 else POLITE["MAIL"] for n in range(400)]
    async with ScriptedRelay({"MAIL": answers}, extensions=offering(pipelined=pipelined)).running() as relay:
        endings = await sent(relay, 300)
    assert all(ending.accepted for ending in endings)
    assert len({received.recipient for received in relay.received}) == len(relay.received) == 300


@WAYS
async def test_a_relay_that_accepts_then_defers_defers_that_one(pipelined: bool) -> None:
    answers: list[Answer] = ["451 4.3.0 later" if n % 3 == 2 else POLITE["DOT"] for n in range(300)]
    async with ScriptedRelay({"DOT": answers}, extensions=offering(pipelined=pipelined)).running() as relay:
        endings = await sent(relay, 300)
    assert sum(ending.accepted for ending in endings) == 200
    assert relay.sessions <= 4


@WAYS
async def test_a_tarpit_is_borne(pipelined: bool) -> None:
    async with ScriptedRelay(extensions=offering(pipelined=pipelined), delay=0.3).running() as relay:
        endings = await sent(relay, 20, connections=4)
    assert all(ending.accepted for ending in endings)
    assert relay.sessions == 4
