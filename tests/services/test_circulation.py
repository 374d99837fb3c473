"""People by the operator's word, over a real store."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from people_house import CATALOGUE, DAY, NOW, VISIT, House

from publisher.errors import NotFoundError, UsageError
from publisher.mail.addresses import AddressError
from publisher.mail.tokens import hash_of
from publisher.model.people import (
    EVERYTHING,
    EnrolmentResult,
    SuppressionReason,
    TokenState,
    viewer_of,
)
from publisher.services.cells import guarded
from publisher.services.columns import COLUMNS


async def test_add_without_newsletters_means_every_scheduled_one(house: House) -> None:
    answer = await house.circulation.add("ada@example.org", NOW, confirmed=True)
    assert answer.result is EnrolmentResult.ADDED
    assert await house.statuses("ada@example.org") == dict.fromkeys(["asia", "daily", "desk", "weekly"], "confirmed")
    assert await house.products("ada@example.org") == [EVERYTHING, "asia"]
    assert house.post.mails == {}


async def test_adding_to_a_closed_newsletter_grants_nothing_unless_named(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=["desk"])
    assert await house.products("ada@example.org") == []
    await house.circulation.add("bob@example.org", NOW, confirmed=True, newsletters=["desk"], products=["business"])
    assert await house.products("bob@example.org") == ["business"]


async def test_unconfirmed_add_asks_by_mail_also_for_a_closed_newsletter(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, newsletters=["desk", "daily"])
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
        await house.circulation.add("ada@example.org", NOW, **arguments)
    with pytest.raises(NotFoundError):
        await house.circulation.show("ada@example.org")


async def test_add_refuses_a_bad_address(house: House) -> None:
    with pytest.raises(AddressError, match="not an email address"):
        await house.circulation.add("ada at example.org", NOW)


async def test_edit_changes_what_is_given(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=["daily"], name="Ada")
    await house.circulation.edit("ada@example.org", NOW, newsletters=["weekly"], products=["asia"], language="tr")
    assert await house.statuses("ada@example.org") == {"daily": "unsubscribed", "weekly": "confirmed"}
    assert await house.products("ada@example.org") == ["asia"]
    person = await house.circulation.edit("ada@example.org", NOW, valid_until=NOW + DAY, timezone="Europe/Paris")
    assert (person.subscriber.name, person.subscriber.language) == ("Ada", "tr")
    assert person.subscriber.timezone == "Europe/Paris"
    assert [x.valid_until for x in person.licences if x.active] == [NOW + DAY]
    await house.circulation.edit("ada@example.org", NOW, newsletters=["daily"])
    assert await house.statuses("ada@example.org") == {"daily": "confirmed", "weekly": "unsubscribed"}
    with pytest.raises(NotFoundError):
        await house.circulation.edit("bob@example.org", NOW, name="Bob")


async def test_token_moves_the_private_address_with_a_day_of_grace(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True)
    number = await house.number("ada@example.org")
    address = await house.circulation.token("ada@example.org", NOW)
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
    await house.circulation.add("ada@example.org", NOW, confirmed=True)
    await house.circulation.erase("Ada@Example.org", NOW)
    assert "ada@" not in (await house.dump()).lower()
    with pytest.raises(NotFoundError):
        await house.circulation.erase("ada@example.org", NOW)
    report = await house.import_csv(["email\n", "ada@example.org\n"], "x.csv", NOW, confirmed=True)
    assert [left.reason for left in report.left_alone] == ["suppressed (erased)"]
    await house.sign_up("ada@example.org", "weekly")
    await house.subscribing.confirm(house.confirm_token(), VISIT, NOW)
    assert (await house.circulation.show("ada@example.org")).suppression is None


async def test_viewer_has_the_licences_whose_products_still_are(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, products=["asia", "*"])
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
    report = await house.import_csv(CSV.splitlines(True), "people.csv", NOW)
    assert (report.read, report.added, report.confirmations, report.skipped) == (3, 3, 1, [])
    ada = await house.circulation.show("ada@example.org")
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
    await house.import_csv(CSV.splitlines(True), "people.csv", NOW)
    before = await house.dump()
    report = await house.import_csv(CSV.splitlines(True), "people.csv", NOW + DAY / 2)
    assert (report.added, report.updated, report.unchanged, report.confirmations) == (0, 0, 3, 0)
    assert (report.skipped, report.left_alone) == ([], [])
    assert await house.dump() == before


async def test_dry_run_tells_the_same_and_stores_nothing(house: House) -> None:
    before = await house.dump()
    dry = await house.import_csv(CSV.splitlines(True), "people.csv", NOW, dry_run=True)
    assert await house.dump() == before
    assert house.post.mails == {}
    real = await house.import_csv(CSV.splitlines(True), "people.csv", NOW)
    assert replace(dry, dry_run=False) == real


async def test_operators_word_confirms(house: House) -> None:
    lines = ["email\n", "ada@example.org\n", "bob@example.org\n"]
    report = await house.import_csv(lines, "x.csv", NOW, confirmed=True)
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
    report = await house.import_csv(lines, "x.csv", NOW)
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
        await house.import_csv([header, "x\n"], "x.csv", NOW)


async def test_an_empty_list_says_so(house: House) -> None:
    for lines in ([], ["\n", "  \n"]):
        with pytest.raises(UsageError, match="the list is empty"):
            await house.import_csv(lines, "x.csv", NOW)


@pytest.mark.parametrize(
    ("header", "why"),
    [("email,name,email\n", "more than one column email"), ('email,"name\n', "header cannot be read")],
)
async def test_ambiguous_header_is_refused(house: House, header: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"line 1: .*{why}"):
        await house.import_csv([header, "ada@example.org,Ada,x@example.org\n"], "x.csv", NOW)
    assert "ada@example.org" not in await house.dump()


@pytest.mark.parametrize(
    ("broken", "line", "words", "added"),
    [
        ('b@example.org,"Bob\nc@example.org,Carol\nd@example.org,"Dan"\n', 3, "lines 3 to 5", 2),
        ('b@example.org,"Bob\nc@example.org,Carol\nd@example.org,Dan\n', 3, "lines 3 to 6", 1),
        ('b@example.org,"Bob\nc@example.org,Carol\n",\n', 3, "somebody's row", 2),
        ("b@example.org,Bob,Carol\n", 3, "3 cells, the header 2", 2),
        ("b@example.org,B\0ob\n", 3, "NUL byte", 2),
        ('b@example.org,"Bob"x\n', 3, "check its quotes", 2),
        (f"b@example.org,{'x' * 140_000}\n", 3, "field larger", 2),
    ],
)
async def test_a_quote_left_open_swallows_nobody_silently(
    house: House, broken: str, line: int, words: str, added: int
) -> None:
    text = f"email,name\nada@example.org,Ada\n{broken}z@example.org,Zoe\n"
    report = await house.import_csv(text.splitlines(True), "x.csv", NOW, confirmed=True)
    assert report.added == added
    (skipped,) = report.skipped
    assert skipped.line == line
    assert words in skipped.reason
    assert report.read == report.added + 1


async def test_header_may_have_a_byte_order_mark_and_capitals(house: House) -> None:
    report = await house.import_csv(["\ufeffEmail, Name\n", "ada@example.org, Ada\n"], "x.csv", NOW)
    assert report.added == 1
    assert (await house.circulation.show("ada@example.org")).person.subscriber.name == "Ada"


async def test_import_leaves_alone_who_said_no(house: House) -> None:
    await house.circulation.add("ada@example.org", NOW, confirmed=True, newsletters=["daily"])
    token = house.tokens.unsubscribe(await house.number("ada@example.org"), "daily")
    await house.subscribing.unsubscribe(token, "one-click", VISIT, NOW)
    key = "bob@example.org"
    await house.people.suppress(key, house.tokens.address_hash(key), SuppressionReason.COMPLAINT, "hook", NOW)
    lines = ["email,newsletters\n", "ada@example.org,daily\n", "bob@example.org,daily\n"]
    report = await house.import_csv(lines, "x.csv", NOW, confirmed=True)
    assert [left.reason for left in report.left_alone] == ["stays unsubscribed from daily", "suppressed (complaint)"]
    assert await house.statuses("ada@example.org") == {"daily": "unsubscribed"}


async def test_reimport_without_a_column_keeps_what_is_known(house: House) -> None:
    await house.import_csv(CSV.splitlines(True), "people.csv", NOW)
    await house.import_csv(["email,newsletters\n", "ada@example.org,daily\n"], "x.csv", NOW, confirmed=True)
    subscriber = (await house.circulation.show("ada@example.org")).person.subscriber
    assert (subscriber.name, subscriber.language, subscriber.timezone) == ("Ada", "tr", "Europe/Paris")
    assert await house.products("ada@example.org") == ["asia", "business"]


async def test_export_can_be_imported_elsewhere(house: House, tmp_path: Any) -> None:
    await house.import_csv(CSV.splitlines(True), "people.csv", NOW)
    await house.circulation.edit("ada@example.org", NOW, newsletters=["daily"])
    rows = [row async for row in house.circulation.export()]
    assert all(tuple(sorted(row)) == tuple(sorted(COLUMNS)) for row in rows)
    lines = [",".join(COLUMNS) + "\n", *(",".join(guarded(row[name]) for name in COLUMNS) + "\n" for row in rows)]
    before = await house.dump()
    report = await house.import_csv(lines, "export.csv", NOW + DAY / 2)
    assert (report.added, report.updated, report.skipped) == (0, 0, [])
    assert await house.dump() == before


def test_cells_that_a_spreadsheet_would_run_are_guarded() -> None:
    for cell in ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        assert guarded(cell) == f"'{cell}"
    assert guarded("Ada") == "Ada"
