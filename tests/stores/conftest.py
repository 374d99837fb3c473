"""The store's tests run on both databases: a SQLite file and a real PostgreSQL of their own."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from publisher.stores.database import Database
from publisher.stores.schema import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Which of the two databases this run of the test is about."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_postgresql(postgresql_server: str, migrated_postgresql: str) -> str:
    """The URL of a database with every table, shared by the tests of stores: each empties it first."""
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE shared TEMPLATE migrated")
    return migrated_postgresql.replace("/migrated?", "/shared?")


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL (relative to `tmp_path`) of an empty database with every table."""
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "publisher.db")
        return "sqlite:///publisher.db"
    url: str = request.getfixturevalue("shared_postgresql")
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
