"""Segments of config: who gets a newsletter, and who gets an issue by hand."""

import json
from typing import Any

import pytest
from test_cli_issues import CONFIG, Publication, mails, own_logging, publication  # noqa: F401

SEGMENTS = """
[[segments]]
id = "in-izmir"
where = "attributes.city = Izmir"
[[segments]]
id = "grown-up"
where = "attributes.age >= 18"
"""


@pytest.fixture
def picked(publication: Publication) -> Publication:  # noqa: F811
    """Ada and Bora read daily; Ada is in Izmir, both have an age."""
    (publication.folder / "config.toml").write_text(CONFIG + SEGMENTS)
    publication("subscribers", "edit", "ada@example.org", "--attribute", "city=Izmir", "--attribute", "age=36")
    publication("subscribers", "edit", "bora@example.org", "--attribute", "age=19")
    return publication


def test_an_issue_by_hand_for_a_segment_and_later_one_for_everybody(picked: Publication) -> None:
    picked.story("Harbour")
    code, plan = picked.json("send", "daily", "--segment", "in-izmir", "--dry-run")
    assert (code, [one["address"] for one in plan["recipients"]]) == (0, ["ada@example.org"])
    code, sent = picked.json("send", "daily", "--segment", "in-izmir")
    assert (code, sent["accepted"]) == (0, 1)
    assert "To: ada@example.org" in mails(picked)[0]
    code, again = picked.json("send", "daily", "--segment", "in-izmir")
    assert (code, again["issue"]) == (0, None)
    code, rest = picked.json("send", "daily")
    assert (code, rest["accepted"]) == (0, 1)
    assert picked("send", "daily", "--segment", "in-ankara")[0] == 2


def test_a_newsletter_of_a_segment_goes_to_nobody_else(picked: Publication) -> None:
    config = CONFIG.replace('schedule = "daily 07:00"', 'schedule = "daily 07:00"\nsegment = "in-izmir"') + SEGMENTS
    (picked.folder / "config.toml").write_text(config)
    picked.story("Harbour")
    code, sent = picked.json("send", "daily")
    assert (code, sent["accepted"]) == (0, 1)
    code, both = picked.json("send", "daily", "--segment", "grown-up", "--dry-run")
    assert (code, both["planned"]) == (0, 0)
    picked("subscribers", "edit", "bora@example.org", "--attribute", "city=Izmir")
    code, both = picked.json("send", "daily", "--segment", "grown-up", "--dry-run")
    assert [one["address"] for one in both["recipients"]] == ["bora@example.org"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[segments]]\nid = "x1"\nwhere = "city = Izmir"\n', "segments.0.where: column 1"),
        ('[[segments]]\nid = "x1"\nwhere = "language = fr"\n', "segments.0.where: column 12"),
        ('[[segments]]\nid = "x1"\n', "segments.0.where"),
        (
            '[[segments]]\nid = "x1"\nwhere = "name exists"\n[[segments]]\nid = "x1"\nwhere = "name exists"\n',
            "segments.1.id: 'x1' is given twice",
        ),
        ('[[newsletters]]\nid = "x1"\ntitle = "X"\nsegment = "y"\n', "segment: there is no segment 'y'"),
    ],
)
def test_a_segment_that_cannot_be_understood_is_named_by_its_key(
    publication: Publication,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
    text: str,
    words: str,
) -> None:
    (publication.folder / "config.toml").write_text(CONFIG + text)
    said: Any = None
    from publisher.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["-C", str(publication.folder), "check"])
    said = capfd.readouterr().err
    assert ended.value.code == 2
    assert words in said, json.dumps(said)
