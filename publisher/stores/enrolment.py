"""Takes people in, one transaction for a batch: never loosens an opt-out, never lets a form flood anybody."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.choices import AS_IT_COMES
from publisher.model.people import (
    Enrolled,
    Enrolment,
    EnrolmentResult,
    Licence,
    Person,
    SignUp,
    SignUpLimits,
    SubscriptionStatus,
    SuppressionReason,
    Terms,
)
from publisher.segments import merged
from publisher.stores.clocks import keep_clocks
from publisher.stores.database import Database, micros
from publisher.stores.limits import asked_too_often, flooded, note_asked
from publisher.stores.people_rows import (
    describe,
    grant,
    licences_of,
    new_consent,
    new_licence,
    new_signup,
    new_subscriber,
    new_subscription,
    people_of,
    profile_numbers,
    record,
    signup_of,
)
from publisher.stores.schema import consents, licences, signups, subscribers, subscriptions, suppressions

_MANY = 8
"""From how many new people on it is worth while to add them together."""


class Enrolling:
    """Enrolments inside one open transaction.

    `feed_hash` gives the hash of a feed token by subscriber and generation.
    """

    def __init__(
        self,
        database: Database,
        connection: AsyncConnection,
        feed_hash: Callable[[int, int], str],
        limits: SignUpLimits,
        now: datetime,
    ) -> None:
        self._database = database
        self._connection = connection
        self._feed_hash = feed_hash
        self._limits = limits
        self._now = now

    async def enrol(self, enrolments: Sequence[Enrolment]) -> list[Enrolled]:
        """Adds people, or to what they have; answers in the same order."""
        answered = await self._answered_together(enrolments)
        answers = []
        for enrolment in enrolments:
            # Taken out: the same address again in one batch is somebody known, or changed, by then.
            answer = answered.pop(enrolment.address_key, None)
            answers.append(answer or await self._enrol(enrolment))
        return answers

    async def _enrol(self, enrolment: Enrolment) -> Enrolled:
        reason = await _suppression(self._connection, enrolment.address_hash)
        if reason is not None and (enrolment.trusted or reason is not SuppressionReason.ERASED):
            return Enrolled(result=EnrolmentResult.SUPPRESSED, suppressed=reason)
        if await flooded(self._connection, enrolment.proof.network, self._limits, self._now):
            return Enrolled(result=EnrolmentResult.LIMITED)
        row, added = await self.found_or_added(enrolment)
        changed = enrolment.trusted and not added and await self._improved(row, enrolment)
        kept, moved = await self._enter(row.id, enrolment)
        origin = enrolment.proof.origin
        granted = await grant(self._database, self._connection, row.id, enrolment.licences, True, origin, self._now)
        if enrolment.implied and not await licences_of(self._database, self._connection, [row.id]):
            granted |= await grant(
                self._database, self._connection, row.id, _implied(enrolment), False, origin, self._now
            )
        signup, limited = await self._sign_up(row.id, enrolment)
        return Enrolled(
            result=_result(added, bool(changed or moved or granted), limited),
            subscriber=row.id,
            language=row.language,
            signup=signup,
            kept_unsubscribed=kept,
        )

    async def _answered_together(self, enrolments: Sequence[Enrolment]) -> dict[str, Enrolled]:
        """Answers, by address, for those of a large import who are new or have all of it: a few statements for all."""
        first = {each.address_key: each for each in reversed(enrolments)}
        plain = [each for each in first.values() if each.trusted and each.status is not SubscriptionStatus.UNCONFIRMED]
        if len(plain) < _MANY:
            return {}
        hashes = [each.address_hash for each in plain]
        query = sa.select(suppressions.c.address_hash).where(suppressions.c.address_hash.in_(hashes))
        suppressed = set((await self._connection.execute(query)).scalars())
        plain = [each for each in reversed(plain) if each.address_hash not in suppressed]
        known = sa.select(subscribers).where(subscribers.c.address_key.in_([each.address_key for each in plain]))
        rows = (await self._connection.execute(known)).all()
        found = await people_of(self._database, self._connection, rows)
        people = {row.address_key: person for row, person in zip(rows, found, strict=True)}
        new = await self._add_many([each for each in plain if each.address_key not in people])
        had = {key: _unchanged(person, first[key]) for key, person in people.items()}
        return new | {key: answer for key, answer in had.items() if answer is not None}

    async def _add_many(self, plain: Sequence[Enrolment]) -> dict[str, Enrolled]:
        """Adds people whom nobody knows yet and nobody has to ask."""
        if not plain:
            return {}
        table = subscribers.c
        insert = self._database.insert(subscribers).on_conflict_do_nothing().returning(table.id, table.address_key)
        rows = await self._connection.execute(insert, [new_subscriber(each, self._now) for each in plain])
        numbers = {key: number for number, key in rows}
        plain = [each for each in plain if each.address_key in numbers]
        if not plain:
            return {}
        await self._connection.execute(
            sa.update(subscribers).where(table.id == sa.bindparam("number")).values(token_hash=sa.bindparam("hash")),
            [{"number": number, "hash": self._feed_hash(number, 1)} for number in numbers.values()],
        )
        await self._furnish([(numbers[each.address_key], each) for each in plain])
        return {
            each.address_key: Enrolled(
                result=EnrolmentResult.ADDED,
                subscriber=numbers[each.address_key],
                language=each.language or each.default_language,
            )
            for each in plain
        }

    async def _furnish(self, people: Sequence[tuple[int, Enrolment]]) -> None:
        """Gives new people what their enrolments say."""
        chosen = [(number, each, name) for number, each in people for name in each.newsletters]
        if chosen:
            rows = await self._subscriptions(chosen)
            await self._connection.execute(sa.insert(subscriptions), rows)
            await keep_clocks(self._connection, (number for number, each, _ in chosen if each.timezone or each.wishes))
            said = [new_consent(number, name, each.event, each.proof, self._now) for number, each, name in chosen]
            await self._connection.execute(sa.insert(consents), said)
        granted = [
            new_licence(number, terms, each.proof.origin, self._now)
            for number, each in people
            for terms in {t.product: t for t in (*_implied(each), *each.licences)}.values()
        ]
        if granted:
            await self._connection.execute(sa.insert(licences), granted)

    async def _subscriptions(self, chosen: Sequence[tuple[int, Enrolment, str]]) -> list[dict[str, Any]]:
        """Returns the rows of people's new subscriptions, with what they have chosen of them."""
        wishes = [each.wishes.get(name, AS_IT_COMES) for _, each, name in chosen]
        profiles = await profile_numbers(self._database, self._connection, (wish.choices for wish in wishes))
        return [
            new_subscription(number, name, each.status, self._now, wish, profiles[wish.choices])
            for (number, each, name), wish in zip(chosen, wishes, strict=True)
        ]

    async def found_or_added(self, enrolment: Enrolment) -> tuple[sa.Row[Any], bool]:
        """Returns the row of a subscriber, held until the transaction ends, and whether they are new."""
        values = new_subscriber(enrolment, self._now)
        insert = self._database.insert(subscribers).values(values).on_conflict_do_nothing().returning(subscribers.c.id)
        number = (await self._connection.execute(insert)).scalar()
        if number is not None:
            token_hash = self._feed_hash(number, 1)
            first = sa.update(subscribers).where(subscribers.c.id == number).values(token_hash=token_hash)
            await self._connection.execute(first)
        # Holding the row, two forms sent at once are counted one after the other.
        query = sa.select(subscribers).where(subscribers.c.address_key == enrolment.address_key).with_for_update()
        return (await self._connection.execute(query)).one(), number is not None

    async def _improved(self, row: sa.Row[Any], enrolment: Enrolment) -> bool:
        known = json.loads(row.attributes)
        before = (row.name, row.language, row.timezone, known)
        after = (
            enrolment.name or row.name,
            enrolment.language or row.language,
            enrolment.timezone or row.timezone,
            merged(known, enrolment.attributes),
        )
        if before != after:
            await describe(self._connection, row.id, *after)
        return before != after

    async def _enter(self, subscriber: int, enrolment: Enrolment) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Returns the newsletters that stay unsubscribed, and those where something changed."""
        table = subscriptions.c
        query = sa.select(table.newsletter, table.status).where(table.subscriber_id == subscriber)
        had = {name: SubscriptionStatus(status) for name, status in await self._connection.execute(query)}
        wanted = enrolment.status
        kept = tuple(n for n in enrolment.newsletters if had.get(n) is SubscriptionStatus.UNSUBSCRIBED)
        if enrolment.imported and wanted is not SubscriptionStatus.UNSUBSCRIBED and _has_left(had.values()):
            return enrolment.newsletters, ()
        new = tuple(n for n in enrolment.newsletters if n not in had)
        if new:
            rows = await self._subscriptions([(subscriber, enrolment, name) for name in new])
            await self._connection.execute(self._database.insert(subscriptions).on_conflict_do_nothing(), rows)
            await keep_clocks(self._connection, [subscriber])
        moved = tuple(n for n in enrolment.newsletters if n in had and _may_move(had[n], wanted))
        if moved:
            times = {
                SubscriptionStatus.CONFIRMED: {"confirmed_at": micros(self._now)},
                SubscriptionStatus.UNSUBSCRIBED: {"unsubscribed_at": micros(self._now)},
            }
            await self._connection.execute(
                sa.update(subscriptions)
                .where(table.subscriber_id == subscriber, table.newsletter.in_(moved))
                .values(status=wanted, **times.get(wanted, {}))
            )
        await record(self._connection, subscriber, (*new, *moved), enrolment.event, enrolment.proof, self._now)
        return kept, (*new, *moved)

    async def _sign_up(
        self,
        subscriber: int,
        enrolment: Enrolment,
    ) -> tuple[SignUp | None, bool]:
        """Returns what is to be confirmed, and whether a new sign-up was denied by the limits."""
        if enrolment.status is not SubscriptionStatus.UNCONFIRMED:
            return None, False
        names = enrolment.newsletters
        if enrolment.trusted:  # the operator asks only for what waits: a form asks for all that its sender ticked
            names = tuple(await _waiting(self._connection, subscriber, names))
        if not names:
            return None, False
        if await asked_too_often(self._connection, enrolment.address_hash, self._limits.per_address, self._now):
            return await self._asked_before(subscriber, by_form=not enrolment.trusted), True
        await note_asked(self._connection, enrolment.address_hash, self._now)
        values = new_signup(subscriber, names, enrolment.proof.network, self._now)
        row = (await self._connection.execute(sa.insert(signups).values(values).returning(signups))).one()
        return signup_of(row), False

    async def _asked_before(self, subscriber: int, *, by_form: bool) -> SignUp | None:
        """Returns the sign-up whose mail is still to be answered, and counts it when its form came once more."""
        table = signups.c
        query = sa.select(table.id).where(table.subscriber_id == subscriber, table.moves_from.is_(None))
        latest = query.order_by(table.id.desc()).limit(1).scalar_subquery()
        again = (
            sa.update(signups)
            .where(table.id == latest, table.used_at.is_(None), table.expires_at > micros(self._now))
            .values(repeats=table.repeats + int(by_form))
            .returning(signups)
        )
        row = (await self._connection.execute(again)).first()
        return None if row is None else signup_of(row)


def _result(added: bool, changed: bool, limited: bool) -> EnrolmentResult:
    if added:
        return EnrolmentResult.ADDED
    if changed:
        return EnrolmentResult.UPDATED
    return EnrolmentResult.LIMITED if limited else EnrolmentResult.UNCHANGED


def _unchanged(person: Person, enrolment: Enrolment) -> Enrolled | None:
    """Returns the answer when the person has all of it already."""
    subscriber = person.subscriber
    had = {s.newsletter: s.status for s in person.subscriptions}
    licensed = {licence.product: licence for licence in person.licences if licence.active}
    same = (
        all(name in had and not _may_move(had[name], enrolment.status) for name in enrolment.newsletters)
        and all(_is_granted(terms, licensed.get(terms.product)) for terms in enrolment.licences)
        and (person.licences or not enrolment.implied)
        and (enrolment.name or subscriber.name) == subscriber.name
        and (enrolment.language or subscriber.language) == subscriber.language
        and (enrolment.timezone or subscriber.timezone) == subscriber.timezone
        and merged(subscriber.attributes, enrolment.attributes) == subscriber.attributes
    )
    if not same:
        return None
    kept = tuple(n for n in enrolment.newsletters if had[n] is SubscriptionStatus.UNSUBSCRIBED)
    return Enrolled(
        result=EnrolmentResult.UNCHANGED,
        subscriber=subscriber.number,
        language=subscriber.language,
        kept_unsubscribed=kept,
    )


def _is_granted(terms: Terms, licence: Licence | None) -> bool:
    dates = (terms.valid_from, terms.valid_until)
    return (
        licence is not None
        and (licence.valid_from, licence.valid_until) == dates
        and terms.archive_days in (None, licence.archive_days or 0)
        and terms.embargo_cleared in (None, licence.embargo_cleared)
    )


def _has_left(statuses: Collection[SubscriptionStatus]) -> bool:
    """Returns whether somebody has left everything they ever had."""
    return bool(statuses) and all(status is SubscriptionStatus.UNSUBSCRIBED for status in statuses)


def _may_move(had: SubscriptionStatus, wanted: SubscriptionStatus) -> bool:
    """Yes confirms what waits; no ends everything; nothing else moves."""
    if wanted is SubscriptionStatus.UNSUBSCRIBED:
        return had is not SubscriptionStatus.UNSUBSCRIBED
    return wanted is not SubscriptionStatus.UNCONFIRMED and had is SubscriptionStatus.UNCONFIRMED


def _implied(enrolment: Enrolment) -> list[Terms]:
    return [Terms(product=product) for product in enrolment.implied]


async def _waiting(connection: AsyncConnection, subscriber: int, newsletters: Sequence[str]) -> list[str]:
    table = subscriptions.c
    unconfirmed = sa.and_(table.subscriber_id == subscriber, table.status == SubscriptionStatus.UNCONFIRMED)
    waiting = set((await connection.execute(sa.select(table.newsletter).where(unconfirmed))).scalars())
    return [name for name in newsletters if name in waiting]


async def _suppression(connection: AsyncConnection, address_hash: str) -> SuppressionReason | None:
    query = sa.select(suppressions.c.reason).where(suppressions.c.address_hash == address_hash)
    reason = (await connection.execute(query)).scalar()
    return None if reason is None else SuppressionReason(reason)
