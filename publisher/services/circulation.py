"""The circulation desk: people by the operator's word, what they get and may read, and who is never mailed."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from publisher.errors import NotFoundError, StoreError, UsageError
from publisher.mail.addresses import Address, parse_address
from publisher.mail.tokens import Links, Tokens
from publisher.model.catalogue import Catalogue
from publisher.model.people import (
    Consent,
    ConsentEvent,
    Enrolled,
    Person,
    Proof,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
)
from publisher.model.segment import AllOf, Condition, Exists, Picked
from publisher.ports import Outbox, PeopleStore, RecordStore, Renderer
from publisher.segments import Vocabulary, parse_condition
from publisher.segments.attributes import judge
from publisher.services.admission import CURRENT, FEED_TOKEN_GRACE, OPERATOR_LIMITS, Admitting, plain_name
from publisher.services.choose import Choosing
from publisher.services.importing import Importing, ImportReport, Instructions
from publisher.services.registrar import Conditions, Particulars, Registrar, licences_after
from publisher.services.roster import Roster, roster_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything that is known of a person."""

    person: Person
    consents: tuple[Consent, ...]
    suppression: Suppression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAddress:
    """A private feed address, and when the one before it ends."""

    url: str
    old_until: datetime


class Circulation:
    """The operator's verbs; `now` is always given."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        people: PeopleStore,
        outbox: Outbox,
        renderer: Renderer,
        tokens: Tokens,
        links: Links,
        choosing: Choosing,
        records: RecordStore,
    ) -> None:
        self._records = records
        self._choosing = choosing
        self._catalogue = catalogue
        self._people = people
        self._tokens = tokens
        self._links = links
        self._admitting = Admitting(catalogue, people, outbox, renderer, tokens)
        self._registrar = Registrar(catalogue, tokens)
        self._importing = Importing(catalogue, people, tokens, self._admitting, self._registrar, choosing)

    async def add(
        self,
        address: str,
        now: datetime,
        *,
        confirmed: bool = False,
        newsletters: Sequence[str] | None = None,
        products: Sequence[str] | None = None,
        name: str | None = None,
        language: str | None = None,
        timezone: str | None = None,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        archive_days: int | None = None,
        embargo_cleared: bool | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Enrolled:
        """Adds one person, or to what one has; without `confirmed` a confirmation mail goes out.

        No newsletters (None) are every scheduled one, never an instant one; no products are what the open
        subscribers' newsletters among them bring. StoreError when the address is suppressed.
        """
        enrolment = self._registrar.enrolment(
            parse_address(address),
            status=SubscriptionStatus.CONFIRMED if confirmed else SubscriptionStatus.UNCONFIRMED,
            event=ConsentEvent.ADDED,
            newsletters=newsletters,
            products=products,
            conditions=Conditions(valid_from, valid_until, archive_days, embargo_cleared),
            about=Particulars(name=name, language=language, timezone=timezone, attributes=attributes or {}),
            proof=Proof(origin="command"),
        )
        (enrolled,) = await self._admitting.enrol([enrolment], OPERATOR_LIMITS, now)
        if enrolled.suppressed:
            raise StoreError(
                f"{enrolment.address} is suppressed ({enrolled.suppressed}) and gets no mail; "
                f"if that is wrong: publisher suppressions remove {enrolment.address}"
            )
        return enrolled

    async def edit(
        self,
        address: str,
        now: datetime,
        *,
        newsletters: Sequence[str] | None = None,
        products: Sequence[str] | None = None,
        name: str | None = None,
        language: str | None = None,
        timezone: str | None = None,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        archive_days: int | None = None,
        embargo_cleared: bool | None = None,
        renew: Sequence[str] | None = None,
        end: Sequence[str] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Person:
        """Changes what is given and leaves the rest; the lists replace what the person had. Returns the person.

        `renew` grants these products, or renews their licences, and `end` ends theirs now; both leave the other
        licences alone. With neither list of products, the conditions are for the licences that are active.
        """
        person = await self._required(address)
        number, proof = person.subscriber.number, Proof(origin="command")
        self._registrar.judge(newsletters or (), [*(products or ()), *(renew or ())], language, timezone)
        judge(attributes or {})
        conditions = Conditions(valid_from, valid_until, archive_days, embargo_cleared)
        ended, terms = licences_after(person.licences, products, renew, end, conditions)
        await self._people.describe(
            number,
            name=None if name is None else plain_name(name),
            language=language,
            attributes=attributes,
        )
        if timezone is not None:
            await self._choosing.move(number, timezone)
        if newsletters is not None:
            current = {s.newsletter for s in person.subscriptions if s.status in CURRENT}
            left = [s.newsletter for s in person.subscriptions if s.newsletter not in newsletters]
            added = [newsletter for newsletter in newsletters if newsletter not in current]
            if left:
                await self._people.unsubscribe(number, left, proof, now)
            if added:
                await self._people.subscribe(number, added, proof, now)
        if ended:
            await self._people.revoke(number, ended, now)
        if terms:
            await self._people.grant(number, terms, proof.origin, now)
        return await self._required(address)

    async def show(self, address: str) -> Dossier:
        """Returns everything about one person; NotFoundError when there is none."""
        person = await self._required(address)
        address_hash = self._tokens.address_hash(parse_address(address).key)
        return Dossier(
            person=person,
            consents=await self._people.consents(person.subscriber.number),
            suppression=await self._people.suppression(address_hash),
        )

    async def held(self, address: str) -> dict[str, Any]:
        """Returns all that is held of a person, to be handed to them; NotFoundError when that is nothing."""
        parsed = parse_address(address)
        subscriber = await self._people.by_address(parsed.key)
        held = None if subscriber is None else await self._records.of(subscriber.number)
        if held is not None:
            return held
        never = await self._people.suppression(self._tokens.address_hash(parsed.key))
        if never is None:
            raise NotFoundError(f"nothing is held of {parsed.mailbox}")
        told = {"reason": never.reason.value, "at": never.at.isoformat(), "origin": never.origin}
        return {"subscriber": None, "suppressions": [told]}

    def pick(self, now: datetime, *, where: str = "", segment: str = "", newsletter: str = "") -> Picked | None:
        """Returns whom all of these describe, None: everybody; UsageError says what cannot be understood.

        `where` is a condition, `segment` one that config has, `newsletter` one that somebody has, or had.
        """
        conditions: list[Condition] = []
        if newsletter:
            self._registrar.judge([newsletter], (), None, None)
            conditions.append(Exists("newsletters", (newsletter,)))
        if segment:
            found = self._catalogue.segments.get(segment)
            if found is None:
                names = ", ".join(self._catalogue.segments) or "none"
                raise UsageError(f"there is no segment {segment!r} in config.toml; there are: {names}")
            conditions.append(found.condition)
        if where:
            conditions.append(parse_condition(where, vocabulary_of(self._catalogue)))
        return Picked(AllOf(tuple(conditions)), self._catalogue.site.timezone, now) if conditions else None

    def everybody(self, picked: Picked | None = None) -> AsyncIterator[list[Person]]:
        """Yields all people, or those picked, page by page."""
        return self._people.pages(picked=picked)

    async def export(self, picked: Picked | None = None) -> AsyncIterator[dict[str, str]]:
        """Yields the lines of the CSV of everybody, or of those picked, by column (`columns.COLUMNS`)."""
        suppressed = {each.address: each.reason for each in await self._people.suppressions() if each.address}
        async for page in self._people.pages(picked=picked):
            consents = await self._people.consents_of([person.subscriber.number for person in page])
            for person in page:
                key = Address(person.subscriber.address).key
                for row in roster_rows(person, consents.get(person.subscriber.number, ()), suppressed.get(key)):
                    yield row

    async def import_people(
        self, roster: Roster, wish: Instructions, now: datetime, progress: Callable[[int], None] | None = None
    ) -> ImportReport:
        """Adds the people of a list (`Importing.run`)."""
        return await self._importing.run(roster, wish, now, progress)

    async def token(self, address: str, now: datetime) -> FeedAddress:
        """Gives a person a new private feed address; the old one ends after a day."""
        subscriber = (await self._required(address)).subscriber
        number, generation, old_until = subscriber.number, subscriber.token_generation, now + FEED_TOKEN_GRACE
        token_hash = self._tokens.feed_hash(number, generation + 1)
        if not await self._people.rotate_feed_token(number, generation, token_hash, old_until):
            raise StoreError("somebody else is changing this address at the same time; try again")
        return FeedAddress(url=f"{self._links.feed_url(number, generation + 1)}all.atom", old_until=old_until)

    async def erase(self, address: str, now: datetime) -> None:
        """Deletes a person; only a keyed hash of the address stays. NotFoundError when there is none."""
        parsed = parse_address(address)
        if not await self._people.erase(parsed.key, self._tokens.address_hash(parsed.key), "command", now):
            raise NotFoundError(f"there is no subscriber {parsed.mailbox}")

    async def suppressions(self) -> list[Suppression]:
        """Returns who is never mailed, latest first."""
        return await self._people.suppressions()

    async def import_suppressions(
        self,
        roster: Roster,
        source: str,
        reason: SuppressionReason,
        now: datetime,
        *,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Never mails the addresses of a list again; `reason` is for lines that give none."""
        return await self._importing.suppress(roster, source, reason, now, dry_run=dry_run, progress=progress)

    async def suppress(self, address: str, now: datetime, reason: SuppressionReason = SuppressionReason.MANUAL) -> bool:
        """Never mails this address again; False when it was suppressed before."""
        key = parse_address(address).key
        return await self._people.suppress(key, self._tokens.address_hash(key), reason, "command", now)

    async def unsuppress(self, address: str) -> None:
        """Lets an address be mailed again; NotFoundError when it was not suppressed."""
        parsed = parse_address(address)
        if not await self._people.unsuppress(self._tokens.address_hash(parsed.key)):
            raise NotFoundError(f"{parsed.mailbox} is not suppressed")

    # ----------------------------------------------------------------------------------------------------------------

    async def _required(self, address: str) -> Person:
        parsed = parse_address(address)
        subscriber = await self._people.by_address(parsed.key)
        person = await self._people.person(subscriber.number) if subscriber else None
        if person is None:
            raise NotFoundError(f"there is no subscriber {parsed.mailbox}")
        return person


def vocabulary_of(catalogue: Catalogue) -> Vocabulary:
    """Returns what conditions on people can name."""
    return Vocabulary(
        newsletters=list(catalogue.newsletters), products=list(catalogue.products), languages=catalogue.site.languages
    )
