"""Copies what planning needs into a database of its own, so that days to come can be played and thrown away."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.stores.database import Database
from publisher.stores.schema import (
    boots,
    consents,
    delivery_events,
    lanes,
    metadata,
    outputs,
    relays,
    report_tallies,
    send_requests,
    signups,
)

_LEFT_OUT = (boots, consents, delivery_events, lanes, outputs, relays, report_tallies, send_requests, signups)
"""What no plan depends on."""
_ROWS = 5000
_FILE = "copy.db"


async def copied(database: Database, folder: Path) -> Database:
    """Returns an open copy in a file below `folder`; it need not outlive the process, so nothing waits for the disk."""
    if database.path is not None:
        await database.duplicate(folder / _FILE)
    copy = Database.open(f"sqlite:///{_FILE}", folder, durable=False)
    async with copy.restructure() as there:
        if database.path is not None:
            for table in _LEFT_OUT:
                await there.execute(sa.delete(table))
        else:
            await there.run_sync(metadata.create_all)
            await _filled(database, there)
    return copy


async def _filled(database: Database, there: AsyncConnection) -> None:
    """Copies rows out of a database that a server keeps."""
    async with database.snapshot() as here:
        for table in metadata.sorted_tables:
            if table not in _LEFT_OUT:
                async with here.stream(sa.select(table)) as rows:
                    async for some in rows.mappings().partitions(_ROWS):
                        await there.execute(sa.insert(table), [dict(row) for row in some])
