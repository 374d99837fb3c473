"""Copies what planning needs into a database of its own, so that days to come can be played and thrown away."""

from pathlib import Path

import sqlalchemy as sa

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

_LEFT_OUT = {
    table.name
    for table in (boots, consents, delivery_events, lanes, outputs, relays, report_tallies, send_requests, signups)
}
"""What no plan depends on."""
_ROWS = 5000


async def copied(database: Database, folder: Path) -> Database:
    """Returns an open copy in a file below `folder`; it need not outlive the process, so nothing waits for the disk."""
    copy = Database.open("sqlite:///copy.db", folder, durable=False)
    async with copy.restructure() as there, database.snapshot() as here:
        await there.run_sync(metadata.create_all)
        for table in metadata.sorted_tables:
            if table.name not in _LEFT_OUT:
                async with here.stream(sa.select(table)) as rows:
                    async for some in rows.mappings().partitions(_ROWS):
                        await there.execute(sa.insert(table), [dict(row) for row in some])
    return copy
