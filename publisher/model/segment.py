"""Conditions on people: what a segment is, once it has been read."""

import enum
from dataclasses import dataclass
from datetime import date, datetime

Literal = str | int | float | bool | date


class Comparison(enum.StrEnum):
    """How a field is held against a value; there is no other than these, `!=` is `not … =`."""

    EQUAL = "="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Held:
    """A field held against a value; of a field with several values one is enough."""

    field: str
    """Such as `language`, `newsletter`, `attributes`."""
    path: tuple[str, ...]
    """What follows the field's name: of `attributes.plan.name` plan and name."""
    comparison: Comparison
    value: Literal


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether a field has any value."""

    field: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of them; none at all is true."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them at least."""

    conditions: tuple["Condition", ...]


Condition = Held | Exists | Not | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Picked:
    """The people who meet a condition at a moment."""

    condition: Condition
    zone: str
    """Whose days are meant."""
    now: datetime
    """When licences have to be in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """People with something in common."""

    id: str
    condition: Condition
