"""Labels from the catalogue files."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import TypeAlias

from publisher.languages.locales import locale_of
from publisher.languages.numbers import number_text

Message: TypeAlias = str | dict[str, str]
"""One text, or a text per CLDR plural category."""

FALLBACK = "en"


@cache
def languages() -> tuple[str, ...]:
    """Returns the tags of the languages that have a catalogue, sorted."""
    names = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def messages(language: str) -> Mapping[str, Message]:
    """Returns the catalogue of one of `languages()`."""
    return tomllib.loads((files(__package__) / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _catalogue_of(language: str) -> str:
    """Returns the catalogue that speaks for a language: its own, its base language's, else English."""
    return next((tag for tag in _prefixes(language.lower()) if tag in languages()), FALLBACK)


def _prefixes(tag: str) -> Iterator[str]:
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]


@lru_cache(1024)
def spoken(language: str, otherwise: str) -> str:
    """Returns the language of the labels for what is in `language`: itself, if it has a catalogue, or `otherwise`."""
    return language if any(tag in languages() for tag in _prefixes(language.lower())) else otherwise


def label(key: str, language: str, **values: object) -> str:
    """Returns a label in `language`, with `values` put in; KeyError when the catalogue lacks the key or a value.

    Whole numbers are written as the language does.
    """
    catalogue = _catalogue_of(language)
    message = messages(catalogue)[key]
    if isinstance(message, dict):
        message = message.get(_plural(catalogue, values["count"]), message["other"])
    return message.format_map({name: _written(value, spoken(language, FALLBACK)) for name, value in values.items()})


def _written(value: object, language: str) -> object:
    return number_text(value, language) if isinstance(value, int) else value


def _plural(catalogue: str, count: object) -> str:
    if not isinstance(count, int):
        raise TypeError(f"count must be an integer, not {count!r}")
    return str(locale_of(catalogue).plural_form(count))
