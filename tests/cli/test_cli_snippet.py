"""A sign-up form for another site, and which sites config takes for one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError
from selectolax.lexbor import LexborHTMLParser

from publisher.cli import main
from publisher.settings import HttpSettings

CONFIG = """
[site]
title = "Example"
url = "https://news.example.org"
languages = ["en", "tr"]
[[newsletters]]
id = "weekly"
title = { en = "Weekly", tr = "Haftalık" }
[[newsletters]]
id = "daily"
title = "Daily"
[[newsletters]]
id = "staff"
title = "Staff"
open = false
"""


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Commands set up logging for their process; here it must not outlive the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "articles").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def snippet(folder: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), "snippet", *arguments])
    said = capfd.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_form_is_plain_html_with_the_fields_of_the_sign_up(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, html, talk = snippet(folder, capfd)
    assert code == 0
    tree = LexborHTMLParser(html)
    form = tree.css_first("form")
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "https://news.example.org/subscribe")
    fields = [(node.attributes["name"], node.attributes.get("value")) for node in tree.css("input")]
    assert fields == [
        ("newsletter", "weekly"),
        ("newsletter", "daily"),
        ("language", "en"),
        ("email", None),
        ("website", None),
    ]
    assert tree.css("script, style, iframe, link") == []
    assert "http.form_origins" in talk


def test_one_newsletter_in_a_language_is_chosen_already(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "config.toml").write_text(f'{CONFIG}\n[http]\nform_origins = ["https://Shop.example/"]\n')
    code, said, talk = snippet(folder, capfd, "weekly", "--language", "tr", "--json")
    told = json.loads(said)
    assert code == 0
    assert (told["newsletters"], told["form_origins"], talk) == (["weekly"], ["https://shop.example"], "")
    tree = LexborHTMLParser(told["html"])
    assert tree.css_first("form").attributes["lang"] == "tr"
    assert "Haftalık" in tree.text()
    assert tree.css_first("input[name=newsletter]").attributes == {
        "type": "hidden",
        "name": "newsletter",
        "value": "weekly",
    }


@pytest.mark.parametrize("arguments", [("staff",), ("nonsense",), ("weekly", "--language", "xx")])
def test_what_nobody_may_sign_up_for_has_no_form(
    folder: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, html, talk = snippet(folder, capfd, *arguments)
    assert code in (1, 2)
    assert html == ""
    assert "there are: " in talk


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://example.org", "https://example.org"),
        ("HTTPS://Example.org:443/", "https://example.org"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_origin_is_kept_as_browsers_write_it(given: str, origin: str) -> None:
    assert HttpSettings(form_origins=[given]).form_origins == [origin]


@pytest.mark.parametrize(
    "given",
    [
        "*",
        "null",
        "example.org",
        "https://",
        "https://example.org/shop",
        "https://example.org?x",
        "ftp://example.org",
        "https://user@example.org",
        "https://example.org:99999",
    ],
)
def test_origin_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="a site such as"):
        HttpSettings(form_origins=[given])


@pytest.mark.parametrize("given", ["*", "proxy.example", "10.0.0.0/99"])
def test_proxy_that_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="an address or network"):
        HttpSettings(trusted_proxies=[given])
