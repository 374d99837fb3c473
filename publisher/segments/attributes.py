"""What is known of a person beside name and language: plain keys, and values that JSON can hold."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from publisher.errors import UsageError

_KEY = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_NOT_PLAIN = re.compile(r"[^\w-]+")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?")
"""A number that loses nothing by being one: 007 and +49 are texts."""
_LONGEST_TEXT = 2000
_LARGEST_NUMBER = 2**53
"""Beyond it numbers are not exact everywhere."""
_LARGEST = 16_000
"""Characters of all attributes of a person as JSON."""


def plain_key(text: str) -> str:
    """Returns a column's or foreign key's name as a condition can say it: `ZIP Code` is `zip_code`; "" for none."""
    return _NOT_PLAIN.sub("_", text.strip().lower()).strip("_-")[:80].rstrip("_-")


def parse_attribute(text: str) -> Any:
    """Returns a cell's value: true, false, a number, a JSON list or quoted text as what they are, else the text."""
    text = text.strip()
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if text[:1] in ("[", '"'):
        try:
            return plain(json.loads(text))
        except (ValueError, RecursionError):
            return plain(text)
    return plain(text)


def parse_attributes(text: str) -> dict[str, Any]:
    """Returns the attributes of a JSON object; UsageError when it is none."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"the attributes are not JSON: {error}") from error
    except RecursionError as error:
        raise UsageError("the attributes are nested too deeply") from error
    if not isinstance(value, dict):
        raise UsageError("the attributes are not a JSON object")
    return {key: known for key, known in ((plain_key(k), plain(v)) for k, v in value.items()) if key}


def plain(value: Any, depth: int = 0) -> Any:
    """Returns a JSON value with plain keys and nothing that a database refuses; UsageError when nested too deeply."""
    if depth > 5:
        raise UsageError("the attributes are nested too deeply")
    if isinstance(value, dict):
        return {plain_key(str(key)): plain(each, depth + 1) for key, each in value.items() if plain_key(str(key))}
    if isinstance(value, list):
        return [plain(each, depth + 1) for each in value]
    if isinstance(value, str):
        return "".join(c for c in value if c.isprintable() or c in "\n\t")[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        return str(value)
    return value


def given_attribute(word: str) -> tuple[str, Any]:
    """Returns key and value of `key=value`; the value is None for `key=`: it is to be forgotten."""
    key, equals, text = word.partition("=")
    key = key.strip().removeprefix("attributes.")
    if not equals or not _KEY.fullmatch(key):
        raise UsageError(f"{word!r} is not key=value; a key is letters, digits, - and _, such as city=Izmir")
    return plain_key(key), parse_attribute(text) if text.strip() else None


def merged(had: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is known after something was said: None forgets a key."""
    after = {key: value for key, value in {**had, **given}.items() if value is not None}
    return dict(sorted(after.items()))


def judge(attributes: Mapping[str, Any]) -> None:
    """Checks what is said at once of one person; UsageError when it is too much."""
    if len(json.dumps(attributes)) > _LARGEST:
        raise UsageError(f"more than {_LARGEST} characters of attributes are too many for one person")
