"""Folders made for Hugo, Jekyll and Pelican, as they are."""

from datetime import UTC, datetime

import pytest
from content_samples import RULES, read, refusal, warnings

from publisher.model.article import Status


def test_hugo_page_bundle_is_named_by_its_folder():
    """Its pictures lie beside it."""
    story = read(
        '+++\ntitle = "My post"\ndate = 2024-03-01T10:00:00Z\ndraft = false\nweight = 3\ntags = ["x"]\n'
        'categories = ["Economy", "Ferries"]\n[params]\nauthor = "A. Writer"\n'
        '[cover]\nimage = "cover.jpg"\nalt = "C"\n+++\n'
        "![A boat](images/boat%201.jpg)\n\n[file](../files/plan.pdf)\n",
        "posts/my-post/index.md",
    )
    assert story.slug == "my-post"
    assert story.section == "economy"
    assert story.tags == ("x", "Ferries")
    assert story.authors == ("A. Writer",)
    assert story.image is not None
    assert story.image.src == "/media/k/posts/my-post/cover.jpg"
    assert story.assets == ("posts/my-post/cover.jpg", "posts/my-post/images/boat 1.jpg", "posts/files/plan.pdf")
    assert story.warnings == ()


@pytest.mark.parametrize(
    ("source", "slug", "language"),
    [
        ("post.en.md", "post", "en"),
        ("post.tr.md", "post-tr", "tr"),
        ("post/index.tr.md", "post-tr", "tr"),
        ("v1.2.md", "v1-2", "en"),
    ],
)
def test_hugo_language_in_the_name(source, slug, language):
    """Two languages of one story need two addresses."""
    story = read("---\ntitle: T\n---\n", source)
    assert (story.slug, story.language) == (slug, language)


def test_jekyll_post():
    """Date from the name, categories parted at spaces, layout of no concern."""
    story = read(
        '---\nlayout: post\ntitle:  "Welcome to Jekyll!"\ncategories: economy update\ntags: a b\n---\nHi.\n',
        "_posts/2024-01-02-welcome-to-jekyll.markdown",
    )
    assert story.slug == "welcome-to-jekyll"
    assert story.date == datetime(2024, 1, 1, 21, tzinfo=UTC)
    assert (story.section, story.tags) == ("economy", ("a", "b", "update"))
    assert story.warnings == ()


def test_jekyll_front_matter_date_wins_over_the_name():
    """The offset after a space is Jekyll's own form."""
    story = read("---\ntitle: T\ndate: 2024-01-03 08:00:00 +0100\n---\n", "_posts/2024-01-02-t.md")
    assert story.date == datetime(2024, 1, 3, 7, tzinfo=UTC)


def test_jekyll_drafts_stay_drafts():
    """The folder is the mark."""
    assert read("---\ntitle: T\n---\n", "_drafts/idea.md").status is Status.DRAFT


def test_impossible_date_in_a_name_is_refused():
    """It would be the story's date."""
    assert "file's name" in refusal("---\ntitle: T\n---\n", "2024-13-45-x.md")[1]


def test_template_tags_are_warned_about():
    """They appear in the text as they stand."""
    story = read("---\ntitle: T\n---\n\n{% include figure.html %}\n")
    assert warnings(story) == [(5, "{% include is a template's tag and appears in the text as it stands")]


def test_pelican_header():
    """Unfenced lines up to the first empty one; indented lines go on with the value."""
    story = read(
        "Title: My super title\nDate: 2010-12-03 10:20\nModified: 2010-12-05 19:30\nCategory: Economy\n"
        "Tags: pelican, publishing\nSlug: my-super-post\nAuthors: Alexis One, Conan Two\nSummary: Short version\n"
        "    for index and feeds\nStatus: draft\n\nThis is the content.\n",
        "posts/super.md",
    )
    assert (story.title, story.slug, story.section) == ("My super title", "my-super-post", "economy")
    assert story.date == datetime(2010, 12, 3, 8, 20, tzinfo=UTC)
    assert (story.tags, story.authors) == (("pelican", "publishing"), ("Alexis One", "Conan Two"))
    assert story.summary == "Short version for index and feeds"
    assert story.status is Status.DRAFT
    assert story.body.text == "This is the content."
    assert story.warnings == ()


def test_pelican_html_document():
    """Title and meta elements are its front matter."""
    story = read(
        '<html><head><meta charset="utf-8"><title>A page</title>\n<meta name="tags" content="a, b">\n'
        '<meta name="access" content="subscriber"><meta name="viewport" content="x"></head>\n'
        "<body><p>Hello.</p></body></html>",
        "page.html",
    )
    assert (story.title, story.tags, story.access) == ("A page", ("a", "b"), "subscriber")
    assert story.body.html == "<p>Hello.</p>"
    assert story.summary == ""


def test_html_with_front_matter_and_without_any():
    """The first heading is the title where nothing else is."""
    assert read("---\ntitle: T\n---\n<p>x</p>", "a.html").body.html == "<p>x</p>"
    story = read("<h1>The <em>title</em></h1><p>x</p>", "a.htm")
    assert (story.title, story.body.html) == ("The title", "<p>x</p>")


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# The *title*\n\nText.\n", "The title", "<p>Text.</p>"),
        ("The title\n=====\n\nText.\n", "The title", "<p>Text.</p>"),
        ("Intro.\n\n# Later\n\nText.\n", "Later", "<p>Intro.</p>\n<p>Text.</p>"),
    ],
)
def test_markdown_without_front_matter_has_its_heading_for_a_title(text, title, body):
    """The heading is not repeated in the text."""
    story = read(text)
    assert (story.title, story.body.html, story.warnings) == (title, body, ())


def test_file_name_is_the_last_resort():
    """With a warning; a heading inside code is none."""
    story = read("```\n# no heading\n```\n\nText: of mine.\n", "2024-05-06-my_first-note.md")
    assert (story.title, story.slug) == ("My first note", "my-first-note")
    assert warnings(story) == [(1, "no title; the file's name serves as one: My first note")]


def test_prose_that_looks_like_a_header_is_prose():
    """`Note:` alone makes no front matter."""
    assert read("Note: this is text.\n\n# T\n").body.text == "Note: this is text."


def test_title_repeated_as_first_heading_is_shown_once():
    """Pages have the title above the text."""
    assert read("---\ntitle: The title\n---\n# The title\n\nText.\n").body.html == "<p>Text.</p>"
    assert read("---\ntitle: The title\n---\n# Another\n\nText.\n").body.html == "<h2>Another</h2>\n<p>Text.</p>"


@pytest.mark.parametrize(
    ("source", "slug"),
    [
        ("Über Straße & Søn.md", "uber-strasse-son"),
        ("İstanbul'da ığdır.md", "istanbulda-igdir"),
        ("a/b/Deep Name.md", "deep-name"),
        ("x" * 120 + ".md", "x" * 80),
    ],
)
def test_slugs_of_file_names(source, slug):
    """The same in every locale."""
    assert read("# T\n", source).slug == slug


def test_slug_of_a_name_without_latin_letters_is_stable():
    """Better a number than nothing."""
    assert read("# T\n", "новости.md").slug == read("# U\n", "новости.md").slug
    assert read("# T\n", "новости.md").slug.startswith("story-")
    assert RULES.language == "en"
