"""What the end of an SMTP transaction means for the delivery (decisions 14).

Judged by phase and code alone: after a desync a `250` can be the answer to
another question, and one stray `550` must never cost a reader the newsletter.
"""

from publisher.mail.retry import ATTEMPTS
from publisher.model.delivery import SETUP, Ending, Fault, Outcome, Phase
from publisher.model.issue import DeliveryState

REFUSALS = 3
"""5xx that do not speak of the recipient, until the content is given up."""
DEAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""Enhanced codes that say of an address that there is nobody (RFC 3463 §3.2, §3.3; RFC 7505)."""
_ACCEPTED = Outcome(state=DeliveryState.ACCEPTED)
_SERVICE_CLOSING = 421
_TOO_MANY_RECIPIENTS = 552
"""At RCPT old servers mean 452 by it (RFC 5321 §4.5.3.1.10)."""


def judge(ending: Ending, *, attempt: int, refusals: int) -> Outcome:
    """Returns the outcome of attempt number `attempt` (1, 2 …), `refusals` 5xx before it; age is the store's matter."""
    if ending.phase is Phase.PREPARE:
        return _unmakeable(attempt, ending)
    outcome = _judged(ending, refusals)
    if outcome.state is DeliveryState.DEFERRED and attempt >= ATTEMPTS:
        return Outcome(state=DeliveryState.EXPIRED, reason="attempts", refused=outcome.refused)
    return outcome


def _judged(ending: Ending, refusals: int) -> Outcome:
    if ending.fault is Fault.WITHDRAWN:
        return Outcome(state=DeliveryState.PENDING, counts=False)
    if ending.phase in SETUP or _is_relays(ending):
        return Outcome(state=DeliveryState.PENDING, counts=False, relay_trouble=True, reason=_said(ending))
    if ending.phase is Phase.BODY:
        return _after_the_dot(ending, refusals)
    if ending.fault is not None or ending.code is None:
        return Outcome(state=DeliveryState.DEFERRED, reason=_said(ending))
    if ending.phase is Phase.RCPT and 500 <= ending.code <= 599 and ending.code != _TOO_MANY_RECIPIENTS:
        dead = ending.enhanced in DEAD_ADDRESS
        return Outcome(state=DeliveryState.REJECTED, reason="address" if dead else "recipient", blames_address=dead)
    if 500 <= ending.code <= 599 and ending.phase is not Phase.RCPT:
        return _refused(refusals)
    return Outcome(state=DeliveryState.DEFERRED, reason=_said(ending))


def _unmakeable(attempt: int, ending: Ending) -> Outcome:
    if attempt >= REFUSALS:
        return Outcome(state=DeliveryState.EXPIRED, reason="poison")
    return Outcome(state=DeliveryState.DEFERRED, reason=ending.text)


def _is_relays(ending: Ending) -> bool:
    return ending.phase is Phase.MAIL and (ending.fault is not None or ending.code == _SERVICE_CLOSING)


def _after_the_dot(ending: Ending, refusals: int) -> Outcome:
    code = ending.code if ending.fault is None else None
    if ending.accepted:
        return _ACCEPTED
    if code is not None and 400 <= code <= 499:
        return Outcome(state=DeliveryState.DEFERRED, reason=_said(ending))
    if code is not None and 500 <= code <= 599:
        return _refused(refusals)
    return Outcome(state=DeliveryState.UNCERTAIN, reason=_said(ending))


def _refused(refusals: int) -> Outcome:
    if refusals + 1 >= REFUSALS:
        return Outcome(state=DeliveryState.REJECTED, reason="content", refused=True)
    return Outcome(state=DeliveryState.DEFERRED, reason="refused", refused=True)


def _said(ending: Ending) -> str:
    return str(ending.fault) if ending.fault is not None else f"{ending.phase} {ending.code}"
