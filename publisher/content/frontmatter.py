"""Front matter: where it ends, and its keys with their lines.

Every dialect gives the same entries, so that what a key means is decided once, in `fields`.
"""

import re
from dataclasses import dataclass

from publisher.content import toml_entries, yaml_entries
from publisher.content.entries import Entry
from publisher.errors import RefusedError

MAX_BYTES = 64 * 1024

_OPENING = re.compile(r"\s*?(---|\+\+\+)[ \t]*(?:\n|$)")
_CLOSING = {
    "---": re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*(?:\n|\Z)", re.MULTILINE),
}
_JSON = re.compile(r"\s*\{\s*(?:\n|\")")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(?:[ \t]+(.*))?")
# A text that merely begins like "Note: …" is no header: one of these makes it one.
_HEADER_PROOF = frozenset({"title", "access", "status", "slug"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """A file taken apart; `entries` is None when it has no front matter at all."""

    entries: tuple[Entry, ...] | None
    body: str
    body_line: int
    """The line of the file on which the body starts."""


def split(text: str) -> Matter:
    """Returns the entries and the body of a file fenced with `---` (YAML) or `+++` (TOML).

    Raises RefusedError for a fence that is never closed, for a block over 64 KiB, and for what YAML and TOML refuse:
    text that may have been meant as front matter is never published as a story.
    """
    opening = _OPENING.match(text)
    if opening is None:
        if _JSON.match(text):
            raise RefusedError("front matter in JSON is not read; write it as YAML between two lines of ---")
        return Matter(entries=None, body=text, body_line=1)
    fence = opening[1]
    opened_on = text.count("\n", 0, opening.start(1)) + 1
    closing = _CLOSING[fence].search(text, opening.end())
    if closing is None:
        raise RefusedError(
            f"the front matter opened with {fence} is never closed; end it with a line of {fence}", opened_on
        )
    block = text[opening.end() : closing.start()]
    if len(block.encode()) > MAX_BYTES:
        raise RefusedError(f"the front matter is longer than {MAX_BYTES // 1024} KiB; shorten it", opened_on)
    read = yaml_entries.read if fence == "---" else toml_entries.read
    entries = read(block, opened_on + 1)
    return Matter(
        entries=_distinct(entries), body=text[closing.end() :], body_line=text.count("\n", 0, closing.end()) + 1
    )


def split_header(text: str) -> Matter:
    """Returns the entries and the body of a file that starts with unfenced `Title: …` lines, as Pelican's do."""
    start = len(text) - len(text.lstrip("\n"))
    first_line = text.count("\n", 0, start) + 1
    block, _, _ = text[start:].partition("\n\n")
    entries, used = _header(block[: MAX_BYTES + 1].split("\n"), first_line)
    if not _HEADER_PROOF.intersection(entry.name for entry in entries):
        return Matter(entries=None, body=text, body_line=1)
    if len(block) > MAX_BYTES:
        raise RefusedError(f"the header is longer than {MAX_BYTES // 1024} KiB; leave a line empty before the text")
    lines = text[start:].split("\n")
    if used < len(lines) and lines[used].strip():
        raise RefusedError(
            "the header ends without an empty line; write `Key: value` here, or leave a line empty before the text",
            first_line + used,
        )
    return Matter(entries=_distinct(tuple(entries)), body="\n".join(lines[used:]), body_line=first_line + used)


def _header(lines: list[str], first_line: int) -> tuple[list[Entry], int]:
    """Returns the keys at the top, and how many lines they take; indented lines go on with the value above."""
    found: list[tuple[str, list[str], int]] = []
    used = 0
    for line in lines:
        if match := _HEADER.fullmatch(line):
            found.append((match[1], [(match[2] or "").strip()], first_line + used))
        elif found and line[:1] in {" ", "\t"} and line.strip():
            found[-1][1].append(line.strip())
        else:
            break
        used += 1
    return [Entry(key, "\n".join(values).strip(), number) for key, values, number in found], used


def _distinct(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Refuses a key given twice: which of two `access` lines holds would be a guess."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        if first := seen.get(entry.name):
            raise RefusedError(f"{entry.key} is given twice, first on line {first.line}; keep one", entry.line)
        seen[entry.name] = entry
    return entries
