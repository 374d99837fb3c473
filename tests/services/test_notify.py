"""Who is told what of a story that was out: everybody who has the error, nobody else, once."""

import asyncio
import itertools
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.article import Access, Correction, Status
from publisher.model.catalogue import Audience, Filter
from publisher.model.issue import DeliveryState, IssueState
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database, micros
from publisher.stores.schema import deliveries, issues, licences, subscriptions, variants

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")
SAID = at("2026-10-19 10:00")
TOLD = SAID + timedelta(seconds=2)


def note(text: str = "It is GGI.", kind: str = "correction", when: datetime = SAID) -> Correction:
    """Returns what an editor writes under `corrections`."""
    return Correction(at=when, kind=kind, text=text)


def world(database: Database, **values: object) -> World:
    """Returns a publication with an instant, a daily and a public newsletter."""
    alerts = newsletter("alerts", "instant", filter=Filter(urgency_max=2))
    weekly = newsletter("weekly", "daily 09:00", audience=Audience.PUBLIC)
    return World(database, publication(alerts, newsletter("daily", "daily 07:00"), weekly), **values)  # type: ignore[arg-type]


async def sent(database: Database, **values: object) -> World:
    """Returns a publication whose story S went to Ada and Bora, and not to Chloe."""
    w = world(database, **values)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("bora", ["daily"], MONDAY, language="tr")
    await w.reader("chloe", ["alerts"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    await w.due(SLOT)
    return w


async def told(w: World) -> list[tuple[str, ...]]:
    """Returns event, reader, story, depth of every notice."""
    return [tuple(row[1:5]) for row in await w.notices()]


async def states(w: World) -> list[tuple[str, str, int]]:
    """Returns event, state and balance of every notice's issue."""
    query = sa.select(issues.c.event, issues.c.state, issues.c.expected).where(issues.c.kind == "notice")
    async with w.database.read() as connection:
        return [tuple(row) for row in await connection.execute(query.order_by(issues.c.id))]


async def words(w: World) -> list[str]:
    """Returns the subjects of all notices' variants."""
    query = sa.select(variants.c.subject).join(issues, issues.c.id == variants.c.issue_id)
    async with w.database.read() as connection:
        return sorted((await connection.execute(query.where(issues.c.kind == "notice"))).scalars())


async def test_a_correction_goes_to_those_who_have_the_error(sqlite_database: Database) -> None:
    """Once, in their language, at once after the text stood still; the corrected text covers that version."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.due(SAID + timedelta(seconds=1))
    assert await told(w) == []
    assert await w.announcing.next_due(SAID) == TOLD
    assert await w.announcing.next_due(TOLD) is None
    for moment in (TOLD, TOLD + timedelta(minutes=1), at("2026-10-20 05:00"), at("2026-10-25 05:00")):
        await w.due(moment)
    assert await told(w) == [("correction:1:2", "ada", "S v2", "full"), ("correction:1:2", "bora", "S v2", "full")]
    assert await states(w) == [("correction:1:2", "done", 2)]
    assert await words(w) == ["Correction: S", "Düzeltme: S"]
    assert (await w.got())["ada"] == ["daily daily:2026-10-19: S"]


CHANGES: dict[str, tuple[str, dict[str, object], str, str]] = {
    "clarification": ("corrected", {"corrections": (note(kind="clarification"),)}, "correction:1:2", "full"),
    "hold": ("held", {"status": Status.HELD}, "hold:1:2", "hold"),
    "kill": ("killed", {"status": Status.KILLED, "kill_reason": "It never happened."}, "kill:1", "tombstone"),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
async def test_every_kind_of_advisory_is_told(sqlite_database: Database, name: str) -> None:
    """Each to those who have the story, and to nobody else."""
    change, values, event, depth = CHANGES[name]
    w = await sent(sqlite_database)
    await w.revise("S", change, SAID, **values)
    await w.due(TOLD)
    assert await told(w) == [(event, "ada", "S v2", depth), (event, "bora", "S v2", depth)]


async def test_looking_ahead_knows_what_notices_will_say(sqlite_database: Database, tmp_path: Path) -> None:
    """A dry run and a forecast show no correction that a notice brings first, and one that no notice brought."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    assert (await w.previewing.rehearse("daily", TOLD)).shares == ()
    assert [turn.slot for turn in await w.simulate(1, TOLD, tmp_path) if turn.issue] == ["correction:1:2"]
    await w.announcing.due(TOLD)
    await w.deliver(DeliveryState.REJECTED)
    shares = (await w.previewing.rehearse("daily", at("2026-10-19 12:00"))).shares
    assert [(share.stories, len(share.addresses)) for share in shares] == [(("S",), 1), (("S",), 1)]


async def test_somebodys_word_waits_for_nothing(sqlite_database: Database) -> None:
    """`publisher send` runs once: what was just written is told by it."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    assert await w.announcing.due(SAID, impatient=True) == [2]
    assert [row[1] for row in await told(w)] == ["ada", "bora"]


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ("updated", {}),
        ("refile", {"deck": "Another"}),
        ("withdrawn", {"status": Status.WITHDRAWN}),
        ("corrected", {"corrections": (note(kind="refile"),)}),
    ],
)
async def test_what_is_no_advisory_is_not_told(
    sqlite_database: Database, change: str, values: dict[str, object]
) -> None:
    """Updates, quiet edits and withdrawals make no notice."""
    w = await sent(sqlite_database)
    await w.revise("S", change, SAID, **values)
    await w.due(TOLD)
    assert await states(w) == []


async def test_a_kill_says_nothing_of_the_story(sqlite_database: Database) -> None:
    """Reason, number, section and date; never the headline, deck or text."""
    w = await sent(sqlite_database)
    await w.revise("S", "killed", SAID, status=Status.KILLED, kill_reason="It never happened.", title="Canary")
    await w.due(TOLD)
    query = sa.select(variants.c.subject, variants.c.text).join(issues, issues.c.id == variants.c.issue_id)
    async with w.database.read() as connection:
        mails = [
            (row.subject, zlib.decompress(row.text).decode())
            for row in await connection.execute(query.where(issues.c.kind == "notice"))
        ]
    assert sorted(subject for subject, _ in mails) == ["KILL (ref 1)", "İPTAL (ref 1)"]
    for _, text in mails:
        assert "It never happened." in text
        assert "2026" in text
        assert not any(word in text for word in ("Canary", "Deck of S", "whole of S", "/articles/"))


async def test_a_hold_and_its_end_are_told(sqlite_database: Database) -> None:
    """Those who have the story hear of both; a release that corrects brings the corrected story."""
    w = await sent(sqlite_database)
    await w.revise("S", "held", SAID, status=Status.HELD)
    await w.due(TOLD)
    await w.revise("S", "released", SAID + timedelta(hours=1), status=Status.PUBLISHED, corrections=(note(),))
    await w.due(TOLD + timedelta(hours=1))
    await w.due(at("2026-10-20 05:00"))
    assert [row for row in await told(w) if row[1] == "ada"] == [
        ("hold:1:2", "ada", "S v2", "hold"),
        ("release:1:3", "ada", "S v3", "full"),
    ]
    assert (await w.got())["ada"] == ["daily daily:2026-10-19: S"]


async def test_a_copy_that_arrives_late_is_followed(sqlite_database: Database) -> None:
    """Somebody whose earlier copy was on its way is told once it was taken; the issue's balance grows."""
    w = await sent(sqlite_database)
    await w.defer("bora")
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.announcing.due(TOLD)
    assert await told(w) == [("correction:1:2", "ada", "S v2", "full")]
    await w.announcing.due(TOLD + timedelta(minutes=1))
    async with w.database.write() as connection:  # the row of bora ends, and ada's notice
        await connection.execute(deliveries.update().values(state="accepted", ended_at=deliveries.c.next_at))
        ended = micros(TOLD + timedelta(minutes=2))
        await connection.execute(issues.update().values(state=IssueState.DONE, finished_at=ended))
    await w.announcing.due(TOLD + timedelta(hours=5))
    assert [row[1] for row in await told(w)] == ["ada", "bora"]
    assert await states(w) == [("correction:1:2", "sending", 2)]


async def test_a_refused_copy_is_no_copy(sqlite_database: Database) -> None:
    """Who never got the error is not told, and gets the corrected story as news."""
    w = await sent(sqlite_database)
    async with w.database.write() as connection:
        mine = deliveries.c.subscriber_id == w.people["bora"]
        await connection.execute(deliveries.update().where(mine).values(state="expired"))
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.due(TOLD)
    await w.due(at("2026-10-20 05:00"))
    assert [row[1] for row in await told(w)] == ["ada"]
    assert (await w.got())["bora"] == ["daily daily:2026-10-19: S", "daily daily:2026-10-20: S v2"]


async def test_a_copy_once_in_doubt_stays_in_doubt(sqlite_database: Database) -> None:
    """A mail that may have arrived, and whose second try was refused, is taken to have arrived."""
    w = await sent(sqlite_database)
    async with w.database.write() as connection:
        mine = deliveries.c.subscriber_id == w.people["bora"]
        await connection.execute(deliveries.update().where(mine).values(state="rejected", resends=1))
    await w.revise("S", "killed", SAID, status=Status.KILLED, kill_reason="No.")
    await w.due(TOLD)
    assert [row[1] for row in await told(w)] == ["ada", "bora"]


async def test_two_corrections_while_nothing_ran_are_one_notice(sqlite_database: Database) -> None:
    """The latest stands for all: it says everything that was wrong since the version somebody has."""
    w = await sent(sqlite_database)
    first, second = note("First."), note("Second.", when=SAID + timedelta(hours=1))
    await w.revise("S", "corrected", SAID, corrections=(first,))
    await w.revise("S", "corrected", SAID + timedelta(hours=1), corrections=(first, second))
    await w.due(at("2026-10-19 20:00"))
    assert await told(w) == [("correction:1:3", "ada", "S v3", "full"), ("correction:1:3", "bora", "S v3", "full")]
    query = sa.select(variants.c.text).where(variants.c.language == "en").order_by(variants.c.id.desc())
    async with w.database.read() as connection:
        text = zlib.decompress((await connection.execute(query)).scalars().first() or b"").decode()
    assert "First." in text
    assert "Second." in text


async def test_a_kill_ends_what_else_was_to_be_said(sqlite_database: Database) -> None:
    """An open correction of a killed story is not sent; those who were to get it get the kill."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.announcing.due(TOLD)
    await w.revise("S", "killed", SAID + timedelta(minutes=1), status=Status.KILLED, kill_reason="No.")
    await w.announcing.due(TOLD + timedelta(minutes=1))
    assert [(row[1], row[2], row[5]) for row in await w.notices()] == [
        ("correction:1:2", "ada", "cancelled"),
        ("correction:1:2", "bora", "cancelled"),
        ("kill:1", "ada", "pending"),
        ("kill:1", "bora", "pending"),
    ]


async def test_a_licence_that_ended_is_told_without_the_text(sqlite_database: Database) -> None:
    """Who may no longer read the story still hears what was wrong with it; of a private one not even its new title."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("bora", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1), access=Access.SUBSCRIBER)
    await w.due(SLOT)
    async with w.database.write() as connection:
        await connection.execute(
            licences.update().where(licences.c.subscriber_id == w.people["bora"]).values(active=False)
        )
    await w.revise("S", "corrected", SAID, corrections=(note(),), title="Renamed")
    await w.due(TOLD)
    assert await told(w) == [("correction:1:2", "ada", "S v2", "full"), ("correction:1:2", "bora", "S v2", "hide")]
    assert await words(w) == ["Correction: Renamed", "Correction: S"]


@pytest.mark.parametrize("status", ["paused", "unsubscribed"])
async def test_a_row_is_there_for_who_paused_or_left(sqlite_database: Database, status: str) -> None:
    """Delivery lets the notice through a pause and stops it for who has left; planning keeps the account."""
    w = await sent(sqlite_database)
    async with w.database.write() as connection:
        await connection.execute(subscriptions.update().values(status=status))
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.announcing.due(TOLD)
    assert [row[1] for row in await told(w)] == ["ada", "bora"]


async def test_suppressed_people_are_accounted_for_and_not_mailed(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    await w.suppress("ada", SAID)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.announcing.due(TOLD)
    assert {row[2]: row[5] for row in await w.notices()} == {"ada": "suppressed", "bora": "pending"}


async def test_a_compacted_issue_is_remembered(sqlite_database: Database) -> None:
    """Who received an issue that was folded into a blob long ago is told like anybody else."""
    w = await sent(sqlite_database)
    assert await Compaction(sqlite_database).compact(1)
    await w.revise("S", "killed", SAID, status=Status.KILLED, kill_reason="No.")
    await w.due(TOLD)
    assert [row[1] for row in await told(w)] == ["ada", "bora"]


async def test_an_event_for_nobody_is_one_row(sqlite_database: Database) -> None:
    """It is done at once, and nobody is mailed."""
    w = world(sqlite_database)
    await w.story("S", MONDAY, published_at=at("2026-09-01 00:00"))
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.due(TOLD)
    await w.due(TOLD + timedelta(days=1))
    assert await states(w) == [("correction:1:2", "done", 0)]


async def test_what_only_the_sandbox_got_is_told_to_nobody_real(sqlite_database: Database) -> None:
    """Sandbox mail is no copy once the sandbox is off; an event told there begins anew for real people."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.due(TOLD)
    w.sandbox = False
    await w.due(TOLD + timedelta(minutes=1))
    assert await states(w) == [("sandbox:correction:1:2", "done", 2), ("correction:1:2", "done", 0)]


async def test_a_sudden_mass_of_corrections_is_held(sqlite_database: Database) -> None:
    """More than ten stories at once look like a mistake: their notices wait, each with the reason."""
    w = world(sqlite_database)
    w.sandbox = False
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    for i in range(11):
        await w.story(f"S{i}", MONDAY + timedelta(minutes=2 * i))
    await w.planning.due(SLOT)
    await w.issues.release(1, MONDAY)
    await w.deliver()
    for i in range(11):
        await w.revise(f"S{i}", "corrected", SAID + timedelta(seconds=i), corrections=(note(),))
    await w.announcing.due(SAID + timedelta(minutes=1))
    found = [issue for issue in await w.issues.latest() if issue.event]
    assert {issue.state for issue in found} == {IssueState.HELD}
    assert {issue.hold_reasons for issue in found} == {("changed-stories: 11 stories were corrected at once",)}


async def test_two_planners_at_once_tell_once(sqlite_database: Database) -> None:
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await asyncio.gather(*(w.announcing.due(TOLD) for _ in range(4)))
    await w.announcing.due(TOLD + timedelta(seconds=1))
    assert [row[1] for row in await told(w)] == ["ada", "bora"]
    assert await states(w) == [("correction:1:2", "sending", 2)]


async def test_a_refused_notice_comes_with_the_next_digest(sqlite_database: Database) -> None:
    """Whom no notice told finds the corrected story first in the next issue, once."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.announcing.due(TOLD)
    await w.deliver(DeliveryState.REJECTED)
    await w.story("T", at("2026-10-19 12:00"), urgency=1)
    for day in (20, 21):
        await w.due(at(f"2026-10-{day} 05:00"))
    assert (await w.got())["ada"] == ["daily daily:2026-10-19: S", "daily daily:2026-10-20: S v2 corrected, T"]


async def test_a_withdrawn_story_is_one_line_in_the_next_digest(sqlite_database: Database) -> None:
    """Once, to those who have it, and never alone a reason to send."""
    w = await sent(sqlite_database)
    await w.revise("S", "withdrawn", SAID, status=Status.WITHDRAWN)
    await w.due(at("2026-10-20 05:00"))
    await w.story("T", at("2026-10-20 12:00"))
    await w.reader("late", ["daily"], at("2026-10-20 13:00"))
    await w.due(at("2026-10-21 05:00"))
    await w.story("U", at("2026-10-21 12:00"))
    await w.due(at("2026-10-22 05:00"))
    got = await w.got()
    assert got["ada"][1:] == ["daily daily:2026-10-21: T, S v2 withdrawn", "daily daily:2026-10-22: U"]
    assert got["late"] == ["daily daily:2026-10-21: T", "daily daily:2026-10-22: U"]


async def test_planned_stories_are_named_to_subscribers_only(sqlite_database: Database) -> None:
    """Title and date; only beside something to read; never in a newsletter for everybody."""
    w = await sent(sqlite_database)
    await w.reader("dora", ["weekly"], MONDAY, products=[])
    await w.story("Elections", SAID, out=False, status=Status.PLANNED, publish_at=at("2026-10-30 08:00"))
    await w.due(at("2026-10-20 05:00"))
    w.renderer.editions.clear()
    await w.story("T", at("2026-10-20 12:00"))
    await w.due(at("2026-10-21 07:30"))
    said = {one.newsletter_id: [story.title for story in one.coming_up] for one in w.renderer.editions}
    assert said == {"daily": ["Elections"], "weekly": []}


async def test_one_page_or_many_make_no_difference(sqlite_database: Database) -> None:
    w = await sent(sqlite_database, page=1)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.due(TOLD)
    assert [row[1] for row in await told(w)] == ["ada", "bora"]


class PowerCutError(Exception):
    """The process is gone."""


@pytest.mark.parametrize("number", range(1, 9))
async def test_a_crash_between_any_two_steps_tells_nobody_twice(sqlite_database: Database, number: int) -> None:
    """After a cut at the n-th commit the next pass goes on with the same event."""
    w = await sent(sqlite_database, page=1)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    write, count = w.database.write, itertools.count(1)

    @asynccontextmanager
    async def cut(**how: bool) -> AsyncIterator[AsyncConnection]:
        async with write(**how) as connection:
            yield connection
        if next(count) == number:
            raise PowerCutError

    w.database.write = cut  # type: ignore[method-assign]
    with suppress(PowerCutError):
        await w.announcing.due(TOLD)
    w.database.write = write  # type: ignore[method-assign]
    await w.announcing.due(TOLD + timedelta(seconds=1))
    assert [row[1] for row in await told(w)] == ["ada", "bora"]
    assert await states(w) == [("correction:1:2", "sending", 2)]


async def test_a_stale_notice_is_said_anew(sqlite_database: Database) -> None:
    """A story that is withdrawn while its correction waits: the note goes, the text does not."""
    w = await sent(sqlite_database)
    await w.revise("S", "corrected", SAID, corrections=(note(),))
    await w.announcing.due(TOLD)
    await w.revise("S", "withdrawn", SAID + timedelta(minutes=1), status=Status.WITHDRAWN)
    async with w.database.write() as connection:  # as saving the story does
        await connection.execute(variants.update().where(variants.c.form == "notice").values(stale=True))
    await w.announcing.due(TOLD + timedelta(minutes=1))
    assert await told(w) == [
        ("correction:1:2", "ada", "S v3", "tombstone"),
        ("correction:1:2", "bora", "S v3", "tombstone"),
    ]
