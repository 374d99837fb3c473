"""Bodies: safe HTML, absolute links, plain text, summaries."""

import random
from dataclasses import replace

import pytest
from content_samples import RULES, read, warnings
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from publisher.content import html, parse, text
from publisher.content.links import Links
from publisher.content.summary import generate
from publisher.errors import RefusedError
from publisher.model.article import Access, Manuscript
from publisher.model.personal import CLOSE, OPEN


def body(markdown: str, source: str = "2025/story.md") -> str:
    """Returns the HTML of a Markdown text."""
    return read(f"---\ntitle: T\n---\n{markdown}", source).body.html


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("[a](https://example.org/x?y=1)", '<p><a href="https://example.org/x?y=1" rel="noopener">a</a></p>'),
        ("[a](/about/)", '<p><a href="https://news.example.org/about/" rel="noopener">a</a></p>'),
        ("[a](//cdn.example.org/x)", '<p><a href="https://cdn.example.org/x" rel="noopener">a</a></p>'),
        (
            "[a](other-story.md#part)",
            '<p><a href="https://news.example.org/articles/other-story/#part" rel="noopener">a</a></p>',
        ),
        ("[a](../2024/2024-01-02-x.md)", '<p><a href="https://news.example.org/articles/x/" rel="noopener">a</a></p>'),
        ("[a](mailto:a@example.org)", '<p><a href="mailto:a@example.org" rel="noopener">a</a></p>'),
        ("[a](javascript:alert(1))", '<p><a rel="noopener">a</a></p>'),
        ("[a](data:text/html,x)", '<p><a rel="noopener">a</a></p>'),
        ("[a](../../etc/passwd.txt)", '<p><a rel="noopener">a</a></p>'),
        ("[a](#top)", '<p><a rel="noopener">a</a></p>'),
        ("![p](photo.jpg)", '<p><img src="https://news.example.org/media/k/2025/photo.jpg" alt="p"></p>'),
        ("![p](../../../x.jpg)", "<p></p>"),
        (
            '<img src=x.png onerror=alert(1) alt="a > b">',
            '<img src="https://news.example.org/media/k/2025/x.png" alt="a &gt; b">',
        ),
        ("<p onclick=x style=y class=z id=q>hi</p>", "<p>hi</p>"),
        ("# One\n\n## Two", "<h2>One</h2>\n<h2>Two</h2>"),
        ("- [x] done\n- [ ] open", "<ul>\n<li>☑ done</li>\n<li>☐ open</li>\n</ul>"),
        ("~~no~~ <u>yes</u>", "<p><del>no</del> <u>yes</u></p>"),
        ("a <!-- hidden --> b", "<p>a  b</p>"),
    ],
)
def test_html_is_safe_and_absolute(markdown, html):
    """What may not be shown is gone, what leads somewhere leads there from anywhere."""
    assert body(markdown) == html


@pytest.mark.parametrize("element", ["script", "iframe", "svg", "style", "object"])
def test_elements_left_out_are_warned_about(element):
    """With their content, and with the line."""
    story = read(f"---\ntitle: T\n---\nText.\n\n<{element}>canary</{element}>\n")
    assert "canary" not in story.body.html + story.body.text
    assert warnings(story) == [(6, f"<{element}> is not shown and was left out")]


def test_footnotes_have_ids_of_their_own_on_a_page_of_many_stories():
    """References and notes carry the story's slug."""
    html = body("Text[^1].\n\n[^1]: The note.\n")
    assert '<a href="#story-fn-1" id="story-fnref-1" rel="noopener">1</a>' in html
    assert '<li id="story-fn-1">' in html


def test_link_out_of_the_folder_is_a_warning():
    """The story goes out without it."""
    story = read("# T\n\n[x](../../secret.pdf)\n", "a/story.md")
    assert warnings(story) == [(1, "the link '../../secret.pdf' leads out of the articles folder and was left out")]
    assert story.assets == ()


def test_link_to_a_story_follows_the_sites_pattern():
    """Where the pattern needs a date that the name does not give, the link is left out with a warning."""
    rules = replace(RULES, permalink="/{year}/{slug}/")
    story = read("# T\n\n[x](2024-01-02-x.md) [y](y.md)\n", rules=rules)
    assert 'href="https://news.example.org/2024/x/"' in story.body.html
    assert warnings(story) == [(1, "the link 'y.md' cannot be resolved and was left out; write the whole address")]


MARKDOWN = """First *words* with a [link](https://example.org/a) and <https://example.org/b>.

## A heading

- one
- two
  - inner

3. three
4. four

> quoted
> text

| a | b |
|---|---|
| 1 | 2 |

```
code  here
  more
```

Line one\\
line two ![A boat](boat.jpg) note[^1].

---

[^1]: The note.
"""

PLAIN = """First words with a link (https://example.org/a) and https://example.org/b.

A heading

- one
- two
  - inner

3. three
4. four

> quoted text

a | b
1 | 2

    code  here
      more

Line one
line two [A boat] note[1].

* * *

1. The note."""


def test_plain_text_reads_like_a_letter():
    """Lists keep their marks, links their targets, quotes their bars."""
    assert read(f"---\ntitle: T\n---\n{MARKDOWN}").body.text == PLAIN


@pytest.mark.parametrize(
    ("front", "access", "summary"),
    [
        ("summary: Given.\n", Access.SUMMARY, "Given."),
        ("deck: The deck.\n", Access.SUMMARY, "The deck."),
        ("", Access.SUMMARY, "First sentence of all."),
        ("", Access.HEADLINE, "First sentence of all."),
        ("", Access.SUBSCRIBER, ""),
        ("summary: Given.\n", Access.SUBSCRIBER, "Given."),
    ],
)
def test_summary_given_deck_or_first_paragraph(front, access, summary):
    """Nothing of a subscribers-only text is ever summarised."""
    text = f"---\ntitle: T\n{front}---\n> a quote first\n\nFirst sentence of all.\n\nSecond paragraph.\n"
    assert read(text, rules=replace(RULES, default_access=access)).summary == summary


def test_section_access_keeps_the_summary_empty():
    """Effective access counts, not only the file's."""
    closed = {"economy": replace(RULES.sections["economy"], access=Access.SUBSCRIBER)}
    assert read("---\ntitle: T\nsection: economy\n---\nSecret.\n", rules=replace(RULES, sections=closed)).summary == ""


@pytest.mark.parametrize(
    ("paragraph", "summary"),
    [
        ("Short.", "Short."),
        ("One. Two. Three.", "One."),
        ("No full stop", "No full stop"),
        ("One. " + "Two " * 100, "One."),
        ("He met Dr. Ada. " + "Then " * 100, "He met Dr. Ada."),
        ("He met Dr. " + "Then " * 100, "He met Dr. " + "Then " * 56 + "Then…"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_summary_is_the_first_sentence_or_its_beginning(paragraph, summary):
    """At most 300 characters."""
    assert generate(paragraph) == summary
    assert len(summary) <= 300


@given(st.text(max_size=2000))
def test_summary_is_always_short_and_from_the_start(paragraph):
    """Whatever the paragraph."""
    summary = generate(paragraph)
    assert len(summary) <= 300
    assert " ".join(paragraph.split()).startswith(summary.removesuffix("…"))


@pytest.mark.parametrize("text", [f"{OPEN}name{CLOSE}", "&#xE000;name&#xE001;", "&#57344;name&#57345;"])
def test_personal_markers_never_pass(text):
    """Nobody may write a reader's name into a story."""
    story = read(f'---\ntitle: "T \\uE000name\\uE001"\ntags: ["\\uE000x"]\n---\n{text}\n')
    assert OPEN not in str(story)
    assert CLOSE not in str(story)
    assert story.title == "T name"
    assert story.body.text.strip("\ufffd") == "name"


def test_texts_are_nfc():
    """One spelling of each letter, in titles, bodies and paths."""
    story = read("# Cafe\u0301\n\ncafe\u0301\n", "cafe\u0301.md")
    assert (story.title, story.body.text, story.source, story.slug) == ("Café", "café", "café.md", "cafe")


def test_escaped_control_characters_never_reach_an_output():
    """XML could not carry them."""
    story = read('---\ntitle: "a\\x07b"\n---\nx&#7;y\n')
    assert (story.title, story.body.html) == ("ab", "<p>xy</p>")


SUFFIXES = st.sampled_from([".md", ".html", ".txt"])
PIECES = [
    "---\n", "+++\n", "title: T\n", "title = 'T'\n", "date: 2025-01-01\n", "access: public\n", "tags: [a, {b: c}]\n",
    "image: {src: 1}\n", "image: 'http://[x/y'\n", "corrections: [x]\n", "params: {a: b}\n", "urgency: 2\n",
    "corrections:\n  - {date: 2025-01-01, text: x}\n", "dateline: ,\n", "aliases: [//x, /%2e%2e/]\n",
    "permalink: ':year'\n", "contributors: [[]]\n", "enclosures: [a b.mp3]\n", "Title: x\n", "Staff | 02.09.2025\n",
    "- x\n", "ANKARA\n", "* Writing by A and B\n", "# h\n", "[^1]\n\n[^1]: n\n", "<b onclick=alert(1)>", "<script>",
    "</script>", "<svg/onload=alert(1)>", "<a href=' javascript:alert(1)'>", "[x](java\tscript:alert(1))",
    "[a](http://[::1)", "![x](%00.jpg)", "<img src=//x", "<math><mi//xlink:href='data:x,<script>'>", "<table><td>",
    "&#0;", "\u0301", "\ue000", "\n\n", "'", '"', ">", "`",
]  # fmt: skip
FRAGMENTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def check(source: str, data: bytes) -> None:
    """Takes or refuses a file, and looks at what came of it."""
    taken = outcome(source, data)
    if isinstance(taken, RefusedError):
        assert 1 <= taken.line <= data.count(b"\n") + data.count(b"\r") + 1
        assert taken.message
    else:
        check_output(taken)


def outcome(source: str, data: bytes) -> Manuscript | RefusedError:
    """Returns the story, or why there is none."""
    try:
        return parse(source, data, RULES)
    except RefusedError as error:
        return error


def check_output(story: Manuscript) -> None:
    """Asserts what every output relies on."""
    assert story.title
    tree = LexborHTMLParser(story.body.html)
    assert tree.body is not None
    for node in tree.body.css("*"):
        assert node.tag not in {"script", "iframe", "svg", "math", "style", "object", "form"}
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert name not in {"style", "class", "srcdoc"}
            if name in {"href", "src"}:
                assert (value or "").lower().startswith(("http://", "https://", "mailto:", f"#{story.slug}-fn"))
    assert not any(mark in str(story) for mark in (OPEN, CLOSE, "\x00", "\x07"))


@settings(max_examples=150, deadline=None)
@given(SUFFIXES, st.binary(max_size=300))
def test_arbitrary_bytes_are_taken_or_refused(suffix, data):
    """Nothing but RefusedError, ever."""
    check(f"fuzz{suffix}", data)


@settings(max_examples=300, deadline=None)
@given(SUFFIXES, FRAGMENTS)
@example(".md", "---\ntitle: T\n---\n<img src=//x")
def test_hostile_mixtures_are_safe(suffix, text):
    """Front matter, wire text, Markdown and HTML thrown together."""
    check(f"fuzz{suffix}", text.encode())


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), SUFFIXES)
def test_any_text_as_a_body(text, suffix):
    """A title does not make a text less hostile."""
    check(f"fuzz{suffix}", f"---\ntitle: T\n---\n{text}".encode(errors="replace"))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_file_name(name):
    """Slugs fit into addresses whatever a file is called."""
    story = parse(f"—{name}.md".replace("/", "_"), b"# T\n", RULES)
    assert 1 <= len(story.slug) <= 80
    assert set(story.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_prose_reads_the_same_with_and_without_a_tree() -> None:
    """Paragraphs of words and links are read as they are written; whatever else stands among them makes a tree."""
    chance = random.Random(7)
    links = '<a href="https://x.example/?a=1&b">|<a href="mailto:a@x.example">|<a href="#fn-1">|<a>|</a>|</a>'
    tags = '<p>|</p>|<p dir="rtl">|<h2>|</h2>|<b>|</b>|<code>|</code>'
    words = 'https://x.example/?a=1&amp;b|x.example/?a=1&amp;b|a@x.example|a word|&lt;|&amp;amp;|"| |  |\t|\n|\u2003'
    others = '<br>|<ul><li>|</ul>|&nbsp;|<em title="a > b">|</em>|<hr>|&#13;|<blockquote>'
    pieces = f"{links}|{tags}|{words}".split("|")
    prose = 0
    for _ in range(800):
        kinds = pieces if chance.random() < 0.7 else [*pieces, *others.split("|")]
        inside = (chance.choice(kinds) for _ in range(chance.randint(1, 9)))
        written = html.sanitise(f"<p>{''.join(inside)}</p>", Links("story.md", RULES, "story"))
        prose += text._of_prose(written) is not None
        assert text.plain(written) == text._of_tree(written), written
    assert 150 < prose < 800
