"""Statements that run with every message: compiled once, then run by the driver alone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from publisher.stores.database import Database


class Compiled:
    """A statement and its constants; what it returns and takes is what the driver does, no type converts it.

    SQLAlchemy's own way costs as much as SQLite needs for the whole transaction.
    """

    def __init__(self, database: Database, statement: sa.ClauseElement) -> None:
        compiled = statement.compile(dialect=database.dialect)
        assert isinstance(compiled, SQLCompiler)
        self._text = str(compiled)
        self._constants = {name: bound.value for bound, name in compiled.bind_names.items() if not bound.required}

    def run(self, connection: sa.Connection, values: Mapping[str, object]) -> list[Any]:
        """Returns the first column of every row."""
        with self._cursor(connection) as cursor:
            cursor.execute(self._text, {**self._constants, **values})
            return [first for first, *_ in cursor.fetchall()]

    def run_each(self, connection: sa.Connection, values: Sequence[Mapping[str, object]]) -> None:
        """Runs it once with each of the values."""
        with self._cursor(connection) as cursor:
            cursor.executemany(self._text, [{**self._constants, **each} for each in values])

    @contextmanager
    def _cursor(self, connection: sa.Connection) -> Iterator[Any]:
        """Gives the driver's cursor; what it raises comes as SQLAlchemy would tell it."""
        errors = connection.dialect.loaded_dbapi.Error
        try:
            with closing(connection.connection.cursor()) as cursor:
                yield cursor
        except errors as error:
            raise sa.exc.DBAPIError.instance(self._text, None, error, errors, dialect=connection.dialect) from error
