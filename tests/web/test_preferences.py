"""The page of choices: what it shows, what it takes, and that it keeps all of a form or nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reader_house import NOW, PREFERENCES, SITE, House, newsletter
from selectolax.lexbor import LexborHTMLParser
from starlette.datastructures import FormData

from publisher.errors import UsageError
from publisher.model.choices import Change, Choices, Form
from publisher.model.people import Subscription
from publisher.stores.database import Database
from publisher.web.choices import begin_of, change_of

WISHES = {
    "weekly.choices": "1",
    "weekly.rhythm": "weekly",
    "weekly.weekday": "fri",
    "weekly.day": "1",
    "weekly.at": "18:30",
    "weekly.form": "brief",
    "weekly.language": "en",
    "weekly.tags": " ships,, harbour ",
    "weekly.until": "",
}


@pytest.fixture
def house(sqlite_database: Database, client_of: Callable[..., Any]) -> House:
    return House(sqlite_database, client_of, rhythms=("instant", "daily", "weekdays", "weekly", "monthly"))


async def save(house: House, **more: str) -> Any:
    fields = {"newsletter": "weekly", **WISHES, **{name.replace("__", "."): value for name, value in more.items()}}
    path = house.links.preferences_url(1).removeprefix(SITE)
    return await house.client.post(path, [*PREFERENCES, *fields.items()])


async def weekly(house: House) -> Subscription:
    person = await house.people.person(1)
    assert person is not None
    return next(one for one in person.subscriptions if one.newsletter == "weekly")


async def test_what_is_chosen_is_kept_and_shown_again(house: House) -> None:
    await house.add("weekly")
    answer = await save(house, timezone="America/New_York")
    assert answer.status == 200
    one = await weekly(house)
    assert one.cadence == "weekly fri 18:30"
    assert one.choices == Choices(languages=("en",), tags=("harbour", "ships"), form=Form.BRIEF)
    tree = LexborHTMLParser(answer.text)
    chosen = {
        str(node.attributes["name"]): [option.attributes["value"] for option in node.css("option[selected]")]
        for node in tree.css("select")
    }
    assert chosen["weekly.rhythm"] == ["weekly"]
    assert chosen["weekly.weekday"] == ["fri"]
    assert chosen["weekly.form"] == ["brief"]
    assert chosen["timezone"] == ["America/New_York"]
    assert tree.css_first('input[name="weekly.at"]').attributes["value"] == "18:30"
    assert tree.css_first('input[name="weekly.tags"]').attributes["value"] == "harbour, ships"
    before = await house.dump()
    again = {
        str(n.attributes["name"]): n.attributes.get("value") or "" for n in tree.css("form:first-of-type input[name]")
    }
    assert again["weekly.choices"] == "1"
    await save(house, timezone="America/New_York")
    assert await house.dump() == before


@pytest.mark.parametrize(
    ("kind", "cadence"),
    [
        ("", None),
        ("instant", "instant"),
        ("daily", "daily 18:30"),
        ("weekdays", "weekdays 18:30"),
        ("monthly", "monthly 1 18:30"),
    ],
)
async def test_every_rhythm_on_offer_can_be_had(house: House, kind: str, cadence: str | None) -> None:
    await house.add("weekly")
    assert (await save(house, weekly__rhythm=kind)).status == 200
    assert (await weekly(house)).cadence == cadence


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekly__at": "25:00"},
        {"weekly__at": ""},
        {"weekly__rhythm": "hourly"},
        {"weekly__rhythm": "* * * * *"},
        {"weekly__weekday": "someday"},
        {"weekly__form": "verse"},
        {"weekly__section": "nowhere"},
        {"weekly__paused": "yes", "weekly__until": "2026-03-01"},
        {"weekly__paused": "yes", "weekly__until": "soon"},
        {"timezone": "Mars/Olympus"},
    ],
)
async def test_what_cannot_be_had_changes_nothing_at_all(house: House, wrong: dict[str, str]) -> None:
    await house.add("weekly", "daily")
    before = await house.dump()
    answer = await save(house, **wrong)
    assert answer.status == 422
    assert "Nothing was changed" in answer.text
    assert await house.dump() == before


async def test_one_newsletter_is_paused_until_a_day_where_the_reader_is(house: House) -> None:
    await house.add("weekly", "daily")
    fields = [("newsletter", "daily"), ("newsletter", "weekly"), ("timezone", "America/New_York")]
    path = house.links.preferences_url(1).removeprefix(SITE)
    wishes = {**WISHES, "weekly.paused": "yes", "weekly.until": "2026-03-20"}
    shown = await house.client.post(path, [*PREFERENCES, *fields, *wishes.items()])
    assert await house.statuses() == {"daily": "confirmed", "weekly": "paused"}
    assert (await weekly(house)).paused_until == datetime(2026, 3, 20, 4, 0, tzinfo=UTC)
    assert "Paused until March 20, 2026" in shown.text
    assert "Your newsletters are paused" not in shown.text
    await save(house)
    assert (await house.statuses())["weekly"] == "confirmed"


async def test_everything_is_paused_until_a_day(house: House) -> None:
    await house.add("weekly", "daily")
    path = house.links.preferences_url(1).removeprefix(SITE)
    shown = await house.client.post(path, [*PREFERENCES, ("action", "pause"), ("until", "2026-03-09")])
    assert set((await house.statuses()).values()) == {"paused"}
    assert "Your newsletters are paused" in shown.text
    house.clock.time = NOW + timedelta(days=7)
    await house.choosing.wake(house.clock.time)
    assert set((await house.statuses()).values()) == {"confirmed"}
    wrong = await house.client.post(path, [*PREFERENCES, ("action", "pause"), ("until", "yesterday")])
    assert wrong.status == 422


async def test_wishes_for_what_is_not_read_are_not_looked_at(house: House) -> None:
    await house.add("daily")
    path = house.links.preferences_url(1).removeprefix(SITE)
    fields = [("newsletter", "daily"), ("weekly.choices", "1"), ("weekly.rhythm", "nonsense"), ("desk.choices", "1")]
    assert (await house.client.post(path, [*PREFERENCES, *fields])).status == 200
    assert await house.statuses() == {"daily": "confirmed"}


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        ("", "UTC", None),
        ("2026-12-01", "Europe/Istanbul", datetime(2026, 11, 30, 21, 0, tzinfo=UTC)),
        ("2026-03-29", "America/Sao_Paulo", datetime(2026, 3, 29, 3, 0, tzinfo=UTC)),
    ],
)
def test_day_begins_where_the_reader_is(day: str, zone: str, begins: datetime | None) -> None:
    assert begin_of(day, zone) == begins


def test_empty_form_of_a_newsletter_is_the_wish_for_all_of_it() -> None:
    wish = change_of(FormData([("n.choices", "1")]), newsletter("n"), "UTC")
    assert wish == Change(rhythm="", paused=False, sections=(), tags=(), languages=(), form=Form.FULL)
    assert replace(wish, paused=None) != Change()


def test_day_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="no day"):
        begin_of("2026-02-30", "UTC")
