"""Statements that run with every message: compiled once, then run by the driver alone."""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from publisher.stores.database import Database


def one_of(column: sa.ColumnElement[Any], values: Sequence[str] | frozenset[str]) -> sa.ColumnElement[bool]:
    """Returns whether a column is one of a few constants; an IN is not written out before it is executed."""
    return sa.or_(*(column == value for value in sorted(values)))


class Compiled:
    """A statement and its constants; what it returns and takes is what the driver does, no type converts it.

    SQLAlchemy's own way costs as much as SQLite needs for the whole transaction.
    """

    def __init__(self, database: Database, statement: sa.ClauseElement) -> None:
        self._database = database
        self._statement = statement

    def run(self, cursor: Any, values: Mapping[str, object]) -> list[Any]:
        """Returns all rows, as tuples."""
        text, constants = self._prepared
        cursor.execute(text, {**constants, **values})
        rows: list[Any] = cursor.fetchall()
        return rows

    def run_each(self, cursor: Any, values: Sequence[Mapping[str, object]]) -> None:
        """Runs it once with each of the values; nothing is returned."""
        text, constants = self._prepared
        cursor.executemany(text, [{**constants, **each} for each in values])

    @cached_property
    def _prepared(self) -> tuple[str, dict[str, object]]:
        """Returns the text and the constants in it, in the driver's own types."""
        compiled = self._statement.compile(dialect=self._database.dialect)
        assert isinstance(compiled, SQLCompiler)
        constants = {name: bound.value for bound, name in compiled.bind_names.items() if not bound.required}
        return str(compiled), {
            name: value.value if isinstance(value, Enum) else value for name, value in constants.items()
        }
