"""Names that never change, and addresses."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from editorial_samples import article

from publisher.editorial.identity import address, mint_id

DAY = date(2026, 3, 8)
# RFC 4151 §2.1: "tag:" authority "," date ":" specific, of pchar, "/" and "?".
TAG_URI = re.compile(r"tag:[A-Za-z0-9.-]+,\d{4}-\d\d-\d\d:(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*")


@pytest.mark.parametrize(
    ("site", "slug", "suffix", "uri"),
    [
        ("https://news.example.org", "ferry-line", "", "tag:news.example.org,2026-03-08:ferry-line"),
        ("https://news.example.org", "ferry-line", "2", "tag:news.example.org,2026-03-08:ferry-line-2"),
        ("http://127.0.0.1:8000", "ferry", "", "tag:127.0.0.1,2026-03-08:ferry"),
        ("https://News.Example.org/blog", "ferry", "", "tag:news.example.org,2026-03-08:ferry"),
        ("https://örnek.example", "ferry", "", "tag:xn--rnek-4qa.example,2026-03-08:ferry"),
        ("http://[::1]:8000", "ferry", "", "tag:--1,2026-03-08:ferry"),
        ("https://example.org", "şehir hatları#1", "", "tag:example.org,2026-03-08:%C5%9Fehir%20hatlar%C4%B1%231"),
    ],
)
def test_an_id_is_a_tag_uri(site: str, slug: str, suffix: str, uri: str):
    minted = mint_id(site, DAY, slug, suffix)
    assert minted == uri
    assert TAG_URI.fullmatch(minted)


@pytest.mark.parametrize(
    ("said", "pattern", "path"),
    [
        ({}, "/articles/{slug}/", "/articles/ferry-line/"),
        ({}, "/{year}/{month}/{day}/{slug}/", "/2026/03/09/ferry-line/"),
        ({}, "/{section}/{slug}/", "/asia-pacific/ferry-line/"),
        ({"section": None}, "/{section}/{slug}/", "/ferry-line/"),
        ({"permalink": "/old/place.html"}, "/articles/{slug}/", "/old/place.html"),
    ],
)
def test_an_address_is_the_storys_own_or_the_sites_pattern(said: dict[str, Any], pattern: str, path: str):
    """The day is that of the site's zone."""
    late = datetime(2026, 3, 8, 22, 30, tzinfo=UTC)
    assert address(article(**said), late, "Europe/Istanbul", pattern) == path
