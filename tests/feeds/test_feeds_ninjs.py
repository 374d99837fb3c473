"""ninjs 3.1: every kind of item keeps to IPTC's schema and says no more than its View."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from feed_samples import CANARY, CORRECTION, IMAGE, PUBLISHED, UPDATED, full, summary

from ninjs_schema import faults
from publisher.feeds.ninjs import item, render
from publisher.model.article import Contributor, Status
from publisher.model.view import Depth, View
from publisher.model.wire import WireItem, WirePage


def wired(view: View, **said: Any) -> WireItem:
    values: dict[str, Any] = {"status": Status.PUBLISHED, "revised_at": UPDATED + timedelta(hours=1)}
    return WireItem(view=view, **(values | said))


RICH = {
    "contributors": (Contributor(name="A. Writer", role="writer"), Contributor(name="B. Helper")),
    "subjects": ("20000638", "not a topic"),
    "genre": "Current",
    "slugline": "FERRY-LINE",
    "usage_terms": "For subscribers.",
    "copyright_holder": "Example News Flow",
    "expires": UPDATED + timedelta(days=30),
}
ITEMS = {
    "partial": wired(summary(image=IMAGE), usage_terms="A part."),
    "headline": wired(summary(depth=Depth.HEADLINE, deck="", summary="", key_points=())),
    "full": wired(full(image=IMAGE), **RICH),
    "corrected": wired(full(version=3, corrections=(CORRECTION,)), ed_note="CORRECTION: Nine years.", **RICH),
    "embargoed": wired(
        full(depth=Depth.FULL_EMBARGOED), ed_note="Embargoed", embargoed_until=UPDATED + timedelta(days=1)
    ),
    "withheld": wired(summary(depth=Depth.HOLD), status=Status.HELD, ed_note="HOLD: do not use"),
    "canceled": wired(summary(depth=Depth.TOMBSTONE), status=Status.WITHDRAWN, ed_note="Withdrawn"),
    "killed": wired(
        summary(depth=Depth.TOMBSTONE, url=None, title="STORY WITHDRAWN (ref 7)"),
        status=Status.KILLED,
        ed_note="KILL: x",
    ),
    "bare": wired(summary(url=None, authors=(), tags=(), section=None, title="", key_points=(), urgency=0)),
    "odd letters": wired(full(title="\x0bA\ud800 title\r\n", image=replace(IMAGE, width=None, alt=""))),
}


@pytest.mark.parametrize("name", ITEMS)
def test_every_kind_of_item_keeps_to_the_schema(name: str):
    assert faults(item(ITEMS[name])) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versionCreated": "2026-03-08"}, "date-time"),
        ({"uri": "no uri"}, "uri"),
        ({"signals": []}, "signals"),
        ({"pubStatus": "killed"}, "killed"),
    ],
)
def test_the_schema_would_say_what_is_wrong(change: dict[str, Any], words: str):
    """So that the test above can fail."""
    assert any(words in fault for fault in faults(item(ITEMS["full"]) | change))


@pytest.mark.parametrize(
    ("name", "representation", "status"),
    [
        ("partial", "partial", "usable"),
        ("full", "full", "usable"),
        ("embargoed", "full", "usable"),
        ("withheld", "partial", "withheld"),
        ("canceled", "partial", "canceled"),
        ("killed", "partial", "canceled"),
    ],
)
def test_how_much_it_is_and_how_it_stands(name: str, representation: str, status: str):
    made = item(ITEMS[name])
    assert (made["representationType"], made["pubStatus"]) == (representation, status)
    assert ("bodies" in made) == (representation == "full") == (CANARY in json.dumps(made))


def test_a_full_item_says_everything():
    made = item(ITEMS["full"])
    assert made["version"] == "2"
    assert (made["firstCreated"], made["versionCreated"]) == (PUBLISHED.isoformat(), UPDATED.isoformat())
    assert [subject["rel"] for subject in made["subjects"]].count("about") == 1
    assert {"role": "writer", "name": "A. Writer"} in made["infoSources"]
    assert {"role": "contributor", "name": "B. Helper"} in made["infoSources"]
    (picture,) = made["associations"]
    assert (picture["type"], picture["by"], picture["renditions"][0]["width"]) == ("picture", "B. Lens", 1200)
    assert made["slugline"] == "FERRY-LINE"
    assert made["expires"].startswith("2026-04")


def test_what_was_taken_back_is_as_new_as_the_taking_back():
    """A client that compares `versionCreated` must not take the kill for older than the story."""
    assert item(ITEMS["killed"])["versionCreated"] == (UPDATED + timedelta(hours=1)).isoformat()


def test_a_page_is_items_and_the_way_on():
    page = json.loads(render(WirePage(items=(ITEMS["full"], ITEMS["killed"]), next_url="https://x.example/?cursor=1")))
    assert list(page) == ["items", "next"]
    assert [one["pubStatus"] for one in page["items"]] == ["usable", "canceled"]
    assert json.loads(render(WirePage(next_url="u"))) == {"items": [], "next": "u"}
