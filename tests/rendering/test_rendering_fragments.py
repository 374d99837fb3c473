"""Teasers that are remembered: a page is the one that would be made without."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from jinja2.runtime import Macro
from rendering_samples import agency, templates, view

from publisher.model.view import Label
from publisher.rendering.fragments import Fragments
from publisher.rendering.templates import Templates
from publisher.starter import packaged_templates

SECTION = Label(id="economy", title="Economy", url="https://example.org/sections/economy/")


def laid_out(own: Path | None = None) -> Templates:
    return Templates(packaged_templates(), own, agency())


def section(pages: Templates, language: str = "en", **said: Any) -> str:
    return pages.page("section", language, section=SECTION, views=[view(**said)], newer=None, older=None)


@pytest.mark.parametrize("said", [{"title": "Another"}, {"deck": "Another"}, {"url": None}, {"image": None}])
def test_another_story_is_another_teaser(said: dict[str, Any]) -> None:
    pages = laid_out()
    for before in ({}, said):
        section(pages, **before)
        section(pages, "tr", **before)
    for language in ("en", "tr"):
        assert section(pages, language, **said) == section(laid_out(), language, **said)
        assert section(pages, language, **said) != section(pages, language)


def test_a_teaser_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    invoke = Macro._invoke

    def noted(macro: Macro, *given: Any) -> str:
        made.append(macro.name)
        return invoke(macro, *given)

    monkeypatch.setattr(Macro, "_invoke", noted)
    pages = laid_out()
    assert section(pages) == section(pages)
    assert made.count("teaser") == 1
    assert made.count("listing") == 2


def test_own_parts_may_hang_on_anything(tmp_path: Path) -> None:
    """A teaser of the publication's own names the page that it stands on."""
    packaged = (packaged_templates() / "web" / "_parts.html").read_text()
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "_parts.html").write_text(packaged.replace('<div class="words">', "<div>{{ here }}"))
    pages = templates(agency, tmp_path)
    shown = [
        pages.page("section", "en", section=SECTION, views=[view()], newer=None, older=None, here=here)
        for here in ("https://example.org/one/", "https://example.org/two/")
    ]
    assert "<div>https://example.org/one/" in shown[0]
    assert "<div>https://example.org/two/" in shown[1]


def test_a_template_that_changed_is_a_teaser_that_changed(tmp_path: Path) -> None:
    """Also while the process runs: what was made by another template is not shown."""
    packaged = tmp_path / "packaged"
    for path in packaged_templates().rglob("*.html"):
        target = packaged / path.relative_to(packaged_templates())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    pages = Templates(packaged, None, agency())
    assert 'class="changed"' not in section(pages)
    parts = packaged / "web" / "_parts.html"
    parts.write_text(parts.read_text().replace('class="words"', 'class="changed"'))
    assert 'class="changed"' in section(pages)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    fragments = Fragments(packaged_templates(), octets=2000)
    monkeypatch.setattr("publisher.rendering.templates.Fragments", lambda _: fragments)
    pages = laid_out()
    for number in range(50):
        section(pages, title=f"Story {number}")
    assert 0 < len(fragments._made) < 10


def test_a_macro_that_a_teaser_calls_may_change(tmp_path: Path) -> None:
    """As when the program is upgraded beneath a service."""
    packaged = tmp_path / "packaged"
    shutil.copytree(packaged_templates(), packaged)
    pages = Templates(packaged, None, agency())
    before = pages.fingerprint(), section(pages, update_shown=True)
    parts = packaged / "web" / "_parts.html"
    parts.write_text(parts.read_text().replace('class="update"', 'class="newer"'))
    os.utime(parts, (1, 1))

    assert pages.fingerprint() != before[0]
    assert section(pages, update_shown=True) == before[1].replace('class="update"', 'class="newer"') != before[1]
