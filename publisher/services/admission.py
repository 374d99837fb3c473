"""Takes people in, whoever says so: stores what they are to get, and mails the link that asks whether they want it."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from publisher.mail.tokens import Tokens
from publisher.model.catalogue import Audience, Catalogue, Newsletter
from publisher.model.people import EVERYTHING, Allowance, Enrolled, Enrolment, SignUpLimits, SubscriptionStatus
from publisher.ports import Outbox, PeopleStore, Renderer
from publisher.services.letters import SIGNUP

PER_ADDRESS = (Allowance(window=timedelta(days=1), most=1), Allowance(window=timedelta(days=30), most=3))
"""How many confirmation mails anybody can have sent to one address."""
OPERATOR_LIMITS = SignUpLimits(per_address=PER_ADDRESS)
FEED_TOKEN_GRACE = timedelta(hours=24)
"""How long a feed address still works after another has taken its place."""
CURRENT = frozenset({SubscriptionStatus.CONFIRMED, SubscriptionStatus.PAUSED})
"""Who gets a newsletter, now or after a pause."""
_LONGEST_NAME = 200


class Admitting:
    """Enrols people; `now` is always given."""

    def __init__(
        self, catalogue: Catalogue, people: PeopleStore, outbox: Outbox, renderer: Renderer, tokens: Tokens
    ) -> None:
        self._catalogue = catalogue
        self._people = people
        self._outbox = outbox
        self._renderer = renderer
        self._tokens = tokens

    async def enrol(
        self, enrolments: Sequence[Enrolment], limits: SignUpLimits, now: datetime, *, dry_run: bool = False
    ) -> list[Enrolled]:
        """Enrols people and asks those by mail who have to confirm; answers in the same order."""
        answers = await self._people.enrol(enrolments, self._tokens.feed_hash, limits, now, dry_run=dry_run)
        if not dry_run:
            for answer in answers:
                await self._ask(answer, now)
        return answers

    async def _ask(self, answer: Enrolled, now: datetime) -> None:
        """Queues the confirmation mail; one that was lost to a crash is queued when the form comes again."""
        if answer.signup is None or answer.subscriber is None:
            return
        titles = titles_of(newsletters_of(self._catalogue, answer.signup.newsletters), answer.language)
        mail = self._renderer.message("confirmation", answer.language, titles=titles)
        await self._outbox.post(f"{SIGNUP}:{answer.signup.number}", answer.subscriber, answer.language, mail, now)


def newsletters_of(catalogue: Catalogue, ids: Iterable[str]) -> tuple[Newsletter, ...]:
    """Returns the newsletters of these names that config still has."""
    known = catalogue.newsletters
    return tuple(known[name] for name in dict.fromkeys(ids) if name in known)


def brought_by(newsletters: Iterable[Newsletter]) -> tuple[str, ...]:
    """Returns what comes with them: an open subscribers' newsletter brings its products (decisions 8)."""
    granting = [n for n in newsletters if n.open and n.audience is Audience.SUBSCRIBERS]
    return tuple(dict.fromkeys(product for n in granting for product in n.products or (EVERYTHING,)))


def titles_of(newsletters: Iterable[Newsletter], language: str) -> tuple[str, ...]:
    """Returns their titles in a language."""
    return tuple(newsletter.title.in_language(language) for newsletter in newsletters)


def plain_name(text: str) -> str:
    """Returns a person's name on one line, without what cannot be printed."""
    return on_one_line(text, _LONGEST_NAME)


def on_one_line(text: str, most: int) -> str:
    """Returns a text without line breaks and what cannot be printed, cut off after `most` characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]
