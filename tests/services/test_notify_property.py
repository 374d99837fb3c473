"""Whatever happens in whatever order: everybody who has the error is told, nobody else is, and nobody twice."""

import asyncio
import os
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_world import World, at, newsletter, publication

from publisher.model.article import Correction, Status
from publisher.model.issue import IssueState
from publisher.stores.database import Database, micros
from publisher.stores.revisions import unfit
from publisher.stores.schema import deliveries, issues, subscriptions, variant_stories, variants

START = at("2026-10-19 04:00")
NAMES = ("ada", "bora", "chloe")
ENDS = ("accepted", "uncertain", "rejected", "deferred", "in_flight")
OPEN = ("pending", "deferred", "in_flight")
OPS = ("send", "correct", "update", "hold", "release", "kill", "withdraw", "pause", "leave", "sleep", "retry", "resend")


@dataclass
class Judge:
    """What a careful reader of the log would say."""

    status: Status = Status.PUBLISHED
    version: int = 1
    notes: tuple[Correction, ...] = ()
    wrong_before: int = 0
    """Versions older than this one have an error that was told."""
    received: dict[int, set[int]] = field(default_factory=dict)
    """Subscriber: versions that arrived, or may have."""

    def must_know(self, reader: int) -> bool:
        """Whether somebody has an error, and nothing that says so."""
        has = self.received.get(reader, set())
        return bool(has) and (self.status is Status.KILLED or max(has) < self.wrong_before)


async def happen(w: World, judge: Judge, op: str, now: datetime, dice: random.Random) -> None:
    """Does one thing, if it can be done now."""
    live, final = judge.status is Status.PUBLISHED, judge.status in (Status.KILLED, Status.WITHDRAWN)
    said: dict[str, object] | None = None
    change = ""
    match op:
        case "send":
            await w.planning.send("daily", now)
        case "correct" if live:
            judge.notes = (*judge.notes, Correction(at=now, kind="correction", text=f"note {judge.version}"))
            change, said = "corrected", {"corrections": judge.notes}
            judge.wrong_before = judge.version + 1
        case "update" if live:
            change, said = "updated", {}
        case "hold" if live:
            change, said = "held", {"status": Status.HELD}
        case "release" if judge.status is Status.HELD:
            change, said = "released", {"status": Status.PUBLISHED}
        case "withdraw" if live:
            change, said = "withdrawn", {"status": Status.WITHDRAWN}
        case "kill" if not final:
            change, said = "killed", {"status": Status.KILLED, "kill_reason": "wrong"}
        case "pause" | "leave":
            mine = subscriptions.c.subscriber_id == w.people[dice.choice(NAMES)]
            status = "paused" if op == "pause" else "unsubscribed"
            async with w.database.write() as connection:
                await connection.execute(subscriptions.update().where(mine).values(status=status))
        case "retry":
            for issue in await w.issues.latest():
                await w.issues.retry(issue.number, now)
        case "resend":
            sending = sa.select(issues.c.id).where(issues.c.state == "sending")
            again = {"state": "pending", "resends": 1, "next_at": micros(now), "ended_at": None}
            doubtful = sa.and_(deliveries.c.state == "uncertain", deliveries.c.resends == 0)
            async with w.database.write() as connection:
                mine = deliveries.update().where(doubtful, deliveries.c.issue_id.in_(sending))
                await connection.execute(mine.values(again))
    if said is not None:
        judge.version += 1
        judge.status = said.get("status", judge.status)  # type: ignore[assignment]
        await w.revise("S", change, now, recalls=change != "updated", **said)


async def deliver(w: World, judge: Judge, now: datetime, ends: tuple[str, ...], dice: random.Random) -> None:
    """Ends open mails as a relay might, and has the judge note what arrived."""
    query = (
        sa.select(deliveries.c.id, deliveries.c.subscriber_id, variant_stories.c.version, variant_stories.c.mention)
        .join(variant_stories, variant_stories.c.variant_id == deliveries.c.variant_id)
        .join(variants, variants.c.id == deliveries.c.variant_id)
        .join(issues, issues.c.id == deliveries.c.issue_id)
        .where(
            deliveries.c.state.in_(OPEN),
            sa.or_(
                deliveries.c.state == "in_flight", ~unfit(sa.literal(micros(now)))
            ),  # what is in doubt is not handed out
        )
        .order_by(deliveries.c.id)
    )
    async with w.database.write() as connection:
        for row in (await connection.execute(query)).all():
            end = dice.choice(ends)
            ended = None if end in OPEN else micros(now)
            await connection.execute(
                deliveries.update().where(deliveries.c.id == row.id).values(state=end, ended_at=ended)
            )
            if end in ("accepted", "uncertain") and row.mention in ("story", "updated", "corrected"):
                judge.received.setdefault(row.subscriber_id, set()).add(row.version)
        still = sa.exists().where(deliveries.c.issue_id == issues.c.id, deliveries.c.state.in_(OPEN))
        await connection.execute(
            issues.update()
            .where(issues.c.state == "sending", ~still)
            .values(state=IssueState.DONE, finished_at=micros(now))
        )


async def told(w: World) -> list[tuple[str, int, int]]:
    """Returns event, reader and version of every notice's mail."""
    query = (
        sa.select(issues.c.event, deliveries.c.subscriber_id, variant_stories.c.version)
        .join(issues, issues.c.id == deliveries.c.issue_id)
        .join(variant_stories, variant_stories.c.variant_id == deliveries.c.variant_id)
        .where(issues.c.kind == "notice")
    )
    async with w.database.read() as connection:
        return [tuple(row) for row in await connection.execute(query)]


async def nothing_waits(w: World) -> None:
    """Everything that could go has come to its end."""
    query = sa.select(issues.c.event, deliveries.c.state).join(issues, issues.c.id == deliveries.c.issue_id)
    async with w.database.read() as connection:
        assert (await connection.execute(query.where(deliveries.c.state.in_(OPEN)))).all() == []


async def play(folder: Path, ops: list[str], seed: int) -> None:
    """Plays a story's life and judges who was told what."""
    dice, judge = random.Random(seed), Judge()
    database = Database.open("sqlite:///publisher.db", folder)
    try:
        w = World(database, publication(newsletter("daily", "daily 07:00")))
        for name in NAMES:
            await w.reader(name, ["daily"], START)
        await w.story("S", START + timedelta(minutes=1))
        now = START + timedelta(minutes=2)
        for op in ops:
            await happen(w, judge, op, now, dice)
            now += timedelta(minutes=dice.choice([1, 5, 60]))
            await w.revising().run(now)
            if op != "sleep":
                await w.announcing.due(now)
            # Nobody is told before something reached them.
            assert {reader for _, reader, _ in await told(w)} <= judge.received.keys()
            await deliver(w, judge, now, ENDS, dice)
        for _ in range(3):
            now += timedelta(minutes=1)
            await w.revising().run(now)
            await w.announcing.due(now)
            await deliver(w, judge, now, ("accepted",), dice)
        await nothing_waits(w)
        found = await told(w)
        assert max(Counter((event, reader) for event, reader, _ in found).values(), default=1) == 1
        for reader in w.people.values():
            mine = [(event, version) for event, who, version in found if who == reader]
            if judge.status is Status.KILLED:
                assert (("kill:1", judge.version) in mine) is judge.must_know(reader), mine
            elif judge.must_know(reader):
                assert any(version >= judge.wrong_before for _, version in mine), (mine, judge)
            if not judge.received.get(reader):
                assert mine == []
        counts = await w.issues.all_counts([issue.number for issue in await w.issues.latest()])
        for issue in await w.issues.latest():
            assert issue.expected == counts[issue.number].planned or issue.state is IssueState.CANCELLED
    finally:
        await database.close()


@settings(max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "20")), deadline=None)
@given(ops=st.lists(st.sampled_from(OPS), min_size=2, max_size=9), seed=st.integers(0, 2**16))
def test_everybody_who_has_the_error_is_told_and_nobody_else(migrated_sqlite: Path, ops: list[str], seed: int) -> None:
    """Sends, corrections, holds, kills, pauses and failures, in any order."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated_sqlite, Path(folder) / "publisher.db")
        asyncio.run(play(Path(folder), ["send", *ops], seed))
