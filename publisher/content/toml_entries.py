"""TOML front matter; its parser knows no lines, so a key's line is looked up in the text."""

import re
import tomllib

from publisher.content.entries import Entry, Table, Value
from publisher.errors import RefusedError

_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
# tomllib takes quadratic time over a key of thousands of parts.
_ENDLESS_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){30}")


def read(block: str, first_line: int) -> tuple[Entry, ...]:
    """Returns the top-level keys of a TOML document; raises RefusedError with the line of the first mistake."""
    if block.count(".") > 100 and (endless := _ENDLESS_KEY.search(block)):
        line = first_line + block.count("\n", 0, endless.start())
        raise RefusedError("TOML: a key of more than 30 parts; shorten it", line)
    try:
        document = tomllib.loads(block)
    except RecursionError as error:
        raise RefusedError("TOML: nested too deep", first_line) from error
    except ValueError as error:
        at = _AT.search(str(error))
        line = first_line + (int(at[1]) - 1 if at and at[1] else 0)
        raise RefusedError(f"TOML: {_AT.sub('', str(error))}", line) from error
    return tuple(
        Entry(key, _placed(value, key, block, first_line), _line(key, block, first_line))
        for key, value in document.items()
    )


def _placed(value: Value, key: str, block: str, first_line: int) -> Value:
    if isinstance(value, dict):
        return _table(value, _line(key, block, first_line))
    if isinstance(value, list):
        lines = [first_line + block.count("\n", 0, match.start()) for match in _headings(key, block)]
        fallback = _line(key, block, first_line)
        return [
            _table(item, lines[index] if index < len(lines) else fallback) if isinstance(item, dict) else item
            for index, item in enumerate(value)
        ]
    return value


def _table(value: dict[str, Value], line: int) -> Table:
    table = Table(line)
    table.update(value)
    return table


def _line(key: str, block: str, first_line: int) -> int:
    name = re.escape(key)
    pattern = rf"""^[ \t]*\[{{0,2}}[ \t]*["']?{name}["']?[ \t]*[=.\]]"""
    match = re.search(pattern, block, re.MULTILINE)
    return first_line + (block.count("\n", 0, match.start()) if match else 0)


def _headings(key: str, block: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"^[ \t]*\[\[[ \t]*{re.escape(key)}[ \t]*\]\]", block, re.MULTILINE))
