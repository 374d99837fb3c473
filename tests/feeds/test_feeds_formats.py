"""What every format says of the same entries."""

import json
import locale
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import feedparser
import pytest
import time_machine
from feed_rules import ATOM, CONTENT, DC, DCTERMS, MEDIA, XML_LANG, check_atom, check_json, check_rss
from feed_samples import AUDIO, CANARY, CORRECTION, IMAGE, NOTICE, PUBLISHED, REPORT, UPDATED, feed, full, summary

from publisher.feeds import FORMATS
from publisher.model.article import Image
from publisher.model.feed import Feed
from publisher.model.view import Depth, Label, View

CHECKS: dict[str, Callable[[bytes], Any]] = {"rss": check_rss, "atom": check_atom, "json": check_json}
TURKISH = summary(
    id="tag:news.example.org,2026-03-08:vapur",
    language="tr",
    title="Vapur hattı yeniden açıldı",
    deck="İlk vapur şafakta",
    url="https://news.example.org/articles/vapur-hatt%C4%B1/",
)
SECRET = full(id="tag:news.example.org,2026-03-08:secret", url=None, summary="", deck="", key_points=())
STONE = summary(
    id="tag:news.example.org,2026-03-08:gone",
    depth=Depth.TOMBSTONE,
    url=None,
    title="STORY WITHDRAWN (ref 7)",
    deck="",
    key_points=(),
    section=None,
    tags=(),
    authors=(),
    contributors=(),
    notice=None,
)
HEADLINE = summary(
    id="tag:news.example.org,2026-03-08:head", depth=Depth.HEADLINE, deck="", summary="", key_points=(), notice=None
)
RICH = full(
    id="tag:news.example.org,2026-03-08:rich", image=IMAGE, enclosures=(AUDIO, REPORT), corrections=(CORRECTION,)
)
EVERYTHING = feed(summary(), TURKISH, SECRET, STONE, HEADLINE, RICH)


def rendered(name: str, *entries: View, **said: Any) -> Any:
    """Returns the checked document of one format."""
    return CHECKS[name](FORMATS[name].render(feed(*entries, **said)))


def item(*entries: View, **said: Any) -> Any:
    return rendered("rss", *entries, **said).find("item")


def entry(*entries: View, **said: Any) -> Any:
    return rendered("atom", *entries, **said).find(f"{ATOM}entry")


def json_item(*entries: View, **said: Any) -> Any:
    return rendered("json", *entries, **said)["items"][0]


def test_the_registry_knows_the_formats_by_name_and_how_they_are_served():
    assert {name: (f.name, f.extension, f.content_type) for name, f in FORMATS.items()} == {
        "rss": ("rss", "rss", "application/rss+xml; charset=utf-8"),
        "atom": ("atom", "atom", "application/atom+xml; charset=utf-8"),
        "json": ("json", "json", "application/feed+json"),
    }
    assert FORMATS["atom"].url_of(feed()) == "https://news.example.org/feeds/all.atom"


def test_every_registered_format_is_checked_here():
    assert CHECKS.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.parametrize(
    "sample", [EVERYTHING, feed(), feed(description="", author="", title="  ")], ids=["all", "none", "bare"]
)
def test_documents_keep_the_rules_of_their_format(name: str, sample: Feed):
    CHECKS[name](FORMATS[name].render(sample))


@pytest.mark.parametrize("name", ["rss", "atom"])
def test_feedparser_reads_every_entry_and_complains_of_nothing(name: str):
    parsed = feedparser.parse(FORMATS[name].render(EVERYTHING))
    assert not parsed.bozo
    assert [e.id for e in parsed.entries] == [view.id for view in EVERYTHING.entries]
    assert parsed.feed.title == "Example News Flow"
    for e, view in zip(parsed.entries, EVERYTHING.entries, strict=True):
        assert e.title == view.title
        assert e.get("link") in (view.url, view.id)  # feedparser takes the id where there is no link
        assert e.published_parsed == view.published_at.utctimetuple()
        assert e.updated_parsed == view.updated_at.utctimetuple()


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_same_views_are_the_same_bytes_whenever_and_wherever(name: str, monkeypatch: pytest.MonkeyPatch):
    with time_machine.travel(datetime(2026, 3, 9, tzinfo=UTC)):
        first = FORMATS[name].render(EVERYTHING)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    with time_machine.travel(datetime(2031, 7, 1, tzinfo=UTC)):
        second = FORMATS[name].render(EVERYTHING)
    monkeypatch.undo()
    time.tzset()
    assert first == second
    assert b"2031" not in second


@pytest.mark.parametrize("name", list(FORMATS))
def test_rendering_leaves_the_locale_of_the_process_alone(name: str, monkeypatch: pytest.MonkeyPatch):
    """feedgen's own date format sets it, for all threads."""

    def refuse(*_: object) -> str:
        raise AssertionError("the locale was touched")

    monkeypatch.setattr(locale, "setlocale", refuse)
    FORMATS[name].render(EVERYTHING)


@pytest.mark.parametrize("name", list(FORMATS))
def test_order_is_that_of_the_feed(name: str):
    document = FORMATS[name].render(EVERYTHING).decode()
    positions = [document.index(view.id) for view in EVERYTHING.entries]
    assert positions == sorted(positions)


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_body_can_get_out_of_a_view(name: str):
    """A View made of a FullView's own parts still has no body to give."""
    whole = full()
    less = View(**{field: getattr(whole, field) for field in View.__dataclass_fields__})
    assert CANARY in FORMATS[name].render(feed(whole)).decode()
    assert CANARY not in FORMATS[name].render(feed(less)).decode()


def test_a_full_entry_brings_the_whole_text_in_every_format():
    body = (
        "<ul><li>First boat at dawn</li><li>Nine years &lt; ten</li></ul>"
        f"<p>IZMIR — Opening words.</p><p>And {CANARY}.</p><div>Writing by A. Writer</div>"
    )
    view = full()
    assert item(view).findtext(CONTENT) == body
    assert entry(view).findtext(f"{ATOM}content") == body
    assert json_item(view)["content_html"] == body


def test_a_summary_brings_the_portion_and_one_closing_notice():
    html = (
        "<p>First boat leaves at dawn</p><p>A ferry line between two port cities is open again.</p>"
        "<ul><li>First boat at dawn</li><li>Nine years &lt; ten</li></ul>"
        "<p>Example &lt;News&gt; &amp; Flow publishes only part of its report here. "
        '<a href="mailto:s@example.org?subject=Options%20%28ref%201%29&amp;cc=d@example.org">Contact us</a></p>'
    )
    view = summary()
    assert item(view).findtext("description") == html
    assert item(view).find(CONTENT) is None
    assert entry(view).findtext(f"{ATOM}summary") == html
    assert entry(view).find(f"{ATOM}content") is None
    assert json_item(view)["content_html"] == html
    assert json_item(view)["summary"] == "A ferry line between two port cities is open again."


def test_full_entries_carry_no_notice_and_still_a_summary():
    view = full()
    assert "publishes only part" not in FORMATS["rss"].render(feed(view)).decode()
    assert item(view).findtext("description").startswith("<p>First boat leaves at dawn</p>")
    assert entry(view).findtext(f"{ATOM}summary").startswith("<p>First boat leaves at dawn</p>")
    assert "notice" not in json_item(view)["_wire"]


def test_a_deck_that_is_the_summary_is_said_once():
    view = summary(deck="Same words", summary="Same words", key_points=(), notice=None)
    assert item(view).findtext("description") == "<p>Same words</p>"


def test_an_entry_without_a_page_has_no_link_but_its_content():
    assert item(SECRET).find("link") is None
    assert [link.get("rel") for link in entry(SECRET).findall(f"{ATOM}link")] == []
    assert CANARY in entry(SECRET).findtext(f"{ATOM}content")
    assert "url" not in json_item(SECRET)


def test_a_tombstone_without_a_page_says_what_happened():
    assert entry(STONE).findtext(f"{ATOM}content") == "<p>A ferry line between two port cities is open again.</p>"
    assert item(STONE).findtext("title") == "STORY WITHDRAWN (ref 7)"


def test_where_there_is_nothing_to_summarise_the_title_stands():
    assert item(HEADLINE).findtext("description") == "<p>Ferry line &amp; port reopen</p>"
    assert entry(HEADLINE).find(f"{ATOM}summary") is None
    assert json_item(HEADLINE)["content_html"] == "<p>Ferry line &amp; port reopen</p>"
    assert "summary" not in json_item(HEADLINE)


def test_corrections_open_the_text_in_the_language_of_the_story():
    view = full(corrections=(CORRECTION,), language="tr")
    note = "<p><strong>Düzeltme:</strong> Nine years, not &lt;eight&gt;.</p>"
    assert item(view).findtext(CONTENT).startswith(note)
    assert json_item(view)["content_html"].startswith(note)
    assert (
        item(summary(corrections=(CORRECTION,))).findtext("description").startswith("<p><strong>Correction:</strong>")
    )


def test_a_quiet_refile_is_not_talked_about():
    assert "refile" not in item(full(corrections=(replace(CORRECTION, kind="refile"),))).findtext(CONTENT).lower()


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ({"dateline": "Izmir"}, "<p>IZMIR — Opening"),
        ({"dateline": "İzmir", "language": "tr"}, "<p>İZMİR — Opening"),
        ({"dateline": "A & B"}, "<p>A &amp; B — Opening"),
        ({"dateline": ""}, "<p>Opening"),
        ({"body_html": '<p dir="ltr">Opening</p>'}, '<p dir="ltr">IZMIR — Opening'),
        ({"body_html": "<pre>Opening</pre>"}, "<p>IZMIR —</p><pre>Opening"),
        ({"body_html": "<p>IZMIR - Opening</p>", "body_text": "IZMIR - Opening"}, "<p>IZMIR - Opening"),
    ],
    ids=str,
)
def test_the_dateline_runs_into_the_first_paragraph(said: dict[str, Any], start: str):
    """Unless the text has it already."""
    assert item(full(key_points=(), **said)).findtext(CONTENT).startswith(start)


def test_dates_say_when_it_came_out_and_when_it_changed():
    view = summary()
    assert item(view).findtext("pubDate") == "Sun, 08 Mar 2026 09:30:00 +0000"
    assert item(view).findtext(f"{DCTERMS}modified") == "2026-03-08T14:30:00+00:00"
    assert entry(view).findtext(f"{ATOM}published") == "2026-03-08T09:30:00+00:00"
    assert entry(view).findtext(f"{ATOM}updated") == "2026-03-08T14:30:00+00:00"
    assert json_item(view)["date_published"] == "2026-03-08T09:30:00+00:00"
    assert json_item(view)["date_modified"] == "2026-03-08T14:30:00+00:00"


def test_an_entry_that_did_not_change_has_no_date_of_change_in_json():
    assert "date_modified" not in json_item(summary(updated_at=PUBLISHED))


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_feed_changes_when_its_data_says_so(name: str):
    moment = datetime(2026, 3, 8, 14, 30, 5, 123456, tzinfo=timezone(timedelta(hours=3)))
    document = FORMATS[name].render(feed(updated_at=moment)).decode()
    assert "123456" not in document
    assert {"rss": "Sun, 08 Mar 2026 14:30:05 +0300", "atom": "2026-03-08T14:30:05+03:00", "json": ""}[name] in document


def test_links_lead_to_the_feed_itself_and_to_its_page():
    channel, root = rendered("rss", summary()), rendered("atom", summary())
    document = rendered("json", summary())
    assert channel.findtext("link") == "https://news.example.org/"
    assert channel.find(f"{ATOM}link").get("href") == "https://news.example.org/feeds/all.rss"
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {"self": "https://news.example.org/feeds/all.atom", "alternate": "https://news.example.org/"}
    assert document["feed_url"] == "https://news.example.org/feeds/all.json"
    assert entry(summary()).find(f"{ATOM}link").attrib == {
        "rel": "alternate",
        "type": "text/html",
        "href": "https://news.example.org/articles/ferry-line/",
    }


def test_hubs_are_announced_for_public_feeds_and_never_for_private_ones():
    hub = "https://hub.example/"
    channel = rendered("rss", hubs=(hub,))
    assert [e.get("href") for e in channel.findall(f"{ATOM}link") if e.get("rel") == "hub"] == [hub]
    assert channel.findtext("link") == "https://news.example.org/"
    root = rendered("atom", hubs=(hub,))
    assert [e.get("href") for e in root.findall(f"{ATOM}link") if e.get("rel") == "hub"] == [hub]
    assert rendered("json", hubs=(hub,))["hubs"] == [{"url": hub, "type": "WebSub"}]
    for name in FORMATS:
        assert hub not in FORMATS[name].render(feed(hubs=(hub,), private=True)).decode()


def test_people_are_named_by_their_role():
    view = summary()
    assert [e.text for e in item(view).findall(f"{DC}creator")] == ["Example staff", "C. Author"]
    assert [e.text for e in item(view).findall(f"{DC}contributor")] == ["A. Writer"]
    assert item(view).find("author") is None, "RSS wants an address there"
    assert [e.findtext(f"{ATOM}name") for e in entry(view).findall(f"{ATOM}author")] == ["Example staff", "C. Author"]
    assert entry(view).findtext(f"{ATOM}contributor/{ATOM}name") == "A. Writer"
    assert json_item(view)["authors"] == [{"name": "Example staff"}, {"name": "C. Author"}]


def test_an_entry_without_authors_is_by_the_feeds():
    view = summary(authors=())
    assert entry(view).find(f"{ATOM}author") is None
    assert rendered("atom", view).findtext(f"{ATOM}author/{ATOM}name") == "Example News Flow"
    assert json_item(view)["authors"] == [{"name": "Example News Flow"}]
    assert rendered("atom", view, author="").findtext(f"{ATOM}author/{ATOM}name") == "Example News Flow"


def test_subjects_have_their_scheme_and_label_and_come_once():
    tags = (Label(id="transport", title="transport"), Label(id="Transport", title="Transport"))
    view = summary(urgency=1, tags=tags)
    assert [(c.get("domain"), c.text) for c in item(view).findall("category")] == [
        ("https://news.example.org/sections/", "Asia - Pacific"),
        (None, "transport"),
        (None, "Flash"),
    ]
    assert [dict(c.attrib) for c in entry(view).findall(f"{ATOM}category")] == [
        {"term": "asia-pacific", "scheme": "https://news.example.org/sections/", "label": "Asia - Pacific"},
        {"term": "transport", "label": "transport"},
        {"term": "urgency-1", "label": "Flash"},
    ]
    assert json_item(view)["tags"] == ["Asia - Pacific", "transport", "Flash"]


def test_a_language_is_said_where_it_is_another_than_the_feeds():
    assert rendered("atom", TURKISH).get(XML_LANG) == "en"
    assert entry(TURKISH).get(XML_LANG) == "tr"
    assert entry(summary()).get(XML_LANG) is None
    assert item(TURKISH).findtext(f"{DC}language") == "tr"
    assert item(summary()).find(f"{DC}language") is None
    assert json_item(TURKISH)["language"] == "tr"
    assert "language" not in json_item(summary())
    assert rendered("rss", TURKISH, language="tr").findtext("language") == "tr"


def test_a_picture_comes_with_its_words():
    for element in (item(RICH), entry(RICH)):
        content = element.find(f"{MEDIA}content")
        assert dict(content.attrib) == {
            "url": IMAGE.src,
            "medium": "image",
            "type": "image/jpeg",
            "width": "1200",
            "height": "800",
        }
        assert content.findtext(f"{MEDIA}description") == "The ferry at dawn"
        assert content.findtext(f"{MEDIA}credit") == "B. Lens"
        assert content.find(f"{MEDIA}thumbnail").get("url") == IMAGE.src
    assert json_item(RICH)["image"] == IMAGE.src


def test_a_picture_of_which_little_is_known_claims_little():
    content = item(summary(image=Image(src="https://e.example/picture"))).find(f"{MEDIA}content")
    assert dict(content.attrib) == {"url": "https://e.example/picture", "medium": "image"}
    assert [child.tag for child in content] == [f"{MEDIA}thumbnail"]


def test_files_go_with_the_entry():
    """RSS has room for one."""
    assert dict(item(RICH).find("enclosure").attrib) == {
        "url": AUDIO.url,
        "length": "1234",
        "type": "audio/mpeg",
    }
    links = [dict(e.attrib) for e in entry(RICH).findall(f"{ATOM}link") if e.get("rel") == "enclosure"]
    assert links == [
        {"rel": "enclosure", "type": "audio/mpeg", "href": AUDIO.url, "length": "1234", "title": "Listen"},
        {"rel": "enclosure", "type": "application/pdf", "href": REPORT.url},
    ]
    assert json_item(RICH)["attachments"] == [
        {"url": AUDIO.url, "mime_type": "audio/mpeg", "title": "Listen", "size_in_bytes": 1234},
        {"url": REPORT.url, "mime_type": "application/pdf"},
    ]


def test_a_file_of_unknown_size_has_length_zero_in_rss():
    assert item(full(enclosures=(REPORT,))).find("enclosure").get("length") == "0"


def test_json_keeps_what_news_needs_in_an_extension_of_its_own():
    assert json_item(summary(urgency=2))["_wire"] == {
        "version": 2,
        "urgency": 2,
        "depth": "summary",
        "located": "Izmir",
        "key_points": ["First boat at dawn", "Nine years < ten"],
        "sources": ["Harbour Gazette"],
        "notice": {
            "text": f"{NOTICE.text} Contact us: {NOTICE.contact}",
            "contact": NOTICE.contact,
        },
    }


def test_a_notice_without_a_contact_is_a_sentence_alone():
    view = summary(notice=replace(NOTICE, contact=""))
    assert item(view).findtext("description").endswith("part of its report here.</p>")
    assert json_item(view)["_wire"]["notice"]["text"] == NOTICE.text


def test_titles_are_plain_text_in_every_format():
    view = summary(title="A <b>bold</b>\n claim & more")
    assert item(view).findtext("title") == "A <b>bold</b> claim & more"
    assert entry(view).findtext(f"{ATOM}title") == "A <b>bold</b> claim & more"
    assert json_item(view)["title"] == "A <b>bold</b> claim & more"


def test_a_title_of_nothing_printable_becomes_the_id():
    view = summary(title="\x00\x1f ")
    assert item(view).findtext("title") == view.id


def test_json_is_utf_8_as_written():
    assert "İlk vapur şafakta" in FORMATS["json"].render(feed(TURKISH)).decode("utf-8")
    assert json.loads(FORMATS["json"].render(feed(TURKISH)))["items"][0]["title"] == TURKISH.title


def test_stamps_of_the_samples_differ():
    """Else the tests of dates would prove nothing."""
    assert PUBLISHED < UPDATED
