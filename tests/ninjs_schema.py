"""The rules of ninjs 3.1 for the keys that we write, as a JSON Schema of our own (facts: iptc.org/std/ninjs).

IPTC's own schema is not in this repository; `docs/wire.md` says how to hold an answer against it.
"""

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

_TEXT: dict[str, Any] = {"type": "string"}
_URI = {"type": "string", "format": "uri"}
_MOMENT = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    """Nothing but these keys: ninjs 3 knows no keys of one's own."""
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_VALUE = _object(("value",), role=_TEXT, contentType=_TEXT, value=_TEXT)
_BODY = _object(("value",), role=_TEXT, contentType=_TEXT, charCount=_COUNT, wordCount=_COUNT, value=_TEXT)
_RENDITION = _object(("name",), name=_TEXT, href=_URI, contentType=_TEXT, title=_TEXT, width=_COUNT, height=_COUNT)
_CONCEPT = _object(name=_TEXT, rel=_TEXT, uri=_URI, literal=_TEXT)
_COMMON = {
    "uri": _URI,
    "type": {"enum": ["text", "audio", "video", "picture", "graphic", "composite", "component", "event", "planning"]},
    "language": _TEXT,
    "by": _TEXT,
    "title": _TEXT,
    "headlines": _list(_VALUE),
    "descriptions": _list(_VALUE),
    "renditions": _list(_RENDITION),
}
_ITEM = _object(
    ("uri",),
    **_COMMON,
    standard=_object(name=_TEXT, version=_TEXT, schema=_URI),
    representationType={"enum": ["full", "partial"]},
    version=_TEXT,
    firstCreated=_MOMENT,
    versionCreated=_MOMENT,
    embargoedUntil=_MOMENT,
    expires=_MOMENT,
    pubStatus={"enum": ["usable", "withheld", "canceled"]},
    urgency={"type": "integer", "minimum": 1, "maximum": 9},
    bodies=_list(_BODY),
    slugline=_TEXT,
    located=_TEXT,
    infoSources=_list(_object(name=_TEXT, role=_TEXT, uri=_URI)),
    subjects=_list(_CONCEPT),
    genres=_list(_object(name=_TEXT, uri=_TEXT, literal=_TEXT)),
    edNote=_TEXT,
    usageTerms=_TEXT,
    copyrightHolder=_TEXT,
    associations=_list(_object(**_COMMON, name=_TEXT, rel=_TEXT)),
)
_FORMATS = FormatChecker(())


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    """RFC 3986 §3: a scheme, something after it, and only the letters a URI has."""
    text = str(value)
    return bool(urlsplit(text).scheme) and re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*:[!-~]+", text) is not None


@_FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    """RFC 3339 §5.6: a day without a time, or a time without its offset, is none."""
    return "T" in str(value) and datetime.fromisoformat(str(value)).tzinfo is not None


_VALIDATOR = Draft202012Validator(_ITEM, format_checker=_FORMATS)


def faults(item: Any) -> list[str]:
    """Returns what is wrong with an item, in the schema's words."""
    return [error.message for error in _VALIDATOR.iter_errors(json.loads(json.dumps(item)))]
