"""Judges what an operator says of a person, and makes an enrolment of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime
from typing import Any

from publisher.errors import UsageError
from publisher.mail.addresses import Address
from publisher.mail.tokens import Tokens
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.people import (
    EVERYTHING,
    ConsentEvent,
    Enrolment,
    Licence,
    Proof,
    SubscriptionStatus,
    Terms,
)
from publisher.model.zones import time_zones
from publisher.segments import attributes
from publisher.services.admission import brought_by, newsletters_of, plain_name

ABOUT_LICENCES = "dates, days of archive and clearance are about licences"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """What is said of a person; None, or nothing, leaves what is known."""

    name: str | None = None
    language: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Registrar:
    """Makes enrolments; asks nobody and stores nothing."""

    def __init__(self, catalogue: Catalogue, tokens: Tokens) -> None:
        self._catalogue = catalogue
        self._tokens = tokens

    def enrolment(
        self,
        address: Address,
        *,
        status: SubscriptionStatus,
        event: ConsentEvent,
        newsletters: Sequence[str] | None,
        products: Sequence[str] | None,
        conditions: Conditions,
        about: Particulars,
        proof: Proof,
        imported: bool = False,
    ) -> Enrolment:
        """Returns what somebody is to become; UsageError when it cannot be.

        No newsletters (None) are every scheduled one, never an instant one; no products are what the open
        subscribers' newsletters among them bring.
        """
        language = self._spelt(about.language)
        self.judge(newsletters or (), products or (), language, about.timezone)
        attributes.judge(about.attributes)
        chosen = self._scheduled() if newsletters is None else newsletters_of(self._catalogue, newsletters)
        implied = brought_by(chosen) if products is None else ()
        dated = conditions.given
        named = implied if products is None and dated else products or ()
        if dated and not named:
            raise UsageError(f"{ABOUT_LICENCES}: name their products as well")
        waits = status is SubscriptionStatus.UNCONFIRMED
        return Enrolment(
            address=address.mailbox,
            address_key=address.key,
            address_hash=self._tokens.address_hash(address.key),
            language=language or None,
            default_language=self._catalogue.site.language,
            name=plain_name(about.name or ""),
            timezone=about.timezone or None,
            attributes=about.attributes,
            newsletters=tuple(newsletter.id for newsletter in chosen),
            status=status,
            event=ConsentEvent.REQUESTED if waits else event,
            licences=tuple(conditions.terms(product) for product in named),
            implied=() if waits or dated else tuple(implied),
            proof=proof,
            trusted=True,
            imported=imported,
        )

    def judge(
        self, newsletters: Iterable[str], products: Iterable[str], language: str | None, timezone: str | None
    ) -> None:
        """Checks names against config; UsageError says which there are."""
        site = self._catalogue.site
        known("newsletter", newsletters, self._catalogue.newsletters)
        known("product", products, [*self._catalogue.products, EVERYTHING])
        if language:
            known("language", [language], site.languages)
        if timezone and timezone not in time_zones():
            raise UsageError(f"{timezone!r} is not a time zone such as Europe/Istanbul")

    def _spelt(self, language: str | None) -> str | None:
        """Returns a language tag as config spells it: case means nothing in one (RFC 5646 §2.1.1)."""
        tags = {tag.casefold(): tag for tag in self._catalogue.site.languages}
        return tags.get(language.casefold(), language) if language else language

    def _scheduled(self) -> tuple[Newsletter, ...]:
        return tuple(n for n in self._catalogue.newsletters.values() if not n.instant)


def licences_after(
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
    known("licence", end or (), [licence.product for licence in active])
    if renew is not None:
        return list(end or ()), [conditions.terms(product) for product in renew if product not in (end or ())]
    if not conditions.given:
        return list(end or ()), []
    terms = [conditions.over(licence) for licence in active if licence.product not in (end or ())]
    if not terms:
        raise UsageError(f"{ABOUT_LICENCES}, and none is active: name its products as well")
    return list(end or ()), terms


def known(kind: str, names: Iterable[str], there_are: Iterable[str]) -> None:
    """Checks that all of them are among those there are; UsageError names these."""
    found = list(there_are)
    for name in names:
        if name not in found:
            raise UsageError(f"there is no {kind} {name!r}; there are: {', '.join(found) or 'none'}")
