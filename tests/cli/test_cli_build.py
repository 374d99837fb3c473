"""`publisher build --explain`: which file was made anew, and why."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from publications import AGENCY, make_publication, story, write
from publisher.cli import main
from publisher.cli.build import _REASONS
from publisher.cli.context import Context
from publisher.services import reasons


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


def test_a_build_explains_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stories, settings and files by name; nothing changed is said as well; nothing but the result is on stdout."""
    folder = make_publication(tmp_path, AGENCY)

    def built(*options: str) -> str:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(folder), *options, "build", "--explain"])
        assert not ended.value.code
        out, err = capfd.readouterr()
        assert err == ""
        return out

    write(folder, "one.md", story("One", section="economy", date="2026-01-01T00:00:00Z"))
    assert "articles/one/index.html: the first build" in built()
    assert "no story, setting, template or file has changed" in built()
    assert json.loads(built("--json"))["reasons"] == {}
    write(folder, "one.md", story("Two", section="economy", date="2026-01-01T00:00:00Z"))
    told = json.loads(built("--json"))
    assert told["reasons"].keys() == set(told["written"]) >= {"articles/one/index.html", "feeds/economy.rss"}
    assert [(one["because"], one["what"]) for one in told["reasons"]["feeds/economy.rss"]] == [("story", "one.md")]
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("[site]", '[site]\ndescription = "Other"', 1))
    assert "index.html: config.toml changed" in built()
    (folder / "static").mkdir(exist_ok=True)
    (folder / "static" / "a.txt").write_text("a")
    assert "   written  a.txt: a.txt (new)" in built()
    (folder / "public" / "robots.txt").unlink()
    assert "robots.txt: it was missing from public/" in built()
    (folder / "articles" / "one.md").unlink()
    assert "removed  articles/one/index.html: one.md (gone)" in built()


def test_every_reason_has_words() -> None:
    source = Path(reasons.__file__).read_text()
    named = {text.split('"')[1] for text in source.split("Reason(")[1:] if text.startswith('"')}
    assert named | set(reasons._SHARED) | {"new", "time"} == _REASONS.keys()


class Unspeakable:
    """A result that nobody may write out as text."""

    def __repr__(self) -> str:
        raise AssertionError("a report of ten thousand stories takes seconds to write out")


def test_what_a_command_found_is_written_out_by_nobody(tmp_path: Path) -> None:
    async def work(_: object) -> Unspeakable:
        return Unspeakable()

    assert isinstance(Context(folder=make_publication(tmp_path, AGENCY)).run(work), Unspeakable)
