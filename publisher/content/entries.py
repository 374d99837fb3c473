"""What every front matter dialect is turned into: keys with values and lines."""

from dataclasses import dataclass, field

Value = object
"""str, int, float, bool, None, date, datetime, time, a list of values or a `Table`."""


class Table(dict[str, Value]):
    """A nested mapping that knows the line of the file on which it starts."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of front matter as written; `name` is the key with case, hyphens and underscores made alike."""

    key: str
    value: Value
    line: int
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", normal(self.key))


def normal(key: str) -> str:
    """Returns a key as it is compared: `publishAt`, `publish-at` and `publish_at` are one."""
    return key.lower().replace("-", "").replace("_", "")
