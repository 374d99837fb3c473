"""Statements that run with every message: compiled once, then run by the driver alone."""

from collections.abc import Callable, Mapping, Sequence
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
        text, parameters = self._prepared
        cursor.execute(text, parameters(values))
        rows: list[Any] = cursor.fetchall()
        return rows

    def run_each(self, cursor: Any, values: Sequence[Mapping[str, object]]) -> None:
        """Runs it once with each of the values; nothing is returned."""
        text, parameters = self._prepared
        cursor.executemany(text, list(map(parameters, values)))

    @cached_property
    def _prepared(self) -> tuple[str, Callable[[Mapping[str, object]], Sequence[object]]]:
        """Returns the text, and what puts values and constants in their places, in the driver's own types.

        Places are numbered: a driver that looks each one up by its name does so again for every row.
        """
        compiled = self._statement.compile(dialect=self._database.dialect)
        assert isinstance(compiled, SQLCompiler)
        names = compiled.positiontup or []
        bound = {name: parameter for parameter, name in compiled.bind_names.items() if not parameter.required}
        constants = {name: _plain(parameter.value) for name, parameter in bound.items()}

        def parameters(values: Mapping[str, object]) -> Sequence[object]:
            known = {**constants, **values}
            return [known[name] for name in names]

        return str(compiled), parameters


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value
