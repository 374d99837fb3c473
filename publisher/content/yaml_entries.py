"""YAML front matter, read from the parser's events.

Values stay as written: `language: no` is Norwegian, `slug: 007` keeps its zeros,
and dates are `times`' to read. Events carry lines, and a tree that is too deep
or full of aliases is refused before it is built.
"""

from collections.abc import Iterator

import yaml

from publisher.content.entries import Entry, Table, Value
from publisher.errors import RefusedError

_MAX_DEPTH = 10
_MAX_ALIASES = 50
_TAGS = frozenset(
    {None, "!"}
    | {f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "map", "null", "seq", "str", "timestamp")}
)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HINTS = {
    "mapping values are not allowed": "put a value that holds a colon into quotes",
    "cannot start any token": "indent with spaces, and put values that start with a sign into quotes",
    "could not find expected ':'": "write `key: value`",
    "did not find expected key": "check quotes and indentation",
}


def read(block: str, first_line: int) -> tuple[Entry, ...]:
    """Returns the top-level keys of a YAML mapping; raises RefusedError with the line of the first mistake."""
    try:
        return _Builder(yaml.parse(block, Loader=_LOADER), first_line).entries()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be read"
        hint = next((f"; {hint}" for part, hint in _HINTS.items() if part in problem), "")
        raise RefusedError(f"YAML: {problem}{hint}", first_line + (mark.line if mark else 0)) from error
    except yaml.YAMLError as error:
        raise RefusedError(f"YAML: {' '.join(str(error).split())}", first_line) from error


class _Builder:
    def __init__(self, events: Iterator[yaml.Event], first_line: int) -> None:
        self._events = events
        self._first_line = first_line
        self._anchors: dict[str, Value] = {}
        self._aliases = 0

    def entries(self) -> tuple[Entry, ...]:
        event = next(self._events)
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return ()
        if not isinstance(event, yaml.MappingStartEvent):
            raise RefusedError("the front matter is not a list of `key: value` lines", self._line(event))
        entries = tuple(self._pairs(1))
        if not isinstance(next(self._events), yaml.DocumentEndEvent):
            raise RefusedError("the front matter cannot be read", self._first_line)
        return entries

    def _pairs(self, depth: int) -> Iterator[Entry]:
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            if not isinstance(event, yaml.ScalarEvent):
                raise RefusedError("a key must be a word", self._line(event))
            yield Entry(event.value, self._value(next(self._events), depth), self._line(event))

    def _value(self, event: yaml.Event, depth: int) -> Value:
        line = self._line(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line)
        tag = getattr(event, "tag", "no value")
        if not isinstance(event, yaml.NodeEvent) or tag not in _TAGS:
            raise RefusedError(f"YAML tag {tag} is not read; write a plain value", line)
        if depth > _MAX_DEPTH:
            raise RefusedError(f"the front matter is nested deeper than {_MAX_DEPTH} levels", line)
        value: Value
        if isinstance(event, yaml.MappingStartEvent):
            value = self._table(line, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._items(depth)
        else:
            value = _scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _table(self, line: int, depth: int) -> Table:
        table = Table(line)
        for entry in self._pairs(depth + 1):
            if entry.key in table:
                raise RefusedError(f"{entry.key} is given twice; keep one", entry.line)
            table[entry.key] = entry.value
        return table

    def _items(self, depth: int) -> list[Value]:
        items: list[Value] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, depth + 1))
        return items

    def _alias(self, event: yaml.AliasEvent, line: int) -> Value:
        self._aliases += 1
        if self._aliases > _MAX_ALIASES:
            raise RefusedError(f"more than {_MAX_ALIASES} YAML aliases; write the values out", line)
        if event.anchor not in self._anchors:
            raise RefusedError(f"YAML alias *{event.anchor} stands for nothing", line)
        return self._anchors[event.anchor]

    def _line(self, event: yaml.Event) -> int:
        return self._first_line + (event.start_mark.line if event.start_mark else 0)


def _scalar(event: yaml.NodeEvent) -> str | None:
    assert isinstance(event, yaml.ScalarEvent)
    return None if event.implicit[0] and event.value in _NULLS else event.value
