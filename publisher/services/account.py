"""What a reader's old mail must not open: the private feed address, all data, erasure, a change of address.

A link to it is mailed on request, to the address that is on record, and ends
after an hour (security S4). Whoever has a forwarded mail can ask for it, and
cannot read it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from publisher.mail.addresses import Address
from publisher.mail.tokens import Links, Tokens
from publisher.model.people import Allowance, Subscriber
from publisher.ports import AccountLinkStore, Outbox, PeopleStore, RecordStore, Renderer
from publisher.services.admission import FEED_TOKEN_GRACE
from publisher.services.letters import ACCOUNT
from publisher.services.moving import Moving
from publisher.services.subscribe import Visit

LASTS = timedelta(hours=1)
"""Mail is often held back for a quarter of an hour where a sender is new (greylisting)."""
LIMITS = (Allowance(window=timedelta(minutes=10), most=1), Allowance(window=timedelta(days=1), most=6))
_ORIGIN = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the page behind a fresh link shows."""

    subscriber: Subscriber
    feed_url: str | None
    """None: no licence, nothing that the public feeds lack."""
    preferences_url: str


class Account:
    """The verbs behind a fresh link; `now` is always given. None: the link has ended, or is not ours."""

    def __init__(
        self,
        *,
        people: PeopleStore,
        account_links: AccountLinkStore,
        records: RecordStore,
        moving: Moving,
        outbox: Outbox,
        renderer: Renderer,
        tokens: Tokens,
        links: Links,
    ) -> None:
        self._people = people
        self._account_links = account_links
        self._records = records
        self._moving = moving
        self._outbox = outbox
        self._renderer = renderer
        self._tokens = tokens
        self._links = links

    async def mail_link(self, preferences_token: str, now: datetime) -> None:
        """Mails a fresh link to the person of a preferences link; the one before serves when there was one just now."""
        number = self._tokens.read_preferences(preferences_token)
        subscriber = None if number is None else await self._people.by_number(number)
        link = subscriber and await self._account_links.issue(subscriber.number, LASTS, LIMITS, now)
        if not subscriber or not link:
            return
        mail = self._renderer.message("account", subscriber.language)
        await self._outbox.post(f"{ACCOUNT}:{link}", subscriber.number, subscriber.language, mail, now)

    def is_ours(self, token: str) -> bool:
        """Returns whether a link once was one."""
        return self._tokens.read_account(token) is not None

    async def opened(self, token: str, now: datetime) -> Opened | None:
        """Returns what there is to see and do."""
        link = self._tokens.read_account(token)
        number = None if link is None else await self._account_links.subscriber(link, now)
        person = None if number is None else await self._people.person(number)
        if person is None:
            return None
        subscriber = person.subscriber
        feed = self._links.feed_url(subscriber.number, subscriber.token_generation) if person.licences else None
        return Opened(
            subscriber=subscriber,
            feed_url=feed and f"{feed}all.atom",
            preferences_url=self._links.preferences_url(subscriber.number),
        )

    async def renew_feed(self, token: str, now: datetime) -> Opened | None:
        """Gives the person a new private feed address; the old one ends after a day."""
        opened = await self.opened(token, now)
        if opened is None:
            return None
        number, generation = opened.subscriber.number, opened.subscriber.token_generation
        token_hash = self._tokens.feed_hash(number, generation + 1)
        # Of two presses at once one finds it done: a new address is what both wanted.
        await self._people.rotate_feed_token(number, generation, token_hash, now + FEED_TOKEN_GRACE)
        return await self.opened(token, now)

    async def wish_to_move(self, token: str, to: Address, visit: Visit, now: datetime) -> Opened | None:
        """Asks the old and the new address whether mail shall go to the new one."""
        opened = await self.opened(token, now)
        if opened is not None:
            await self._moving.wish(opened.subscriber, to, visit, now)
        return opened

    async def export(self, token: str, now: datetime) -> dict[str, Any] | None:
        """Returns all that is held of the person."""
        opened = await self.opened(token, now)
        return None if opened is None else await self._records.of(opened.subscriber.number)

    async def erase(self, token: str, now: datetime) -> bool:
        """Deletes the person; only a keyed hash of the address stays, so that no import brings them back."""
        opened = await self.opened(token, now)
        if opened is None:
            return False
        key = Address(opened.subscriber.address).key
        return await self._people.erase(key, self._tokens.address_hash(key), _ORIGIN, now)
