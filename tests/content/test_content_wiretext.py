"""Wire text: the order of lines is all the mark-up there is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from content_samples import FIXTURES, RULES, read

from publisher.content import parse
from publisher.model.article import Contributor, Dateline


@pytest.fixture(scope="module")
def wire():
    """The whole story of the agency's page."""
    return parse("wire.txt", (FIXTURES / "wire.txt").read_bytes(), RULES)


def test_head_becomes_section_title_and_deck(wire):
    """The three lines above the byline."""
    assert wire.section == "isles-north"
    assert wire.title == "Port Alder mayor reaches Sorrel for first harbour talks"
    assert wire.deck.startswith("Mayor, alongside two council leaders")


def test_byline_gives_author_and_both_dates_day_first(wire):
    """Midnight in the site's zone, without a warning, for wire text never says the hour."""
    assert wire.authors == ("Example staff",)
    assert wire.date == datetime(2025, 9, 1, 21, tzinfo=UTC)
    assert wire.updated == datetime(2025, 9, 2, 21, tzinfo=UTC)
    assert wire.warnings == ()


def test_key_points_dateline_and_writer(wire):
    """What stands between the head and the text, and below it."""
    assert wire.key_points == (
        "As the ferry sails, the island's office counts 200 ships waiting in fog",
        "Work with the island to 'go on growing,' says the port",
    )
    assert wire.dateline == Dateline(city="Alderport")
    assert wire.contributors == (Contributor(name="Ilse Maren", role="writer"),)
    assert wire.language == "en"


def test_body_has_25_paragraphs_and_2_subheads(wire):
    """Subheads are the lines that end no sentence."""
    assert wire.body.html.count("<p>") == 25
    assert wire.body.html.count("<h2>") == 2
    assert "<h2>200 ships waiting off the island, says office</h2>" in wire.body.html
    assert "<h2>Ahead of the visit, port hails ties</h2>" in wire.body.html
    assert wire.body.text.count("\n\n") == 26


@pytest.mark.parametrize(
    "text",
    [
        "contains only a portion",
        "Related topics",
        "Bu haberi",
        "* Writing",
        "ALDERPORT",
        "\xa0",
        "reaches Sorrel for first",
    ],
)
def test_page_furniture_is_no_part_of_the_story(wire, text):
    """Notice, labels, the echoed title and hard spaces stay out of every text."""
    assert text not in wire.body.html + wire.body.text


def test_quotes_stay_as_they_are(wire):
    """Straight and curly ones are both the agency's."""
    assert '"Kestrel"' in wire.body.html
    assert "“quiet heroes”" in wire.body.html


def test_turkish_page_is_turkish():
    """The label of its update says so; its notice and labels are left out as well, topics become tags."""
    story = read(
        "Ekonomi\nLimanda yeni dönem\nİskele yarın açılıyor\nÖrnek Muhabir  | 02.09.2025 - Güncelleme : 02.09.2025\n\n"
        "DİYARBAKIR\n\nİskele açıldı.\n\nAçılışa çok kişi geldi.\n\n* Yazan: Ada Yıldız ve Can Su\n\n"
        "Sitede abonelere sunulan haberler, özetlenerek yayımlanmaktadır. Abonelik için lütfen iletişime geçiniz.\n"
        "İlgili konular\nliman\niskele\nBu haberi paylaşın\n",
        "tr.txt",
    )
    assert story.language == "tr"
    assert story.section == "economy"
    assert story.dateline == Dateline(city="Diyarbakır")
    assert story.tags == ("liman", "iskele")
    assert [person.name for person in story.contributors] == ["Ada Yıldız", "Can Su"]
    assert story.body.text == "İskele açıldı.\n\nAçılışa çok kişi geldi."


@pytest.mark.parametrize(
    ("written", "city"),
    [
        ("ANKARA", "Ankara"),
        ("NEW YORK", "New York"),
        ("RIO DE JANEIRO", "Rio de Janeiro"),
        ("İSTANBUL", "İstanbul"),
        ("ISTANBUL", "Istanbul"),
        ("DİYARBAKIR", "Diyarbakır"),
        ("PORT-AU-PRINCE", "Port-Au-Prince"),
        ("LONDON/PARIS", "London/Paris"),
    ],
)
def test_dateline_is_written_as_a_name(written, city):
    """Capitals are a wire's habit, not part of the name; Turkish letters keep their dots."""
    story = read(f"A title\nStaff | 02.09.2025\n\n{written}\n\nOne sentence.\n", "a.txt")
    assert story.dateline == Dateline(city=city)


def test_run_in_dateline_is_taken_off_the_first_paragraph():
    """`CITY (AGENCY) - Text` is the other form of a dateline."""
    story = read("A title\nStaff | 02.09.2025\n\nALDERPORT, Sept 2 (EX) - The ferry sails.\n", "a.txt")
    assert story.dateline == Dateline(city="Alderport")
    assert story.body.html == "<p>The ferry sails.</p>"


@pytest.mark.parametrize(
    ("head", "section", "title", "deck"),
    [
        ("Only a title", None, "Only a title", ""),
        ("A title\nA deck", None, "A title", "A deck"),
        ("Economy\nA title", "economy", "A title", ""),
        ("Adalar - Kuzey\nA title\nA deck", "isles-north", "A title", "A deck"),
        ("Economy\nA title\nA deck\nthat goes on", "economy", "A title", "A deck that goes on"),
    ],
)
def test_head_of_any_length(head, section, title, deck):
    """Two lines are section and title only when config knows the section."""
    story = read(f"{head}\nStaff | 2.9.2025\n\nOne sentence.\n", "a.txt")
    assert (story.section, story.title, story.deck) == (section, title, deck)


def test_plain_text_without_byline():
    """The first line is the title, and hard-wrapped lines are one paragraph."""
    story = read(
        "A title\n\nOne sentence that is\nwrapped by hand.\n\n- one\n- two\n\nThe last <one>.\n", "notes/a.txt"
    )
    assert story.title == "A title"
    assert story.date is None
    assert story.body.html == (
        "<p>One sentence that is wrapped by hand.</p>\n<ul><li>one</li><li>two</li></ul>\n<p>The last &lt;one&gt;.</p>"
    )


def test_picture_caption_that_starts_with_the_title_is_dropped():
    """Unless the title is so short that a sentence may begin with it."""
    title = "Harbour talks begin on the island"
    story = read(f"{title}\nStaff | 02.09.2025\n{title}, on Monday. (A. Lens - Example)\n\nText.\n", "a.txt")
    assert story.body.text == "Text."
    assert read("War\nStaff | 02.09.2025\n\nWar is over.\n", "a.txt").body.text == "War is over."


def test_front_matter_over_plain_text_counts():
    """A text file that says who may read it is heard."""
    story = read("---\ntitle: A title\naccess: subscriber\n---\n\nOne.\n\nTwo.\n", "a.txt")
    assert story.access == "subscriber"
    assert story.body.text == "One.\n\nTwo."


def test_a_story_that_only_mentions_subscribers_is_not_cut():
    """The agency's own notice is recognised by its sentence, not by a word."""
    story = read("T\nStaff | 02.09.2025\n\nThe paper lost subscribers.\n\nIt printed a summarised form.\n", "a.txt")
    assert story.body.html.count("<p>") == 2


def test_byline_with_an_impossible_day_is_refused_with_its_line():
    """A wrong date is not guessed at."""
    with pytest.raises(Exception, match=r"31\.02\.2025") as caught:
        read("A title\n\nStaff | 31.02.2025\n\nText.\n", "a.txt")
    assert caught.value.line == 3


def test_language_of_the_page_counts_only_where_the_site_has_it():
    """A site in one language takes every text as its own."""
    story = read("T\nS | 02.09.2025 - Güncelleme : 02.09.2025\n\nBir.\n", "a.txt", replace(RULES, languages=("en",)))
    assert story.language == "en"
