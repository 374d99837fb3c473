"""Issues that were sent long ago take less room, and nothing that is known of them is another."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.errors import StoreError
from publisher.model.issue import DeliveryState, IssueCounts, IssueState
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database, micros
from publisher.stores.folds import SPAN, counts_of, packed, span_of, unpacked, variant_of
from publisher.stores.issues import Issues
from publisher.stores.notices import Notices
from publisher.stores.pace import Pace
from publisher.stores.people import People
from publisher.stores.readers import Readers
from publisher.stores.schema import deliveries, issue_readers, issues, subscribers, variants
from stores.test_stores_issues import issued, people, set_state

NOW = datetime(2026, 10, 19, 5, tzinfo=UTC)
WEEK = timedelta(days=7)


async def sent(database: Database, readers: list[int], story: int, period: str, at: datetime = NOW) -> int:
    """Sends a story to readers, to its end."""
    number = await issued(database, readers, (story, 1), period=period)
    await set_state(database, number, DeliveryState.ACCEPTED)
    await finish(database, number, IssueState.DONE, at)
    return number


async def finish(database: Database, number: int, state: IssueState, at: datetime = NOW) -> None:
    values = {"state": state.value, "finished_at": micros(at)}
    async with database.write() as connection:
        await connection.execute(issues.update().where(issues.c.id == number).values(values))


async def rows(database: Database) -> list[tuple[int, int]]:
    query = sa.select(deliveries.c.issue_id, deliveries.c.subscriber_id).order_by(deliveries.c.id)
    async with database.read() as connection:
        return [(issue, reader) for issue, reader in await connection.execute(query)]


async def test_what_ended_a_week_ago_is_ripe_but_for_the_newest(database: Database) -> None:
    """Not what is still sent, not what ended lately, nothing twice; and never the newest row of all."""
    readers = await people(database, 3)
    old = await sent(database, readers, 1, "daily:1")
    doubtful = await issued(database, readers, (2, 1), period="daily:2")
    await set_state(database, doubtful, DeliveryState.ACCEPTED)
    await set_state(database, doubtful, DeliveryState.UNCERTAIN, readers[:1])
    await finish(database, doubtful, IssueState.DONE_WITH_UNCERTAIN)
    await sent(database, readers, 3, "daily:3", NOW + WEEK)
    await issued(database, readers, (4, 1), period="daily:4")
    newest = await sent(database, readers, 5, "daily:5")
    compaction = Compaction(database)
    assert await compaction.ripe(NOW - timedelta(seconds=1)) == []
    assert await compaction.ripe(NOW) == [old, doubtful]
    for number in (old, doubtful):
        assert await compaction.compact(number)
    assert await compaction.ripe(NOW) == []
    left = await rows(database)
    assert [reader for issue, reader in left if issue in (old, doubtful)] == readers[:1]
    before = await Readers(database).mark()
    fresh = await issued(database, readers, (6, 1), period="daily:6")
    async with database.read() as connection:
        first = await connection.scalar(sa.select(sa.func.min(deliveries.c.id)).where(deliveries.c.issue_id == fresh))
    assert first > before, "a planner tells by the number what is new"
    assert await compaction.ripe(NOW) == [newest]


async def test_a_large_issue_is_folded_piece_by_piece_and_by_several_at_once(database: Database) -> None:
    readers = await people(database, 101)
    number = await sent(database, readers, 1, "daily:1")
    paces = [Pace(rows=10, least=10, most=10) for _ in range(3)]
    found = await asyncio.gather(*(Compaction(database, pace).compact(number) for pace in paces))
    assert found == [True, True, True]
    assert await rows(database) == []
    async with database.read() as connection:
        row = (await connection.execute(sa.select(issue_readers))).one()
        variant = await connection.scalar(sa.select(variants.c.id))
    assert {key: list(ids) for key, ids in unpacked(row.span, row.readers).items()} == {variant: readers}
    assert row.number == 101
    assert await Issues(database, sandbox=False).counts(number) == IssueCounts(planned=101, accepted=101)


async def test_folding_that_is_cut_short_leaves_everybody_in_one_place_and_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any statement of any step: each reader has a row or is in a blob, never both, never neither."""
    readers = await people(database, 23)
    number = await sent(database, readers, 1, "daily:1")
    everybody = set((await Readers(database).coverage([1], 0, readers[-1], sandbox=False)).readers)
    assert everybody == set(readers)
    execute, left = AsyncConnection.execute, 0

    async def mortal(self: AsyncConnection, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        if self.sync_connection is not None and str(arguments[0]).split()[0] in ("DELETE", "INSERT"):
            left -= 1
            if left < 0:
                raise asyncio.CancelledError
        return await execute(self, *arguments, **options)

    for lives in range(12):
        left = lives % 4
        with monkeypatch.context() as patched:
            patched.setattr(AsyncConnection, "execute", mortal)
            try:
                done = await Compaction(database, Pace(rows=5, least=5, most=5)).compact(number)
            except asyncio.CancelledError:
                done = False
        standing = [reader for _, reader in await rows(database)]
        async with database.read() as connection:
            blobs = (await connection.execute(sa.select(issue_readers))).all()
        kept = [reader for row in blobs for ids in unpacked(row.span, row.readers).values() for reader in ids]
        assert sorted(standing + kept) == readers
        assert sum(row.number for row in blobs) == len(kept)
        if done:
            break
    assert standing == []
    assert await Issues(database, sandbox=False).counts(number) == IssueCounts(planned=23, accepted=23)


@pytest.mark.parametrize(
    ("span", "brought"),
    [
        (0, {}),
        (0, {1: [1]}),
        (0, {9: [0, SPAN - 1], 2**40: [5]}),
        (3, {n: list(range(3 * SPAN + n, 4 * SPAN, 350)) for n in range(350)}),
        (2**31 // SPAN - 1, {7: [2**31 - 1]}),
    ],
)
def test_what_is_folded_comes_back(span: int, brought: dict[int, list[int]]) -> None:
    blob = packed(brought)
    assert {variant: list(ids) for variant, ids in unpacked(span, blob).items()} == brought
    assert counts_of(blob) == {variant: len(ids) for variant, ids in brought.items()}
    for variant, ids in brought.items():
        assert span_of(ids[0]) == span
        assert {variant_of(reader, blob) for reader in ids} == {variant}
        assert list(unpacked(span, blob, {variant})) == [variant]
    assert variant_of(span * SPAN + 17, packed({1: [span * SPAN + 16, span * SPAN + 18]})) is None
    before = import_module("publisher.stores.migrations.versions.0018_folds")
    assert before._packed({variant: [reader % SPAN for reader in ids] for variant, ids in brought.items()}) == blob


@pytest.mark.parametrize(
    "blob", [b"", b"x", b"\x01\x00nonsense", packed({1: [2]})[:-3], b"\x09\x00" + packed({1: [2]})[2:]]
)
def test_what_is_damaged_says_what_to_do(blob: bytes) -> None:
    for read in (partial(variant_of, 2), partial(unpacked, 0), counts_of):
        with pytest.raises(StoreError, match="restore a backup"):
            read(blob)


async def test_readers_of_several_spans_are_found_in_each(database: Database) -> None:
    """Whoever asks of one, or of a range across a border, gets exactly those."""
    far = SPAN * 3
    async with database.write() as connection:
        for number in (SPAN - 1, SPAN, far):
            person = {"id": number, "address": f"a{number}", "address_key": f"a{number}", "language": "en"}
            await connection.execute(subscribers.insert().values(**person, created_at=0))
    issue = await sent(database, [SPAN - 1, SPAN, far], 1, "daily:1")
    await sent(database, [far], 2, "daily:2")
    assert await Compaction(database).compact(issue)
    those = Readers(database)
    for first, last, expected in [
        (0, 2 * far, {SPAN - 1, SPAN, far}),
        (SPAN - 1, SPAN, {SPAN - 1, SPAN}),
        (SPAN, SPAN, {SPAN}),
        (SPAN + 1, far - 1, set[int]()),
    ]:
        assert set((await those.coverage([1], first, last, sandbox=False)).readers) == expected
    told = [found async for found in Notices(database, sandbox=False, page=SPAN).holders(1)]
    assert [holder.number for found in told for holder in found.holders] == [SPAN - 1, SPAN, far]


async def test_who_is_folded_while_readers_are_looked_at_is_still_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes from the rows into a blob between two looks is in one of them: coverage, and who is told."""
    readers = await people(database, 6)
    first = await sent(database, readers, 1, "daily:1")
    second = await sent(database, readers[:3], 1, "daily:2")
    history = Readers(database).history([1], sandbox=False)
    assert set((await history.among(1, readers[2])).readers) == set(readers[:3])
    held = [range_ async for range_ in Notices(database, sandbox=False).holders(1)]
    looked = Notices._rows
    waiting = [first, second]

    async def folded(self: Notices, *arguments: Any) -> Any:
        if waiting:
            assert await Compaction(database).compact(waiting.pop())
        return await looked(self, *arguments)

    monkeypatch.setattr(Notices, "_rows", folded)
    told = [range_ async for range_ in Notices(database, sandbox=False).holders(1)]
    assert [found.holders for found in told] == [found.holders for found in held]
    assert await Compaction(database).compact(first)
    assert set((await history.among(1, readers[-1])).readers) == set(readers)


async def test_what_was_folded_in_the_middle_of_a_look_is_seen_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and blobs are looked at in one state of the database."""
    readers = await people(database, 4)
    number = await sent(database, readers, 1, "daily:1")
    history = Readers(database).history([1], sandbox=False)
    look = type(history)._look

    async def then_folded(self: Any, connection: AsyncConnection) -> None:
        await look(self, connection)
        assert await Compaction(database).compact(number)

    monkeypatch.setattr(type(history), "_look", then_folded)
    found = await history.among(1, readers[-1])
    assert {reader: len(brought) for reader, brought in found.readers.items()} == dict.fromkeys(readers, 1)


async def test_who_comes_after_an_erased_reader_is_somebody_else(database: Database) -> None:
    """No number is given again: who was erased is in blobs by it, and old links name it."""
    readers = await people(database, 3)
    number = await sent(database, readers, 1, "daily:1")
    await sent(database, readers[:1], 2, "daily:2")
    assert await Compaction(database).compact(number)
    assert await People(database).erase("r2@x.org", "hash", "command", NOW)
    async with database.write() as connection:
        values = {"address": "new@x.org", "address_key": "new@x.org", "language": "en", "created_at": 0}
        row = await connection.execute(subscribers.insert().values(values).returning(subscribers.c.id))
        fresh = row.scalar_one()
    assert fresh > readers[-1]
    assert await Issues(database, sandbox=False).counts(number) == IssueCounts(planned=3, accepted=3)
    covered = await Readers(database).coverage([1], fresh, fresh, sandbox=False)
    assert covered.readers == {}
