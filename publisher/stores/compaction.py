"""Folds what was sent long ago: per variant one blob of sorted subscriber ids takes the place of its accepted rows.

A mail comes back within days of being accepted, and nobody asks any more what the relay said to each. Who reads rows
reads blobs as well, both in one snapshot (decisions 2).
"""

import asyncio
import struct
import zlib
from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate, pairwise

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import DeliveryState, IssueKind, IssueState
from publisher.stores.database import Database, micros
from publisher.stores.schema import deliveries, delivery_events, issues, variant_readers

_FOLDED = tuple(kind.value for kind in (IssueKind.DIGEST, IssueKind.NOTICE, IssueKind.EMBARGO))
"""Mail to one person alone would only become another row."""
_OVER = tuple(state.value for state in (IssueState.DONE, IssueState.DONE_WITH_UNCERTAIN, IssueState.CANCELLED))
_AT_ONCE = 20_000
"""Rows in one transaction: other writers wait for no longer than while mail is planned."""


class Compaction:
    """Folds issues, in as many processes as there are: each row falls to one of them."""

    def __init__(self, database: Database, at_once: int = _AT_ONCE) -> None:
        self._database = database
        self._at_once = at_once

    async def ripe(self, finished_before: datetime) -> list[int]:
        """Returns the issues to many that ended before a moment and have rows to fold, oldest first.

        Never the one with the newest row of all: SQLite would give its number again, and planners tell by it what
        is new (`Coverage.mark`).
        """
        newest = sa.select(sa.func.max(deliveries.c.id)).scalar_subquery()
        newest_issue = sa.select(deliveries.c.issue_id).where(deliveries.c.id == newest).scalar_subquery()
        query = sa.select(issues.c.id).where(
            issues.c.kind.in_(_FOLDED),
            issues.c.state.in_(_OVER),
            issues.c.finished_at <= micros(finished_before),
            issues.c.id != newest_issue,
            sa.exists().where(deliveries.c.issue_id == issues.c.id, *_DONE),
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query.order_by(issues.c.id))).scalars())

    async def compact(self, issue: int) -> bool:
        """Folds an issue's accepted deliveries that nothing came back for; False: it has not come to its end."""
        while True:
            async with self._database.write() as connection:
                # Held, so that no other process reads the blob that this one is about to replace.
                over = sa.select(issues.c.state).where(issues.c.id == issue).with_for_update()
                if (await connection.execute(over)).scalar() not in _OVER:
                    return False
                if await self._fold(connection, issue) < self._at_once:
                    return True

    async def _fold(self, connection: AsyncConnection, issue: int) -> int:
        """Moves some rows of an issue into the blobs of their variants; returns how many."""
        some = sa.select(deliveries.c.id).where(deliveries.c.issue_id == issue, *_DONE).limit(self._at_once)
        gone = deliveries.delete().where(deliveries.c.id.in_(some))
        found: dict[int, list[int]] = {}
        for variant, reader in await connection.execute(
            gone.returning(deliveries.c.variant_id, deliveries.c.subscriber_id)
        ):
            found.setdefault(variant, []).append(reader)
        for variant, readers in found.items():
            before = sa.select(variant_readers.c.readers).where(variant_readers.c.variant_id == variant)
            blob = await asyncio.to_thread(_with, (await connection.execute(before)).scalar(), readers)
            statement = self._database.insert(variant_readers).values(variant_id=variant, readers=blob)
            replaced = {"readers": statement.excluded.readers}
            await connection.execute(statement.on_conflict_do_update(index_elements=["variant_id"], set_=replaced))
        return sum(map(len, found.values()))


_DONE = (
    deliveries.c.state == DeliveryState.ACCEPTED.value,
    ~sa.exists().where(delivery_events.c.delivery_id == deliveries.c.id),
)
"""Rows of which nothing but the reader is remembered; one that something came back for stays with its report."""


async def sealed(connection: AsyncConnection, since: int = 0) -> tuple[int, int]:
    """Returns what is another as soon as more of the variants from `since` on is folded."""
    size = sa.func.coalesce(sa.func.sum(sa.func.length(variant_readers.c.readers)), 0)
    query = sa.select(sa.func.count(), size).where(variant_readers.c.variant_id >= since)
    count, octets = (await connection.execute(query)).one()
    return count, octets


def _with(blob: bytes | None, readers: Iterable[int]) -> bytes:
    return packed(sorted({*readers, *(unpacked(blob) if blob else ())}))


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
