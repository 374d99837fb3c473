"""What a page tells machines about its story, row by row."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rendering_samples import AT, BASE, LATER, agency, blog, full, view

from publisher.model.view import Kin, Label
from publisher.rendering.structured import structured


def said(news: bool = True, kin: Kin | None = None, **changes: Any) -> dict[str, object]:
    return structured(view(**changes), agency().site, kin or Kin(), news=news)


ORIGINAL = Label(id="tr", title="İlk", url=f"{BASE}/articles/ilk/")
OTHER = Label(id="ar", title="خبر", url=f"{BASE}/articles/ar/")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("identifier", "tag:example.org,2026-11-18:ferry"),
        ("url", f"{BASE}/articles/ferry/"),
        ("headline", "Ferry line reopens after nine years"),
        ("alternativeHeadline", "First boat leaves at dawn"),
        ("description", "A ferry line between two port cities is open again."),
        ("abstract", "First boat at dawn Nine years of waiting"),
        ("articleSection", "Economy"),
        ("keywords", ["ships"]),
        ("author", [{"@type": "Person", "name": "Example staff"}]),
        ("contributor", [{"@type": "Person", "name": "A. Writer"}]),
        ("citation", ["Harbour Gazette"]),
        ("dateline", "Port Ambry"),
        ("datePublished", AT.isoformat()),
        ("dateModified", LATER.isoformat()),
        ("version", 1),
        ("creativeWorkStatus", "Published"),
        ("isAccessibleForFree", False),
        ("inLanguage", "en"),
    ],
)
def test_a_story_is_told_in_the_words_of_schema_org(key: str, value: object) -> None:
    assert said()[key] == value


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        (
            {"dateline": "Ankara", "country": "TR"},
            "locationCreated",
            {
                "@type": "Place",
                "name": "Ankara",
                "address": {"@type": "PostalAddress", "addressLocality": "Ankara", "addressCountry": "TR"},
            },
        ),
        ({"dateline": ""}, "locationCreated", None),
        (
            {"subjects": ("20000638",)},
            "about",
            [
                {
                    "@type": "Thing",
                    "identifier": "medtop:20000638",
                    "sameAs": "http://cv.iptc.org/newscodes/mediatopic/20000638",
                }
            ],
        ),
        ({"expires": datetime(2027, 1, 1, tzinfo=UTC)}, "expires", "2027-01-01T00:00:00+00:00"),
        ({}, "expires", None),
        ({"free": True}, "isAccessibleForFree", True),
        ({"kin": Kin(related=(OTHER,))}, "relatedLink", [OTHER.url]),
        ({"kin": Kin(replaced=(OTHER,))}, "isBasedOn", [OTHER.url]),
        (
            {"kin": Kin(original=ORIGINAL)},
            "translationOfWork",
            {"@type": "CreativeWork", "headline": "İlk", "url": ORIGINAL.url, "inLanguage": "tr"},
        ),
        (
            {"kin": Kin(translations=(OTHER,))},
            "workTranslation",
            [{"@type": "CreativeWork", "headline": "خبر", "url": OTHER.url, "inLanguage": "ar"}],
        ),
        ({}, "workTranslation", None),
    ],
)
def test_what_a_story_has_is_told_and_nothing_else(changes: dict[str, Any], key: str, value: object) -> None:
    assert said(**changes).get(key) == value


@pytest.mark.parametrize(
    ("genre", "kind"),
    [
        ("", "NewsArticle"),
        ("Current", "NewsArticle"),
        ("Analysis", "AnalysisNewsArticle"),
        ("OPINION", "OpinionNewsArticle"),
        ("commentary", "OpinionNewsArticle"),
        ("Reportage", "ReportageNewsArticle"),
        ("background", "BackgroundNewsArticle"),
        ("review", "ReviewNewsArticle"),
    ],
)
def test_the_genre_is_the_kind_of_story(genre: str, kind: str) -> None:
    assert said(genre=genre)["@type"] == kind
    assert said(genre=genre, news=False)["@type"] == "BlogPosting"


def test_a_post_has_no_dateline_and_the_text_is_never_in_it() -> None:
    found = structured(full(), blog().site, Kin(), news=False)
    assert "dateline" not in found
    assert not {"articleBody", "text", "hasPart"} & found.keys()
