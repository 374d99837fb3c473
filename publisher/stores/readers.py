"""Remembers who reads what: a newsletter's readers in pages, and which stories they have already.

Coverage is derived from deliveries and their variants (decisions 2). Issues
finished long ago are compacted: per variant one blob of sorted subscriber
ids takes the place of the rows.
"""

import struct
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import COVERS, DeliveryState, IssueKind, IssueState, Mention, StoryRef
from publisher.model.people import Licence, SubscriptionStatus
from publisher.model.reader import Coverage, Reader, Sent
from publisher.model.segment import Picked
from publisher.model.view import Depth
from publisher.newsletters.schedule import INSTANT
from publisher.stores.database import Database, chunks, maybe_moment, moment
from publisher.stores.people_rows import choices_of, licence_of
from publisher.stores.schema import (
    deliveries,
    delivery_events,
    issues,
    licences,
    profiles,
    subscribers,
    subscriptions,
    suppressions,
    variant_readers,
    variant_stories,
    variants,
)
from publisher.stores.segments import matching

PLANNING_LOCK = 0x706C616E  # "plan": one writer of plans at a time on a PostgreSQL
_COVERS = tuple(state.value for state in COVERS)


class Readers:
    """A newsletter's readers and what they have."""

    def __init__(self, database: Database, pick: Callable[[Sequence[str]], Picked | None] = lambda _: None) -> None:
        """`pick` says who is in all of these segments, as of now."""
        self._database = database
        self._pick = pick

    async def clocks(self, newsletter: str, cadence: str, zone: str) -> list[tuple[str, str]]:
        """Returns the rhythms and zones there are among readers; `cadence` and `zone` are the newsletter's own."""
        query = sa.select(_cadence(cadence), _zone(zone)).select_from(_joined()).where(_reads(newsletter))
        async with self._database.read() as connection:
            return [(row[0], row[1]) for row in await connection.execute(query.distinct().order_by("cadence", "zone"))]

    async def page(
        self,
        newsletter: str,
        cadence: str,
        zone: str,
        *,
        after: int = 0,
        limit: int = 20_000,
        clock: tuple[str, str] | None = None,
        address_key: str | None = None,
        segments: Sequence[str] = (),
    ) -> list[Reader]:
        """Returns at most `limit` confirmed readers by number from `after` on.

        `clock` picks a rhythm and zone; of `instant` it is all zones: a story comes out everywhere at once.
        """
        query = (
            sa.select(
                subscribers.c.id,
                subscribers.c.address,
                subscribers.c.language,
                _zone(zone),
                _cadence(cadence),
                sa.func.coalesce(subscriptions.c.confirmed_at, subscriptions.c.created_at).label("confirmed_at"),
                subscriptions.c.pending_since,
                profiles.c.choices,
                suppressions.c.address_hash,
            )
            .select_from(
                _joined()
                .outerjoin(profiles, profiles.c.id == subscriptions.c.profile_id)
                .outerjoin(suppressions, suppressions.c.address == subscribers.c.address_key)
            )
            .where(_reads(newsletter), subscribers.c.id > after)
            .order_by(subscribers.c.id)
            .limit(limit)
        )
        if clock is not None:
            query = query.where(*_on(clock, cadence, zone))
        if segments and (picked := self._pick(segments)):
            query = query.where(matching(self._database, picked))
        if address_key is not None:
            query = query.where(subscribers.c.address_key == address_key)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            held = await _licences(connection, [row.id for row in rows])
        return [_reader(row, held.get(row.id, ())) for row in rows]

    async def mark(self) -> int:
        """Returns a number that grows with every planned mail; none is being planned at this moment."""
        highest = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.id), 0))
        if self._database.embedded:
            async with self._database.read() as connection:
                return int((await connection.execute(highest)).scalar_one())
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            return int((await connection.execute(highest)).scalar_one())

    async def coverage(
        self, articles: Iterable[int], first: int, last: int, *, sandbox: bool, planning: bool = True
    ) -> Coverage:
        """Returns what subscribers from `first` to `last` have of these articles, or are about to get.

        `sandbox` says whether mail that only went to the sandbox's inbox counts. Who is not `planning`, but only
        looks, gets no mark and waits for no planner.
        """
        mark = await self.mark() if planning else 0
        async with self._database.read() as connection:
            sent = await _sent(connection, sorted(set(articles)), sandbox=sandbox)
            readers: dict[int, set[int]] = {}
            for some in chunks(sorted(sent)):
                await _add_rows(connection, readers, some, first, last)
                await _add_compacted(connection, readers, some, first, last)
        return Coverage(
            variants=sent, readers={reader: frozenset(found) for reader, found in readers.items()}, mark=mark
        )

    async def compact(self, issue: int) -> bool:
        """Folds an issue's accepted deliveries into one blob per variant; False unless it is done with certainty."""
        async with self._database.write() as connection:
            state = (await connection.execute(sa.select(issues.c.state).where(issues.c.id == issue))).scalar()
            if state != IssueState.DONE:
                return False
            ours = sa.select(variants.c.id).where(variants.c.issue_id == issue)
            for variant in (await connection.execute(ours)).scalars().all():
                await _compact(self._database, connection, variant)
        return True


async def lock_planning(database: Database, connection: AsyncConnection) -> None:
    """Waits until no other transaction is adding planned mails; SQLite has one writer anyway."""
    if not database.embedded:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": PLANNING_LOCK})


def _joined() -> sa.Join:
    return subscriptions.join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)


def _cadence(default: str) -> sa.Label[str]:
    """The rhythm of issues: what does not reach somebody at once comes with the newsletter's own."""
    return sa.func.coalesce(sa.func.nullif(subscriptions.c.cadence, INSTANT), default).label("cadence")


def _zone(default: str) -> sa.Label[str]:
    return sa.func.coalesce(subscriptions.c.timezone, subscribers.c.timezone, default).label("zone")


def _on(clock: tuple[str, str], cadence: str, zone: str) -> tuple[sa.ColumnElement[bool], ...]:
    if clock[0] == INSTANT:
        return (sa.func.coalesce(subscriptions.c.cadence, cadence) == INSTANT,)
    return _cadence(cadence) == clock[0], _zone(zone) == clock[1]


def _reads(newsletter: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        subscriptions.c.newsletter == newsletter, subscriptions.c.status == SubscriptionStatus.CONFIRMED.value
    )


def _reader(row: Any, held: tuple[Licence, ...]) -> Reader:
    chosen = choices_of(row.choices)
    return Reader(
        number=row.id,
        address=row.address,
        language=row.language,
        timezone=row.zone,
        cadence=row.cadence,
        confirmed_at=moment(row.confirmed_at),
        pending_since=maybe_moment(row.pending_since),
        choices=chosen.filter,
        form=chosen.form,
        licences=held,
        suppressed=row.address_hash is not None,
    )


async def _licences(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, tuple[Licence, ...]]:
    """Returns the licences of subscribers; `numbers` come sorted and close together."""
    if not numbers:
        return {}
    wanted = set(numbers)
    query = (
        sa.select(licences)
        .where(licences.c.subscriber_id.between(numbers[0], numbers[-1]))
        .order_by(licences.c.subscriber_id, licences.c.product)
    )
    found: dict[int, list[Licence]] = {}
    for row in await connection.execute(query):
        if row.subscriber_id in wanted:
            found.setdefault(row.subscriber_id, []).append(licence_of(row))
    return {number: tuple(held) for number, held in found.items()}


async def _sent(connection: AsyncConnection, articles: Sequence[int], *, sandbox: bool) -> dict[int, Sent]:
    """Returns the variants of issues that brought one of the articles, with what they brought of them."""
    newsletters: dict[int, str | None] = {}
    stories: dict[int, list[StoryRef]] = {}
    for some in chunks(articles):
        query = (
            sa.select(variant_stories, issues.c.newsletter)
            .join(variants, variants.c.id == variant_stories.c.variant_id)
            .join(issues, issues.c.id == variants.c.issue_id)
            .where(variant_stories.c.article_id.in_(some), issues.c.kind != IssueKind.MESSAGE.value)
            .where(sa.true() if sandbox else issues.c.sandbox.is_(False))
            .order_by(variant_stories.c.variant_id, variant_stories.c.position)
        )
        for row in await connection.execute(query):
            newsletters[row.variant_id] = row.newsletter
            stories.setdefault(row.variant_id, []).append(story_ref(row))
    return {variant: Sent(newsletter=newsletters[variant], stories=tuple(refs)) for variant, refs in stories.items()}


def story_ref(row: Any) -> StoryRef:
    """Returns a story as a row of a variant's stories holds it."""
    return StoryRef(article=row.article_id, version=row.version, depth=Depth(row.depth), mention=Mention(row.mention))


async def _add_rows(
    connection: AsyncConnection, readers: dict[int, set[int]], some: Sequence[int], first: int, last: int
) -> None:
    query = sa.select(deliveries.c.subscriber_id, deliveries.c.variant_id).where(
        deliveries.c.variant_id.in_(some),
        deliveries.c.state.in_(_COVERS),
        deliveries.c.subscriber_id.between(first, last),
    )
    for reader, variant in await connection.execute(query):
        readers.setdefault(reader, set()).add(variant)


async def _add_compacted(
    connection: AsyncConnection, readers: dict[int, set[int]], some: Sequence[int], first: int, last: int
) -> None:
    query = sa.select(variant_readers).where(variant_readers.c.variant_id.in_(some))
    for variant, blob in await connection.execute(query):
        for reader in unpacked(blob):
            if first <= reader <= last:
                readers.setdefault(reader, set()).add(variant)


async def _compact(database: Database, connection: AsyncConnection, variant: int) -> None:
    done = sa.and_(
        deliveries.c.variant_id == variant,
        deliveries.c.state == DeliveryState.ACCEPTED.value,
        ~sa.exists().where(delivery_events.c.delivery_id == deliveries.c.id),
    )
    ids = (await connection.execute(sa.select(deliveries.c.subscriber_id).where(done))).scalars().all()
    before = sa.select(variant_readers.c.readers).where(variant_readers.c.variant_id == variant)
    blob = (await connection.execute(before)).scalar()
    everybody = sorted({*ids, *(unpacked(blob) if blob else ())})
    if not everybody:
        return
    statement = database.insert(variant_readers).values(variant_id=variant, readers=packed(everybody))
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["variant_id"], set_={"readers": statement.excluded.readers})
    )
    await connection.execute(deliveries.delete().where(done))


def packed(ids: Sequence[int]) -> bytes:
    """Returns sorted subscriber ids as bytes: how many (8 bytes, little-endian), then zlib of their differences."""
    steps = array("Q", (after - before for before, after in pairwise([0, *ids])))
    return struct.pack("<Q", len(ids)) + zlib.compress(_little_endian(steps).tobytes())


def unpacked(blob: bytes) -> Iterable[int]:
    """Returns the subscriber ids of `packed`, in order."""
    steps = array("Q")
    steps.frombytes(zlib.decompress(blob[8:]))
    return accumulate(_little_endian(steps))


def packed_count(blob: bytes) -> int:
    """Returns how many ids `packed` holds, without unpacking them."""
    return int(struct.unpack_from("<Q", blob)[0])


def _little_endian(values: "array[int]") -> "array[int]":
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        values.byteswap()
    return values
