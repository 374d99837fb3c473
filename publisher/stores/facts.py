"""Remembers single facts about the installation: when it began, under which name its ids were minted."""

import sqlalchemy as sa

from publisher.stores.database import Database
from publisher.stores.schema import facts


class Facts:
    """Named values, most of them said once for good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        """Returns a fact, or None while it has not been said."""
        found = await self._database.rows(sa.select(facts.c.value).where(facts.c.name == name))
        return found[0].value if found else None

    async def settle(self, name: str, value: str) -> str:
        """Says a fact unless it was said before; returns the one that holds."""
        statement = self._database.insert(facts).values(name=name, value=value).on_conflict_do_nothing()
        async with self._database.write() as connection:
            await connection.execute(statement)
        return await self.get(name) or value

    async def put(self, name: str, value: str) -> None:
        """Says a fact, whatever was said before."""
        statement = self._database.insert(facts).values(name=name, value=value)
        async with self._database.write() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
            )
