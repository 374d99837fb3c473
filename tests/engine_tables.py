"""The engine's tables, as somebody meets them who has no regard for it."""

import asyncio
import contextlib

import psycopg

from publisher.engines import jobs

_NOT_YET = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    # The engine works on its tables at the same time: of two that wait for each other the server ends either one,
    psycopg.errors.DeadlockDetected,
    # and who finds that what it was about to change has just been changed is told so.
    psycopg.errors.InternalError,
)
_PATIENCE_SECONDS = 180.0


async def done_to_the_engine(url: str, statement: str) -> None:
    """Runs a statement about the schema `{}` as soon as what it names is there and the server lets it."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while True:
                with contextlib.suppress(*_NOT_YET):
                    await connection.execute(statement.format(jobs.SCHEMA).encode())
                    return
                await asyncio.sleep(0.05)
