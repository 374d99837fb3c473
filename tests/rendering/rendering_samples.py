"""A publication, its stories and its digests, made up, for the tests of this room."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from publisher.model.archive import IssueLine, NewsletterArchive
from publisher.model.article import Correction, Image
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Section, Site
from publisher.model.feed import FeedLink
from publisher.model.issue import Edition, Group
from publisher.model.text import Localized
from publisher.model.view import Depth, FullView, Label, Notice, View
from publisher.rendering.templates import Templates
from publisher.starter import packaged_templates

AT = datetime(2026, 11, 18, 6, 40, tzinfo=UTC)
LATER = datetime(2026, 11, 18, 9, 5, tzinfo=UTC)
BASE = "https://news.example.org"
CANARY = "the pelican counted eleven lanterns"
NOTICE = Notice(
    text="Harbour Wire publishes only part of its report here.",
    contact="mailto:desk@example.org?subject=Options",
    contact_label="Contact us for subscription options",
)


def agency() -> Catalogue:
    """Returns a gated news site in two languages."""
    return Catalogue(
        site=Site(
            title="Harbour Wire",
            url=BASE,
            description="News from the quay",
            timezone="Europe/Istanbul",
            languages=("en", "tr"),
            contact="mailto:desk@example.org",
            service="Harbour Wire Plus",
            gated=True,
            postal_address="1 Quay, Port Example",
        ),
        sections={
            "economy": Section(id="economy", title=Localized.of({"en": "Economy", "tr": "Ekonomi"})),
            "sport": Section(id="sport", title=Localized.of({"en": "Sport", "tr": "Spor"})),
        },
        products={},
        newsletters={
            "daily": Newsletter(id="daily", title=Localized.of("Daily digest"), audience=Audience.SUBSCRIBERS),
            "alerts": Newsletter(id="alerts", title=Localized.of("Alerts"), schedule="instant"),
            "weekly": Newsletter(id="weekly", title=Localized.of("The week"), schedule="weekly fri 16:00"),
            "staff": Newsletter(id="staff", title=Localized.of("Staff only"), open=False),
        },
        default_access=None,  # type: ignore[arg-type] - templates never ask
    )


def blog() -> Catalogue:
    """Returns a site where everything is public, with one newsletter and no sections."""
    return Catalogue(
        site=Site(title="Notes", url=BASE, description="Once in a while", author="Ada"),
        sections={},
        products={},
        newsletters={"weekly": Newsletter(id="weekly", title=Localized.of("The letter"), schedule="weekly sun 09:00")},
        default_access=None,  # type: ignore[arg-type]
    )


@cache
def _packaged(catalogue: Callable[[], Catalogue]) -> Templates:
    return Templates(packaged_templates(), None, catalogue())


def templates(catalogue: Callable[[], Catalogue], own: Path | None = None) -> Templates:
    """Returns the packaged templates at work for a publication, below its own when it has any."""
    return Templates(packaged_templates(), own, catalogue()) if own else _packaged(catalogue)


def view(**said: Any) -> View:
    """Returns a story's public rendition; `said` changes it."""
    values: dict[str, Any] = {
        "id": "tag:example.org,2026-11-18:ferry",
        "number": 7,
        "version": 1,
        "depth": Depth.SUMMARY,
        "url": f"{BASE}/articles/ferry/",
        "language": "en",
        "direction": "ltr",
        "title": "Ferry line reopens after nine years",
        "deck": "First boat leaves at dawn",
        "summary": "A ferry line between two port cities is open again.",
        "key_points": ("First boat at dawn", "Nine years of waiting"),
        "section": Label(id="economy", title="Economy", url=f"{BASE}/sections/economy/"),
        "tags": (Label(id="ships", title="ships"),),
        "authors": ("Example staff",),
        "contributors": (("Writing by", "A. Writer"),),
        "sources": ("Harbour Gazette",),
        "dateline": "Port Ambry",
        "image": Image(
            src=f"{BASE}/media/ferry.jpg", alt="A ferry", caption="At dawn", credit="B. Lens", width=1200, height=600
        ),
        "corrections": (Correction(at=LATER, kind="correction", text="It is nine years, not eight."),),
        "published_at": AT,
        "updated_at": LATER,
        "update_shown": True,
        "notice": NOTICE,
        "free": False,
    }
    return View(**(values | said))


def full(**said: Any) -> FullView:
    """Returns a story in full; `said` changes it."""
    public = view(depth=Depth.FULL, notice=None)
    values = {field.name: getattr(public, field.name) for field in fields(View)}
    values |= {
        "body_html": f"<p>Opening words.</p><h2>Then</h2><p>And {CANARY}.</p>",
        "body_text": f"Opening words.\n\nThen\n\nAnd {CANARY}.",
    }
    return FullView(**(values | said))


def edition(*views: View, **said: Any) -> Edition:
    """Returns a digest of `views` under one heading; `said` changes it."""
    values: dict[str, Any] = {
        "newsletter_id": "daily",
        "newsletter_title": "Daily digest",
        "newsletter_description": "",
        "public": False,
        "instant": False,
        "number": 12,
        "language": "en",
        "direction": "ltr",
        "local_date": datetime(2026, 11, 18, 7, 0, tzinfo=ZoneInfo("Europe/Istanbul")),
        "groups": (Group(label="Economy", views=views),),
    }
    return Edition(**(values | said))


FEEDS = tuple(
    FeedLink(title=title, format=form, url=f"{BASE}/feeds/{name}.{end}", media_type=kind)
    for title, name in (("Harbour Wire", "all"), ("Harbour Wire: Economy", "economy"))
    for form, end, kind in (("RSS", "rss", "application/rss+xml"), ("Atom", "atom", "application/atom+xml"))
)
MAIL = {
    "url": f"{BASE}/inbox/1/",
    "subject": "Hello <b>",
    "sender": "Harbour Wire <news@example.org>",
    "recipient": "reader@example.net",
    "received_at": AT,
    "text": "See https://news.example.org/confirm/x",
    "source": "From: news@example.org\n\n<script>alert(1)</script>",
}
LINE = IssueLine(
    url=f"{BASE}/issues/daily/7/",
    number=7,
    local_date=datetime(2026, 10, 19, 7, tzinfo=ZoneInfo("Europe/Istanbul")),
    lead=view(language="ar", direction="rtl", title="ميناء"),
    stories=2,
)
PAGES: dict[str, dict[str, Any]] = {
    "front": {"views": (view(), view(id="2", urgency=1), full(id="3"))},
    "section": {"section": Label(id="economy", title="Economy"), "views": (view(),)},
    "tag": {"tag": Label(id="ships", title="ships"), "views": (view(),)},
    "article": {"view": view()},
    "corrections": {"entries": (view(), view(id="2", language="tr"))},
    "page": {"title": "About", "body_html": "<p>We.</p>"},
    "feeds": {"feeds": FEEDS},
    "feed": {"title": "Example", "feeds": FEEDS, "views": (view(), view(id="2", language="tr"))},
    "read": {"edition": edition(full(), view(id="2", number=8)), "lapse": None},
    "private_feeds": {"feeds": FEEDS, "opml": f"{BASE}/u/x/feeds.opml"},
    "issue": {"edition": edition(view(), view(id="2")), "archive": f"{BASE}/issues/daily/"},
    "archive": {
        "newsletter": agency().newsletters["daily"],
        "lines": (LINE,),
        "issues": f"{BASE}/issues/",
        "older": f"{BASE}/issues/daily/page/1/",
        "feeds": FEEDS,
    },
    "issues": {
        "archives": (
            NewsletterArchive(newsletter=agency().newsletters["daily"], url=f"{BASE}/issues/daily/", latest=LINE),
        ),
        "issues": f"{BASE}/issues/",
    },
    "subscribe": {"action": f"{BASE}/subscribe"},
    "subscribe_done": {},
    "confirm": {"action": f"{BASE}/confirm/x", "titles": ("Daily digest",)},
    "confirmed": {"titles": ("Daily digest",)},
    "unsubscribe": {"action": f"{BASE}/unsubscribe/x", "newsletter_title": "Daily digest"},
    "unsubscribed": {"newsletter_title": "Daily digest"},
    "preferences": {
        "action": f"{BASE}/preferences/x",
        "offered": (),
        "subscriptions": {},
        "schedules": {},
        "upcoming": (),
        "reader_language": "en",
        "timezone": "",
        "zone": "Europe/Istanbul",
        "tomorrow": "2026-11-19",
    },
    "account": {
        "action": f"{BASE}/account/x",
        "address": "ada@reader.example",
        "feed_url": f"{BASE}/u/x/all.atom",
        "given": "",
        "preferences_url": f"{BASE}/preferences/x",
    },
    "account_ended": {},
    "erased": {},
    "move": {"action": f"{BASE}/address/x", "state": "asked", "new_end": True},
    "gone": {},
    "not_found": {},
    "error": {},
    "preview": {
        "all_newsletters": tuple(agency().newsletters.values()),
        "chosen_newsletter": "weekly",
        "who": "reader",
        "address": "ada@example.org",
        "at": "2026-10-19T07:00",
        "form": "html",
        "scheme": "dark",
        "readers": ("ada@example.org",),
        "mail": {
            "subject": "The week",
            "preheader": "Pier",
            "recipient": "ada@example.org",
            "sample": True,
            "kilobytes": 12,
            "text": "",
        },
        "frame_url": f"{BASE}/preview/frame?newsletter=weekly",
        "reason": "",
        "changes": f"{BASE}/preview/changes?since=1.x",
    },
    "inbox": {"mails": (MAIL,), "total": 1},
    "inbox_message": {"mail": MAIL, "html_url": f"{BASE}/inbox/1/html", "inbox_url": f"{BASE}/inbox/"},
}
"""Every page with no more than it needs."""
