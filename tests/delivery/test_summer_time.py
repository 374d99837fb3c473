"""Daily slots in the nights in which clocks change, planned and really sent: one mail a day to everybody (T-DST)."""

from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from planning_world import World, at, newsletter, publication
from test_delivering import desk

from ledger_rows import issue_state
from publisher.stores.database import Database

STEP = timedelta(minutes=15)
READERS = ("ada", "bora", "chloe")


@pytest.mark.parametrize(
    ("zone", "schedule", "begins", "sent"),
    [
        # Half past two comes twice: the first one counts.
        ("Europe/Berlin", "daily 02:30", "2026-10-23 12:00", ["24 00:30", "25 00:30", "26 01:30"]),
        # Half past two does not come: at the first moment there is after it.
        ("Europe/Berlin", "daily 02:30", "2026-03-27 12:00", ["28 01:30", "29 01:00", "30 00:30"]),
        # On Lord Howe Island it is half an hour.
        ("Australia/Lord_Howe", "daily 01:45", "2026-04-03 00:00", ["03 14:45", "04 14:45", "05 15:15"]),
        ("Australia/Lord_Howe", "daily 02:15", "2026-10-02 00:00", ["02 15:45", "03 15:30", "04 15:15"]),
    ],
)
async def test_each_day_brings_one_mail_through_the_change_of_clocks(
    sqlite_database: Database, zone: str, schedule: str, begins: str, sent: list[str]
) -> None:
    """A fast clock ticks through three days; at every tick all is planned that is due, twice, and delivered."""
    daily = newsletter("daily", schedule, timezone=zone, grace_seconds=0.0)
    world = World(sqlite_database, publication(daily))
    now = at(begins)
    await world.planning.begin(now)
    for name in READERS:
        await world.reader(name, ["daily"], now, timezone=zone)
    went: list[datetime] = []
    async with desk(sqlite_database, sandbox=True) as (service, relay):
        for tick in range(int(timedelta(days=3) / STEP)):
            if tick % 8 == 0:  # there is always something new to tell
                await world.story(f"S{tick}", now, section="asia")
            service.clock.at = now
            for issue in [*await world.planning.due(now), *await world.planning.due(now)]:
                await service.delivering.drain(issue.number)
                assert await issue_state(sqlite_database, issue.number) == "done"
                went.append(now)
            now += STEP
    assert [f"{moment:%d %H:%M}" for moment in went] == sent
    identities = [message_from_bytes(each.message, policy=default)["Message-ID"] for each in relay.received]
    assert len(identities) == len(set(identities)) == len(sent) * len(READERS)
    days = [moment.astimezone(ZoneInfo(zone)).date() for moment in went]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 2
