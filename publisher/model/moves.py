"""Which way a delivery and an issue may go: the two state machines as tables, drawn in docs/states.md."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from publisher.model.issue import DeliveryState, IssueState

S = TypeVar("S", DeliveryState, IssueState)


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """One way from state to state; `before` None is the beginning."""

    before: S | None
    after: S
    when: str


_D, _I = DeliveryState, IssueState

DELIVERY_MOVES: tuple[Move[DeliveryState], ...] = (
    Move(None, _D.PENDING, "planned"),
    Move(None, _D.SUPPRESSED, "planned for somebody who is never mailed"),
    Move(_D.PENDING, _D.CLAIMED, "due: a boot has it, with a lease"),
    Move(_D.DEFERRED, _D.CLAIMED, "due again"),
    Move(_D.PENDING, _D.SUPPRESSED, "opted out, seen at the claim"),
    Move(_D.DEFERRED, _D.SUPPRESSED, "opted out, seen at the claim"),
    Move(_D.PENDING, _D.CANCELLED, "the issue was cancelled"),
    Move(_D.DEFERRED, _D.CANCELLED, "the issue was cancelled"),
    Move(_D.PENDING, _D.EXPIRED, "older than max_age"),
    Move(_D.DEFERRED, _D.EXPIRED, "older than max_age"),
    Move(_D.CLAIMED, _D.PENDING, "given back, the relay's trouble, or its boot is gone"),
    Move(_D.CLAIMED, _D.DEFERRED, "put off before the body"),
    Move(_D.CLAIMED, _D.REJECTED, "refused at RCPT, or its content for the third time"),
    Move(_D.CLAIMED, _D.EXPIRED, "too many attempts, too old, or poison"),
    Move(_D.CLAIMED, _D.IN_FLIGHT, "marked durably, then the body goes"),
    Move(_D.IN_FLIGHT, _D.ACCEPTED, "2xx to the dot"),
    Move(_D.IN_FLIGHT, _D.DEFERRED, "4xx to the dot, or its content refused"),
    Move(_D.IN_FLIGHT, _D.REJECTED, "its content refused for the third time"),
    Move(_D.IN_FLIGHT, _D.EXPIRED, "put off for the last time"),
    Move(_D.IN_FLIGHT, _D.UNCERTAIN, "no answer to the dot, or its boot is gone"),
    Move(_D.IN_FLIGHT, _D.PENDING, "its mark was not known to be durable: no body went"),
    Move(_D.UNCERTAIN, _D.PENDING, "sent again, once (on_uncertain, or issues retry)"),
    Move(_D.REJECTED, _D.PENDING, "issues retry"),
    Move(_D.EXPIRED, _D.PENDING, "issues retry"),
)

ISSUE_MOVES: tuple[Move[IssueState], ...] = (
    Move(None, _I.PLANNING, "its slot was granted"),
    Move(None, _I.SENDING, "service mail"),
    Move(_I.PLANNING, _I.SENDING, "every row is there"),
    Move(_I.PLANNING, _I.HELD, "every row is there, and something is out of the ordinary"),
    Move(_I.PLANNING, _I.CANCELLED, "the sandbox was left"),
    Move(_I.HELD, _I.SENDING, "issues release"),
    Move(_I.HELD, _I.CANCELLED, "issues cancel"),
    Move(_I.SENDING, _I.HELD, "issues hold"),
    Move(_I.SENDING, _I.PAUSED, "the relay, or what comes back"),
    Move(_I.PAUSED, _I.SENDING, "the relay is back, or issues release"),
    Move(_I.PAUSED, _I.HELD, "issues hold"),
    Move(_I.PAUSED, _I.CANCELLED, "issues cancel"),
    Move(_I.SENDING, _I.CANCELLED, "issues cancel"),
    Move(_I.SENDING, _I.DONE, "nothing is open, and the counts balance"),
    Move(_I.SENDING, _I.DONE_WITH_UNCERTAIN, "the same, and some ends are not known"),
    Move(_I.DONE, _I.SENDING, "issues retry"),
    Move(_I.DONE_WITH_UNCERTAIN, _I.SENDING, "issues retry"),
)
