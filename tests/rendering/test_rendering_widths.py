"""Mails and pages in a browser: nothing in a story, and nobody's address, is wider than a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rendering_samples import AT, BASE, PAGES, agency, edition, full, templates, view

from acceptance.browser import CHROMIUM, Page, chromium
from acceptance.running import eventually
from publisher.starter import packaged_static

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

_PHONE = 360
_WORD = "Donaudampfschiff" * 8
_BODY = f"""<p>{_WORD} <a href="https://example.org/{_WORD}">https://example.org/{_WORD}</a></p>
<table><tr>{"<td>longlonglonglong</td>" * 9}</tr></table><pre>{_WORD}</pre>"""
_MAIL = {"url": f"{BASE}/inbox/1", "subject": "Hello", "sender": "news@example.org", "received_at": AT}


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium() as page:
        page.picture(_PHONE, 800, tmp_path_factory.mktemp("phone") / "empty.png")
        yield page


def _width(page: Page, html: str, file: Path) -> int:
    look = (packaged_static() / "style.css").read_text(encoding="utf-8")
    file.write_text(html.replace("</head>", f"<style>{look}</style></head>") if "</main>" in html else html, "utf-8")
    page.open(file.as_uri())
    seen = f"document.readyState === 'complete' && location.href === '{file.as_uri()}'"
    eventually(lambda: page.value(seen), file.name)
    return int(page.value("document.documentElement.scrollWidth"))


def test_no_word_table_or_address_widens_a_mail(phone: Page, tmp_path: Path) -> None:
    stories = (full(title=_WORD, deck=_WORD, body_html=_BODY), view(id="2", title=_WORD, key_points=(_WORD,)))
    mail = templates(agency).mail(edition(*stories))
    assert _width(phone, mail.html, tmp_path / "mail.html") <= _PHONE


def test_no_page_is_wider_than_a_phone(phone: Page, tmp_path: Path) -> None:
    several = tuple(view(id=str(number), title=_WORD, deck=_WORD, url=f"{BASE}/{number}/") for number in range(9))
    mails = [{**_MAIL, "recipient": f"{'x' * 64}@example.org"}]
    pages = PAGES | {"front": PAGES["front"] | {"views": several}, "inbox": {"mails": mails, "total": 1}}
    wide = {}
    for name, context in pages.items():
        html = templates(agency).page(name, "ar", **context)
        if (width := _width(phone, html, tmp_path / f"{name}.html")) > _PHONE:
            wide[name] = width
    assert wide == {}
