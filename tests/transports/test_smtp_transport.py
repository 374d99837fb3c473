"""The SMTP pool against real servers that misbehave: how each transaction ends, and what becomes of the connection."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from publisher.mail.outcome import judge
from publisher.model.delivery import Ending, Fault, Letter, Phase
from publisher.model.issue import DeliveryState
from publisher.transports.session import Patience, Relay, is_loopback
from publisher.transports.smtp import SmtpTransport
from relays import CLOSE, RESET, SILENCE, Answer, ScriptedRelay

SHORT = Patience(connect=1.5, command=1.5, data=1.5, block=1.5, dot=1.5, total=9.0)
"""With relays that do not answer; all others may take their time."""
MESSAGE = b"From: a@example.org\r\nTo: b@example.com\r\n\r\nHello\r\n"


def letter(number: int = 1, message: bytes = MESSAGE) -> Letter:
    """Returns a letter to its own recipient."""
    return Letter(sender="news@example.org", recipient=f"reader{number}@example.com", message=message)


async def granted() -> bool:
    """Lets every body go."""
    return True


def transport(
    relay: ScriptedRelay, *, patience: Patience | None = None, connections: int = 2, **options: object
) -> SmtpTransport:
    """Returns a pool for the relay."""
    values: dict[str, object] = {"host": "127.0.0.1", "security": "none", "hostname": "client.example"} | options
    return SmtpTransport(Relay(port=relay.port, **values), connections, patience or Patience())  # type: ignore[arg-type]


async def ending(
    script: dict[str, list[str | bytes]],
    in_flight: Callable[[], Awaitable[bool]] = granted,
    patience: Patience | None = None,
) -> tuple[Ending, ScriptedRelay]:
    """Returns how one letter ended under a script."""
    async with ScriptedRelay(script).running() as relay:
        pool = transport(relay, patience=patience)
        result = await pool.send(letter(), in_flight)
        await pool.close()
        return result, relay


@pytest.mark.parametrize(
    ("script", "phase", "code"),
    [
        ({}, Phase.BODY, 250),
        ({"DOT": ["251 2.0.0 forwarded"]}, Phase.BODY, 251),
        ({"DOT": ["451 4.3.0 later"]}, Phase.BODY, 451),
        ({"DOT": ["554 5.7.1 spam"]}, Phase.BODY, 554),
        ({"DATA": ["451 4.3.0 later"]}, Phase.DATA, 451),
        ({"DATA": ["554 5.5.1 no"]}, Phase.DATA, 554),
        ({"RCPT": ["550 5.1.1 unknown"]}, Phase.RCPT, 550),
        ({"RCPT": ["450 4.2.0 greylisted"]}, Phase.RCPT, 450),
        ({"MAIL": ["550 5.7.1 sender"]}, Phase.MAIL, 550),
        ({"MAIL": ["421 4.3.2 shutting down"]}, Phase.MAIL, 421),
        ({"CONNECT": ["554 5.3.2 no"]}, Phase.GREETING, 554),
        ({"CONNECT": ["421 4.3.2 busy"]}, Phase.GREETING, 421),
        ({"EHLO": ["421 4.3.2 busy"]}, Phase.HELLO, 421),
        ({"EHLO": ["502 what"], "HELO": ["250 ok"]}, Phase.BODY, 250),
        ({"DOT": [b"250-2.0.0 one\r\n250 two\r\n"]}, Phase.BODY, 250),
        ({"RCPT": ["251 2.1.5 will forward"]}, Phase.BODY, 250),
    ],
)
async def test_replies_are_told_with_their_phase(script: dict[str, list[str | bytes]], phase: Phase, code: int) -> None:
    result, _ = await ending(script)
    assert (result.phase, result.code, result.fault) == (phase, code, None)


PHASES = {"EHLO": Phase.HELLO, "MAIL": Phase.MAIL, "RCPT": Phase.RCPT, "DATA": Phase.DATA, "DOT": Phase.BODY}


@pytest.mark.parametrize(("at", "phase"), PHASES.items())
@pytest.mark.parametrize(
    ("answer", "fault"),
    [(CLOSE, Fault.DISCONNECTED), ("hello there", Fault.GARBAGE), (b"x" * 100_000, Fault.GARBAGE)],
)
async def test_faults_are_told_with_their_phase(at: str, phase: Phase, answer: str | bytes, fault: Fault) -> None:
    if at == "EHLO" and isinstance(answer, bytes) and len(answer) > 1000:
        answer = b"x" * 100_000 + b"\r\n"
    result, relay = await ending({at: [answer]})
    assert (result.phase, result.fault) == (phase, fault)
    assert len(relay.received) == (1 if at == "DOT" else 0)


async def test_silence_is_told_with_its_phase() -> None:
    cases = [(at, answer) for at in PHASES for answer in (SILENCE, b"25")]
    endings = await asyncio.gather(*(ending({at: [answer]}, patience=SHORT) for at, answer in cases))
    for (at, _), (result, relay) in zip(cases, endings, strict=True):
        assert (result.phase, result.fault) == (PHASES[at], Fault.TIMEOUT)
        assert len(relay.received) == (1 if at == "DOT" else 0)


@pytest.mark.parametrize(
    ("at", "phase", "answer"),
    [
        ("MAIL", Phase.MAIL, "354 go"),
        ("MAIL", Phase.MAIL, "199 odd"),
        ("RCPT", Phase.RCPT, "354 go"),
        ("DATA", Phase.DATA, "250 ok"),
        ("DATA", Phase.DATA, "355 go"),
    ],
)
async def test_a_reply_that_does_not_belong_to_its_phase_is_garbage(at: str, phase: Phase, answer: str) -> None:
    result, relay = await ending({at: [answer]})
    assert (result.phase, result.fault) == (phase, Fault.GARBAGE)
    assert not relay.received


async def test_nobody_listening_is_told_as_a_lost_connection() -> None:
    async with ScriptedRelay().running() as relay:
        pass
    result = await transport(relay).send(letter(), granted)
    assert (result.phase, result.fault) == (Phase.CONNECT, Fault.DISCONNECTED)


async def test_the_mark_is_made_after_354_and_before_the_first_byte() -> None:
    async with ScriptedRelay().running() as relay:
        seen: list[tuple[str, int]] = []

        async def in_flight() -> bool:
            await asyncio.sleep(0.05)
            seen.append((relay.commands[-1], len(relay.received)))
            return True

        pool = transport(relay)
        await pool.send(letter(), in_flight)
        await pool.close()
    assert seen == [("DATA", 0)]
    assert len(relay.received) == 1


async def test_where_the_mark_is_refused_nothing_is_sent_not_even_an_empty_mail() -> None:
    async def refused() -> bool:
        return False

    result, relay = await ending({}, refused)
    await asyncio.sleep(0.05)
    assert (result.phase, result.fault) == (Phase.DATA, Fault.WITHDRAWN)
    assert relay.received == []


async def test_a_mark_that_fails_closes_the_connection_without_a_dot() -> None:
    async def failing() -> bool:
        raise RuntimeError("no store")

    async with ScriptedRelay().running() as relay:
        pool = transport(relay)
        with pytest.raises(RuntimeError):
            await pool.send(letter(1), failing)
        result = await pool.send(letter(2), granted)
        await pool.close()
    assert result.accepted
    assert [r.recipient for r in relay.received] == ["reader2@example.com"]
    assert relay.sessions == 2


async def test_what_comes_while_the_mark_is_made_stops_the_body() -> None:
    async def slow() -> bool:
        await asyncio.sleep(0.1)
        return True

    result, relay = await ending({"DATA": [b"354 go\r\n250 2.0.0 queued\r\n"]}, slow)
    assert (result.phase, result.fault) == (Phase.DATA, Fault.GARBAGE)
    assert relay.received == []


async def test_one_connection_carries_many_letters() -> None:
    async with ScriptedRelay().running() as relay:
        pool = transport(relay)
        for number in range(5):
            assert (await pool.send(letter(number), granted)).accepted
        await pool.close()
    assert relay.sessions == 1
    assert relay.commands[-1] == "QUIT"
    assert [command for command in relay.commands if command.startswith("RSET")] == []


async def test_a_connection_is_renewed_after_a_hundred_letters() -> None:
    async with ScriptedRelay().running() as relay:
        pool = transport(relay)
        for number in range(101):
            await pool.send(letter(number), granted)
        await pool.close()
    assert relay.sessions == 2
    assert len(relay.received) == 101


async def test_the_pool_has_so_many_connections_and_no_more() -> None:
    async with ScriptedRelay().running() as relay:
        pool = transport(relay, connections=3)
        await asyncio.gather(*(pool.send(letter(number), granted) for number in range(30)))
        await pool.close()
    assert len(relay.received) == 30
    assert relay.most_at_once == 3


async def test_after_a_refused_recipient_the_transaction_is_reset() -> None:
    async with ScriptedRelay({"RCPT": ["550 5.1.1 unknown"]}).running() as relay:
        pool = transport(relay)
        assert (await pool.send(letter(1), granted)).code == 550
        assert (await pool.send(letter(2), granted)).accepted
        await pool.close()
    assert relay.sessions == 1
    assert [command.split(" ")[0] for command in relay.commands] == [
        "EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "QUIT"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "script",
    [
        {"DOT": [b"250 2.0.0 queued\r\n550 5.1.1 stray\r\n"]},
        {"DOT": [b"250 2.0.0 queued\r\n55"]},
        {"DOT": ["421 4.3.2 closing"]},
        {"DOT": ["garbage"]},
        {"MAIL": ["451 4.3.0 odd"]},
        {"RCPT": ["421 4.3.2 closing"]},
        {"RCPT": ["550 5.1.1 unknown"], "RSET": ["451 4.3.0 no"]},
    ],
)
async def test_a_connection_that_surprised_us_is_never_used_again(script: dict[str, list[str | bytes]]) -> None:
    async with ScriptedRelay(script).running() as relay:
        pool = transport(relay)
        await pool.send(letter(1), granted)
        assert (await pool.send(letter(2), granted)).accepted
        await pool.close()
    assert relay.sessions == 2
    assert relay.received[-1].recipient == "reader2@example.com"


async def test_a_stray_line_between_two_letters_drops_the_connection() -> None:
    async with ScriptedRelay({"IDLE": [b"550 5.1.1 stray\r\n"]}).running() as relay:
        pool = transport(relay)
        assert (await pool.send(letter(1), granted)).accepted
        await asyncio.sleep(0.05)
        assert (await pool.send(letter(2), granted)).accepted
        await pool.close()
    assert relay.sessions == 2


@pytest.mark.parametrize("script", [{"MAIL": ["250 ok", CLOSE]}, {"MAIL": ["250 ok", "421 4.4.2 idle too long"]}])
async def test_a_connection_that_went_away_while_idle_costs_nobody_anything(
    script: dict[str, list[str | bytes]],
) -> None:
    async with ScriptedRelay(script).running() as relay:
        pool = transport(relay)
        assert (await pool.send(letter(1), granted)).accepted
        assert (await pool.send(letter(2), granted)).accepted
        await pool.close()
    assert relay.sessions == 2


async def test_a_slow_reader_is_waited_for_block_by_block() -> None:
    message = MESSAGE + b"x" * 70 + b"\r\n" + (b"y" * 74 + b"\r\n") * 40_000
    async with ScriptedRelay(extensions=("SIZE 10000000", "8BITMIME")).running() as relay:
        pool = transport(relay)
        result = await pool.send(letter(1, message), granted)
        await pool.close()
    assert result.accepted
    assert relay.received[0].message == message
    assert f"MAIL FROM:<news@example.org> SIZE={len(message)}" in relay.commands


async def test_a_message_larger_than_the_relay_takes_is_not_begun() -> None:
    async with ScriptedRelay(extensions=("SIZE 20",)).running() as relay:
        pool = transport(relay)
        result = await pool.send(letter(), granted)
        await pool.close()
    assert (result.phase, result.code) == (Phase.DATA, 552)
    assert not [command for command in relay.commands if command.startswith("MAIL")]


async def test_a_relay_that_can_report_is_asked_for_failures_with_our_mark() -> None:
    """RFC 3461: headers only, failures only, the address as it was given in xtext; others are asked nothing."""
    marked = Letter(sender="b@example.org", recipient="a+b=c@example.com", message=MESSAGE, envelope_id=lambda: "mark")
    asked = []
    for extensions in (("DSN",), ("SIZE 10000",)):
        async with ScriptedRelay(extensions=extensions).running() as relay:
            pool = transport(relay)
            for each in (marked, letter()):
                assert (await pool.send(each, granted)).accepted
            await pool.close()
            asked += [line.partition("> ")[2] for line in relay.commands if line.startswith(("MAIL", "RCPT"))]
    assert asked == [
        "RET=HDRS ENVID=mark", "NOTIFY=FAILURE ORCPT=rfc822;a+2Bb+3Dc@example.com", "", "",
        f"SIZE={len(MESSAGE)}", "", f"SIZE={len(MESSAGE)}", "",
    ]  # fmt: skip


async def test_the_whole_transaction_has_a_deadline() -> None:
    patience = Patience(connect=1, command=1, data=1, block=1, dot=60, total=0.3)
    async with ScriptedRelay({"DOT": [SILENCE]}).running() as relay:
        result = await transport(relay, patience=patience).send(letter(), granted)
    assert (result.phase, result.fault) == (Phase.BODY, Fault.TIMEOUT)


def test_the_usual_patience() -> None:
    assert Patience.scaled(60) == Patience()
    assert Patience.scaled(6) == Patience(connect=3, command=30, data=12, block=18, dot=600, total=900)


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_letters_cross_a_verified_connection(
    security: str, server_tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    relay = ScriptedRelay(extensions=("STARTTLS", "AUTH PLAIN"), tls=server_tls, implicit_tls=security == "tls")
    async with relay.running():
        pool = transport(
            relay,
            host="localhost",
            security=security,
            tls=trust,
            username="news",
            password="secret",
        )
        for number in range(3):
            assert (await pool.send(letter(number), granted)).accepted
        await pool.close()
    verbs = [command.split(" ")[0] for command in relay.commands[:4]]
    assert verbs == (
        ["EHLO", "STARTTLS", "EHLO", "AUTH"] if security == "starttls" else ["EHLO", "AUTH", "MAIL", "RCPT"]
    )
    assert relay.sessions == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_that_does_not_hold_ends_it(
    security: str, host: str, server_tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    relay = ScriptedRelay(extensions=("STARTTLS", "AUTH PLAIN"), tls=server_tls, implicit_tls=security == "tls")
    wrong_name = host == "127.0.0.1"
    async with relay.running():
        pool = transport(
            relay, host=host, security=security, tls=trust if wrong_name else ssl.create_default_context(),
            username="news", password="secret",
        )  # fmt: skip
        result = await pool.send(letter(), granted)
    assert result.fault is Fault.INSECURE
    assert not [command for command in relay.commands if command.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize(
    "script",
    [
        {"STARTTLS": [CLOSE]},
        {"STARTTLS": [RESET]},
        {"STARTTLS": [SILENCE]},
        {"STARTTLS": ["454 4.7.0 not now"]},
        {"STARTTLS": ["501 5.5.4 no"]},
        {"STARTTLS": ["421 4.3.2 closing"]},
        {"STARTTLS": ["hello there"]},
        {"STARTTLS": [b"220-x\r\n" * 20_000]},
        {"STARTTLS": ["250 2.0.0 well"]},
        {"TLS": [CLOSE]},
        {"TLS": [RESET]},
        {"TLS": [SILENCE]},
        {"TLS": [(b"hello there\r\n" * 10, CLOSE)]},
    ],
    ids=lambda script: str(script)[:40],
)
async def test_what_goes_wrong_on_the_way_to_tls_is_the_relays_trouble(
    script: dict[str, list[Answer]], server_tls: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    """Nothing is said in clear, and nobody's delivery has cost an attempt."""
    relay = ScriptedRelay(script, extensions=("STARTTLS", "AUTH PLAIN", "PIPELINING"), tls=server_tls)
    async with relay.running():
        pool = transport(
            relay, host="localhost", security="starttls", tls=trust, username="news", password="secret",
            patience=SHORT if [SILENCE] in script.values() else None,
        )  # fmt: skip
        result = await pool.send(letter(), granted)
        assert result.phase is Phase.STARTTLS
        outcome = judge(result, attempt=1, refusals=0)
        assert (outcome.state, outcome.relay_trouble, outcome.counts) == (DeliveryState.PENDING, True, False)
        assert [command.split(" ")[0] for command in relay.commands] == ["EHLO", "STARTTLS"]
        pool = transport(relay, host="localhost", security="starttls", tls=trust, username="news", password="secret")
        assert (await pool.send(letter(), granted)).accepted
        await pool.close()
    assert relay.sessions == 2


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_an_expired_certificate_ends_it(security: str, authority: Path, trust: ssl.SSLContext) -> None:
    expired = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    expired.load_cert_chain(authority / "expired.pem", authority / "server.key")
    relay = ScriptedRelay(extensions=("STARTTLS",), tls=expired, implicit_tls=security == "tls")
    async with relay.running():
        result = await transport(relay, host="localhost", security=security, tls=trust).send(letter(), granted)
    assert result.fault is Fault.INSECURE
    assert "expired" in result.text


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_a_relay_that_knows_old_tls_only_is_not_secure(server_tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    server_tls.minimum_version = ssl.TLSVersion.TLSv1
    server_tls.maximum_version = ssl.TLSVersion.TLSv1
    server_tls.set_ciphers("ALL:@SECLEVEL=0")
    async with ScriptedRelay(extensions=("STARTTLS",), tls=server_tls).running() as relay:
        result = await transport(relay, host="localhost", security="starttls", tls=trust).send(letter(), granted)
    assert result.phase is Phase.STARTTLS
    assert result.fault in (Fault.INSECURE, Fault.DISCONNECTED)  # the far end may hang up before it says why
    assert [command.split(" ")[0] for command in relay.commands] == ["EHLO", "STARTTLS"]


async def test_a_stripped_starttls_is_not_accepted(trust: ssl.SSLContext) -> None:
    async with ScriptedRelay(extensions=("AUTH PLAIN",)).running() as relay:
        pool = transport(
            relay,
            host="localhost",
            security="starttls",
            tls=trust,
            username="news",
            password="secret",
        )
        result = await pool.send(letter(), granted)
    assert (result.phase, result.fault) == (Phase.STARTTLS, Fault.INSECURE)
    assert [command.split(" ")[0] for command in relay.commands] == ["EHLO"]


async def test_a_reply_injected_before_tls_is_thrown_away(server_tls: ssl.SSLContext, trust: ssl.SSLContext) -> None:
    relay = ScriptedRelay(
        {"STARTTLS": [b"220 go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n"]}, extensions=("STARTTLS",), tls=server_tls
    )
    async with relay.running():
        pool = transport(relay, host="localhost", security="starttls", tls=trust)
        result = await pool.send(letter(), granted)
        await pool.close()
    assert result.accepted
    assert [command.split(" ")[0] for command in relay.commands[:3]] == ["EHLO", "STARTTLS", "EHLO"]


async def test_no_password_crosses_a_plain_connection_but_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedRelay(extensions=("AUTH PLAIN",)).running() as relay:
        login = {"username": "news", "password": "secret"}
        assert (await transport(relay, **login).send(letter(), granted)).accepted
        relay.commands.clear()
        monkeypatch.setattr("publisher.transports.session.is_loopback", lambda peername: False)
        result = await transport(relay, **login).send(letter(), granted)
    assert (result.phase, result.fault) == (Phase.AUTH, Fault.INSECURE)
    assert [command.split(" ")[0] for command in relay.commands] == ["EHLO"]


async def test_a_refused_password_is_told_as_auth() -> None:
    async with ScriptedRelay({"AUTH": ["535 5.7.8 no"]}, extensions=("AUTH PLAIN",)).running() as relay:
        result = await transport(relay, username="news", password="wrong").send(letter(), granted)
    assert (result.phase, result.code) == (Phase.AUTH, 535)
    assert "wrong" not in result.text


@pytest.mark.parametrize(
    ("peername", "here"),
    [
        (("127.0.0.1", 25), True),
        (("::1", 25, 0, 0), True),
        (("192.0.2.1", 25), False),
        (("fe80::1%eth0", 25, 0, 0), False),
        (None, False),
        ("/run/socket", False),
        (("localhost", 25), False),
    ],
)
def test_loopback(peername: object, *, here: bool) -> None:
    assert is_loopback(peername) is here
