"""Which column of a list is what: by our names, by another program's, or as the operator says; pure."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from publisher.errors import UsageError
from publisher.segments import plain_key
from publisher.services.origins import Origin, origin_of, target_of
from publisher.services.wishes import WISHES

COLUMNS = (
    "email",
    "name",
    "status",
    "reason",
    "language",
    "timezone",
    "newsletters",
    *WISHES,
    "products",
    "valid_from",
    "valid_until",
    "archive_days",
    "embargo_cleared",
    "consent",
    "consented_at",
    "attributes",
)
"""What `export` writes; `import` reads these and more."""
_ATTRIBUTE = "attributes."
_SHOWN, _SHOWN_LETTERS = 12, 40
_NAMED = ("first_name", "last_name")
_SIGNS = re.compile(r"""\s*(?P<target>[^=,]+?)\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^,]*?))\s*(?:,|$)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What each column of a list is."""

    targets: tuple[str, ...]
    """Our column, first_name, last_name or `attributes.KEY`, one for each of theirs; empty: left out."""
    names: tuple[str, ...]
    """Their columns, in lower case."""
    origin: Origin | None = None
    left_out: tuple[str, ...] = ()
    """Columns that nobody knows and that become nothing."""

    def columns_of(self, target: str) -> list[int]:
        """Returns where a target stands, the one that counts first in front."""
        found = [index for index, each in enumerate(self.targets) if each == target]
        order = list(self.origin.columns) if self.origin else []
        return sorted(found, key=lambda i: order.index(self.names[i]) if self.names[i] in order else -1)


def parse_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Returns the operator's words, `email=E-mail,name="First name"`, as their column (in lower case) → ours."""
    mapping: dict[str, str] = {}
    for text in texts:
        at = 0
        while at < len(text):
            match = _SIGNS.match(text, at)
            if match is None:
                raise UsageError(f'--map {text!r} is not OURS=THEIRS, such as email=E-mail,name="First name"')
            column = (match["quoted"] if match["quoted"] is not None else match["plain"]).strip().lower()
            if not column:
                raise UsageError(f"--map: {match['target']} needs a column of the list")
            if column in mapping:
                raise UsageError(f"--map: the column {column!r} is given twice")
            mapping[column] = _target(match["target"])
            at = match.end()
    return mapping


def layout_of(header: str, delimiter: str, mapping: Mapping[str, str]) -> Layout:
    """Returns what the columns of a header are; UsageError when one is missing, ambiguous or unknown."""
    try:
        cells = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise UsageError(f"line 1: the header cannot be read: {error}; check its quotes") from error
    names = tuple(name.strip().lower() for name in cells)
    if not any(names):
        raise UsageError("the list is empty; its first line has to name the columns")
    absent = [column for column in mapping if column not in names]
    if absent:
        raise UsageError(f"--map: the list has no column {absent[0]!r}; it has {_shown(names)}")
    origin = origin_of(names)
    targets = [mapping[name] if name in mapping else _known(name, origin, mapping) for name in names]
    unknown = tuple(name for name, target in zip(names, targets, strict=True) if target is None and name)
    if "email" not in targets or (unknown and not mapping and origin is None):
        wrong = f"; it has {_shown(unknown)}" if unknown else ""
        raise UsageError(
            f"line 1: the columns are {', '.join(COLUMNS)}; email is needed{wrong}. "
            "Say what is what with --map, such as: --map email=E-mail,attributes.city=City"
        )
    layout = Layout(targets=tuple(target or "" for target in targets), names=names, origin=origin, left_out=unknown)
    twice = [t for t in dict.fromkeys(filter(None, targets)) if len(layout.columns_of(t)) > 1 and not origin]
    if twice:
        raise UsageError(f"line 1: there is more than one column {', '.join(twice)}; leave one of them")
    return layout


def _known(name: str, origin: Origin | None, mapping: Mapping[str, str]) -> str | None:
    """Returns what a column is that the operator does not speak of; None: nobody knows."""
    if origin is not None:
        target = target_of(origin, name)
        if target is None and origin.own_fields and (key := plain_key(name.removeprefix("custom_fields."))):
            return _ATTRIBUTE + key
        return None if target in mapping.values() else target
    if name in mapping.values():
        return None
    if name in COLUMNS or name in _NAMED:
        return name
    key = plain_key(name.removeprefix(_ATTRIBUTE)) if name.startswith(_ATTRIBUTE) else ""
    return _ATTRIBUTE + key if key else None


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name[:_SHOWN_LETTERS]) for name in names[:_SHOWN]) + more


def _target(text: str) -> str:
    name = text.strip().lower()
    if name in COLUMNS or name in _NAMED:
        return name
    if name.startswith(_ATTRIBUTE) and (key := plain_key(name.removeprefix(_ATTRIBUTE))):
        return _ATTRIBUTE + key
    raise UsageError(
        f"--map: there is no column {text!r} of ours; there are: {', '.join((*COLUMNS, *_NAMED))} and attributes.KEY"
    )
