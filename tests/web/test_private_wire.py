"""`wire.json`: a machine that follows `next` misses nothing, gets nothing twice, and nothing that is not its own."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from desks import CANARY, HIDDEN, Desk, MachineClient, opened, two_desks

from publications import ManualClock

FUTURE = "2026-11-03T09:00:00Z"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: ManualClock, client_of: Callable[..., Any]) -> AsyncIterator[Desk]:
    async with opened(two_desks(tmp_path / "wire"), clock, client_of) as made:
        yield made


def brief(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """What matters of items: what they are called, their version, how they stand."""
    return [(item["headlines"][0]["value"], item["version"], item["pubStatus"]) for item in items]


async def machine(desk: Desk, name: str, **terms: Any) -> MachineClient:
    """A new client that has read everything there was."""
    client = desk.client_at(await desk.reader(f"{name}@example.org", **({"products": ["asia"]} | terms)))
    await client.news()
    return client


async def test_a_licence_opens_its_product(desk: Desk) -> None:
    clients = {
        name: desk.client_at(await desk.reader(f"{name}@example.org", products=[name])) for name in ("asia", "money")
    }
    news = {name: await client.news() for name, client in clients.items()}
    assert brief(news["asia"]) == [(HIDDEN, "1", "usable"), ("Isle", "1", "usable")]
    assert brief(news["money"]) == [("Tea", "1", "usable")]
    assert {item["representationType"] for items in news.values() for item in items} == {"full"}
    assert CANARY["economy"] not in json.dumps(news["asia"])
    assert CANARY["asia-pacific"] in news["asia"][1]["bodies"][0]["value"]
    assert [await client.news() for client in clients.values()] == [[], []]


async def test_somebody_without_a_licence_gets_what_the_public_gets(desk: Desk) -> None:
    client = desk.client_at(await desk.reader("ada@example.org", products=[]))
    items = await client.news()
    assert [(item["headlines"][0]["value"], item["representationType"]) for item in items] == [
        ("Isle", "partial"),
        ("Tea", "partial"),
    ]
    assert all("wire.example" in item["usageTerms"] for item in items)
    assert not any(canary in json.dumps(items) for canary in [*CANARY.values(), HIDDEN])


async def test_every_turn_of_a_story_comes_once(desk: Desk) -> None:
    """Updated, corrected, held, released, killed: the same uri, a new version, to whoever may have it."""
    asia, money = await machine(desk, "asia"), await machine(desk, "money", products=["money"])
    public = await machine(desk, "public", products=[])

    async def turn(**keys: object) -> dict[str, Any]:
        desk.write("reef", "Reef", **keys)
        await desk.publish(minutes=5)
        assert await money.news() == []
        (item,) = await asia.news()
        (shown,) = await public.news()
        assert shown["uri"] == item["uri"]
        assert shown["version"] == item["version"]
        assert CANARY["asia-pacific"] not in json.dumps(shown)
        return item

    first = await turn()
    updated = await turn(updated="2026-11-02T09:08:00Z")
    corrections = "[{date: 2026-11-02T09:12:00Z, kind: correction, text: It is a reef.}]"
    corrected = await turn(corrections=corrections)
    held = await turn(status="held")
    released = await turn()
    killed = await turn(status="killed", kill_reason="Invented by a rival")
    assert [item["version"] for item in (first, updated, corrected, held, released, killed)] == list("123456")
    assert {item["uri"] for item in (first, updated, corrected, held, released, killed)} == {first["uri"]}
    assert first["firstCreated"] == updated["firstCreated"] < updated["versionCreated"]
    assert corrected["edNote"] == "CORRECTION: It is a reef."
    assert (held["pubStatus"], "bodies" in held) == ("withheld", False)
    assert held["edNote"].startswith("HOLD: ")
    assert (released["pubStatus"], "bodies" in released) == ("usable", True)
    assert (killed["pubStatus"], killed["edNote"]) == ("canceled", "KILL: Invented by a rival")
    assert "Reef" not in json.dumps(killed)


async def test_why_a_story_was_killed_is_for_subscribers(desk: Desk) -> None:
    public = await machine(desk, "public", products=[])
    desk.write("isle", "Isle", status="killed", kill_reason="Invented by a rival", date="2026-11-01T08:00:00Z")
    await desk.publish(minutes=5)
    (killed,) = await public.news()
    assert killed["pubStatus"] == "canceled"
    assert "rival" not in json.dumps(killed)


async def test_a_deleted_story_is_canceled(desk: Desk) -> None:
    asia, money = await machine(desk, "asia"), await machine(desk, "money", products=["money"])
    (desk.app.folder / "articles" / "heron.md").unlink()
    await desk.publish()
    await desk.publish(seconds=3)
    assert brief(await asia.news()) == [(f"Withdrawn: {HIDDEN}", "2", "canceled")]
    assert await money.news() == []


async def test_an_embargo_is_for_who_is_cleared(desk: Desk) -> None:
    """They get it early and not again when it ends, all the others when it ends, wherever they had read to."""
    cleared = await machine(desk, "cleared", embargo_cleared=True)
    others = {
        "asia": await machine(desk, "asia"),
        "elsewhere": await machine(desk, "elsewhere", products=["money"], embargo_cleared=True),
        "public": await machine(desk, "public", products=[]),
    }
    early = await desk.reader("feeds@example.org", products=["asia"], embargo_cleared=True)
    desk.write("quake", "Quake", embargo=FUTURE, embargo_reason="Ministry report")
    await desk.publish(minutes=5)
    (item,) = await cleared.news()
    assert (item["pubStatus"], item["embargoedUntil"]) == ("usable", "2026-11-03T09:00:00+00:00")
    assert (item["representationType"], CANARY["asia-pacific"] in json.dumps(item)) == ("full", True)
    assert item["edNote"].endswith(": Ministry report")
    assert [await client.news() for client in others.values()] == [[], [], []]
    assert "Quake" not in " ".join((await desk.entries(f"{early}all.atom")).values())

    desk.write("later", "Later")
    await desk.publish(hours=1)
    assert await cleared.headlines() == ["Later"]
    assert [await client.headlines() for client in others.values()] == [["Later"], [], ["Later"]]

    await desk.publish(hours=23)
    assert await cleared.news() == []
    assert [await client.headlines() for client in others.values()] == [["Quake"], [], ["Quake"]]
    assert "embargoedUntil" not in (await desk.client_at(early).page())[-1]


async def test_a_story_killed_under_embargo_is_told_of_to_who_had_it(desk: Desk) -> None:
    cleared, plain = await machine(desk, "cleared", embargo_cleared=True), await machine(desk, "plain")
    desk.write("quake", "Quake", embargo=FUTURE)
    await desk.publish(minutes=5)
    assert await cleared.headlines() == ["Quake"]
    desk.write("quake", "Quake", embargo=FUTURE, status="withdrawn")
    await desk.publish(minutes=5)
    assert brief(await cleared.news()) == [("Withdrawn: Quake", "2", "canceled")]
    await desk.publish(days=2)
    assert await plain.news() == []


@pytest.mark.parametrize("key", ["publish_at", "date"])
async def test_what_waited_for_its_hour_is_not_missed(desk: Desk, key: str) -> None:
    """Written before what the client has read, and out after it."""
    client = await machine(desk, "asia")
    desk.write("dawn", "Dawn", **{key: FUTURE})
    await desk.publish(minutes=5)
    desk.write("noon", "Noon")
    await desk.publish(minutes=5)
    assert await client.headlines() == ["Noon"]
    await desk.publish(days=1)
    assert await client.headlines() == ["Dawn"]
    await desk.publish(days=1)
    assert await client.news() == []


async def test_many_at_once_come_in_pages_and_each_once(desk: Desk) -> None:
    """All at the same instant, as after a checkout."""
    client = await machine(desk, "asia")
    for number in range(230):
        desk.write(f"s{number}", f"Story {number}")
    await desk.publish(minutes=1)
    first = await client.page()
    assert len(first) == 100
    rest = await client.headlines()
    assert len(rest) == 130
    assert {*rest, *(item["headlines"][0]["value"] for item in first)} == {f"Story {n}" for n in range(230)}


async def test_an_end_is_told_once_and_a_renewal_brings_everything(desk: Desk) -> None:
    """The cursor of a client whose licences changed leads through everything that is open now."""
    until = desk.clock.now().replace(day=5)
    client = desk.client_at(await desk.reader("ada@example.org", products=["asia"], valid_until=until))
    before = await client.news()
    desk.write("reef", "Reef")
    await desk.publish(days=3, hours=1)
    ended = await client.news()
    assert [(item["representationType"], item["pubStatus"]) for item in ended] == [("partial", "usable")] * 3
    headlines = ["Tea", "Your subscription ended on November 5, 2026", "Reef"]
    assert [headline for headline, _, _ in brief(ended)] == headlines
    assert "desk@wire.example" in ended[1]["usageTerms"]
    assert CANARY["asia-pacific"] not in json.dumps(ended)
    assert await client.news() == []

    await desk.edit("ada@example.org", renew=["asia"])
    after = await client.news()
    assert after[:2] == before
    assert (after[2]["uri"], after[2]["representationType"]) == (ended[2]["uri"], "full")
    assert await client.news() == []

    await desk.edit("ada@example.org", renew=["money"])
    assert len(await client.news()) == 4


async def test_the_answer_has_a_validator_and_is_private(desk: Desk) -> None:
    address = (await desk.reader("ada@example.org", products=["asia"])) + "wire.json"
    answer = await desk.client.get(address, accept_encoding="gzip")
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    again = await desk.client.get(address, accept_encoding="gzip", if_none_match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    desk.write("reef", "Reef")
    await desk.publish(minutes=1)
    changed = await desk.client.get(address, accept_encoding="gzip", if_none_match=answer.headers["etag"])
    assert changed.status == 200


@pytest.mark.parametrize(
    "cursor", ["x", "1-2", "1-2-zzzzzzzzzzzz", "-1-2-aaaaaaaaaaaa", "9" * 30 + "-1-aaaaaaaaaaaa", "١-2-aaaaaaaaaaaa"]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(desk: Desk, cursor: str) -> None:
    address = (await desk.reader("ada@example.org", products=["asia"])) + "wire.json"
    answer = await desk.client.get(f"{address}?cursor={cursor}")
    assert (answer.status, "begin without one" in answer.text) == (400, True)


async def test_the_readers_page_names_the_wire(desk: Desk) -> None:
    home = await desk.reader("ada@example.org", products=["asia"])
    assert f"{home.removeprefix('https://wire.example')}wire.json" in (await desk.client.get(home)).text


async def test_a_pass_under_way_is_told_of_when_it_is_over(desk: Desk) -> None:
    """Half of it would move the cursor past the other half, which is of the same instant."""
    client = await machine(desk, "asia")
    desk.write("reef", "Reef")
    began = desk.clock.move(minutes=5)
    await desk.app.publishing.intake.take(began, ["reef.md"])  # the first of two transactions
    desk.clock.move(seconds=20)
    assert await client.news() == []
    desk.write("isle", "Isle", date="2026-11-01T08:00:00Z", updated="2026-11-02T09:04:00Z")
    await desk.app.publishing.refresh(began)
    assert sorted(await client.headlines()) == ["Isle", "Reef"]
