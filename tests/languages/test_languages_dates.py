"""Dates and directions in languages with and without a catalogue."""

from datetime import UTC, datetime

import pytest

from publisher.languages import date_text, datetime_text, direction, time_text, upper

MOMENT = datetime(2025, 9, 2, 11, 30, tzinfo=UTC)
ISTANBUL = "Europe/Istanbul"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "September 2, 2025"),
        ("en-GB", "2 September 2025"),
        ("tr", "2 Eylül 2025"),
        ("de", "2. September 2025"),
        ("ja", "2025年9月2日"),
        ("ar", "2 سبتمبر 2025"),
        ("ar-EG", "٢ سبتمبر ٢٠٢٥"),
        ("fa", "۲ سپتامبر ۲۰۲۵"),
        ("he", "2 בספטמבר 2025"),
        ("xx-unknown", "September 2, 2025"),
        ("tr-x-desk", "2 Eylül 2025"),
    ],
)
def test_a_date_reads_as_in_its_language(language: str, text: str):
    assert date_text(MOMENT, language, ISTANBUL) == text


def test_the_day_is_that_of_the_zone():
    late = datetime(2025, 9, 2, 22, 30, tzinfo=UTC)
    assert date_text(late, "tr", ISTANBUL) == "3 Eylül 2025"
    assert date_text(late, "tr", "America/New_York") == "2 Eylül 2025"


def test_the_time_is_that_of_the_zone():
    assert time_text(MOMENT, "tr", ISTANBUL) == "14:30"
    assert time_text(MOMENT, "en", ISTANBUL) == "2:30\u00a0PM"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "September 2, 2025, 2:30\u00a0PM"),
        ("tr", "2 Eylül 2025 14:30"),
        ("de", "2. September 2025, 14:30"),
        ("ar", "2 سبتمبر 2025، 2:30 م"),
    ],
)
def test_date_and_time_are_joined_as_the_language_does(language: str, text: str):
    assert datetime_text(MOMENT, language, ISTANBUL) == text


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        date_text(datetime(2025, 9, 2), "en", "UTC")  # noqa: DTZ001


def test_the_locale_of_the_process_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    for name in ("LC_ALL", "LC_TIME", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, "tr_TR.UTF-8")
    assert date_text(MOMENT, "en", ISTANBUL) == "September 2, 2025"


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "ltr"),
        ("tr-TR", "ltr"),
        ("ar", "rtl"),
        ("ar-EG", "rtl"),
        ("he", "rtl"),
        ("fa", "rtl"),
        ("az-Arab", "rtl"),
        ("ku-Arab-IQ", "rtl"),
        ("ar-Latn", "ltr"),
        ("sr-Latn-RS", "ltr"),
        ("zh-Hans-CN", "ltr"),
        ("", "ltr"),
    ],
)
def test_the_script_decides_the_direction(language: str, expected: str):
    assert direction(language) == expected


@pytest.mark.parametrize(
    ("language", "text"), [("en", "IZMIR"), ("tr", "İZMİR"), ("tr-CY", "İZMİR"), ("az", "İZMİR"), ("de", "IZMIR")]
)
def test_capitals_keep_the_dot_where_the_language_does(language: str, text: str):
    assert upper("Izmir" if text == "IZMIR" else "İzmir", language) == text
