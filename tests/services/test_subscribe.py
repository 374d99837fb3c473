"""Coming, choosing and going, over a real store."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from publisher.errors import NotFoundError, StoreError, UsageError
from publisher.mail.addresses import AddressError, parse_address
from publisher.mail.tokens import Links, Tokens, hash_of
from publisher.model.article import Access
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Product, Site
from publisher.model.issue import Edition, MailText
from publisher.model.people import (
    EVERYTHING,
    ConfirmationState,
    EnrolmentResult,
    SuppressionReason,
    TokenState,
    viewer_of,
)
from publisher.model.text import Localized
from publisher.services.choose import Choosing
from publisher.services.roster import COLUMNS, guarded
from publisher.services.subscribe import ALL, Subscribing, Visit
from publisher.stores.choices import ReaderChoices
from publisher.stores.database import Database
from publisher.stores.people import People
from publisher.stores.schema import metadata

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
VISIT = Visit(network="192.0.2.0/24", user_agent="Browser/1.0")


def newsletter(name: str, **changes: Any) -> Newsletter:
    title = Localized.of({"en": name.title(), "tr": f"{name} bülteni"})
    return Newsletter(id=name, title=title, **changes)


NEWSLETTERS = [
    newsletter("daily", audience=Audience.SUBSCRIBERS),
    newsletter("asia", audience=Audience.SUBSCRIBERS, products=("asia",)),
    newsletter("weekly", schedule="weekly fri 16:00"),
    newsletter("alerts", audience=Audience.SUBSCRIBERS, schedule="instant"),
    newsletter("desk", audience=Audience.SUBSCRIBERS, open=False, products=("business",)),
]
CATALOGUE = Catalogue(
    site=Site(title="News", url="https://news.example.org", languages=("en", "tr"), timezone="Europe/Istanbul"),
    sections={},
    products={name: Product(id=name, title=Localized.of(name)) for name in ("asia", "business")},
    newsletters={n.id: n for n in NEWSLETTERS},
    default_access=Access.SUMMARY,
)


@dataclass
class Post:
    """Takes service mail and remembers it by event, as the real outbox does."""

    mails: dict[str, tuple[int, str, MailText]] = field(default_factory=dict)
    fails: bool = False

    async def post(self, event: str, subscriber: int, language: str, mail: MailText, now: datetime) -> bool:
        if self.fails:
            raise OSError("the machine is gone")
        return self.mails.setdefault(event, (subscriber, language, mail))[2] is mail

    @property
    def events(self) -> list[str]:
        return [event.partition(":")[0] for event in self.mails]


class Plain:
    """A renderer whose mails say what they were given."""

    def page(self, name: str, language: str, **context: Any) -> str:
        return f"{name} {language} {context}"

    def mail(self, edition: Edition) -> MailText:
        raise NotImplementedError

    def message(self, kind: str, language: str, **context: Any) -> MailText:
        return MailText(subject=kind, preheader="", html="", text=f"{language} {context}")

    def fingerprint(self) -> str:
        return ""


@dataclass
class House:
    """Everything that a test of the service needs."""

    database: Database
    people: People
    post: Post
    tokens: Tokens
    subscribing: Subscribing

    async def dump(self) -> str:
        async with self.database.read() as connection:
            return repr([(await connection.execute(sa.select(table))).all() for table in metadata.sorted_tables])

    def confirm_token(self) -> str:
        """The token of the latest confirmation mail."""
        events = [event for event in self.post.mails if event.startswith("signup:")]
        return self.tokens.confirm(int(events[-1].partition(":")[2]))

    async def sign_up(self, address: str, *newsletters: str, now: datetime = NOW, visit: Visit = VISIT) -> None:
        await self.subscribing.sign_up(parse_address(address), newsletters, "en", visit, now)

    async def number(self, address: str) -> int:
        return (await self.subscribing.show(address)).person.subscriber.number

    async def statuses(self, address: str) -> dict[str, str]:
        person = (await self.subscribing.show(address)).person
        return {s.newsletter: s.status.value for s in person.subscriptions}

    async def products(self, address: str) -> list[str]:
        person = (await self.subscribing.show(address)).person
        return [licence.product for licence in person.licences if licence.active]


@pytest.fixture
def house(sqlite_database: Database) -> House:
    people, post, tokens = People(sqlite_database), Post(), Tokens(bytes(32))
    subscribing = Subscribing(
        catalogue=CATALOGUE,
        people=people,
        outbox=post,
        renderer=Plain(),
        tokens=tokens,
        links=Links(CATALOGUE.site.url, tokens),
        choosing=Choosing(CATALOGUE, ReaderChoices(sqlite_database)),
    )
    return House(sqlite_database, people, post, tokens, subscribing)


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
    events = [(c.newsletter, c.event.value) for c in (await house.subscribing.show("ada@example.org")).consents]
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
    assert await house.subscribing.suppress("Ada@Example.org", NOW)
    assert not await house.subscribing.suppress("ada@example.org", NOW)
    await house.sign_up("ada@example.org", "weekly")
    assert house.post.mails == {}
    with pytest.raises(StoreError, match=r"suppressed \(manual\).*suppressions remove ada@example.org"):
        await house.subscribing.add("ada@example.org", NOW, confirmed=True)
    await house.subscribing.unsuppress("ADA@example.org")
    await house.sign_up("ada@example.org", "weekly")
    assert house.post.events == ["signup"]
    with pytest.raises(NotFoundError):
        await house.subscribing.unsuppress("ada@example.org")


async def test_unsubscribing_by_link(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True)
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
    last = (await house.subscribing.show("ada@example.org")).consents[-1]
    assert (last.origin, last.evidence) == ("one-click", "network 192.0.2.0/24; agent Browser/1.0")
    assert not await house.subscribing.unsubscribe("nonsense", "one-click", VISIT, NOW)
    assert not await house.subscribing.unsubscribe(house.tokens.preferences(number), "one-click", VISIT, NOW)


async def test_link_for_everything_leaves_everything(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True)
    token = house.tokens.unsubscribe(await house.number("ada@example.org"), ALL)
    await house.subscribing.unsubscribe(token, "web", VISIT, NOW)
    assert set((await house.statuses("ada@example.org")).values()) == {"unsubscribed"}


async def test_unsubscribing_can_be_undone_for_an_hour(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, newsletters=["daily"])
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
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, newsletters=["weekly"], products=[])
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
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, newsletters=["daily", "weekly"])
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


async def test_add_without_newsletters_means_every_scheduled_one(house: House) -> None:
    answer = await house.subscribing.add("ada@example.org", NOW, confirmed=True)
    assert answer.result is EnrolmentResult.ADDED
    assert await house.statuses("ada@example.org") == dict.fromkeys(["asia", "daily", "desk", "weekly"], "confirmed")
    assert await house.products("ada@example.org") == [EVERYTHING, "asia"]
    assert house.post.mails == {}


async def test_adding_to_a_closed_newsletter_grants_nothing_unless_named(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, newsletters=["desk"])
    assert await house.products("ada@example.org") == []
    await house.subscribing.add("bob@example.org", NOW, confirmed=True, newsletters=["desk"], products=["business"])
    assert await house.products("bob@example.org") == ["business"]


async def test_unconfirmed_add_asks_by_mail_also_for_a_closed_newsletter(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, newsletters=["desk", "daily"])
    assert house.post.events == ["signup"]
    assert await house.products("ada@example.org") == []
    await house.subscribing.confirm(house.confirm_token(), VISIT, NOW)
    assert await house.statuses("ada@example.org") == {"daily": "confirmed", "desk": "confirmed"}
    assert await house.products("ada@example.org") == [EVERYTHING]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"newsletters": ["dayly"]}, "no newsletter 'dayly'; there are: daily, asia, weekly, alerts, desk"),
        ({"products": ["asian"]}, r"no product 'asian'; there are: asia, business, \*"),
        ({"language": "fr"}, "no language 'fr'; there are: en, tr"),
        ({"timezone": "Istanbul"}, "'Istanbul' is not a time zone"),
        ({"newsletters": ["weekly"], "valid_until": NOW}, "name their products"),
        ({"products": ["asia"], "valid_from": NOW, "valid_until": NOW}, "not later"),
    ],
)
async def test_add_refuses_what_makes_no_sense(house: House, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        await house.subscribing.add("ada@example.org", NOW, **arguments)
    with pytest.raises(NotFoundError):
        await house.subscribing.show("ada@example.org")


async def test_add_refuses_a_bad_address(house: House) -> None:
    with pytest.raises(AddressError, match="not an email address"):
        await house.subscribing.add("ada at example.org", NOW)


async def test_edit_changes_what_is_given(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, newsletters=["daily"], name="Ada")
    await house.subscribing.edit("ada@example.org", NOW, newsletters=["weekly"], products=["asia"], language="tr")
    assert await house.statuses("ada@example.org") == {"daily": "unsubscribed", "weekly": "confirmed"}
    assert await house.products("ada@example.org") == ["asia"]
    person = await house.subscribing.edit("ada@example.org", NOW, valid_until=NOW + DAY, timezone="Europe/Paris")
    assert (person.subscriber.name, person.subscriber.language) == ("Ada", "tr")
    assert person.subscriber.timezone == "Europe/Paris"
    assert [x.valid_until for x in person.licences if x.active] == [NOW + DAY]
    await house.subscribing.edit("ada@example.org", NOW, newsletters=["daily"])
    assert await house.statuses("ada@example.org") == {"daily": "confirmed", "weekly": "unsubscribed"}
    with pytest.raises(NotFoundError):
        await house.subscribing.edit("bob@example.org", NOW, name="Bob")


async def test_token_moves_the_private_address_with_a_day_of_grace(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True)
    number = await house.number("ada@example.org")
    address = await house.subscribing.token("ada@example.org", NOW)
    match = re.fullmatch(r"https://news\.example\.org/u/([\w-]{43})/all\.atom", address.url)
    assert match is not None
    fresh = await house.people.by_feed_token_hash(hash_of(match[1]), NOW)
    assert fresh is not None
    assert (fresh.token, fresh.subscriber.number) == (TokenState.CURRENT, number)
    old = hash_of(house.tokens.feed(number, 1))
    for later, state in ((timedelta(hours=23), TokenState.GRACE), (DAY, TokenState.GONE)):
        reader = await house.people.by_feed_token_hash(old, NOW + later)
        assert reader is not None
        assert reader.token is state


async def test_erased_person_is_gone_and_stays_gone(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True)
    await house.subscribing.erase("Ada@Example.org", NOW)
    assert "ada@" not in (await house.dump()).lower()
    with pytest.raises(NotFoundError):
        await house.subscribing.erase("ada@example.org", NOW)
    report = await house.subscribing.import_csv(["email\n", "ada@example.org\n"], "x.csv", NOW, confirmed=True)
    assert [left.reason for left in report.left_alone] == ["suppressed (erased)"]
    await house.sign_up("ada@example.org", "weekly")
    await house.subscribing.confirm(house.confirm_token(), VISIT, NOW)
    assert (await house.subscribing.show("ada@example.org")).suppression is None


async def test_viewer_has_the_licences_whose_products_still_are(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, products=["asia", "*"])
    licences = await house.people.licences(await house.number("ada@example.org"))
    grants = viewer_of(licences, CATALOGUE.products).grants
    assert [grant.product.id if grant.product else None for grant in grants] == [None, "asia"]
    assert [grant.product for grant in viewer_of(licences, {}).grants] == [None]


# The CSV --------------------------------------------------------------------------------------------------------------

CSV = """\
email,name,status,language,timezone,newsletters,products,valid_from,valid_until,consent
ada@example.org,Ada,confirmed,tr,Europe/Paris,daily;weekly,asia;business,2026-01-01,2026-12-31,form of 2025-11-03
bob@example.org,,confirmed,,,,,,,
carol@example.org,Carol,unsubscribed,,,daily,,,,
"""


async def test_import_says_what_it_did(house: House) -> None:
    report = await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW)
    assert (report.read, report.added, report.confirmations, report.skipped) == (3, 3, 1, [])
    ada = await house.subscribing.show("ada@example.org")
    assert await house.statuses("ada@example.org") == {"daily": "confirmed", "weekly": "confirmed"}
    assert (ada.person.subscriber.name, ada.person.subscriber.language) == ("Ada", "tr")
    assert [licence.product for licence in ada.person.licences] == ["asia", "business"]
    assert ada.person.licences[0].valid_from == datetime(2025, 12, 31, 21, 0, tzinfo=UTC)
    assert ada.person.licences[0].valid_until == datetime(2026, 12, 31, 21, 0, tzinfo=UTC)
    assert (ada.consents[0].origin, ada.consents[0].evidence) == ("import people.csv", "form of 2025-11-03")
    # Nobody's word that Bob wants it: he is asked, and for no instant newsletter.
    assert set((await house.statuses("bob@example.org")).items()) == {
        (name, "unconfirmed") for name in ("daily", "asia", "weekly", "desk")
    }
    assert await house.statuses("carol@example.org") == {"daily": "unsubscribed"}
    assert await house.products("carol@example.org") == []


async def test_import_again_changes_nothing(house: House) -> None:
    await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW)
    before = await house.dump()
    report = await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW + DAY / 2)
    assert (report.added, report.updated, report.unchanged, report.confirmations) == (0, 0, 3, 0)
    assert (report.skipped, report.left_alone) == ([], [])
    assert await house.dump() == before


async def test_dry_run_tells_the_same_and_stores_nothing(house: House) -> None:
    before = await house.dump()
    dry = await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW, dry_run=True)
    assert await house.dump() == before
    assert house.post.mails == {}
    real = await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW)
    assert replace(dry, dry_run=False) == real


async def test_operators_word_confirms(house: House) -> None:
    lines = ["email\n", "ada@example.org\n", "bob@example.org\n"]
    report = await house.subscribing.import_csv(lines, "x.csv", NOW, confirmed=True)
    assert (report.added, report.confirmations) == (2, 0)
    assert set((await house.statuses("bob@example.org")).values()) == {"confirmed"}


async def test_import_names_every_line_it_cannot_use(house: House) -> None:
    lines = [
        "email;newsletters;products;status;valid_until;timezone\n",
        "ada@example.org;daily;;confirmed;;\n",
        "not an address;daily;;;;\n",
        "\n",
        "b@example.org;dayly;;;;\n",
        "c@example.org;;asian;;;\n",
        "d@example.org;;;maybe;;\n",
        "e@example.org;;asia;;31.12.2026;\n",
        "f@example.org;;;;;Mars\n",
    ]
    report = await house.subscribing.import_csv(lines, "x.csv", NOW)
    assert report.added == 1
    assert [skipped.line for skipped in report.skipped] == [3, 5, 6, 7, 8, 9]
    reasons = [skipped.reason for skipped in report.skipped]
    for reason, words in zip(
        reasons, ["email address", "'dayly'", "'asian'", "'maybe' is no status", "31.12.2026", "'Mars'"], strict=True
    ):
        assert words in reason


@pytest.mark.parametrize("header", ["", "name\n", "email,phone\n", "e-mail\n"])
async def test_wrong_header_is_refused(house: House, header: str) -> None:
    with pytest.raises(UsageError, match="the columns are email, name"):
        await house.subscribing.import_csv([header, "x\n"], "x.csv", NOW)


@pytest.mark.parametrize(
    ("header", "why"),
    [("email,name,email\n", "more than one column email"), ('email,"name\n', "header cannot be read")],
)
async def test_ambiguous_header_is_refused(house: House, header: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"line 1: .*{why}"):
        await house.subscribing.import_csv([header, "ada@example.org,Ada,x@example.org\n"], "x.csv", NOW)
    assert "ada@example.org" not in await house.dump()


@pytest.mark.parametrize(
    ("broken", "line", "words", "added"),
    [
        ('b@example.org,"Bob\nc@example.org,Carol\nd@example.org,"Dan"\n', 3, "lines 3 to 5", 2),
        ('b@example.org,"Bob\nc@example.org,Carol\nd@example.org,Dan\n', 3, "lines 3 to 6", 1),
        ('b@example.org,"Bob\nBuilder"\n', 3, "line break", 2),
        ('"b@example.org\n",Bob\n', 3, "line break", 2),
        ('b@example.org,"Bob"x\n', 3, "check its quotes", 2),
        (f"b@example.org,{'x' * 140_000}\n", 3, "field larger", 2),
    ],
)
async def test_a_quote_left_open_swallows_nobody_silently(
    house: House, broken: str, line: int, words: str, added: int
) -> None:
    text = f"email,name\nada@example.org,Ada\n{broken}z@example.org,Zoe\n"
    report = await house.subscribing.import_csv(text.splitlines(True), "x.csv", NOW, confirmed=True)
    assert report.added == added
    (skipped,) = report.skipped
    assert skipped.line == line
    assert words in skipped.reason
    assert report.read == report.added + 1


async def test_header_may_have_a_byte_order_mark_and_capitals(house: House) -> None:
    report = await house.subscribing.import_csv(["\ufeffEmail, Name\n", "ada@example.org, Ada\n"], "x.csv", NOW)
    assert report.added == 1
    assert (await house.subscribing.show("ada@example.org")).person.subscriber.name == "Ada"


async def test_import_leaves_alone_who_said_no(house: House) -> None:
    await house.subscribing.add("ada@example.org", NOW, confirmed=True, newsletters=["daily"])
    token = house.tokens.unsubscribe(await house.number("ada@example.org"), "daily")
    await house.subscribing.unsubscribe(token, "one-click", VISIT, NOW)
    key = "bob@example.org"
    await house.people.suppress(key, house.tokens.address_hash(key), SuppressionReason.COMPLAINT, "hook", NOW)
    lines = ["email,newsletters\n", "ada@example.org,daily\n", "bob@example.org,daily\n"]
    report = await house.subscribing.import_csv(lines, "x.csv", NOW, confirmed=True)
    assert [left.reason for left in report.left_alone] == ["stays unsubscribed from daily", "suppressed (complaint)"]
    assert await house.statuses("ada@example.org") == {"daily": "unsubscribed"}


async def test_reimport_without_a_column_keeps_what_is_known(house: House) -> None:
    await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW)
    await house.subscribing.import_csv(["email,newsletters\n", "ada@example.org,daily\n"], "x.csv", NOW, confirmed=True)
    subscriber = (await house.subscribing.show("ada@example.org")).person.subscriber
    assert (subscriber.name, subscriber.language, subscriber.timezone) == ("Ada", "tr", "Europe/Paris")
    assert await house.products("ada@example.org") == ["asia", "business"]


async def test_export_can_be_imported_elsewhere(house: House, tmp_path: Any) -> None:
    await house.subscribing.import_csv(CSV.splitlines(True), "people.csv", NOW)
    await house.subscribing.edit("ada@example.org", NOW, newsletters=["daily"])
    rows = [row async for row in house.subscribing.export()]
    assert all(tuple(sorted(row)) == tuple(sorted(COLUMNS)) for row in rows)
    lines = [",".join(COLUMNS) + "\n", *(",".join(guarded(row[name]) for name in COLUMNS) + "\n" for row in rows)]
    before = await house.dump()
    report = await house.subscribing.import_csv(lines, "export.csv", NOW + DAY / 2)
    assert (report.added, report.updated, report.skipped) == (0, 0, [])
    assert await house.dump() == before


def test_cells_that_a_spreadsheet_would_run_are_guarded() -> None:
    for cell in ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        assert guarded(cell) == f"'{cell}"
    assert guarded("Ada") == "Ada"
