"""Exactly one slot per local period, through the real planning and its store, whatever clocks and machines do.

`make years` plays ten years; `make test` the weeks around changes of clocks that went wrong elsewhere.
"""

import os
import random
import shutil
from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.catalogue import Late
from publisher.stores.database import Database, moment
from publisher.stores.schema import cohorts, slots

WHOLE = bool(os.environ.get("YEARS"))
DECADE = ("2010-01-01", "2020-01-01")
WEEKS = [
    ("Europe/Berlin", "2026-10-12", "2026-11-02"),
    ("America/New_York", "2026-03-01", "2026-03-20"),
    ("Europe/Istanbul", "2016-03-20", "2016-04-05"),  # the last time clocks went forward there
    ("Australia/Lord_Howe", "2026-09-28", "2026-10-12"),  # half an hour
    ("America/Sao_Paulo", "2018-10-28", "2018-11-12"),  # midnight itself was left out
    ("Pacific/Apia", "2011-12-20", "2012-01-10"),  # a whole day was left out
]
CASES = [(zone, *DECADE) for zone, *_ in WEEKS] if WHOLE else WEEKS
AWAY = [timedelta(seconds=30)] * 3 + [timedelta(hours=h) for h in (1, 5, 13, 24, 49, 120, 300)]
"""How long nothing runs."""


@pytest.fixture
async def fast_database(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database that waits for no disk."""
    shutil.copy(migrated_sqlite, tmp_path / "publisher.db")
    database = Database.open("sqlite:///publisher.db", tmp_path, durable=False)
    yield database
    await database.close()


def wakes(start: datetime, end: datetime, dice: random.Random) -> list[datetime]:
    """Returns when a machine that is often off, and whose clock jumps now and then, looks what is due."""
    now, found = start, []
    while now < end:
        found.append(now)
        if dice.random() < 0.1:
            found.append(now - timedelta(hours=dice.choice([1, 2, 30])))
        now += dice.choice(AWAY)
    return [*found, end]


def first_instant(day: date, clock: time, zone: ZoneInfo) -> datetime | None:
    """Returns the first instant at which a day's wall clock shows a time or more; None: the zone left the day out."""
    step = at(f"{day}") - timedelta(hours=30)
    while (local := step.astimezone(zone)).date() <= day:
        if local.date() == day and local.time() >= clock:
            return step
        step += timedelta(minutes=15)
    return None


async def granted(database: Database, cadence: str) -> dict[str, datetime]:
    """Returns the periods of a rhythm with their moments; a period that is there twice fails."""
    query = sa.select(slots.c.period, slots.c.due_at).join(cohorts, cohorts.c.id == slots.c.cohort_id)
    async with database.read() as connection:
        rows = (await connection.execute(query.where(cohorts.c.cadence == cadence))).all()
    assert len({row.period for row in rows}) == len(rows)
    return {row.period: moment(row.due_at) for row in rows}


@pytest.mark.parametrize(("zone", "first", "last"), CASES)
async def test_every_date_has_its_slot_and_none_has_two(
    fast_database: Database, zone: str, first: str, last: str
) -> None:
    """Daily, on weekdays and weekly, with the machine off for days and its clock put back."""
    rhythms = {"daily 02:30": "daily", "weekdays 00:15": "weekdays", "weekly sun 02:15": "weekly"}
    w = World(
        fast_database,
        publication(*(newsletter(name, words, timezone=zone) for words, name in rhythms.items())),
    )
    start, end, tz = at(first), at(last), ZoneInfo(zone)
    for now in wakes(start, end, random.Random(zone)):
        await w.planning.due(now)
    days = [start.date() + timedelta(days=i) for i in range(-1, (end - start).days + 2)]
    for words, kind in rhythms.items():
        clock = time.fromisoformat(words[-5:])
        wanted = {
            f"{kind}:{day:%G-W%V}" if kind == "weekly" else f"{kind}:{day}": due
            for day in days
            if (kind != "weekdays" or day.weekday() < 5) and (kind != "weekly" or day.weekday() == 6)
            if (due := first_instant(day, clock, tz)) is not None and start < due <= end
        }
        assert await granted(fast_database, words) == wanted, words


@pytest.mark.parametrize("late", list(Late))
@pytest.mark.parametrize("seed", range(20 if WHOLE else 1))
async def test_no_story_is_lost_or_comes_twice(fast_database: Database, late: Late, seed: int) -> None:
    """Through downtime, whatever is done with slots that were missed, and whatever rhythm a reader takes up."""
    dice = random.Random(seed)
    w = World(fast_database, publication(newsletter("daily", "daily 07:00", late=late, rhythms=("daily", "weekly"))))
    start = at("2026-10-12 00:00")
    await w.due(start)
    for name, cadence in (("ada", None), ("bora", "weekly sun 02:30"), ("cem", "daily 23:30")):
        await w.reader(name, ["daily"], start, cadence=cadence)
    moments = [start + timedelta(hours=dice.uniform(1, 24 * 20)) for _ in range(15)]
    stories = {at: f"S{i}" for i, at in enumerate(sorted(moments))}
    last = start + timedelta(days=21)
    events = sorted({*wakes(start, last, dice), *moments})
    # At the end a week without downtime, so that nothing is too late any more.
    for now in [*events, *(last + timedelta(hours=5 * i) for i in range(1, 40))]:
        if now in stories:
            await w.story(stories[now], now)
            continue
        await w.due(now)
    for name, mails in (await w.got()).items():
        told = [story for mail in mails for story in mail.split(": ")[1].split(", ")]
        assert sorted(told) == sorted(stories.values()), name
