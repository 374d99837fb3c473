"""Mail that programs show whole: what is cut, and what is left as it is."""

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from publisher.mail.encoding import quoted_printable
from publisher.model.issue import Edition, Group, MailText
from publisher.model.personal import MARKERS
from publisher.model.view import Depth, FullView, View
from publisher.services.fit import fitted, size

AT = datetime(2026, 11, 18, 7, 0, tzinfo=UTC)


def story(number: int, length: int, **said: object) -> FullView:
    """Returns a story with a text of so many characters."""
    words = "word " * (length // 5)
    values: dict[str, object] = {
        "id": f"tag:{number}",
        "number": number,
        "version": 1,
        "depth": Depth.FULL,
        "url": None,
        "language": "en",
        "direction": "ltr",
        "title": f"Story {number}",
        "summary": f"Summary {number}.",
        "published_at": AT,
        "updated_at": AT,
        "body_html": f"<p>{words}</p>",
        "body_text": words,
    }
    return FullView(**(values | said))  # type: ignore[arg-type]


def edition(*views: View) -> Edition:
    return Edition(
        newsletter_id="daily",
        newsletter_title="Daily",
        newsletter_description="",
        public=False,
        instant=False,
        number=1,
        language="en",
        direction="ltr",
        local_date=AT,
        groups=(Group(label="One", views=views[:2]), Group(label="Two", views=views[2:])),
    )


class Layout:
    """Lays a mail out as the words of its stories, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, one: Edition) -> MailText:
        self.asked += 1
        html = "\n".join(
            f"{view.title} {view.deck} {view.summary} {' '.join(view.lead)} {getattr(view, 'body_html', '')}"
            for view in one.views
        )
        return MailText(subject="", preheader="", html=html, text="")


def whole(mail: MailText) -> list[int]:
    """Returns the stories that stand in full."""
    return [n for n, line in enumerate(mail.html.split("\n"), 1) if "<p>" in line]


@pytest.mark.parametrize(
    ("lengths", "kept"),
    [
        ([400, 400, 400], [1, 2, 3]),
        ([4000, 4000, 4000], [1, 2]),
        ([9500, 400, 400], [1]),
        ([12_000, 400, 400], [2, 3]),
        ([12_000], []),
        ([3000] * 9, [1, 2, 3]),
    ],
)
def test_the_first_stories_stay_whole_and_a_giant_leaves_room_for_others(lengths: list[int], kept: list[int]) -> None:
    views = [story(n, length) for n, length in enumerate(lengths, 1)]
    layout = Layout()
    mail = fitted(edition(*views), layout, 10_000)

    assert whole(mail) == kept
    assert size(mail) <= 10_000
    assert all(f"Summary {n}." in mail.html for n in range(1, len(lengths) + 1))
    assert layout.asked <= 5


def test_too_many_summaries_become_headlines() -> None:
    views = [story(n, 500, summary="s" * 400) for n in range(1, 41)]
    mail = fitted(edition(*views), Layout(), 10_000)

    assert size(mail) <= 10_000
    assert whole(mail) == []
    assert "s" * 400 in mail.html.split("\n")[0]
    assert "ss" not in mail.html.split("\n")[-1]
    assert mail.html.count("Story ") == 40


def test_too_many_headlines_end_where_there_is_no_room_for_more() -> None:
    """The mail says how many more there are; its reader has them on their own page."""
    seen: list[Edition] = []

    def layout(one: Edition) -> MailText:
        seen.append(one)
        return Layout()(one)

    mail = fitted(edition(*[story(n, 500, title=f"Story {n} {'t' * 90}") for n in range(1, 401)]), layout, 10_000)
    named = mail.html.count("Story ")

    assert 9_000 < size(mail) <= 10_000
    assert seen[-1].left_out == 400 - named
    assert [view.number for view in seen[-1].views] == list(range(1, named + 1))
    assert all(group.views for group in seen[-1].groups)
    assert seen[-1].shortened
    assert len(seen) <= 8


def test_a_shortened_story_says_so_and_holds_nothing_of_its_text() -> None:
    seen: list[Edition] = []

    def layout(one: Edition) -> MailText:
        seen.append(one)
        return Layout()(one)

    fitted(edition(story(1, 400), story(2, 12_000)), layout, 10_000)
    first, second = seen[-1].views

    assert isinstance(first, FullView)
    assert (first.shortened, second.shortened) == (False, True)
    assert type(second) is View
    assert {field.name for field in fields(second)}.isdisjoint({"body_html", "body_text"})
    assert seen[-1].shortened
    assert [group.label for group in seen[-1].groups] == ["One", "Two"]


def test_a_story_without_summary_keeps_its_first_paragraph() -> None:
    views = [story(1, 12_000, summary="", body_html="<p>It began.</p><p>" + "word " * 3000 + "</p>")]

    assert "It began." in fitted(edition(*views), Layout(), 10_000).html


def test_the_same_edition_is_cut_in_the_same_place() -> None:
    views = [story(n, 3000 + 37 * n) for n in range(1, 12)]

    assert fitted(edition(*views), Layout(), 10_000) == fitted(edition(*views), Layout(), 10_000)


@pytest.mark.parametrize("text", ["plain words\n" * 400, "ağaç ve çiçek\n" * 300, "نص عربي طويل\n" * 300, "=" * 5000])
def test_the_size_is_that_of_the_encoded_part_with_room_for_what_is_personal(text: str) -> None:
    mail = MailText(subject="", preheader="", html=text, text="")
    encoded = len(quoted_printable(text))

    assert encoded <= size(mail) <= encoded * 1.05
    assert size(replace(mail, html=text + MARKERS["read_url"])) >= encoded + 200
