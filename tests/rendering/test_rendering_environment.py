"""Own templates, and what becomes of mistakes in them."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rendering_samples import FEEDS, agency, edition, templates, view

from publisher.errors import ConfigError, TemplateError
from publisher.model.feed import FeedLink


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The publication's own folder of templates, with its two rooms."""
    folder = tmp_path / "templates"
    (folder / "web").mkdir(parents=True)
    (folder / "email").mkdir()
    return folder


def test_own_template_comes_before_the_packaged_one(own: Path) -> None:
    (own / "web" / "gone.html").write_text("<p>Away, says {{ site.title }}</p>", encoding="utf-8")

    assert templates(agency, own).page("gone", "en") == "<p>Away, says Harbour Wire</p>"
    assert "<h1>" in templates(agency, own).page("not_found", "en")


def test_own_template_that_comes_while_pages_are_made_is_taken(own: Path) -> None:
    pages = templates(agency, own)
    before = pages.fingerprint()
    assert "<h1>" in pages.page("not_found", "en")

    (own / "web" / "not_found.html").write_text("New", encoding="utf-8")
    (own / "web" / "_masthead.html").write_text("Above", encoding="utf-8")

    assert pages.fingerprint() != before
    assert pages.page("not_found", "en") == "New"
    assert "Above" in pages.page("gone", "en")
    (own / "web" / "_masthead.html").unlink()
    pages.fingerprint()
    assert "Above" not in pages.page("gone", "en")


def test_a_part_that_was_another_one_for_a_moment_is_not_kept(own: Path) -> None:
    """A page that nobody keeps was shown meanwhile, and all templates are as they were."""
    masthead = own / "web" / "_masthead.html"
    masthead.write_text("Right", encoding="utf-8")
    pages, feeds = templates(agency, own), ()
    before = pages.fingerprint()
    masthead.write_text("Wrong", encoding="utf-8")
    os.utime(masthead, (1, 1))
    assert "Wrong" in pages.page("gone", "en", feeds=feeds)
    masthead.write_text("Right", encoding="utf-8")

    assert pages.fingerprint() == before
    assert "Right" in pages.page("gone", "en", feeds=feeds)


def test_own_template_builds_on_the_packaged_one_of_its_name(own: Path) -> None:
    text = '{% extends "packaged:web/gone.html" %}{% block heading %}Quite gone{% endblock %}'
    (own / "web" / "gone.html").write_text(text, encoding="utf-8")

    html = templates(agency, own).page("gone", "en")

    assert "<h1>Quite gone</h1>" in html
    assert 'class="masthead"' in html


def test_own_frame_is_used_by_packaged_pages(own: Path) -> None:
    (own / "web" / "base.html").write_text("[{% block main %}{% endblock %}]", encoding="utf-8")

    assert templates(agency, own).page("front", "en", views=()).startswith("[")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("<p>\n{{ nonsense }}</p>", 2, "'nonsense' is undefined"),
        ("<p>\n\n{{ site.nonsense }}</p>", 3, "has no attribute 'nonsense'"),
        ("{% if site %}\n<p>", 2, "Unexpected end of template"),
        ("a\n{{ t('no_such_label') }}", 2, "no_such_label"),
        ("a\nb\n{{ 1 + 'x' }}", 3, "unsupported operand"),
        ("{% extends 'web/nowhere.html' %}", 1, "there is no template web/nowhere.html"),
        ("a\n{{ site.__class__.__mro__ }}", 2, "__class__"),
        ("a\n{{ 'x'.__len__() }}", 2, "__len__"),
    ],
)
def test_mistake_is_named_with_file_and_line(own: Path, text: str, line: int, message: str) -> None:
    (own / "web" / "gone.html").write_text(text, encoding="utf-8")

    with pytest.raises(TemplateError, match=re.escape(message)) as found:
        templates(agency, own).page("gone", "en")

    assert isinstance(found.value, ConfigError)
    assert (found.value.path, found.value.line) == ("templates/web/gone.html", line)
    assert str(found.value).startswith(f"templates/web/gone.html:{line}: ")


def test_mistake_in_an_own_mail_is_named_too(own: Path) -> None:
    (own / "email" / "digest.txt").write_text("Subject: x\n\n{{ nonsense }}", encoding="utf-8")

    with pytest.raises(TemplateError, match=r"templates/email/digest\.txt:3: 'nonsense' is undefined"):
        templates(agency, own).mail(edition(view(), view(id="2")))


def test_text_template_must_begin_with_its_subject(own: Path) -> None:
    (own / "email" / "digest.txt").write_text("Hello", encoding="utf-8")

    with pytest.raises(TemplateError, match="its first line must be"):
        templates(agency, own).mail(edition(view(), view(id="2")))


@pytest.mark.parametrize("subject", ["{{ nonsense }}", "{% if %}"])
def test_mistake_in_a_subject_names_its_key(subject: str) -> None:
    catalogue = agency()
    newsletter = replace(catalogue.newsletters["daily"], subject=subject)
    mails = templates(lambda: replace(catalogue, newsletters={"daily": newsletter}))

    with pytest.raises(TemplateError, match=r"^newsletters\.daily\.subject:1: "):
        mails.mail(edition(view()))


def test_error_that_no_template_made_is_left_alone() -> None:
    with pytest.raises(TypeError, match="argument"):
        templates(agency).page()  # type: ignore[call-arg]


def test_templates_that_cannot_be_compiled_are_all_listed(own: Path) -> None:
    (own / "web" / "a.html").write_text("{% if %}", encoding="utf-8")
    (own / "web" / "b.html").write_text("ok\n{{", encoding="utf-8")

    found = templates(agency, own).problems()

    assert [(error.path, error.line) for error in found] == [("templates/web/a.html", 1), ("templates/web/b.html", 2)]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("email/digest.txt", "Subject: x\n\n{{ views[0].titel }}", "templates/email/digest.txt:3"),
        ("email/story.html", "{{ edition.groups[0].nonsense }}", "templates/email/story.html:1"),
        ("email/notice.html", "a\n{{ notice.nonsense }}", "templates/email/notice.html:2"),
        ("email/_parts.html", "{% macro nameplate() %}{{ nonsense }}{% endmacro %}", "templates/email/_parts.html:1"),
        ("email/welcome.txt", "Hello", "templates/email/welcome.txt:1"),
        ("web/gone.html", "a\n{{ nonsense }}", "templates/web/gone.html:2"),
        ("web/gone.html", "{{ here }}{% for x in nonsense %}{% endfor %}", "templates/web/gone.html:1"),
        ("web/section.html", "{% extends 'web/base.html' %}{% set a = 1 %}{% block main %}{{ a, view }}{% endblock %}",
         "templates/web/section.html:1"),
    ],
)  # fmt: skip
def test_undefined_names_are_found_before_anybody_waits(own: Path, name: str, text: str, found: str) -> None:
    (own / name).write_text(text, encoding="utf-8")

    assert found in [f"{error.path}:{error.line}" for error in templates(agency, own).problems()]


def test_what_an_own_page_says_itself_or_every_page_gets_is_no_problem(own: Path) -> None:
    text = (
        '{% extends "packaged:web/section.html" %}{% import "web/_parts.html" as parts with context %}{% set own = 1 %}'
        "{% block main %}{{ own }}{{ theme.logo }}{{ section.title }}{% for v in views %}{{ loop.index }}{{ v.url }}"
        "{% endfor %}{{ parts.signup() }}{{ t('latest') }}{% endblock %}"
    )
    (own / "web" / "section.html").write_text(text, encoding="utf-8")

    assert templates(agency, own).problems() == []


def test_every_subject_in_config_is_tried() -> None:
    """With one story and with many: a subject that needs two headlines has none for an issue of one."""
    catalogue = agency()
    said = {
        "daily": "{{ newsletter }} {{ number }}: {{ headlines[1] }}",
        "weekly": "{{ count }}, {{ date }}: {{ headline }}",
    }
    named = {name: replace(catalogue.newsletters[name], subject=subject) for name, subject in said.items()}
    mails = templates(lambda: replace(catalogue, newsletters=catalogue.newsletters | named))

    (error,) = mails.subject_problems()
    assert (error.path, error.line) == ("newsletters.daily.subject", 1)
    assert mails.mail(edition(view(), view(id="2"), newsletter_id="weekly")).subject == (
        "2, November 18, 2026: Ferry line reopens after nine years"
    )


def test_packaged_templates_have_no_problems() -> None:
    assert templates(agency).problems() == []


def test_template_that_is_no_text_is_a_problem(own: Path) -> None:
    (own / "web" / "a.html").write_bytes(b"\xff\xfe\x00")

    assert [error.path for error in templates(agency, own).problems()] == ["templates/web/a.html"]


def test_fingerprint_follows_the_templates_and_nothing_else(own: Path) -> None:
    before = templates(agency, own).fingerprint()
    (own / "notes.md").write_text("not a template", encoding="utf-8")
    assert templates(agency, own).fingerprint() == before
    assert templates(agency).fingerprint() == before

    page = own / "web" / "gone.html"
    page.write_text("one", encoding="utf-8")
    first = templates(agency, own).fingerprint()
    page.write_text("two", encoding="utf-8")

    assert len({before, first, templates(agency, own).fingerprint()}) == 3


def test_edited_template_is_used_at_once(own: Path) -> None:
    """An editor who saves a template sees it with the next page, without a restart."""
    page = own / "web" / "gone.html"
    page.write_text("one", encoding="utf-8")
    running = templates(agency, own)
    assert running.page("gone", "en") == "one"

    page.write_text("two", encoding="utf-8")
    os.utime(page, ns=(1, 1))

    assert running.page("gone", "en") == "two"


def test_a_part_is_made_once_for_the_same_names_and_anew_for_others(own: Path) -> None:
    """Of each language and of each list it is another one, and of other templates as well."""
    (own / "web" / "_colophon.html").write_text("<p>{{ language }} {{ feeds|length }}</p>", encoding="utf-8")
    made = templates(agency, own)

    def foot(language: str, feeds: tuple[FeedLink, ...]) -> str:
        return re.findall("<p>[a-z]+ [0-9]</p>", made.page("gone", language, feeds=feeds))[-1]

    made.fingerprint()
    told = [foot("en", ()), foot("tr", ()), foot("en", FEEDS), foot("en", ())]
    assert told == ["<p>en 0</p>", "<p>tr 0</p>", f"<p>en {len(FEEDS)}</p>", "<p>en 0</p>"]
    (own / "web" / "_colophon.html").write_text("<p>now {{ feeds|length }}</p>", encoding="utf-8")
    made.fingerprint()
    assert foot("en", ()) == "<p>now 0</p>"


def test_a_part_is_given_no_more_than_it_says(own: Path) -> None:
    """So it cannot tell on one page what it was made with on another."""
    (own / "web" / "_masthead.html").write_text("<p>\n{{ here }}</p>", encoding="utf-8")

    with pytest.raises(TemplateError, match="'here' is undefined") as raised:
        templates(agency, own).page("gone", "en")

    assert (raised.value.path, raised.value.line) == ("templates/web/_masthead.html", 2)


def test_the_desk_of_a_page_is_marked_on_that_page_alone() -> None:
    made = templates(agency)
    desks = made.page("section", "en", views=(), section="x", here=None)
    first = re.search(r'href="(/sections/[^"]+)"', desks)
    assert first is not None

    shown = made.page("section", "en", views=(), section="x", here=f"{agency().site.url}{first[1]}")

    assert shown.count("aria-current") == 1
    assert f'href="{first[1]}" aria-current="page"' in shown
    assert "aria-current" not in made.page("section", "en", views=(), section="x", here=None)
