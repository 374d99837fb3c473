"""What a fresh mailed link opens, and a change of address, which both ends confirm."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from reader_house import NOW, PREFERENCES, SITE, House, form_of
from selectolax.lexbor import LexborHTMLParser

from publisher.model.people import SuppressionReason
from publisher.services.importing import Instructions
from publisher.services.roster import Roster
from publisher.stores.database import Database

OLD, NEW = "ada@example.org", "ada@new.example"


@pytest.fixture
def house(sqlite_database: Database, client_of: Callable[..., Any]) -> House:
    return House(sqlite_database, client_of)


async def open_account(house: House, number: int = 1) -> str:
    """Asks for a fresh link on the preferences page and returns its path."""
    preferences = house.links.preferences_url(number).removeprefix(SITE)
    answer = await house.client.post(preferences, [*PREFERENCES, ("action", "account")])
    assert "A mail with the link is on its way" in answer.text
    return house.path_of("account")


async def wish(house: House, address: str = NEW) -> Any:
    return await house.client.post(await open_account(house), [("action", "move"), ("email", address)])


async def agree(house: House, end: str) -> str:
    answer = await house.client.post(house.path_of(f"move-{end}"), [("action", "agree")])
    assert answer.status == 200
    return str(answer.text)


async def address_of(house: House, number: int = 1) -> str | None:
    subscriber = await house.people.by_number(number)
    return subscriber.address if subscriber else None


async def test_old_mail_opens_nothing_that_is_sensitive(house: House) -> None:
    """The authorisation matrix of security S4: each link opens its own page, whatever the method."""
    await house.add("daily")
    account = await open_account(house)
    shown = await house.client.get(account)
    assert shown.status == 200
    assert OLD in shown.text
    assert house.tokens.feed(1, 1) in shown.text
    tokens = {
        "unsubscribe": house.tokens.unsubscribe(1, "daily"),
        "preferences": house.tokens.preferences(1),
        "confirm": house.tokens.confirm(1),
        "account": account.rpartition("/")[2],
        "address": house.tokens.move(1, new_end=False),
    }
    before = await house.dump()
    for page in tokens:
        for purpose, token in tokens.items():
            if page == purpose:
                continue
            assert (await house.client.get(f"/{page}/{token}")).status == 404, (page, purpose)
            assert (await house.client.post(f"/{page}/{token}", [("action", "erase")])).status == 404, (page, purpose)
    assert await house.dump() == before
    preferences = (await house.client.get(f"/preferences/{tokens['preferences']}")).text
    assert OLD not in preferences
    assert house.tokens.feed(1, 1) not in preferences


async def test_fresh_link_ends_after_an_hour(house: House) -> None:
    await house.add("daily")
    account = await open_account(house)
    house.clock.time += timedelta(hours=1)
    for answer in (await house.client.get(account), await house.client.post(account, [("action", "export")])):
        assert answer.status == 410
        assert "This link has ended" in answer.text
    foreign = await house.client.get(account, accept_language="tr")
    assert LexborHTMLParser(foreign.text).css_first("html").attributes["lang"] == "tr"


async def test_nobody_can_flood_a_mailbox_with_fresh_links(house: House) -> None:
    await house.add("daily")
    for _ in range(100):
        await open_account(house)
        house.clock.time += timedelta(minutes=5)
    assert len(house.post.mails) == 6


async def test_new_feed_address_ends_the_old_one(house: House) -> None:
    await house.add("daily")
    answer = await house.client.post(await open_account(house), [("action", "feed")])
    assert house.tokens.feed(1, 2) in answer.text
    assert house.tokens.feed(1, 1) not in answer.text


async def test_export_is_all_that_is_held(house: House) -> None:
    await house.sign_up("daily")
    await house.client.post(house.path_of("signup"), [])
    answer = await house.client.post(await open_account(house), [("action", "export")])
    assert answer.headers["content-disposition"].startswith("attachment;")
    told = json.loads(answer.body)
    assert told["subscriber"]["address"] == OLD
    assert [one["newsletter"] for one in told["subscriptions"]] == ["daily"]
    assert [one["event"] for one in told["consents"]] == ["requested", "confirmed"]
    assert "Confirm that you would like to get" in told["consents"][1]["evidence"]
    assert told["licences"][0]["product"] == "*"
    assert told["sign_ups"][0]["used_at"] == NOW.isoformat()
    assert "hash" not in answer.text


async def test_erasing_needs_to_be_sure_and_is_final(house: House, tmp_path: Path) -> None:
    """I33: no byte of the address is left in the database or its log, and no import brings it back."""
    await house.sign_up("daily")
    await house.client.post(house.path_of("signup"), [])
    account = await open_account(house)
    await house.client.post(account, [("action", "move"), ("email", NEW)])
    unsure = await house.client.post(account, [("action", "erase")])
    assert unsure.status == 422
    assert await address_of(house) == OLD
    assert traces(tmp_path, OLD) != []

    gone = await house.client.post(account, [("action", "erase"), ("sure", "yes")])
    assert gone.status == 200
    assert "Goodbye" in gone.text
    assert traces(tmp_path, OLD) == []
    assert (await house.client.get(account)).status == 410
    (kept,) = await house.people.suppressions()
    assert (kept.address, kept.reason) == (None, SuppressionReason.ERASED)
    assert kept.address_hash == house.tokens.address_hash(OLD)
    wish = Instructions(source="list.csv", confirmed=True)
    report = await house.circulation.import_people(Roster(["email\n", f"{OLD}\n"], None), wish, NOW)
    assert [one.reason for one in report.left_alone] == ["suppressed (erased)"]


def traces(folder: Path, words: str) -> list[str]:
    """Returns the files of a database in which words stand, however they are written."""
    needle = words.encode()
    return [
        path.name
        for path in sorted(folder.glob("publisher.db*"))
        if needle in path.read_bytes().lower() or needle in path.read_bytes()
    ]


@pytest.mark.parametrize("first", ["old", "new"])
async def test_address_changes_when_both_ends_agreed(house: House, first: str) -> None:
    await house.add("daily", "weekly")
    asked = await wish(house)
    assert "A mail is on its way to both addresses" in asked.text
    second = "new" if first == "old" else "old"
    assert "the other address has to agree" in await agree(house, first)
    assert "the other address has to agree" in await agree(house, first)  # twice is as good as once
    assert await address_of(house) == OLD
    assert "Address changed" in await agree(house, second)
    assert await address_of(house) == NEW
    assert await house.statuses() == {"daily": "confirmed", "weekly": "confirmed"}
    events = [(one.newsletter, one.event.value) for one in await house.people.consents(1)]
    assert events == [("daily", "added"), ("weekly", "added"), ("daily", "moved"), ("weekly", "moved")]
    before = await house.dump()
    for end in ("old", "new"):
        assert "Address changed" in await agree(house, end)
        assert "Address changed" in (await house.client.get(house.path_of(f"move-{end}"))).text
    assert await house.dump() == before
    assert (await house.client.get(house.path_of("account"))).status == 410  # the old mailbox has no say any more


async def test_old_address_can_call_it_off(house: House) -> None:
    await house.add("daily")
    await wish(house)
    await agree(house, "new")
    off = await house.client.post(house.path_of("move-old"), [("action", "call_off")])
    assert "Nothing was changed" in off.text
    assert "Nothing was changed" in await agree(house, "old")
    assert (await house.client.get(house.path_of("move-new"))).status == 410
    assert await address_of(house) == OLD


async def test_wish_is_over_after_three_days_and_leaves_nobody_behind(house: House) -> None:
    await house.add("daily")
    await wish(house)
    await agree(house, "new")
    house.clock.time += timedelta(hours=72)
    assert "Nothing was changed" in await agree(house, "old")
    house.clock.time += timedelta(days=5)
    await house.housekeeping.run(house.clock.time)
    assert await house.people.by_address(NEW) is None
    assert await address_of(house) == OLD


@pytest.mark.parametrize("address", ["bob@example.org", "never@example.org", "erased@example.org", NEW])
async def test_wish_tells_nobody_who_is_subscribed_or_suppressed(house: House, address: str) -> None:
    await house.add("daily")
    await house.circulation.add("bob@example.org", NOW, confirmed=True, newsletters=["weekly"])
    await house.circulation.suppress("never@example.org", NOW)
    await house.circulation.add("erased@example.org", NOW, confirmed=True, newsletters=["weekly"])
    await house.circulation.erase("erased@example.org", NOW)
    said = [(await wish(house, address)).text.replace(address, ""), await agree(house, "old")]
    assert "A mail is on its way to both addresses" in said[0]
    assert "the other address has to agree" in said[1]
    mails = {event.partition(":")[0]: mail.subject for event, (_, _, mail) in house.post.mails.items()}
    if address.startswith("bob"):
        assert "already" in mails["move-new"]
        assert (await house.client.get(house.path_of("move-new"))).status == 200
        assert "Nothing was changed" in await agree(house, "new")
        assert {
            one.address for page in [p async for p in house.people.pages()] for one in [x.subscriber for x in page]
        } == {
            OLD,
            "bob@example.org",
        }
    else:
        assert "confirm" in mails["move-new"]
        await agree(house, "new")
        assert await address_of(house) == address


async def test_who_signs_up_with_the_new_address_meanwhile_keeps_it(house: House) -> None:
    await house.add("daily")
    await wish(house)
    await agree(house, "old")
    await house.circulation.add(NEW, NOW, confirmed=True, newsletters=["weekly"])
    assert "Nothing was changed" in await agree(house, "new")
    assert await address_of(house) == OLD
    assert await address_of(house, 2) == NEW


@pytest.mark.parametrize(("given", "words"), [("nonsense", "does not look like"), ("ADA@example.org", "already")])
async def test_address_that_cannot_be_moved_to_is_told(house: House, given: str, words: str) -> None:
    await house.add("daily")
    answer = await wish(house, given)
    assert answer.status == 422
    assert words in answer.text
    assert form_of(answer.text)["email"] == given
    assert [event.partition(":")[0] for event in house.post.mails] == ["account"]


async def test_wishes_for_other_addresses_are_few(house: House) -> None:
    await house.add("daily")
    account = await open_account(house)
    for number in range(10):
        await house.client.post(account, [("action", "move"), ("email", f"victim{number}@example.org")])
    assert sum(event.startswith("move-new") for event in house.post.mails) == 3


async def test_move_mails_to_one_address_are_counted_with_the_others(house: House) -> None:
    """I31: one mail a day that asks an address for consent, whoever makes us send it."""
    await house.add("daily")
    await house.sign_up("weekly", email=NEW)
    await wish(house, NEW)
    assert sorted(event.partition(":")[0] for event in house.post.mails) == ["account", "move-old", "signup"]


async def test_looking_changes_nothing(house: House) -> None:
    """I25 for the pages of this room."""
    await house.add("daily")
    await wish(house)
    paths = [house.path_of("account"), house.path_of("move-old"), house.path_of("move-new")]
    before, mails = await house.dump(), dict(house.post.mails)
    for path in paths:
        for query in ("", "?action=erase&sure=yes", "?action=agree"):
            for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
                answer = await house.client.ask(
                    method, path + query, {"purpose": "prefetch", "sec-purpose": "prefetch"}
                )
                assert answer.status == (200 if method in ("GET", "HEAD") else 405)
    assert await house.dump() == before
    assert house.post.mails == mails


@pytest.mark.parametrize("page", ["account", "move-old", "move-new"])
async def test_other_sites_cannot_post_here(house: House, page: str) -> None:
    await house.add("daily")
    await wish(house)
    before = await house.dump()
    for fields in ([("action", "erase"), ("sure", "yes")], [("action", "agree")]):
        answer = await house.client.post(house.path_of(page), fields, origin="https://evil.example")
        assert answer.status == 403
    assert (await house.client.post(house.path_of(page), [])).status == 422
    assert await house.dump() == before


@pytest.mark.parametrize("page", ["account", "move-old", "move-new"])
async def test_pages_are_kept_out_of_caches_indexes_and_referrers(house: House, page: str) -> None:
    await house.add("daily")
    await wish(house)
    answer = await house.client.get(house.path_of(page))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
