"""A reader's change of address: both ends are asked by mail, and both have to agree.

What the wish tells is the same whatever the new address is: nobody learns that
way who is subscribed, or suppressed. Only the new address itself is told that
it has a subscription of its own.
"""

from dataclasses import dataclass
from datetime import datetime

from publisher.mail.addresses import Address
from publisher.mail.tokens import Tokens
from publisher.model.catalogue import Site
from publisher.model.people import Enrolment, MoveState, Subscriber
from publisher.ports import MoveStore, Outbox, PeopleStore, Renderer
from publisher.services.admission import OPERATOR_LIMITS
from publisher.services.letters import MOVE_NEW, MOVE_OLD
from publisher.services.subscribe import Visit

_ORIGIN = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What one end of a change of address is shown."""

    state: MoveState
    new_end: bool
    language: str


class Moving:
    """The verbs of a change of address; `now` is always given."""

    def __init__(
        self,
        *,
        site: Site,
        people: PeopleStore,
        moves: MoveStore,
        outbox: Outbox,
        renderer: Renderer,
        tokens: Tokens,
    ) -> None:
        self._site = site
        self._people = people
        self._moves = moves
        self._outbox = outbox
        self._renderer = renderer
        self._tokens = tokens

    async def wish(self, subscriber: Subscriber, to: Address, visit: Visit, now: datetime) -> None:
        """Asks both ends whether somebody's mail shall go to another address; tells nobody what became of it."""
        asked = await self._moves.ask(
            subscriber.number,
            Enrolment(
                address=to.mailbox,
                address_key=to.key,
                address_hash=self._tokens.address_hash(to.key),
                language=subscriber.language,
                default_language=self._site.language,
                proof=visit.proof(_ORIGIN),
            ),
            OPERATOR_LIMITS,
            now,
        )
        if asked is None:
            return
        await self._post(MOVE_OLD, "move_old", asked.signup, subscriber.number, subscriber.language, now)
        if asked.ask_new:
            kind = "move_taken" if asked.taken else "move_new"
            await self._post(MOVE_NEW, kind, asked.signup, asked.target, asked.language, now)

    async def look(self, token: str, now: datetime) -> Move | None:
        """Returns what the page behind a link of such a mail shows; None when the link is not ours."""
        claim = self._tokens.read_move(token)
        found = claim and await self._moves.state(claim.signup, new_end=claim.new_end, now=now)
        if not claim or not found:
            return None
        state, number = found
        subscriber = await self._people.by_number(number)
        language = subscriber.language if subscriber else self._site.language
        return Move(state=state, new_end=claim.new_end, language=language)

    async def agree(self, token: str, visit: Visit, now: datetime) -> MoveState | None:
        """Takes the yes of one end, as often as it comes; None when the link is not ours."""
        claim = self._tokens.read_move(token)
        if claim is None:
            return None
        return await self._moves.agree(
            claim.signup,
            new_end=claim.new_end,
            address_hash=self._tokens.address_hash,
            proof=visit.proof(_ORIGIN),
            now=now,
        )

    async def call_off(self, token: str, now: datetime) -> bool:
        """Ends the wish, at the word of either end; False when the link is not ours."""
        claim = self._tokens.read_move(token)
        if claim is None:
            return False
        await self._moves.call_off(claim.signup, now)
        return True

    async def _post(self, event: str, kind: str, signup: int, to: int, language: str, now: datetime) -> None:
        await self._outbox.post(f"{event}:{signup}", to, language, self._renderer.message(kind, language), now)
