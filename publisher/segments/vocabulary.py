"""What a condition can speak of, and which values there are."""

import enum
from collections.abc import Collection
from dataclasses import dataclass, field

from publisher.model.people import EVERYTHING, SubscriptionStatus


class Kind(enum.Enum):
    """What the values of a field are."""

    TEXT = "a text"
    DATE = "a day such as 2026-01-31"
    ANY = "a text, a number, a day, true or false"


FIELDS = {
    "email": Kind.TEXT,
    "domain": Kind.TEXT,
    "name": Kind.TEXT,
    "language": Kind.TEXT,
    "timezone": Kind.TEXT,
    "newsletter": Kind.TEXT,
    "status": Kind.TEXT,
    "product": Kind.TEXT,
    "created": Kind.DATE,
    "confirmed": Kind.DATE,
    "valid_until": Kind.DATE,
    "attributes": Kind.ANY,
}
"""`newsletters.ID` is a field too, a text: the status of one newsletter."""
ONE_NEWSLETTER = "newsletters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The names that config gives: who writes another one has mistyped it."""

    newsletters: Collection[str] = ()
    products: Collection[str] = ()
    languages: Collection[str] = field(default=())

    def kind(self, name: str, path: tuple[str, ...]) -> Kind | None:
        """Returns what the values of a field are; None when there is no such field."""
        if name == ONE_NEWSLETTER:
            return Kind.TEXT if len(path) == 1 and path[0] in self.newsletters else None
        kind = FIELDS.get(name)
        return kind if bool(path) == (name == "attributes") else None

    def fields(self) -> list[str]:
        """Returns the fields there are, as they are written."""
        return [*(name for name in FIELDS if name != "attributes"), "newsletters.ID", "attributes.KEY"]

    def values(self, name: str) -> list[str] | None:
        """Returns the values that a field can have; None when they cannot be told."""
        match name:
            case "newsletter":
                return list(self.newsletters)
            case "product":
                return [*self.products, EVERYTHING]
            case "language":
                return list(self.languages)
            case "status" | "newsletters":
                return [status.value for status in SubscriptionStatus]
        return None
