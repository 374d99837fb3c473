"""Lists of other programs, and what an import never does."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from people_house import CATALOGUE, DAY, NEWSLETTERS, NOW, House, open_house

from publisher.errors import UsageError
from publisher.model import zones
from publisher.model.catalogue import Catalogue, Section
from publisher.model.choices import Change, Choices, Form
from publisher.model.people import SuppressionReason
from publisher.model.text import Localized
from publisher.services.columns import COLUMNS
from publisher.services.importing import ImportReport
from publisher.stores import migrate
from publisher.stores.database import Database
from publisher.stores.readers import Readers

LISTMONK = """\
uuid,email,name,attributes,status,created_at,updated_at
u1,ada@example.org,Ada,"{""City"":""Izmir"",""stack"":{""langs"":[""go""]}}",enabled,2021-07-25 11:05:48.123 +0530 IST,
u2,bob@example.org,Bob,{},blocklisted,2021-07-25 11:05:48 +0000 UTC,x
u3,cem@example.org,Cem,{},disabled,2021-07-25 11:05:48.5+00,x
u4,dan@example.org,Dan,nonsense,enabled,2021-07-25 11:05:48 +0000 UTC,x
u5,eve@example.org,Eve,{},sleeping,2021-07-25 11:05:48 +0000 UTC,x
"""
_MAILCHIMP = "Email Address,First Name,Last Name,ZIP Code,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME"
MAILCHIMP = f'''\
{_MAILCHIMP},LAST_CHANGED,NOTES,TAGS
ada@example.org,Ada,Lovelace,34000,2,2018-02-05 19:28:23,1.2.3.4,2018-02-06 10:00:00,x,"said
ada@home by phone","""Editors"",""VIP"""
'''
UNSUBSCRIBED = f"""\
{_MAILCHIMP},UNSUB_TIME,UNSUB_REASON,TAGS
bob@example.org,Bob,,,2,2018-02-05 19:28:23,,2018-02-05 19:28:23,2020-05-13 10:18:25,too many,
"""
CLEANED = f"""\
{_MAILCHIMP},CLEAN_TIME,TAGS
cem@example.org,Cem,,,2,2018-02-05 19:28:23,,2018-02-05 19:28:23,2020-05-13 10:18:25,
"""
GHOST = """\
id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers
1,ada@example.org,Ada,,true,false,,2024-01-15T10:00:00.000Z,,"Press,VIP",Gold
2,bob@example.org,Bob,,false,false,,2024-01-15T10:00:00.000Z,,,
"""
SUBSTACK = """\
email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at
ada@example.org,true,2027-07-01T00:00:00.000Z,yearly,false,2026-06-01T00:00:00.000Z,2026-07-15T00:00:00.000Z
bob@example.org,false,,other,true,2026-05-01T00:00:00.000Z,
"""
SUBSTACK_TABLE = """\
Email,Name,Subscription type,Activity,Subscription date,Expires at
ada@example.org,Ada,Yearly,5,2026-06-01T00:00:00.000Z,2027-07-01
"""
BUTTONDOWN = """\
email,notes,metadata,tags,creation_date,subscriber_type
ada@example.org,,"{""city"": ""Izmir""}","press, vip",2024-02-01T09:00:00Z,regular
bob@example.org,,,,2024-02-01T09:00:00Z,unsubscribed
cem@example.org,,,,2024-02-01T09:00:00Z,complained
dan@example.org,,,,2024-02-01T09:00:00Z,undeliverable
"""


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


async def known(house: House, address: str = "ada@example.org") -> tuple[str, dict[str, Any]]:
    subscriber = (await house.circulation.show(address)).person.subscriber
    return subscriber.name, dict(subscriber.attributes)


async def never(house: House) -> dict[str | None, str]:
    return {each.address: each.reason.value for each in await house.circulation.suppressions()}


async def test_listmonk(house: House) -> None:
    report = await house.import_csv(lines(LISTMONK), "x.csv", NOW, consent="form on example.org")
    assert (report.origin, report.added, report.suppressed, report.left_out) == ("listmonk", 2, 1, ())
    assert await known(house) == ("Ada", {"city": "Izmir", "stack": {"langs": ["go"]}})
    consent = (await house.circulation.show("ada@example.org")).consents[0]
    assert (consent.given_at, consent.at) == (datetime(2021, 7, 25, 5, 35, 48, tzinfo=UTC), NOW)
    assert set((await house.statuses("ada@example.org")).values()) == {"confirmed"}
    assert set((await house.statuses("cem@example.org")).values()) == {"unsubscribed"}
    assert await never(house) == {"bob@example.org": "manual"}
    assert [(each.line, each.email) for each in report.skipped] == [(5, "dan@example.org"), (6, "eve@example.org")]
    assert "not JSON" in report.skipped[0].reason
    assert "'sleeping' is no status that listmonk" in report.skipped[1].reason


async def test_mailchimp_has_a_file_for_each_status(house: House) -> None:
    report = await house.import_csv(lines(MAILCHIMP), "subscribed.csv", NOW, confirmed=True)
    assert (report.origin, report.added, report.skipped) == ("Mailchimp", 1, [])
    assert await known(house) == ("Ada Lovelace", {"tags": ["Editors", "VIP"], "zip_code": 34000})
    consent = (await house.circulation.show("ada@example.org")).consents[0]
    assert consent.given_at == datetime(2018, 2, 6, 10, 0, tzinfo=UTC)
    await house.import_csv(lines(UNSUBSCRIBED), "unsubscribed.csv", NOW, confirmed=True)
    left = (await house.circulation.show("bob@example.org")).consents[0]
    assert (left.event, left.evidence) == ("unsubscribed", "too many")
    assert left.given_at == datetime(2020, 5, 13, 10, 18, 25, tzinfo=UTC)
    report = await house.import_csv(lines(CLEANED), "cleaned.csv", NOW, confirmed=True)
    assert (report.suppressed, await never(house)) == (1, {"cem@example.org": "bounce"})
    again = lines(MAILCHIMP.replace("ada@example.org", "bob@example.org"))
    report = await house.import_csv(again, "subscribed.csv", NOW, confirmed=True)
    assert [each.reason[:17] for each in report.left_alone] == ["stays unsubscribe"]


async def test_ghost_substack_and_buttondown(house: House, tmp_path: Any) -> None:
    lists = [
        ("Ghost", GHOST, {"complimentary_plan": False, "labels": ["Press", "VIP"], "tiers": ["Gold"]}, {}),
        (
            "Substack",
            SUBSTACK,
            {
                "active_subscription": True,
                "expiry": "2027-07-01T00:00:00.000Z",
                "first_payment_at": "2026-07-15T00:00:00.000Z",
                "plan": "yearly",
            },
            {},
        ),
        ("Substack", SUBSTACK_TABLE, {"expiry": "2027-07-01", "plan": "Yearly"}, {}),
        (
            "Buttondown",
            BUTTONDOWN,
            {"city": "Izmir", "tags": ["press", "vip"]},
            {"cem@example.org": "complaint", "dan@example.org": "bounce"},
        ),
    ]
    for title, text, attributes, suppressed in lists:
        report = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
        assert (report.origin, report.skipped) == (title, [])
        assert (await known(house))[1] == attributes
        if "bob@" in text:
            assert set((await house.statuses("bob@example.org")).values()) == {"unsubscribed"}
        assert await never(house) == suppressed
        await house.circulation.erase("ada@example.org", NOW)
        await house.circulation.unsuppress("ada@example.org")


@pytest.mark.parametrize("text", [LISTMONK, MAILCHIMP, UNSUBSCRIBED, CLEANED, GHOST, SUBSTACK, BUTTONDOWN])
async def test_again_changes_nothing_and_a_dry_run_says_the_same(house: House, text: str) -> None:
    empty = await house.dump()
    dry = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True, dry_run=True)
    assert await house.dump() == empty
    real = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
    assert replace(dry, dry_run=False) == real
    before = await house.dump()
    again = await house.import_csv(lines(text), "x.csv", NOW + DAY, confirmed=True)
    assert (again.added, again.updated, again.suppressed) == (0, 0, 0)
    assert await house.dump() == before


@pytest.mark.parametrize("apart", [0, 450], ids=["in one batch", "in others"])
async def test_who_is_in_it_twice_is_named_and_no_beats_yes(house: House, apart: int) -> None:
    """A dry run knows it too, although nothing of the first line is stored."""
    between = "".join(f"p{n}@example.org,confirmed,daily\n" for n in range(apart))
    text = (
        "email,status,newsletters\nada@example.org,confirmed,daily\nbob@example.org,unsubscribed,daily\n"
        f"cem@example.org,suppressed,\ndan@example.org,confirmed,daily\n{between}"
        "Ada@example.org,confirmed,weekly\nbob@example.org,confirmed,weekly\ncem@example.org,confirmed,daily\n"
        "dan@example.org,unsubscribed,daily\n"
    )
    dry = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True, dry_run=True)
    real = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
    assert replace(dry, dry_run=False) == real
    assert (real.added, real.suppressed) == (3 + apart, 1)
    first = 6 + apart
    assert [(each.line, each.reason) for each in real.repeated] == [
        (first + n, f"is in line {n + 2} already") for n in range(4)
    ]
    assert [(each.line, each.reason) for each in real.left_alone] == [
        (first + 1, "said no in line 3"),
        (first + 2, "said no in line 4"),
    ]
    assert await house.statuses("ada@example.org") == {"daily": "confirmed", "weekly": "confirmed"}
    assert await house.statuses("bob@example.org") == {"daily": "unsubscribed"}
    assert await house.statuses("dan@example.org") == {"daily": "unsubscribed"}
    before = await house.dump()
    await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
    assert await house.dump() == before


async def test_nobody_comes_back_by_an_import(house: House) -> None:
    """Who left everything, complained, bounced or was erased; not even into a newsletter that is new to them."""
    for name in ("left", "complained", "bounced", "erased"):
        await house.circulation.add(f"{name}@example.org", NOW, confirmed=True, newsletters=["daily"])
    token = house.tokens.unsubscribe(await house.number("left@example.org"), "*")
    await house.subscribing.unsubscribe(token, "web", house_visit(), NOW)
    for name, reason in (("complained", SuppressionReason.COMPLAINT), ("bounced", SuppressionReason.BOUNCE)):
        await house.circulation.suppress(f"{name}@example.org", NOW, reason)
    await house.circulation.erase("erased@example.org", NOW)
    text = "email,newsletters\n" + "".join(
        f"{name}@example.org,daily;weekly\n" for name in ("left", "complained", "bounced", "erased")
    )
    for said in ({"confirmed": True}, {"consent": "form"}, {}):
        report: ImportReport = await house.import_csv(lines(text), "x.csv", NOW, **said)
        assert len(report.left_alone) == 4
        assert (report.added, report.confirmations, house.post.mails) == (0, 0, {})
    assert await house.statuses("left@example.org") == {"daily": "unsubscribed"}


async def test_broken_off_and_done_again_it_ends_the_same(house: House, tmp_path_factory: Any) -> None:
    text = "email,attributes.n,consent\n" + "".join(f"p{n}@example.org,{n},form\n" for n in range(900))

    class Interrupted(Exception):  # noqa: N818
        pass

    def interrupt(done: int) -> None:
        if done >= 400:
            raise Interrupted

    from publisher.services.importing import Instructions
    from publisher.services.roster import Roster

    with pytest.raises(Interrupted):
        await house.circulation.import_people(Roster(lines(text)), Instructions(source="x.csv"), NOW, interrupt)
    report = await house.import_csv(lines(text), "x.csv", NOW)
    assert (report.added, report.unchanged) == (500, 400)
    again = await house.import_csv(lines(text), "x.csv", NOW)
    assert (again.added, again.updated, again.unchanged) == (0, 0, 900)


async def test_what_export_writes_import_reads_whole(
    house: House, sqlite_database: Database, migrated_sqlite: Any, tmp_path: Any
) -> None:
    """Into an empty publication, whose own export is then the same text."""
    await house.import_csv(lines(LISTMONK), "x.csv", NOW, consent='said "yes", twice')
    conditions: dict[str, Any] = {"valid_until": NOW + DAY, "archive_days": 30, "embargo_cleared": True}
    await house.circulation.add(
        "fay@example.org", NOW, confirmed=True, products=["asia"], newsletters=["alerts"], **conditions
    )
    await house.circulation.edit("fay@example.org", NOW, renew=["business"], attributes={"city": "Izmir", "n": 1})
    await house.circulation.add("gus@example.org", NOW, confirmed=True, newsletters=["daily"], timezone="Europe/Paris")
    await house.circulation.edit("gus@example.org", NOW, newsletters=["weekly"])
    token = house.tokens.preferences(await house.number("gus@example.org"))
    await house.subscribing.pause(token, NOW, paused=True)
    await house.circulation.add("hal@example.org", NOW, newsletters=["daily"], products=["asia"])
    await house.circulation.add("ida@example.org", NOW, confirmed=True, newsletters=[], name="Ida; of (all), things")
    await house.circulation.suppress("ida@example.org", NOW, SuppressionReason.COMPLAINT)
    await house.circulation.add("jon@example.org", NOW, confirmed=True, newsletters=[], products=[])
    first = [row async for row in house.circulation.export()]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(first)
    import shutil

    shutil.copy(migrated_sqlite, tmp_path / "other.db")
    other = Database.open("sqlite:///other.db", tmp_path)
    try:
        there = open_house(other)
        report = await there.import_csv(lines(text.getvalue()), "export.csv", NOW + DAY)
        assert (report.skipped, report.repeated, report.left_alone) == ([], [], [])
        second = [row async for row in there.circulation.export()]
        assert await never(there) == {"ida@example.org": "complaint"}
    finally:
        await other.close()

    def comparable(rows: list[dict[str, str]]) -> list[str]:
        kept = [row for row in rows if row["status"] != "suppressed"]
        return sorted(json.dumps(row, sort_keys=True) for row in kept)

    assert comparable(second) == comparable(first)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("status=suppressed,reason=dislike", "no reason to suppress"),
        ("consented_at=yesterday", "not when consent was given"),
        ("consented_at=2025-13-01", "not when consent was given"),
        ("archive_days=many,products=asia", "no number of days"),
        ("embargo_cleared=maybe,products=asia", "neither true nor false"),
        ("attributes=[1]", "not a JSON object"),
    ],
)
async def test_cells_that_say_nothing(house: House, cells: str, words: str) -> None:
    names, values = zip(*(cell.split("=") for cell in cells.split(",")), strict=True)
    text = f"email,{','.join(names)}\nada@example.org,{','.join(values)}\n"
    report = await house.import_csv(lines(text), "x.csv", NOW)
    assert [words in each.reason for each in report.skipped] == [True]


async def test_a_language_may_be_written_in_capitals(house: House) -> None:
    report = await house.import_csv(lines("email,language\nada@example.org,TR\n"), "x.csv", NOW)
    assert (report.added, report.skipped) == (1, [])
    person = await house.people.by_address("ada@example.org")
    assert person is not None
    assert person.language == "tr"


async def test_the_files_of_time_zones_are_walked_through_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each line it took a hundred times as long as all the rest."""
    walks: list[int] = []
    monkeypatch.setattr(zones, "available_timezones", lambda: walks.append(1) or {"Asia/Tokyo"})
    zones.time_zones.cache_clear()
    text = "email,timezone\n" + "".join(f"r{n}@example.org,Asia/{'Tokyo' if n else 'Nowhere'}\n" for n in range(9))
    report = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
    zones.time_zones.cache_clear()
    assert (report.added, len(report.skipped), len(walks)) == (8, 1, 1)


async def test_newsletters_and_products_for_lines_that_name_none(house: House) -> None:
    text = "email,newsletters,products\nada@example.org,,\nbob@example.org,daily,asia\n"
    said: dict[str, Any] = {"newsletters": ("weekly",), "products": ("business",)}
    await house.import_csv(lines(text), "x.csv", NOW, confirmed=True, **said)
    assert await house.statuses("ada@example.org") == {"weekly": "confirmed"}
    assert await house.products("ada@example.org") == ["business"]
    assert await house.statuses("bob@example.org") == {"daily": "confirmed"}
    assert await house.products("bob@example.org") == ["asia"]
    with pytest.raises(UsageError, match="no newsletter 'dayly'"):
        await house.import_csv(lines(text), "x.csv", NOW, newsletters=("dayly",))


def house_visit() -> Any:
    from publisher.services.subscribe import Visit

    return Visit()


CHOSEN = """\
email,status,newsletters,rhythm,rhythm_timezone,paused_until,form,only_sections,only_tags,only_languages,only_urgency
ada@example.org,confirmed,daily;weekly,weekly sun 02:30,Asia/Tokyo,,brief,news,ferries;tides,tr,2
ada@example.org,paused,asia,,,2026-04-01T07:00Z,,,,,
bob@example.org,confirmed,daily,,,,text,,,,
"""
OFFERED = Catalogue(
    **{name: getattr(CATALOGUE, name) for name in ("site", "products", "default_access")},
    sections={"news": Section(id="news", title=Localized.of("News"))},
    newsletters={n.id: replace(n, rhythms=("daily", "weekly")) for n in NEWSLETTERS},
)


async def exported(house: House) -> list[str]:
    """Returns the list of everybody, as lines."""
    rows = [row async for row in house.circulation.export()]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return lines(text.getvalue())


async def test_what_readers_chose_goes_to_another_house_and_is_the_same_there(
    sqlite_database: Database, tmp_path: Path
) -> None:
    here = open_house(sqlite_database, OFFERED)
    report = await here.import_csv(lines(CHOSEN), "x.csv", NOW, confirmed=True)
    assert (report.added, report.updated, report.skipped) == (2, 1, [])
    before = await exported(here)
    chosen = {s.newsletter: s for s in (await here.circulation.show("ada@example.org")).person.subscriptions}
    wish = Choices(sections=("news",), tags=("ferries", "tides"), languages=("tr",), urgency_max=2, form=Form.BRIEF)
    daily, asia = chosen["daily"], chosen["asia"]
    assert (daily.cadence, daily.timezone, daily.choices) == ("weekly sun 02:30", "Asia/Tokyo", wish)
    assert (asia.status, asia.paused_until) == ("paused", datetime(2026, 4, 1, 7, tzinfo=UTC))
    clocks = await Readers(sqlite_database).clocks("daily", "daily 07:00", "Europe/Istanbul")
    assert clocks == [("daily 07:00", "Europe/Istanbul"), ("weekly sun 02:30", "Asia/Tokyo")]
    other = Database.open("sqlite:///other.db", tmp_path)
    await migrate.upgrade(other)
    there = open_house(other, OFFERED)
    report = await there.import_csv(before, "moved.csv", NOW + DAY)
    assert report.skipped == []
    assert await exported(there) == before
    await other.close()


async def test_what_a_reader_chose_meanwhile_is_not_overwritten_by_a_list(sqlite_database: Database) -> None:
    house = open_house(sqlite_database, OFFERED)
    await house.import_csv(lines(CHOSEN), "x.csv", NOW, confirmed=True)
    own = Change(rhythm="weekly mon 08:00", form=Form.FULL)
    await house.choosing.change(await house.number("ada@example.org"), ["daily"], own, NOW)
    before = await house.dump()
    report = await house.import_csv(lines(CHOSEN), "x.csv", NOW + DAY, confirmed=True)
    assert (report.added, report.updated) == (0, 0)
    assert await house.dump() == before


@pytest.mark.parametrize(
    ("column", "cell", "says"),
    [
        ("rhythm", "monthly 1 07:00", "daily does not offer 'monthly 1 07:00'; it offers: daily, weekly"),
        ("rhythm", "now and then", "now and then"),
        ("rhythm_timezone", "Mars/Olympus", "'Mars/Olympus' is not a time zone"),
        ("paused_until", "2026-04-01", "paused_until is for lines whose status is paused"),
        ("paused_until", "soon", "'soon' is not a day"),
        ("form", "long", "'long' in form is none; there are full, brief, text"),
        ("only_sections", "sport", "there is no section 'sport'; there are: news"),
        ("only_languages", "ar", "no story is in 'ar'"),
        ("only_urgency", "12", "'12' in only_urgency is not 1"),
    ],
)
async def test_a_choice_that_cannot_be_is_named_with_its_line(
    sqlite_database: Database, column: str, cell: str, says: str
) -> None:
    house = open_house(sqlite_database, OFFERED)
    text = f"email,newsletters,{column}\nbob@example.org,daily,\nada@example.org,daily,{cell}\n"
    report = await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
    assert report.added == 1
    [remark] = report.skipped
    assert (remark.line, remark.email) == (3, "ada@example.org")
    assert says in remark.reason


async def test_who_leaves_is_heard_whatever_else_the_line_says(sqlite_database: Database) -> None:
    house = open_house(sqlite_database, OFFERED)
    text = "email,status,newsletters,rhythm\nada@example.org,unsubscribed,daily,nonsense\n"
    assert (await house.import_csv(lines(text), "x.csv", NOW)).skipped == []
    assert await house.statuses("ada@example.org") == {"daily": "unsubscribed"}


async def test_a_pause_that_is_over_is_none(sqlite_database: Database) -> None:
    house = open_house(sqlite_database, OFFERED)
    text = "email,status,newsletters,paused_until\nada@example.org,paused,daily,2026-03-01\n"
    await house.import_csv(lines(text), "x.csv", NOW, confirmed=True)
    assert await house.statuses("ada@example.org") == {"daily": "confirmed"}
