"""What planning asks of the database grows with the ranges of readers, not with the readers."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.stores.database import Database, micros
from publisher.stores.schema import licences, profiles, slots, subscribers, subscriptions

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")
TUESDAY = at("2026-10-20 05:00")
CHOICES = [["asia"], ["economy"], ["asia", "economy"]]


def listened(database: Database) -> list[str]:
    """Returns the list to which every statement from now on is added."""
    statements: list[str] = []
    for engine in (database._readers, database._writers, database._hasty):
        sa.event.listen(engine.sync_engine, "before_cursor_execute", lambda _, __, text, *more: statements.append(text))
    return statements


async def planned(folder: Any, migrated: Any, readers: int, page: int) -> list[int]:
    """Plans two issues for readers with choices; returns how many statements each took, and its dry run before it."""
    name = f"{readers}-{page}.db"
    (folder / name).write_bytes(migrated.read_bytes())
    database = Database.open(f"sqlite:///{name}", folder)
    w = World(database, publication(newsletter("daily", "daily 07:00")), page=page)
    await w.due(MONDAY)
    then, numbers = micros(MONDAY - timedelta(days=9)), range(1, readers + 1)
    async with database.write() as connection:
        wishes = [{"id": n, "choices": f'{{"sections":{some}}}'.replace("'", '"')} for n, some in enumerate(CHOICES, 1)]
        await connection.execute(profiles.insert(), wishes)
        people = [
            {"id": n, "address": f"{n}", "address_key": f"{n}", "language": "en", "created_at": 0} for n in numbers
        ]
        await connection.execute(subscribers.insert(), people)
        reads = [
            {
                "subscriber_id": n,
                "newsletter": "daily",
                "status": "confirmed",
                "profile_id": n % 3 + 1,
                "created_at": then,
            }
            for n in numbers
        ]
        await connection.execute(subscriptions.insert(), reads)
        held = [{"subscriber_id": n, "product": "*", "origin": "test", "created_at": 0} for n in numbers]
        await connection.execute(licences.insert(), held)
    statements = listened(database)
    counts = []
    for day, slot in enumerate((SLOT, TUESDAY)):
        for section in ("asia", "economy"):
            await w.story(f"{section} {day}", slot - timedelta(hours=2), section=section)
        statements.clear()
        rehearsed = await w.previewing.rehearse("daily", slot)
        assert sum(len(share.addresses) for share in rehearsed.shares) == readers
        counts.append(len(statements))
        statements.clear()
        (issue,) = await w.planning.due(slot)
        counts.append(len(statements))
        assert issue.expected == readers
        await w.deliver()
    got = await w.issues.all_counts([1, 2])
    assert {one.accepted for one in got.values()} == {readers}
    await database.close()
    return counts


_RANGE = 20
"""Statements for each range at most: who they are, what they have, and the one that writes their rows."""


async def test_statements_do_not_grow_with_readers(tmp_path: Any, migrated_sqlite: Any) -> None:
    """Ten times the readers, the same statements; ten ranges for one, a few statements more for each."""
    few = await planned(tmp_path, migrated_sqlite, 30, 300)
    many = await planned(tmp_path, migrated_sqlite, 300, 300)
    assert many == few
    ranges = await planned(tmp_path, migrated_sqlite, 300, 30)
    assert all(more - one <= 9 * _RANGE for more, one in zip(ranges, many, strict=True))


async def test_a_slot_without_stories_reads_no_reader(sqlite_database: Database) -> None:
    """Most slots of most newsletters are such: whoever reads it, there is nothing to say."""
    w = World(sqlite_database, publication(newsletter("daily", "daily 07:00")))
    await w.reader("ada", ["daily"], MONDAY - timedelta(days=9))
    await w.due(MONDAY)
    statements = listened(sqlite_database)
    assert await w.planning.due(SLOT) == []
    async with sqlite_database.read() as connection:
        assert (await connection.scalars(sa.select(slots.c.state))).all() == ["skipped_empty"]
    assert [text for text in statements if "subscri" in text and "RECURSIVE found" not in text] == []
