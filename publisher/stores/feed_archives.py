"""Remembers which stories each archive document of a feed holds: said once and never changed."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from publisher.stores.database import Database, chunks
from publisher.stores.schema import feed_archives

_numbers = msgspec.json.Decoder(tuple[int, ...])


class FeedArchiveRows:
    """The archive documents' contents, as numbers of stories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pages(self) -> dict[str, list[tuple[int, ...]]]:
        """Returns the numbers of the stories of every document in order, by feed."""
        query = sa.select(feed_archives).order_by(feed_archives.c.feed, feed_archives.c.page)
        found: dict[str, list[tuple[int, ...]]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                found.setdefault(row.feed, []).append(_numbers.decode(row.stories))
        return found

    async def add(self, feed: str, first: int, pages: Sequence[Sequence[int]]) -> bool:
        """Says what new documents hold, from number `first` on; False, and nothing, when one of them is there."""
        rows = [
            {"feed": feed, "page": page, "stories": msgspec.json.encode(list(stories)).decode()}
            for page, stories in enumerate(pages, start=first)
        ]
        try:
            async with self._database.write() as connection:
                for some in chunks(rows):
                    await connection.execute(sa.insert(feed_archives), some)
        except sa.exc.IntegrityError:
            return False
        return True
