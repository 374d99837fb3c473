"""How people come, choose and go by themselves: on the web, by signed links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from publisher.mail.addresses import Address
from publisher.mail.tokens import Links, Tokens
from publisher.model.catalogue import Audience, Catalogue, Newsletter
from publisher.model.people import (
    Allowance,
    ConfirmationState,
    Enrolment,
    Proof,
    SignUp,
    SignUpLimits,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Terms,
)
from publisher.ports import Outbox, PeopleStore, Renderer
from publisher.services.admission import (
    CURRENT,
    PER_ADDRESS,
    Admitting,
    brought_by,
    newsletters_of,
    plain_name,
    titles_of,
)
from publisher.services.choose import Choosing
from publisher.services.introduce import Introducing

ALL = "*"
"""In an unsubscribe link: every newsletter."""
LOCAL_NETWORK = "local"
"""This machine: somebody trying things out, or everybody behind a proxy that does not say who asks."""
UNDO_WITHIN = timedelta(hours=1)
WEB_LIMITS = SignUpLimits(
    per_address=PER_ADDRESS,
    per_network=(Allowance(window=timedelta(hours=1), most=20), Allowance(window=timedelta(days=1), most=60)),
    overall=(Allowance(window=timedelta(hours=1), most=600),),
)
_LONGEST_AGENT = 200
_LONGEST_WORDS = 2000


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
    left: bool
    """Whether it has been left already."""


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


class Subscribing:
    """The verbs of readers; `now` is always given."""

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
        introducing: Introducing | None = None,
    ) -> None:
        """`introducing`: who sends newcomers the latest issue; None: nobody does."""
        self._introducing = introducing
        self._choosing = choosing
        self._catalogue = catalogue
        self._people = people
        self._outbox = outbox
        self._renderer = renderer
        self._tokens = tokens
        self._links = links
        self._admitting = Admitting(catalogue, people, outbox, renderer, tokens)

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
            name=plain_name(name),
            newsletters=chosen,
            proof=visit.proof(f"web {form}" if form else "web"),
        )
        limits = replace(WEB_LIMITS, per_network=()) if visit.network == LOCAL_NETWORK else WEB_LIMITS
        await self._admitting.enrol([enrolment], limits, now)

    async def pending(self, token: str, now: datetime) -> Pending | None:
        """Returns what a confirmation link would confirm; None when the link is not ours."""
        signup = await self._signup(token)
        subscriber = await self._people.by_number(signup.subscriber) if signup else None
        if signup is None or subscriber is None:
            return None
        return Pending(
            newsletters=newsletters_of(self._catalogue, signup.newsletters),
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
        newsletters = newsletters_of(self._catalogue, signup.newsletters)
        confirmation = await self._people.confirm(
            signup.number,
            [newsletter.id for newsletter in newsletters],
            brought_by(newsletters),
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
            newsletters = newsletters_of(self._catalogue, (s.newsletter for s in subscriptions if s.status in CURRENT))
        private = any(newsletter.audience is Audience.SUBSCRIBERS for newsletter in newsletters)
        if first:
            await self._welcome(signup, subscriber, newsletters, private, now)
            if self._introducing is not None:
                await self._introducing.send(f"latest:{signup.number}", subscriber, newsletters, now)
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
        person = await self._people.person(claim.subscriber)
        named = [s.status for s in person.subscriptions if claim.newsletter in (ALL, s.newsletter)] if person else []
        return Leaving(
            newsletter=self._catalogue.newsletters.get(claim.newsletter),
            everything=claim.newsletter == ALL,
            language=person.subscriber.language if person else self._catalogue.site.language,
            left=bool(named) and all(status is SubscriptionStatus.UNSUBSCRIBED for status in named),
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
        """Takes back what `unsubscribe` just did with the same link; True also when that is done already.

        The caller makes sure who asks.
        """
        claim = self._tokens.read_unsubscribe(token)
        if claim is None:
            return False
        since, proof = now - UNDO_WITHIN, visit.proof("web undo")
        if await self._people.undo_unsubscribe(claim.subscriber, claim.newsletter, since, proof, now):
            return True
        person = await self._people.person(claim.subscriber)
        current = {s.newsletter for s in person.subscriptions if s.status in CURRENT} if person else set()
        return claim.newsletter in current

    async def preferences(self, token: str) -> Preferences | None:
        """Returns what the person of a preferences link gets; None when the link is not ours."""
        number = self._tokens.read_preferences(token)
        person = None if number is None else await self._people.person(number)
        if person is None:
            return None
        current = {s.newsletter: s for s in person.subscriptions if s.status in CURRENT}
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
            terms = [Terms(product=product) for product in brought_by(added)]
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

    # ----------------------------------------------------------------------------------------------------------------

    async def _signup(self, token: str) -> SignUp | None:
        number = self._tokens.read_confirm(token)
        signup = None if number is None else await self._people.signup(number)
        return signup if signup and signup.moves_from is None else None

    async def _welcome(
        self,
        signup: SignUp,
        subscriber: Subscriber,
        newsletters: Sequence[Newsletter],
        private: bool,
        now: datetime,
    ) -> None:
        titles = titles_of(newsletters, subscriber.language)
        mail = self._renderer.message("welcome", subscriber.language, titles=titles, private_feed=private)
        await self._outbox.post(f"welcome:{signup.number}", subscriber.number, subscriber.language, mail, now)

    def _feed_url(self, subscriber: Subscriber) -> str:
        return f"{self._links.feed_url(subscriber.number, subscriber.token_generation)}all.atom"

    def _language(self, wanted: str) -> str:
        site = self._catalogue.site
        base = wanted.split("-", maxsplit=1)[0]
        return next((tag for tag in (wanted, base) if tag in site.languages), site.language)
