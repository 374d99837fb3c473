"""`publisher check` on the look of a publication: colours, logo, own templates, subjects."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from publisher.cli import main
from publisher.config import line_of

CONFIG = """
[site]
title = "Example"
url = "https://news.example.org"

[[newsletters]]
id = "weekly"
title = "Weekly"
subject = "{{ newsletter }}: {{ headline }}"

[theme.light]
accent = "#c9a0a0"

[theme]
logo = { src = "/logo.svg", width = 200, height = 40 }
"""

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def publisher(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a publication; returns its exit code, its lines and what it said."""
    (tmp_path / "articles").mkdir()
    (tmp_path / "templates" / "email").mkdir(parents=True)
    (tmp_path / "config.toml").write_text(CONFIG)

    def run(*arguments: str) -> tuple[int, list[str], str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(tmp_path), *arguments])
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out.splitlines(), said.err

    return run


def test_faint_colours_and_a_lost_logo_are_warned_about(publisher: Run) -> None:
    code, lines, _ = publisher("check")

    assert code == 0
    faint = "theme.light.accent #c9a0a0 on paper #ffffff: the contrast is 2.33, and 4.5 is needed"
    assert f"config.toml:12: warning: {faint} [look]" in lines
    assert "config.toml:15: warning: theme.logo.src /logo.svg: there is no such file in static/ [look]" in lines
    assert any("show no SVG" in line for line in lines)
    assert publisher("check", "--strict")[0] == 1


def test_an_undefined_name_in_an_own_mail_is_refused(publisher: Run, tmp_path: Path) -> None:
    (tmp_path / "templates" / "email" / "digest.txt").write_text("Subject: x\n\n{{ views[0].titel }}")
    code, lines, _ = publisher("check")

    assert code == 1
    assert any(line.startswith("templates/email/digest.txt:3: ") for line in lines)


def test_a_subject_that_no_mail_can_have_stops_everything(publisher: Run, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("{{ headline }}", "{{ heading }}"))
    for command in (["check"], ["build"]):
        code, _, said = publisher(*command)
        assert (code, "newsletters.weekly.subject:1: 'heading' is undefined" in said) == (2, True)


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ('[theme.light]\naccent = "teal"', "theme.light.accent"),
        ('[theme.light]\nacent = "#0b5060"', "theme.light.acent"),
        ('[theme.fonts]\ntext = "x; } body { display: none"', "theme.fonts.text"),
        ('[theme]\nlogo = { src = "logo.png", width = 1, height = 40 }', "theme.logo.src"),
    ],
)
def test_a_look_that_cannot_be_is_named_by_its_key(publisher: Run, tmp_path: Path, told: str, wrong: str) -> None:
    (tmp_path / "config.toml").write_text(CONFIG.partition("[theme")[0] + told)
    code, _, said = publisher("check")

    assert code == 2
    assert wrong in said


def test_a_line_of_config_is_found_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[site]\ntitle = 'x'\n[theme]\ndark.ink = '#000000'\n")
    found = [line_of(tmp_path, key) for key in ("site.title", "theme.dark.ink", "theme.dark.paper", "nowhere.x")]

    assert found == [2, 4, 3, 1]
