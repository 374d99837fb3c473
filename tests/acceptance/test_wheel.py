"""What the wheel carries: a publication made and run from it alone, with no repository around."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
WORDS_OF_SUBSCRIPTION = ("subscriber", "subscription", "contact us", "abone")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def publisher(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the installed program, which must not see the repository."""
    done = subprocess.run(
        [sys.executable, "-m", "publisher", *arguments],
        capture_output=True,
        text=True,
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        timeout=120,
    )
    assert str(REPOSITORY / "publisher") not in done.stderr
    return done


@pytest.mark.parametrize("kind", ["agency", "blog"])
def test_a_publication_from_the_wheel(installed: Path, tmp_path: Path, kind: str) -> None:
    """`init`, `check` and `build` work; the second build writes nothing."""
    folder = tmp_path / kind
    made = publisher(
        installed, "init", str(folder), "--for", kind, "--title", "Mine", "--sender", "Me <me@mine.example>"
    )
    assert made.returncode == 0, made.stderr
    assert publisher(installed, "-C", str(folder), "check").returncode == 0
    first = publisher(installed, "-C", str(folder), "build")
    assert first.returncode == 0, first.stderr
    assert " 0 refused" in first.stdout
    second = publisher(installed, "-C", str(folder), "build")
    assert "0 stories changed, 0 files written, 0 removed" in second.stdout
    assert "Mine" in (folder / "public" / "index.html").read_text()
    refused = publisher(installed, "init", str(folder))
    assert refused.returncode == 2
    assert "not empty" in refused.stderr


def test_a_blog_never_speaks_of_subscriptions(installed: Path, tmp_path: Path) -> None:
    """Everything is public, so no page, feed or mail speaks of anything else (decisions 9)."""
    folder = tmp_path / "blog"
    assert publisher(installed, "init", str(folder), "--for", "blog").returncode == 0
    assert publisher(installed, "-C", str(folder), "build").returncode == 0
    outputs = {
        path.name: path.read_text(errors="replace").lower() for path in folder.glob("public/**/*") if path.is_file()
    }
    added = publisher(
        installed, "-C", str(folder), "subscribers", "add", "a@reader.example", "--confirmed", "--newsletters", "weekly"
    )
    assert added.returncode == 0, added.stderr
    for part in ("html", "text"):
        shown = publisher(
            installed, "-C", str(folder), "preview", "weekly", "--as", "a@reader.example", "--format", part,
            "--at", "2027-01-01T12:00:00Z",
        )  # fmt: skip
        assert shown.returncode == 0, shown.stderr
        outputs[f"preview.{part}"] = shown.stdout.lower()
    for name, text in outputs.items():
        for words in WORDS_OF_SUBSCRIPTION:
            assert words not in text, f"{name} says {words}"
