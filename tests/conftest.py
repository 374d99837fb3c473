"""What tests of every part share."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from publisher.stores import migrate
from publisher.stores.database import Database


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, to be copied."""
    folder = tmp_path_factory.mktemp("sqlite")

    async def migrated() -> None:
        database = Database.open("sqlite:///template.db", folder)
        await migrate.upgrade(database)
        await database.close()

    asyncio.run(migrated())
    return folder / "template.db"


@pytest.fixture
async def sqlite_database(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty SQLite database with every table, for tests that are not about the store itself."""
    shutil.copy(migrated_sqlite, tmp_path / "publisher.db")
    database = Database.open("sqlite:///publisher.db", tmp_path)
    yield database
    await database.close()
