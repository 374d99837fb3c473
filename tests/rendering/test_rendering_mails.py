"""Mails: a digest, a single story, a confirmation, a welcome; always HTML and text, always from Views."""

import re
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from rendering_samples import BASE, CANARY, LATER, NOTICE, agency, blog, edition, full, templates, view
from selectolax.lexbor import LexborHTMLParser

from publisher.editorial.rendition import brief
from publisher.model.advisory import AdvisoryKind
from publisher.model.article import Correction
from publisher.model.catalogue import Catalogue
from publisher.model.choices import Form
from publisher.model.issue import ComingUp, Edition, Group, MailText, Mention
from publisher.model.notice import NoticeText
from publisher.model.personal import MARKERS
from publisher.model.theme import DARK, LIGHT, Logo, Theme
from publisher.model.view import View
from publisher.services.fit import fitted_story, size

GMAIL_CLIPS_AT = 102_000
"""Bytes of the HTML part (standards T1)."""


def digest(*views: View, **said: object) -> MailText:
    return templates(agency).mail(edition(*views, **said))


def stories(count: int) -> tuple[View, ...]:
    return tuple(
        view(id=str(i), title=f"Story number {i} of the day", deck=f"What happened in place {i}") for i in range(count)
    )


NOTES = (Correction(at=LATER, kind="correction", text="It is nine years, not eight."),)


def notice(**said: object) -> NoticeText:
    values: dict[str, object] = {
        "kind": AdvisoryKind.CORRECTION,
        "heading": "Correction: Ferry line reopens after nine years",
        "language": "en",
        "direction": "ltr",
        "newsletter_title": "Daily digest",
    }
    return NoticeText(**(values | said))  # type: ignore[arg-type]


def killed() -> NoticeText:
    about = "Ref 7 · Ekonomi · yayımlanma: 18 Kasım 2026"
    return notice(kind=AdvisoryKind.KILL, heading="İPTAL (ref 7)", text="Kullanmayınız.", reason="Not so.", about=about)


def embargoed() -> View:
    return full(
        url=None, embargo_text="10:00 AM (UTC+03:00), November 19, 2026", embargo_reason="The bank speaks then."
    )


def every_mail() -> dict[str, MailText]:
    public = edition(view(), view(id="2"), public=True, newsletter_id="weekly")
    instant = edition(full(), instant=True, newsletter_id="alerts")
    mails = templates(agency)
    return {
        "digest": digest(full(), view(id="2")),
        "public digest": mails.mail(public),
        "story": mails.mail(instant),
        "confirmation": mails.message("confirmation", "en", titles=("Daily digest",)),
        "welcome": mails.message("welcome", "tr", titles=("Günlük bülten",), private_feed=True),
        "reminder": mails.message("reminder", "tr", titles=("Günlük bülten",)),
        **{kind: mails.message(kind, "en") for kind in ("account", "move_old", "move_new", "move_taken")},
        "notice": mails.message("notice", "en", notice=notice(story=full(corrections=()), notes=NOTES)),
        "kill": mails.message("notice", "tr", notice=killed()),
        "embargo": mails.message("embargo", "en", view=embargoed(), newsletter_title="Daily digest"),
        "letter of a blog": templates(blog).mail(edition(full(section=None), public=True, newsletter_id="weekly")),
    }


@pytest.mark.parametrize("name", sorted(every_mail()))
def test_mail_is_readable_everywhere(name: str) -> None:
    """The rules every mail obeys: language, layout tables, alternatives, colours for the dark, short lines."""
    mail = every_mail()[name]
    tree = LexborHTMLParser(mail.html)
    root = tree.css_first("html")

    assert mail.html.startswith("<!DOCTYPE html>")
    assert root is not None
    assert root.attributes["lang"]
    assert tree.css_first(".canvas").attributes["dir"] == "ltr"
    assert all(table.attributes.get("role") == "presentation" for table in tree.css("table"))
    assert all(image.attributes.get("alt") for image in tree.css("img"))
    assert len(tree.css("h1")) <= 1
    assert '<meta name="color-scheme" content="light dark">' in mail.html
    assert "@media (prefers-color-scheme: dark)" in mail.html
    assert tree.css("script, link, iframe, form") == []
    assert 40 <= len(mail.preheader) <= 130
    assert tree.css_first(".pre").text().startswith(mail.preheader)
    assert all(len(line) <= 78 or " " not in line for line in mail.text.splitlines())
    assert "\r" not in mail.text
    assert not re.search(r"<[a-z]+[ >]|&[a-z]+;", mail.text)
    assert mail.text.endswith("\n")


@pytest.mark.parametrize("name", sorted(every_mail()))
def test_style_block_stays_small_enough_for_gmail(name: str) -> None:
    """Gmail drops a style block of more than 16 KB (standards T6)."""
    block = LexborHTMLParser(every_mail()[name].html).css_first("style").text()

    assert len(block) < 16_000
    assert ".sheet { width: 100%" not in block


@pytest.mark.parametrize(
    "name", ["digest", "public digest", "story", "letter of a blog", "welcome", "notice", "kill", "embargo"]
)
def test_reader_can_leave_from_both_parts(name: str) -> None:
    mail = every_mail()[name]

    assert f'href="{MARKERS["unsubscribe_url"]}"' in mail.html
    assert f'href="{MARKERS["preferences_url"]}"' in mail.html
    assert f"\n{MARKERS['unsubscribe_url']}\n" in mail.text


def test_markers_survive_in_text_and_in_links() -> None:
    """Inlining and escaping leave the places of personal values as they are."""
    mail = templates(agency).message("confirmation", "en", titles=("Daily digest",))
    marker = MARKERS["confirm_url"]

    assert mail.html.count(marker) == 3
    assert mail.html.count(f'href="{marker}"') == 2
    assert f"\n{marker}\n" in mail.text


def test_confirmation_holds_nothing_but_our_own_words() -> None:
    """Nothing a visitor typed goes to an address that has not agreed to get mail (security S1)."""
    mail = templates(agency).message("confirmation", "en", titles=("Daily digest",))

    assert not any(MARKERS[slot] in mail.html + mail.text for slot in ("name", "address", "feed_url"))
    assert mail.subject == "Harbour Wire: please confirm"


@pytest.mark.parametrize("language", ["en", "tr", "ar"])
@pytest.mark.parametrize(
    ("kind", "slot"),
    [("reminder", "confirm_url"), ("account", "account_url"), ("move_old", "move_url"), ("move_new", "move_url")],
)
def test_mail_about_one_link_holds_it_and_nothing_personal(kind: str, slot: str, language: str) -> None:
    titles = {"titles": ("Daily digest",)} if kind == "reminder" else {}
    mail = templates(agency).message(kind, language, **titles)

    assert mail.html.count(f'href="{MARKERS[slot]}"') == 2
    assert f"\n{MARKERS[slot]}\n" in mail.text
    assert not any(marker in mail.html + mail.text for name, marker in MARKERS.items() if name != slot)


def test_subject_names_newsletter_day_and_lead() -> None:
    assert digest(view(), view(id="2")).subject == (
        "Daily digest, November 18, 2026: Ferry line reopens after nine years"
    )


def test_instant_mail_is_the_story_itself() -> None:
    """Its subject is the headline, and nothing of a digest's furniture is there."""
    mail = templates(agency).mail(edition(full(), instant=True, newsletter_id="alerts", newsletter_title="Alerts"))

    assert mail.subject == "Ferry line reopens after nine years"
    assert "No. 12" not in mail.html + mail.text
    assert "In this issue" not in mail.html
    assert LexborHTMLParser(mail.html).css_first("h1").text() == mail.subject
    assert CANARY in mail.html
    assert CANARY in mail.text


def test_instant_mail_of_several_stories_is_a_digest() -> None:
    mail = templates(agency).mail(edition(full(), full(id="2"), instant=True))

    assert mail.subject.startswith("Daily digest, ")


def test_subject_from_config_is_a_template_too() -> None:
    own = agency()
    newsletter = replace(own.newsletters["daily"], subject="{{ views|length }} & more: {{ views[0].title }}")
    mails = templates(lambda: replace_newsletter(own, "daily", newsletter))

    assert mails.mail(edition(view(), view(id="2"))).subject == "2 & more: Ferry line reopens after nine years"


def replace_newsletter(catalogue: Catalogue, name: str, newsletter: object) -> Catalogue:
    return replace(catalogue, newsletters=catalogue.newsletters | {name: newsletter})


def test_test_mail_is_marked() -> None:
    assert digest(view(), view(id="2"), test=True).subject.startswith("[TEST] Daily digest, ")


def test_subject_and_preheader_are_one_line_each() -> None:
    """A headline cannot add lines to the head of a mail."""
    mail = digest(view(title="One\nBcc: x@example.net\n\nTwo", deck="a\nb"), view(id="2"))

    assert mail.subject == "Daily digest, November 18, 2026: One Bcc: x@example.net Two"
    assert "\n" not in mail.preheader


def test_notice_says_what_was_wrong_and_then_the_story() -> None:
    mail = every_mail()["notice"]
    text = mail.text

    assert mail.subject == "Correction: Ferry line reopens after nine years"
    assert text.index("CORRECTION: It is nine years, not eight.") < text.index("THE STORY AS IT STANDS NOW")
    assert text.index("THE STORY AS IT STANDS NOW") < text.index(CANARY)
    assert text.count("It is nine years, not eight.") == 1
    assert CANARY in mail.html
    assert "sent you this story before" in " ".join(text.split())


def test_notice_to_somebody_without_the_text_has_none_of_it() -> None:
    mail = templates(agency).message("notice", "en", notice=notice(notes=NOTES, newsletter_title=""))

    assert "It is nine years, not eight." in mail.html
    assert CANARY not in mail.html + mail.text
    assert MARKERS["unsubscribe_url"] not in mail.html + mail.text
    assert MARKERS["preferences_url"] in mail.html
    assert MARKERS["preferences_url"] in mail.text


def test_notice_marks_the_language_of_what_the_desk_wrote() -> None:
    """The labels are the reader's, the words the story's; right-to-left ones run their own way."""
    arabic = (Correction(at=LATER, kind="correction", text="تسع سنوات"),)
    said = notice(heading="Düzeltme: عبارة", notes=arabic, language="ar", direction="rtl")
    tree = LexborHTMLParser(templates(agency).message("notice", "tr", notice=said).html)

    (words,) = [node for node in tree.css(".note p") if node.text() == "تسع سنوات"]
    assert (words.attributes["lang"], words.attributes["dir"]) == ("ar", "rtl")
    assert tree.css_first("html").attributes["lang"] == "tr"


def test_kill_links_to_nothing_of_the_story() -> None:
    mail = every_mail()["kill"]
    links = {node.attributes["href"] for node in LexborHTMLParser(mail.html).css("a")}

    assert mail.subject == "İPTAL (ref 7)"
    assert "Not so." in mail.text
    assert "Ref 7 · Ekonomi" in mail.text
    assert links == {f"{BASE}/", MARKERS["unsubscribe_url"], MARKERS["preferences_url"]}


def test_embargoed_mail_is_headed_and_boxed() -> None:
    mail = every_mail()["embargo"]

    assert mail.subject.startswith("EMBARGOED until 10:00 AM (UTC+03:00), November 19, 2026 - Ferry line")
    assert "Embargoed until 10:00 AM" in LexborHTMLParser(mail.html).css_first(".note").text()
    assert "The bank speaks then." in mail.text
    assert "*** EMBARGOED UNTIL 10:00 AM" in mail.text
    assert f"{BASE}/articles/" not in mail.html + mail.text


def test_a_text_that_does_not_fit_ends_with_a_line_that_says_so() -> None:
    """In both parts, after the last whole paragraph; it leads to no page that there is not."""
    paragraphs = [f"Paragraph {n} of many." for n in range(400)]
    html = "".join(f"<p>{one}</p>" for one in paragraphs)
    giant = replace(embargoed(), body_html=html, body_text="\n\n".join(paragraphs))
    lay_out = partial(templates(agency).message, "embargo", "en", newsletter_title="Daily digest")
    mail = fitted_story(giant, lambda one: lay_out(view=one), "The text goes on.", 20_000)

    assert size(mail) <= 20_000
    for part in (mail.html, mail.text):
        assert part.index("Paragraph 9 of many.") < part.index("The text goes on.")
        assert "Paragraph 399" not in part
        assert MARKERS["read_url"] not in part
    assert mail.subject.startswith("EMBARGOED until")


def test_digest_boxes_an_embargo_and_names_what_is_gone_and_what_is_coming() -> None:
    coming = ComingUp(title="Elections", date=LATER, language="en", direction="ltr")
    gone = view(title="Withdrawn: The bridge")
    mail = digest(embargoed(), view(id="2"), withdrawn=(gone,), coming_up=(coming,))

    assert LexborHTMLParser(mail.html).css(".note")[0].text().strip().startswith("Embargoed until 10:00 AM")
    assert mail.text.count("EMBARGOED UNTIL") == 1
    for part in (mail.html, mail.text):
        assert "Withdrawn: The bridge" in part
        assert "Coming up" in part
        assert "Elections" in part


def test_full_text_and_summary_stand_side_by_side_as_their_views_say() -> None:
    mail = digest(full(), view(id="2", title="The other", summary="What the public may know."))

    assert mail.html.count(CANARY) == 1
    assert mail.text.count(CANARY) == 1
    assert "What the public may know." in mail.html
    assert f'<a href="{BASE}/articles/ferry/" aria-label="Read more: The other"' in mail.html


def test_table_of_contents_leads_to_each_story() -> None:
    tree = LexborHTMLParser(digest(*stories(4)).html)
    targets = [node.attributes["href"] for node in tree.css(".toc a")]

    assert targets == ["#s1", "#s2", "#s3", "#s4"]
    assert [f"#{node.attributes['id']}" for node in tree.css("[id]")] == targets


def test_digest_of_a_few_stories_has_no_table_of_contents() -> None:
    mail = digest(*stories(3))

    assert LexborHTMLParser(mail.html).css_first(".toc") is None
    assert "In this issue" not in mail.text


def test_stories_stand_under_the_headings_of_their_groups() -> None:
    groups = (Group(label="İlk", views=(view(),)), Group(label="Spor", views=(view(id="2"),)))
    mail = templates(agency).mail(replace(edition(), groups=groups, language="tr"))

    assert [node.text() for node in LexborHTMLParser(mail.html).css(".group")] == ["İlk", "Spor"]
    assert "\nİLK\n===\n" in mail.text


def test_public_digest_says_the_notice_once_per_language() -> None:
    """Every public rendition in it is followed by the notice, which is not repeated for each story."""
    turkish = replace(NOTICE, text="Harbour Wire haberlerinin bir bölümü burada.")
    mail = digest(view(), view(id="2"), view(id="3", language="tr", notice=turkish))

    tree = LexborHTMLParser(mail.html)
    assert [node.attributes["lang"] for node in tree.css('[data-role="subscription-notice"]')] == ["en", "tr"]
    assert mail.text.count(NOTICE.text) == 1
    assert NOTICE.contact in mail.text


def test_mail_in_full_has_no_notice_and_a_private_feed() -> None:
    mail = digest(full())

    assert LexborHTMLParser(mail.html).css_first('[data-role="subscription-notice"]') is None
    assert MARKERS["feed_url"] in mail.html
    assert MARKERS["feed_url"] in mail.text


def test_public_newsletter_has_no_private_feed() -> None:
    mail = digest(view(), public=True)

    assert MARKERS["feed_url"] not in mail.html + mail.text


def test_letter_of_a_blog_never_speaks_of_subscriptions() -> None:
    mail = templates(blog).mail(edition(full(section=None), public=True, newsletter_id="weekly"))

    assert not re.search(r"subscription|subscriber|contact us", mail.html + mail.text, re.IGNORECASE)
    assert MARKERS["feed_url"] not in mail.html


def test_already_sent_stories_are_named_only() -> None:
    mail = digest(view(), already_sent=(full(id="9", title="From this morning"),))

    assert "Already sent to you" in mail.html
    assert "From this morning" in mail.text
    assert CANARY not in mail.html + mail.text


def test_story_without_page_has_no_link() -> None:
    """A subscribers' story has no public address; its mail does not invent one."""
    mail = digest(full(url=None))

    assert LexborHTMLParser(mail.html).css(".h a, .more a") == []
    assert "None" not in mail.html + mail.text


def test_twenty_summaries_stay_below_what_gmail_clips() -> None:
    mail = digest(*stories(20), public=True, newsletter_id="weekly")

    assert len(mail.html.encode()) < GMAIL_CLIPS_AT * 0.8
    assert mail.html.index(MARKERS["unsubscribe_url"]) < GMAIL_CLIPS_AT


def test_right_to_left_mail_says_so() -> None:
    story = full(language="ar", direction="rtl", title="عنوان")
    tree = LexborHTMLParser(templates(agency).mail(edition(story, language="ar", direction="rtl", instant=True)).html)

    assert tree.css_first("html").attributes["dir"] == "rtl"
    assert tree.css_first(".canvas").attributes["dir"] == "rtl"


def test_arabic_mail_speaks_arabic_and_marks_what_is_not() -> None:
    """Labels, dates and notice; an English story among them keeps its direction, and numbers stay with their date."""
    arabic = view(language="ar", direction="rtl", title="عنوان", authors=("Example staff",), country="TA")
    english = view(id="2", title="In English")
    others = stories(2)
    mail = templates(agency).mail(edition(arabic, english, *others, language="ar", direction="rtl"))
    tree = LexborHTMLParser(mail.html)
    first, second, *_ = tree.css(".story")
    line = second.css_first(".credits")

    assert "dir" not in first.attributes
    assert (second.attributes["lang"], second.attributes["dir"]) == ("en", "ltr")
    assert (line.attributes["lang"], line.attributes["dir"]) == ("ar", "rtl")
    assert [node.attributes["dir"] for node in line.css("span")] == ["rtl", "rtl", "rtl"]
    assert [node.attributes.get("dir") for node in tree.css(".toc li")] == [None, "ltr", "ltr", "ltr"]
    assert tree.css_first("a.raw").attributes["dir"] == "ltr"
    assert "بقلم: Example staff" in first.text()
    assert "18 نوفمبر 2026" in first.text()
    assert "العدد 12" in tree.text()
    assert "Example staff \u200f| 18 نوفمبر 2026" in mail.text
    assert not re.search(r"\b(By|Updated|Key points|Read more|Unsubscribe)\b", tree.text() + mail.text)


def test_a_dateline_has_the_capitals_of_its_own_language() -> None:
    """A Turkish place keeps its dots in an English mail."""
    story = full(language="tr", dateline="Iğdır ile İzmir")
    mail = templates(agency).mail(edition(story))

    assert "IĞDIR İLE İZMİR — " in mail.text
    assert "IĞDIR İLE İZMİR" in mail.html


def test_hostile_words_are_shown_not_run() -> None:
    bad = "</td></table><script>alert(1)</script>"
    mail = digest(view(title=bad, deck=bad, summary=bad, key_points=(bad,)), newsletter_title=bad)

    assert LexborHTMLParser(mail.html).css("script") == []
    assert "&lt;script" in mail.html
    assert "<script>" in mail.text


def test_the_same_edition_gives_the_same_mail() -> None:
    one: Edition = edition(view(), full(id="2"))

    assert templates(agency).mail(one) == templates(agency).mail(one)


def test_pictures_have_the_size_of_their_room() -> None:
    picture = LexborHTMLParser(digest(view()).html).css_first("img")

    assert (picture.attributes["width"], picture.attributes["height"]) == ("536", "268")


def test_paragraphs_given_away_are_in_both_parts() -> None:
    """The first paragraphs of a public rendition, and not once more as its summary."""
    given = view(lead=("First paragraph & all.", "Second one."), summary="First paragraph")
    mail = templates(agency).mail(edition(given))
    assert mail.html.replace(mail.preheader, "").count("First paragraph") == 1
    assert mail.text.count("First paragraph") == 1
    assert "Second one." in mail.html
    assert "Second one." in mail.text


def test_an_embargo_is_told_in_the_mails_language_and_its_reason_in_the_storys() -> None:
    """Each from its own side: an English reason in an Arabic mail ends with its full stop."""
    html = templates(agency).message("embargo", "ar", view=embargoed(), newsletter_title="Daily digest").html
    assert re.search(r'<p(?=[^>]* lang="en")(?=[^>]* dir="ltr")[^>]*>The bank speaks then\.</p>', html)
    assert re.search(r'<td class="note"(?=[^>]* lang="ar")(?=[^>]* dir="rtl")[^>]*>\s*<p class="notehead"', html)


def test_outlook_has_its_own_dark_colours_and_cells_for_boxes() -> None:
    """It knows no media query, marks what it recoloured, and gives room only inside cells (standards T5)."""
    mail = digest(full(), view(id="2"))
    tree = LexborHTMLParser(mail.html)
    asked, outlook = (node.text() for node in tree.css("style"))

    assert "[data-ogsc] .sheet" in outlook
    assert "[data-ogsb] .canvas { background:" in outlook
    assert asked.count("!important") > 10
    assert len(asked) + len(outlook) < 16_000
    assert {node.tag for node in tree.css(".keys, .note, .offer, .head, .main, .foot")} == {"td"}
    assert "<!--[if mso]>" in mail.html


def test_headings_go_down_one_by_one() -> None:
    """The name of the newsletter, its sections, their stories, what stands in a story (WCAG 1.3.1)."""
    groups = (
        Group(label="", views=(full(),)),
        Group(label="Economy", views=(full(id="2"), view(id="3"), view(id="4"))),
    )
    tree = LexborHTMLParser(templates(agency).mail(replace(edition(), groups=groups)).html)
    levels = [int(node.tag[1]) for node in tree.css("h1, h2, h3, h4, h5, h6")]

    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_an_issue_of_one_story_is_that_story() -> None:
    """Its day and number stand above it, and it is headed by its headline, on a schedule as well."""
    mail = digest(full(), already_sent=(view(id="9", title="From this morning"),))
    tree = LexborHTMLParser(mail.html)

    assert mail.subject == tree.css_first("h1").text() == "Ferry line reopens after nine years"
    assert "No. 12" in tree.css_first(".strip").text()
    assert tree.css_first(".toc") is None
    assert "From this morning" in mail.html
    assert "1. " not in mail.text


def test_the_lead_is_the_first_new_story_not_what_was_wrong() -> None:
    groups = (
        Group(label="Corrections", views=(full(title="Put right"),), mention=Mention.CORRECTED),
        Group(label="", views=(view(id="2", title="The news of the day"),)),
    )
    mail = templates(agency).mail(replace(edition(), groups=groups))

    assert mail.subject == "Daily digest, November 18, 2026: The news of the day"
    assert mail.preheader.startswith("Put right")
    assert LexborHTMLParser(mail.html).css_first(".lead").text() == "The news of the day"


def test_a_brief_mail_leads_to_the_whole_and_holds_none_of_it() -> None:
    """What is public has its page; of the rest a reader has a page of their own."""
    views = (brief(full()), brief(full(id="2", number=8, url=None)), brief(full(id="3", free=True)))
    mail = digest(*views, form=Form.BRIEF)
    links = [node.attributes["href"] for node in LexborHTMLParser(mail.html).css(".more a")]

    assert links == [f"{MARKERS['read_url']}#a7", f"{MARKERS['read_url']}#a8", f"{BASE}/articles/ferry/"]
    assert CANARY not in mail.html + mail.text
    assert f"\n{MARKERS['read_url']}\n" in mail.text
    assert "Key points" not in mail.html


def test_text_alone_has_no_html() -> None:
    assert digest(full(), view(id="2"), form=Form.TEXT).html == ""


def test_own_colours_fonts_and_logo_are_everywhere() -> None:
    own = agency()
    look = Theme(
        light=replace(LIGHT, accent="#7a1f3d"),
        dark=replace(DARK, accent="#f0a3bd"),
        headline_font="'Playfair Display', serif",
        logo=Logo(src="/logo.png", dark="/dark.png", width=240, height=48),
    )
    made = templates(lambda: replace(own, site=replace(own.site, theme=look)))
    html = made.mail(edition(view(), view(id="2"))).html
    tree = LexborHTMLParser(html)

    assert "color: #7a1f3d" in tree.css_first(".more a").attributes["style"]
    assert LIGHT.accent not in html
    assert "#f0a3bd" in tree.css_first("style").text()
    assert "'Playfair Display', serif" in tree.css_first(".h").attributes["style"]
    logo = tree.css_first("img.logo").attributes
    assert (logo["src"], logo["alt"], logo["width"]) == (f"{BASE}/logo.png", "Harbour Wire", "240")
    assert tree.css_first("source").attributes["srcset"] == f"{BASE}/dark.png"
    assert "--accent: #7a1f3d" in made.page("_theme.css", "en")
    assert 'src="/logo.png"' in made.page("gone", "en")


@pytest.mark.parametrize("form", [Form.FULL, Form.BRIEF])
def test_stories_without_room_are_counted(form: Form) -> None:
    """And the reader is led to all of them."""
    mail = digest(*stories(4), form=form, left_out=96)
    for part in (mail.html, mail.text):
        assert "Stories that are only there: 96." in part
        assert MARKERS["read_url"] in part
    assert "only there" not in digest(*stories(4), form=form).text
