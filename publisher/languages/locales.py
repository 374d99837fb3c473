"""From a BCP 47 tag to what the CLDR knows about it."""

from functools import cache

from babel import Locale, UnknownLocaleError


@cache
def locale_of(language: str) -> Locale:
    """Returns the locale of a tag, of the nearest shorter tag that the CLDR knows, else English."""
    tag = language
    while tag:
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            tag = tag.rpartition("-")[0]
    return Locale("en")
