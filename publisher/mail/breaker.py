"""When to leave a relay alone, judged by what it has said of late; no reader is ever blamed for it.

Who hears endings keeps a `Breaker` per relay. It trips after three failures
in a row, or when a fifth of the last fifty replies were "later, please"; how
long it then stays open is told by `pause`. What a whole installation knows of
a relay (that it is open, and until when) is the store's.
"""

import enum
from dataclasses import dataclass, replace
from datetime import timedelta

from publisher.model.delivery import SETUP, Ending, Fault, Phase

FAILURES = 3
REPLIES = 50
SOFT_SHARE = 0.2
FIRST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=30)
LOCKED_OUT_PAUSE = timedelta(minutes=15)
"""After a refused login: whoever knocks on often is locked out for longer."""
_SERVICE_CLOSING = 421
_RECOVERED_PER_REPLY = 0.01
"""Of full width comes back with each good reply: half of it after fifty."""
_NARROWEST = 1 / 64


class Word(enum.Enum):
    """What an ending says about the relay."""

    NOTHING = enum.auto()
    GOOD = enum.auto()
    """It answers: whether it took the mail is another question."""
    LATER = enum.auto()
    """4xx: greylisting, a full queue, too much at once."""
    FAILURE = enum.auto()
    """It cannot be reached or trusted, or did not answer."""
    LOCKED_OUT = enum.auto()
    """It refused our login for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What was heard of one relay of late."""

    failures: int = 0
    """In a row."""
    soft: int = 0
    """The last replies as bits, the latest lowest; 1 is a 4xx."""
    width: float = 1.0
    """How much of the connections and of the rate may be used; halved by each 421."""

    def heard(self, word: Word, *, closing: bool = False) -> "Breaker":
        """Returns the breaker after one more ending; `closing`: the reply was 421."""
        width = max(_NARROWEST, self.width / 2) if closing else self.width
        match word:
            case Word.NOTHING:
                return self
            case Word.GOOD:
                if not self.failures and not self.soft and width >= 1.0:
                    return self
                return Breaker(soft=self._shifted(0), width=min(1.0, width + _RECOVERED_PER_REPLY))
            case Word.LATER:
                return Breaker(soft=self._shifted(1), width=width)
            case Word.FAILURE | Word.LOCKED_OUT:
                return replace(self, failures=self.failures + 1, width=width)

    @property
    def tripped(self) -> str | None:
        """Returns why the relay must be left alone; None: it need not."""
        if self.failures >= FAILURES:
            return f"{self.failures} failures in a row"
        soft = self.soft.bit_count()
        if soft >= REPLIES * SOFT_SHARE:
            return f"{soft} of the last {REPLIES} replies put us off"
        return None

    def _shifted(self, bit: int) -> int:
        return (self.soft << 1 | bit) & ((1 << REPLIES) - 1)


def word(ending: Ending) -> Word:
    """Returns what an ending says about the relay."""
    if ending.phase is Phase.PREPARE or ending.fault is Fault.WITHDRAWN:
        return Word.NOTHING
    if ending.phase is Phase.AUTH and ending.code is not None and 500 <= ending.code <= 599:
        return Word.LOCKED_OUT
    if ending.phase in SETUP or ending.fault is not None or ending.code is None:
        return Word.FAILURE
    if 400 <= ending.code <= 499:
        return Word.LATER
    return Word.GOOD


def is_closing(ending: Ending) -> bool:
    """Returns whether the relay is closing down or shedding load (RFC 5321 §3.8): be half as fast."""
    return ending.code == _SERVICE_CLOSING


def pause(trips: int, *, locked_out: bool, first: timedelta = FIRST_PAUSE) -> timedelta:
    """Returns how long to leave the relay alone after the first, second … time in a row (1, 2, 3 …).

    `first` stretches or shrinks all of them.
    """
    if locked_out:
        return LOCKED_OUT_PAUSE * (first / FIRST_PAUSE)
    doubled: timedelta = FIRST_PAUSE * 2 ** min(trips - 1, 10)
    return min(doubled, LONGEST_PAUSE) * (first / FIRST_PAUSE)
