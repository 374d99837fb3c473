"""What is to be found in a story before it goes out: the code and the line of each."""

from datetime import UTC, datetime

import pytest
from content_samples import RULES

from publisher.content.manuscript import parse
from publisher.content.preflight import Surroundings, look_over
from publisher.model.article import Access
from publisher.model.preflight import CODES

NOW = datetime(2026, 10, 19, 8, tzinfo=UTC)
SIZES = {"isles/small.png": 1000, "isles/huge.jpg": 2_000_000, "isles/huge.pdf": 2_000_000}


def found(text: str, access: Access = Access.PUBLIC) -> list[tuple[str, int]]:
    around = Surroundings(now=NOW, access=access, size_of=SIZES.get)
    problems = look_over(parse("isles/port.md", text.encode(), RULES), text, around)
    assert all(one.code in CODES and not one.fatal and one.path == "isles/port.md" for one in problems)
    return [(one.code, one.line) for one in problems]


def told(*keys: str, body: str = "Boats came.") -> str:
    return "\n".join(["---", "title: Port closes", *keys, "---", "", body, ""])


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        (told(), []),
        (told(body="Boats came.\n\nThe TK boats."), [("placeholder", 7)]),
        (told(body="The TKTK boats, XXX of them, lorem ipsum."), [("placeholder", 5)] * 3),
        (told("deck: TODO write this"), [("placeholder", 3)]),
        (told(body="Atk and tk are words, as xxx is; TKA is one, too."), []),
        (told().replace("Port closes", "Port " * 30), [("title-long", 2)]),
        (told(body="# Port closes\n\nBoats came."), []),
        (told(body="**Port closes**\n\nBoats came."), [("headline-repeated", 2)]),
        (told("image: small.png"), [("alt-missing", 3)]),
        (told("image: {src: small.png, alt: A pier}"), []),
        (told("image: {src: none.png, alt: A pier}"), [("image-missing", 3)]),
        (told(body="Look.\n\n![](small.png)"), [("alt-missing", 7)]),
        (told(body="Look.\n\n![A pier](small.png)"), []),
        (told(body="Look.\n\n![ ](https://pictures.example/a.png)"), [("alt-missing", 7)]),
        (told(body="Look.\n\n![A pier](huge.jpg)"), [("image-large", 7)]),
        (told(body="See [the plan](huge.pdf)."), []),
        (told(body="See [the plan](none.pdf)."), [("image-missing", 5)]),
        (told("date: 2026-10-20T10:00:00Z"), []),
        (told("date: 2026-10-25T10:00:00Z"), [("date-far", 3)]),
        (told("date: 2026-10-18T10:00:00Z", "updated: 2027-10-25T10:00:00Z"), [("date-far", 4)]),
        (told("publish_at: 2026-12-25T10:00:00Z"), []),
        (told("publish_at: 2036-12-25T10:00:00Z"), [("date-far", 3)]),
        (told("embargo: 2036-12-25T10:00:00Z"), [("date-far", 3)]),
        (told(body="Boats came. " * 9000), [("story-large", 1)]),
    ],
)
def test_findings_of_one_story(text: str, findings: list[tuple[str, int]]) -> None:
    assert found(text) == findings


def test_a_summary_is_missed_only_where_the_public_gets_one() -> None:
    text = told(body="![A pier](small.png)")
    assert found(text, Access.SUMMARY) == [("summary-missing", 1)]
    assert found(text, Access.PUBLIC) == found(text, Access.SUBSCRIBER) == []
    assert found(told("deck: In short", body="![A pier](small.png)"), Access.SUMMARY) == []
