"""The pipelined way: one round trip a message, the same mails, and nothing goes that its guard did not let go."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from publisher.model.delivery import Ending, Fault, Letter, Phase
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport
from relays import POLITE, Answer, ScriptedRelay

PIPELINING = ("PIPELINING", "SIZE 10000000")
Guard = Callable[[], Awaitable[bool]]


def letter(number: int, message: bytes = b"Subject: x\r\n\r\nHello\r\n.\r\n") -> Letter:
    """Returns a letter to its own recipient."""
    return Letter(sender="news@example.org", recipient=f"reader{number}@example.com", message=message)


async def granted() -> bool:
    """Lets every body go."""
    return True


def transport(
    relay: ScriptedRelay, connections: int = 1, *, pipelining: bool = True, patience: Patience | None = None
) -> SmtpTransport:
    """Returns a pool for the relay."""
    where = Relay(host="127.0.0.1", port=relay.port, security="none", hostname="client.example", pipelining=pipelining)
    return SmtpTransport(where, connections, patience or Patience())


async def sent(pool: SmtpTransport, letters: list[Letter], guard: Guard = granted) -> list[Ending]:
    """Sends all at once; returns how each ended."""
    try:
        return list(await asyncio.gather(*(pool.send(each, guard) for each in letters)))
    finally:
        await pool.close()


def verbs(relay: ScriptedRelay) -> list[str]:
    """Returns what was said."""
    return [command.split(" ")[0] for command in relay.commands]


async def test_a_message_costs_one_round_trip() -> None:
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        endings = await sent(transport(relay), [letter(n) for n in range(50)])
    assert all(ending.accepted for ending in endings)
    # The greeting, EHLO and the first envelope; then one for each message; the last one is the relay's goodbye to QUIT.
    assert relay.turns == 3 + 50
    assert relay.sessions == 1


async def test_the_plain_way_costs_four() -> None:
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        await sent(transport(relay, pipelining=False), [letter(n) for n in range(50)])
    assert relay.turns == 2 + 4 * 50


@pytest.mark.parametrize("offers", [PIPELINING, ()])
@pytest.mark.parametrize("pipelining", [True, False])
async def test_every_way_brings_the_same_mails(offers: tuple[str, ...], pipelining: bool) -> None:
    refused: list[Answer] = ["550 5.1.1 unknown" if n % 7 == 3 else POLITE["RCPT"] for n in range(40)]
    bodies = [b"Subject: %d\r\n\r\n.%d\r\n..\r\n.\r\nend" % (n, n) for n in range(40)]
    async with ScriptedRelay({"RCPT": refused}, extensions=offers).running() as relay:
        endings = await sent(transport(relay, pipelining=pipelining), [letter(n, b) for n, b in enumerate(bodies)])
    assert {(r.sender, r.recipient, r.message) for r in relay.received} == {
        ("news@example.org", f"reader{n}@example.com", body + b"\r\n") for n, body in enumerate(bodies) if n % 7 != 3
    }
    assert [n for n, ending in enumerate(endings) if ending.code == 550] == [n for n in range(40) if n % 7 == 3]
    assert relay.sessions == 1


async def test_after_a_refused_recipient_the_reset_goes_with_the_next_envelope() -> None:
    async with ScriptedRelay({"RCPT": ["550 5.1.1 unknown"]}, extensions=PIPELINING).running() as relay:
        endings = await sent(transport(relay), [letter(1), letter(2)])
    assert [ending.code for ending in endings] == [550, 250]
    assert verbs(relay) == ["EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]
    assert relay.turns == 3 + 1 + 1  # greeting, EHLO, the refused envelope; the next one; its message


@pytest.mark.parametrize("extensions", [PIPELINING, ()])
async def test_data_accepted_after_a_refused_recipient_brings_nobody_an_empty_mail(extensions: tuple[str, ...]) -> None:
    script: dict[str, list[Answer]] = {"RCPT": [POLITE["RCPT"], "550 5.1.1 unknown"], "DATA": [POLITE["DATA"]] * 2}
    async with ScriptedRelay(script, extensions=extensions).running() as relay:
        endings = await sent(transport(relay), [letter(1), letter(2), letter(3)])
    assert [(ending.phase, ending.code) for ending in endings] == [
        (Phase.BODY, 250), (Phase.RCPT, 550), (Phase.BODY, 250)
    ]  # fmt: skip
    assert relay.empty_dots == 0
    assert [r.recipient for r in relay.received] == ["reader1@example.com", "reader3@example.com"]
    assert relay.sessions == 2


async def test_a_guard_is_asked_after_354_with_the_end_before_it_told() -> None:
    told: list[str] = []
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        pool = transport(relay)

        async def one(number: int) -> None:
            async def guard() -> bool:
                told.append(f"begin {number} {verbs(relay)[-1]} {len(relay.received)}")
                await asyncio.sleep(0.01)
                return True

            await pool.send(letter(number), guard)
            told.append(f"end {number}")

        await asyncio.gather(*(one(number) for number in range(5)))
        await pool.close()
    assert told == [line for number in range(5) for line in (f"begin {number} DATA {number}", f"end {number}")]


@pytest.mark.parametrize("error", [None, RuntimeError("no store")])
async def test_where_a_guard_fails_in_mid_flight_no_dot_is_sent(error: Exception | None) -> None:
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        pool = transport(relay)

        async def refusing() -> bool:
            if error is not None:
                raise error
            return False

        results = await asyncio.gather(
            *(pool.send(letter(n), refusing if n == 2 else granted) for n in range(5)), return_exceptions=True
        )
        await pool.close()
    second = results.pop(2)
    assert second is error or (isinstance(second, Ending) and second.fault is Fault.WITHDRAWN)
    assert all(isinstance(ending, Ending) and ending.accepted for ending in results)
    assert [r.recipient for r in relay.received] == [f"reader{n}@example.com" for n in (0, 1, 3, 4)]
    assert relay.empty_dots == 0
    assert relay.sessions == 2


async def test_a_guard_that_does_not_answer_is_called_off_and_no_dot_is_sent() -> None:
    patience = Patience(total=1)
    answers: list[asyncio.Future[bool]] = []

    def silent() -> "asyncio.Future[bool]":
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        pool = transport(relay, patience=patience)
        ending = await pool.send(letter(1), silent)
        assert (ending.phase, ending.fault) == (Phase.DATA, Fault.WITHDRAWN)
        assert answers[0].cancelled()
        assert (await pool.send(letter(2), granted)).accepted
        await pool.close()
    assert [r.recipient for r in relay.received] == ["reader2@example.com"]
    assert relay.empty_dots == 0


async def test_a_sender_that_is_stopped_sends_nothing_and_harms_nobody() -> None:
    """One waits in the queue, one's envelope is out, one asks its guard: none of them arrives."""
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        pool = transport(relay)
        reached = asyncio.Event()

        async def slow() -> bool:
            reached.set()
            await asyncio.sleep(0.1)
            return True

        first = asyncio.create_task(pool.send(letter(0), slow))
        others = [asyncio.create_task(pool.send(letter(n), granted)) for n in range(1, 5)]
        await reached.wait()
        others[1].cancel()  # waits
        first.cancel()  # asks its guard
        result = await asyncio.gather(first, *others, return_exceptions=True)
        await pool.close()
    assert [isinstance(r, asyncio.CancelledError) for r in result] == [True, False, True, False, False]
    assert sorted(r.recipient for r in relay.received) == [f"reader{n}@example.com" for n in (1, 3, 4)]
    assert relay.empty_dots == 0


async def test_a_following_letter_whose_sender_is_stopped_takes_nothing_with_it() -> None:
    async with ScriptedRelay({"DOT": [(0.1, "250 2.0.0 queued")]}, extensions=PIPELINING).running() as relay:
        pool = transport(relay)
        tasks = [asyncio.create_task(pool.send(letter(n), granted)) for n in range(3)]
        while "reader0@example.com" not in str(relay.commands) or verbs(relay).count("MAIL") + len(relay.received) < 2:
            await asyncio.sleep(0.005)
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await pool.close()
    assert isinstance(results[0], Ending)
    assert results[0].accepted
    assert [r.recipient for r in relay.received] == ["reader0@example.com", "reader2@example.com"]
    assert relay.empty_dots == 0


async def test_a_slow_reader_is_waited_for_with_the_next_envelope_in_its_place() -> None:
    large = b"Subject: x\r\n\r\n" + (b"y" * 74 + b"\r\n") * 30_000
    async with ScriptedRelay({"BODY": [(0.3,)] * 3}, extensions=PIPELINING).running() as relay:
        endings = await sent(transport(relay), [letter(n, large) for n in range(3)])
    assert all(ending.accepted for ending in endings)
    assert {r.message for r in relay.received} == {large}
    assert relay.sessions == 1


async def test_a_reader_that_stops_in_a_large_body_gets_no_dot() -> None:
    large = b"Subject: x\r\n\r\n" + (b"y" * 74 + b"\r\n") * 300_000
    patience = Patience(block=0.3)
    async with ScriptedRelay({"BODY": [(60.0,)]}, extensions=("PIPELINING",)).running() as relay:
        endings = await sent(transport(relay, patience=patience), [letter(1, large), letter(2)])
    assert (endings[0].phase, endings[0].fault) == (Phase.DATA, Fault.TIMEOUT)
    assert endings[1].accepted  # it was to follow on that connection, and went over another one
    assert [r.recipient for r in relay.received] == ["reader2@example.com"]


async def test_sessions_are_renewed_after_a_hundred_letters_and_end_politely() -> None:
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        endings = await sent(transport(relay), [letter(n) for n in range(201)])
    assert all(ending.accepted for ending in endings)
    assert relay.sessions == 3
    assert verbs(relay).count("QUIT") == 3
    assert "RSET" not in verbs(relay)


async def test_an_idle_session_is_ended_politely() -> None:
    patience = Patience(idle=0.1)
    async with ScriptedRelay(extensions=PIPELINING).running() as relay:
        pool = transport(relay, patience=patience)
        await pool.send(letter(1), granted)
        async with asyncio.timeout(60):
            while verbs(relay)[-1] != "QUIT":
                await asyncio.sleep(0.01)
        assert (await pool.send(letter(2), granted)).accepted
        await pool.close()
    assert relay.sessions == 2


async def test_out_of_step_once_a_relay_is_asked_line_by_line_until_the_restart() -> None:
    async with ScriptedRelay(
        {"DOT": [b"250 2.0.0 queued\r\n250 2.0.0 again\r\n"]}, extensions=PIPELINING
    ).running() as relay:
        pool = transport(relay)
        assert pool.pipelining
        endings = await sent(pool, [letter(n) for n in range(4)])
        assert not pool.pipelining
        turns = relay.turns
        await sent(pool, [letter(n) for n in range(4, 8)])
        assert relay.turns - turns >= 4 * 4
    assert all(ending.accepted for ending in endings)
    assert len(relay.received) == 8


async def test_a_letter_too_large_for_the_relay_is_neither_begun_nor_in_the_way() -> None:
    async with ScriptedRelay(extensions=("PIPELINING", "SIZE 100")).running() as relay:
        endings = await sent(transport(relay), [letter(n, b"x" * 200 if n % 2 else b"x\r\n") for n in range(6)])
    assert [ending.code for ending in endings] == [250, 552] * 3
    assert verbs(relay).count("MAIL") == 3


async def test_a_relay_that_cannot_be_reached_is_told_once_and_the_others_were_not_tried() -> None:
    async with ScriptedRelay({"CONNECT": ["421 4.3.2 not now"] * 9}).running() as relay:
        endings = await sent(transport(relay, connections=2), [letter(n) for n in range(6)])
        assert relay.sessions == 2
    assert [ending.code for ending in endings[:2]] == [421, 421]
    assert {(ending.phase, ending.fault) for ending in endings[2:]} == {(Phase.GREETING, Fault.WITHDRAWN)}


@pytest.mark.parametrize("address", ["a@b>\r\nRCPT TO:<c@example.com", "a b@example.com", "a@example.com\n", "<a@b>"])
async def test_an_address_cannot_say_more_than_an_address(address: str) -> None:
    pool = SmtpTransport(Relay(host="127.0.0.1", port=1, security="none"))
    with pytest.raises(ValueError, match="envelope"):
        await pool.send(Letter(sender="news@example.org", recipient=address, message=b""), granted)
    with pytest.raises(ValueError, match="envelope"):
        await pool.send(Letter(sender=address, recipient="a@example.com", message=b""), granted)
