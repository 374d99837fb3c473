"""How people come, choose and go: on the web by signed links, and by the operator's word."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import available_timezones

from publisher.errors import NotFoundError, StoreError, UsageError
from publisher.mail.addresses import Address, parse_address
from publisher.mail.tokens import Links, Tokens
from publisher.model.catalogue import Audience, Catalogue, Newsletter
from publisher.model.people import (
    EVERYTHING,
    Allowance,
    ConfirmationState,
    Consent,
    ConsentEvent,
    Enrolled,
    Enrolment,
    EnrolmentResult,
    Licence,
    Person,
    Proof,
    SignUp,
    SignUpLimits,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    Terms,
)
from publisher.ports import Outbox, PeopleStore, Renderer
from publisher.services.choose import Choosing
from publisher.services.letters import SIGNUP
from publisher.services.roster import Row, parse_moment, read_roster, roster_rows

ALL = "*"
"""In an unsubscribe link: every newsletter."""
LOCAL_NETWORK = "local"
"""This machine: somebody trying things out, or everybody behind a proxy that does not say who asks."""
FEED_TOKEN_GRACE = timedelta(hours=24)
UNDO_WITHIN = timedelta(hours=1)
_PER_ADDRESS = (Allowance(window=timedelta(days=1), most=1), Allowance(window=timedelta(days=30), most=3))
WEB_LIMITS = SignUpLimits(
    per_address=_PER_ADDRESS,
    per_network=(Allowance(window=timedelta(hours=1), most=20), Allowance(window=timedelta(days=1), most=60)),
    overall=(Allowance(window=timedelta(hours=1), most=600),),
)
OPERATOR_LIMITS = SignUpLimits(per_address=_PER_ADDRESS)
_ABOUT_LICENCES = "dates, days of archive and clearance are about licences"
_BATCH = 200
_LONGEST_NAME = 200
_LONGEST_AGENT = 200
_LONGEST_WORDS = 2000
_CURRENT = frozenset({SubscriptionStatus.CONFIRMED, SubscriptionStatus.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Where a request on the web came from, as evidence."""

    network: str = ""
    """Truncated: `192.0.2.0/24`."""
    user_agent: str = ""
    words: str = ""
    """Those that the form showed beside its button."""

    def proof(self, origin: str) -> Proof:
        """Returns it as it is kept."""
        agent = "".join(c for c in self.user_agent if c.isprintable())[:_LONGEST_AGENT]
        told = {"network": self.network, "agent": agent, "words": self.words[:_LONGEST_WORDS]}
        parts = [f"{name} {value}" for name, value in told.items() if value]
        return Proof(origin=origin, evidence="; ".join(parts), network=self.network)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What the page behind a confirmation link shows."""

    newsletters: tuple[Newsletter, ...]
    language: str
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The answer to a confirmation."""

    state: ConfirmationState
    newsletters: tuple[Newsletter, ...]
    language: str
    feed_url: str | None
    """The private feeds' folder, said at the first confirmation only."""
    preferences_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What an unsubscribe link is about."""

    newsletter: Newsletter | None
    """None: config no longer has it, or `everything`."""
    everything: bool
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What one person gets, and could get."""

    subscriber: Subscriber
    offered: tuple[Newsletter, ...]
    subscriptions: Mapping[str, Subscription]
    """Those that are not ended, by newsletter."""

    @property
    def chosen(self) -> frozenset[str]:
        """Returns the newsletters that the person gets, or will when a pause ends."""
        return frozenset(self.subscriptions)

    @property
    def paused(self) -> bool:
        """Returns whether anything is held for a while."""
        return any(one.status is SubscriptionStatus.PAUSED for one in self.subscriptions.values())


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


class Subscribing:
    """The verbs of people; `now` is always given."""

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
        self._outbox = outbox
        self._renderer = renderer
        self._tokens = tokens
        self._links = links

    # On the web -----------------------------------------------------------------------------------------------------

    def offered(self) -> tuple[Newsletter, ...]:
        """Returns the newsletters that anybody may sign up for."""
        return tuple(newsletter for newsletter in self._catalogue.newsletters.values() if newsletter.open)

    async def sign_up(
        self,
        address: Address,
        newsletters: Sequence[str],
        language: str,
        visit: Visit,
        now: datetime,
        *,
        name: str = "",
        form: str = "",
    ) -> None:
        """Takes a form and, within the limits, mails its confirmation link; tells nobody what became of it.

        `form`: the other site that it stood on.
        """
        opened = {newsletter.id for newsletter in self.offered()}
        chosen = tuple(name for name in dict.fromkeys(newsletters) if name in opened)
        if not chosen:
            return
        enrolment = Enrolment(
            address=address.mailbox,
            address_key=address.key,
            address_hash=self._tokens.address_hash(address.key),
            language=self._language(language),
            name=_name(name),
            newsletters=chosen,
            proof=visit.proof(f"web {form}" if form else "web"),
        )
        limits = replace(WEB_LIMITS, per_network=()) if visit.network == LOCAL_NETWORK else WEB_LIMITS
        await self._enrol([enrolment], limits, now)

    async def pending(self, token: str, now: datetime) -> Pending | None:
        """Returns what a confirmation link would confirm; None when the link is not ours."""
        signup = await self._signup(token)
        subscriber = await self._people.by_number(signup.subscriber) if signup else None
        if signup is None or subscriber is None:
            return None
        return Pending(
            newsletters=self._newsletters(signup.newsletters),
            language=subscriber.language,
            expired=signup.expired(now),
        )

    async def confirm(self, token: str, visit: Visit, now: datetime) -> Welcome | None:
        """Confirms exactly what was signed up for; None when the link is not ours. Twice is as good as once.

        Used before, the link changes nothing, and the answer names what the person gets now.
        """
        signup = await self._signup(token)
        if signup is None:
            return None
        newsletters = self._newsletters(signup.newsletters)
        confirmation = await self._people.confirm(
            signup.number,
            [newsletter.id for newsletter in newsletters],
            self._products_of(newsletters),
            self._tokens.address_hash,
            visit.proof("web"),
            now,
        )
        if confirmation is None:
            return None
        subscriber = confirmation.subscriber
        first = confirmation.state is ConfirmationState.CONFIRMED
        if confirmation.state is ConfirmationState.ALREADY:
            person = await self._people.person(subscriber.number)
            subscriptions = person.subscriptions if person else ()
            newsletters = self._newsletters(s.newsletter for s in subscriptions if s.status in _CURRENT)
        private = any(newsletter.audience is Audience.SUBSCRIBERS for newsletter in newsletters)
        if first:
            await self._welcome(signup, subscriber, newsletters, private, now)
        return Welcome(
            state=confirmation.state,
            newsletters=newsletters,
            language=subscriber.language,
            feed_url=self._feed_url(subscriber) if first and private else None,
            preferences_url=self._links.preferences_url(subscriber.number),
        )

    async def leaving(self, token: str) -> Leaving | None:
        """Returns what an unsubscribe link is about; None when it is not ours."""
        claim = self._tokens.read_unsubscribe(token)
        if claim is None:
            return None
        subscriber = await self._people.by_number(claim.subscriber)
        return Leaving(
            newsletter=self._catalogue.newsletters.get(claim.newsletter),
            everything=claim.newsletter == ALL,
            language=subscriber.language if subscriber else self._catalogue.site.language,
        )

    async def unsubscribe(self, token: str, origin: str, visit: Visit, now: datetime) -> bool:
        """Ends one subscription (or all, for a link that says so); False when the link is not ours."""
        claim = self._tokens.read_unsubscribe(token)
        if claim is None:
            return False
        newsletters = None if claim.newsletter == ALL else [claim.newsletter]
        await self._people.unsubscribe(claim.subscriber, newsletters, visit.proof(origin), now)
        return True

    async def undo_unsubscribe(self, token: str, visit: Visit, now: datetime) -> bool:
        """Takes back what `unsubscribe` just did with the same link; the caller makes sure who asks."""
        claim = self._tokens.read_unsubscribe(token)
        if claim is None:
            return False
        since, proof = now - UNDO_WITHIN, visit.proof("web undo")
        return await self._people.undo_unsubscribe(claim.subscriber, claim.newsletter, since, proof, now)

    async def preferences(self, token: str) -> Preferences | None:
        """Returns what the person of a preferences link gets; None when the link is not ours."""
        number = self._tokens.read_preferences(token)
        person = None if number is None else await self._people.person(number)
        if person is None:
            return None
        current = {s.newsletter: s for s in person.subscriptions if s.status in _CURRENT}
        return Preferences(
            subscriber=person.subscriber,
            offered=tuple(n for n in self._catalogue.newsletters.values() if n.open or n.id in current),
            subscriptions=current,
        )

    async def choose(
        self, token: str, newsletters: Sequence[str], language: str, visit: Visit, now: datetime
    ) -> Preferences | None:
        """Makes these the newsletters that the person of a preferences link gets."""
        before = await self.preferences(token)
        if before is None:
            return None
        number, proof = before.subscriber.number, visit.proof("preferences")
        added = [n for n in before.offered if n.id in newsletters and n.id not in before.chosen]
        ended = [n.id for n in before.offered if n.id in before.chosen and n.id not in newsletters]
        if ended:
            await self._people.unsubscribe(number, ended, proof, now)
        if added:
            await self._people.subscribe(number, [newsletter.id for newsletter in added], proof, now)
            if before.paused:
                await self._choosing.pause(number, now)
            terms = [Terms(product=product) for product in self._products_of(added)]
            await self._people.grant(number, terms, proof.origin, now, renew=False)
        if language:
            await self._people.describe(number, language=self._language(language))
        return await self.preferences(token)

    async def pause(
        self, token: str, now: datetime, *, paused: bool, until: datetime | None = None
    ) -> Preferences | None:
        """Holds everything for the person of a preferences link (`until` a moment), or lets it flow again."""
        number = self._tokens.read_preferences(token)
        if number is None:
            return None
        await (self._choosing.pause(number, now, until) if paused else self._choosing.resume(number, now))
        return await self.preferences(token)

    async def leave_all(self, token: str, visit: Visit, now: datetime) -> Preferences | None:
        """Ends every subscription of the person of a preferences link."""
        number = self._tokens.read_preferences(token)
        if number is None:
            return None
        await self._people.unsubscribe(number, None, visit.proof("preferences"), now)
        return await self.preferences(token)

    # By the operator's word -----------------------------------------------------------------------------------------

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
        (enrolled,) = await self._enrol([enrolment], OPERATOR_LIMITS, now)
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
        await self._people.describe(number, name=None if name is None else _name(name), language=language)
        if timezone is not None:
            await self._choosing.move(number, timezone)
        if newsletters is not None:
            current = {s.newsletter for s in person.subscriptions if s.status in _CURRENT}
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
            answers = await self._enrol(enrolments, OPERATOR_LIMITS, now, dry_run=dry_run)
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

    async def _signup(self, token: str) -> SignUp | None:
        number = self._tokens.read_confirm(token)
        signup = None if number is None else await self._people.signup(number)
        return signup if signup and signup.moves_from is None else None

    async def _required(self, address: str) -> Person:
        parsed = parse_address(address)
        subscriber = await self._people.by_address(parsed.key)
        person = await self._people.person(subscriber.number) if subscriber else None
        if person is None:
            raise NotFoundError(f"there is no subscriber {parsed.mailbox}")
        return person

    async def _enrol(
        self, enrolments: Sequence[Enrolment], limits: SignUpLimits, now: datetime, *, dry_run: bool = False
    ) -> list[Enrolled]:
        answers = await self._people.enrol(enrolments, self._tokens.feed_hash, limits, now, dry_run=dry_run)
        if not dry_run:
            for answer in answers:
                await self._ask(answer, now)
        return answers

    async def _ask(self, answer: Enrolled, now: datetime) -> None:
        """Queues the confirmation mail; one that was lost to a crash is queued when the form comes again."""
        if answer.signup is None or answer.subscriber is None:
            return
        titles = self._titles(self._newsletters(answer.signup.newsletters), answer.language)
        mail = self._renderer.message("confirmation", answer.language, titles=titles)
        await self._outbox.post(f"{SIGNUP}:{answer.signup.number}", answer.subscriber, answer.language, mail, now)

    async def _welcome(
        self,
        signup: SignUp,
        subscriber: Subscriber,
        newsletters: Sequence[Newsletter],
        private: bool,
        now: datetime,
    ) -> None:
        titles = self._titles(newsletters, subscriber.language)
        mail = self._renderer.message("welcome", subscriber.language, titles=titles, private_feed=private)
        await self._outbox.post(f"welcome:{signup.number}", subscriber.number, subscriber.language, mail, now)

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
        chosen = self._scheduled() if newsletters is None else self._newsletters(newsletters)
        implied = self._products_of(chosen) if products is None else ()
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
            name=_name(name or ""),
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

    def _newsletters(self, ids: Iterable[str]) -> tuple[Newsletter, ...]:
        """Those that config still has."""
        known = self._catalogue.newsletters
        return tuple(known[name] for name in dict.fromkeys(ids) if name in known)

    def _products_of(self, newsletters: Iterable[Newsletter]) -> tuple[str, ...]:
        """Returns what comes with them: an open subscribers' newsletter brings its products (decisions 8)."""
        granting = [n for n in newsletters if n.open and n.audience is Audience.SUBSCRIBERS]
        return tuple(dict.fromkeys(product for n in granting for product in n.products or (EVERYTHING,)))

    def _titles(self, newsletters: Iterable[Newsletter], language: str) -> tuple[str, ...]:
        return tuple(newsletter.title.in_language(language) for newsletter in newsletters)

    def _feed_url(self, subscriber: Subscriber) -> str:
        return f"{self._links.feed_url(subscriber.number, subscriber.token_generation)}all.atom"

    def _language(self, wanted: str) -> str:
        site = self._catalogue.site
        base = wanted.split("-", maxsplit=1)[0]
        return next((tag for tag in (wanted, base) if tag in site.languages), site.language)


def _status(row: Row, confirmed: bool) -> SubscriptionStatus:
    try:
        asked = SubscriptionStatus(row.status) if row.status else SubscriptionStatus.CONFIRMED
    except ValueError as error:
        names = ", ".join(SubscriptionStatus)
        raise UsageError(f"{row.status!r} is no status; there are {names}") from error
    if asked in _CURRENT and not (confirmed or row.consent):
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


def _name(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_NAME]
