"""Remembers people: who they are, what they asked for, what they may read, and who is never mailed."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.people import (
    Confirmation,
    ConfirmationState,
    Consent,
    ConsentEvent,
    Enrolled,
    Enrolment,
    FeedReader,
    Licence,
    Person,
    Proof,
    SignUp,
    SignUpLimits,
    Subscriber,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    Terms,
    TokenState,
)
from publisher.model.segment import Picked
from publisher.segments import merged
from publisher.stores.clocks import keep_clocks
from publisher.stores.database import Database, micros
from publisher.stores.enrolment import Enrolling
from publisher.stores.people_rows import (
    consent_of,
    delete_people,
    describe,
    doubt_mail_of,
    grant,
    licences_of,
    new_subscription,
    people_of,
    record,
    signup_of,
    subscriber_of,
    suppression_of,
)
from publisher.stores.schema import (
    confirmation_mails,
    consents,
    deliveries,
    delivery_events,
    licences,
    signups,
    subscribers,
    subscriptions,
    suppressions,
)
from publisher.stores.segments import matching


class _DryRunError(Exception):
    """Undoes the transaction that it is raised in."""


class People:
    """Subscribers, their subscriptions, licences and consents, and the suppressions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Who there is ---------------------------------------------------------------------------------------------------

    async def by_number(self, number: int) -> Subscriber | None:
        """Returns one subscriber."""
        return await self._one(subscribers.c.id == number)

    async def by_address(self, address_key: str) -> Subscriber | None:
        """Returns the subscriber with this address (`Address.key`)."""
        return await self._one(subscribers.c.address_key == address_key)

    async def by_feed_token_hash(self, token_hash: str, now: datetime) -> FeedReader | None:
        """Returns whose feed token it is, or was; None when it never was one."""
        token = subscribers.c
        query = sa.select(subscribers).where((token.token_hash == token_hash) | (token.old_token_hash == token_hash))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        if row.token_hash == token_hash:
            state = TokenState.CURRENT
        else:
            state = TokenState.GRACE if micros(now) < row.old_token_until else TokenState.GONE
        return FeedReader(subscriber=subscriber_of(row), token=state)

    async def person(self, number: int) -> Person | None:
        """Returns one subscriber with subscriptions and licences."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(subscribers).where(subscribers.c.id == number))).all()
            people = await people_of(self._database, connection, rows)
        return people[0] if people else None

    async def pages(self, size: int = 1000, *, picked: Picked | None = None) -> AsyncIterator[list[Person]]:
        """Yields everybody, or those picked, `size` at a time, oldest first; who joins meanwhile may be among them."""
        last, those = 0, sa.true() if picked is None else matching(self._database, picked)
        while True:
            query = sa.select(subscribers).where(subscribers.c.id > last, those).order_by(subscribers.c.id).limit(size)
            async with self._database.read() as connection:
                people = await people_of(self._database, connection, (await connection.execute(query)).all())
            if not people:
                return
            last = people[-1].subscriber.number
            yield people

    async def licences(self, subscriber: int) -> tuple[Licence, ...]:
        """Returns the licences of one subscriber, inactive and ended ones too (`model.people.viewer_of`)."""
        return (await self.licences_of([subscriber])).get(subscriber, ())

    async def licences_of(self, numbers: Iterable[int]) -> dict[int, tuple[Licence, ...]]:
        """Returns licences by subscriber; who has none is not in it."""
        async with self._database.read() as connection:
            return await licences_of(self._database, connection, sorted(set(numbers)))

    async def consents(self, subscriber: int) -> tuple[Consent, ...]:
        """Returns all that this person ever said yes or no to, oldest first."""
        return (await self.consents_of([subscriber])).get(subscriber, ())

    async def consents_of(self, numbers: Sequence[int]) -> dict[int, tuple[Consent, ...]]:
        """Returns all that these people ever said yes or no to, oldest first; who said nothing is not in it."""
        said: dict[int, list[Consent]] = {}
        query = sa.select(consents).where(self._database.among(consents.c.subscriber_id, "numbers"))
        async with self._database.read() as connection:
            rows = await connection.execute(
                query.order_by(consents.c.id), {"numbers": self._database.several(list(numbers))}
            )
            for row in rows.all():
                said.setdefault(row.subscriber_id, []).append(consent_of(row))
        return {number: tuple(each) for number, each in said.items()}

    # Becoming one ---------------------------------------------------------------------------------------------------

    async def enrol(
        self,
        enrolments: Sequence[Enrolment],
        feed_hash: Callable[[int, int], str],
        limits: SignUpLimits,
        now: datetime,
        *,
        dry_run: bool = False,
    ) -> list[Enrolled]:
        """Adds people, or to what they have, all in one transaction; answers in the same order.

        Never loosens an opt-out: nobody suppressed is enrolled, what somebody unsubscribed from stays so.
        `feed_hash` gives the hash of a feed token by subscriber and generation. A dry run is undone at its end.
        """
        answers: list[Enrolled] = []
        with suppress(_DryRunError):
            async with self._database.write() as connection:
                enrolling = Enrolling(self._database, connection, feed_hash, limits, now)
                answers += await enrolling.enrol(enrolments)
                if dry_run:
                    raise _DryRunError
        return answers

    async def signup(self, number: int) -> SignUp | None:
        """Returns one sign-up."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(signups).where(signups.c.id == number))).first()
        return None if row is None else signup_of(row)

    async def confirm(
        self,
        signup: int,
        newsletters: Sequence[str],
        products: Sequence[str],
        address_hash: Callable[[str], str],
        proof: Proof,
        now: datetime,
    ) -> Confirmation | None:
        """Confirms a sign-up once, with licences for `products`; None when there is none of that number.

        A licence that is there already stays as it is. Who was erased and came back is mailable again.
        """
        async with self._database.write() as connection:
            # Of two presses at once the second waits here, to find the sign-up used.
            query = sa.select(signups).where(signups.c.id == signup).with_for_update()
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            number = row.subscriber_id
            person = (await connection.execute(sa.select(subscribers).where(subscribers.c.id == number))).one()
            used = await connection.execute(
                sa.update(signups)
                .where(signups.c.id == signup, signups.c.used_at.is_(None), signups.c.expires_at > micros(now))
                .values(used_at=micros(now))
            )
            if used.rowcount:
                await self._subscribe(connection, number, newsletters, ConsentEvent.CONFIRMED, proof, now)
                await grant(
                    self._database, connection, number, [Terms(product=p) for p in products], False, proof.origin, now
                )
                await connection.execute(
                    sa.delete(suppressions).where(
                        suppressions.c.address_hash == address_hash(person.address_key),
                        suppressions.c.reason == SuppressionReason.ERASED,
                    )
                )
                state = ConfirmationState.CONFIRMED
            else:
                state = ConfirmationState.EXPIRED if row.used_at is None else ConfirmationState.ALREADY
        return Confirmation(state=state, subscriber=subscriber_of(person), newsletters=tuple(newsletters))

    # What they get --------------------------------------------------------------------------------------------------

    async def subscribe(self, subscriber: int, newsletters: Sequence[str], proof: Proof, now: datetime) -> None:
        """Confirms these subscriptions at the wish of the person, unsubscribed ones too."""
        async with self._database.write() as connection:
            if await _exists(connection, subscriber):
                event = ConsentEvent.ADDED if proof.origin == "command" else ConsentEvent.CONFIRMED
                await self._subscribe(connection, subscriber, newsletters, event, proof, now)

    async def unsubscribe(
        self, subscriber: int, newsletters: Sequence[str] | None, proof: Proof, now: datetime
    ) -> tuple[str, ...]:
        """Ends these subscriptions (None: all) and returns those that it ended now; as often as one likes."""
        async with self._database.write() as connection:
            if not await _exists(connection, subscriber):
                return ()
            if newsletters:
                await self._forget_nobody(connection, subscriber, newsletters, now)
            table = subscriptions.c
            scope = sa.true() if newsletters is None else table.newsletter.in_(newsletters)
            ended = await connection.execute(
                sa.update(subscriptions)
                .where(table.subscriber_id == subscriber, table.status != SubscriptionStatus.UNSUBSCRIBED, scope)
                .values(
                    status=SubscriptionStatus.UNSUBSCRIBED,
                    unsubscribed_at=micros(now),
                    paused_at=None,
                    paused_until=None,
                )
                .returning(table.newsletter)
            )
            names = tuple(sorted(ended.scalars()))
            await record(connection, subscriber, names, ConsentEvent.UNSUBSCRIBED, proof, now)
            return names

    async def undo_unsubscribe(
        self, subscriber: int, newsletter: str, since: datetime, proof: Proof, now: datetime
    ) -> bool:
        """Takes back an unsubscription from what was confirmed before; False when it is older than `since`."""
        table = subscriptions.c
        async with self._database.write() as connection:
            back = await connection.execute(
                sa.update(subscriptions)
                .where(
                    table.subscriber_id == subscriber,
                    table.newsletter == newsletter,
                    table.status == SubscriptionStatus.UNSUBSCRIBED,
                    table.confirmed_at.is_not(None),
                    table.unsubscribed_at >= micros(since),
                )
                .values(status=SubscriptionStatus.CONFIRMED, unsubscribed_at=None)
            )
            if back.rowcount:
                await record(connection, subscriber, [newsletter], ConsentEvent.CONFIRMED, proof, now)
            return bool(back.rowcount)

    async def describe(
        self,
        subscriber: int,
        *,
        name: str | None = None,
        language: str | None = None,
        timezone: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Changes what is known of a person; None leaves it, an empty time zone is the newsletter's.

        Attributes are added to those there are; a value of None forgets its key.
        """
        async with self._database.write() as connection:
            query = sa.select(subscribers.c.attributes).where(subscribers.c.id == subscriber).with_for_update()
            known = await connection.scalar(query) if attributes else None
            after = None if known is None else merged(json.loads(known), attributes or {})
            await describe(connection, subscriber, name, language, timezone, after)

    async def grant(
        self, subscriber: int, terms: Sequence[Terms], origin: str, now: datetime, *, renew: bool = True
    ) -> None:
        """Grants licences; `renew`: by the operator's word, so that ended and inactive ones are in force again."""
        async with self._database.write() as connection:
            await grant(self._database, connection, subscriber, terms, renew, origin, now)

    async def revoke(self, subscriber: int, products: Sequence[str], now: datetime) -> None:
        """Ends licences now: that person is the public again; one that ended before keeps its date."""
        table, at = licences.c, micros(now)
        later = sa.or_(table.valid_until.is_(None), table.valid_until > at)
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(licences)
                .where(table.subscriber_id == subscriber, table.product.in_(products), table.active)
                .values(active=False, valid_until=sa.case((later, at), else_=table.valid_until))
            )
            await doubt_mail_of(connection, subscriber)

    async def rotate_feed_token(self, subscriber: int, generation: int, token_hash: str, old_until: datetime) -> bool:
        """Moves a feed token from `generation` to the next; the old one is good until `old_until`. False: not there."""
        table = subscribers.c
        async with self._database.write() as connection:
            moved = await connection.execute(
                sa.update(subscribers)
                .where(table.id == subscriber, table.token_generation == generation)
                .values(
                    token_generation=generation + 1,
                    token_hash=token_hash,
                    old_token_hash=table.token_hash,
                    old_token_until=micros(old_until),
                )
            )
            return moved.rowcount == 1

    # Going away -----------------------------------------------------------------------------------------------------

    async def erase(self, address_key: str, address_hash: str, origin: str, now: datetime) -> bool:
        """Deletes a person; what is left is the keyed hash of the address, so that no import brings them back."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.delete(confirmation_mails).where(confirmation_mails.c.address_hash == address_hash)
            )
            deleted = await delete_people(connection, subscribers.c.address_key == address_key)
            known = await connection.execute(
                sa.update(suppressions).where(suppressions.c.address_hash == address_hash).values(address=None)
            )
            if deleted or known.rowcount:
                await self._suppress(connection, address_hash, None, SuppressionReason.ERASED, origin, now)
        await self._database.scrub()
        return bool(deleted)

    async def suppress(
        self, address_key: str, address_hash: str, reason: SuppressionReason, origin: str, now: datetime
    ) -> bool:
        """Never mails this address again; False when it was suppressed before, then the first reason stays."""
        async with self._database.write() as connection:
            return await self._suppress(connection, address_hash, address_key, reason, origin, now)

    async def suppress_all(self, entries: Sequence[Suppression], *, dry_run: bool = False) -> list[bool]:
        """Never mails these addresses again, all or none; answers in the same order whether each is new."""
        answers: list[bool] = []
        with suppress(_DryRunError):
            async with self._database.write() as connection:
                for each in entries:
                    key, reason = each.address, each.reason
                    answers.append(
                        await self._suppress(connection, each.address_hash, key, reason, each.origin, each.at)
                    )
                if dry_run:
                    raise _DryRunError
        return answers

    async def suppression(self, address_hash: str) -> Suppression | None:
        """Returns why an address is never mailed; None when it may be."""
        query = sa.select(suppressions).where(suppressions.c.address_hash == address_hash)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else suppression_of(row)

    async def unsuppress(self, address_hash: str) -> bool:
        """Lets an address be mailed again, by the operator's word; False when it was not suppressed."""
        suppressed = suppressions.c.address_hash == address_hash
        async with self._database.write() as connection:
            # What was held against the address is forgiven with it, or the next soft bounce would be the last again.
            theirs = (
                sa.select(deliveries.c.id)
                .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                .where(subscribers.c.address_key.in_(sa.select(suppressions.c.address).where(suppressed)))
            )
            await connection.execute(
                sa.update(delivery_events).where(delivery_events.c.delivery_id.in_(theirs)).values(counts=False)
            )
            gone = await connection.execute(sa.delete(suppressions).where(suppressed))
            return gone.rowcount == 1

    async def suppressions(self) -> list[Suppression]:
        """Returns who is never mailed, latest first."""
        query = sa.select(suppressions).order_by(suppressions.c.at.desc(), suppressions.c.address_hash)
        async with self._database.read() as connection:
            return [suppression_of(row) for row in await connection.execute(query)]

    # ----------------------------------------------------------------------------------------------------------------

    async def _one(self, where: sa.ColumnElement[bool]) -> Subscriber | None:
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(subscribers).where(where))).first()
        return None if row is None else subscriber_of(row)

    async def _subscribe(
        self,
        connection: AsyncConnection,
        subscriber: int,
        newsletters: Sequence[str],
        event: ConsentEvent,
        proof: Proof,
        now: datetime,
    ) -> None:
        if not newsletters:
            return
        insert = self._database.insert(subscriptions)
        rows = [new_subscription(subscriber, name, SubscriptionStatus.CONFIRMED, now) for name in newsletters]
        await connection.execute(
            insert.on_conflict_do_update(
                index_elements=["subscriber_id", "newsletter"],
                set_={
                    "status": insert.excluded.status,
                    "confirmed_at": insert.excluded.confirmed_at,
                    "unsubscribed_at": None,
                    "paused_at": None,
                    "paused_until": None,
                    "pending_since": None,
                },
                where=subscriptions.c.status != SubscriptionStatus.CONFIRMED,
            ),
            rows,
        )
        await keep_clocks(connection, [subscriber])
        await record(connection, subscriber, newsletters, event, proof, now)

    async def _forget_nobody(
        self, connection: AsyncConnection, subscriber: int, newsletters: Sequence[str], now: datetime
    ) -> None:
        """Makes a row for a newsletter that the person has none of, so that the refusal is remembered as well."""
        rows = [new_subscription(subscriber, name, SubscriptionStatus.UNCONFIRMED, now) for name in newsletters]
        await connection.execute(self._database.insert(subscriptions).on_conflict_do_nothing(), rows)
        await keep_clocks(connection, [subscriber])

    async def _suppress(
        self,
        connection: AsyncConnection,
        address_hash: str,
        address_key: str | None,
        reason: SuppressionReason,
        origin: str,
        now: datetime,
    ) -> bool:
        values = {
            "address_hash": address_hash,
            "address": address_key,
            "reason": reason,
            "at": micros(now),
            "origin": origin,
        }
        insert = self._database.insert(suppressions).values(values).on_conflict_do_nothing()
        return (await connection.execute(insert.returning(suppressions.c.address_hash))).first() is not None


async def _exists(connection: AsyncConnection, subscriber: int) -> bool:
    query = sa.select(subscribers.c.id).where(subscribers.c.id == subscriber).with_for_update()
    return (await connection.execute(query)).first() is not None
