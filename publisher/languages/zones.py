"""Time zones as readers look for them: by the name of a city in their own language."""

from functools import cache
from unicodedata import combining, normalize

from babel.core import get_global
from babel.dates import get_timezone_location

from publisher.languages.locales import locale_of
from publisher.model.zones import time_zones

_AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@cache
def zones(language: str) -> tuple[tuple[str, str], ...]:
    """Returns the IANA zones that are a place's own, as (id, city), by city; of several names of a place the one."""
    return tuple(sorted(((zone, _city(zone, language)) for zone in _places()), key=lambda named: _plain(named[1])))


def _plain(name: str) -> str:
    """Letters without their marks: İstanbul stands beside Iqaluit, not behind Zürich."""
    return "".join(c for c in normalize("NFKD", name) if not combining(c)).casefold()


def city_text(zone: str, language: str) -> str:
    """Returns the name of the city that a zone is called after; of one that is called after none, its id."""
    return _city(zone, language) if zone.partition("/")[0] in _AREAS else zone


def _city(zone: str, language: str) -> str:
    return get_timezone_location(zone, locale=locale_of(language), return_city=True).rpartition("/")[2]


@cache
def _places() -> tuple[str, ...]:
    known = get_global("zone_territories")
    found: dict[str, str] = {}
    in_order = sorted(z for z in time_zones() if z.partition("/")[0] in _AREAS)
    # The name of today (Asia/Kolkata) before an older one, and the CLDR's own (Europe/Istanbul) before a link to it.
    for zone in sorted(in_order, key=lambda z: (_last(z) != _city(z, "en"), z not in known)):
        found.setdefault(_city(zone, "en"), zone)
    return tuple(found.values())


def _last(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")
