"""Time zones by the names of their cities."""

from zoneinfo import ZoneInfo

import pytest

from publisher.languages import city_text, zones


@pytest.mark.parametrize("language", ["en", "tr", "ar"])
def test_each_city_is_there_once_under_a_zone_that_there_is(language: str):
    found = zones(language)
    assert len(found) > 300
    assert len({city for _, city in found}) > 0.98 * len(found)
    assert all(ZoneInfo(zone) for zone, _ in found)
    assert {"Europe/Istanbul", "Asia/Kolkata", "Europe/Kyiv", "America/Sao_Paulo", "Australia/Lord_Howe"} <= {
        zone for zone, _ in found
    }
    assert not {"Asia/Istanbul", "Asia/Calcutta", "Europe/Kiev"} & {zone for zone, _ in found}


@pytest.mark.parametrize(
    ("zone", "language", "city"),
    [
        ("Europe/Istanbul", "tr", "İstanbul"),
        ("Europe/Istanbul", "ar", "إسطنبول"),
        ("America/Argentina/Buenos_Aires", "en", "Buenos Aires"),
        ("UTC", "tr", "UTC"),
        ("Etc/GMT+3", "en", "Etc/GMT+3"),
    ],
)
def test_a_zone_is_called_after_its_city(zone: str, language: str, city: str):
    assert city_text(zone, language) == city
