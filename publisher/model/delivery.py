"""One delivery on its way: what is claimed, what goes over the wire, what came back, what that means."""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from publisher.model.issue import DeliveryState, IssueCounts, IssueKind

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One life of one process that delivers; identity is never a host name alone."""

    id: str
    folder: str
    host: str
    pid: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """A process that shares the work, as the others see it."""

    host: str
    folder: str
    pid: int
    home: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Lot:
    """Some of an issue's deliveries: those to the subscribers from `first` to `last`."""

    issue: int
    first: int
    last: int


class Phase(enum.StrEnum):
    """How far a connection or transaction had come (RFC 5321 §3)."""

    PREPARE = "prepare"
    """Before any connection: the mail itself could not be made."""
    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "hello"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    """The final dot was handed over; only here can a 2xx mean accepted, and only here can the end be uncertain."""


SETUP = frozenset({Phase.CONNECT, Phase.GREETING, Phase.HELLO, Phase.STARTTLS, Phase.AUTH})
"""Before any message: trouble here is never a recipient's."""


class Fault(enum.StrEnum):
    """What came instead of a reply."""

    DISCONNECTED = "disconnected"
    TIMEOUT = "timeout"
    GARBAGE = "garbage"
    """A line that is no reply, or a reply that nothing had asked for."""
    INSECURE = "insecure"
    """The relay cannot be trusted: no STARTTLS, a wrong certificate, AUTH without TLS."""
    WITHDRAWN = "withdrawn"
    """We ourselves let go before the body: the store did not grant the mark, or there is no session to go over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one SMTP transaction carries: one envelope with one recipient, one message."""

    sender: str
    recipient: str
    message: bytes
    envelope_id: Callable[[], str] = str
    """Makes what a relay that offers DSN is asked to return with reports (RFC 3461 §4.4); empty: nothing is asked."""
    transparent: bool = False
    """Whether the message is known to cross the wire as it is: CRLF throughout and at its end, no dot begins a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a transaction ended: the phase it was in, and the reply or what came instead of one."""

    phase: Phase
    code: int | None = None
    text: str = ""
    fault: Fault | None = None

    @property
    def accepted(self) -> bool:
        """Returns whether the relay has taken the message over."""
        return self.phase is Phase.BODY and self.fault is None and self.code is not None and 200 <= self.code <= 299

    @property
    def enhanced(self) -> str:
        """Returns the enhanced status code of the reply, empty when there is none (RFC 3463)."""
        match = _ENHANCED.match(self.text)
        return match[0] if match else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an ending means for the delivery."""

    state: DeliveryState
    reason: str | None = None
    counts: bool = True
    """Whether this was an attempt; False: the relay's trouble, or none at all."""
    refused: bool = False
    """A 5xx that does not speak of the recipient."""
    blames_address: bool = False
    """A 5xx at RCPT whose enhanced code says that the address is dead."""
    relay_trouble: bool = False
    """Nothing can be sent at the moment, whoever it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that this process may work on until its lease ends."""

    number: int
    issue: int
    kind: IssueKind
    newsletter: str | None
    edition: int | None
    event: str | None
    variant: int
    subscriber: int
    address: str
    address_hash: str
    """What a suppression of this address is kept under."""
    name: str
    token_generation: int
    attempts: int
    """This one included."""
    refusals: int
    resends: int
    not_before: datetime | None = None
    """Its place in the rates; None: they are not limited."""
    suspect: bool = False
    """Whether it may be what kills the process: then it comes by itself."""

    @property
    def domain(self) -> str:
        """Returns the recipient's domain."""
        return self.address.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The record of one attempt, as the store gets it."""

    number: int
    was: DeliveryState
    """The state it left: claimed, or in flight once the mark was granted."""
    ending: Ending | None
    """None: given back before anything was said to a relay."""
    outcome: Outcome
    at: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Messages per minute, over all and to one domain; 0 is no limit."""

    rate: float = 0
    per_domain: float = 0

    def scaled(self, share: float) -> "Rates":
        """Returns the rates when only a share of them may be used."""
        return Rates(rate=self.rate * share, per_domain=self.per_domain * share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came back for one issue."""

    tried: int
    """Deliveries that the relay has said something about."""
    accepted: int
    refused: int
    """Of the tried: turned down for what they say or who they are from."""
    dead: int
    """Of the tried, or reported later: no such address."""
    complaints: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The hours of a local day in which issues may go out; they may span midnight."""

    begins: time
    ends: time
    timezone: str

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why nothing is sent at present, whatever is due."""

    code: str
    """`relay`, `window`, `disk`, `copy`: for machines."""
    reason: str
    """For people: a sentence."""
    until: datetime | None = None
    """When it ends by itself, as far as is known."""
    relay: str = ""
    """Whose mail alone it keeps, where there are several; empty: all mail."""

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayRecord:
    """What the installation knows of a relay that is left alone, over all its processes."""

    open_until: datetime
    """Then one message may try whether it is back."""
    trips: int
    """How often in a row it had to be left alone."""
    reason: str
    probe_until: datetime | None = None
    """Until then a process that was given the right to try has it alone; None: nobody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which mail goes by one relay."""

    name: str = ""
    """The relay's among several; empty: there is but one."""
    newsletters: frozenset[str] = frozenset()
    others: bool = True
    """All but these newsletters, and what is of none; False: these alone."""

    @property
    def everything(self) -> bool:
        """Returns whether all mail goes this way."""
        return self.others and not self.newsletters

    def carries(self, newsletter: str | None) -> bool:
        """Returns whether a newsletter's mail goes this way; None: what is of no newsletter."""
        return (newsletter in self.newsletters) is not self.others


EVERYTHING = Route()
"""Where there is one relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`[delivery]`: pace and patience."""

    connections: int = 4
    rate: int = 0
    """Messages per minute; 0: no limit."""
    per_domain: int = 0
    """Messages per minute to one domain; 0: no limit."""
    resend_uncertain: bool = True
    resend_after: timedelta = timedelta(minutes=15)
    lease: timedelta = timedelta(minutes=20)
    max_age: timedelta = timedelta(hours=48)
    retry_after: timedelta = timedelta(minutes=5)
    relay_pause: timedelta = timedelta(minutes=1)
    """How long a relay is left alone at first, doubled each time that it is not back."""
    window: Window | None = None
    """When digests may go out; None: at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What became of an issue that was delivered as far as possible now."""

    counts: IssueCounts
    trouble: str | None = None
    """Why it was not all sent; None: there was nothing in the way."""
