"""Planning over a real store, with time as a parameter."""

import asyncio
from datetime import timedelta

import pytest
from planning_world import World, at, minutes, newsletter, publication

from publisher.model.article import Access
from publisher.model.catalogue import Audience, Filter, Late
from publisher.model.issue import DeliveryState, IssueState
from publisher.stores.database import Database

MONDAY = at("2026-10-19 04:00")
"""Six in the morning in Berlin, an hour before the slot."""


def world(database: Database, **values: object) -> World:
    """Returns a publication with an instant and a daily newsletter."""
    alerts = newsletter("alerts", "instant", filter=Filter(urgency_max=2))
    daily = newsletter("daily", "daily 07:00", **values)
    return World(database, publication(alerts, daily))


async def test_daily_brings_what_came_since_the_last_slot(sqlite_database: Database) -> None:
    """A slot brings what was first published up to its grace; the rest waits for the next, and nothing comes twice."""
    w = world(sqlite_database)
    await w.reader("ada", ["daily"], MONDAY)
    await w.due(MONDAY)
    await w.story("Early", MONDAY + timedelta(minutes=30))
    await w.story("Late", MONDAY + timedelta(minutes=50))
    for moment in minutes(MONDAY, at("2026-10-22 12:00"), step=60):
        await w.due(moment)
    assert await w.got() == {"ada": ["daily daily:2026-10-19: Early", "daily daily:2026-10-20: Late"]}
    assert [state for *_, state in await w.slot_states()] == ["issued", "issued", "skipped_empty", "skipped_empty"]


async def test_nothing_goes_out_before_a_newsletter_was_first_seen(sqlite_database: Database) -> None:
    """A new cohort has no slots in the past, and stories of a baseline are not news."""
    w = world(sqlite_database)
    await w.story("Old", MONDAY, published_at=at("2026-09-02 00:00"))
    await w.reader("ada", ["daily", "alerts"], MONDAY)
    assert await w.due(at("2026-10-19 09:00")) == []
    assert await w.slot_states() == []
    assert await w.due(at("2026-10-20 05:00")) == []
    assert await w.got() == {"ada": []}


async def test_alerts_go_at_once_and_daily_names_them(sqlite_database: Database) -> None:
    """What one newsletter brought in full, another names but does not bring; it alone makes no issue."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily", "alerts"], MONDAY)
    await w.reader("bora", ["daily"], MONDAY)
    await w.story("Flash", MONDAY + timedelta(minutes=10), urgency=1)
    assert await w.due(MONDAY + timedelta(minutes=10, seconds=1)) == []
    (alert,) = await w.due(MONDAY + timedelta(minutes=10, seconds=2))
    assert (alert.newsletter, alert.period, alert.expected) == ("alerts", "story:1:1", 1)
    await w.due(at("2026-10-19 05:00"))
    await w.story("Quiet", at("2026-10-19 06:00"))
    await w.story("Second", at("2026-10-19 07:00"), urgency=2)
    await w.due(at("2026-10-19 07:00:05"))
    await w.due(at("2026-10-20 05:00"))
    assert await w.got() == {
        "ada": [
            "alerts story:1:1: Flash",
            "alerts story:3:1: Second",
            "daily daily:2026-10-20: Quiet, Second already",
        ],
        "bora": ["daily daily:2026-10-19: Flash", "daily daily:2026-10-20: Second, Quiet"],
    }


async def test_overflow_stays_pending(sqlite_database: Database) -> None:
    """An issue holds the urgent and the newest; what does not fit comes next time."""
    w = world(sqlite_database, max_articles=2)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    for i in range(5):
        await w.story(
            f"S{i}", MONDAY + timedelta(minutes=i), section="economy" if i % 2 else "asia", urgency=2 if i == 0 else 4
        )
    for day in range(19, 24):
        await w.due(at(f"2026-10-{day} 05:00"))
    assert await w.got() == {
        "ada": ["daily daily:2026-10-19: S0, S4", "daily daily:2026-10-20: S2, S3", "daily daily:2026-10-21: S1"]
    }


async def test_min_articles_waits_until_there_are_enough(sqlite_database: Database) -> None:
    """Too few stories wait; reminders do not count."""
    w = world(sqlite_database, min_articles=2)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("One", MONDAY + timedelta(minutes=1))
    await w.due(at("2026-10-19 05:00"))
    await w.story("Two", at("2026-10-19 06:00"))
    await w.due(at("2026-10-20 05:00"))
    assert await w.got() == {"ada": ["daily daily:2026-10-20: Two, One"]}


async def test_late_joiner_gets_the_current_period(sqlite_database: Database) -> None:
    """Pending is what came since the last slot before the confirmation; alerts look back at nothing."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("Before", MONDAY + timedelta(minutes=10))
    await w.due(at("2026-10-19 05:00"))
    await w.story("After", at("2026-10-19 08:00"), urgency=2)
    await w.due(at("2026-10-19 08:01"))
    await w.reader("late", ["daily", "alerts"], at("2026-10-19 09:00"))
    for moment in minutes(at("2026-10-19 09:00"), at("2026-10-20 06:00")):
        await w.due(moment)
    assert await w.got() == {
        "ada": ["daily daily:2026-10-19: Before", "daily daily:2026-10-20: After"],
        "late": ["daily daily:2026-10-20: After"],
    }


async def test_each_reader_has_their_own_hour_also_when_clocks_change(sqlite_database: Database) -> None:
    """One slot per local day in each zone; Berlin's moves in UTC as summer time ends, New York's not yet."""
    w = world(sqlite_database)
    await w.due(at("2026-10-24 00:00"))
    await w.reader("ada", ["daily"], at("2026-10-20 00:00"))
    await w.reader("eve", ["daily"], at("2026-10-20 00:00"), timezone="America/New_York")
    await w.due(at("2026-10-24 00:00"))
    planned = {}
    for moment in minutes(at("2026-10-24 00:00"), at("2026-10-26 12:00"), step=60):
        await w.story(f"S{moment:%d%H%M}", moment)
        for issue in await w.due(moment):
            planned[issue.timezone, issue.period] = f"{moment:%d %H:%M}"
    assert planned == {
        ("Europe/Berlin", "daily:2026-10-24"): "24 05:00",
        ("America/New_York", "daily:2026-10-24"): "24 11:00",
        ("Europe/Berlin", "daily:2026-10-25"): "25 06:00",
        ("America/New_York", "daily:2026-10-25"): "25 11:00",
        ("Europe/Berlin", "daily:2026-10-26"): "26 06:00",
        ("America/New_York", "daily:2026-10-26"): "26 11:00",
    }


async def test_licence_that_ends_stops_the_digest(sqlite_database: Database) -> None:
    """A subscribers' newsletter brings in full what licences cover, as they are at planning; an ended one ends it."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY, products=["asia"], until=at("2026-10-20 00:00"))
    await w.reader("bora", ["daily"], MONDAY)
    await w.reader("none", ["daily"], MONDAY, products=[])
    await w.story("Asia", MONDAY + timedelta(minutes=1))
    await w.story("Economy", MONDAY + timedelta(minutes=2), section="economy")
    await w.due(at("2026-10-19 05:00"))
    await w.story("Asia2", at("2026-10-19 06:00"))
    await w.story("Free", at("2026-10-19 07:00"), access=Access.PUBLIC)
    await w.due(at("2026-10-20 05:00"))
    assert await w.got() == {
        "ada": ["daily daily:2026-10-19: Asia"],
        "bora": ["daily daily:2026-10-19: Asia, Economy", "daily daily:2026-10-20: Free, Asia2"],
        "none": ["daily daily:2026-10-20: Free"],
    }


async def test_update_goes_to_those_with_an_older_version_only(sqlite_database: Database) -> None:
    """A marked update comes once more, marked so; a quiet refile and an uncovered reader change nothing."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    await w.story("T", MONDAY + timedelta(minutes=2))
    await w.due(at("2026-10-19 05:00"))
    await w.reader("late", ["daily"], at("2026-10-19 06:00"))
    await w.revise("S", "updated", at("2026-10-19 08:00"))
    await w.revise("S", "refile", at("2026-10-19 09:00"))
    await w.revise("T", "refile", at("2026-10-19 09:00"))
    for day in (20, 21):
        await w.due(at(f"2026-10-{day} 05:00"))
    assert await w.got() == {
        "ada": ["daily daily:2026-10-19: T, S", "daily daily:2026-10-20: S v3 updated"],
        "late": [],
    }


async def test_translation_goes_to_those_who_read_its_language(sqlite_database: Database) -> None:
    """A story that exists in the reader's language comes in that one only."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("bora", ["daily"], MONDAY, language="tr")
    original = await w.story("Hello", MONDAY + timedelta(minutes=1))
    await w.story("Merhaba", MONDAY + timedelta(minutes=2), language="tr", translation_of=original.id)
    await w.story("Only", MONDAY + timedelta(minutes=3))
    await w.due(at("2026-10-19 05:00"))
    assert await w.got() == {
        "ada": ["daily daily:2026-10-19: Only, Hello"],
        "bora": ["daily daily:2026-10-19: Only, Merhaba"],
    }


@pytest.mark.parametrize("apart", [0, 40])
async def test_an_alert_comes_in_one_language(sqlite_database: Database, apart: int) -> None:
    """A story and its translations are one alert: who reads none of them gets the original, and no other one later."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    for name, language in (("ada", "en"), ("bora", "tr"), ("dora", "de")):
        await w.reader(name, ["alerts"], MONDAY, language=language)
    original = await w.story("Flash", MONDAY + timedelta(minutes=10), urgency=1)
    if apart:
        await w.due(MONDAY + timedelta(minutes=10, seconds=5))
    later = MONDAY + timedelta(minutes=10, seconds=apart)
    await w.story("Acil", later, urgency=1, language="tr", translation_of=original.id)
    await w.story("Urgent", later, urgency=1, language="fr", translation_of=original.id)
    await w.due(later + timedelta(seconds=5))
    got = {name: [line.rpartition(": ")[2] for line in lines] for name, lines in (await w.got()).items()}
    # What is out in their own language later is worth a mail of its own, as in a digest.
    assert got == {"ada": ["Flash"], "bora": ["Flash", "Acil"] if apart else ["Acil"], "dora": ["Flash"]}


async def test_public_summary_does_not_stand_for_the_full_text(sqlite_database: Database) -> None:
    """A deeper rendition is worth a mail, a shallower one is not."""
    catalogue = publication(
        newsletter("daily", "daily 07:00"), newsletter("brief", "daily 06:30", audience=Audience.PUBLIC)
    )
    w = World(sqlite_database, catalogue)
    await w.due(at("2026-10-19 03:00"))
    await w.reader("ada", ["daily", "brief"], at("2026-10-19 03:00"))
    await w.story("One", at("2026-10-19 04:00"))
    await w.due(at("2026-10-19 04:30"))
    await w.due(at("2026-10-19 05:00"))
    await w.story("Two", at("2026-10-19 04:40"))
    await w.due(at("2026-10-20 04:30"))
    await w.due(at("2026-10-20 05:00"))
    assert await w.got() == {
        "ada": [
            "brief daily:2026-10-19: One",
            "daily daily:2026-10-19: One",
            "brief daily:2026-10-20: Two",
            "daily daily:2026-10-20: Two",
        ]
    }
    depths = [[view.depth.value for view in edition.views] for edition in w.renderer.editions]
    assert depths == [["summary"], ["full"], ["summary"], ["full"]]


@pytest.mark.parametrize(
    ("policy", "sent"),
    [(Late.RUN, ["17:00"]), (Late.SKIP, []), (Late.MERGE, ["20:00"])],
    ids=["run", "skip", "merge"],
)
async def test_missed_slots_follow_the_policy(sqlite_database: Database, policy: Late, sent: list[str]) -> None:
    """Of slots that passed while nothing ran: each in turn, none that is more than six hours old, or the last one."""
    w = World(sqlite_database, publication(newsletter("daily", "0 19-22 * * *", late=policy)))
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    planned = await w.due(at("2026-10-20 06:00"))
    assert [f"{issue.due_at:%H:%M}" for issue in planned if issue.due_at] == sent
    assert await w.due(at("2026-10-20 06:01")) == []


async def test_suppressed_readers_are_planned_and_not_mailed(sqlite_database: Database) -> None:
    """A suppressed address has its row, so that planned and outcomes add up."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("gone", ["daily"], MONDAY)
    await w.suppress("gone", MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    (issue,) = await w.due(at("2026-10-19 05:00"))
    counts = await w.issues.counts(issue.number)
    assert (counts.planned, counts.accepted, counts.suppressed) == (2, 1, 1)
    assert (await w.got())["gone"] == []


async def test_refused_mail_leaves_its_stories_pending(sqlite_database: Database) -> None:
    """Nothing is covered by planning alone: what the relay refused comes again."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    await w.planning.due(at("2026-10-19 05:00"))
    await w.deliver(DeliveryState.REJECTED)
    await w.due(at("2026-10-20 05:00"))
    assert await w.got() == {"ada": ["daily daily:2026-10-19: S", "daily daily:2026-10-20: S"]}


async def test_sandbox_mail_is_no_coverage_once_the_sandbox_is_off(sqlite_database: Database) -> None:
    """What only the sandbox's inbox saw goes to real people, and their first issue is held."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    await w.due(at("2026-10-19 05:00"))
    w.sandbox = False
    (issue,) = await w.planning.due(at("2026-10-20 05:00"))
    assert issue.state is IssueState.HELD
    assert [reason.split(":")[0] for reason in issue.hold_reasons] == ["first-issue"]
    assert await w.issues.release(issue.number, at("2026-10-20 05:00"))
    await w.deliver()
    await w.story("T", at("2026-10-20 06:00"))
    (second,) = await w.due(at("2026-10-21 05:00"))
    assert second.state is IssueState.SENDING
    assert (await w.got())["ada"][1:] == ["daily daily:2026-10-20: S", "daily daily:2026-10-21: T"]


async def test_manual_issue_ignores_grace_and_the_schedule(sqlite_database: Database) -> None:
    """`send` brings what is pending now, to readers of all clocks, and takes no slot from the schedule."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.reader("eve", ["daily"], MONDAY, timezone="America/New_York")
    await w.story("S", at("2026-10-19 04:58"))
    sending = await w.planning.send("daily", at("2026-10-19 04:58"))
    assert sending.issue is not None
    assert (sending.issue.period, sending.issue.expected) == ("manual:1", 2)
    await w.deliver()
    assert await w.due(at("2026-10-19 05:00")) == []
    await w.due(at("2026-10-19 11:00"))
    await w.story("T", at("2026-10-19 12:00"))
    await w.due(at("2026-10-20 05:00"))
    rest = await w.planning.send("daily", at("2026-10-20 05:01"))
    assert rest.issue is not None  # eve's hour has not come yet
    await w.deliver()
    assert (await w.planning.send("daily", at("2026-10-20 05:02"))).issue is None
    assert await w.got() == {
        "ada": ["daily manual:1: S", "daily daily:2026-10-20: T"],
        "eve": ["daily manual:1: S", "daily manual:2: T"],
    }


async def test_send_since_reaches_into_the_baseline(sqlite_database: Database) -> None:
    """`--since` makes old stories pending."""
    w = world(sqlite_database)
    await w.story("Old", MONDAY, published_at=at("2026-09-02 00:00"))
    await w.reader("ada", ["daily"], MONDAY)
    assert (await w.planning.send("daily", MONDAY)).issue is None
    await w.planning.send("daily", MONDAY, since=at("2026-09-01 00:00"))
    assert await w.got() == {"ada": ["daily manual:2: Old"]}


async def test_held_send_says_why_and_goes_on_when_told(sqlite_database: Database) -> None:
    """A held issue is the one that the next `send --yes` lets go; none is planned beside it."""
    w = world(sqlite_database)
    w.sandbox = False
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    held = await w.planning.send("daily", MONDAY + timedelta(minutes=2))
    assert held.held
    assert held.issue is not None
    again = await w.planning.send("daily", MONDAY + timedelta(minutes=3))
    assert (again.held, again.issue) == (held.held, held.issue)
    gone = await w.planning.send("daily", MONDAY + timedelta(minutes=4), release=True)
    assert gone.issue is not None
    assert (gone.issue.number, gone.issue.state, gone.held) == (held.issue.number, IssueState.SENDING, ())


async def test_a_checkout_holds_every_alert_it_makes(sqlite_database: Database) -> None:
    """Each story has an issue of its own; that they came together is seen on every one of them."""
    w = world(sqlite_database)
    w.sandbox = False
    await w.reader("ada", ["alerts"], MONDAY)
    await w.planning.due(MONDAY)
    await w.story("First", MONDAY + timedelta(minutes=1), urgency=1)
    (first,) = await w.planning.due(MONDAY + timedelta(minutes=2))
    assert await w.issues.release(first.number, MONDAY)
    await w.deliver()
    for number in range(11):
        await w.story(f"S{number}", MONDAY + timedelta(hours=1), urgency=1)
    held = await w.planning.due(MONDAY + timedelta(hours=1, seconds=3))
    assert len(held) == 11
    assert {issue.hold_reasons for issue in held} == {("new-stories: 11 stories were first seen at once",)}
    assert [issue.number for issue in await w.issues.held()] == [issue.number for issue in held]
    await w.story("Alone", MONDAY + timedelta(hours=2), urgency=1)
    (alone,) = await w.planning.due(MONDAY + timedelta(hours=2, seconds=3))
    assert alone.state is IssueState.SENDING


async def test_many_updates_at_once_are_held(sqlite_database: Database) -> None:
    """A script that touches every file must not tell everybody that everything was updated."""
    w = world(sqlite_database)
    w.sandbox = False
    await w.reader("ada", ["daily"], MONDAY)
    await w.planning.due(MONDAY)
    for number in range(11):
        await w.story(f"S{number}", MONDAY + timedelta(minutes=number))
    (first,) = await w.planning.due(at("2026-10-19 05:00"))
    assert await w.issues.release(first.number, MONDAY)
    await w.deliver()
    for number in range(11):
        await w.revise(f"S{number}", "updated", at("2026-10-19 12:00"))
    (second,) = await w.planning.due(at("2026-10-20 05:00"))
    assert second.hold_reasons == ("changed-stories: 11 stories were changed at once",)


async def test_story_being_written_makes_a_slot_wait_a_moment(sqlite_database: Database) -> None:
    """A text that changed within two seconds is not mailed; a slot waits for it a minute at most."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1))
    await w.revise("S", "refile", at("2026-10-19 04:59:59"))
    assert await w.due(at("2026-10-19 05:00")) == []
    assert await w.planning.next_due(at("2026-10-19 05:00")) == at("2026-10-19 05:00:02")
    (issue,) = await w.due(at("2026-10-19 05:00:02"))
    assert issue.period == "daily:2026-10-19"


async def test_pages_of_readers_share_variants(sqlite_database: Database) -> None:
    """Readers are planned in ranges; the same outcome is rendered once whatever the ranges."""
    w = world(sqlite_database)
    w.page = 3
    await w.due(MONDAY)
    for i in range(10):
        await w.reader(f"r{i}", ["daily"], MONDAY + timedelta(seconds=i))
    await w.story("S", MONDAY + timedelta(minutes=1))
    (issue,) = await w.due(at("2026-10-19 05:00"))
    assert (issue.expected, len(w.renderer.editions)) == (10, 1)


async def test_two_planners_make_one_issue(sqlite_database: Database) -> None:
    """Planners that race over the same slots end with one issue and one row per reader."""
    w = world(sqlite_database)
    w.page = 4
    await w.due(MONDAY)
    for i in range(20):
        await w.reader(f"r{i}", ["daily", "alerts"], MONDAY)
    for i in range(5):
        await w.story(f"S{i}", MONDAY + timedelta(minutes=1), urgency=2 if i % 2 else 4)
    rivals = [World(sqlite_database, w.catalogue, page=w.page).planning for _ in range(4)]
    await asyncio.gather(*(planning.due(at("2026-10-19 05:00")) for planning in rivals))
    await rivals[0].due(at("2026-10-19 05:01"))
    got = await w.got()
    for mails in got.values():
        titles = [part for mail in mails for part in mail.split(": ")[1].split(", ") if "already" not in part]
        assert sorted(titles) == [f"S{i}" for i in range(5)]
    issues = await w.issues.latest()
    assert sorted(issue.period for issue in issues) == ["daily:2026-10-19", "story:2:1", "story:4:1"]
    assert all(issue.state is IssueState.SENDING for issue in issues)


async def test_empty_newsletter_and_nobody_make_no_issue(sqlite_database: Database) -> None:
    """Nothing empty is ever planned: no reader, no issue."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.story("S", MONDAY + timedelta(minutes=1), urgency=1)
    assert await w.due(at("2026-10-19 05:00")) == []
    assert [state for *_, state in await w.slot_states()] == ["skipped_empty", "skipped_empty"]


async def test_next_due_is_the_nearest_slot(sqlite_database: Database) -> None:
    """The scheduler is told when to come back: at a slot of any clock, or when a fresh story has settled."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    assert await w.planning.next_due(MONDAY) == at("2026-10-19 05:00")
    await w.story("S", MONDAY + timedelta(minutes=1), urgency=1)
    assert await w.planning.next_due(MONDAY + timedelta(minutes=1)) == MONDAY + timedelta(minutes=1, seconds=2)


async def begun_by_hand(w: World, name: str) -> int:
    """Plans an issue by hand that nobody has delivered."""
    await w.story(name, at("2026-10-19 08:00"))
    sending = await w.planning.send("daily", at("2026-10-19 09:00"), release=True)
    assert sending.issue is not None
    return sending.issue.number


@pytest.mark.parametrize("sandbox", [False, True])
async def test_send_does_not_go_on_with_an_issue_of_the_other_mode(sqlite_database: Database, sandbox: bool) -> None:
    """With the sandbox off (or on) again, there is a new issue; the one of before is for others."""
    w = world(sqlite_database)
    w.sandbox = sandbox
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    before = await begun_by_hand(w, "One")
    w.sandbox = not sandbox
    await w.story("Two", at("2026-10-19 09:30"))
    sending = await w.planning.send("daily", at("2026-10-19 10:00"), release=True)
    assert sending.issue is not None
    assert sending.issue.number != before
    assert sending.issue.sandbox is w.sandbox
    w.sandbox = sandbox
    again = await w.planning.send("daily", at("2026-10-19 10:05"))
    assert again.issue is not None
    assert again.issue.number == before


@pytest.mark.parametrize("sandbox", [False, True])
@pytest.mark.parametrize("by_hand", [False, True])
async def test_planning_that_was_cut_short_goes_on_in_its_own_mode_only(
    sqlite_database: Database, sandbox: bool, by_hand: bool
) -> None:
    """Else an issue for real people would be let go by the sandbox, which holds nothing."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    await w.reader("ada", ["daily"], MONDAY)
    await w.story("One", at("2026-10-18 23:00"))
    moment = at("2026-10-19 05:00")
    cohort = await w.issues.cohort("daily", "manual" if by_hand else "daily 07:00", "Europe/Berlin", moment)
    if by_hand:
        await w.issues.grant_manual_slot(cohort.number, moment)
    else:
        await w.issues.grant_slot(cohort.number, "daily:2026-10-19", moment, moment)
    (slot,) = await w.issues.open_slots()
    begun = await w.issues.begin(slot, (MONDAY, moment), moment, sandbox=sandbox)
    assert begun is not None
    w.sandbox = not sandbox
    await (w.planning.send("daily", moment, release=True) if by_hand else w.planning.due(moment))
    found = await w.issues.issue(begun.number)
    assert found is not None
    assert found.state is IssueState.PLANNING
    w.sandbox = sandbox
    await (w.planning.send("daily", moment, release=True) if by_hand else w.planning.due(moment))
    found = await w.issues.issue(begun.number)
    # By hand, real mail came between, which leaves nothing for the sandbox's issue: it is gone.
    assert found is None or found.state is not IssueState.PLANNING
