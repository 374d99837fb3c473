"""Every shipped catalogue says everything, with the same values filled in."""

import string

import pytest

from publisher.languages import label, languages, spoken
from publisher.languages.catalogues import Message, messages
from publisher.languages.locales import locale_of


def _texts(message: Message) -> list[str]:
    return list(message.values()) if isinstance(message, dict) else [message]


def _placeholders(message: Message) -> set[str]:
    return {name for text in _texts(message) for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_english_turkish_and_arabic_are_shipped():
    assert {"en", "tr", "ar"} <= set(languages())


@pytest.mark.parametrize("language", languages())
def test_a_catalogue_has_the_same_keys_as_english(language: str):
    """A missing key would fail only when somebody opens that page in that language."""
    assert messages(language).keys() == messages("en").keys()


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("key", sorted(messages("en")))
def test_a_message_is_complete(language: str, key: str):
    """Same values as in English, never empty, and every plural category that the language has."""
    message = messages(language)[key]
    assert _placeholders(message) == _placeholders(messages("en")[key])
    assert all(text.strip() for text in _texts(message))
    if isinstance(message, dict):
        assert set(message) == set(locale_of(language).plural_form.tags) | {"other"}
        assert "count" in _placeholders(message)


def test_the_message_is_in_the_language_asked_for():
    assert label("key_points", "tr") == "Öne çıkanlar"
    assert label("key_points", "en") == "Key points"
    assert label("key_points", "ar") == "أبرز النقاط"


@pytest.mark.parametrize("tag", ["tr-TR", "TR", "tr-Latn-CY"])
def test_a_regional_tag_speaks_its_base_language(tag: str):
    assert label("correction", tag) == "Düzeltme"


@pytest.mark.parametrize("tag", ["de", "he-IL", "x", ""])
def test_a_language_without_a_catalogue_speaks_english(tag: str):
    assert label("correction", tag) == "Correction"


def test_values_are_put_in_and_never_read_as_patterns():
    assert label("withdrawn_title", "en", title="{x} {0}") == "Withdrawn: {x} {0}"


def test_a_missing_value_is_an_error_and_not_a_brace_on_a_page():
    with pytest.raises(KeyError):
        label("withdrawn_title", "en")


@pytest.mark.parametrize("tag", ["en", "tr", "de"])
def test_an_unknown_key_is_an_error_in_every_language(tag: str):
    with pytest.raises(KeyError):
        label("no_such_key", tag)


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("en", 1, "1 mail"),
        ("en", 0, "0 mails"),
        ("en", 1204, "1,204 mails"),
        ("tr", 1, "1 e-posta"),
        ("tr", 1204, "1.204 e-posta"),
        ("ar", 0, "لا رسائل"),
        ("ar", 1, "رسالة واحدة"),
        ("ar", 2, "رسالتان"),
        ("ar", 3, "3 رسائل"),
        ("ar", 10, "10 رسائل"),
        ("ar", 11, "11 رسالة"),
        ("ar", 100, "100 رسالة"),
        ("ar", 103, "103 رسائل"),
        ("ar-EG", 1204, "١٬٢٠٤ رسائل"),
        ("he", 2, "2 mails"),
    ],
)
def test_plurals_and_numbers_follow_the_language(language: str, count: int, text: str):
    assert label("inbox_total", language, count=count) == text


@pytest.mark.parametrize(
    ("language", "otherwise", "words"),
    [("tr", "en", "tr"), ("ar-EG", "en", "ar-EG"), ("he", "tr", "tr"), ("he-IL", "ar", "ar"), ("", "tr", "tr")],
)
def test_what_we_do_not_speak_is_said_in_the_language_of_the_site(language: str, otherwise: str, words: str):
    assert spoken(language, otherwise) == words


def test_a_plural_needs_a_whole_number():
    with pytest.raises(TypeError):
        label("inbox_total", "en", count="three")
