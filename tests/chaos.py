"""T-CHAOS: what a relay may do wrong, stage by stage, and how each letter then ends.

Four letters go over one connection; a fault strikes the second of them (the first session's set-up, or whatever the
stage is). A cell tells how the four end and how many sessions that took: `ADAA/2` is three accepted, the second
deferred, and a second session, so the first was closed; with `/1` it was kept.

    A accepted   D deferred   R rejected   U uncertain   P pending: the relay is to blame, it cost no attempt
"""

import asyncio
from collections import Counter
from dataclasses import dataclass

from publisher.mail.outcome import judge
from publisher.model.delivery import Ending, Letter, Outcome
from publisher.model.issue import DeliveryState
from publisher.transports.session import Patience, Relay
from publisher.transports.smtp import SmtpTransport
from relays import CLOSE, POLITE, RESET, SILENCE, Answer, ScriptedRelay

SET_UP = ("CONNECT", "EHLO", "AUTH")
ENVELOPE = ("MAIL", "RCPT", "DATA")
STAGES = (*SET_UP, *ENVELOPE, "BODY", "DOT", "RSET", "QUIT", "IDLE")
MESSAGE = b"From: a@example.org\r\nTo: b@example.com\r\n\r\nHello\r\n.\r\nworld\r\n"
PEOPLE = 4
AT_ONCE = """
             CONNECT EHLO   AUTH          MAIL          RCPT          DATA          BODY   DOT           RSET          QUIT   IDLE
close        PAAA/2  PAAA/2 PAAA/2        AAAA/2        ADAA/2        ADAA/2        AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
reset        PAAA/2  PAAA/2 PAAA/2        AAAA/2        ADAA/2        ADAA/2        AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
421          PAAA/2  PAAA/2 PAAA/2        AAAA/2        ADAA/2        ADAA/2        ADAA/2 ADAA/2        ARAA/2        AAAA/4 AAAA/2
4xx          PAAA/2  AAAA/1 PAAA/2        ADAA/2        ADAA/1        ADAA/1        ADAA/2 ADAA/1        ARAA/2        AAAA/4 AAAA/2
5xx          PAAA/2  AAAA/1 PAAA/2        ADAA/2        ARAA/1        ADAA/1        ADAA/2 ADAA/1        ARAA/2        AAAA/4 AAAA/2
split        AAAA/1  AAAA/1 AAAA/1        AAAA/1        AAAA/1        AAAA/1        .      AAAA/1        ARAA/1        AAAA/4 AAAA/2
garbage      PAAA/2  PAAA/2 PAAA/2        APAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
long_line    PAAA/2  PAAA/2 PAAA/2        APAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
endless      PAAA/2  PAAA/2 PAAA/2        APAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
half         PAAA/2  PAAA/2 PAAA/2        AAAA/2        ADAA/2        ADAA/2        AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
half_lines   PAAA/2  PAAA/2 PAAA/2        AAAA/2        ADAA/2        ADAA/2        AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
stray        AAAA/1  AAAA/1 AAAA/1        ADAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2 AAAA/2        ARPA/2|ARAA/2 AAAA/4 AAAA/2
late_stray   AAAA/1  PAAA/2 PAAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2        ADAA/2 AAPA/2|AAAA/2 ARPA/2|ARAA/2 AAAA/4 AAAA/2
other_2xx    PAAA/2  AAAA/1 PAAA/2        AAAA/1        AAAA/1        ADAA/2|AAAA/2 AAAA/2 AAAA/1        ARAA/2        AAAA/4 AAAA/2
3xx          PAAA/2  AAAA/1 PAAA/2        APAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
two_codes    PAAA/2  AAAA/1 PAAA/2        APAA/2|AAAA/2 ADAA/2|AAAA/2 ADAA/2|AAAA/2 AUAA/2 AUAA/2        ARAA/2        AAAA/4 AAAA/2
odd_octets   AAAA/1  AAAA/1 AAAA/1        AAAA/1        AAAA/1        AAAA/1        AAAA/2 AAAA/1        ARAA/1        AAAA/4 AAAA/2
"""  # noqa: E501
"""What needs no waiting for."""
AFTER_A_WHILE = """
             CONNECT EHLO   AUTH          MAIL          RCPT          DATA          BODY   DOT           RSET          QUIT   IDLE
silence      PAAA/2  PAAA/2 PAAA/2        APAA/2        ADAA/2        ADAA/2        AUAA/2 AUAA/2        ARAA/2        AAAA/4 .
drip         PAAA/2  PAAA/2 PAAA/2        APAA/2        ADAA/2        ADAA/2        .      AUAA/2        ARAA/2        AAAA/4 .
"""  # noqa: E501
"""What lasts as long as our patience: a drip is slower than it."""
OUT_OF_STEP = {"garbage", "long line", "endless", "stray", "two codes"}
"""After these a relay that was pipelined to is asked line by line, wherever in a session they come."""
_STRAY = b"550 5.1.1 stray\r\n"
_NOTHING: Answer = ()


def fault(name: str, stage: str) -> Answer:
    """Returns what the relay does instead of its polite answer at a stage."""
    polite = POLITE.get(stage, "250 2.0.0 ok")
    line = polite.encode() + b"\r\n"
    said = b"" if stage in ("BODY", "IDLE") else line
    answers: dict[str, Answer] = {
        "close": CLOSE,
        "reset": RESET,
        "421": ("421 4.3.2 closing", CLOSE),
        "4xx": "451 4.3.0 later",
        "5xx": "550 5.7.1 no",
        "silence": SILENCE,
        "drip": tuple(step for octet in line for step in (bytes([octet]), 0.4)),
        "split": tuple(step for octet in line for step in (bytes([octet]), 0.001)),
        "garbage": "hello there",
        "long line": b"250 " + b"x" * 65_536 + b"\r\n",
        "endless": b"250-x\r\n" * 20_000,
        "half": (line[:7], CLOSE),
        "half lines": (b"250-2.0.0 one\r\n", CLOSE),
        "stray": said + _STRAY,
        "late stray": (said, 0.03, _STRAY),
        "other 2xx": "252 2.0.0 well",
        "3xx": "334 go on",
        "two codes": b"250-2.0.0 one\r\n550 5.1.1 two\r\n",
        "odd octets": line[:3] + b" \x00\xff\xfe\x1b[31m\r\n",
    }
    return answers[name]


@dataclass(frozen=True)
class Cell:
    """One stage with one fault, and what comes of it the plain and the pipelined way."""

    stage: str
    fault: str
    plain: str
    pipelined: str

    def __str__(self) -> str:
        return f"{self.stage}-{self.fault.replace(' ', '_')}"


def cells(table: str) -> list[Cell]:
    """Reads a table: a line per fault, a column per stage; `x` is both ways, `x|y` plain and pipelined, `.` no case."""
    head, *lines = [line for line in table.splitlines() if line.strip()]
    stages = head.split()
    found = []
    for line in lines:
        name, *rest = line.split()
        for stage, cell in zip(stages, rest, strict=True):
            if cell != ".":
                plain, _, pipelined = cell.partition("|")
                found.append(Cell(stage, name.replace("_", " "), plain, pipelined or plain))
    return found


@dataclass
class Result:
    """What came of a cell."""

    told: str
    outcomes: list[Outcome]
    copies: Counter[str]
    empty: int
    pipelining: bool


async def came_of(cell: Cell, *, pipelined: bool, patience: Patience) -> Result:
    """Runs a cell."""
    offers = ("PIPELINING",) if pipelined else ()
    script = _script(cell)
    async with ScriptedRelay(script, extensions=(*offers, "AUTH PLAIN")).running() as relay:
        login = {"username": "news", "password": "secret"} if cell.stage == "AUTH" else {}
        pool = SmtpTransport(
            Relay(host="127.0.0.1", port=relay.port, security="none", hostname="client.example", **login), 1, patience
        )
        endings = await _sent(pool, cell)
        outcomes = [judge(e, attempt=1, refusals=0) for e in endings]
        told = "".join(map(_letter, outcomes))
        return Result(
            told=f"{told}/{relay.sessions}",
            outcomes=outcomes,
            copies=Counter(received.recipient for received in relay.received),
            empty=relay.empty_dots,
            pipelining=pool.pipelining,
        )


def _script(cell: Cell) -> dict[str, list[Answer]]:
    strike = fault(cell.fault, cell.stage)
    if cell.stage in (*SET_UP, "QUIT", "IDLE"):
        return {cell.stage: [strike]}
    if cell.stage == "RSET":
        return {"RCPT": [POLITE["RCPT"], "550 5.1.1 unknown"], "RSET": [strike]}
    return {cell.stage: [_NOTHING if cell.stage == "BODY" else POLITE[cell.stage], strike]}


async def _sent(pool: SmtpTransport, cell: Cell) -> list[Ending]:
    together = cell.stage in (*ENVELOPE, "BODY", "DOT", "RSET")
    letters = [
        Letter(sender="news@example.org", recipient=f"reader{n}@example.com", message=MESSAGE)
        for n in range(1, PEOPLE + 1)
    ]
    try:
        if together:
            return list(await asyncio.gather(*(pool.send(letter, _granted) for letter in letters)))
        endings = []
        for letter in letters:
            endings.append(await pool.send(letter, _granted))
            if cell.stage == "IDLE":
                await asyncio.sleep(0.06)
                for _ in range(5):  # and what came is read, however late both of us woke
                    await asyncio.sleep(0)
            if cell.stage == "QUIT":
                await pool.close()
        return endings
    finally:
        await pool.close()


def _letter(outcome: Outcome) -> str:
    if outcome.state is DeliveryState.PENDING:
        assert outcome.relay_trouble
        return "P"
    return outcome.state.value[0].upper()


async def _granted() -> bool:
    return True


def patience(seconds: float) -> Patience:
    """Returns the same limit for every phase."""
    return Patience(connect=seconds, command=seconds, data=seconds, block=seconds, dot=seconds, total=10 * seconds)


async def hold(cell: Cell, *, pipelined: bool, seconds: float) -> None:
    """Holds what came of a cell against the table, and against what is true of every cell."""
    result = await came_of(cell, pipelined=pipelined, patience=patience(seconds))
    assert result.told == (cell.pipelined if pipelined else cell.plain)
    assert result.empty == 0
    refused_for_good = cell.stage == "RSET"  # there somebody was refused before, and that was true
    assert sum(outcome.blames_address for outcome in result.outcomes) == refused_for_good  # nobody is suppressed
    for number, outcome in enumerate(result.outcomes, start=1):
        copies = result.copies[f"reader{number}@example.com"]
        assert copies <= 1
        assert copies == 1 or outcome.state is not DeliveryState.ACCEPTED  # nobody is lost
        assert copies == 0 or outcome.state not in (DeliveryState.PENDING, DeliveryState.REJECTED)
