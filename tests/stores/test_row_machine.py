"""Every state that two workers, two rows and one crash can bring about, and every step from each: searched through."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from ledger_rows import NOW, add_issue
from publisher.model.delivery import Boot, Claimed, Ended, Ending, Outcome, Phase
from publisher.model.issue import TERMINAL, DeliveryState, IssueKind
from publisher.model.moves import DELIVERY_MOVES
from publisher.stores.database import Database, micros
from publisher.stores.deliveries import Deliveries
from publisher.stores.schema import deliveries

LEASE = timedelta(minutes=20)
GRACE = timedelta(minutes=10)
MARGIN = timedelta(minutes=15)
WORKERS = ("a", "b")
BODY_ENDS = (DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN)
EARLY_ENDS = (DeliveryState.DEFERRED, DeliveryState.REJECTED, DeliveryState.PENDING)
ELSEWHERE = {"suppressed", "cancelled", "expired"}
"""What the search knows nothing of: opt-outs, cancelled issues, age; nor does anybody say `issues retry` in it."""
LOST = ("in_flight", "pending")
"""What becomes of a mark whose commit got lost: here every commit is known."""
REACHED = {
    (str(move.before), str(move.after))
    for move in DELIVERY_MOVES
    if move.before is not None and not {move.before, move.after} & ELSEWHERE and move.when != "issues retry"
} - {LOST}


@dataclass(frozen=True, order=True)
class Row:
    """One delivery, and how many copies of it the relay may have (which only the relay knows)."""

    state: str = "pending"
    owner: str = ""
    resends: int = 0
    copies: int = 0


@dataclass(frozen=True)
class World:
    """Both rows, and who has crashed (`a` is followed by `a2`)."""

    rows: tuple[Row, Row] = (Row(), Row())
    crashed: bool = False


class Explorer:
    """Puts the store into a state, takes one step, and reads what came of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Deliveries(database, lambda key: f"hash {key}", sandbox=False)

    async def put(self, world: World) -> None:
        """Writes both rows as they are in this world."""
        async with self.database.write() as connection:
            for number, row in enumerate(world.rows, start=1):
                owned = row.state in ("claimed", "in_flight")
                await connection.execute(
                    sa.update(deliveries)
                    .where(deliveries.c.id == number)
                    .values(
                        state=row.state, boot_id=row.owner or None, resends=row.resends, attempts=int(owned),
                        lease_until=micros(NOW + LEASE) if owned else None, next_at=micros(NOW), reply_phase="rcpt",
                        ended_at=micros(NOW) if row.state == "uncertain" else None,
                    )
                )  # fmt: skip

    async def read(self, world: World) -> World:
        """Returns the world as it is now."""
        query = sa.select(deliveries.c.state, deliveries.c.boot_id, deliveries.c.resends).order_by(deliveries.c.id)
        async with self.database.read() as connection:
            found = (await connection.execute(query)).all()
        rows = tuple(
            Row(row.state, row.boot_id or "", row.resends, before.copies + _copies(before.state, row.state))
            for row, before in zip(found, world.rows, strict=True)
        )
        return replace(world, rows=(rows[0], rows[1]))

    def steps(self, world: World) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
        """Returns everything that can happen now."""
        alive = ("a2", "b") if world.crashed else WORKERS
        found: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        for name in alive:
            boot = _boot(name)
            found.append((f"{name} claims", lambda boot=boot: self.store.claim(boot, NOW, limit=1, lease=LEASE)))
            found.append((f"{name} recovers", lambda boot=boot: self.store.recover(boot, NOW, owner=True, grace=GRACE)))
            for number in (1, 2):
                found.append((f"{name} gives {number} back", lambda b=boot, n=number: self.store.release(b, [n], NOW)))
                found.append((f"{name} begins {number}", lambda b=boot, n=number: self.mark(b, begin=n)))
                ends = [(DeliveryState.IN_FLIGHT, end) for end in BODY_ENDS]
                ends += [(DeliveryState.CLAIMED, end) for end in EARLY_ENDS]
                for was, end in ends:
                    found.append(
                        (
                            f"{name} ends {number} {was}",
                            lambda b=boot, n=number, w=was, e=end: self.mark(b, end=(n, w, e)),
                        )
                    )
        found.append(("resend", lambda: self.store.resend(NOW + LEASE, LEASE, all_kinds=True)))
        return found

    async def mark(
        self, boot: Boot, begin: int = 0, end: tuple[int, DeliveryState, DeliveryState] | None = None
    ) -> set[int]:
        """Begins or ends a row."""
        begun = [_claimed(begin)] if begin else []
        ended = []
        if end is not None:
            ending = Ending(phase=Phase.RCPT, code=250)
            outcome = Outcome(state=end[2])
            ended = [Ended(number=end[0], was=end[1], ending=ending, outcome=outcome, at=NOW, next_at=NOW)]
        return await self.store.mark(boot, NOW, begun, ended, margin=MARGIN)


async def test_every_step_from_every_state_is_legal_and_no_row_has_a_third_copy(sqlite_database: Database) -> None:
    for engine in (sqlite_database._writers.sync_engine, sqlite_database._direct):
        sa.event.listen(engine, "connect", _carelessly)
    await add_issue(sqlite_database, [1, 2])
    explorer = Explorer(sqlite_database)
    for name in ("a", "a2", "b"):
        await explorer.store.enlist(_boot(name))
    seen, todo, moved = {_key(World())}, deque([World()]), set()
    while todo:
        world = todo.popleft()
        following = [] if world.crashed else [replace(world, crashed=True)]
        for name, step in explorer.steps(world):
            if not _relevant(name, world):
                continue
            await explorer.put(world)
            await step()
            after = await explorer.read(world)
            _judge(name, world, after)
            moved |= {(b.state, a.state) for b, a in zip(world.rows, after.rows, strict=True) if b.state != a.state}
            following.append(after)
        for after in following:
            if _key(after) not in seen:
                seen.add(_key(after))
                todo.append(after)
    assert len(seen) > 100
    assert moved == REACHED


def _carelessly(connection: Any, _record: object) -> None:
    """No power fails here, and thousands of commits are waited for."""
    connection.execute("PRAGMA synchronous=OFF")


def _judge(name: str, before: World, after: World) -> None:
    for was, now in zip(before.rows, after.rows, strict=True):
        story = f"{name}: {before} -> {after}"
        assert was.state == now.state or DeliveryState(was.state) not in TERMINAL, story
        assert now.copies <= 1 + now.resends <= 2, story
        if was.owner and now.state in ("claimed", "in_flight"):
            assert now.owner == was.owner, story
        assert bool(now.owner) == (now.state in ("claimed", "in_flight")), story


def _relevant(name: str, world: World) -> bool:
    """Whether a step can do anything: a worker begins and ends its own rows only, in a state that has an end."""
    worker = name.split()[0]
    number = next((int(word) for word in name.split() if word.isdigit()), 0)
    if not number:
        return True
    row = world.rows[number - 1]
    return row.owner == worker and (" ends " not in name or name.endswith(f" {row.state}"))


def _key(world: World) -> tuple[tuple[Row, ...], bool]:
    """What makes a difference: not which row or worker is which, nor how a row that has ended came to its end."""
    rows = [Row("accepted") if DeliveryState(row.state) in TERMINAL else row for row in world.rows]
    if world.crashed:
        return tuple(sorted(rows)), True
    swapped = [replace(row, owner={"a": "b", "b": "a"}.get(row.owner, "")) for row in rows]
    return min(tuple(sorted(rows)), tuple(sorted(swapped))), False


def _copies(before: str, after: str) -> int:
    """A body that leaves is a copy; 4xx or 5xx to its dot is the relay's word that it has none."""
    if after == "in_flight" and before != after:
        return 1
    return -1 if before == "in_flight" and after in ("deferred", "rejected") else 0


def _boot(name: str) -> Boot:
    folder = "/a" if name.startswith("a") else "/b"
    return Boot(id=name, folder=folder, host="h", pid=1, started_at=NOW)


def _claimed(number: int) -> Claimed:
    return Claimed(
        number=number, issue=1, kind=IssueKind.DIGEST, newsletter="daily", edition=1, event=None, variant=1,
        subscriber=number, address=f"reader{number}@example.com", address_hash=f"hash reader{number}@example.com",
        name="", token_generation=1, attempts=1, refusals=0, resends=0,
    )  # fmt: skip
