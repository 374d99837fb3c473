"""Readers coming, choosing and going, over a real store."""

from datetime import timedelta

import pytest
from people_house import DAY, HOUR, NOW, VISIT, House

from publisher.errors import NotFoundError, StoreError
from publisher.mail.addresses import parse_address
from publisher.model.people import (
    EVERYTHING,
    ConfirmationState,
)
from publisher.services.subscribe import ALL, Visit


async def test_sign_up_then_confirm(house: House) -> None:
    await house.sign_up("Ada@example.org", "daily", "weekly")
    ((subscriber, language, mail),) = house.post.mails.values()
    assert (language, mail.subject) == ("en", "confirmation")
    assert "('Daily', 'Weekly')" in mail.text
    assert await house.products("ada@example.org") == []

    done = await house.subscribing.confirm(house.confirm_token(), VISIT, NOW + HOUR)
    assert done is not None
    assert done.state is ConfirmationState.CONFIRMED
    assert [n.id for n in done.newsletters] == ["daily", "weekly"]
    assert done.feed_url == f"https://news.example.org/u/{house.tokens.feed(subscriber, 1)}/all.atom"
    assert await house.statuses("ada@example.org") == {"daily": "confirmed", "weekly": "confirmed"}
    assert await house.products("ada@example.org") == [EVERYTHING]
    assert house.post.events == ["signup", "welcome"]
    events = [(c.newsletter, c.event.value) for c in (await house.circulation.show("ada@example.org")).consents]
    assert events == [("daily", "requested"), ("weekly", "requested"), ("daily", "confirmed"), ("weekly", "confirmed")]


async def test_confirming_again_is_friendly_but_shows_no_feed_address(house: House) -> None:
    await house.sign_up("ada@example.org", "daily")
    token = house.confirm_token()
    await house.subscribing.confirm(token, VISIT, NOW)
    before = await house.dump()
    again = await house.subscribing.confirm(token, VISIT, NOW + 400 * DAY)
    assert again is not None
    assert (again.state, again.feed_url) == (ConfirmationState.ALREADY, None)
    assert await house.dump() == before


async def test_confirming_again_names_what_the_person_gets_now(house: House) -> None:
    await house.sign_up("ada@example.org", "daily", "weekly")
    token, number = house.confirm_token(), await house.number("ada@example.org")
    await house.subscribing.confirm(token, VISIT, NOW)
    await house.subscribing.unsubscribe(house.tokens.unsubscribe(number, "daily"), "web", VISIT, NOW)
    again = await house.subscribing.confirm(token, VISIT, NOW)
    assert again is not None
    assert [newsletter.id for newsletter in again.newsletters] == ["weekly"]


async def test_public_newsletter_brings_no_licence_and_no_private_feed(house: House) -> None:
    await house.sign_up("ada@example.org", "weekly")
    done = await house.subscribing.confirm(house.confirm_token(), VISIT, NOW)
    assert done is not None
    assert done.feed_url is None
    assert await house.products("ada@example.org") == []


async def test_newsletter_with_products_grants_those_alone(house: House) -> None:
    await house.sign_up("ada@example.org", "asia")
    await house.subscribing.confirm(house.confirm_token(), VISIT, NOW)
    assert await house.products("ada@example.org") == ["asia"]


async def test_closed_or_unknown_newsletter_is_not_to_be_had_from_the_form(house: House) -> None:
    assert "desk" not in [n.id for n in house.subscribing.offered()]
    await house.sign_up("ada@example.org", "desk", "nothing")
    assert house.post.mails == {}
    await house.sign_up("ada@example.org", "desk", "weekly")
    await house.subscribing.confirm(house.confirm_token(), VISIT, NOW)
    assert await house.statuses("ada@example.org") == {"weekly": "confirmed"}


async def test_expired_link_says_so_and_confirms_nothing(house: House) -> None:
    await house.sign_up("ada@example.org", "weekly")
    pending = await house.subscribing.pending(house.confirm_token(), NOW + timedelta(hours=73))
    assert pending is not None
    assert pending.expired
    done = await house.subscribing.confirm(house.confirm_token(), VISIT, NOW + timedelta(hours=73))
    assert done is not None
    assert done.state is ConfirmationState.EXPIRED
    assert await house.statuses("ada@example.org") == {"weekly": "unconfirmed"}
    assert house.post.events == ["signup"]


async def test_looking_changes_nothing(house: House) -> None:
    await house.sign_up("ada@example.org", "daily")
    number = await house.number("ada@example.org")
    before = await house.dump()
    pending = await house.subscribing.pending(house.confirm_token(), NOW)
    assert pending is not None
    assert not pending.expired
    assert [n.id for n in pending.newsletters] == ["daily"]
    await house.subscribing.leaving(house.tokens.unsubscribe(number, "daily"))
    await house.subscribing.preferences(house.tokens.preferences(number))
    assert await house.dump() == before


async def test_bomber_gets_one_mail_per_day_to_one_victim(house: House) -> None:
    """I31: many forms from many networks."""
    for i in range(60):
        await house.sign_up("victim@example.org", "daily", visit=Visit(network=f"10.0.{i % 20}.0/24"))
    assert len(house.post.mails) == 1


async def test_flood_from_one_network_and_overall_is_bounded(house: House) -> None:
    for i in range(40):
        await house.sign_up(f"v{i}@example.org", "weekly")
    assert len(house.post.mails) == 20


async def test_mail_lost_to_a_crash_is_queued_when_the_form_comes_again(house: House) -> None:
    house.post.fails = True
    with pytest.raises(OSError):
        await house.sign_up("ada@example.org", "weekly")
    house.post.fails = False
    await house.sign_up("ada@example.org", "weekly", now=NOW + HOUR)
    assert house.post.events == ["signup"]


async def test_confirmation_mail_carries_nothing_its_sender_typed(house: House) -> None:
    address = parse_address("buy-pills@example.org")
    await house.subscribing.sign_up(address, ["weekly", "buy pills"], "en", VISIT, NOW, name="buy pills at x.example")
    ((_, _, mail),) = house.post.mails.values()
    assert "pills" not in repr(mail)


async def test_mail_speaks_the_language_of_the_form(house: House) -> None:
    for address, asked, spoken in [("a", "tr", "tr"), ("b", "tr-TR", "tr"), ("c", "fr", "en")]:
        await house.subscribing.sign_up(parse_address(f"{address}@example.org"), ["weekly"], asked, VISIT, NOW)
        assert list(house.post.mails.values())[-1][1] == spoken


async def test_suppressed_address_gets_no_confirmation_mail(house: House) -> None:
    assert await house.circulation.suppress("Ada@Example.org", NOW)
    assert not await house.circulation.suppress("ada@example.org", NOW)
    await house.sign_up("ada@example.org", "weekly")
    assert house.post.mails == {}
    with pytest.raises(StoreError, match=r"suppressed \(manual\).*suppressions remove ada@example.org"):
        await house.circulation.add("ada@example.org", NOW, confirmed=True)
    await house.circulation.unsuppress("ADA@example.org")
    await house.sign_up("ada@example.org", "weekly")
    assert house.post.events == ["signup"]
    with pytest.raises(NotFoundError):
        await house.circulation.unsuppress("ada@example.org")


async def test_unsubscribing_by_link(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True)
    number = await house.number("ada@example.org")
    token = house.tokens.unsubscribe(number, "daily")
    leaving = await house.subscribing.leaving(token)
    assert leaving is not None
    assert leaving.newsletter is not None
    assert leaving.newsletter.id == "daily"
    for _ in range(2):
        assert await house.subscribing.unsubscribe(token, "one-click", VISIT, NOW)
    assert await house.statuses("ada@example.org") == {
        "asia": "confirmed",
        "daily": "unsubscribed",
        "desk": "confirmed",
        "weekly": "confirmed",
    }
    last = (await house.circulation.show("ada@example.org")).consents[-1]
    assert (last.origin, last.evidence) == ("one-click", "network 192.0.2.0/24; agent Browser/1.0")
    assert not await house.subscribing.unsubscribe("nonsense", "one-click", VISIT, NOW)
    assert not await house.subscribing.unsubscribe(house.tokens.preferences(number), "one-click", VISIT, NOW)


async def test_link_for_everything_leaves_everything(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True)
    token = house.tokens.unsubscribe(await house.number("ada@example.org"), ALL)
    await house.subscribing.unsubscribe(token, "web", VISIT, NOW)
    assert set((await house.statuses("ada@example.org")).values()) == {"unsubscribed"}


async def test_unsubscribing_can_be_undone_for_an_hour(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=["daily"])
    token = house.tokens.unsubscribe(await house.number("ada@example.org"), "daily")
    await house.subscribing.unsubscribe(token, "web", VISIT, NOW)
    assert not await house.subscribing.undo_unsubscribe(token, VISIT, NOW + 2 * HOUR)
    assert await house.subscribing.undo_unsubscribe(token, VISIT, NOW + HOUR)
    assert await house.statuses("ada@example.org") == {"daily": "confirmed"}


async def test_undo_does_not_confirm_what_never_was(house: House) -> None:
    await house.sign_up("ada@example.org", "daily")
    token = house.tokens.unsubscribe(await house.number("ada@example.org"), "daily")
    await house.subscribing.unsubscribe(token, "web", VISIT, NOW)
    assert not await house.subscribing.undo_unsubscribe(token, VISIT, NOW)
    assert await house.statuses("ada@example.org") == {"daily": "unsubscribed"}


async def test_choosing_newsletters(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=["weekly"], products=[])
    token = house.tokens.preferences(await house.number("ada@example.org"))
    before = await house.subscribing.preferences(token)
    assert before is not None
    assert before.chosen == {"weekly"}
    assert [n.id for n in before.offered] == ["daily", "asia", "weekly", "alerts"]
    after = await house.subscribing.choose(token, ["asia", "desk"], "tr", VISIT, NOW)
    assert after is not None
    assert after.chosen == {"asia"}
    assert after.subscriber.language == "tr"
    assert await house.products("ada@example.org") == ["asia"]
    assert await house.subscribing.choose("nonsense", ["asia"], "", VISIT, NOW) is None


async def test_pausing_resuming_and_leaving_all(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=["daily", "weekly"])
    token = house.tokens.preferences(await house.number("ada@example.org"))
    paused = await house.subscribing.pause(token, NOW, paused=True)
    assert paused is not None
    assert (paused.paused, paused.chosen) == (True, {"daily", "weekly"})
    still = await house.subscribing.choose(token, ["daily"], "", VISIT, NOW)
    assert still is not None
    assert (still.paused, still.chosen) == (True, {"daily"})
    resumed = await house.subscribing.pause(token, NOW, paused=False)
    assert resumed is not None
    assert not resumed.paused
    left = await house.subscribing.leave_all(token, VISIT, NOW)
    assert left is not None
    assert left.chosen == frozenset()
    for nothing in (house.subscribing.pause("x", NOW, paused=True), house.subscribing.leave_all("x", VISIT, NOW)):
        assert await nothing is None
