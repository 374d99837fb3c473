"""Against those who fill in the form for others, and for those who put it on their own site (security S1, I31)."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from reader_house import EMBEDDING, NOW, SITE, House, form_of
from selectolax.lexbor import LexborHTMLParser

from publisher.services.subscribe import ALL
from publisher.stores.database import Database
from publisher.stores.schema import subscribers

DAY = timedelta(days=1)
POSTS = int(os.environ.get("BOMB_POSTS", "600"))
NETWORKS = 200


@pytest.fixture
def house(sqlite_database: Database, client_of: Callable[..., Any]) -> House:
    return House(sqlite_database, client_of)


def kinds(house: House) -> list[str]:
    return [event.partition(":")[0] for event in house.post.mails]


async def test_a_bombed_victim_gets_one_mail(house: House) -> None:
    """10,000 forms for one victim from 200 addresses (`BOMB_POSTS`; fewer by default): one mail, and no reminder."""
    token = await house.form_token()
    fields = [("email", "Victim@example.org"), ("newsletter", "weekly"), ("form_token", token)]
    peers = [house.client_of(house.app, (f"203.0.{number}.9", 40000)) for number in range(NETWORKS)]
    answers = set()
    for number in range(POSTS):
        answer = await peers[number % NETWORKS].post("/subscribe", fields)
        answers.add((answer.status, answer.body))
    assert len(answers) == 1
    assert kinds(house) == ["signup"]
    house.clock.time += DAY
    await house.housekeeping.run(house.clock.time)
    assert kinds(house) == ["signup"]


async def test_all_of_the_web_together_makes_us_send_no_more_than_the_budget(house: House) -> None:
    """Other victims, other networks: 600 an hour, whatever the rest."""
    for number in range(620):
        client = house.client_of(house.app, (f"198.{number // 250}.{number % 250}.9", 40000))
        fields = [("email", f"v{number}@example.org"), ("newsletter", "weekly")]
        await client.post("/subscribe", fields, origin=EMBEDDING)
    assert len(house.post.mails) == 600


async def test_answer_keeps_the_connection_from_telling_how_long_the_work_took(house: House) -> None:
    assert (await house.sign_up("daily")).headers["connection"] == "close"


async def test_one_reminder_at_most_and_a_week_later_nothing(house: House) -> None:
    await house.sign_up("weekly")
    for hours in (1, 23, 24, 30, 60):
        house.clock.time = NOW + timedelta(hours=hours)
        await house.housekeeping.run(house.clock.time)
        assert kinds(house) == (["signup"] if hours < 24 else ["signup", "reminder"])
    assert (await house.client.get(house.path_of("reminder"))).status == 200
    house.clock.time = NOW + 8 * DAY
    await house.housekeeping.run(house.clock.time)
    assert await house.people.by_address("ada@example.org") is None
    assert (await house.client.get(house.path_of("reminder"))).status == 404


async def test_reminder_is_counted_among_the_mails_that_ask(house: House) -> None:
    await house.sign_up("weekly")
    house.clock.time = NOW + DAY
    await house.housekeeping.run(house.clock.time)
    house.clock.time += timedelta(hours=2)
    await house.sign_up("daily")
    assert kinds(house) == ["signup", "reminder"]


@pytest.mark.parametrize("meanwhile", ["confirms", "leaves", "is erased"])
async def test_who_answered_is_not_reminded(house: House, meanwhile: str) -> None:
    await house.sign_up("weekly")
    match meanwhile:
        case "confirms":
            await house.client.post(house.path_of("signup"), [])
        case "leaves":
            await house.client.post(house.links.unsubscribe_url(1, ALL).removeprefix(SITE), [])
        case _:
            await house.circulation.erase("ada@example.org", NOW)
    house.clock.time = NOW + DAY
    await house.housekeeping.run(house.clock.time)
    assert "reminder" not in kinds(house)


async def test_purge_takes_what_was_never_confirmed_and_nothing_else(house: House) -> None:
    await house.sign_up("weekly", email="gone@example.org")
    await house.circulation.add("asked@example.org", NOW, newsletters=["weekly"])
    await house.circulation.add("licensed@example.org", NOW, newsletters=["weekly"], products=["*"])
    await house.circulation.add("reader@example.org", NOW, confirmed=True, newsletters=["daily"])
    await house.sign_up("weekly", email="reader@example.org")
    await house.circulation.add("nothing@example.org", NOW, confirmed=True, newsletters=[])
    await house.sign_up("weekly", email="left@example.org")
    left = await house.people.by_address("left@example.org")
    assert left is not None
    await house.client.post(house.links.unsubscribe_url(left.number, "weekly").removeprefix(SITE), [])
    house.clock.time = NOW + 7 * DAY + timedelta(minutes=1)
    await house.sign_up("weekly", email="fresh@example.org")
    await house.housekeeping.run(house.clock.time)
    async with house.database.read() as connection:
        kept = (await connection.execute(sa.select(subscribers.c.address).order_by(subscribers.c.id))).scalars().all()
    assert kept == [
        "licensed@example.org",
        "reader@example.org",
        "nothing@example.org",
        "left@example.org",
        "fresh@example.org",
    ]
    reader = await house.people.by_address("reader@example.org")
    assert reader is not None
    assert await house.statuses(reader.number) == {"daily": "confirmed"}


async def test_purged_or_not_an_address_is_asked_three_times_a_month(house: House) -> None:
    for day in range(0, 30, 2):
        house.clock.time = NOW + day * DAY
        await house.sign_up("weekly")
        await house.housekeeping.run(house.clock.time)
    assert kinds(house) == ["signup"] * 3


async def test_what_the_form_said_is_evidence(house: House) -> None:
    await house.sign_up("daily", language="tr")
    await house.client.post(house.path_of("signup"), [])
    asked, confirmed = await house.people.consents(1)
    assert "Her e-postada tek tıkla ayrılma bağlantısı vardır." in asked.evidence
    assert "daily bülteni" in asked.evidence
    assert "Şunları almak istediğinizi onaylayın: | Evet, bana gönderin | daily bülteni" in confirmed.evidence


async def test_form_on_a_site_that_config_names_needs_no_token(house: House) -> None:
    fields = [("email", "ada@example.org"), ("newsletter", "weekly"), ("language", "tr")]
    answer = await house.client.post("/subscribe", fields, origin=EMBEDDING, sec_fetch_site="cross-site")
    assert answer.status == 202
    assert answer.headers["content-language"] == "tr"
    links = [node.attributes["href"] for node in LexborHTMLParser(answer.text).css("main a")]
    assert f"{EMBEDDING}/" in links
    (consent,) = await house.people.consents(1)
    assert consent.origin == f"web {EMBEDDING}"
    assert f"form at {EMBEDDING}" in consent.evidence


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example.evil", "http://shop.example", "https://shop.example:444", "https://evil.shop.example", ""],
)
async def test_form_on_any_other_site_is_refused(house: House, origin: str) -> None:
    fields = [("email", "ada@example.org"), ("newsletter", "weekly")]
    answer = await house.client.post("/subscribe", fields, origin=origin, sec_fetch_site="cross-site")
    assert answer.status == 403
    assert house.post.mails == {}


async def test_named_site_may_post_the_sign_up_form_and_nothing_else(house: House) -> None:
    await house.add("daily")
    before = await house.dump()
    for link in (house.links.unsubscribe_url(1, "daily"), house.links.preferences_url(1)):
        answer = await house.client.post(link.removeprefix(SITE), [("form", "preferences")], origin=EMBEDDING)
        assert answer.status == 403
    assert await house.dump() == before


@pytest.mark.parametrize("trapped", [True, False])
async def test_other_sites_forms_are_judged_like_ours(house: House, trapped: bool) -> None:
    fields = [("email", "nonsense"), ("newsletter", "weekly")]
    wrong = await house.client.post("/subscribe", fields, origin=EMBEDDING)
    assert wrong.status == 422
    assert form_of(wrong.text)["email"] == "nonsense"
    fields = [("email", "ada@example.org"), ("newsletter", "weekly"), ("website", "x" if trapped else "")]
    assert (await house.client.post("/subscribe", fields, origin=EMBEDDING)).status == 202
    assert len(house.post.mails) == (0 if trapped else 1)
