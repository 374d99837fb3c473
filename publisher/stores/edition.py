"""The edition of all stories: another one at every save, so that no process writes over what it has not read."""

import uuid

import sqlalchemy as sa

from publisher.errors import StaleError
from publisher.stores.database import Database
from publisher.stores.facts import Facts
from publisher.stores.schema import facts

_FACT = "stories_edition"
_FIRST = "none"


class Edition:
    """The edition that this process knows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._facts = Facts(database)
        self.known: str | None = None

    async def present(self) -> str:
        """Returns the edition that the store has."""
        return await self._facts.get(_FACT) or _FIRST

    async def moved(self) -> bool:
        """Returns whether it is another one than this process knows."""
        return self.known is not None and await self.present() != self.known

    def turn(self, connection: sa.Connection) -> str:
        """Makes it another one, inside a transaction that saves; StaleError: it is not the one that was read."""
        connection.execute(self._database.insert(facts).values(name=_FACT, value=_FIRST).on_conflict_do_nothing())
        after = uuid.uuid4().hex
        turned = sa.update(facts).where(facts.c.name == _FACT, facts.c.value == (self.known or _FIRST))
        if connection.execute(turned.values(value=after)).rowcount != 1:
            raise StaleError("another node has just taken stories in; they are read first")
        return after
