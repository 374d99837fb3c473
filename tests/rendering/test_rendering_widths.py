"""Mails in a browser: nothing in a story is wider than a phone."""

from pathlib import Path

import pytest
from rendering_samples import agency, edition, full, templates, view

from acceptance.browser import CHROMIUM, chromium
from acceptance.running import eventually

_PHONE = 360
_WORD = "Donaudampfschiff" * 8
_BODY = f"""<p>{_WORD} <a href="https://example.org/{_WORD}">https://example.org/{_WORD}</a></p>
<table><tr>{"<td>longlonglonglong</td>" * 9}</tr></table><pre>{_WORD}</pre>"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_no_word_table_or_address_widens_a_mail(tmp_path: Path) -> None:
    stories = (full(title=_WORD, deck=_WORD, body_html=_BODY), view(id="2", title=_WORD, key_points=(_WORD,)))
    mail = templates(agency).mail(edition(*stories))
    file = tmp_path / "mail.html"
    file.write_text(mail.html, encoding="utf-8")
    with chromium() as page:
        page.picture(_PHONE, 800, tmp_path / "empty.png")
        page.open(file.as_uri())
        width = eventually(lambda: page.value("document.body && document.body.scrollWidth"), "the mail")
    assert width <= _PHONE
