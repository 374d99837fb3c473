"""Renditions, made up, for the tests of this room."""

from datetime import UTC, datetime, timedelta
from typing import Any

from publisher.model.article import Correction, Enclosure, Image
from publisher.model.feed import Feed
from publisher.model.view import Depth, FullView, Label, Notice, View

PUBLISHED = datetime(2026, 3, 8, 9, 30, tzinfo=UTC)
UPDATED = PUBLISHED + timedelta(hours=5)
CANARY = "the pelican counted eleven lanterns"
NOTICE = Notice(
    text="Example <News> & Flow publishes only part of its report here.",
    contact="mailto:s@example.org?subject=Options%20%28ref%201%29&cc=d@example.org",
    contact_label="Contact us",
)
IMAGE = Image(
    src="https://news.example.org/media/ferry.jpg?v=1",
    alt="A ferry",
    caption="The ferry at dawn",
    credit="B. Lens",
    width=1200,
    height=800,
)
AUDIO = Enclosure(url="https://news.example.org/media/a.mp3", media_type="audio/mpeg", length=1234, title="Listen")
REPORT = Enclosure(url="https://news.example.org/media/r.pdf", media_type="application/pdf")
CORRECTION = Correction(at=UPDATED, kind="correction", text="Nine years, not <eight>.")


def _values(said: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": "tag:news.example.org,2026-03-08:ferry-line",
        "number": 7,
        "version": 2,
        "depth": Depth.SUMMARY,
        "url": "https://news.example.org/articles/ferry-line/",
        "language": "en",
        "direction": "ltr",
        "title": "Ferry line & port reopen",
        "deck": "First boat leaves at dawn",
        "summary": "A ferry line between two port cities is open again.",
        "key_points": ("First boat at dawn", "Nine years < ten"),
        "section": Label(
            id="asia-pacific", title="Asia - Pacific", url="https://news.example.org/sections/asia-pacific/"
        ),
        "tags": (Label(id="transport", title="transport"),),
        "authors": ("Example staff", "C. Author"),
        "contributors": (("Writing by", "A. Writer"),),
        "sources": ("Harbour Gazette",),
        "dateline": "Izmir",
        "published_at": PUBLISHED,
        "updated_at": UPDATED,
        "free": False,
    }
    return values | said


def summary(**said: Any) -> View:
    """Returns a public rendition with the notice; `said` changes it."""
    return View(**_values({"notice": NOTICE} | said))


def full(**said: Any) -> FullView:
    """Returns a rendition in full; `said` changes it."""
    body = {
        "depth": Depth.FULL,
        "body_html": f"<p>Opening words.</p><p>And {CANARY}.</p>",
        "body_text": f"Opening words.\n\nAnd {CANARY}.\n",
    }
    return FullView(**_values(body | said))


def feed(*entries: View, **said: Any) -> Feed:
    """Returns a feed of the entries; `said` changes it."""
    values: dict[str, Any] = {
        "id": "tag:news.example.org,2026:feeds/all",
        "title": "Example News Flow",
        "description": "News from two ports",
        "url": "https://news.example.org/feeds/all",
        "home_url": "https://news.example.org/",
        "language": "en",
        "updated_at": UPDATED,
        "entries": entries,
        "author": "Example News Flow",
    }
    return Feed(**(values | said))
