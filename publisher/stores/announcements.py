"""Remembers what hubs were told of: whose bytes are others now is still to be announced."""

import sqlalchemy as sa

from publisher.stores.database import Database, chunks
from publisher.stores.schema import announcements, outputs


class Announcements:
    """Feeds in public/ beside what each hub has heard of them."""

    def __init__(self, database: Database, home: str = "") -> None:
        """`home`: whose public/ is announced; what a node that is no more left there must not be, again and again."""
        self._database = database
        self._home = home

    async def knows(self, hub: str) -> bool:
        """Returns whether a hub was ever told of anything."""
        query = sa.select(announcements.c.hub).where(announcements.c.hub == hub).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None

    async def unheard(self, hub: str) -> dict[str, str]:
        """Returns the files of feeds that are not as the hub was told, each with the hash of its bytes."""
        told = sa.and_(announcements.c.path == outputs.c.path, announcements.c.hub == hub)
        query = (
            sa.select(outputs.c.path, outputs.c.content_hash)
            .select_from(outputs.outerjoin(announcements, told))
            .where(
                outputs.c.home == self._home,
                sa.or_(outputs.c.path.startswith("feeds/"), outputs.c.path.endswith(".atom")),
                outputs.c.path.not_like("%/archive/%"),
                outputs.c.content_hash != "",  # those that are just about to be replaced
                sa.or_(announcements.c.content_hash.is_(None), announcements.c.content_hash != outputs.c.content_hash),
            )
            .order_by(outputs.c.path)
        )
        async with self._database.read() as connection:
            return {row.path: row.content_hash for row in await connection.execute(query)}

    async def save(self, hub: str, heard: dict[str, str]) -> None:
        """Remembers what a hub was told of: bytes by their hash."""
        rows = [{"hub": hub, "path": path, "content_hash": mark} for path, mark in heard.items()]
        statement = self._database.insert(announcements)
        statement = statement.on_conflict_do_update(
            index_elements=["hub", "path"], set_={"content_hash": statement.excluded.content_hash}
        )
        async with self._database.write() as connection:
            for some in chunks(rows):
                await connection.execute(statement, some)
