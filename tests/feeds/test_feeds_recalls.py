"""Stories that were taken back, advisories and ties in every format: by the rules, and to the byte."""

from dataclasses import replace
from datetime import timedelta

import feedparser
import pytest
from feed_rules import ATOM, DCTERMS, check_atom, check_json, check_rss
from feed_samples import CORRECTION, PUBLISHED, UPDATED, feed, full, summary

from publisher.feeds import FORMATS
from publisher.model.advisory import AdvisoryKind
from publisher.model.article import Correction
from publisher.model.feed import Departure
from publisher.model.view import Depth, Kin, Label, View

AT = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
GONE = Departure("tag:news.example.org,2026-03-08:quay", UPDATED)
CHECKS = {"rss": check_rss, "atom": check_atom, "json": check_json}


def bare(depth: Depth, **said: object) -> View:
    return View(
        id="tag:news.example.org,2026-03-08:ferry-line",
        number=7,
        version=3,
        depth=depth,
        language="en",
        direction="ltr",
        published_at=PUBLISHED,
        updated_at=UPDATED,
        **({"url": "https://news.example.org/articles/ferry-line/"} | said),  # type: ignore[arg-type]
    )


HELD = bare(Depth.HOLD, title="Ferry line", summary="On hold.")
WITHDRAWN = bare(Depth.TOMBSTONE, title="Withdrawn: Ferry line", summary="Withdrawn.", recalled_at=UPDATED)
KILLED = bare(Depth.TOMBSTONE, url=None, title="STORY WITHDRAWN (ref 7)", summary="Withdrawn.", recalled_at=UPDATED)
ADVISORY = replace(
    summary(id="tag:news.example.org,2026-03-08:ferry-line/correction-2", title="Correction: Ferry line", notice=None),
    corrections=(CORRECTION,),
    advisory=AdvisoryKind.CORRECTION,
    published_at=UPDATED,
)


@pytest.mark.parametrize("view", [HELD, WITHDRAWN, KILLED, ADVISORY], ids=["held", "withdrawn", "killed", "advisory"])
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_told_keeps_the_rules(name: str, view: View) -> None:
    other = summary(id="tag:news.example.org,2026-03-08:other")
    document = FORMATS[name].render(feed(other, view, departed=(GONE,)))
    CHECKS[name](document)
    assert document == FORMATS[name].render(feed(other, view, departed=(GONE,)))


def test_a_departure_is_said_in_atom_alone() -> None:
    """RFC 6721 §3; the namespace is there only with it."""
    root = check_atom(FORMATS["atom"].render(feed(summary(), departed=(GONE,))))
    (gone,) = root.findall(AT)
    assert (gone.get("ref"), gone.get("when")) == (GONE.id, "2026-03-08T14:30:00+00:00")
    assert b"at:deleted-entry" in FORMATS["atom"].render(feed(departed=(GONE,)))
    for name in FORMATS:
        assert (GONE.id.encode() in FORMATS[name].render(feed(summary(), departed=(GONE,)))) == (name == "atom")
    assert b"tombstones" not in FORMATS["atom"].render(feed(summary()))


@pytest.mark.parametrize(
    ("view", "in_atom", "in_rss"),
    [
        (WITHDRAWN, UPDATED, True),
        (KILLED, UPDATED, True),
        (HELD, None, False),
        (summary(), None, False),
        (summary(expires=UPDATED + timedelta(days=1)), UPDATED + timedelta(days=1), False),
    ],
)
def test_how_long_a_story_is_good(view: View, in_atom: object, in_rss: bool) -> None:
    """DCMI Period: of a story that was taken back the end is past."""
    entry = check_atom(FORMATS["atom"].render(feed(view))).find(f"{ATOM}entry")
    item = check_rss(FORMATS["rss"].render(feed(view))).find("item")
    valid = entry.findtext(f"{DCTERMS}valid")
    start = "start=2026-03-08T09:30:00+00:00; "
    assert valid == (in_atom and f"{start}end={in_atom.isoformat()}; scheme=W3C-DTF")  # type: ignore[attr-defined]
    assert item.findtext(f"{DCTERMS}valid") == (valid if in_rss else None)


def test_a_killed_entry_to_the_byte() -> None:
    document = FORMATS["atom"].render(feed(KILLED)).decode()
    entry = document[document.index("  <entry>") : document.index("</entry>")]
    assert entry == (
        "  <entry>\n"
        "    <id>tag:news.example.org,2026-03-08:ferry-line</id>\n"
        "    <title>STORY WITHDRAWN (ref 7)</title>\n"
        "    <updated>2026-03-08T14:30:00+00:00</updated>\n"
        '    <content type="html">&lt;p&gt;Withdrawn.&lt;/p&gt;</content>\n'
        "    <published>2026-03-08T09:30:00+00:00</published>\n"
        "    <dcterms:valid>start=2026-03-08T09:30:00+00:00; end=2026-03-08T14:30:00+00:00; scheme=W3C-DTF"
        "</dcterms:valid>\n"
        "  "
    )


@pytest.mark.parametrize(
    ("view", "status", "advisory"),
    [
        (HELD, "withheld", None),
        (WITHDRAWN, "canceled", None),
        (KILLED, "canceled", None),
        (ADVISORY, None, "correction"),
        (full(), None, None),
    ],
)
def test_machines_read_it_in_json(view: View, status: str | None, advisory: str | None) -> None:
    (item,) = check_json(FORMATS["json"].render(feed(view)))["items"]
    assert (item["_wire"].get("pub_status"), item["_wire"].get("advisory")) == (status, advisory)


def test_ties_are_links_in_atom() -> None:
    """RFC 4287 §4.2.7 and RFC 5829: other languages, related stories, what this one stands in the place of."""
    base = "https://news.example.org/articles/"
    own = Label(id="en", title="English", url=f"{base}ferry-line/")
    kin = Kin(
        languages=(own, Label(id="tr", title="Türkçe", url=f"{base}feribot/")),
        related=(Label(id="en", title="Quay", url=f"{base}quay/"),),
        replaced=(Label(id="en", title="Old", url=f"{base}old/"),),
    )
    document = FORMATS["atom"].render(feed(full(kin=kin)))
    check_atom(document)
    (entry,) = feedparser.parse(document).entries
    assert [(link.rel, link.get("hreflang"), link.href) for link in entry.links] == [
        ("alternate", None, f"{base}ferry-line/"),
        ("alternate", "tr", f"{base}feribot/"),
        ("alternate", "en", f"{base}ferry-line/"),
        ("related", "en", f"{base}quay/"),
        ("predecessor-version", "en", f"{base}old/"),
    ]
    assert entry.link == f"{base}ferry-line/"


UPDATE = Correction(at=UPDATED, kind="update", text="The mayor <speaks>.")


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ({}, "<p><em>Updated March 8, 2026 at 2:30"),
        ({"corrections": (UPDATE,)}, "<p><em>Updated March 8, 2026 at 2:30 PM: The mayor &lt;speaks&gt;.</em></p>"),
        ({"corrections": (CORRECTION,)}, "<p><strong>Correction:</strong>"),
        ({"update_shown": False}, "<ul>"),
    ],
)
def test_an_update_is_the_first_line_of_the_text(said: dict[str, object], first: str) -> None:
    stamped: dict[str, object] = {"update_shown": True, "updated_text": "March 8, 2026 at 2:30 PM"}
    (item,) = check_json(FORMATS["json"].render(feed(full(**(stamped | said)))))["items"]
    assert item["content_html"].startswith(first)
    assert item["content_html"].count("The mayor") == ("corrections" in said and said["corrections"] == (UPDATE,))


def test_paragraphs_given_away_take_the_place_of_a_summary_that_repeats_them() -> None:
    lead = ("A ferry line between two port cities is open again. It is < nine years.", "More.")
    (item,) = check_json(FORMATS["json"].render(feed(summary(lead=lead))))["items"]
    text = item["content_html"]
    assert text.count("A ferry line between") == 1
    assert (
        "<p>IZMIR — A ferry line between two port cities is open again. It is &lt; nine years.</p><p>More.</p>" in text
    )
    (item,) = check_json(FORMATS["json"].render(feed(summary(lead=("Another opening.",)))))["items"]
    assert "A ferry line between" in item["content_html"]
    assert "Another opening." in item["content_html"]
