"""Remembers who reads what: a newsletter's readers in pages, and which stories they have already.

Coverage is derived from deliveries and their variants (decisions 2). Issues
finished long ago are compacted: blobs of who got what take the place of the
rows (`stores.folds`).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import COVERS, IssueKind, Mention, StoryRef
from publisher.model.people import Licence, SubscriptionStatus
from publisher.model.reader import Coverage, Reader, Sent
from publisher.model.segment import Picked
from publisher.model.view import Depth
from publisher.stores.audience import CONFIRMED_AT, Audience, joined, marked, rhythm_of, zone_of
from publisher.stores.clocks import clocks_of, on, reads
from publisher.stores.database import Database, chunks, maybe_moment, moment
from publisher.stores.folds import had_between
from publisher.stores.people_rows import choices_of, licence_of
from publisher.stores.schema import (
    deliveries,
    issues,
    licences,
    profiles,
    subscribers,
    subscriptions,
    suppressions,
    variant_stories,
    variants,
)
from publisher.stores.segments import matching

PLANNING_LOCK = 0x706C616E  # "plan": one writer of plans at a time on a PostgreSQL
MESSAGE_FORM = "message"
"""What stands where others have a form: mail that brings no story."""
_COVERS = tuple(state.value for state in COVERS)


class Readers:
    """A newsletter's readers and what they have."""

    def __init__(self, database: Database, pick: Callable[[Sequence[str]], Picked | None] = lambda _: None) -> None:
        """`pick` says who is in all of these segments, as of now."""
        self._database = database
        self._pick = pick

    async def clocks(self, newsletter: str, cadence: str, zone: str) -> list[tuple[str, str]]:
        """Returns the rhythms and zones there are among readers; `cadence` and `zone` are the newsletter's own."""
        async with self._database.read() as connection:
            return await clocks_of(connection, newsletter, cadence, zone)

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
                zone_of(zone),
                rhythm_of(cadence),
                CONFIRMED_AT.label("confirmed_at"),
                subscriptions.c.pending_since,
                profiles.c.choices,
                suppressions.c.address_hash,
            )
            .select_from(
                joined()
                .outerjoin(profiles, profiles.c.id == subscriptions.c.profile_id)
                .outerjoin(suppressions, suppressions.c.address == subscribers.c.address_key)
            )
            .where(reads(newsletter), subscriptions.c.subscriber_id > after)
            .order_by(subscriptions.c.subscriber_id)  # as its index has them: a page costs what is on it
            .limit(limit)
        )
        if clock is not None:
            query = query.where(on(clock, cadence, zone))
        if segments and (picked := self._pick(segments)):
            query = query.where(matching(self._database, picked))
        if address_key is not None:
            query = query.where(subscribers.c.address_key == address_key)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            held = await _licences(connection, [row.id for row in rows])
        return [_reader(row, held.get(row.id, ())) for row in rows]

    def audience(
        self,
        newsletter: str,
        cadence: str,
        zone: str,
        *,
        clock: tuple[str, str] | None,
        licensed_at: datetime | None,
        turns: Sequence[datetime],
        moments: Sequence[datetime],
        segments: Sequence[str] = (),
    ) -> Audience:
        """Returns a newsletter's readers by what can make a difference; `Audience` tells what is given."""
        return Audience(
            self._database,
            newsletter,
            cadence,
            zone,
            clock=clock,
            licensed_at=licensed_at,
            turns=turns,
            moments=moments,
            picked=self._pick(segments) if segments else None,
        )

    async def addresses(self, numbers: Iterable[int]) -> dict[int, str]:
        """Returns the addresses of subscribers by number; who is no more is not in it."""
        wanted = self._database.among(subscribers.c.id, "numbers")
        query = sa.select(subscribers.c.id, subscribers.c.address).where(wanted)
        async with self._database.read() as connection:
            found = await connection.execute(query, {"numbers": self._database.several(list(numbers))})
            return {row[0]: row[1] for row in found}

    async def count(self, newsletter: str, cadence: str, zone: str, *, clock: tuple[str, str] | None = None) -> int:
        """Returns how many confirmed readers there are, of all rhythms and zones or of one."""
        query = sa.select(sa.func.count()).select_from(subscriptions).where(reads(newsletter))
        if clock is not None:
            query = query.where(on(clock, cadence, zone))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def newsletters(self) -> dict[str, int]:
        """Returns the newsletters that people have, paused ones too, and how many: also those that config lacks."""
        status = subscriptions.c.status.in_([SubscriptionStatus.CONFIRMED, SubscriptionStatus.PAUSED])
        query = sa.select(subscriptions.c.newsletter, sa.func.count().label("people")).where(status)
        async with self._database.read() as connection:
            found = await connection.execute(query.group_by(subscriptions.c.newsletter).order_by("newsletter"))
            return {row.newsletter: int(row.people) for row in found}

    async def mark(self) -> int:
        """Returns a number that grows with every planned mail; none is being planned at this moment."""
        highest = sa.select(sa.func.coalesce(sa.func.max(deliveries.c.id), 0))
        if self._database.embedded:
            async with self._database.read() as connection:
                return int((await connection.execute(highest)).scalar_one())
        async with self._database.write() as connection:
            await lock_planning(self._database, connection)
            return int((await connection.execute(highest)).scalar_one())

    def history(self, articles: Iterable[int], *, sandbox: bool) -> "History":
        """Returns what went out of some articles, to be asked range by range of subscribers.

        `sandbox` says whether mail that only went to the sandbox's inbox counts.
        """
        return History(self._database, self, articles, sandbox=sandbox)

    async def coverage(
        self, articles: Iterable[int], first: int, last: int, *, sandbox: bool, planning: bool = True
    ) -> Coverage:
        """Returns what subscribers from `first` to `last` have of these articles, or are about to get.

        Who is not `planning`, but only looks, gets no mark and waits for no planner.
        """
        return await self.history(articles, sandbox=sandbox).among(first, last, planning=planning)


class History:
    """What went out of some articles, and to whom; what concerns no single range is read again when it changed."""

    def __init__(self, database: Database, readers: Readers, articles: Iterable[int], *, sandbox: bool) -> None:
        self._database = database
        self._readers = readers
        self._articles = sorted(set(articles))
        self._sandbox = sandbox
        self._seen: sa.Row[int, int, str] | None = None
        self._sent: dict[int, Sent] = {}
        self._issues: list[int] = []

    async def among(self, first: int, last: int, *, planning: bool = True) -> Coverage:
        """Returns what subscribers from `first` to `last` have, or are about to get; no `planning`: without a mark."""
        mark = await self._readers.mark() if planning else 0
        # One state of rows and blobs: whoever is moved from one to the other meanwhile would be in neither.
        async with self._database.snapshot() as connection:
            await self._look(connection)
            brought: list[tuple[int, Sequence[int]]] = []
            for some in chunks(self._issues):
                brought += await had_between(connection, some, first, last, self._sent)
                brought += await self._rows(connection, some, first, last)
        return Coverage(variants=self._sent, readers=marked(brought), mark=mark)

    async def _look(self, connection: AsyncConnection) -> None:
        """Reads which variants bring the articles, unless nothing has been planned since."""
        of = variants.c  # the number alone does not tell: SQLite gives the highest one again once it is gone
        # Not that of a message: it brings nothing, and its number is given while planners, who take turns, have not
        # committed the one before.
        brings = of.form != MESSAGE_FORM
        query = sa.select(of.id, of.issue_id, of.outcome).where(brings).order_by(of.id.desc()).limit(1)
        newest = (await connection.execute(query)).first()
        if newest is None or newest != self._seen:
            self._sent, issue_of = await _sent(connection, self._articles, sandbox=self._sandbox)
            self._issues = sorted(set(issue_of.values()))
        self._seen = newest

    async def _rows(
        self, connection: AsyncConnection, some: Sequence[int], first: int, last: int
    ) -> list[tuple[int, Sequence[int]]]:
        state = sa.func.coalesce(deliveries.c.state, "")  # SQLite would rather read all rows of an issue by their state
        query = (
            sa.select(deliveries.c.variant_id, self._database.gather(deliveries.c.subscriber_id))
            .where(deliveries.c.issue_id.in_(some), deliveries.c.subscriber_id.between(first, last), state.in_(_COVERS))
            .group_by(deliveries.c.variant_id)
        )
        found = await connection.execute(query)
        return [(variant, self._database.gathered(ids)) for variant, ids in found if variant in self._sent]


async def lock_planning(database: Database, connection: AsyncConnection) -> None:
    """Waits until no other transaction is adding planned mails; SQLite has one writer anyway."""
    await connection.run_sync(partial(lock_planning_here, database))


def lock_planning_here(database: Database, connection: sa.Connection) -> None:
    """Does so inside a transaction that is run as a whole."""
    if not database.embedded:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": PLANNING_LOCK})


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


async def _sent(
    connection: AsyncConnection, articles: Sequence[int], *, sandbox: bool
) -> tuple[dict[int, Sent], dict[int, int]]:
    """Returns the variants that brought one of the articles, with what they brought of them, and their issues."""
    newsletters: dict[int, str | None] = {}
    issue_of: dict[int, int] = {}
    stories: dict[int, list[StoryRef]] = {}
    for some in chunks(articles):
        query = (
            sa.select(variant_stories, issues.c.newsletter, issues.c.id.label("issue_id"))
            .join(variants, variants.c.id == variant_stories.c.variant_id)
            .join(issues, issues.c.id == variants.c.issue_id)
            .where(variant_stories.c.article_id.in_(some), issues.c.kind != IssueKind.MESSAGE.value)
            .where(sa.true() if sandbox else issues.c.sandbox.is_(False))
            .order_by(variant_stories.c.variant_id, variant_stories.c.position)
        )
        for row in await connection.execute(query):
            newsletters[row.variant_id] = row.newsletter
            issue_of[row.variant_id] = row.issue_id
            stories.setdefault(row.variant_id, []).append(story_ref(row))
    sent = {variant: Sent(newsletter=newsletters[variant], stories=tuple(refs)) for variant, refs in stories.items()}
    return sent, issue_of


def story_ref(row: Any) -> StoryRef:
    """Returns a story as a row of a variant's stories holds it."""
    return StoryRef(article=row.article_id, version=row.version, depth=Depth(row.depth), mention=Mention(row.mention))
