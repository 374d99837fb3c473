"""What each depth shows, and that nothing else gets out."""

from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from editorial_samples import BODY, CANARY, NOW, article, catalogue

from publisher.editorial.rendition import absolute_links, lapse, role_phrase, view
from publisher.model.article import Access, Article, Body, Contributor, Correction, Dateline, Enclosure, Status
from publisher.model.view import Depth, FullView, Label, View

NOTE = Correction(at=NOW, kind="correction", text="Nine years, not eight.")
ENCLOSURE = Enclosure(url="/media/report.pdf", media_type="application/pdf", length=9)


def shown(depth: Depth, story: Article | None = None, **site: Any) -> View:
    rendition = view(story or article(), depth, catalogue=catalogue(**site), body=BODY)
    assert rendition is not None
    return rendition


def test_hidden_means_no_rendition_at_all():
    assert view(article(), Depth.HIDE, catalogue=catalogue(), body=BODY) is None


@pytest.mark.parametrize("depth", [Depth.FULL, Depth.FULL_EMBARGOED])
def test_a_full_rendition_has_the_body_and_no_notice(depth: Depth):
    full = shown(depth, article(enclosures=(ENCLOSURE,)))
    assert isinstance(full, FullView)
    assert CANARY in full.body_html
    assert full.body_text == BODY.text
    assert full.notice is None
    assert [enclosure.url for enclosure in full.enclosures] == ["https://news.example.org/media/report.pdf"]
    assert full.summary == "A ferry line between two port cities is open again."


@pytest.mark.parametrize("depth", [Depth.FULL, Depth.FULL_EMBARGOED])
def test_a_full_rendition_without_a_body_is_an_error(depth: Depth):
    with pytest.raises(ValueError, match="body"):
        view(article(), depth, catalogue=catalogue())


@pytest.mark.parametrize("depth", [Depth.HEADLINE, Depth.SUMMARY, Depth.HOLD, Depth.TOMBSTONE])
def test_less_than_full_holds_nothing_of_the_body_or_the_desk(depth: Depth):
    story = article(ednote="DESKNOTE", slugline="SLUGLINE", kill_reason="KILLREASON", embargo_reason="EMBARGOREASON")
    rendition = shown(depth, story)
    assert type(rendition) is View
    assert not hasattr(rendition, "body_html")
    text = repr(asdict(rendition))
    for secret in (CANARY, "Opening", "DESKNOTE", "SLUGLINE", "KILLREASON", "EMBARGOREASON"):
        assert secret not in text


def test_a_view_has_no_place_for_a_body():
    assert not {field.name for field in fields(View)} & {"body", "body_html", "body_text", "ednote", "slugline"}


def test_a_summary_shows_the_portion_and_says_whom_to_ask():
    summary = shown(Depth.SUMMARY, article(corrections=(NOTE,), enclosures=(ENCLOSURE,)))
    assert summary.title == "Ferry line reopens after nine years"
    assert summary.deck == "First boat leaves at dawn"
    assert summary.key_points == ("First boat at dawn", "Nine years of waiting")
    assert summary.dateline == "Izmir"
    assert summary.authors == ("Example staff",)
    assert summary.contributors == (("Writing by", "A. Writer"),)
    assert summary.section == Label(
        id="asia-pacific", title="Asia - Pacific", url="https://news.example.org/sections/asia-pacific/"
    )
    assert summary.image is not None
    assert (summary.image.src, summary.image.caption) == (
        "https://news.example.org/media/ferry.jpg",
        "The ferry at dawn",
    )
    assert summary.corrections == (NOTE,)
    assert summary.enclosures == ()
    assert summary.url == "https://news.example.org/articles/ferry-line/"
    assert not summary.free
    assert summary.notice is not None
    assert summary.notice.text == (
        "Example News Flow publishes only part of its news report here, in summarised form. "
        "The full report goes to subscribers of Example Wire."
    )
    assert summary.notice.contact_label == "Contact us for subscription options"


def test_a_headline_shows_neither_summary_nor_what_a_caption_or_correction_tells():
    headline = shown(Depth.HEADLINE, article(corrections=(NOTE,), sources=("Harbour Gazette",)))
    assert (headline.deck, headline.summary, headline.key_points, headline.corrections) == ("", "", (), ())
    assert headline.image is not None
    assert (headline.image.src, headline.image.caption) == ("https://news.example.org/media/ferry.jpg", "")
    assert headline.notice is not None
    text = repr(asdict(headline))
    assert "dawn" not in text
    assert "Gazette" not in text


def test_the_notice_is_in_the_storys_language():
    turkish = shown(
        Depth.SUMMARY, article(language="tr-TR", contributors=(Contributor(name="A. Yazar", role="writer"),))
    )
    assert turkish.notice is not None
    assert turkish.notice.text.startswith("Example News Flow haberlerinin yalnızca bir bölümü")
    assert turkish.notice.contact_label == "Abonelik için lütfen iletişime geçiniz"
    assert turkish.section is not None
    assert turkish.section.title == "Asya - Pasifik"
    assert turkish.contributors == (("Yazan:", "A. Yazar"),)


@pytest.mark.parametrize("depth", [d for d in Depth if d is not Depth.HIDE])
def test_where_nothing_is_withheld_nothing_speaks_of_subscriptions(depth: Depth):
    assert shown(depth, gated=False).notice is None


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        (
            "mailto:s@example.org",
            "mailto:s@example.org?subject=Subscription%20options%20%28ref%20tag%3Aexample.org%2C2026-03-08%3Aferry-line%29",
        ),
        (
            "mailto:s@example.org?cc=d@example.org",
            (
                "mailto:s@example.org?cc=d@example.org&subject=Subscription%20options%20%28ref%20"
                "tag%3Aexample.org%2C2026-03-08%3Aferry-line%29"
            ),
        ),
        ("mailto:s@example.org?subject=Hello", "mailto:s@example.org?subject=Hello"),
        ("https://example.org/subscribe?a=1", "https://example.org/subscribe?a=1"),
        ("", ""),
    ],
)
def test_the_contact_of_a_mail_names_the_story(contact: str, address: str):
    notice = shown(Depth.SUMMARY, contact=contact).notice
    assert notice is not None
    assert notice.contact == address


def test_the_service_is_the_site_where_it_has_no_name():
    notice = shown(Depth.SUMMARY, service="").notice
    assert notice is not None
    assert "subscribers of Example News Flow." in notice.text


@pytest.mark.parametrize("said", [{"access": Access.SUBSCRIBER}, {"access": None, "section": "desk-notes"}], ids=str)
def test_a_story_for_subscribers_alone_has_no_address(said: dict[str, Any]):
    full = shown(Depth.FULL, article(**said))
    assert full.url is None
    assert not full.free


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ('<img src="https://x.example/a.png">', '<img alt="" src="https://x.example/a.png">'),
        ('<img src="https://x.example/a.png" alt="A pier">', '<img src="https://x.example/a.png" alt="A pier">'),
    ],
)
def test_a_picture_without_words_says_that_it_has_none(written: str, given: str):
    full = view(article(access=Access.PUBLIC), Depth.FULL, catalogue=catalogue(), body=Body(html=written, text=""))
    assert isinstance(full, FullView)
    assert full.body_html == given


def test_a_story_open_to_all_is_free():
    assert shown(Depth.FULL, article(access=Access.PUBLIC)).free


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/articles/şehir hatları/", "https://news.example.org/articles/%C5%9Fehir%20hatlar%C4%B1/"),
        ("/a%20b/", "https://news.example.org/a%20b/"),
    ],
)
def test_addresses_are_uris(path: str, url: str):
    assert shown(Depth.SUMMARY, article(path=path)).url == url


def test_pictures_from_elsewhere_keep_their_address_in_ascii():
    picture = article().image
    assert picture is not None
    image = shown(Depth.SUMMARY, article(image=replace(picture, src="https://resim.örnek/a b.jpg"))).image
    assert image is not None
    assert image.src == "https://resim.xn--rnek-4qa/a%20b.jpg"


def test_an_unknown_section_is_named_without_a_link():
    assert shown(Depth.SUMMARY, article(section="nowhere")).section == Label(id="nowhere", title="nowhere")
    assert shown(Depth.SUMMARY, article(section=None)).section is None


def test_stories_without_a_byline_are_by_the_house():
    assert shown(Depth.SUMMARY, article(authors=()), author="Example staff").authors == ("Example staff",)
    assert shown(Depth.SUMMARY, article(authors=())).authors == ()


@pytest.mark.parametrize(
    ("role", "phrase"),
    [
        ("writer", "Writing by"),
        ("Editor", "Editing by"),
        ("", "With contributions by"),
        ("Illustration", "Illustration"),
    ],
)
def test_roles_become_phrases(role: str, phrase: str):
    assert role_phrase(role, "en") == phrase


def test_right_to_left_stories_say_so():
    assert shown(Depth.SUMMARY, article(language="ar")).direction == "rtl"


MIDNIGHT = datetime(2025, 9, 1, 21, 0, tzinfo=UTC)  # 2 September, 00:00 in Istanbul
NOON = MIDNIGHT + timedelta(hours=12)


@pytest.mark.parametrize(
    ("published", "updated", "is_shown", "published_text", "updated_text"),
    [
        (MIDNIGHT, MIDNIGHT, False, "2 Eylül 2025", "2 Eylül 2025"),
        (NOON, NOON, False, "2 Eylül 2025 12:00", "2 Eylül 2025 12:00"),
        (NOON, NOON + timedelta(seconds=30), False, "2 Eylül 2025 12:00", "2 Eylül 2025 12:00"),
        (NOON, NOON + timedelta(minutes=150), True, "2 Eylül 2025 12:00", "2 Eylül 2025 14:30"),
        (MIDNIGHT, NOON, True, "2 Eylül 2025", "2 Eylül 2025 12:00"),
        (MIDNIGHT, MIDNIGHT + timedelta(days=1), True, "2 Eylül 2025", "3 Eylül 2025"),
        (NOON, MIDNIGHT + timedelta(days=1), True, "2 Eylül 2025 12:00", "3 Eylül 2025"),
        (NOON, NOON + timedelta(hours=13), True, "2 Eylül 2025 12:00", "3 Eylül 2025 01:00"),
    ],
)
def test_an_update_is_shown_when_it_reads_differently(
    published: datetime, updated: datetime, is_shown: bool, published_text: str, updated_text: str
):
    """A date without a time is midnight in the site's zone and is shown without one."""
    story = article(language="tr", published_at=published, updated_at=updated)
    rendition = shown(Depth.SUMMARY, story)
    assert rendition.update_shown is is_shown
    assert (rendition.published_text, rendition.updated_text) == (published_text, updated_text)
    assert (rendition.published_at, rendition.updated_at) == (published, updated)


def test_a_hold_keeps_the_title_and_takes_the_text():
    hold = shown(Depth.HOLD, article(status=Status.HELD))
    assert hold.title == "Ferry line reopens after nine years"
    assert "on hold" in hold.summary
    assert (hold.deck, hold.key_points, hold.image, hold.notice) == ("", (), None, None)


def test_a_withdrawn_story_says_so_in_its_title():
    stone = shown(Depth.TOMBSTONE, article(status=Status.WITHDRAWN))
    assert stone.title == "Withdrawn: Ferry line reopens after nine years"
    assert stone.url == "https://news.example.org/articles/ferry-line/"
    assert (stone.deck, stone.key_points, stone.tags, stone.image) == ("", (), (), None)


def test_of_a_killed_story_not_even_the_headline_is_left():
    stone = shown(Depth.TOMBSTONE, article(status=Status.KILLED))
    assert stone.title == "STORY WITHDRAWN (ref 7)"
    assert stone.url is None
    assert "erry line" not in repr(asdict(stone))


@pytest.mark.parametrize(("minute", "day"), [(0, "31 Ocak 2026"), (1, "1 Şubat 2026")])
def test_a_former_subscriber_is_told_when_and_whom_to_ask(minute: int, day: str):
    """The day in the site's zone; a licence that ended at midnight had the day before as its last."""
    ended = datetime(2026, 1, 31, 21, minute, tzinfo=UTC)
    entry = lapse(id="tag:example.org,2026:lapse", ended_at=ended, language="tr", catalogue=catalogue())
    assert entry.title == f"Aboneliğiniz {day} tarihinde sona erdi"
    assert entry.published_at == ended
    assert entry.notice is not None
    assert entry.notice.contact.startswith("mailto:subscriptions@example.org?subject=")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="/x">/x</a>', '<a href="https://n.example/x">/x</a>'),
        ('<a href="//cdn.example/x">y</a>', '<a href="//cdn.example/x">y</a>'),
        ('<a href="https://e.example/x">y</a>', '<a href="https://e.example/x">y</a>'),
        ('<a href="#note">y</a>', '<a href="#note">y</a>'),
        ('<a href="mailto:a@b.example">y</a>', '<a href="mailto:a@b.example">y</a>'),
        ('<p>write href="/x" here</p>', '<p>write href="/x" here</p>'),
        ('<img alt="a > b" src="/i.png">', '<img alt="a > b" src="https://n.example/i.png">'),
        ('<img alt="/i.png" data-src="/i.png">', '<img alt="/i.png" data-src="/i.png">'),
        (
            '<img srcset="/a.png 1x, /b.png 2x,https://e.example/c.png 3x">',
            '<img srcset="https://n.example/a.png 1x, https://n.example/b.png 2x,https://e.example/c.png 3x">',
        ),
        (
            '<video poster="/p.jpg" src="/v.mp4"></video>',
            '<video poster="https://n.example/p.jpg" src="https://n.example/v.mp4"></video>',
        ),
        ("<blockquote cite='/q'>q</blockquote>", "<blockquote cite='https://n.example/q'>q</blockquote>"),
        ("1 < 2 and <b>bold</b>", "1 < 2 and <b>bold</b>"),
    ],
)
def test_links_of_the_text_become_absolute_and_words_stay(html: str, expected: str):
    assert absolute_links(html, "https://n.example") == expected


def test_a_story_without_dateline_or_picture_has_none():
    plain = shown(Depth.SUMMARY, article(dateline=None, image=None, contributors=()))
    assert (plain.dateline, plain.image, plain.contributors) == ("", None, ())
    assert shown(Depth.SUMMARY, article(dateline=Dateline(city="Ankara"))).dateline == "Ankara"
