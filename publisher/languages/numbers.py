"""Numbers as a reader writes them."""

from functools import cache

from babel.numbers import format_decimal

from publisher.languages.locales import locale_of

_ZEROS = {"arab": 0x0660, "arabext": 0x06F0, "beng": 0x09E6, "deva": 0x0966, "mymr": 0x1040}
"""The digit 0 of each numbering system that is some language's own (CLDR, numberingSystems.xml)."""


def number_text(number: int, language: str) -> str:
    """Returns a whole number with the separators and digits of `language`: `1.204`."""
    written = format_decimal(number, locale=locale_of(language), numbering_system="default")
    return in_digits(written, language)


def in_digits(text: str, language: str) -> str:
    """Returns `text` with its digits in the language's own: what babel writes has European ones throughout."""
    return text.translate(_digits(locale_of(language).default_numbering_system))


@cache
def _digits(system: str) -> dict[int, int]:
    zero = _ZEROS.get(system)
    return {} if zero is None else {ord("0") + digit: zero + digit for digit in range(10)}
