"""The text part read aloud: whole mails in three languages, as they are. `GOLDEN=write` makes the files anew."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rendering_samples import AT, BASE, LATER, agency, edition, full, templates, view

from publisher.model.article import Correction
from publisher.model.choices import Form
from publisher.model.issue import ComingUp, Edition, Group, Mention
from publisher.model.view import Label

GOLDEN = Path(__file__).parent / "golden"
_WORDS = {
    "en": {
        "title": "Ferry line reopens after nine years",
        "deck": "First boat leaves at dawn",
        "dateline": "Port Ambry",
        "heading": "What comes next",
        "first": "The ferry sails again, says the operator's plan",
        "quote": "We have waited for nine years.",
        "last": "The line pays for itself from the third year on, and nobody who was asked expects anything else.",
        "section": "Economy",
        "newsletter": "Daily digest",
        "fix": "It is nine years, not eight.",
    },
    "tr": {
        "title": "Feribot hattı dokuz yıl sonra yeniden açılıyor",
        "deck": "İlk sefer şafakta",
        "dateline": "Iğdır",
        "heading": "Bundan sonrası için iki ihtimal",
        "first": "Feribot yeniden sefere çıkıyor, diyor işletmenin planı",
        "quote": "Dokuz yıl bekledik.",
        "last": "Hat üçüncü yıldan itibaren kendi giderini karşılayacak; sorulanlardan hiç kimse başka şey beklemiyor.",
        "section": "Ekonomi",
        "newsletter": "Günlük bülten",
        "fix": "Sekiz değil, dokuz yıl.",
    },
    "ar": {
        "title": "خط العبّارات يعود بعد تسع سنوات",
        "deck": "الرحلة الأولى عند الفجر",
        "dateline": "فيرا",
        "heading": "ما الذي سيأتي",
        "first": "تبحر العبّارة من جديد بحسب خطة الشركة",
        "quote": "انتظرنا تسع سنوات.",
        "last": "يغطي الخط نفقاته ابتداءً من السنة الثالثة، ولا يتوقع أحد ممن سُئلوا غير ذلك في السنوات القليلة المقبلة.",
        "section": "اقتصاد",
        "newsletter": "النشرة اليومية",
        "fix": "تسع سنوات لا ثمانٍ.",
    },
}


def digest(language: str, form: Form = Form.FULL) -> Edition:
    """Returns an issue with all that a digest has, in one language."""
    words = _WORDS[language]
    direction = "rtl" if language == "ar" else "ltr"
    own = {
        "language": language,
        "direction": direction,
        "section": Label(id="economy", title=words["section"]),
        "title": words["title"],
        "deck": words["deck"],
        "summary": words["first"] + ".",
        "dateline": words["dateline"],
        "key_points": (words["deck"], words["heading"]),
        "contributors": (),
        "authors": ("A. Writer",),
        "corrections": (),
    }
    link = "https://example.org/plan"
    long = full(
        **own,
        body_html=f"<p>{words['first']}.</p><h2>{words['heading']}</h2><p>{words['last']}</p>",
        body_text=f"{words['first']} ({link}).\n\n> {words['quote']}\n\n{words['heading']}\n\n{words['last']}",
    )
    fixed = replace(long, id="2", number=8, corrections=(Correction(at=LATER, kind="correction", text=words["fix"]),))
    short = view(**own, id="3", number=9, url=None, shortened=True, notice=None)
    return replace(
        edition(),
        newsletter_title=words["newsletter"],
        language=language,
        direction=direction,
        form=form,
        local_date=datetime(2026, 11, 18, 7, 0, tzinfo=ZoneInfo("Europe/Istanbul")),
        groups=(
            Group(label="", views=(fixed,), mention=Mention.CORRECTED),
            Group(label=words["section"], views=(long, short, short)),
        ),
        already_sent=(view(**own, id="4"),),
        coming_up=(ComingUp(title=words["heading"], date=AT, language=language, direction=direction),),
        web_url=f"{BASE}/issues/daily/12/",
    )


@pytest.mark.parametrize("language", sorted(_WORDS))
def test_the_text_part_is_as_it_was_read_and_found_good(language: str) -> None:
    mail = templates(agency).mail(digest(language))
    told = f"Subject: {mail.subject}\nPreheader: {mail.preheader}\n\n{mail.text}"
    path = GOLDEN / f"digest.{language}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(told, encoding="utf-8")

    assert told == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", sorted(_WORDS))
def test_text_alone_says_the_same_as_the_text_part(language: str) -> None:
    both, alone = (templates(agency).mail(digest(language, form)) for form in (Form.FULL, Form.TEXT))

    assert alone == replace(both, html="")
