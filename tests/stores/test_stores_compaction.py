"""Issues that were sent long ago take less room, and nothing that is known of them is another."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.issue import DeliveryState, IssueCounts, IssueState
from publisher.stores.compaction import Compaction, unpacked
from publisher.stores.database import Database, micros
from publisher.stores.issues import Issues
from publisher.stores.notices import Notices
from publisher.stores.people import People
from publisher.stores.readers import Readers
from publisher.stores.schema import deliveries, issues, subscribers, variant_readers
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
    found = await asyncio.gather(*(Compaction(database, at_once=10).compact(number) for _ in range(3)))
    assert found == [True, True, True]
    assert await rows(database) == []
    async with database.read() as connection:
        [blob] = (await connection.execute(sa.select(variant_readers.c.readers))).scalars().all()
    assert list(unpacked(blob)) == readers
    assert await Issues(database, sandbox=False).counts(number) == IssueCounts(planned=101, accepted=101)


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
