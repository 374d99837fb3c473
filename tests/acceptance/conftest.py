"""The stage that the scenarios are played on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.stage import CONFIG, Stage, relay
from mail_servers import DOVECOT, POSTFIX

collect_ignore: list[str] = []
if os.geteuid() != 0 or not POSTFIX.exists() or not DOVECOT.exists():
    collect_ignore.append("test_bounced_mail.py")


def pytest_report_header() -> list[str]:
    """Says what is left out, and how it is not."""
    return [f"{name} is left out: it needs root and what .ci/run installs" for name in collect_ignore]


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
