"""Brings a database up to date; each step is done whole or not at all."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from publisher.errors import StoreError
from publisher.stores.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x7075626C6973  # "publis": one migration at a time on a PostgreSQL


def head_revision() -> str:
    """Returns the revision that this program works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


async def current_revision(database: Database) -> str | None:
    """Returns the revision of the database, None when it is empty."""
    async with database.read() as connection:
        return await connection.run_sync(_revision)


async def upgrade(database: Database) -> bool:
    """Migrates to `head_revision()`; returns whether there was anything to do. StoreError: the database is newer."""
    if await current_revision(database) == head_revision():
        return False
    async with database.restructure() as connection:
        if not database.embedded:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        return await connection.run_sync(_upgrade)


async def require_current(database: Database) -> None:
    """Raises a StoreError that says what to do unless the database has exactly this program's revision."""
    current = await current_revision(database)
    _refuse_unknown(current)
    if current != head_revision():
        raise StoreError("the database is not up to date with this program; run: publisher migrate")


def _upgrade(connection: sa.Connection) -> bool:
    current = _revision(connection)
    _refuse_unknown(current)
    if current == head_revision():
        return False
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return True


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_unknown(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            f"the database was made by a newer publisher (its revision is {current}, this program knows up to "
            f"{head_revision()}); install the newer version, or restore a backup from before"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
