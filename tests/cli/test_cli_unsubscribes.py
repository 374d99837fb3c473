"""Leaving by mail: what a mail program writes takes its reader off, and nothing else does."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog

from publisher.cli import main

CONFIG = """
[site]
title = "Example"
url = "https://news.example.org"
[[newsletters]]
id = "weekly"
title = "Weekly"
[[newsletters]]
id = "daily"
title = "Daily"
[smtp]
sender = "Example <news@example.org>"
unsubscribe_mailto = "leave@example.org"
"""

Run = Callable[..., tuple[int, Any]]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def publisher(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a publication with a reader of both newsletters; returns its exit code and answer."""
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "one.md").write_text("---\ntitle: One\ndate: 2026-01-05\n---\nIt begins so.\n")
    (tmp_path / "config.toml").write_text(CONFIG)

    def run(*arguments: str) -> tuple[int, Any]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(tmp_path), "--json", *arguments])
        out = capfd.readouterr().out
        return int(ended.value.code or 0), json.loads(out) if out else None

    assert run("build")[0] == 0
    assert run("subscribers", "add", "ada@example.com", "--confirmed", "--newsletters", "daily,weekly")[0] == 0
    return run


def request(publisher: Run, folder: Path) -> bytes:
    """Returns what Ada's mail program writes when she leaves the weekly, from another of her addresses."""
    assert publisher("send", "weekly", "--to", "ada@example.com", "--since", "2026-01-01")[0] == 0
    (mail_from_us,) = (folder / "var" / "inbox").glob("*.eml")
    text = mail_from_us.read_text(encoding="ascii")
    header = re.search(r"^List-Unsubscribe: <(https://[^>]+)>, <(mailto:[^>]+)>\r?$", text, re.MULTILINE)
    assert header is not None
    uri = urlsplit(header[2])
    assert uri.path == "leave@example.org"
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "ada.at.home@example.net"
    mail["To"] = uri.path
    mail["Subject"] = parse_qs(uri.query)["subject"][0]
    return mail.as_bytes()


def statuses(publisher: Run) -> dict[str, str]:
    """Returns how Ada's subscriptions stand."""
    _, person = publisher("subscribers", "show", "ada@example.com")
    return dict(person["newsletters"])


def test_a_mail_takes_its_reader_off_that_newsletter(publisher: Run, tmp_path: Path) -> None:
    path = tmp_path / "request.eml"
    path.write_bytes(request(publisher, tmp_path))
    assert publisher("unsubscribes", "process", str(path)) == (
        0,
        [{"file": str(path), "unsubscribed": True, "problem": None}],
    )
    assert statuses(publisher) == {"daily": "confirmed", "weekly": "unsubscribed"}


def test_a_mail_may_come_by_a_pipe(publisher: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(request(publisher, tmp_path))))
    code, told = publisher("unsubscribes", "process", "-")
    assert (code, told[0]["unsubscribed"]) == (0, True)
    assert statuses(publisher)["weekly"] == "unsubscribed"


def test_a_forged_or_broken_one_does_nothing_and_the_next_goes_on(publisher: Run, tmp_path: Path) -> None:
    good = request(publisher, tmp_path)
    (tmp_path / "forged").write_bytes(re.sub(rb"\.[A-Za-z0-9_-]{43}", b"." + b"A" * 43, good))
    (tmp_path / "spam").write_bytes(b"Subject: buy\r\n\r\nnow")
    (tmp_path / "good").write_bytes(good)
    names = [str(tmp_path / name) for name in ("forged", "spam", "missing", "good")]
    code, told = publisher("unsubscribes", "process", *names[:3])
    assert code == 1
    assert [one["unsubscribed"] for one in told] == [False, False, False]
    assert [bool(one["problem"]) for one in told] == [False, False, True]
    assert statuses(publisher)["weekly"] == "confirmed"
    code, told = publisher("unsubscribes", "process", *names)
    assert code == 1
    assert told[-1]["unsubscribed"]
    assert statuses(publisher) == {"daily": "confirmed", "weekly": "unsubscribed"}
