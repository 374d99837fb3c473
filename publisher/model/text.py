"""Words in several languages."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Localized:
    """A text per language, or one text for all of them (key `""`)."""

    texts: Mapping[str, str]

    @classmethod
    def of(cls, value: "str | Mapping[str, str]") -> "Localized":
        """Returns the text for all languages, or the texts by BCP 47 tag."""
        return cls({"": value} if isinstance(value, str) else dict(value))

    def in_language(self, language: str) -> str:
        """Returns the text in `language`, else in its base language, else the common or the first one."""
        for tag in (language, language.split("-", maxsplit=1)[0], ""):
            if tag in self.texts:
                return self.texts[tag]
        return next(iter(self.texts.values()), "")
