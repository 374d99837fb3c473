"""Which stories belong together, as far as they are in."""

from collections.abc import Callable

import pytest
from editorial_samples import article

from publisher.editorial.ties import Ties
from publisher.model.article import Article


def story(number: int, language: str = "en", **said: object) -> Article:
    return article(number=number, id=f"tag:example.org,2026:{number}", language=language, **said)


def ident(number: int) -> str:
    return f"tag:example.org,2026:{number}"


def tied(*stories: Article) -> Ties:
    ties = Ties()
    for one in stories:
        ties.put(one)
    return ties


ENGLISH = story(1)
TURKISH = story(2, "tr", translation_of=ident(1))
ARABIC = story(3, "ar", translation_of=ident(2))
SECOND_TURKISH = story(4, "tr", translation_of=ident(1))
SELF = story(5, translation_of=ident(5))
LOOP = (story(6, "en", translation_of=ident(7)), story(7, "tr", translation_of=ident(6)))
ALONE = story(8, related=(ident(1), ident(99)), supersedes=(ident(2),))


@pytest.mark.parametrize(
    ("stories", "asked", "versions"),
    [
        ((ENGLISH,), ENGLISH, []),
        ((ENGLISH, TURKISH), ENGLISH, [1, 2]),
        ((ENGLISH, TURKISH), TURKISH, [1, 2]),
        ((ENGLISH, TURKISH, ARABIC), ENGLISH, [1, 2, 3]),
        ((ENGLISH, TURKISH, ARABIC), ARABIC, [1, 2, 3]),
        ((ENGLISH, ARABIC), ARABIC, []),
        ((TURKISH, story(9, "ar", translation_of=ident(1))), TURKISH, [2, 9]),
        ((ENGLISH, TURKISH, SECOND_TURKISH), ENGLISH, [1, 2]),
        ((ENGLISH, TURKISH, SECOND_TURKISH), SECOND_TURKISH, [1, 4]),
        ((TURKISH, SECOND_TURKISH), TURKISH, []),
        ((SELF,), SELF, []),
        (LOOP, LOOP[0], [6, 7]),
        ((TURKISH,), TURKISH, []),
    ],
)
def test_a_story_in_its_languages(stories: tuple[Article, ...], asked: Article, versions: list[int]) -> None:
    """One of each language, itself before another of its own; a story that is not in is not named."""
    assert [one.number for one in tied(*stories).versions(asked)] == versions


def test_original_and_translations_are_those_that_say_so() -> None:
    ties = tied(ENGLISH, TURKISH, ARABIC)
    assert ties.original(ENGLISH) is None
    assert ties.original(TURKISH) == ENGLISH
    assert ties.original(ARABIC) == TURKISH
    assert ties.translations(ENGLISH) == [TURKISH]
    assert tied(SELF).original(SELF) is None
    assert tied(SELF).translations(SELF) == []


def test_a_change_concerns_the_family_and_those_that_name_it() -> None:
    ties = tied(ENGLISH, TURKISH, ARABIC, ALONE)
    assert ties.concerned(ENGLISH) == {2, 3, 8}
    assert ties.concerned(TURKISH) == {1, 3, 8}
    assert ties.concerned(ALONE) == set()
    assert ties.named(ALONE.related) == [ENGLISH]


@pytest.mark.parametrize("taken", [ENGLISH, TURKISH, ARABIC, ALONE], ids=lambda one: str(one.number))
def test_what_is_taken_out_is_as_if_it_had_never_been_in(taken: Article) -> None:
    stories = [ENGLISH, TURKISH, ARABIC, ALONE]
    ties = tied(*stories)
    ties.take(taken)
    rest = [one for one in stories if one != taken]
    never = tied(*rest)
    answers: list[Callable[[Ties, Article], object]] = [Ties.versions, Ties.translations, Ties.original, Ties.concerned]
    for one in stories:
        assert [ask(ties, one) for ask in answers] == [ask(never, one) for ask in answers]
