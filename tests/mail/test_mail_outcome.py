"""What each end of a transaction means: tables."""

import pytest

from publisher.mail.outcome import judge
from publisher.mail.retry import ATTEMPTS
from publisher.model.delivery import SETUP, Ending, Fault, Outcome, Phase
from publisher.model.issue import DeliveryState

ACCEPTED, REJECTED, DEFERRED = DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.DEFERRED
UNCERTAIN, PENDING, EXPIRED = DeliveryState.UNCERTAIN, DeliveryState.PENDING, DeliveryState.EXPIRED


def judged(ending: Ending, attempt: int = 1, refusals: int = 0) -> Outcome:
    """Returns the outcome, of a first attempt if nothing else is said."""
    return judge(ending, attempt=attempt, refusals=refusals)


@pytest.mark.parametrize(
    ("phase", "code", "state"),
    [
        (Phase.BODY, 250, ACCEPTED),
        (Phase.BODY, 251, ACCEPTED),
        (Phase.BODY, 299, ACCEPTED),
        (Phase.BODY, 354, UNCERTAIN),
        (Phase.BODY, 421, DEFERRED),
        (Phase.BODY, 451, DEFERRED),
        (Phase.BODY, 552, DEFERRED),
        (Phase.BODY, 554, DEFERRED),
        (Phase.RCPT, 250, DEFERRED),  # a 2xx means accepted after the dot only
        (Phase.RCPT, 450, DEFERRED),
        (Phase.RCPT, 421, DEFERRED),
        (Phase.RCPT, 550, REJECTED),
        (Phase.RCPT, 599, REJECTED),
        (Phase.RCPT, 552, DEFERRED),
        (Phase.DATA, 250, DEFERRED),
        (Phase.DATA, 451, DEFERRED),
        (Phase.DATA, 554, DEFERRED),
        (Phase.MAIL, 451, DEFERRED),
        (Phase.MAIL, 550, DEFERRED),
        (Phase.MAIL, 421, PENDING),
        (Phase.GREETING, 554, PENDING),
        (Phase.AUTH, 535, PENDING),
    ],
)
def test_replies(phase: Phase, code: int, state: DeliveryState) -> None:
    assert judged(Ending(phase=phase, code=code)).state is state


@pytest.mark.parametrize("fault", [Fault.DISCONNECTED, Fault.TIMEOUT, Fault.GARBAGE])
@pytest.mark.parametrize(
    ("phase", "state"),
    [
        (Phase.BODY, UNCERTAIN),
        (Phase.DATA, DEFERRED),
        (Phase.RCPT, DEFERRED),
        (Phase.MAIL, PENDING),
        (Phase.HELLO, PENDING),
        (Phase.CONNECT, PENDING),
    ],
)
def test_faults(phase: Phase, fault: Fault, state: DeliveryState) -> None:
    assert judged(Ending(phase=phase, fault=fault)).state is state


@pytest.mark.parametrize("phase", sorted(SETUP))
@pytest.mark.parametrize("code", [None, 421, 454, 535, 554])
def test_trouble_before_any_message_is_the_relays(phase: Phase, code: int | None) -> None:
    outcome = judged(Ending(phase=phase, code=code, fault=None if code else Fault.INSECURE), attempt=ATTEMPTS)
    assert outcome.relay_trouble
    assert not outcome.counts
    assert not outcome.blames_address


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("5.1.1 no such user", True),
        ("5.1.10 null MX", True),
        ("5.2.1 mailbox disabled", True),
        ("5.7.1 relaying denied", False),
        ("5.2.2 mailbox full", False),
        ("no such user", False),
        ("5.1.1x", False),
    ],
)
def test_only_an_enhanced_code_about_the_address_blames_it(text: str, *, blamed: bool) -> None:
    assert judged(Ending(phase=Phase.RCPT, code=550, text=text)).blames_address is blamed
    assert not judged(Ending(phase=Phase.MAIL, code=550, text=text)).blames_address
    assert not judged(Ending(phase=Phase.BODY, code=550, text=text)).blames_address


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.DATA, Phase.BODY])
@pytest.mark.parametrize(("refusals", "state"), [(0, DEFERRED), (1, DEFERRED), (2, REJECTED)])
def test_content_is_given_up_after_three_refusals(phase: Phase, refusals: int, state: DeliveryState) -> None:
    outcome = judged(Ending(phase=phase, code=554), attempt=refusals + 1, refusals=refusals)
    assert (outcome.state, outcome.refused) == (state, True)


@pytest.mark.parametrize(
    ("attempt", "state", "reason"),
    [
        (1, DEFERRED, "rcpt 450"),
        (11, DEFERRED, "rcpt 450"),
        (12, EXPIRED, "attempts"),
    ],
)
def test_patience_ends(attempt: int, state: DeliveryState, reason: str) -> None:
    outcome = judged(Ending(phase=Phase.RCPT, code=450), attempt=attempt)
    assert (outcome.state, outcome.reason) == (state, reason)


@pytest.mark.parametrize("code", [250, 550])
def test_an_answer_wins_over_patience(code: int) -> None:
    phase = Phase.BODY if code == 250 else Phase.RCPT
    assert judged(Ending(phase=phase, code=code), attempt=12).state in (ACCEPTED, REJECTED)


def test_what_was_withdrawn_was_no_attempt() -> None:
    outcome = judged(Ending(phase=Phase.DATA, fault=Fault.WITHDRAWN), attempt=12)
    assert (outcome.state, outcome.counts, outcome.relay_trouble) == (PENDING, False, False)


@pytest.mark.parametrize(("attempt", "state"), [(1, DEFERRED), (2, DEFERRED), (3, EXPIRED)])
def test_a_mail_that_cannot_be_made_is_poison(attempt: int, state: DeliveryState) -> None:
    assert judged(Ending(phase=Phase.PREPARE, text="KeyError"), attempt=attempt).state is state


def test_every_ending_has_an_outcome_and_only_the_dot_accepts_or_doubts() -> None:
    for phase in Phase:
        for code in [None, *range(200, 600)]:
            for fault in [None, *Fault]:
                state = judged(Ending(phase=phase, code=code, fault=fault)).state
                assert state is not ACCEPTED or (phase is Phase.BODY and fault is None and code in range(200, 300))
                assert state is not UNCERTAIN or phase is Phase.BODY
                assert state is not REJECTED or phase is Phase.RCPT
