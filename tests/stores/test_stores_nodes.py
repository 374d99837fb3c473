"""Nodes on one database: who lives, whose turn it is, who may write, and what waits."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ledger_rows import add_issue
from publisher.errors import StaleError
from publisher.model.delivery import Boot, Lot
from publisher.stores.articles import Articles
from publisher.stores.database import Database
from publisher.stores.deliveries import Deliveries
from publisher.stores.edition import Edition
from publisher.stores.facts import Facts
from publisher.stores.nodes import IssuesAhead, Nodes
from publisher.stores.schema import boots

NOW = datetime.now(UTC)
LONG = timedelta(minutes=5)
AT_ONCE = timedelta(microseconds=-1)


def boot(name: str) -> Boot:
    """Returns a process of a machine and a folder of its own."""
    return Boot(id=name, folder=f"/{name}", host=name, pid=1, started_at=NOW)


async def test_who_said_lately_that_it_lives_and_has_not_ended_is_there(database: Database) -> None:
    nodes = Nodes(database)
    for name in ("one", "two"):
        await nodes.beat(boot(name), f"home of {name}", NOW)
    assert [(each.host, each.home) for each in await nodes.living(NOW)] == [
        ("one", "home of one"),
        ("two", "home of two"),
    ]
    first = await nodes.last_beat(["home of one"])
    await nodes.beat(boot("one"), "home of one", NOW + timedelta(seconds=1))
    again = await nodes.last_beat(["home of one"])
    assert first is not None
    assert again is not None
    assert again > first
    assert await nodes.last_beat(["nobody's"]) is None
    await Deliveries(database, str, sandbox=False).dismiss(boot("two"), NOW)
    assert [each.host for each in await nodes.living(NOW)] == ["one"]


async def test_a_turn_is_one_nodes_until_it_lets_it_lapse(database: Database) -> None:
    nodes = Nodes(database)
    assert await nodes.hold("articles", "one", NOW, LONG)
    assert not await nodes.hold("articles", "two", NOW, LONG)
    assert await nodes.holder("articles", NOW) == "one"
    assert await nodes.hold("articles", "one", NOW, AT_ONCE)
    assert await nodes.holder("articles", NOW) is None
    assert await nodes.hold("articles", "two", NOW, LONG)
    assert not await nodes.hold("articles", "one", NOW, LONG)


async def test_a_fact_is_superseded_only_as_long_as_nothing_was_taken_in(database: Database) -> None:
    nodes, facts = Nodes(database), Facts(database)
    await facts.put("folder", "an empty one")
    assert not await nodes.supersede("folder", "another", "mine")
    assert await nodes.supersede("folder", "an empty one", "mine")
    assert await facts.get("folder") == "mine"


async def test_nobody_saves_over_what_it_has_not_read(database: Database) -> None:
    one, two = (Articles(database, home=home, edition=Edition(database)) for home in ("one", "two"))
    await one.note()
    await two.note()
    assert not await one.moved()
    await one.save([], [], [], NOW)
    assert not await one.moved()
    assert await two.moved()
    with pytest.raises(StaleError):
        await two.save([], [], [], NOW)
    await two.note()
    await two.save([], [], [], NOW)
    assert await one.moved()


async def test_what_a_silent_node_has_not_begun_is_taken_back_long_before_its_lease_ends(database: Database) -> None:
    await add_issue(database, [1, 2], now=NOW - timedelta(minutes=1))
    deliveries, nodes = Deliveries(database, str, sandbox=False), Nodes(database)
    dead, other = boot("dead"), boot("other")
    await nodes.beat(dead, "home", NOW)
    rows = await deliveries.claim(dead, NOW, limit=2, lease=timedelta(hours=1))
    await deliveries.mark(dead, NOW, rows[:1], [], margin=timedelta(0))
    grace = timedelta(minutes=10)
    assert await deliveries.recover(other, NOW, owner=True, grace=grace) == 0
    await _silent_for(database, dead, timedelta(seconds=40))
    assert await deliveries.recover(other, NOW, owner=True, grace=grace) == 1  # and not what is on its way
    assert await deliveries.mark(dead, NOW, rows[1:], [], margin=timedelta(0)) == set()


async def _silent_for(database: Database, boot: Boot, since: timedelta) -> None:
    async with database.write() as connection:
        earlier = boots.c.seen_at - since // timedelta(microseconds=1)
        await connection.execute(sa.update(boots).where(boots.c.id == boot.id).values(seen_at=earlier))


async def test_one_lot_is_announced_per_issue_that_is_being_sent(database: Database) -> None:
    issue = await add_issue(database, [3, 9, 5])
    await add_issue(database, [1], sandbox=True)
    assert await IssuesAhead(database, sandbox=False).lots() == (Lot(issue, 3, 9),)
