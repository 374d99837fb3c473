"""Fields of report parts: groups of `Name: value` lines between blank lines (RFC 3464 §2.1, RFC 5965 §3)."""

import re
from dataclasses import dataclass

_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UTF8_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ADDRESS_IN_HEADER = re.compile(r"[^\s<>,;:\"()\[\]]{1,64}@[^\s<>,;:\"()\[\]]{1,255}")
_LONGEST = 2000
_MOST_FIELDS = 200
_MOST_GROUPS = 100


@dataclass(frozen=True, slots=True)
class Fields:
    """One group of fields, names in lower case, in the order they came in."""

    pairs: tuple[tuple[str, str], ...]

    def first(self, name: str) -> str:
        """Returns the first field of that name, empty when there is none."""
        return next((value for key, value in self.pairs if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Returns every field of that name."""
        return tuple(value for key, value in self.pairs if key == name)

    def __bool__(self) -> bool:
        """Returns whether there is any."""
        return bool(self.pairs)


def read_groups(text: str) -> list[Fields]:
    """Returns the groups of a part's text, folded lines put together, what is no field left out."""
    groups: list[Fields] = []
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.strip():
            lines.append(line)
        elif lines:
            groups.append(read_fields(lines))
            lines = []
            if len(groups) == _MOST_GROUPS:
                break
    return [group for group in groups if group]


def read_fields(lines: list[str]) -> Fields:
    """Returns the fields of one group's lines."""
    pairs: list[tuple[str, str]] = []
    for line in lines:
        if line[0] in " \t":
            if pairs and len(pairs[-1][1]) < _LONGEST:
                name, value = pairs[-1]
                pairs[-1] = (name, f"{value} {line.strip()}"[:_LONGEST])
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or len(pairs) == _MOST_FIELDS:
            continue
        pairs.append((name.strip().lower(), value.strip()[:_LONGEST]))
    return Fields(tuple(pairs))


def typed_address(value: str) -> str:
    """Returns the address of a field such as `rfc822; a@b.example` or `utf-8; …` (RFC 6533 §3), lower case."""
    kind, semicolon, address = value.partition(";")
    if not semicolon:
        kind, address = "", value
    if kind.strip().lower() == "utf-8":
        address = _UTF8_XTEXT.sub(_character, address)
    return address.strip().strip("<>").lower()


def spellings(value: str) -> tuple[str, ...]:
    """Returns an address as it stands and with its xtext undone (RFC 3461 §4): servers differ in what they return."""
    address = typed_address(value)
    plain = _XTEXT.sub(lambda match: chr(int(match[1], 16)), address.upper()).lower() if "+" in address else address
    return tuple(dict.fromkeys(each for each in (address, plain) if each))


def addresses_in(header: str) -> tuple[str, ...]:
    """Returns the addresses of a To header, lower case, at most ten."""
    found = (match[0].lower() for match in _ADDRESS_IN_HEADER.finditer(header[:_LONGEST]))
    return tuple(dict.fromkeys(found))[:10]


def _character(match: "re.Match[str]") -> str:
    number = int(match[1], 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else ""
