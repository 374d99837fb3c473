"""The test mail of going live: what its code proves, and for how long."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from publisher.errors import UsageError
from publisher.model.delivery import Ending, Letter, Phase
from publisher.model.issue import MailText
from publisher.model.people import Person, Subscriber, Subscription, SubscriptionStatus
from publisher.services.golive import GoingLive

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


class World:
    """Facts, people, and a relay that takes everything, or nothing."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.sent: list[str] = []
        self.ending = Ending(phase=Phase.BODY, code=250, text="kept")
        self.readers: list[tuple[str, SubscriptionStatus]] = []

    async def get(self, name: str) -> str | None:
        return self.facts.get(name)

    async def put(self, name: str, value: str) -> None:
        self.facts[name] = value

    async def settle(self, name: str, value: str) -> str:
        return self.facts.setdefault(name, value)

    def message(self, kind: str, language: str, **context: Any) -> MailText:
        return MailText(subject="", preheader="", html="", text=context["code"])

    def prepared(self, mail: MailText, *_more: object) -> str:
        return mail.text

    def test_letter(self, prepared: str, to: Subscriber, *_more: object) -> Letter:
        return Letter(sender="s@flow.press", recipient=to.address, message=prepared.encode())

    async def send(self, letter: Letter, may_go: Any) -> Ending:
        assert await may_go()
        self.sent.append(letter.message.decode())
        return self.ending

    async def close(self) -> None:
        pass

    async def pages(self) -> AsyncIterator[list[Person]]:
        for number, (address, status) in enumerate(self.readers):
            who = Subscriber(number=number, address=address, created_at=NOW)
            had = Subscription(subscriber=number, newsletter="daily", status=status, created_at=NOW)
            yield [Person(subscriber=who, subscriptions=(had,))]


def going(world: World, way: str = "tls relay.press:465") -> GoingLive:
    codes = iter(["111111", "222222"])
    return GoingLive(
        facts=world,
        people=world,  # type: ignore[arg-type]
        letters=world,  # type: ignore[arg-type]
        renderer=world,  # type: ignore[arg-type]
        relays=lambda: {"smtp": world},
        language="en",
        way=way,
        code=lambda: next(codes),
    )


async def test_only_the_code_that_was_sent_proves_that_mail_arrives() -> None:
    world = World()
    walk = going(world)
    with pytest.raises(UsageError, match="no test mail"):
        await walk.take_code("111111", NOW)
    await walk.send_test("editor@flow.press", NOW)
    assert world.sent == ["111111"]
    assert not await walk.take_code("222222", NOW)
    assert not await walk.proven(NOW)
    assert await walk.take_code(" 111111 ", NOW)
    assert await walk.proven(NOW)


async def test_a_code_cannot_be_found_by_trying() -> None:
    world = World()
    walk = going(world)
    await walk.send_test("editor@flow.press", NOW)
    for _ in range(5):
        assert not await walk.take_code("000000", NOW)
    with pytest.raises(UsageError, match="another test mail"):
        await walk.take_code("111111", NOW)
    await walk.send_test("editor@flow.press", NOW)
    assert await walk.take_code("222222", NOW)


async def test_a_mail_that_went_another_way_or_long_ago_proves_nothing() -> None:
    world = World()
    walk = going(world)
    await walk.send_test("editor@flow.press", NOW)
    await walk.take_code("111111", NOW)
    assert not await going(world, way="tls other.press:465").proven(NOW)
    assert not await walk.proven(NOW + timedelta(days=8))
    assert await going(world).proven(NOW + timedelta(days=6))


async def test_a_mail_that_the_relay_refused_is_none() -> None:
    world = World()
    world.ending = Ending(phase=Phase.RCPT, code=550, text="no such user")
    endings = await going(world).send_test("editor@flow.press", NOW)
    assert not endings["smtp"].accepted
    assert await going(world).trial(NOW) is None


async def test_the_count_is_of_people_who_would_get_mail() -> None:
    world = World()
    world.readers = [
        ("ada@reader.press", SubscriptionStatus.CONFIRMED),
        ("bora@example.org", SubscriptionStatus.CONFIRMED),
        ("chloe@reader.press", SubscriptionStatus.PAUSED),
        ("dan@reader.press", SubscriptionStatus.UNSUBSCRIBED),
        ("eve@reader.press", SubscriptionStatus.UNCONFIRMED),
    ]
    found = await going(world).audience()
    assert (found.people, found.newsletters, found.unreal) == (3, {"daily": 3}, 1)
