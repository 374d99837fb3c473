"""Moving in: which stories an older feed tells of, and what their files say then."""

import tomllib
from datetime import UTC, datetime

import pytest
import yaml

from publisher.content.adoption import insert, match
from publisher.errors import RefusedError
from publisher.model.article import Article
from publisher.model.foreign import Adoption, ForeignEntry

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
ADOPTION = Adoption(source="a.md", title="A", id="https://old.press/?p=1", guid='5f"\\7', alias="/2019/a/")


def article(source: str, title: str = "Ferry", slug: str = "", **more: object) -> Article:
    slug = slug or source.removesuffix(".md")
    given: dict[str, object] = {
        "title": title, "language": "en", "slug": slug, "id": f"tag:flow.press,2026:{slug}", "number": 1, "version": 1,
        "source": source, "path": f"/articles/{slug}/", "first_seen_at": NOW, "published_at": NOW, "updated_at": NOW,
        "revised_at": NOW, **more,
    }  # fmt: skip
    return Article(**given)  # type: ignore[arg-type]


def entry(name: str, link: str = "", title: str = "", *, atom: bool = False) -> ForeignEntry:
    return ForeignEntry(feed="old.xml", name=name, is_atom=atom, link=link, title=title)


@pytest.mark.parametrize(
    ("found", "adopted"),
    [
        (entry("https://old.press/ferry/", "https://old.press/ferry/"), ("https://old.press/ferry/", "", "/ferry/")),
        (entry("5f3a", "https://old.press/2019/ferry.html"), ("", "5f3a", "/2019/ferry.html")),
        (
            entry("tag:old.press,2019:1", "https://old.press/p/Ferry", atom=True),
            ("tag:old.press,2019:1", "", "/p/Ferry/"),
        ),
        (entry("https://old.press/?p=1", "https://old.press/?p=1", "FERRY!"), ("https://old.press/?p=1", "", "")),
        (entry("x", "https://old.press/articles/ferry/"), ("", "x", "")),
        (entry("tag:flow.press,2026:ferry", "https://old.press/articles/ferry/index.html"), ("", "", "")),
    ],
)
def test_an_entry_is_known_by_id_address_slug_or_title(found: ForeignEntry, adopted: tuple[str, str, str]) -> None:
    matches = match([found], [article("ferry.md"), article("other.md", title="Another")])
    [one] = matches.adopted
    assert (one.source, (one.id, one.guid, one.alias)) == ("ferry.md", adopted)
    assert not matches.unknown


def test_atom_says_the_id_and_rss_the_guid_of_one_story() -> None:
    entries = [
        entry("https://old.press/ferry/", "https://old.press/ferry/"),
        entry("tag:o,2019:1", atom=True, title="Ferry"),
    ]
    [one] = match(entries, [article("ferry.md")]).adopted
    assert (one.id, one.guid) == ("tag:o,2019:1", "https://old.press/ferry/")


def test_what_nobody_can_tell_is_left_to_a_person() -> None:
    matches = match(
        [entry("1", title="Ferry"), entry("2", "https://old.press/gone/", "Gone"), entry("", "", "")],
        [article("a.md"), article("b.md")],
    )
    assert matches.adopted == []
    assert [(e.name, files) for e, files in matches.doubtful] == [("1", ["a.md", "b.md"])]
    assert [e.name for e in matches.unknown] == ["2", ""]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_only_the_front_matter_grows_and_both_dialects_read_it_back(end: str, mark: str) -> None:
    body = f"{end}Text.{end}---{end}More.{end}"
    for fence, line, load in (
        ("---", "title: Ferry", yaml.safe_load),
        ("+++", 'title = "Ferry"', lambda text: tomllib.loads(text.replace("\r\n", "\n"))),
    ):
        written = f"{mark}{fence}{end}{line}{end}{fence}{end}{body}"
        changed = insert(written, ADOPTION)
        head, _, rest = changed.removeprefix(mark + fence + end).partition(end + fence + end)
        assert load(head) == {"title": "Ferry", "id": ADOPTION.id, "guid": ADOPTION.guid, "aliases": ["/2019/a/"]}
        assert rest == body
        assert changed.count("\r") == written.count("\r") + (3 if end == "\r\n" else 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("No front matter here.\n", "no front matter"),
        ("Title: Pelican\nSlug: a\n\nText\n", "no front matter"),
        ("---\ntitle: A\nid: tag:x,2026:a\n---\n", "another id already"),
        ("---\ntitle: A\nguid: x\n---\n", "another guid already"),
        ("---\ntitle: A\nredirect_from: /x\n---\n", "aliases already"),
        ("---\ntitle: A\n", "never closed"),
    ],
)
def test_a_file_that_says_something_else_is_left_alone(text: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        insert(text, ADOPTION)
