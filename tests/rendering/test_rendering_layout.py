"""The front page's arrangement."""

import pytest
from rendering_samples import view

from publisher.model.view import Label
from publisher.rendering.layout import arrange

SECTIONS = (Label(id="economy", title="Economy"), Label(id="sport", title="Sport"))


def story(number: int, section: str | None = "economy", **said: object) -> object:
    label = Label(id=section, title=section) if section else None
    return view(**({"id": str(number), "urgency": 4, "image": None, "section": label} | said))


def ids(views: object) -> list[str]:
    return [item.id for item in views]  # type: ignore[attr-defined]


def test_lead_is_the_newest_when_nothing_is_urgent() -> None:
    assert arrange([story(i) for i in range(9)], SECTIONS).lead.id == "0"


def test_lead_is_the_most_urgent_of_the_newest() -> None:
    stories = [story(i, urgency=1 if i in (5, 8) else 4) for i in range(12)]

    assert arrange(stories, SECTIONS).lead.id == "5"


def test_picture_decides_between_stories_of_one_urgency() -> None:
    picture = view().image

    assert arrange([story(0), story(1, image=picture)], SECTIONS).lead.id == "1"


def test_every_story_has_one_place_beside_the_list_of_the_latest() -> None:
    stories = [story(i, "sport" if i % 2 else "economy") for i in range(11)]
    front = arrange(stories, SECTIONS)
    blocks = [block_id for block in front.blocks for block_id in ids(block.views)]

    assert sorted([front.lead.id, *ids(front.top), *blocks], key=int) == [str(i) for i in range(11)]
    assert ids(front.latest) == [str(i) for i in range(4, 11)]


def test_few_stories_all_count_as_latest() -> None:
    front = arrange([story(i) for i in range(4)], SECTIONS)

    assert ids(front.latest) == ["1", "2", "3"]


def test_blocks_follow_the_order_of_the_sections_and_end_with_the_rest() -> None:
    names = ["sport", "economy", None, "weather"]
    stories = [story(i, names[i % 4]) for i in range(12)]
    front = arrange(stories, SECTIONS)

    assert [block.label.id if block.label else None for block in front.blocks] == ["economy", "sport", None]


@pytest.mark.parametrize("count", [0, 1])
def test_front_of_hardly_any_stories_stands(count: int) -> None:
    front = arrange([story(i) for i in range(count)], SECTIONS)

    assert (front.lead is None) == (count == 0)
    assert (front.top, front.latest, front.blocks) == ((), (), ())
