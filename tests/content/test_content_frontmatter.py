"""Front matter: dialects, aliases, types, warnings and refusals."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from content_samples import RULES, SECTIONS, read, refusal, warnings

from publisher.model.article import Access, Contributor, Correction, Dateline, Deliver, Enclosure, Image, Status

YAML = """---
title: Island leader reaches port city
deck: Leader to attend ceremony
summary: Short.
section: economy
tags: [ports, ferries]
authors:
  - Example staff
contributors:
  - {name: A. Writer, role: writer}
sources: Courier
dateline: {city: Ankara, country: TR}
date: 2025-09-02T12:10:00+03:00
updated: 2025-09-02T14:30:00+03:00
expires: 2026-09-02 00:00
access: summary
products: [isles]
urgency: important
key_points: ["One", 'Ties "will grow", says ministry']
language: en
slug: island-leader
id: tag:example.org,2025:island
image: {src: photo.jpg, alt: A ferry, credit: EX, w: 800, h: 600}
enclosures:
  - {url: talk.mp3, length: 12345, title: The talk}
corrections:
  - date: 2025-09-02T15:00:00+03:00
    kind: correction
    text: It is GGI, not CGI.
subjects: ["20000638", medtop:20000056]
aliases: [/old/island/]
ednote: internal
slugline: ISLAND-LEADER
embargo_reason: none
---
Text.
"""

TOML = """+++
headline = "Island leader reaches port city"
subtitle = "Leader to attend ceremony"
description = "Short."
category = "economy"
keywords = ["ports", "ferries"]
byline = "Example staff"
contributors = [{ name = "A. Writer", role = "writer" }]
sources = ["Courier"]
date = 2025-09-02T12:10:00+03:00
lastmod = 2025-09-02T14:30:00+03:00
expiryDate = 2026-09-02T00:00:00
access = "summary"
products = ["isles"]
urgency = 3
key_points = ["One", 'Ties "will grow", says ministry']
lang = "en"
slug = "island-leader"
id = "tag:example.org,2025:island"
subjects = ["20000638", "medtop:20000056"]
aliases = ["/old/island/"]
ednote = "internal"
slugline = "ISLAND-LEADER"
embargo_reason = "none"

[dateline]
city = "Ankara"
country = "TR"

[image]
src = "photo.jpg"
alt = "A ferry"
credit = "EX"
width = 800
height = 600

[[enclosures]]
url = "talk.mp3"
length = 12345
title = "The talk"

[[corrections]]
date = 2025-09-02T15:00:00+03:00
kind = "correction"
text = "It is GGI, not CGI."
+++
Text.
"""


@pytest.mark.parametrize("text", [YAML, TOML], ids=["yaml", "toml"])
def test_every_field_in_both_dialects(text):
    """YAML with canonical names and TOML with aliases say the same."""
    story = read(text, "2025/island.md")
    assert story.title == "Island leader reaches port city"
    assert (story.deck, story.summary) == ("Leader to attend ceremony", "Short.")
    assert (story.section, story.tags) == ("economy", ("ports", "ferries"))
    assert story.authors == ("Example staff",)
    assert story.contributors == (Contributor(name="A. Writer", role="writer"),)
    assert story.sources == ("Courier",)
    assert story.dateline == Dateline(city="Ankara", country="TR")
    assert story.date == datetime(2025, 9, 2, 9, 10, tzinfo=UTC)
    assert story.updated == datetime(2025, 9, 2, 11, 30, tzinfo=UTC)
    assert story.expires == datetime(2026, 9, 1, 21, 0, tzinfo=UTC)
    assert (story.access, story.products, story.urgency) == (Access.SUMMARY, ("isles",), 3)
    assert story.key_points == ("One", 'Ties "will grow", says ministry')
    assert (story.language, story.slug, story.slug_given) == ("en", "island-leader", True)
    assert story.id == "tag:example.org,2025:island"
    assert story.image == Image(src="/media/k/2025/photo.jpg", alt="A ferry", credit="EX", width=800, height=600)
    assert story.enclosures == (
        Enclosure(
            url="https://news.example.org/media/k/2025/talk.mp3",
            media_type="audio/mpeg",
            length=12345,
            title="The talk",
        ),
    )
    assert story.corrections == (
        Correction(at=datetime(2025, 9, 2, 12, 0, tzinfo=UTC), kind="correction", text="It is GGI, not CGI."),
    )
    assert story.subjects == ("20000638", "20000056")
    assert story.aliases == ("/old/island/",)
    assert story.assets == ("2025/photo.jpg", "2025/talk.mp3")
    assert story.body.html == "<p>Text.</p>"
    assert story.warnings == ()


@pytest.mark.parametrize("prefix", ["", "\ufeff", "\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_ends_do_not_hide_front_matter(prefix, newline):
    """A gated story stays gated whatever its editor program puts around it."""
    text = prefix + "---\ntitle: T\naccess: subscriber\n---\nBody\n"
    assert read(text.replace("\n", newline)).access is Access.SUBSCRIBER


def test_values_stay_as_written():
    """YAML 1.1 would read Norwegian as false, and take zeros away."""
    story = read(
        "---\ntitle: 007\nslug: 0123\nlanguage: no\ntags: [yes, 1.10]\n---\n", rules=replace(RULES, languages=())
    )
    assert (story.title, story.slug, story.language, story.tags) == ("007", "0123", "no", ("yes", "1.10"))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("---\ntitle: T\nBody without end\n", 1, "never closed"),
        ("+++\ntitle = 'T'\n", 1, "never closed"),
        ("---\ntitle: T\ndeck: one: two\n---\n", 3, "put a value that holds a colon into quotes"),
        ("---\ntitle: T\n\tdeck: x\n---\n", 3, "YAML"),
        ("---\ntitle: T\ntitle: U\n---\n", 3, "given twice"),
        ("---\ntitle: T\nheadline: U\naccess: public\nAccess: subscriber\n---\n", 5, "given twice"),
        ("---\n- title\n---\n", 2, "not a list of `key: value` lines"),
        ("---\ntitle: !!python/object:os.system x\n---\n", 2, "tag"),
        ("---\ntitle: *a\n---\n", 2, "alias"),
        ("---\ntitle: " + "[" * 40 + "\n---\n", 2, "nested deeper"),
        ("---\nd: " + "[" * 60000 + "\n---\n", 2, "nested deeper"),
        ("---\na: &a x\nb: [" + "*a," * 60 + "]\n---\n", 3, "aliases"),
        ("---\ntitle: T\nednote: " + "x" * 70000 + "\n---\n", 1, "longer than 64 KiB"),
        ("---\n" + "".join(f"k{i}: v\n" for i in range(300)) + "---\n", 202, "more than 200 keys"),
        ("+++\ntitle = 'T'\ndeck = x\n+++\n", 3, "TOML"),
        ("+++\ntitle = 'T'\nx = " + "[" * 30000 + "\n+++\n", 2, "nested too deep"),
        ("+++\n" + ".".join("a" * 20000) + " = 1\n+++\n", 2, "more than 30 parts"),
        ("+++\nx = " + "1" * 5000 + "\n+++\n", 2, "TOML"),
        ('{\n"title": "T"\n}\n', 1, "JSON"),
        ("---\ndeck: D\n---\nBody\n", 1, "no title"),
        ("---\ndeck: D\n---\n# Heading\n", 1, "no title"),
        ("---\ntitle:\n---\n", 1, "no title"),
        ("---\ntitle: [a]\n---\n", 2, "must be a text"),
        ("---\ntitle: T\ndate: tomorrow\n---\n", 3, "02.09.2025"),
        ("---\ntitle: T\ndate: 2025-13-01\n---\n", 3, "not a date"),
        ("+++\ntitle = 'T'\ndate = 12:00:00\n+++\n", 3, "not a date"),
        ("+++\ntitle = 'T'\ndate = 2025\n+++\n", 3, "not a date"),
        ("---\ntitle: T\ndate: 09/02/2025\n---\n", 3, "not a date"),
        ("---\ntitle: T\naccess: subscribers\n---\n", 3, "public, summary, headline, subscriber"),
        ("---\ntitle: T\naccess:\n---\n", 3, "access is nothing"),
        ("---\ntitle: T\naccess: [public]\n---\n", 3, "write one of"),
        ("---\ntitle: T\nacess: subscriber\n---\n", 3, "did you mean access?"),
        ("---\ntitle: T\nparams: {acces: subscriber}\n---\n", 3, "did you mean access?"),
        ("---\ntitle: T\naccess: public\nparams: {access: subscriber}\n---\n", 4, "given twice"),
        ("---\ntitle: T\nvisibility: members\n---\n", 3, "say who may read the story with access"),
        ("---\ntitle: T\nstatus: finished\n---\n", 3, "write one of"),
        ("---\ntitle: T\ndraft: maybe\n---\n", 3, "true or false"),
        ("---\ntitle: T\nstatus: published\ndraft: true\n---\n", 3, "keep one"),
        ("---\ntitle: T\nstatus: killed\n---\n", 3, "kill_reason"),
        ("---\ntitle: T\npublish_at: 2025-01-01 10:00\nembargo: 2025-01-01 10:00\n---\n", 4, "keep one"),
        ("---\ntitle: T\nslug: My Story!\n---\n", 3, "write my-story"),
        ("---\ntitle: T\nslug: ../../etc\n---\n", 3, "write etc"),
        ("---\ntitle: T\nid: 42\n---\n", 3, "absolute URI"),
        ("---\ntitle: T\nid: 'urn:with space'\n---\n", 3, "absolute URI"),
        ("---\ntitle: T\nurgency: 0\n---\n", 3, "1 to 9"),
        ("---\ntitle: T\ndeliver: post\n---\n", 3, "both, mail, web"),
        ("---\ntitle: T\ndelivr: mail\n---\n", 3, "did you mean deliver?"),
        ("---\ntitle: T\nemail_only: true\ndeliver: web\n---\n", 4, "keep one"),
        ("---\ntitle: T\nlanguage: english language\n---\n", 3, "tag such as en"),
        ("---\ntitle: T\nproducts: [-asia]\n---\n", 3, "'asia'"),
        ("---\ntitle: T\ncorrections:\n  - date: 2025-09-02 10:00\n    kind: oops\n    text: x\n---\n", 4, "kind"),
        ("---\ntitle: T\ncorrections:\n  - {date: 2025-09-02 10:00}\n---\n", 4, "text is needed"),
        (
            "+++\ntitle = 'T'\n[[corrections]]\ndate = 2025-09-02\ntext = 'a'\n[[corrections]]\ntext = 'b'\n+++\n",
            6,
            "date",
        ),
        ("---\ntitle: T\ncontributors: [{role: writer}]\n---\n", 3, "needs a name"),
        ("---\ntitle: T\npermalink: /admin/\n---\n", 3, "cannot be the address"),
        ("---\ntitle: T\npermalink: /a/../b/\n---\n", 3, "cannot be the address"),
        ("---\ntitle: T\npermalink: '/:year/:slug/'\n---\n", 3, "needs a date"),
        ("Title: T\nAccess: subscriber\nno colon here\n", 3, "empty line"),
        ("Title: T\nTitle: U\n\nText\n", 2, "given twice"),
    ],
)
def test_refusals_name_the_line_and_what_to_do(text, line, message):
    """Whatever cannot be read with certainty is not published."""
    at, said = refusal(text)
    assert message in said
    assert at == line


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"", 1, "empty"),
        (b" \n\n", 1, "empty"),
        (b"\xef\xbb\xbf", 1, "empty"),
        (b"# T\n\ncaf\xe9 au lait\n", 3, "not UTF-8: byte 0xe9"),
        (b"\xff\xfe#\x00", 1, "not UTF-8"),
        ("# T\n\nçay ç".encode()[:-1], 3, "middle of a character"),
        (b"# T\n\nzero\x00byte\n", 3, "U+0000"),
        (b"# T\nbell\x07\n", 2, "U+0007"),
        (b"x" * (5 * 1024 * 1024), 1, "5.0 MiB"),
        (("# T\n\na" + "\u0301" * 100).encode(), 3, "accents"),
        (b"# T\n\n" + b">" * 20000, 1, "nested deeper"),
        (b"# T\n\n" + b"<div>" * 5000, 1, "nested deeper"),
        (b"# T\n\n<a " + b" ".join(b"a%d=1" % i for i in range(20000)) + b">", 1, "attributes"),
        (b"# T\n\n" + b"[^1]" * 200000 + b"\n\n[^1]: x\n", 1, "unfolds"),
    ],
)
def test_bytes_that_are_no_article(data, line, message):
    """Broken, half-written, oversized and hostile files are refused by name of line and reason."""
    assert refusal(data)[0] == line
    assert message in refusal(data)[1]


def test_name_without_a_known_ending_is_refused():
    """Only what can be read is read."""
    assert "use .md, .html or .txt" in refusal("x", "story.docx")[1]


def test_unknown_keys_are_one_warning_each_with_a_hint():
    """Other generators' keys about looks are passed over quietly."""
    story = read(
        "---\ntitle: T\nlayout: post\nsection_name: x\nmood: good\ntitel: U\nweight: 3\nmenu: {main: {}}\n---\n"
    )
    assert warnings(story) == [
        (4, "unknown key section_name"),
        (5, "unknown key mood"),
        (6, "unknown key titel; did you mean title?"),
    ]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2025-09-02T12:10:00+03:00", (2025, 9, 2, 9, 10)),
        ("2025-09-02T09:10:00Z", (2025, 9, 2, 9, 10)),
        ("2025-09-02 12:10", (2025, 9, 2, 9, 10)),
        ("2025-09-02 12:10:00 +0300", (2025, 9, 2, 9, 10)),
        ("2025-9-2 9:10 UTC", (2025, 9, 2, 9, 10)),
        ("2025/09/02 12:10", (2025, 9, 2, 9, 10)),
        ("02.09.2025 12:10", (2025, 9, 2, 9, 10)),
        ("Tue, 02 Sep 2025 12:10:00 +0300", (2025, 9, 2, 9, 10)),
        ("2025-09-02T12:10:00.123456789+03:00", (2025, 9, 2, 9, 10, 0, 123456)),
    ],
)
def test_times_in_every_form(typed, expected):
    """Naive ones are in the site's zone; none of these is warned about."""
    story = read(f"---\ntitle: T\ndate: {typed}\n---\n")
    assert story.date == datetime(*expected, tzinfo=UTC)
    assert story.warnings == ()


@pytest.mark.parametrize("typed", ["2025-09-02", "02.09.2025", "2.9.2025"])
def test_a_day_is_its_midnight_with_a_warning(typed):
    """Day-first with dots, always."""
    story = read(f"---\ntitle: T\ndate: {typed}\n---\n")
    assert story.date == datetime(2025, 9, 1, 21, tzinfo=UTC)
    assert warnings(story) == [(3, "date has no time; 00:00 Europe/Istanbul is meant")]


def test_updated_before_date_is_not_used():
    """A file cannot be changed before it was published."""
    story = read("---\ntitle: T\ndate: 2025-09-02 10:00\nupdated: 2025-09-01 10:00\n---\n")
    assert story.updated is None
    assert warnings(story) == [(4, "updated lies before date and is not used")]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("draft: true", Status.DRAFT),
        ("draft: false", Status.PUBLISHED),
        ("published: false", Status.DRAFT),
        ("date: 2025-01-01 10:00\npublished: false", Status.DRAFT),
        ("published: true", Status.PUBLISHED),
        ("status: hidden", Status.DRAFT),
        ("status: Held", Status.HELD),
        ("status: killed\nkill_reason: wrong", Status.KILLED),
    ],
)
def test_status_in_every_form(line, status):
    """Every generator has its own way to keep a story back."""
    assert read(f"---\ntitle: T\n{line}\n---\n").status is status


@pytest.mark.parametrize(
    ("line", "deliver"),
    [
        ("deck: D", Deliver.BOTH),
        ("deliver: mail", Deliver.MAIL),
        ("deliver: web", Deliver.WEB),
        ("email_only: true", Deliver.MAIL),
        ("email_only: false", Deliver.BOTH),
    ],
)
def test_the_ways_a_story_goes(line, deliver):
    assert read(f"---\ntitle: T\n{line}\n---\n").deliver is deliver


@pytest.mark.parametrize("name", ["Economy", "economy", "EKONOMİ", "ekonomi"])
def test_section_by_id_or_title_in_any_language(name):
    """Titles are compared as slugs, so that no locale's case rules matter."""
    assert read(f"---\ntitle: T\nsection: {name}\n---\n").section == "economy"


def test_unknown_section_is_a_warning_and_stays_a_tag():
    """The story is published, in no section."""
    story = read("---\ntitle: T\nsection: Sport\n---\n")
    assert (story.section, story.tags, story.access) == (None, ("Sport",), None)
    assert warnings(story) == [
        (3, "unknown section 'Sport': the story stands in none; use one of isles-north, economy")
    ]


def test_unknown_section_never_opens_a_story():
    """A misspelt section may have been the one for subscribers only."""
    closed = {**SECTIONS, "desk": replace(SECTIONS["economy"], id="desk", access=Access.SUBSCRIBER)}
    rules = replace(RULES, sections=closed)
    assert read("---\ntitle: T\nsection: dekk\n---\nSecret.\n", rules=rules).access is Access.SUBSCRIBER
    assert read("---\ntitle: T\nsection: dekk\n---\nSecret.\n", rules=rules).summary == ""
    assert read("---\ntitle: T\nsection: dekk\naccess: public\n---\nOpen.\n", rules=rules).access is Access.PUBLIC


def test_unknown_product_is_a_warning():
    """It adds no reader."""
    assert warnings(read("---\ntitle: T\nproducts: [moon]\n---\n")) == [
        (3, "unknown product 'moon'; add [[products]] to config.toml")
    ]


@pytest.mark.parametrize(
    ("line", "authors"),
    [
        ("author: Smith, John", ("Smith, John",)),
        ("authors: A. One, B. Two", ("A. One", "B. Two")),
        ("authors: Smith, John; Roe, Jane", ("Smith, John", "Roe, Jane")),
        ("byline: By A. One", ("A. One",)),
        ("author: {name: A. One, email: a@example.org}", ("A. One",)),
        ("authors: [{name: A. One}, B. Two]", ("A. One", "B. Two")),
    ],
)
def test_authors_in_every_form(line, authors):
    """Only the plural parts a string."""
    assert read(f"---\ntitle: T\n{line}\n---\n").authors == authors


def test_language_tags_are_written_the_standard_way():
    """RFC 5646 §2.1.1; one the site does not have is a warning."""
    story = read("---\ntitle: T\nlang: PT_br\n---\n")
    assert story.language == "pt-BR"
    assert warnings(story) == [(3, "language pt-BR is not one of the site's (en, tr)")]


def test_aliases_that_would_take_a_place_of_the_program_are_left_out():
    """An alias is written into public/: it must neither leave it nor cover a feed."""
    story = read("---\ntitle: T\naliases: [old, /feeds/all.rss, /../x, '/a b/', /caf%C3%A9/]\n---\n")
    assert story.aliases == ("/old/", "/a%20b/", "/caf%C3%A9/")
    assert [line for line, _ in warnings(story)] == [3, 3]


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("/about", "/about/"),
        ("/old/page.html", "/old/page.html"),
        ("/:year/:month/:day/:title/", "/2025/09/02/story/"),
        ("/{year}/{slug}/", "/2025/story/"),
        ("pretty", "/economy/2025/09/02/story/"),
    ],
)
def test_permalinks_of_other_generators(typed, address):
    """Placeholders are filled in the site's zone."""
    assert (
        read(f"---\ntitle: T\nsection: economy\ndate: 2025-09-02 00:30\npermalink: '{typed}'\n---\n").permalink
        == address
    )
