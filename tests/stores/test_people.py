"""What the store remembers of people, on both databases."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from publisher.model.people import (
    Allowance,
    Confirmation,
    ConfirmationState,
    ConsentEvent,
    Enrolled,
    Enrolment,
    EnrolmentResult,
    Proof,
    SignUpLimits,
    SubscriptionStatus,
    SuppressionReason,
    Terms,
    TokenState,
)
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.schema import metadata

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LIMITS = SignUpLimits(
    per_address=(Allowance(window=DAY, most=1), Allowance(window=30 * DAY, most=3)),
    per_network=(Allowance(window=HOUR, most=2),),
)
WEB = Proof(origin="web", evidence="agent")
COMMAND = Proof(origin="command")


def feed_hash(subscriber: int, generation: int) -> str:
    return f"hash-{subscriber}-{generation}"


def address_hash(key: str) -> str:
    return f"hash of {key[::-1]}"


def enrolment(address: str = "Ada@example.org", **changes: Any) -> Enrolment:
    key = address.lower()
    plain = {"newsletters": ("daily",), "language": "en", "proof": WEB, **changes}
    return Enrolment(address=address, address_key=key, address_hash=address_hash(key), **plain)


def trusted(address: str = "Ada@example.org", **changes: Any) -> Enrolment:
    plain = {
        "proof": COMMAND,
        "trusted": True,
        "status": SubscriptionStatus.CONFIRMED,
        "event": ConsentEvent.ADDED,
        **changes,
    }
    return enrolment(address, **plain)


async def enrol(people: People, *enrolments: Enrolment, now: datetime = NOW) -> Enrolled:
    return (await people.enrol(enrolments, feed_hash, LIMITS, now))[-1]


async def added(people: People, address: str = "Ada@example.org", **changes: Any) -> int:
    answer = await enrol(people, trusted(address, **changes))
    assert answer.subscriber is not None
    return answer.subscriber


async def confirm(people: People, signup: int, now: datetime = NOW) -> Confirmation | None:
    return await people.confirm(signup, ["daily"], ["*"], address_hash, WEB, now)


async def statuses(people: People, subscriber: int) -> dict[str, str]:
    person = await people.person(subscriber)
    assert person is not None
    return {s.newsletter: s.status.value for s in person.subscriptions}


async def every_text(database: Database) -> str:
    async with database.read() as connection:
        rows = [(await connection.execute(sa.select(table))).all() for table in metadata.sorted_tables]
    return repr([sorted(map(repr, each)) for each in rows])  # a table has no order


async def test_sign_up_waits_for_confirmation(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment(newsletters=("daily", "weekly")))
    assert answer.result is EnrolmentResult.ADDED
    assert answer.signup is not None
    assert answer.subscriber is not None
    assert answer.signup.newsletters == ("daily", "weekly")
    assert answer.signup.expires_at == NOW + timedelta(hours=72)
    assert await people.signup(answer.signup.number) == answer.signup
    assert await statuses(people, answer.subscriber) == {"daily": "unconfirmed", "weekly": "unconfirmed"}
    assert await people.licences(answer.subscriber) == ()


async def test_confirming_confirms_what_was_asked_for_and_grants(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment(newsletters=("daily", "weekly")))
    assert answer.signup is not None
    later = NOW + HOUR
    done = await confirm(people, answer.signup.number, later)
    assert done is not None
    assert done.state is ConfirmationState.CONFIRMED
    assert done.subscriber.address == "Ada@example.org"
    assert await statuses(people, done.subscriber.number) == {"daily": "confirmed", "weekly": "unconfirmed"}
    (licence,) = await people.licences(done.subscriber.number)
    assert (licence.product, licence.active) == ("*", True)
    person = await people.person(done.subscriber.number)
    assert person is not None
    assert person.subscriptions[0].confirmed_at == later


async def test_confirming_twice_is_the_same_and_changes_nothing(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment())
    assert answer.signup is not None
    assert answer.subscriber is not None
    await confirm(people, answer.signup.number)
    await people.unsubscribe(answer.subscriber, ["daily"], WEB, NOW)
    before = await every_text(database)
    again = await confirm(people, answer.signup.number, NOW + 300 * DAY)
    assert again is not None
    assert again.state is ConfirmationState.ALREADY
    assert await every_text(database) == before


async def test_two_confirmations_at_once_count_as_one(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment())
    assert answer.signup is not None
    both = await asyncio.gather(*(confirm(people, answer.signup.number) for _ in range(2)))
    assert sorted(done.state.value for done in both if done) == ["already", "confirmed"]


async def test_confirmation_expires(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment())
    assert answer.signup is not None
    assert answer.subscriber is not None
    late = await confirm(people, answer.signup.number, NOW + timedelta(hours=72))
    assert late is not None
    assert late.state is ConfirmationState.EXPIRED
    assert await statuses(people, answer.subscriber) == {"daily": "unconfirmed"}
    assert await confirm(people, 4711) is None


async def test_confirming_keeps_a_licence_that_was_ended(database: Database) -> None:
    """Signing up is not buying: the form does not bring back what the operator took."""
    people = People(database)
    subscriber = await added(people, newsletters=(), licences=(Terms(product="*"),))
    await people.revoke(subscriber, ["*"], NOW)
    answer = await enrol(people, enrolment())
    assert answer.signup is not None
    await confirm(people, answer.signup.number)
    assert [licence.active for licence in await people.licences(subscriber)] == [False]


async def test_one_mail_per_day_and_three_per_month(database: Database) -> None:
    people = People(database)
    first = await enrol(people, enrolment())
    again = await enrol(people, enrolment(), now=NOW + DAY - HOUR)
    assert again.result is EnrolmentResult.LIMITED
    assert again.signup == first.signup  # its mail may still have to be queued
    fresh = [(await enrol(people, enrolment(), now=NOW + n * DAY)).signup for n in (1, 2)]
    assert len({signup.number for signup in [first.signup, *fresh] if signup}) == 3
    assert (await enrol(people, enrolment(), now=NOW + 20 * DAY)).signup is None
    assert (await enrol(people, enrolment(), now=NOW + 31 * DAY)).signup is not None


async def test_flooded_network_adds_nobody(database: Database) -> None:
    people = People(database)
    proof = Proof(origin="web", network="192.0.2.0/24")
    for name in "ab":
        assert (await enrol(people, enrolment(f"{name}@example.org", proof=proof))).signup is not None
    refused = await enrol(people, enrolment("c@example.org", proof=proof))
    assert (refused.result, refused.subscriber) == (EnrolmentResult.LIMITED, None)
    assert await people.by_address("c@example.org") is None
    elsewhere = Proof(origin="web", network="198.51.100.0/24")
    assert (await enrol(people, enrolment("c@example.org", proof=elsewhere))).signup is not None
    assert (await enrol(people, enrolment("d@example.org", proof=proof), now=NOW + 2 * HOUR)).signup is not None


async def test_many_forms_at_once_make_one_sign_up(database: Database) -> None:
    people = People(database)
    answers = await asyncio.gather(*(enrol(people, enrolment()) for _ in range(8)))
    assert len({answer.signup.number for answer in answers if answer.signup}) == 1
    assert sorted(answer.result.value for answer in answers) == ["added", *["limited"] * 7]


async def test_web_form_changes_nothing_of_somebody_known(database: Database) -> None:
    people = People(database)
    subscriber = await added(people, name="Ada", language="tr")
    await enrol(people, enrolment("ADA@example.org", name="Mallory", language="en"))
    known = await people.by_address("ada@example.org")
    assert known is not None
    assert (known.number, known.name, known.language, known.address) == (subscriber, "Ada", "tr", "Ada@example.org")
    assert await statuses(people, subscriber) == {"daily": "confirmed"}


async def test_operator_adds_and_adds_again(database: Database) -> None:
    people = People(database)
    terms = (Terms(product="asia", valid_until=NOW + DAY),)
    first = await enrol(people, trusted(licences=terms))
    assert first.result is EnrolmentResult.ADDED
    before = await every_text(database)
    assert (await enrol(people, trusted(licences=terms))).result is EnrolmentResult.UNCHANGED
    assert await every_text(database) == before
    changed = await enrol(people, trusted(name="Ada L.", licences=(Terms(product="asia"),)))
    assert changed.result is EnrolmentResult.UPDATED
    (licence,) = await people.licences(first.subscriber or 0)
    assert licence.valid_until is None


async def test_adding_confirms_what_waits_but_never_undoes_a_refusal(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment(newsletters=("daily", "weekly")))
    assert answer.subscriber is not None
    await people.unsubscribe(answer.subscriber, ["weekly"], WEB, NOW)
    again = await enrol(people, trusted(newsletters=("daily", "weekly")))
    assert again.kept_unsubscribed == ("weekly",)
    assert await statuses(people, answer.subscriber) == {"daily": "confirmed", "weekly": "unsubscribed"}


async def test_import_of_refusals_ends_subscriptions(database: Database) -> None:
    people = People(database)
    subscriber = await added(people)
    await enrol(people, trusted(status=SubscriptionStatus.UNSUBSCRIBED, event=ConsentEvent.UNSUBSCRIBED))
    assert await statuses(people, subscriber) == {"daily": "unsubscribed"}


async def test_unsubscribing_is_for_one_newsletter_and_can_be_repeated(database: Database) -> None:
    people = People(database)
    subscriber = await added(people, newsletters=("daily", "weekly"))
    proof = Proof(origin="one-click", evidence="MailClient/1.0")
    assert await people.unsubscribe(subscriber, ["daily"], proof, NOW + DAY) == ("daily",)
    before = await every_text(database)
    assert await people.unsubscribe(subscriber, ["daily"], proof, NOW + 2 * DAY) == ()
    assert await every_text(database) == before
    assert await statuses(people, subscriber) == {"daily": "unsubscribed", "weekly": "confirmed"}
    last = (await people.consents(subscriber))[-1]
    assert (last.newsletter, last.event, last.at) == ("daily", ConsentEvent.UNSUBSCRIBED, NOW + DAY)
    assert (last.origin, last.evidence) == ("one-click", "MailClient/1.0")


async def test_refusal_of_what_one_never_had_is_remembered(database: Database) -> None:
    people = People(database)
    subscriber = await added(people)
    await people.unsubscribe(subscriber, ["weekly"], WEB, NOW)
    assert (await enrol(people, trusted(newsletters=("weekly",)))).kept_unsubscribed == ("weekly",)


async def test_unsubscribing_from_everything_and_of_nobody(database: Database) -> None:
    people = People(database)
    subscriber = await added(people, newsletters=("daily", "weekly"))
    assert await people.unsubscribe(subscriber, None, WEB, NOW) == ("daily", "weekly")
    assert await people.unsubscribe(999, ["daily"], WEB, NOW) == ()


async def test_own_will_brings_a_subscription_back(database: Database) -> None:
    people = People(database)
    subscriber = await added(people)
    await people.unsubscribe(subscriber, None, WEB, NOW)
    await people.subscribe(subscriber, ["daily", "weekly"], Proof(origin="preferences"), NOW + DAY)
    assert await statuses(people, subscriber) == {"daily": "confirmed", "weekly": "confirmed"}
    events = [(c.newsletter, c.event.value) for c in await people.consents(subscriber)]
    assert events[-2:] == [("daily", "confirmed"), ("weekly", "confirmed")]


async def test_describe_leaves_what_is_not_given(database: Database) -> None:
    people = People(database)
    subscriber = await added(people, name="Ada", timezone="Europe/Paris")
    await people.describe(subscriber, language="tr")
    known = await people.by_number(subscriber)
    assert known is not None
    assert (known.name, known.language, known.timezone) == ("Ada", "tr", "Europe/Paris")
    await people.describe(subscriber, timezone="")
    known = await people.by_number(subscriber)
    assert known is not None
    assert known.timezone is None


async def test_licences_come_and_go(database: Database) -> None:
    people = People(database)
    ada, bob = await added(people), await added(people, "bob@example.org")
    await people.grant(ada, [Terms(product="asia", valid_from=NOW, valid_until=NOW + DAY)], "command", NOW)
    await people.revoke(ada, ["asia"], NOW)
    (ended,) = await people.licences(ada)
    assert (ended.active, ended.valid_until) == (False, NOW)
    await people.revoke(ada, ["asia"], NOW + DAY)  # it has ended already
    assert await people.licences(ada) == (ended,)
    await people.grant(ada, [Terms(product="asia")], "command", NOW)
    found = await people.licences_of([ada, bob, 999])
    assert {number: [licence.product for licence in had] for number, had in found.items()} == {ada: ["asia"]}
    assert [(licence.active, licence.valid_until) for licence in found[ada]] == [(True, None)]


async def test_feed_token_is_current_then_in_grace_then_gone(database: Database) -> None:
    people = People(database)
    subscriber = await added(people)
    assert await people.rotate_feed_token(subscriber, 1, feed_hash(subscriber, 2), NOW + DAY)
    assert not await people.rotate_feed_token(subscriber, 1, feed_hash(subscriber, 9), NOW + DAY)

    async def state(generation: int, now: datetime) -> TokenState | None:
        reader = await people.by_feed_token_hash(feed_hash(subscriber, generation), now)
        return reader.token if reader else None

    assert await state(2, NOW) is TokenState.CURRENT
    assert await state(1, NOW + DAY - HOUR) is TokenState.GRACE
    assert await state(1, NOW + DAY) is TokenState.GONE
    assert await state(9, NOW) is None


async def test_erasing_leaves_a_hash_and_nothing_else(database: Database) -> None:
    people = People(database)
    subscriber = await added(people, name="Countess", licences=(Terms(product="*"),))
    await enrol(people, enrolment(newsletters=("weekly",)))
    assert await people.erase("ada@example.org", address_hash("ada@example.org"), "command", NOW)
    left = await every_text(database)
    assert "ada@" not in left.lower()
    assert "Countess" not in left
    (suppression,) = await people.suppressions()
    assert (suppression.address, suppression.reason) == (None, SuppressionReason.ERASED)
    assert await people.person(subscriber) is None
    assert not await people.erase("ada@example.org", address_hash("ada@example.org"), "command", NOW)


async def test_no_import_brings_an_erased_person_back_but_they_may_come_themselves(database: Database) -> None:
    people = People(database)
    await added(people)
    await people.erase("ada@example.org", address_hash("ada@example.org"), "command", NOW)
    refused = await enrol(people, trusted())
    assert (refused.result, refused.suppressed) == (EnrolmentResult.SUPPRESSED, SuppressionReason.ERASED)
    answer = await enrol(people, enrolment())
    assert answer.signup is not None
    assert len(await people.suppressions()) == 1
    await confirm(people, answer.signup.number)
    assert await people.suppressions() == []


async def test_complaint_is_never_undone_by_anybody_signing_up(database: Database) -> None:
    people = People(database)
    key = "ada@example.org"
    await added(people)
    await people.suppress(key, address_hash(key), SuppressionReason.COMPLAINT, "hook", NOW)
    for attempt in (enrolment(), trusted()):
        assert (await enrol(people, attempt)).suppressed is SuppressionReason.COMPLAINT
    await people.erase(key, address_hash(key), "command", NOW)
    assert not await people.suppress(key, address_hash(key), SuppressionReason.MANUAL, "command", NOW)
    (suppression,) = await people.suppressions()
    assert (suppression.reason, suppression.address) == (SuppressionReason.COMPLAINT, None)
    assert (await enrol(people, enrolment())).suppressed is SuppressionReason.COMPLAINT
    assert await people.unsuppress(address_hash(key))
    assert not await people.unsuppress(address_hash(key))
    assert (await enrol(people, enrolment())).signup is not None


async def test_complaint_after_the_form_outlives_its_confirmation(database: Database) -> None:
    people = People(database)
    answer = await enrol(people, enrolment())
    assert answer.signup is not None
    key = "ada@example.org"
    await people.suppress(key, address_hash(key), SuppressionReason.COMPLAINT, "hook", NOW)
    await confirm(people, answer.signup.number)
    assert [s.reason for s in await people.suppressions()] == [SuppressionReason.COMPLAINT]


async def test_pages_hold_everybody_once_in_order(database: Database) -> None:
    people = People(database)
    await people.enrol([trusted(f"p{n}@example.org") for n in range(25)], feed_hash, LIMITS, NOW)
    sizes, addresses = [], []
    async for page in people.pages(10):
        sizes.append(len(page))
        addresses += [person.subscriber.address for person in page]
        assert all(person.subscriptions for person in page)
    assert sizes == [10, 10, 5]
    assert addresses == [f"p{n}@example.org" for n in range(25)]


async def test_batch_is_stored_whole_or_not_at_all(database: Database) -> None:
    people = People(database)

    def fails_at_the_second(subscriber: int, generation: int) -> str:
        if subscriber > 1:
            raise RuntimeError("no more")
        return feed_hash(subscriber, generation)

    with pytest.raises(RuntimeError):
        await people.enrol([trusted("a@example.org"), trusted("b@example.org")], fails_at_the_second, LIMITS, NOW)
    assert [page async for page in people.pages()] == []


async def test_large_batch_is_the_same_as_one_by_one(database: Database) -> None:
    """New people are added together; who is known, suppressed or named twice still gets an answer of their own."""
    people = People(database)
    terms = (Terms(product="asia", valid_until=NOW + DAY),)
    await added(people, "p1@example.org", newsletters=())
    await people.suppress("p2@example.org", address_hash("p2@example.org"), SuppressionReason.BOUNCE, "hook", NOW)
    batch = [
        trusted(f"p{n}@example.org", licences=terms, implied=("business",), newsletters=("daily", "weekly"))
        for n in (*range(20), 5)
    ]
    batch += [enrolment("web@example.org"), trusted("nothing@example.org", newsletters=())]
    answers = await people.enrol(batch, feed_hash, LIMITS, NOW)
    assert [answer.result.value for answer in answers[:4]] == ["added", "updated", "suppressed", "added"]
    assert [answer.result.value for answer in answers[-3:]] == ["unchanged", "added", "added"]
    assert answers[-2].signup is not None
    for n in (0, 1, 5, 19):
        number = answers[n].subscriber
        assert number is not None
        person = await people.person(number)
        assert person is not None
        assert person.subscriber.address == f"p{n}@example.org"
        assert await statuses(people, number) == {"daily": "confirmed", "weekly": "confirmed"}
        assert {x.product: x.valid_until for x in person.licences if x.product == "asia"} == {"asia": NOW + DAY}
        reader = await people.by_feed_token_hash(feed_hash(number, 1), NOW)
        assert reader is not None
        assert reader.subscriber.number == number
        assert len(await people.consents(number)) == 2
    before = await every_text(database)
    again = await people.enrol(batch[:-2], feed_hash, LIMITS, NOW)
    assert {answer.result.value for answer in again} == {"unchanged", "suppressed"}
    assert await every_text(database) == before
