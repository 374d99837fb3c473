"""What depends on how a language is written."""

from functools import lru_cache

from publisher.languages.locales import locale_of

_RIGHT_TO_LEFT_SCRIPTS = frozenset({"Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"})
_DOTTED_I = frozenset({"tr", "az", "tt", "kk"})


@lru_cache(1024)
def direction(language: str) -> str:
    """Returns `ltr` or `rtl`: a script subtag decides, else the language's own script."""
    script = next((part.title() for part in language.split("-")[1:] if len(part) == 4 and part.isalpha()), None)
    if script is not None:
        return "rtl" if script in _RIGHT_TO_LEFT_SCRIPTS else "ltr"
    return "rtl" if locale_of(language).text_direction == "rtl" else "ltr"


def upper(text: str, language: str) -> str:
    """Returns `text` in capitals: Turkish and its relatives keep the dot of `i` (`İSTANBUL`)."""
    if language.split("-", maxsplit=1)[0].lower() in _DOTTED_I:
        text = text.replace("i", "İ")
    return text.upper()


def language_name(language: str) -> str:
    """Returns a language's name in itself, with a capital as in a list: `English`, `Türkçe`."""
    name = str(locale_of(language).get_display_name())
    return upper(name[:1], language) + name[1:]
