"""The circulation desk: people by the operator's word, what they get and may read, and who is never mailed."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime
from itertools import islice
from zoneinfo import available_timezones

from publisher.errors import NotFoundError, StoreError, UsageError
from publisher.mail.addresses import Address, parse_address
from publisher.mail.tokens import Links, Tokens
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.people import (
    EVERYTHING,
    Consent,
    ConsentEvent,
    Enrolled,
    Enrolment,
    EnrolmentResult,
    Licence,
    Person,
    Proof,
    SignUpLimits,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    Terms,
)
from publisher.ports import Outbox, PeopleStore, Renderer
from publisher.services.admission import (
    CURRENT,
    FEED_TOKEN_GRACE,
    PER_ADDRESS,
    Admitting,
    brought_by,
    newsletters_of,
    plain_name,
)
from publisher.services.choose import Choosing
from publisher.services.roster import Row, parse_moment, read_roster, roster_rows

OPERATOR_LIMITS = SignUpLimits(per_address=PER_ADDRESS)
_ABOUT_LICENCES = "dates, days of archive and clearance are about licences"
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything that is known of a person."""

    person: Person
    consents: tuple[Consent, ...]
    suppression: SuppressionReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A line of an import that was left out, wholly or in part."""

    line: int
    email: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What an import did, or in a dry run would do."""

    dry_run: bool
    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    confirmations: int = 0
    """Confirmation mails queued."""
    skipped: list[Skipped] = field(default_factory=list)
    left_alone: list[Skipped] = field(default_factory=list)
    """Who once said no: suppressed, or unsubscribed from what the line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAddress:
    """A private feed address, and when the one before it ends."""

    url: str
    old_until: datetime


@dataclass(frozen=True, slots=True)
class Conditions:
    """What licences are granted with; None says nothing."""

    valid_from: datetime | None = None
    valid_until: datetime | None = None
    archive_days: int | None = None
    """0: without end."""
    embargo_cleared: bool | None = None

    @property
    def given(self) -> bool:
        """Whether anything is said."""
        return any(value is not None for value in astuple(self))

    def terms(self, product: str) -> Terms:
        """Returns them for one product; UsageError for a licence that would end before it begins."""
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise UsageError(
                f"a licence cannot end before it begins: valid_until ({self.valid_until:%Y-%m-%d %H:%M} UTC) "
                f"is not later than valid_from ({self.valid_from:%Y-%m-%d %H:%M} UTC)"
            )
        return Terms(product=product, **asdict(self))

    def over(self, licence: Licence) -> Terms:
        """Returns them for a licence, whose dates hold where none is given."""
        begins, ends = self.valid_from or licence.valid_from, self.valid_until or licence.valid_until
        return replace(self, valid_from=begins, valid_until=ends).terms(licence.product)


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
    ) -> None:
        self._choosing = choosing
        self._catalogue = catalogue
        self._people = people
        self._tokens = tokens
        self._links = links
        self._admitting = Admitting(catalogue, people, outbox, renderer, tokens)

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
    ) -> Enrolled:
        """Adds one person, or to what one has; without `confirmed` a confirmation mail goes out.

        No newsletters (None) are every scheduled one, never an instant one; no products are what the open
        subscribers' newsletters among them bring. StoreError when the address is suppressed.
        """
        enrolment = self._enrolment(
            parse_address(address),
            status=SubscriptionStatus.CONFIRMED if confirmed else SubscriptionStatus.UNCONFIRMED,
            event=ConsentEvent.ADDED,
            newsletters=newsletters,
            products=products,
            conditions=Conditions(valid_from, valid_until, archive_days, embargo_cleared),
            about=(name, language, timezone),
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
    ) -> Person:
        """Changes what is given and leaves the rest; the lists replace what the person had. Returns the person.

        `renew` grants these products, or renews their licences, and `end` ends theirs now; both leave the other
        licences alone. With neither list of products, the conditions are for the licences that are active.
        """
        person = await self._required(address)
        number, proof = person.subscriber.number, Proof(origin="command")
        self._judge(newsletters or (), [*(products or ()), *(renew or ())], language, timezone)
        conditions = Conditions(valid_from, valid_until, archive_days, embargo_cleared)
        ended, terms = _licences_after(person.licences, products, renew, end, conditions)
        await self._people.describe(number, name=None if name is None else plain_name(name), language=language)
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
            suppression=next(
                (s.reason for s in await self._people.suppressions() if s.address_hash == address_hash), None
            ),
        )

    def everybody(self) -> AsyncIterator[list[Person]]:
        """Yields all people, page by page."""
        return self._people.pages()

    async def export(self) -> AsyncIterator[dict[str, str]]:
        """Yields the lines of the CSV of everybody, by column (`roster.COLUMNS`)."""
        async for page in self._people.pages():
            for person in page:
                for row in roster_rows(person):
                    yield row

    async def import_csv(
        self, lines: Iterable[str], source: str, now: datetime, *, confirmed: bool = False, dry_run: bool = False
    ) -> ImportReport:
        """Adds the people of a CSV; a line that cannot be used is left out and named. Again it changes nothing.

        A line is confirmed with a consent cell or by the operator's word (`confirmed`), else it is asked by mail.
        """
        report = ImportReport(dry_run=dry_run)
        rows = read_roster(lines)
        while batch := list(islice(rows, _BATCH)):
            report.read += len(batch)
            judged = list(self._judged(batch, source, confirmed, report))
            enrolments = [enrolment for _, enrolment in judged]
            answers = await self._admitting.enrol(enrolments, OPERATOR_LIMITS, now, dry_run=dry_run)
            for (row, _), answer in zip(judged, answers, strict=True):
                _count(report, row, answer)
        return report

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

    async def suppress(self, address: str, now: datetime) -> bool:
        """Never mails this address again; False when it was suppressed before."""
        key = parse_address(address).key
        reason = SuppressionReason.MANUAL
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

    def _judged(
        self, rows: Sequence[Row], source: str, confirmed: bool, report: ImportReport
    ) -> Iterator[tuple[Row, Enrolment]]:
        for row in rows:
            try:
                yield row, self._from_row(row, source, confirmed)
            except UsageError as error:
                report.skipped.append(Skipped(line=row.line, email=row.email, reason=str(error)))

    def _from_row(self, row: Row, source: str, confirmed: bool) -> Enrolment:
        if row.fault:
            raise UsageError(row.fault)
        status = _status(row, confirmed)
        zone = self._catalogue.site.timezone
        dates = (parse_moment(row.valid_from, zone, end=False), parse_moment(row.valid_until, zone, end=True))
        unsubscribed = status is SubscriptionStatus.UNSUBSCRIBED
        return self._enrolment(
            parse_address(row.email),
            status=status,
            event=ConsentEvent.UNSUBSCRIBED if unsubscribed else ConsentEvent.IMPORTED,
            newsletters=() if unsubscribed and row.newsletters is None else row.newsletters,
            products=() if unsubscribed and row.products is None else row.products,
            conditions=Conditions(*dates),
            about=(row.name, row.language, row.timezone),
            proof=Proof(origin=f"import {source}", evidence=row.consent),
        )

    def _enrolment(
        self,
        address: Address,
        *,
        status: SubscriptionStatus,
        event: ConsentEvent,
        newsletters: Sequence[str] | None,
        products: Sequence[str] | None,
        conditions: Conditions,
        about: tuple[str | None, str | None, str | None],
        proof: Proof,
    ) -> Enrolment:
        name, language, timezone = about
        self._judge(newsletters or (), products or (), language, timezone)
        chosen = self._scheduled() if newsletters is None else newsletters_of(self._catalogue, newsletters)
        implied = brought_by(chosen) if products is None else ()
        dated = conditions.given
        named = implied if products is None and dated else products or ()
        if dated and not named:
            raise UsageError(f"{_ABOUT_LICENCES}: name their products as well")
        waits = status is SubscriptionStatus.UNCONFIRMED
        return Enrolment(
            address=address.mailbox,
            address_key=address.key,
            address_hash=self._tokens.address_hash(address.key),
            language=language or None,
            default_language=self._catalogue.site.language,
            name=plain_name(name or ""),
            timezone=timezone or None,
            newsletters=tuple(newsletter.id for newsletter in chosen),
            status=status,
            event=ConsentEvent.REQUESTED if waits else event,
            licences=tuple(conditions.terms(product) for product in named),
            implied=() if waits or dated else tuple(implied),
            proof=proof,
            trusted=True,
        )

    def _judge(
        self, newsletters: Iterable[str], products: Iterable[str], language: str | None, timezone: str | None
    ) -> None:
        site = self._catalogue.site
        _known("newsletter", newsletters, self._catalogue.newsletters)
        _known("product", products, [*self._catalogue.products, EVERYTHING])
        if language:
            _known("language", [language], site.languages)
        if timezone and timezone not in available_timezones():
            raise UsageError(f"{timezone!r} is not a time zone such as Europe/Istanbul")

    def _scheduled(self) -> tuple[Newsletter, ...]:
        return tuple(n for n in self._catalogue.newsletters.values() if not n.instant)


def _status(row: Row, confirmed: bool) -> SubscriptionStatus:
    try:
        asked = SubscriptionStatus(row.status) if row.status else SubscriptionStatus.CONFIRMED
    except ValueError as error:
        names = ", ".join(SubscriptionStatus)
        raise UsageError(f"{row.status!r} is no status; there are {names}") from error
    if asked in CURRENT and not (confirmed or row.consent):
        return SubscriptionStatus.UNCONFIRMED
    return asked


def _count(report: ImportReport, row: Row, answer: Enrolled) -> None:
    if answer.suppressed:
        report.left_alone.append(Skipped(line=row.line, email=row.email, reason=f"suppressed ({answer.suppressed})"))
        return
    if answer.kept_unsubscribed and row.status != SubscriptionStatus.UNSUBSCRIBED:
        names = ", ".join(answer.kept_unsubscribed)
        report.left_alone.append(Skipped(line=row.line, email=row.email, reason=f"stays unsubscribed from {names}"))
    match answer.result:
        case EnrolmentResult.ADDED:
            report.added += 1
        case EnrolmentResult.UPDATED:
            report.updated += 1
        case _:
            report.unchanged += 1
    if answer.signup is not None and answer.result is not EnrolmentResult.LIMITED:
        report.confirmations += 1


def _licences_after(
    had: Sequence[Licence],
    products: Sequence[str] | None,
    renew: Sequence[str] | None,
    end: Sequence[str] | None,
    conditions: Conditions,
) -> tuple[list[str], list[Terms]]:
    """Returns the licences to end and the terms to grant, so that a mistake is found before anything is changed."""
    active = [licence for licence in had if licence.active]
    if products is not None:
        if renew is not None or end is not None:
            raise UsageError("products are all that somebody has; to renew or end some of them, leave them out")
        ended = [licence.product for licence in active if licence.product not in products]
        return ended, [conditions.terms(product) for product in products]
    _known("licence", end or (), [licence.product for licence in active])
    if renew is not None:
        return list(end or ()), [conditions.terms(product) for product in renew if product not in (end or ())]
    if not conditions.given:
        return list(end or ()), []
    terms = [conditions.over(licence) for licence in active if licence.product not in (end or ())]
    if not terms:
        raise UsageError(f"{_ABOUT_LICENCES}, and none is active: name its products as well")
    return list(end or ()), terms


def _known(kind: str, names: Iterable[str], there_are: Iterable[str]) -> None:
    known = list(there_are)
    for name in names:
        if name not in known:
            raise UsageError(f"there is no {kind} {name!r}; there are: {', '.join(known) or 'none'}")
