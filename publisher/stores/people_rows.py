"""People as rows, and the statements that more than one of their stores makes."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.choices import AS_IT_COMES, Choices, Form, Wish
from publisher.model.issue import MAY_GO
from publisher.model.people import (
    Consent,
    ConsentEvent,
    Enrolment,
    Licence,
    Person,
    Proof,
    SignUp,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    Suppression,
    SuppressionReason,
    Terms,
)
from publisher.segments import merged
from publisher.stores.clocks import keep_clocks
from publisher.stores.database import Database, chunks, maybe_micros, maybe_moment, micros, moment
from publisher.stores.schema import consents, deliveries, issues, licences, profiles, subscribers, subscriptions

IN_DOUBT = 0
"""The moment that says of a delivery that its contents are to be decided anew."""
_SIGNUP_LASTS = timedelta(hours=72)
_names = msgspec.json.Decoder(tuple[str, ...])
_attributes = msgspec.json.Decoder(dict[str, Any])


async def record(
    connection: AsyncConnection,
    subscriber: int,
    newsletters: Sequence[str],
    event: ConsentEvent,
    proof: Proof,
    now: datetime,
) -> None:
    """Adds evidence, one row per newsletter."""
    if newsletters:
        said = [new_consent(subscriber, name, event, proof, now) for name in newsletters]
        await connection.execute(sa.insert(consents), said)


async def describe(
    connection: AsyncConnection,
    subscriber: int,
    name: str | None,
    language: str | None,
    timezone: str | None,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Changes what is known of a person; None leaves it, an empty time zone is the newsletter's."""
    given: dict[str, Any] = {key: value for key, value in (("name", name), ("language", language)) if value is not None}
    if timezone is not None:
        given["timezone"] = timezone or None
    if attributes is not None:
        given["attributes"] = json.dumps(attributes)
    if given:
        await connection.execute(sa.update(subscribers).where(subscribers.c.id == subscriber).values(given))
    if timezone is not None:
        await keep_clocks(connection, [subscriber])


async def people_of(database: Database, connection: AsyncConnection, rows: Sequence[sa.Row[Any]]) -> list[Person]:
    """Returns the people of these rows of subscribers, in their order, with what they get and may read."""
    numbers = [row.id for row in rows]
    if not numbers:
        return []
    table = subscriptions.c
    query = (
        sa.select(subscriptions, profiles.c.choices)
        .outerjoin(profiles, profiles.c.id == table.profile_id)
        .where(database.among(table.subscriber_id, "numbers"))
        .order_by(table.subscriber_id, table.newsletter)
    )
    subscribed: dict[int, list[Subscription]] = {}
    for row in (await connection.execute(query, {"numbers": database.several(numbers)})).all():
        subscribed.setdefault(row.subscriber_id, []).append(subscription_of(row))
    licensed = await licences_of(database, connection, numbers)
    return [
        Person(
            subscriber=subscriber_of(row),
            subscriptions=tuple(subscribed.get(row.id, ())),
            licences=licensed.get(row.id, ()),
        )
        for row in rows
    ]


async def licences_of(
    database: Database, connection: AsyncConnection, numbers: Sequence[int]
) -> dict[int, tuple[Licence, ...]]:
    """Returns licences by subscriber, in the order of their products; who has none is not in it."""
    table = licences.c
    query = sa.select(licences).where(database.among(table.subscriber_id, "numbers"))
    rows = await connection.execute(
        query.order_by(table.subscriber_id, table.product), {"numbers": database.several(list(numbers))}
    )
    held = groupby(rows.all(), attrgetter("subscriber_id"))
    return {number: tuple(map(licence_of, some)) for number, some in held}


async def grant(
    database: Database,
    connection: AsyncConnection,
    subscriber: int,
    terms: Sequence[Terms],
    renew: bool,
    origin: str,
    now: datetime,
) -> bool:
    """Grants licences (`renew`: also where one had ended) and returns whether one was added or changed."""
    changed = False
    insert = database.insert(licences)
    for term in terms:
        values = new_licence(subscriber, term, origin, now)
        terms_given = {name: values[name] for name in ("active", "valid_from", "valid_until", *_more(term))}
        differs = sa.or_(*(licences.c[name].is_distinct_from(value) for name, value in terms_given.items()))
        keys = ["subscriber_id", "product"]
        conflict = (
            insert.on_conflict_do_update(index_elements=keys, set_=terms_given, where=differs)
            if renew
            else insert.on_conflict_do_nothing()
        )
        statement = conflict.values(values).returning(licences.c.id)
        changed |= (await connection.execute(statement)).first() is not None
    if changed:
        await doubt_mail_of(connection, subscriber)
    return changed


def _more(terms: Terms) -> list[str]:
    """Returns what else these terms say; what they are silent about stays as it was."""
    return [name for name in ("archive_days", "embargo_cleared") if getattr(terms, name) is not None]


def new_subscriber(enrolment: Enrolment, now: datetime) -> dict[str, Any]:
    """Returns the row of somebody new."""
    return {
        "address": enrolment.address,
        "address_key": enrolment.address_key,
        "name": enrolment.name or "",
        "language": enrolment.language or enrolment.default_language,
        "timezone": enrolment.timezone or None,
        "attributes": json.dumps(merged({}, enrolment.attributes)),
        "created_at": micros(now),
    }


def new_licence(subscriber: int, terms: Terms, origin: str, now: datetime) -> dict[str, Any]:
    """Returns the row of a licence in force."""
    return {
        "subscriber_id": subscriber,
        "product": terms.product,
        "active": True,
        "valid_from": maybe_micros(terms.valid_from),
        "valid_until": maybe_micros(terms.valid_until),
        "archive_days": terms.archive_days or None,
        "embargo_cleared": bool(terms.embargo_cleared),
        "origin": origin,
        "created_at": micros(now),
    }


def new_subscription(
    subscriber: int,
    name: str,
    status: SubscriptionStatus,
    now: datetime,
    wish: Wish = AS_IT_COMES,
    profile: int | None = None,
) -> dict[str, Any]:
    """Returns the row of a subscription with no history; `profile` is that of the choices of `wish`."""
    confirmed = status in (SubscriptionStatus.CONFIRMED, SubscriptionStatus.PAUSED)
    return {
        "subscriber_id": subscriber,
        "newsletter": name,
        "status": status,
        "cadence": wish.cadence,
        "timezone": wish.timezone,
        "profile_id": profile,
        "created_at": micros(now),
        "confirmed_at": micros(now) if confirmed else None,
        "unsubscribed_at": micros(now) if status is SubscriptionStatus.UNSUBSCRIBED else None,
        "paused_at": micros(now) if status is SubscriptionStatus.PAUSED else None,
        "paused_until": maybe_micros(wish.paused_until) if status is SubscriptionStatus.PAUSED else None,
    }


async def profile_numbers(
    database: Database, connection: AsyncConnection, wanted: Iterable[Choices]
) -> dict[Choices, int | None]:
    """Returns the profiles of choices, made where they are new; of who chose nothing there is none."""
    numbers: dict[Choices, int | None] = {}
    for choices in set(wanted):
        text = choices_text(choices)
        if text is None:
            numbers[choices] = None
            continue
        same = sa.select(profiles.c.id).where(profiles.c.choices == text)
        await connection.execute(database.insert(profiles).values(choices=text).on_conflict_do_nothing())
        numbers[choices] = int((await connection.execute(same)).scalar_one())
    return numbers


def new_signup(
    subscriber: int, newsletters: Sequence[str], network: str, now: datetime, moves_from: int | None = None
) -> dict[str, Any]:
    """Returns the row of a form that its mail's link confirms, or of a move to the address of `subscriber`."""
    return {
        "subscriber_id": subscriber,
        "newsletters": msgspec.json.encode(newsletters).decode(),
        "requested_at": micros(now),
        "expires_at": micros(now + _SIGNUP_LASTS),
        "network": network,
        "moves_from": moves_from,
    }


def new_consent(subscriber: int, newsletter: str, event: ConsentEvent, proof: Proof, now: datetime) -> dict[str, Any]:
    """Returns one row of evidence."""
    return {
        "subscriber_id": subscriber,
        "newsletter": newsletter,
        "event": event,
        "at": micros(now),
        "origin": proof.origin,
        "evidence": proof.evidence,
        "given_at": maybe_micros(proof.given_at),
    }


def subscriber_of(row: sa.Row[Any]) -> Subscriber:
    """Returns the subscriber of a row."""
    return Subscriber(
        number=row.id,
        address=row.address,
        name=row.name,
        language=row.language,
        timezone=row.timezone,
        token_generation=row.token_generation,
        attributes=_attributes.decode(row.attributes),
        created_at=moment(row.created_at),
    )


def subscription_of(row: sa.Row[Any]) -> Subscription:
    """Returns the subscription of a row."""
    return Subscription(
        subscriber=row.subscriber_id,
        newsletter=row.newsletter,
        status=SubscriptionStatus(row.status),
        confirmed_at=maybe_moment(row.confirmed_at),
        cadence=row.cadence,
        timezone=row.timezone,
        choices=choices_of(row.choices),
        paused_at=maybe_moment(row.paused_at),
        paused_until=maybe_moment(row.paused_until),
        pending_since=maybe_moment(row.pending_since),
        created_at=moment(row.created_at),
    )


def in_force(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a licence is in force at `now`, as `editorial.access.in_force` says of one that was read."""
    held = licences.c
    return sa.and_(
        held.active,
        sa.or_(held.valid_from.is_(None), held.valid_from <= micros(now)),
        sa.or_(held.valid_until.is_(None), held.valid_until > micros(now)),
    )


class _ChoicesRow(msgspec.Struct, omit_defaults=True):
    """A profile's canonical JSON: what is not chosen is not in it, so that equal choices are equal texts."""

    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    urgency_max: int | None = None
    form: Form = Form.FULL


_choices_row = msgspec.json.Decoder(_ChoicesRow)
_ALL = Choices()


@lru_cache(maxsize=4096)
def choices_of(text: str | None) -> Choices:
    """Returns the choices of a profile; None: nothing was chosen."""
    return _ALL if text is None else Choices(**msgspec.structs.asdict(_choices_row.decode(text)))


def choices_text(choices: Choices) -> str | None:
    """Returns choices as a profile says them; None: nothing was chosen."""
    if choices == _ALL:
        return None
    row = _ChoicesRow(choices.sections, choices.tags, choices.languages, choices.urgency_max, choices.form)
    return msgspec.json.encode(row).decode()


def licence_of(row: sa.Row[Any]) -> Licence:
    """Returns the licence of a row."""
    return Licence(
        subscriber=row.subscriber_id,
        product=row.product,
        active=row.active,
        valid_from=maybe_moment(row.valid_from),
        valid_until=maybe_moment(row.valid_until),
        archive_days=row.archive_days,
        embargo_cleared=row.embargo_cleared,
    )


def consent_of(row: sa.Row[Any]) -> Consent:
    """Returns the evidence of a row."""
    return Consent(
        newsletter=row.newsletter,
        event=ConsentEvent(row.event),
        at=moment(row.at),
        origin=row.origin,
        evidence=row.evidence,
        given_at=maybe_moment(row.given_at),
    )


def suppression_of(row: sa.Row[Any]) -> Suppression:
    """Returns the suppression of a row."""
    return Suppression(
        address_hash=row.address_hash,
        address=row.address,
        reason=SuppressionReason(row.reason),
        at=moment(row.at),
        origin=row.origin,
    )


def signup_of(row: sa.Row[Any]) -> SignUp:
    """Returns the sign-up of a row."""
    return SignUp(
        number=row.id,
        subscriber=row.subscriber_id,
        newsletters=_names.decode(row.newsletters),
        requested_at=moment(row.requested_at),
        expires_at=moment(row.expires_at),
        used_at=maybe_moment(row.used_at),
        moves_from=row.moves_from,
        agreed_at=maybe_moment(row.agreed_at),
    )


async def doubt_mail_of(connection: AsyncConnection, subscriber: int) -> None:
    """Has what may still be sent to somebody decided anew: their licences are others now (decisions 1)."""
    await connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.subscriber_id == subscriber, deliveries.c.state.in_(MAY_GO))
        .values(decided_at=IN_DOUBT)
    )


async def delete_people(connection: AsyncConnection, who: sa.ColumnElement[bool]) -> int:
    """Deletes people with all that is theirs; returns how many. Issues are for that many fewer, and still balance."""
    mine = sa.select(subscribers.c.id).where(who).order_by(subscribers.c.id).with_for_update()
    numbers = (await connection.scalars(mine)).all()  # held, so that nobody plans mail to them from here on
    for some in chunks(numbers):
        theirs = deliveries.c.subscriber_id.in_(some)
        # Held before the rows are, in the order in which all others take them: who folds or ends an issue does so.
        having = issues.c.id.in_(sa.select(deliveries.c.issue_id).where(theirs))
        await connection.execute(sa.select(issues.c.id).where(having).order_by(issues.c.id).with_for_update())
        mails = await connection.scalars(sa.delete(deliveries).where(theirs).returning(deliveries.c.issue_id))
        for issue, many in sorted(Counter(mails).items()):
            fewer = {"expected": issues.c.expected - many}
            await connection.execute(sa.update(issues).where(issues.c.id == issue).values(fewer))
        await connection.execute(sa.delete(subscribers).where(subscribers.c.id.in_(some)))
    return len(numbers)
