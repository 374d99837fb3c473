"""Copies of the state, from both databases: all that planning needs, as of one moment, and no way back."""

from pathlib import Path

import sqlalchemy as sa

from ledger_rows import add_issue
from publisher.model.issue import DeliveryState, IssueState
from publisher.stores.copies import copied
from publisher.stores.database import Database, moment
from publisher.stores.foresight import Foresight
from publisher.stores.schema import consents, deliveries, issues, metadata, subscribers, subscriptions


async def rows(database: Database, table: sa.Table) -> list[dict[str, object]]:
    """Returns all rows of a table, in the order of its key."""
    async with database.read() as connection:
        found = await connection.execute(sa.select(table).order_by(*table.primary_key.columns))
        return [dict(row) for row in found.mappings()]


async def test_a_copy_holds_what_plans_depend_on_and_is_another_file(database: Database, tmp_path: Path) -> None:
    await add_issue(database, range(1, 12_003))
    async with database.write() as connection:
        said = {"subscriber_id": 1, "newsletter": "daily", "event": "confirmed", "at": 0, "origin": "web"}
        await connection.execute(consents.insert().values(**said))
    copy = await copied(database, tmp_path / "copy")
    for table in metadata.sorted_tables:
        assert await rows(copy, table) == ([] if table is consents else await rows(database, table)), table.name
    async with copy.write() as connection:
        await connection.execute(subscriptions.delete())
        await connection.execute(subscribers.insert().values(address="x", address_key="x", language="en", created_at=0))
    await copy.close()
    assert len(await rows(database, subscriptions)) == 12_002
    assert len(await rows(database, subscribers)) == 12_002


async def test_what_may_go_arrives_and_what_is_held_waits(database: Database) -> None:
    sent, held = await add_issue(database, [1, 2]), await add_issue(database, [3], state=IssueState.HELD)
    elsewhere = await add_issue(database, [4], sandbox=True)
    await Foresight(database, sandbox=False).arrive(moment(1_000_000))
    states = {(row["issue_id"], row["state"]) for row in await rows(database, deliveries)}
    pending, accepted = DeliveryState.PENDING.value, DeliveryState.ACCEPTED.value
    assert states == {(sent, accepted), (held, pending), (elsewhere, pending)}
    ended = {row["id"]: row["state"] for row in await rows(database, issues)}
    assert ended == {sent: "done", held: "held", elsewhere: "sending"}
