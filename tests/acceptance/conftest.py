"""The stage that the scenarios are played on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.stage import CONFIG, Stage, relay


@pytest.fixture
def environment() -> dict[str, str]:
    """What a module sets otherwise, as environment variables."""
    return {}


@pytest.fixture
def stage(tmp_path: Path, environment: dict[str, str]) -> Iterator[Stage]:
    """A publication that mails for real, its first issue behind it, at noon of 19 October 2026 in Istanbul."""
    mails = tmp_path / "mails"
    with relay(mails) as port:
        made = Stage(tmp_path / "wire", CONFIG, port, mails, **environment)
        made.open()
        yield made


@pytest.fixture
def desk(tmp_path: Path) -> Stage:
    """A publication without any mail: for what commands alone answer."""
    return Stage(tmp_path / "wire", CONFIG, 1, tmp_path / "mails")
