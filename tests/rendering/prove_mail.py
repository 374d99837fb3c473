"""Mail as others judge it: html-validate and SpamAssassin. Run by `make prove-mail`; what is not installed is left out.

html-validate: `npm install --global html-validate`; SpamAssassin: `apt-get install spamassassin`.
"""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from rendering_samples import agency, blog, edition, full, templates, view

from publisher.mail.mailing_list import MailingList
from publisher.mail.message import Personal, Sender, fill, prepare
from publisher.model.choices import Form
from publisher.model.issue import MailText
from publisher.model.personal import SLOTS
from signatures import SIGNER, is_verified

VALIDATOR, SPAMASSASSIN = shutil.which("html-validate"), shutil.which("spamassassin")
RULES = """{"extends": ["html-validate:standard"], "rules": {
  "no-inline-style": "off", "no-conditional-comment": "off", "no-deprecated-attr": "off", "void-style": "off",
  "doctype-style": "off", "long-title": "off", "no-trailing-whitespace": "off"}}"""
"""What mail cannot do without is allowed: styles in elements, Outlook's comments, the attributes of tables."""
MOST = 1.0
"""Points that a mail may get; five are spam."""


def mails() -> dict[str, MailText]:
    made = templates(agency)
    several = (full(), view(id="2"), full(id="3", url=None), view(id="4", language="ar", direction="rtl"), full(id="5"))
    found = {
        f"digest-{language}-{form}": made.mail(edition(*several, language=language, direction=way, form=form))
        for language, way in (("en", "ltr"), ("tr", "ltr"), ("ar", "rtl"))
        for form in (Form.FULL, Form.BRIEF)
    }
    return found | {
        "story": made.mail(edition(full(), instant=True)),
        "letter": templates(blog).mail(edition(full(section=None), public=True, newsletter_id="weekly")),
        "confirmation": made.message("confirmation", "en", titles=("Daily digest",)),
        "text": made.mail(edition(*several, form=Form.TEXT)),
    }


def message(mail: MailText) -> bytes:
    """Returns a mail as a reader gets it, signed."""
    values = dict.fromkeys(SLOTS, "https://news.example.org/preferences/v1.abcdef.MTc.x") | {"name": "Ada Reader"}
    prepared = prepare(
        mail,
        sender=Sender(name="Harbour Wire", address="news@example.org"),
        mailing_list=MailingList(id="daily", title="Daily digest"),
        signer=SIGNER,
    )
    return fill(
        prepared,
        Personal(
            name="Ada Reader",
            address="ada@example.net",
            message_id="<i1.abc@example.org>",
            at=datetime.now(UTC),
            unsubscribe_url="https://news.example.org/unsubscribe/v1.abcdef.MTcgZGFpbHk.x",
            values=values,
        ),
    )


@pytest.mark.skipif(VALIDATOR is None, reason="html-validate is not installed")
def test_html_is_valid(tmp_path: Path) -> None:
    (tmp_path / ".htmlvalidate.json").write_text(RULES, encoding="utf-8")
    for name, mail in mails().items():
        if mail.html:
            part = message_from_bytes(message(mail), policy=default).get_body(("html",))
            assert part is not None
            (tmp_path / f"{name}.html").write_text(part.get_content(), encoding="utf-8", newline="\n")
    done = subprocess.run(
        [str(VALIDATOR), *sorted(map(str, tmp_path.glob("*.html")))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(SPAMASSASSIN is None, reason="SpamAssassin is not installed")
@pytest.mark.parametrize("name", sorted(mails()))
def test_spamassassin_has_nothing_against_a_signed_mail(name: str) -> None:
    raw = message(mails()[name])
    done = subprocess.run([str(SPAMASSASSIN), "-L", "-t"], input=raw, capture_output=True, check=True)
    report = done.stdout.decode("utf-8", "replace").partition("Content analysis details:")[2]
    points = re.search(r"\((-?[0-9.]+) points", report)

    assert is_verified(raw)
    assert points is not None
    assert float(points[1]) <= MOST, report
