"""The starter publications, and what `init` makes of them."""

import tomllib
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from publisher import starter
from publisher.content.manuscript import parse
from publisher.content.rules import Rules
from publisher.errors import UsageError
from publisher.model.article import Access, Manuscript
from publisher.model.catalogue import Catalogue
from publisher.settings import Settings, problems_of

KINDS = get_args(starter.Kind)
SENDER = "Ayşe K. <ayse@notes.example>"


def made(target: Path, kind: starter.Kind, **said: str) -> Path:
    starter.create(target, kind, **({"title": 'Ayşe\'s "Notes"', "sender": SENDER} | said))
    return target


def catalogue(folder: Path) -> Catalogue:
    settings = Settings.model_validate(tomllib.loads((folder / "config.toml").read_text(encoding="utf-8")))
    assert problems_of(settings) == []
    return settings.catalogue()


def manuscripts(folder: Path) -> list[Manuscript]:
    known = catalogue(folder)
    rules = Rules(
        timezone=ZoneInfo(known.site.timezone),
        language=known.site.language,
        languages=known.site.languages,
        site_url=known.site.url,
        asset_path=lambda path: f"/media/{path}",
        sections=known.sections,
        products=frozenset(known.products),
        default_access=known.default_access,
    )
    articles = folder / "articles"
    paths = sorted(path for path in articles.rglob("*") if path.suffix in {".md", ".txt"})
    return [parse(path.relative_to(articles).as_posix(), path.read_bytes(), rules) for path in paths]


@pytest.mark.parametrize("kind", KINDS)
def test_starter_has_the_owners_values_and_nothing_wrong(tmp_path: Path, kind: starter.Kind) -> None:
    folder = made(tmp_path / "new", kind, url="https://notes.example/")
    config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))

    assert config["site"]["title"] == 'Ayşe\'s "Notes"'
    assert config["site"]["url"] == "https://notes.example"
    assert config["site"]["author"] == "Ayşe K."
    assert config["smtp"]["sender"] == SENDER
    assert config["smtp"]["sandbox"] is True
    assert catalogue(folder).site.contact in {"", "mailto:ayse@notes.example"}


@pytest.mark.parametrize("kind", KINDS)
def test_starter_leaves_no_example_of_ours_in_the_site_table(tmp_path: Path, kind: starter.Kind) -> None:
    site = catalogue(made(tmp_path / "new", kind)).site

    assert "Example" not in f"{site.title}{site.service}{site.author}{site.contact}{site.postal_address}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_story_of_a_starter_is_read_without_a_warning(tmp_path: Path, kind: starter.Kind) -> None:
    stories = manuscripts(made(tmp_path / "new", kind))

    assert [story.warnings for story in stories if story.warnings] == []
    assert len({story.slug for story in stories}) == len(stories)


@pytest.mark.parametrize("kind", KINDS)
def test_files_made_are_told_and_templates_are_not_among_them(tmp_path: Path, kind: starter.Kind) -> None:
    """A publication has no templates until it overrides one (decisions 21)."""
    target = tmp_path / "new"
    files = starter.create(target, kind, title="Notes", sender=SENDER)

    assert files == sorted(path for path in target.rglob("*") if path.is_file())
    assert {path.relative_to(target).parts[0] for path in files} == {"articles", "config.toml", "pages"}


def test_agency_starter_shows_what_the_product_can_do(tmp_path: Path) -> None:
    stories = manuscripts(made(tmp_path / "new", "agency"))
    by_access = {access: [story for story in stories if story.access is access] for access in (None, *Access)}

    assert sum(story.language == "en" for story in stories) >= 10
    assert sum(story.language == "tr" for story in stories) >= 6
    assert len(by_access[Access.SUBSCRIBER]) == 1
    assert by_access[Access.PUBLIC]
    assert any(story.updated and story.date and story.updated > story.date for story in stories)
    assert any(story.corrections for story in stories)
    assert any(story.source.endswith(".txt") and story.key_points and story.dateline for story in stories)
    assert all(story.key_points and story.contributors for story in stories if story.urgency < 4 and not story.access)
    ids = {story.id for story in stories}
    assert any(story.translation_of in ids for story in stories if story.translation_of)
    assert catalogue(tmp_path / "new").site.gated


def test_agency_pictures_exist_and_are_small(tmp_path: Path) -> None:
    folder = made(tmp_path / "new", "agency")
    assets = {asset for story in manuscripts(folder) for asset in story.assets}

    assert assets
    assert all((folder / "articles" / asset).stat().st_size < 60_000 for asset in assets)


def test_blog_starter_is_public_through_and_through(tmp_path: Path) -> None:
    folder = made(tmp_path / "new", "blog")
    known = catalogue(folder)

    assert not known.site.gated
    assert known.sections == {}
    assert [newsletter.schedule for newsletter in known.newsletters.values()] == ["weekly sun 09:00"]
    assert len(manuscripts(folder)) == 3
    for path in folder.rglob("*.md"):
        assert "subscription" not in path.read_text(encoding="utf-8").lower()


def test_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")

    with pytest.raises(UsageError, match="is not empty"):
        made(tmp_path, "blog")

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.write_text("keep", encoding="utf-8")

    with pytest.raises(UsageError, match="is not empty"):
        made(target, "blog")


@pytest.mark.parametrize(
    "said", [{"title": " "}, {"sender": "nobody"}, {"title": "a\nb"}, {"title": "x\x7f"}, {"url": 'h"\x00'}]
)
def test_value_that_cannot_stand_in_config_is_refused_before_anything_is_written(
    tmp_path: Path, said: dict[str, str]
) -> None:
    target = tmp_path / "new"

    with pytest.raises(UsageError):
        made(target, "blog", **said)

    assert not target.exists()


def test_title_cannot_break_out_of_its_key(tmp_path: Path) -> None:
    title = 'x" # \\1 [smtp]'

    assert catalogue(made(tmp_path / "new", "blog", title=title)).site.title == title


def test_installed_files_come_before_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel has its starter and its templates inside the package."""
    packaged = tmp_path / "packaged"
    for folder in ("templates", "agency/static", "agency/articles", "agency/pages"):
        (packaged / folder).mkdir(parents=True)
    repository = Path(starter.__file__).resolve().parent.parent
    config = (repository / "config.toml").read_text(encoding="utf-8")
    (packaged / "agency" / "config.toml").write_text(config, encoding="utf-8")
    monkeypatch.setattr(starter, "_PACKAGED", packaged)

    assert starter.packaged_templates() == packaged / "templates"
    assert starter.packaged_static() == packaged / "agency" / "static"
    assert [path.name for path in starter.create(tmp_path / "new", "agency", title="T", sender=SENDER)] == [
        "config.toml"
    ]


def test_repository_serves_where_nothing_is_packaged() -> None:
    assert (starter.packaged_templates() / "web" / "base.html").is_file()
    assert (starter.packaged_static() / "style.css").is_file()
