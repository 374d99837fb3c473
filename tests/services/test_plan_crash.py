"""A planner that dies at any statement is simply run again: the same issues, nobody twice, nobody left out."""

import itertools
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from planning_world import World, at, newsletter, publication
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.model.catalogue import Filter
from publisher.model.issue import IssueState
from publisher.stores.database import Database
from publisher.stores.pace import Pace

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")
STEP = 1 if os.environ.get("PROVE") else 3
"""Every statement in the long form, every third in the short one; every commit in both."""


class PowerCutError(Exception):
    """The process is gone."""


def world(database: Database) -> World:
    """Returns a publication with two newsletters that share readers, planned four at a time, written two at a time."""
    alerts = newsletter("alerts", "instant", filter=Filter(urgency_max=2))
    pace = Pace(rows=2, least=2, most=2)
    return World(database, publication(alerts, newsletter("daily", "daily 07:00")), page=4, pace=pace)


@pytest.fixture
async def prepared(sqlite_database: Database, tmp_path: Path) -> World:
    """A publication in which the daily issue for five readers and one alert are due."""
    w = world(sqlite_database)
    await w.due(MONDAY)
    for i in range(5):
        await w.reader(f"r{i}", ["daily", "alerts"], MONDAY, products=["asia"] if i == 3 else ["*"])
    await w.suppress("r4", MONDAY)
    await w.story("Flash", MONDAY + timedelta(minutes=1), urgency=1)
    await w.story("Quiet", MONDAY + timedelta(minutes=2))
    await w.story("Trade", MONDAY + timedelta(minutes=3), section="economy")
    await sqlite_database.close()
    return w


def copied(prepared: World, tmp_path: Path, name: str) -> World:
    """Returns the prepared publication in a file of its own."""
    shutil.copy(tmp_path / "publisher.db", tmp_path / f"{name}.db")
    w = world(Database.open(f"sqlite:///{name}.db", tmp_path))
    w.names, w.people = dict(prepared.names), dict(prepared.people)
    return w


def cut_before_statement(database: Database, number: int) -> None:
    """Lets the process die before its n-th writing statement is done."""
    count = itertools.count(1)

    def before(*_: Any) -> None:
        if next(count) == number:
            raise PowerCutError

    for engine in (database._writers, database._hasty):
        sa.event.listen(engine.sync_engine, "before_cursor_execute", before)


def cut_after_commit(database: Database, number: int) -> None:
    """Lets the process die right after its n-th transaction is durable."""
    count, write = itertools.count(1), database.write

    @asynccontextmanager
    async def cut(**how: bool) -> AsyncIterator[AsyncConnection]:
        async with write(**how) as connection:
            yield connection
        if next(count) == number:
            raise PowerCutError

    database.write = cut  # type: ignore[method-assign]


async def survives(w: World) -> bool:
    """Plans until the power goes; returns whether it never went."""
    try:
        await w.planning.due(SLOT)
    except PowerCutError:
        return False
    finally:
        await w.database.close()
    return True


EXPECTED = {
    **{f"r{i}": ["alerts story:1:1: Flash", "daily daily:2026-10-19: Quiet, Trade"] for i in range(3)},
    "r3": ["alerts story:1:1: Flash", "daily daily:2026-10-19: Quiet"],
    "r4": [],
}


@pytest.mark.parametrize(
    ("cut", "step"), [(cut_before_statement, STEP), (cut_after_commit, 1)], ids=["statement", "commit"]
)
async def test_planning_resumes_wherever_it_was_cut(
    prepared: World, tmp_path: Path, cut: Callable[[Database, int], None], step: int
) -> None:
    """After a cut at the n-th statement (or commit), the next round brings exactly what was due."""
    for number in itertools.count(1, step):
        w = copied(prepared, tmp_path, f"cut{number}")
        cut(w.database, number)
        finished = await survives(w)
        again = world(Database.open(f"sqlite:///cut{number}.db", tmp_path))
        again.names, again.people = w.names, w.people
        await again.planning.due(SLOT + timedelta(minutes=1))
        got = {name: [_without_reminders(mail) for mail in mails] for name, mails in (await again.got()).items()}
        issues = await again.issues.latest()
        counts = await again.issues.all_counts([issue.number for issue in issues])
        await again.database.close()
        assert {name: sorted(mails) for name, mails in got.items()} == EXPECTED, f"cut {number}"
        assert [issue.state for issue in issues] == [IssueState.SENDING] * 2
        assert all(counts[issue.number].planned == issue.expected == 5 for issue in issues)
        if finished:
            assert number > 10
            return


def _without_reminders(mail: str) -> str:
    head, _, stories = mail.partition(": ")
    return f"{head}: " + ", ".join(story for story in stories.split(", ") if not story.endswith(" already"))
