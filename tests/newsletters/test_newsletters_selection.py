"""Which stories a group of readers gets, as a table."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from publisher.model.article import Article, Status
from publisher.model.issue import Mention
from publisher.model.view import Depth, View
from publisher.newsletters.edition import groups
from publisher.newsletters.selection import Covered, Limits, Offer, Selection, Wish, select

START = datetime(2026, 10, 19, tzinfo=UTC)
SECTIONS = ("asia", "economy")
ANY = Limits(minimum=1, maximum=20, sections=SECTIONS)


def offer(
    number: int, hour: float = 0, *, update: int = 0, update_hour: float = 0, correction: int = 0, **values: object
) -> Offer:
    """Returns a story first published `hour` hours after START."""
    at = START + timedelta(hours=hour or number)
    article = Article(
        **{"section": "asia", "language": "en", "version": 1, **values},  # type: ignore[arg-type]
        id=f"tag:example.org,2026:{number}",
        number=number,
        source="s.md",
        path="/s/",
        slug="s",
        title=f"S{number}",
        first_seen_at=at,
        first_published_at=at,
        published_at=at,
        updated_at=at,
        revised_at=at,
    )
    when = START + timedelta(hours=update_hour) if update else None
    return Offer(
        article=article,
        published_at=at,
        update=update,
        update_at=when,
        correction=correction,
        correction_at=at + timedelta(hours=1) if correction else None,
    )


def full(_: Article) -> Depth:
    return Depth.FULL


WISH = Wish(language="en", since=START, recent=START, wanted=lambda _: True, depth=full, covered={})


def told(selection: Selection) -> str:
    """Returns a selection in short: `2 1u | 3` is story 2, an update of 1, and 3 only named."""
    marks = {Mention.STORY: "", Mention.UPDATED: "u", Mention.CORRECTED: "c", Mention.ALREADY_SENT: ""}
    stories = " ".join(f"{p.article.number}{marks[p.mention]}" for p in selection.stories)
    named = " ".join(str(p.article.number) for p in selection.already_sent)
    return f"{stories} | {named}" if named else stories


def covered(version: int = 1, depth: Depth = Depth.FULL, *, elsewhere: bool = False) -> Covered:
    return Covered(version=version, depth=depth, elsewhere=elsewhere)


@pytest.mark.parametrize(
    ("offers", "covers", "expected"),
    [
        ([], {}, ""),
        ([offer(1), offer(2)], {}, "2 1"),
        ([offer(1, -1), offer(2)], {}, "2"),
        ([offer(1), offer(2)], {1: covered()}, "2"),
        ([offer(1), offer(2)], {1: covered(elsewhere=True)}, "2 | 1"),
        ([offer(1)], {1: covered(elsewhere=True)}, ""),
        ([offer(1)], {1: covered(depth=Depth.SUMMARY)}, "1"),
        ([offer(1)], {1: covered(version=0, depth=Depth.HIDE)}, "1"),
        ([offer(1, update=2, update_hour=3, version=2)], {1: covered()}, "1u"),
        ([offer(1, update=2, update_hour=3, version=2)], {}, "1"),
        ([offer(1, update=2, update_hour=3, version=2)], {1: covered(version=2)}, ""),
        ([offer(1, update=2, update_hour=3, version=3)], {1: covered(version=2)}, ""),
        ([offer(1, -2, update=2, update_hour=-1, version=2)], {1: covered()}, ""),
        ([offer(1, -2, update=2, update_hour=1, version=2)], {1: covered()}, "1u"),
        ([offer(1, -2, update=2, update_hour=1, version=2)], {}, ""),
        ([offer(1, section="economy"), offer(2), offer(3, section="other"), offer(4)], {}, "4 2 1 3"),
        ([offer(1, urgency=2, section="economy"), offer(2), offer(3, urgency=1)], {}, "3 1 2"),
        ([offer(1, update=2, update_hour=9, version=2, urgency=1), offer(2)], {1: covered()}, "2 1u"),
        ([offer(1, correction=2, version=2), offer(2, urgency=1)], {1: covered()}, "1c 2"),
        ([offer(1, correction=2, version=2), offer(2, urgency=1)], {1: covered(2)}, "2"),
        ([offer(1, correction=2, version=2), offer(2, urgency=1)], {}, "2 1"),
        ([offer(1, correction=2, version=3, update=3, update_hour=4)], {1: covered(2)}, "1u"),
        ([offer(1, correction=2, version=3, update=3, update_hour=4)], {1: covered()}, "1c"),
        ([offer(1, -2, correction=2, version=2)], {1: covered()}, ""),
    ],
)
def test_selection(offers: list[Offer], covers: dict[int, Covered], expected: str) -> None:
    assert told(select(offers, replace(WISH, covered=covers), ANY)) == expected


def test_a_correction_is_never_crowded_out() -> None:
    """What was wrong comes before flashes, however little room there is."""
    offers = [offer(1, correction=2, version=2), *(offer(number, urgency=1) for number in range(2, 6))]
    one = Limits(minimum=1, maximum=1, sections=SECTIONS)
    assert told(select(offers, replace(WISH, covered={1: covered()}), one)) == "1c"


@pytest.mark.parametrize(
    ("had", "lines"),
    [
        ({1: covered()}, [1]),
        ({}, []),
        ({1: covered(version=0, depth=Depth.HIDE)}, []),
        ({1: replace(covered(), told=2)}, []),
        ({1: replace(covered(), told=1)}, [1]),
    ],
)
def test_a_withdrawn_story_is_told_once_to_those_who_have_it(had: dict[int, Covered], lines: list[int]) -> None:
    """And it alone makes no mail."""
    gone = offer(1, version=2, status=Status.WITHDRAWN)
    wish = replace(WISH, covered=had, depth=lambda a: Depth.TOMBSTONE if a.number == 1 else Depth.FULL)
    assert select([gone], wish, ANY) == Selection()
    found = select([gone, offer(2)], wish, ANY)
    assert [pick.article.number for pick in found.withdrawn] == lines
    assert [ref.mention for ref in found.refs] == [Mention.STORY, *[Mention.ADVISORY for _ in lines]]


@pytest.mark.parametrize(
    ("depth", "count"),
    [(full, 1), (lambda _: Depth.SUMMARY, 1), (lambda _: Depth.HEADLINE, 1), (lambda _: Depth.FULL_EMBARGOED, 1)]
    + [(lambda _, hidden=hidden: hidden, 0) for hidden in (Depth.HIDE, Depth.HOLD, Depth.TOMBSTONE)],
)
def test_only_what_can_be_shown_is_sent(depth: Callable[[Article], Depth], count: int) -> None:
    assert len(select([offer(1)], replace(WISH, depth=depth), ANY).stories) == count


def test_what_is_not_wanted_is_not_even_decided_on() -> None:
    """Interest comes first: a story of no interest costs nothing."""

    def never(_: Article) -> Depth:
        raise AssertionError

    assert select([offer(1)], replace(WISH, wanted=lambda _: False, depth=never), ANY) == Selection()


@pytest.mark.parametrize(
    ("minimum", "maximum", "expected", "pending"),
    [(1, 20, "4 3 2 1", 0), (1, 2, "2 4", 2), (5, 20, "", 4), (4, 4, "4 3 2 1", 0)],
)
def test_limits(minimum: int, maximum: int, expected: str, pending: int) -> None:
    """Too few wait; too many leave the older ones waiting, but never an urgent one."""
    offers = [offer(1), offer(2, urgency=2) if maximum == 2 else offer(2), offer(3), offer(4)]
    selection = select(offers, WISH, Limits(minimum=minimum, maximum=maximum, sections=SECTIONS))
    assert (told(selection), selection.pending) == (expected, pending)


def test_no_section_starves_another() -> None:
    """What fits is picked by age over all sections, then shown section by section."""
    offers = [offer(i, section="asia") for i in range(1, 6)] + [offer(9, section="economy")]
    assert told(select(offers, WISH, Limits(minimum=1, maximum=3, sections=SECTIONS))) == "5 4 9"


def test_reminders_are_recent_and_few() -> None:
    """What came before the last slot is not named again, and a long list is cut."""
    offers = [offer(i) for i in range(1, 20)]
    covers = {i: covered(elsewhere=True) for i in range(1, 19)}
    selection = select(offers, replace(WISH, covered=covers, recent=START + timedelta(hours=3)), ANY)
    assert told(selection) == "19 | 18 17 16 15 14 13 12 11 10 9"
    assert {pick.depth for pick in selection.already_sent} == {Depth.HEADLINE}


@pytest.mark.parametrize(("language", "expected"), [("en", "3 1"), ("tr", "3 2"), ("tr-TR", "3 2"), ("de", "3 1")])
def test_own_language_comes_alone(language: str, expected: str) -> None:
    original = offer(1)
    translation = offer(2, language="tr", translation_of=original.article.id)
    assert told(select([original, translation, offer(3)], replace(WISH, language=language), ANY)) == expected


def test_who_has_a_translation_does_not_get_the_original_too() -> None:
    """Which they would, in a language that is no more theirs, when it came out later."""
    translation = offer(1, language="tr", translation_of=offer(2).article.id)
    covered = {1: Covered(version=1, depth=Depth.FULL, elsewhere=False)}
    assert told(select([translation, offer(2)], replace(WISH, language="de", covered=covered), ANY)) == ""
    assert told(select([translation, offer(2)], replace(WISH, language="en", covered=covered), ANY)) == "2"


def test_hidden_translation_hides_nothing() -> None:
    """A translation that the reader may not see does not take the original's place."""
    original = offer(1)
    translation = offer(2, language="tr", translation_of=original.article.id)
    wish = replace(WISH, language="tr", depth=lambda a: Depth.HIDE if a.number == 2 else Depth.FULL)
    assert told(select([original, translation], wish, ANY)) == "1"


def test_edition_has_headings_for_sections_and_updates() -> None:
    """What leads has no heading; unknown sections come without one; updates have their own."""
    offers = [
        offer(1, urgency=1),
        offer(2),
        offer(3, section="economy"),
        offer(4, section="gone"),
        offer(5, update=2, update_hour=9, version=2),
    ]
    selection = select(offers, replace(WISH, covered={5: covered()}), ANY)
    shown = [
        (
            pick,
            View(
                id=pick.article.id,
                number=pick.article.number,
                version=1,
                depth=pick.depth,
                url=None,
                language="en",
                direction="ltr",
                title=pick.article.title,
                published_at=START,
                updated_at=START,
            ),
        )
        for pick in selection.stories
    ]
    made = groups(shown, {"asia": "Asya", "economy": "Ekonomi"}, "Güncel")
    assert [(g.label, [v.title for v in g.views]) for g in made] == [
        ("", ["S1"]),
        ("Asya", ["S2"]),
        ("Ekonomi", ["S3"]),
        ("", ["S4"]),
        ("Güncel", ["S5"]),
    ]
