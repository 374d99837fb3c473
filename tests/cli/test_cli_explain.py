"""`publisher explain`: the whole chain of reasons, by the real decisions."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from test_cli_issues import CONFIG, Publication, own_logging  # noqa: F401

from publisher.cli import main

PRODUCTS = """
[[sections]]
id = "asia"
title = "Asia"
[[products]]
id = "asia"
title = "Asia desk"
sections = ["asia"]
[[newsletters]]
id = "asian"
title = "Asia only"
audience = "subscribers"
sections = ["asia"]
schedule = "daily 08:00"
[[newsletters]]
id = "alerts"
title = "Alerts"
audience = "subscribers"
open = true
schedule = "instant"
urgency_max = 2
[[segments]]
id = "in-izmir"
where = "attributes.city = Izmir"
[[newsletters]]
id = "local"
title = "Local"
schedule = "daily 09:00"
segment = "in-izmir"
"""


READERS = (
    ("ada", "--newsletters", "daily", "--products", "*"),
    ("cem", "--newsletters", "daily", "--products", "*", "--valid-until", "2026-01-31"),
    ("dan", "--newsletters", "daily,asian", "--products", "asia"),
    ("eve", "--newsletters", "weekly,local", "--products", ""),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ada reads daily and may read everything, Cem's licence is over, Dan's is for Asia, Eve has none."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "articles").mkdir()
    (folder / "config.toml").write_text(CONFIG + PRODUCTS)

    def run(*arguments: str) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(folder), *arguments])
        assert not ended.value.code

    run("build")
    for name, *terms in READERS:
        run("subscribers", "add", f"{name}@example.org", "--confirmed", *terms)
    (folder / "articles" / "Harbour.md").write_text(
        "---\ntitle: Harbour\nsection: economy\n---\nIt begins so.\n\nMore.\n"
    )
    run("build")
    return folder


@pytest.fixture
def desk(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Publication:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Publication(tmp_path, capfd)


def explained(desk: Publication, story: str, name: str) -> tuple[str, dict[str, str], dict[str, Any]]:
    code, told = desk.json("explain", story, f"{name}@example.org")
    assert code == 0
    reader = told["reader"]
    return reader["verdict"], {p["newsletter"]: " ".join(p["sentences"]) for p in reader["prospects"]}, reader


def test_where_a_story_is_and_why(desk: Publication) -> None:
    code, told = desk.json("explain", "harb")
    assert (code, told["title"], told["file"], told["refused"]) == (0, "Harbour", "Harbour.md", False)
    places = {place["name"]: (place["there"], place["why"]) for place in told["places"]}
    assert places["page /articles/harbour/"] == (True, "as a summary: its access is summary")
    assert places["feed /feeds/economy.*"][0]
    assert places["sitemap"][0]
    assert places["news sitemap"][0]
    assert places["newsletter daily"] == (True, "in full, to those whose licence covers it")
    assert places["newsletter weekly"][0]
    assert places["newsletter asian"][0] is False
    assert "leaves this story out" in places["newsletter asian"][1]
    assert places["private feeds and wire.json"] == (True, "licences for * cover it")
    assert [(step["version"], step["change"]) for step in told["history"]] == [(1, "new")]
    assert told["issues"] == []


@pytest.mark.parametrize(
    "form", ["{number}", "#{number}", "{id}", "harbour", "/articles/harbour/", "articles/Harbour.md"]
)
def test_a_story_by_all_its_names(desk: Publication, form: str) -> None:
    _, told = desk.json("explain", "Harbour")
    code, same = desk.json("explain", form.format(**told))
    assert (code, same["number"]) == (0, told["number"])
    assert desk.json("explain", "http://127.0.0.1:8000/articles/harbour/")[1]["number"] == told["number"]


def test_several_stories_are_listed_and_none_is_an_error(desk: Publication) -> None:
    desk.story("Harbourside")
    desk("build")
    code, told = desk.json("explain", "harbou")
    assert (code, [one["title"] for one in told["ambiguous"]]) == (1, ["Harbourside", "Harbour"])
    assert desk.json("explain", "harbour")[1]["title"] == "Harbour"
    assert desk("explain", "lighthouse")[0] == 1
    assert desk("explain", "Harbour", "nobody@example.org")[0] == 1


def test_a_refused_file_is_named_with_its_line(desk: Publication) -> None:
    (desk.folder / "articles" / "Harbour.md").write_text("---\ntitle: Harbour\naccess: [\n---\nIt begins.\n")
    desk("build")
    _, told = desk.json("explain", "Harbour")
    assert told["refused"]
    assert told["file_problems"][0].startswith("articles/Harbour.md:")
    assert "its last good version" in desk("explain", "Harbour")[1]


def test_who_gets_it_next_and_who_does_not(desk: Publication) -> None:
    verdict, chain, reader = explained(desk, "Harbour", "ada")
    assert verdict.startswith("Not yet: daily brings it")
    at = datetime.fromisoformat(next(p["comes_at"] for p in reader["prospects"] if p["comes_at"]))
    assert (at.minute, at.second) == (0, 0)
    assert "It comes in the issue of" in chain["daily"]
    assert chain["asian"] == "They never subscribed to it."
    assert "The licence for everything covers it." in reader["reasons"]

    verdict, chain, reader = explained(desk, "Harbour", "cem")
    assert verdict == "No, and as things stand nothing will bring it."
    assert "the licence has ended" in chain["daily"]
    assert any("is over since 2026-02-01 00:00" in reason for reason in reader["reasons"])

    _, chain, reader = explained(desk, "Harbour", "dan")
    assert "none of theirs opens this story" in chain["daily"]
    assert "leaves this story out" in chain["asian"]
    assert "The licence for asia does not cover this story." in reader["reasons"]

    verdict, chain, _ = explained(desk, "Harbour", "eve")
    assert verdict.startswith("Not yet: weekly brings it")
    assert "segment in-izmir, and they are not in it" in chain["local"]
    assert chain["daily"] == "They never subscribed to it."


def test_who_had_it_and_what_the_relay_said(desk: Publication) -> None:
    desk("send", "daily")
    verdict, chain, reader = explained(desk, "Harbour", "ada")
    assert verdict.startswith("Yes: daily no. 1 brought it, accepted ")
    assert "They have it already" in chain["daily"]
    (mail,) = reader["brought"]
    assert (mail["state"], mail["version"], mail["mention"], mail["sandbox"]) == ("accepted", 1, "story", True)
    assert mail["reply"].startswith("250")
    assert "daily no. 1" in desk("explain", "Harbour")[1]
    assert "1 of 1 accepted" in desk("explain", "Harbour")[1]


def test_a_story_that_is_there_in_two_languages(desk: Publication) -> None:
    config = (CONFIG + PRODUCTS).replace(
        'timezone = "Europe/Istanbul"', 'timezone = "Europe/Istanbul"\nlanguages = ["tr", "ar"]', 1
    )
    (desk.folder / "config.toml").write_text(config)
    _, told = desk.json("explain", "Harbour")
    desk.story("Liman", f"language: tr\ntranslation_of: {told['id']}\n")
    desk("build")
    assert "It comes to them in their own language instead." in explained(desk, "Liman", "ada")[1]["daily"]
    assert "It comes in the issue of" in explained(desk, "Harbour", "ada")[1]["daily"]
    desk("subscribers", "edit", "ada@example.org", "--language", "tr")
    assert "It comes in the issue of" in explained(desk, "Liman", "ada")[1]["daily"]
    desk("subscribers", "edit", "ada@example.org", "--language", "ar")
    assert "It comes in the issue of" in explained(desk, "Harbour", "ada")[1]["daily"]
    assert "It comes to them in one language only" in explained(desk, "Liman", "ada")[1]["daily"]


def test_leaving_pausing_choosing_and_suppressing(desk: Publication) -> None:
    desk("subscribers", "edit", "ada@example.org", "--sections", "asia")
    assert "Their own choices" in explained(desk, "Harbour", "ada")[1]["daily"]
    desk("subscribers", "edit", "ada@example.org", "--sections", "", "--pause")
    assert "They have paused it" in explained(desk, "Harbour", "ada")[1]["daily"]
    desk("subscribers", "edit", "ada@example.org", "--newsletters", "weekly")
    assert "They have unsubscribed" in explained(desk, "Harbour", "ada")[1]["daily"]
    desk("suppressions", "add", "ada@example.org", "--reason", "complaint")
    verdict, chain, reader = explained(desk, "Harbour", "ada")
    assert verdict == "No: the address is suppressed."
    assert set(chain.values()) == {"Nothing goes to a suppressed address."}
    assert "complaint, by command" in reader["reasons"][0]


def test_what_overflows_comes_later(desk: Publication) -> None:
    config = (CONFIG + PRODUCTS).replace('schedule = "daily 07:00"', 'schedule = "daily 07:00"\nmax_articles = 1')
    (desk.folder / "config.toml").write_text(config)
    desk.story("Later")
    desk("build")
    chains = [explained(desk, name, "ada")[1]["daily"] for name in ("Harbour", "Later")]
    (late,) = [chain for chain in chains if "does not fit: 2 stories wait, at most 1 go out" in chain]
    assert "waits for a later issue" in late


def test_instant_mail_had_its_moment(desk: Publication) -> None:
    desk("subscribers", "edit", "ada@example.org", "--newsletters", "alerts,daily")
    chain = explained(desk, "Harbour", "ada")[1]
    assert "leaves this story out" in chain["alerts"]
    desk.story("Flash", "urgency: 1\n")
    desk("build")
    assert "It comes at once." in explained(desk, "Flash", "ada")[1]["alerts"]


def test_stories_that_are_not_out(desk: Publication) -> None:
    desk.story("Draft", "status: draft\n")
    desk.story("Ahead", "publish_at: 2999-01-01T09:00:00Z\n")
    desk.story("Letter", "deliver: mail\n")
    desk("build")
    for name, words in (
        ("Draft", "its status is draft"),
        ("Ahead", "it waits for its hour, 2999-01-01 12:00"),
        ("Letter", "it is a letter"),
    ):
        _, told = desk.json("explain", name)
        page = next(place for place in told["places"] if place["name"].startswith("page"))
        assert page["there"] is False
        assert words in page["why"]
        assert not any(place["there"] for place in told["places"] if place["name"].startswith("feed"))
