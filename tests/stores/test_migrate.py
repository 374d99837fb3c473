"""Migrations, on both databases."""

import asyncio
import struct
import sys
import zlib
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from publisher.errors import StoreError
from publisher.stores import migrate, schema
from publisher.stores.database import Database
from publisher.stores.issues import Issues
from publisher.stores.readers import Readers
from publisher.stores.schema import metadata

_COHORT = schema.cohorts.insert().values(id=1, newsletter="daily", cadence="daily 07:00", timezone="UTC", created_at=0)
_SLOT = schema.slots.insert().values(id=1, cohort_id=1, period="p", due_at=0, granted_at=0, state="granted")
_ORPHAN = schema.slots.insert().values(id=2, cohort_id=77, period="q", due_at=0, granted_at=0, state="granted")


def _tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def _until(connection: sa.Connection, revision: str) -> None:
    config = migrate._config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def _names(database: Database) -> set[str]:
    async with database.read() as connection:
        return await connection.run_sync(_tables)


async def test_migrations_make_exactly_the_schema(blank_database: Database) -> None:
    """Whoever changes schema.py also writes the revision."""

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    await migrate.upgrade(blank_database)
    async with blank_database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrated_sql_equals_create_all(tmp_path: Path) -> None:
    """SQLite keeps the very words of each table: constraints and their names are the schema's, too."""

    async def shape(database: Database) -> dict[str, list[str]]:
        def words(connection: sa.Connection) -> dict[str, list[str]]:
            inspector = sa.inspect(connection)
            return {
                table: sorted(
                    map(
                        str,
                        [
                            *((c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)),
                            inspector.get_pk_constraint(table),
                            *inspector.get_foreign_keys(table),
                            *inspector.get_unique_constraints(table),
                            *inspector.get_indexes(table),
                        ],
                    )
                )
                for table in metadata.tables
            }

        async with database.read() as connection:
            return await connection.run_sync(words)

    migrated, created = Database.open("sqlite:///a.db", tmp_path), Database.open("sqlite:///b.db", tmp_path)
    await migrate.upgrade(migrated)
    async with created.write() as connection:
        await connection.run_sync(metadata.create_all)
    assert await shape(migrated) == await shape(created)
    await migrated.close()
    await created.close()


async def test_second_upgrade_has_nothing_to_do(blank_database: Database) -> None:
    assert await migrate.current_revision(blank_database) is None
    assert await migrate.upgrade(blank_database)
    assert await migrate.current_revision(blank_database) == migrate.head_revision()
    assert not await migrate.upgrade(blank_database)


async def test_newer_database_is_refused_and_left_alone(blank_database: Database) -> None:
    await migrate.upgrade(blank_database)
    async with blank_database.write() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for work in (migrate.upgrade, migrate.require_current):
        with pytest.raises(StoreError, match=r"newer publisher \(its revision is 9999"):
            await work(blank_database)
    assert await migrate.current_revision(blank_database) == "9999"


async def test_unmigrated_database_names_the_command(blank_database: Database) -> None:
    with pytest.raises(StoreError, match="publisher migrate"):
        await migrate.require_current(blank_database)
    await migrate.upgrade(blank_database)
    await migrate.require_current(blank_database)


async def test_migration_killed_half_way_leaves_nothing_and_runs_again(
    blank_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DDL is part of the transaction in both databases, so a dead migration never happened."""
    upgrade = command.upgrade

    def dies_at_the_end(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "upgrade", dies_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        await migrate.upgrade(blank_database)
    assert await _names(blank_database) == set()
    monkeypatch.undo()
    assert await migrate.upgrade(blank_database)
    assert set(metadata.tables) < await _names(blank_database)


async def test_two_programs_migrate_at_once(blank_database_url: str, tmp_path: Path) -> None:
    """One of them does it, the other one waits and finds it done."""
    databases = [Database.open(blank_database_url, tmp_path) for _ in range(2)]
    assert sorted(await asyncio.gather(*map(migrate.upgrade, databases))) == [False, True]
    for database in databases:
        await database.close()


async def test_remaking_a_table_keeps_the_rows_that_refer_to_it(database: Database) -> None:
    """SQLite alters a table by dropping it, which would cascade were foreign keys on."""
    async with database.write() as connection:
        await connection.execute(_COHORT)
        await connection.execute(_SLOT)

    def add_column(connection: sa.Connection) -> None:
        with Operations(MigrationContext.configure(connection)).batch_alter_table("cohorts", recreate="auto") as batch:
            batch.alter_column("cadence", new_column_name="rhythm")

    try:
        async with database.restructure() as connection:
            await connection.run_sync(add_column)
        async with database.read() as connection:
            assert (await connection.execute(sa.text("SELECT count(*) FROM slots"))).scalar_one() == 1
    finally:
        async with database.restructure() as connection:
            await connection.execute(sa.text("ALTER TABLE cohorts RENAME COLUMN rhythm TO cadence"))


async def test_foreign_keys_hold_again_after_restructuring(database: Database) -> None:
    async with database.restructure():
        pass
    with pytest.raises(sa.exc.IntegrityError):
        async with database.write() as connection:
            await connection.execute(_ORPHAN)


async def test_restructuring_that_orphans_rows_is_undone(tmp_path: Path) -> None:
    database = Database.open("sqlite:///publisher.db", tmp_path)
    await migrate.upgrade(database)
    with pytest.raises(StoreError, match="slots"):
        async with database.restructure() as connection:
            await connection.execute(_ORPHAN)
    async with database.read() as connection:
        assert (await connection.execute(sa.text("SELECT count(*) FROM slots"))).scalar_one() == 0
    await database.close()


async def test_numbers_that_links_name_go_on_beyond_those_given_before(tmp_path: Path) -> None:
    """SQLite gave the last one again; nothing else about the rows changes, and theirs stay with them."""
    database = Database.open("sqlite:///publisher.db", tmp_path)

    async with database.restructure() as connection:
        await connection.run_sync(_until, "0009")
        person = {"address": "a@x.org", "address_key": "a@x.org", "language": "en", "created_at": 0}
        await connection.execute(schema.subscribers.insert().values(id=7, **person))
        signup = {"subscriber_id": 7, "newsletters": "[]", "requested_at": 0, "expires_at": 0}
        await connection.execute(schema.signups.insert().values(id=9, **signup))
    await migrate.upgrade(database)
    async with database.write() as connection:
        kept = await connection.execute(sa.select(schema.signups.c.id, schema.signups.c.subscriber_id))
        assert kept.all() == [(9, 7)]
        await connection.execute(schema.subscribers.delete())
        added = await connection.execute(schema.subscribers.insert().values(**person))
        (subscriber,) = added.inserted_primary_key
        link = {"subscriber_id": subscriber, "requested_at": 0, "expires_at": 0}
        (number,) = (await connection.execute(schema.account_links.insert().values(**link))).inserted_primary_key
        assert min(subscriber, number) > 1000
        assert (await connection.execute(sa.select(schema.signups.c.id))).all() == []
    await database.close()


async def test_what_was_folded_by_variant_is_found_by_span_and_rows_stay(blank_database: Database) -> None:
    """Who got what long ago goes from blobs of variants into those of spans; waiting rows keep all they say."""
    many = list(range(1, 20_000, 3))

    def blob(ids: list[int]) -> bytes:
        steps = array("Q", (after - before for before, after in pairwise([0, *ids])))
        if sys.byteorder == "big":
            steps.byteswap()
        return struct.pack("<Q", len(ids)) + zlib.compress(steps.tobytes())

    async with blank_database.restructure() as connection:
        await connection.run_sync(_until, "0012")
        person = {"address": "a@x.org", "address_key": "a@x.org", "language": "en", "created_at": 0}
        await connection.execute(schema.subscribers.insert().values(id=2, **person))
        for issue in (1, 2):
            about = {"kind": "digest", "newsletter": "daily", "edition": issue, "state": "done", "planned_at": 0}
            await connection.execute(schema.issues.insert().values(id=issue, **about))
        for number, (issue, ids) in enumerate([(1, many), (1, [2, 20_001]), (2, [5])], start=1):
            words = {"outcome": f"o{number}", "language": "en", "form": "full", "subject": "", "preheader": ""}
            row = {"id": number, "issue_id": issue, **words, "html": b"", "text": b""}
            await connection.execute(schema.variants.insert().values(**row))
            story = {"variant_id": number, "position": 1, "article_id": 7, "version": 1}
            await connection.execute(schema.variant_stories.insert().values(**story, depth="full", mention="story"))
            folded = sa.text("INSERT INTO variant_readers (variant_id, readers) VALUES (:variant, :readers)")
            await connection.execute(folded, {"variant": number, "readers": blob(ids)})
        waiting = {"issue_id": 2, "subscriber_id": 2, "variant_id": 3, "state": "pending", "next_at": 9, "reason": "r"}
        await connection.execute(schema.deliveries.insert().values(id=11, **waiting))
        event = {"delivery_id": 11, "kind": "complaint", "at": 0}
        await connection.execute(schema.delivery_events.insert().values(**event))
    await migrate.upgrade(blank_database)
    covered = await Readers(blank_database).coverage([7], 0, 30_000, sandbox=False)
    expected = {reader: {1} for reader in many} | {2: {2, 3}, 20_001: {2}, 5: {3}}
    assert covered.readers == expected
    assert set(covered.variants) == {1, 2, 3}
    counts = await Issues(blank_database, sandbox=False).all_counts([1, 2])
    assert [counts[issue].accepted for issue in (1, 2)] == [len(many) + 2, 1]
    async with blank_database.write() as connection:
        row = (await connection.execute(sa.select(schema.deliveries))).mappings().one()
        assert {name: row[name] for name in waiting} == waiting
        assert (await connection.execute(sa.select(schema.delivery_events.c.delivery_id))).scalars().all() == [11]
        twin = sa.insert(schema.deliveries).values(**{**waiting, "state": "accepted"})
        with pytest.raises(sa.exc.IntegrityError):
            await connection.execute(twin)
