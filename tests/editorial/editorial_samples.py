"""Stories, licences and a publication, made up, for the tests of this room."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from publisher.model.article import Access, Article, Body, Contributor, Dateline, Image, Manuscript, Story
from publisher.model.catalogue import Catalogue, Filter, Product, Section, Site
from publisher.model.people import Grant, Viewer
from publisher.model.text import Localized

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
PAST = NOW - timedelta(days=2)
SOON = NOW + timedelta(hours=1)
DAY = timedelta(days=1)
CANARY = "the pelican counted eleven lanterns"
BODY = Body(
    html=f'<p>Opening <a href="/pages/x/">words</a>.</p><p>And {CANARY}.</p>', text=f"Opening words.\n\nAnd {CANARY}.\n"
)

ASIA = Product(id="asia", title=Localized.of("Asia"), match=Filter(sections=("asia-pacific",)))
SPORT = Product(id="sport", title=Localized.of("Sport"), match=Filter(sections=("sport",)))


def manuscript(**said: Any) -> Manuscript:
    """Returns one file, read; `said` changes what it says."""
    values: dict[str, Any] = {
        "source": "asia/port.md",
        "content_hash": "0" * 64,
        "body": BODY,
        "title": "Ferry line reopens after nine years",
        "language": "en",
        "slug": "ferry-line",
        "deck": "First boat leaves at dawn",
        "summary": "A ferry line between two port cities is open again.",
        "key_points": ("First boat at dawn", "Nine years of waiting"),
        "section": "asia-pacific",
        "tags": ("transport",),
        "authors": ("Example staff",),
        "contributors": (Contributor(name="A. Writer", role="writer"),),
        "sources": ("Harbour Gazette",),
        "dateline": Dateline(city="Izmir", country="TR"),
        "image": Image(src="/media/ferry.jpg", alt="A ferry", caption="The ferry at dawn", credit="B. Lens"),
        "date": PAST,
    }
    return Manuscript(**(values | said))


def article(**said: Any) -> Article:
    """Returns a published story with access `summary`; `said` changes it."""
    text = manuscript()
    values: dict[str, Any] = {field.name: getattr(text, field.name) for field in fields(Story)} | {
        "id": "tag:example.org,2026-03-08:ferry-line",
        "number": 7,
        "version": 1,
        "source": text.source,
        "path": "/articles/ferry-line/",
        "first_seen_at": PAST,
        "first_published_at": PAST,
        "published_at": PAST,
        "updated_at": PAST,
        "revised_at": PAST,
        "access": Access.SUMMARY,
    }
    return Article(**(values | said))


def catalogue(**site: Any) -> Catalogue:
    """Returns an agency's publication; `site` changes what it says of itself."""
    values: dict[str, Any] = {
        "title": "Example News Flow",
        "url": "https://news.example.org",
        "timezone": "Europe/Istanbul",
        "contact": "mailto:subscriptions@example.org",
        "service": "Example Wire",
        "gated": True,
    }
    return Catalogue(
        site=Site(**(values | site)),
        sections={
            "asia-pacific": Section(
                id="asia-pacific", title=Localized.of({"en": "Asia - Pacific", "tr": "Asya - Pasifik"})
            ),
            "desk-notes": Section(id="desk-notes", title=Localized.of("Desk notes"), access=Access.SUBSCRIBER),
        },
        products={"asia": ASIA, "sport": SPORT},
        newsletters={},
        default_access=Access.SUMMARY,
    )


def holding(*products: Product | None, **terms: Any) -> Viewer:
    """Returns a subscriber with a licence for each product (None: everything) under the same terms."""
    return Viewer(grants=tuple(Grant(product=product, **terms) for product in products))
