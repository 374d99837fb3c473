"""What is durable when: seen from between the service and its store, over a connection that pipelines."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from test_delivering import Desk, desk

from ledger_rows import add_issue, states
from publisher.model.delivery import Boot, Claimed, Ended, Policy
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from relays import ScriptedRelay


class Watch:
    """Stands in front of the store and looks at the relay at every commit."""

    def __init__(self, store: Deliveries, relay: ScriptedRelay) -> None:
        self._store = store
        self._relay = relay
        self._in_flight: set[int] = set()
        self.most_in_flight = 0
        self.commits = 0
        self.granted = 0
        self.early: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def mark(
        self, boot: Boot, now: datetime, begun: Sequence[Claimed], ended: Sequence[Ended], *, margin: timedelta
    ) -> set[int]:
        """Commits, and notes what was in flight by the store's word after it."""
        await asyncio.sleep(0.002)  # time for a body that does not wait
        self.early += [row.address for row in begun if self._has_come(row)]
        granted = await self._store.mark(boot, now, begun, ended, margin=margin)
        self.early += [row.address for row in begun if self._has_come(row)]
        self._in_flight = (self._in_flight | granted) - {each.number for each in ended}
        self.most_in_flight = max(self.most_in_flight, len(self._in_flight))
        self.commits += 1
        self.granted += len(granted)
        return granted

    def _has_come(self, row: Claimed) -> bool:
        return any(received.recipient == row.address for received in self._relay.received)


def watched(service: Desk, relay: ScriptedRelay) -> Watch:
    """Puts a watch between the service and its store."""
    watch = Watch(service.store, relay)
    service.delivering._deliveries = watch  # type: ignore[assignment]
    return watch


@pytest.mark.parametrize("connections", [1, 3])
async def test_no_more_are_in_flight_than_there_are_connections(sqlite_database: Database, connections: int) -> None:
    """So a crash leaves no more in doubt; the end of one and the beginning of the next share their commit."""
    issue = await add_issue(sqlite_database, range(1, 121))
    async with desk(sqlite_database, policy=Policy(connections=connections)) as (service, relay):
        watch = watched(service, relay)
        await service.delivering.drain(issue)
    assert await states(sqlite_database, issue) == {"accepted": 120}
    assert watch.most_in_flight == connections
    assert watch.granted == 120
    assert watch.commits <= 120 + 5
    assert relay.sessions <= 2 * connections  # renewed after a hundred


async def test_a_body_leaves_after_its_mark_is_durable(sqlite_database: Database) -> None:
    issue = await add_issue(sqlite_database, range(1, 61))
    async with desk(sqlite_database, policy=Policy(connections=2)) as (service, relay):
        watch = watched(service, relay)
        await service.delivering.drain(issue)
    assert len(relay.received) == 60
    assert watch.early == []
    assert relay.turns < 2 * 60  # it did pipeline: one round trip each, and few more
