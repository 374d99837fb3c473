"""From the sandbox to real people: what must stand, a test mail that arrived, a count that somebody has read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from publisher.errors import UsageError
from publisher.mail.addresses import parse_address
from publisher.mail.policies import is_unreal
from publisher.model.delivery import Ending
from publisher.model.issue import IssueKind
from publisher.model.people import Subscriber, SubscriptionStatus
from publisher.ports import Facts, PeopleStore, Renderer, Transport
from publisher.services.letters import Letters

_TEST = "live_test"
_SINCE = "live_since"
_GOOD_FOR = timedelta(days=7)
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The test mail: where it went, and whether somebody has read it there."""

    address: str
    code: str
    way: str
    """The relays and sender it went by: those of another way prove nothing."""
    sent_at: datetime
    read_at: datetime | None = None
    misses: int = 0
    """Wrong codes that were said."""

    def holds(self, way: str, now: datetime) -> bool:
        """Returns whether it proves that mail arrives."""
        return self.read_at is not None and self.way == way and now - self.read_at < _GOOD_FOR


@dataclass(slots=True)
class Audience:
    """How many people mail would go to."""

    people: int = 0
    newsletters: dict[str, int] = field(default_factory=dict)
    unreal: int = 0
    """Of them those at domains that no mail reaches, as tests leave behind."""


class GoingLive:
    """Walks to real mail; each step stands once it is done, and the next command goes on from there."""

    def __init__(
        self,
        *,
        facts: Facts,
        people: PeopleStore,
        letters: Letters,
        renderer: Renderer,
        relays: Callable[[], Mapping[str, Transport]],
        language: str,
        way: str,
        code: Callable[[], str],
    ) -> None:
        """`relays`: the real ones by name, sandbox or not; `code`: makes what a reader of the test mail has to say."""
        self._facts = facts
        self._people = people
        self._letters = letters
        self._renderer = renderer
        self._relays = relays
        self._language = language
        self._way = way
        self._code = code

    async def trial(self, now: datetime) -> Trial | None:
        """Returns the test mail that counts at present; None: there is none."""
        found = _trial(await self._facts.get(_TEST))
        return found if found is not None and found.way == self._way and now - found.sent_at < _GOOD_FOR else None

    async def proven(self, now: datetime) -> bool:
        """Returns whether a test mail has arrived by the way that mail goes now."""
        found = await self.trial(now)
        return found is not None and found.holds(self._way, now)

    async def send_test(self, address: str, now: datetime) -> dict[str, Ending]:
        """Sends one mail with a code through each real relay, and returns how that ended."""
        mailbox = parse_address(address)
        code = self._code()
        mail = self._renderer.message("golive", self._language, code=code)
        nobody = Subscriber(number=0, address=mailbox.mailbox, language=self._language, created_at=now)
        prepared = self._letters.prepared(mail, IssueKind.MESSAGE, None)
        endings = {}
        for name, transport in self._relays().items():
            try:
                endings[name] = await transport.send(self._letters.test_letter(prepared, nobody, None, now), _granted)
            finally:
                await transport.close()
        if all(ending.accepted for ending in endings.values()):
            await self._keep(Trial(address=mailbox.mailbox, code=code, way=self._way, sent_at=now))
        return endings

    async def take_code(self, code: str, now: datetime) -> bool:
        """Takes what the test mail said; UsageError when there was no such mail, or after five wrong ones."""
        found = await self.trial(now)
        if found is None:
            raise UsageError("no test mail has been sent that would count: publisher live --to you@your.domain")
        if found.misses >= _TRIES:
            raise UsageError("too many wrong codes: send another test mail with publisher live --to you@your.domain")
        right = code.strip() == found.code
        await self._keep(
            Trial(
                address=found.address,
                code=found.code,
                way=found.way,
                sent_at=found.sent_at,
                read_at=now if right else found.read_at,
                misses=found.misses + (not right),
            )
        )
        return right

    async def audience(self) -> Audience:
        """Returns how many people the newsletters have."""
        found = Audience()
        async for page in self._people.pages():
            for person in page:
                names = [s.newsletter for s in person.subscriptions if s.status in _READERS]
                found.people += bool(names)
                found.unreal += bool(names) and is_unreal(person.subscriber.address.rpartition("@")[2])
                for name in names:
                    found.newsletters[name] = found.newsletters.get(name, 0) + 1
        return found

    async def went_live(self, now: datetime) -> None:
        """Notes since when mail goes to real people."""
        await self._facts.settle(_SINCE, now.isoformat())

    async def live_since(self) -> datetime | None:
        """Returns when this was done with; None: never, or by hand."""
        said = await self._facts.get(_SINCE)
        return datetime.fromisoformat(said) if said else None

    async def _keep(self, trial: Trial) -> None:
        told = {
            "address": trial.address,
            "code": trial.code,
            "way": trial.way,
            "sent_at": trial.sent_at.isoformat(),
            "read_at": trial.read_at.isoformat() if trial.read_at else None,
            "misses": trial.misses,
        }
        await self._facts.put(_TEST, json.dumps(told))


_READERS = frozenset({SubscriptionStatus.CONFIRMED, SubscriptionStatus.PAUSED})


def _trial(text: str | None) -> Trial | None:
    if not text:
        return None
    told = json.loads(text)
    return Trial(
        address=told["address"],
        code=told["code"],
        way=told["way"],
        sent_at=datetime.fromisoformat(told["sent_at"]),
        read_at=datetime.fromisoformat(told["read_at"]) if told["read_at"] else None,
        misses=told["misses"],
    )


async def _granted() -> bool:
    return True
