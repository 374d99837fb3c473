"""Private feeds over time: who may read what, and what is left when a licence has ended."""

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest
from desks import CANARY, HIDDEN, Desk, opened, two_desks

from publications import ManualClock

EARLY = "The unready canary sings."


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: ManualClock, client_of: Callable[..., Any]) -> AsyncIterator[Desk]:
    async with opened(two_desks(tmp_path / "wire"), clock, client_of) as made:
        yield made


def said(entries: dict[str, str]) -> str:
    return " ".join(entries.values())


async def test_a_licence_opens_its_product_and_nothing_else(desk: Desk) -> None:
    """Two readers in turn, so that a body made for one would show with the other."""
    asia = await desk.reader("asia@example.org", products=["asia"])
    money = await desk.reader("money@example.org", products=["money"])
    for _ in range(2):
        for home, own, other in [(asia, "asia-pacific", "economy"), (money, "economy", "asia-pacific")]:
            text = said(await desk.entries(f"{home}all.atom"))
            assert CANARY[own] in text
            assert CANARY[other] not in text
            assert (HIDDEN in text) == (home == asia)
    assert CANARY["economy"] not in said(await desk.entries(f"{asia}money.atom"))


@pytest.mark.parametrize("ended_by", ["date", "command"])
@pytest.mark.parametrize("feed", ["all", "asia"])
async def test_an_ended_licence_leaves_what_is_public_and_one_word_about_it(
    desk: Desk, ended_by: str, feed: str
) -> None:
    """The same address; after renewal the full text again, under the same ids."""
    until = desk.clock.now().replace(day=5) if ended_by == "date" else None
    home = await desk.reader("ada@example.org", products=["asia"], valid_until=until, language="tr")
    public = await desk.reader("public@example.org", products=[])
    before = await desk.entries(f"{home}{feed}.atom")
    assert CANARY["asia-pacific"] in said(before)

    desk.clock.move(days=3)
    if ended_by == "command":
        await desk.edit("ada@example.org", end=["asia"])
    ended = await desk.entries(f"{home}{feed}.atom")
    what_the_public_gets = await desk.entries(f"{public}{feed}.atom")
    (word,) = set(ended) - set(what_the_public_gets)
    assert ended.pop(word).startswith("Aboneliğiniz 5 Kasım 2026 tarihinde sona erdi")
    assert ended == what_the_public_gets
    assert list(ended) == [key for key in before if HIDDEN not in before[key]] or feed == "all"
    assert not any(canary in said(ended) for canary in [*CANARY.values(), HIDDEN])

    await desk.edit("ada@example.org", renew=["asia"], valid_until=desk.clock.now().replace(day=30))
    assert await desk.entries(f"{home}{feed}.atom") == before


async def test_former_readers_are_told_their_own_day_in_their_own_language(desk: Desk) -> None:
    """Three whose rights are alike by now: none may get the other's words."""
    now = desk.clock.now()
    homes = {
        "Your subscription ended on November 3, 2026": await desk.reader(
            "a@example.org", products=["asia"], valid_until=now.replace(day=3)
        ),
        "Your subscription ended on November 4, 2026": await desk.reader(
            "b@example.org", products=["money"], valid_until=now.replace(day=4)
        ),
        "Aboneliğiniz 4 Kasım 2026 tarihinde sona erdi": await desk.reader(
            "c@example.org", products=["*"], valid_until=now.replace(day=4), language="tr"
        ),
    }
    desk.clock.move(days=10)
    for words, home in homes.items():
        text = said(await desk.entries(f"{home}all.atom"))
        assert re.findall("Your subscription ended on [^<]+ 2026|Aboneliğiniz [^<]+ sona erdi", text) == [words]


async def test_a_licence_to_come_is_the_public_without_a_word(desk: Desk) -> None:
    home = await desk.reader("ada@example.org", products=["asia"], valid_from=desk.clock.now().replace(day=9))
    public = await desk.reader("public@example.org", products=[])
    assert await desk.entries(f"{home}all.atom") == await desk.entries(f"{public}all.atom")
    desk.clock.move(days=7)
    assert CANARY["asia-pacific"] in said(await desk.entries(f"{home}all.atom"))


async def test_an_archive_has_its_depth(desk: Desk) -> None:
    home = await desk.reader("ada@example.org", products=["asia"], archive_days=5)
    assert CANARY["asia-pacific"] in said(await desk.entries(f"{home}all.atom"))
    desk.clock.move(days=6)
    assert CANARY["asia-pacific"] not in said(await desk.entries(f"{home}all.atom"))


@pytest.mark.parametrize(
    "name", ["all.atom", "asia.rss", "all.json", "feeds.opml", "wire.json", "subscription.json", ""]
)
async def test_unknown_and_replaced_addresses(desk: Desk, name: str) -> None:
    """Never one: 404. Replaced: good for a day, then 410. Neither says what there would be."""
    old = await desk.reader("ada@example.org", products=["*"])
    new = (await desk.app.circulation.token("ada@example.org", desk.clock.now())).url.removesuffix("all.atom")
    assert [(await desk.client.get(f"{home}{name}")).status for home in (old, new)] == [200, 200]
    desk.clock.move(hours=25)
    forged = old[:-2] + ("A" if old[-2] != "A" else "B") + "/"
    for home, status in [(old, 410), (new, 200), (forged, 404)]:
        answer = await desk.client.get(f"{home}{name}")
        assert answer.status == status
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert status == 200 or not any(c.encode() in answer.body for c in [*CANARY.values(), HIDDEN, "Isle"])


NOT_ENTITLED: dict[str, dict[str, Any]] = {
    "no licence": {"products": []},
    "ended": {"products": ["asia"], "valid_until": datetime(2026, 11, 1, tzinfo=UTC)},
    "not begun": {"products": ["asia"], "valid_from": datetime(2026, 12, 1, tzinfo=UTC)},
    "another desk": {"products": ["money"]},
    "a short archive": {"products": ["asia"], "archive_days": 1},
    "cleared elsewhere": {"products": ["money"], "embargo_cleared": True},
}


@pytest.mark.parametrize("who", NOT_ENTITLED)
async def test_nobody_gets_what_is_not_theirs(desk: Desk, who: str) -> None:
    """No address under `/u/` says a sentence of a body or anything of a hidden story, whoever asked before."""
    desk.write("storm", "Storm", body=f"Calm.\n\n{EARLY}\n", embargo="2026-11-20T09:00:00Z")
    await desk.publish(days=2)
    everything = await desk.reader("all@example.org", products=["*"], embargo_cleared=True)
    home = await desk.reader("ada@example.org", **NOT_ENTITLED[who])
    feeds = [f"{name}.{extension}" for name in ("all", "asia", "money") for extension in ("rss", "atom", "json")]
    heard: dict[str, bytes] = {}
    for name in [*feeds, "feeds.opml", "wire.json", ""]:
        heard[name] = (await desk.client.get(f"{everything}{name}")).body
        answer = await desk.client.get(f"{home}{name}")
        assert answer.status == 200
        for secret in (CANARY["asia-pacific"], HIDDEN, "heron", "Storm", EARLY):
            assert secret not in answer.text, name
        assert "money" in NOT_ENTITLED[who]["products"] or CANARY["economy"] not in answer.text, name
    assert all(secret.encode() in heard["wire.json"] for secret in (CANARY["asia-pacific"], HIDDEN, "Storm", EARLY))
    assert CANARY["asia-pacific"].encode() in heard["asia.rss"]
    assert EARLY.encode() not in b"".join(body for name, body in heard.items() if name != "wire.json")


async def test_feeds_are_named_in_the_language_of_their_reader(desk: Desk) -> None:
    """Two readers of one product, one after the other: a body made for one is not the other's."""
    english = await desk.reader("ada@example.org", products=["asia"])
    turkish = await desk.reader("ayse@example.org", products=["asia"], language="tr")
    for home, language, title in [(english, "en", "Asia desk"), (turkish, "tr", "Asya masası")] * 2:
        atom = (await desk.client.get(f"{home}asia.atom".removeprefix("https://wire.example"))).text
        assert re.search(rf'<feed[^>]* xml:lang="{language}"', atom)
        assert f"<title>Test Wire - {title}</title>" in atom
        listed = (await desk.client.get(f"{home}feeds.opml".removeprefix("https://wire.example"))).text
        assert f'text="Test Wire - {title}"' in listed


async def held(desk: Desk, home: str) -> dict[str, Any]:
    answer = await desk.client.get(f"{home}subscription.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "private, no-cache"
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def test_what_a_licence_holds(desk: Desk) -> None:
    """Two readers with the same rights until different days: none is told the other's."""
    now = desk.clock.now()
    ada = await desk.reader("ada@example.org", products=["asia"], valid_until=now.replace(day=5), archive_days=30)
    ben = await desk.reader("ben@example.org", products=["asia"], valid_until=now.replace(day=9), archive_days=30)
    said = [await held(desk, home) for home in (ada, ben)]
    assert [one["licences"][0]["valid_until"] for one in said] == [
        "2026-11-05T09:00:00+00:00",
        "2026-11-09T09:00:00+00:00",
    ]
    assert said[0]["licences"][0] | {"valid_until": ""} == {
        "product": "asia",
        "title": "Asia desk",
        "in_force": True,
        "valid_from": None,
        "valid_until": "",
        "archive_days": 30,
        "embargo_cleared": False,
    }
    assert [feed["title"] for feed in said[0]["feeds"]] == ["Test Wire", "Test Wire - Asia desk"]
    for feed in said[0]["feeds"]:
        answer = await desk.client.get(feed["urls"]["atom"])
        parsed = feedparser.parse(answer.body)
        assert parsed.feed.updated == feed["updated"]
        assert feed["urls"]["atom"].startswith(ada)
    assert (await desk.client.get(said[1]["wire"])).status == 200
    desk.clock.move(days=4)
    ended, active = [await held(desk, home) for home in (ada, ben)]
    assert (ended["status"], ended["ended"]) == ("ended", "2026-11-05T09:00:00+00:00")
    assert [feed["title"] for feed in ended["feeds"]] == ["Test Wire"]
    assert active["status"] == "active"
    assert (await held(desk, await desk.reader("cy@example.org", products=[])))["status"] == "none"


async def test_a_private_feed_is_for_one_reader_alone(desk: Desk) -> None:
    """The fields of editorial §3: no shared cache, no index, no referrer; 304 for who has it, and for nobody else."""
    asia = await desk.reader("asia@example.org", products=["asia"])
    money = await desk.reader("money@example.org", products=["money"])
    for name in ("all.rss", "all.atom", "all.json", "feeds.opml", "wire.json", "subscription.json"):
        answer = await desk.client.get(f"{asia}{name}")
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert (await desk.client.get(f"{asia}{name}", if_none_match=answer.headers["etag"])).status == 304
        assert (await desk.client.get(f"{money}{name}", if_none_match=answer.headers["etag"])).status == 200
        token = asia.rstrip("/").rpartition("/")[2]
        feed_body = answer.text.replace(f"{asia}{name}", "")
        assert name not in ("all.rss", "all.atom", "all.json") or token not in feed_body


async def test_what_is_told_of_a_story_is_not_kept_past_its_time(desk: Desk) -> None:
    """Bodies made before are not served once time alone has changed what is told, pass or no pass."""
    home = await desk.reader("asia@example.org", products=["asia"])
    desk.write("isle", "Isle", status="withdrawn", date="2026-11-01T08:00:00Z")
    await desk.publish(minutes=5)
    assert "Withdrawn: Isle" in said(await desk.entries(f"{home}all.atom"))
    desk.clock.move(days=31)
    assert "Withdrawn: Isle" not in said(await desk.entries(f"{home}all.atom"))
