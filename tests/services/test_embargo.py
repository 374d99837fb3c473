"""Embargoed stories: ahead of their hour to those who are cleared, once, and never again when it has passed."""

import zlib
from dataclasses import replace

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.article import Body, Correction, Status
from publisher.model.catalogue import Audience, Filter
from publisher.model.issue import DeliveryState
from publisher.model.segment import Segment
from publisher.segments import Vocabulary, parse_condition
from publisher.services.fit import LONGEST
from publisher.stores.database import Database
from publisher.stores.schema import deliveries, issues, licences, subscriptions, variants

MONDAY = at("2026-10-19 04:00")
FILED = at("2026-10-19 06:00")
GONE = at("2026-10-19 06:00:02")
HOUR = at("2026-10-20 09:00")
MOVED = at("2026-10-21 09:00")
E1, E2 = "embargo:1:1", "embargo:1:2"


async def world(database: Database, *, sandbox: bool = True) -> World:
    """Returns a publication with a cleared reader (Cleo), one who is not (Ada), and one of another product (Bora)."""
    alerts = newsletter("alerts", "instant", filter=Filter(urgency_max=2))
    weekly = newsletter("weekly", "daily 09:00", audience=Audience.PUBLIC)
    w = World(database, publication(alerts, newsletter("daily", "daily 07:00"), weekly), sandbox=sandbox)
    await w.due(MONDAY)
    await w.reader("ada", ["alerts", "daily", "weekly"], MONDAY)
    await w.reader("bora", ["alerts", "daily"], MONDAY, products=["asia"], cleared=True)
    await w.reader("cleo", ["alerts", "daily"], MONDAY, cleared=True, timezone="Asia/Tokyo", language="tr")
    return w


async def filed(database: Database, **values: object) -> World:
    """Returns that publication with a flash under embargo, filed."""
    w = await world(database)
    said = {"section": "economy", "urgency": 1, "embargo": HOUR, "embargo_reason": "The bank speaks at ten."}
    await w.story("S", FILED, out=False, **{**said, **values})
    return w


async def early(w: World) -> list[tuple[str, ...]]:
    """Returns event, reader, story, depth and end of every mail about one story."""
    return [tuple(row[1:]) for row in await w.notices()]


async def text(w: World) -> str:
    """Returns the latest embargoed mail."""
    query = sa.select(variants.c.text).where(variants.c.form.in_(["embargo", "notice"])).order_by(variants.c.id.desc())
    async with w.database.read() as connection:
        return zlib.decompress((await connection.execute(query)).scalars().first() or b"").decode()


async def test_a_newsletter_for_some_brings_it_to_nobody_else(sqlite_database: Database) -> None:
    """Ruth reads only a newsletter for others than her; Tom is one of those, Tea reads another newsletter too."""
    words = Vocabulary(newsletters=[], products=[], languages=["en", "tr"])
    press = Segment(id="press", condition=parse_condition("language = tr", words))
    picky = newsletter("press", "daily 07:00", segments=("press",))
    house = replace(publication(picky, newsletter("daily", "daily 08:00")), segments={"press": press})
    w = World(sqlite_database, house, sandbox=True)
    await w.due(MONDAY)
    people = {"ruth": ("en", ["press"]), "tom": ("tr", ["press"]), "tea": ("en", ["press", "daily"])}
    for name, (language, reads) in people.items():
        await w.reader(name, reads, MONDAY, cleared=True, language=language)
    await w.story("S", FILED, out=False, section="economy", urgency=1, embargo=HOUR)
    await w.due(GONE)
    assert [reader for _, reader, *_ in await early(w)] == ["tom", "tea"]


async def test_only_the_cleared_get_it_and_only_once(sqlite_database: Database) -> None:
    """At once, with their hour and the reason; nothing repeats it when the embargo passes; the others get it then."""
    w = await filed(sqlite_database)
    assert await w.announcing.next_due(FILED) == GONE
    for moment in (FILED, GONE, at("2026-10-19 12:00"), at("2026-10-20 05:00")):
        await w.due(moment)
    assert await early(w) == [(E1, "cleo", "S", "full-embargoed", "accepted")]
    said = await text(w)
    assert "18:00 (UTC+09:00)" in said
    assert "The bank speaks at ten." in said
    assert "The whole of S." in said
    assert await w.got() == {"ada": [], "bora": [], "cleo": []}
    await w.come_out("S", at("2026-10-20 09:20"))  # nothing ran at nine
    for moment in (at("2026-10-20 09:20:02"), at("2026-10-21 05:00"), at("2026-10-20 22:00")):
        await w.due(moment)
    assert len(await early(w)) == 1
    assert await w.got() == {"ada": ["alerts story:1:1: S"], "bora": [], "cleo": []}


async def test_a_refused_mail_leaves_it_to_the_digest(sqlite_database: Database) -> None:
    """Before the hour boxed, to the cleared alone; where nothing came through, afterwards like any story."""
    w = await filed(sqlite_database, urgency=4)
    await w.announcing.due(GONE)
    await w.deliver(DeliveryState.REJECTED)
    await w.due(GONE)
    await w.due(at("2026-10-19 22:00"))  # seven in Tokyo
    await w.due(at("2026-10-20 05:00"))
    got = await w.got()
    assert got["cleo"] == ["daily daily:2026-10-20: S"]
    assert got["ada"] == []
    (edition,) = w.renderer.editions
    assert "UTC+09:00" in edition.views[0].embargo_text
    await w.come_out("S", HOUR)
    await w.due(at("2026-10-20 22:00"))
    await w.due(at("2026-10-21 05:00"))
    assert (await w.got())["cleo"] == got["cleo"]
    assert (await w.got())["ada"] == ["daily daily:2026-10-21: S"]


async def test_a_correction_goes_to_the_cleared_who_have_it(sqlite_database: Database) -> None:
    """Once per version that is a correction, still boxed; who is cleared later gets the corrected version alone."""
    w = await filed(sqlite_database)
    await w.due(GONE)
    note = Correction(at=FILED, kind="correction", text="It is GGI.")
    await w.revise("S", "corrected", at("2026-10-19 07:00"), corrections=(note,))
    await w.due(at("2026-10-19 07:00:02"))
    assert (await text(w)).startswith("AMBARGOLU")
    await w.revise("S", "updated", at("2026-10-19 08:00"))
    await w.due(at("2026-10-19 08:01"))
    async with w.database.write() as connection:
        await connection.execute(
            licences.update().where(licences.c.subscriber_id == w.people["ada"]).values(embargo_cleared=True)
        )
    await w.due(at("2026-10-19 09:00"))
    await w.due(at("2026-10-19 09:01"))
    assert sorted(await early(w)) == [
        ("correction:1:2", "cleo", "S v2", "full-embargoed", "accepted"),
        (E1, "ada", "S v3", "full-embargoed", "accepted"),
        (E1, "cleo", "S", "full-embargoed", "accepted"),
    ]


async def test_a_text_that_mail_programs_cut_off_ends_before_and_says_so(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ahead of its hour it has no page anywhere; a correction's mail keeps to the same size."""
    paragraphs = [f"Paragraph {n} of many. {'word ' * 40}" for n in range(1000)]
    monkeypatch.setattr("planning_world._body", lambda _: Body(html="<p>", text="\n\n".join(paragraphs)))
    monkeypatch.setattr("planning_world._told", lambda view: [*view.lead, getattr(view, "body_text", "")])
    w = await filed(sqlite_database)
    await w.due(GONE)
    said = [await text(w)]
    note = Correction(at=FILED, kind="correction", text="It is GGI.")
    await w.revise("S", "corrected", at("2026-10-19 07:00"), corrections=(note,))
    await w.due(at("2026-10-19 07:00:02"))
    said.append(await text(w))
    assert "It is GGI." in said[1]
    for one in said:
        assert LONGEST - 5000 < len(one) < LONGEST
        assert one.index("Paragraph 9 of many") < one.index("Metin devam ediyor")
        assert one.endswith("fazlasını göstermiyor.")


async def test_another_hour_is_told(sqlite_database: Database) -> None:
    """Those who have the story with the old hour get it with the new one; open mail with the old one is ended."""
    w = await filed(sqlite_database)
    await w.reader("dora", ["daily"], MONDAY, cleared=True)
    await w.due(GONE)
    await w.defer("dora")
    await w.revise("S", "refile", at("2026-10-19 07:00"), embargo=MOVED)
    await w.announcing.due(at("2026-10-19 07:00:02"))
    assert sorted(await early(w)) == [
        (E1, "cleo", "S", "full-embargoed", "accepted"),
        (E1, "dora", "S", "full-embargoed", "cancelled"),
        (E2, "cleo", "S v2", "full-embargoed", "pending"),
        (E2, "dora", "S v2", "full-embargoed", "pending"),
    ]


@pytest.mark.parametrize(
    ("change", "values"),
    [("updated", {"embargo": None}), ("withdrawn", {"status": Status.WITHDRAWN})],
    ids=["lifted", "withdrawn"],
)
async def test_mail_under_way_ends_with_the_embargo(
    sqlite_database: Database, change: str, values: dict[str, object]
) -> None:
    """Lifted early: the digest brings it, without a box. Withdrawn: nobody gets it any more."""
    w = await filed(sqlite_database, urgency=4)
    await w.announcing.due(GONE)
    await w.revise("S", change, at("2026-10-19 07:00"), **values)
    if change == "updated":
        await w.come_out("S", at("2026-10-19 07:00"))
    for moment in (at("2026-10-19 07:01"), at("2026-10-20 05:00")):
        await w.due(moment)
    assert await early(w) == [(E1, "cleo", "S", "full-embargoed", "cancelled")]
    assert (await w.got())["cleo"] == (["daily daily:2026-10-20: S v2"] if change == "updated" else [])


async def test_a_hold_under_embargo_is_told_to_those_who_have_it(sqlite_database: Database) -> None:
    w = await filed(sqlite_database)
    await w.due(GONE)
    await w.revise("S", "held", at("2026-10-19 07:00"), status=Status.HELD)
    await w.due(at("2026-10-19 07:00:02"))
    assert [row[:4] for row in await early(w)] == [
        (E1, "cleo", "S", "full-embargoed"),
        ("hold:1:2", "cleo", "S v2", "hold"),
    ]


async def test_mail_that_did_not_make_it_before_the_hour_is_ended(sqlite_database: Database) -> None:
    """Whom it had not reached gets the story as everybody does, once."""
    w = await filed(sqlite_database)
    await w.announcing.due(GONE)
    await w.come_out("S", HOUR)
    await w.due(HOUR.replace(second=2))
    await w.due(at("2026-10-20 22:00"))
    assert await early(w) == [(E1, "cleo", "S", "full-embargoed", "cancelled")]
    assert (await w.got())["cleo"] == ["alerts story:1:1: S"]


async def test_who_is_cleared_no_more_gets_no_open_mail(sqlite_database: Database) -> None:
    """A change under embargo has open mail decided anew."""
    w = await filed(sqlite_database)
    await w.announcing.due(GONE)
    await w.revise("S", "refile", at("2026-10-19 07:00"))
    async with w.database.write() as connection:
        await connection.execute(variants.update().values(stale=True))
        await connection.execute(
            licences.update().where(licences.c.subscriber_id == w.people["cleo"]).values(valid_until=0)
        )
        ada = licences.c.subscriber_id == w.people["ada"]
        await connection.execute(licences.update().where(ada).values(embargo_cleared=True))
    await w.announcing.due(at("2026-10-19 07:01"))
    found = sorted(row[1:3] + row[4:] for row in await early(w))
    assert found == [("ada", "S v2", "pending"), ("cleo", "S", "cancelled")]
    async with w.database.write() as connection:  # and with nobody cleared at all
        await connection.execute(variants.update().values(stale=True))
        await connection.execute(licences.update().values(embargo_cleared=False))
    await w.announcing.due(at("2026-10-19 07:02"))
    assert {row[4] for row in await early(w)} == {"cancelled"}


@pytest.mark.parametrize("status", ["paused", "unsubscribed", "unconfirmed"])
async def test_who_reads_no_newsletter_gets_none(sqlite_database: Database, status: str) -> None:
    w = await filed(sqlite_database)
    async with w.database.write() as connection:
        mine = subscriptions.c.subscriber_id == w.people["cleo"]
        await connection.execute(subscriptions.update().where(mine).values(status=status))
    await w.due(GONE)
    assert await early(w) == []


async def test_two_stories_or_two_passes_make_one_mail_each(sqlite_database: Database) -> None:
    w = await filed(sqlite_database)
    await w.story("T", FILED, out=False, embargo=HOUR)
    for _ in range(3):
        await w.announcing.due(GONE)
    assert [row[1:3] for row in await early(w)] == [("cleo", "S"), ("bora", "T"), ("cleo", "T")]
    async with w.database.read() as connection:
        expected = (await connection.execute(sa.select(issues.c.expected).order_by(issues.c.id))).scalars().all()
        rows = (await connection.execute(sa.select(sa.func.count()).select_from(deliveries))).scalar()
    assert (expected, rows) == ([1, 2], 3)


async def test_the_first_mail_to_real_people_waits_for_a_word(sqlite_database: Database) -> None:
    """Nothing that was never sent to anybody goes out unseen, an embargoed story least of all."""
    w = await world(sqlite_database, sandbox=False)
    await w.story("S", FILED, out=False, embargo=HOUR)
    await w.announcing.due(GONE)
    (issue,) = await w.issues.latest()
    assert (issue.state.value, issue.event) == ("held", E1)
    assert issue.hold_reasons == ("first-issue: this is the first issue to real people",)
