"""Puts issues, readers and deliveries into a store as planning would, for tests of what comes after."""

import asyncio
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from publisher.model.issue import DeliveryState, IssueKind, IssueState
from publisher.stores.database import Database, micros
from publisher.stores.schema import deliveries, issues, subscribers, subscriptions, variants

NOW = datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
HTML = "<p>Dear \ue000name\ue001, <a href='\ue000unsubscribe_url\ue001'>leave</a></p>\n"
TEXT = "Dear \ue000name\ue001,\n\ue000unsubscribe_url\ue001\n"


async def add_issue(
    database: Database,
    people: Iterable[int],
    *,
    kind: IssueKind = IssueKind.DIGEST,
    newsletter: str | None = "daily",
    state: IssueState = IssueState.SENDING,
    event: str | None = None,
    status: str = "confirmed",
    html: str = HTML,
    text: str = TEXT,
    now: datetime = NOW,
    sandbox: bool = False,
) -> int:
    """Adds an issue of one variant to these people, who are added where they are missing; returns its number."""
    numbers = list(people)
    at = micros(now)
    async with database.write() as connection:
        issue = await connection.scalar(
            sa.insert(issues)
            .values(
                kind=kind, newsletter=newsletter, state=state, subject="News", planned_at=at, event=event,
                expected=len(numbers), sandbox=sandbox,
            )
            .returning(issues.c.id)
        )  # fmt: skip
        variant = await connection.scalar(
            sa.insert(variants)
            .values(
                issue_id=issue, outcome="one", language="en", form="full", subject="News", preheader="",
                html=zlib.compress(html.encode()), text=zlib.compress(text.encode()),
            )
            .returning(variants.c.id)
        )  # fmt: skip
        known = set(await connection.scalars(sa.select(subscribers.c.id)))
        fresh = [number for number in numbers if number not in known]
        if fresh:
            await connection.execute(sa.insert(subscribers), [_subscriber(number, at) for number in fresh])
        if newsletter is not None:
            rows = [{"subscriber_id": n, "newsletter": newsletter, "status": status, "created_at": at} for n in numbers]
            await connection.execute(database.insert(subscriptions).on_conflict_do_nothing(), rows)
        pending = DeliveryState.PENDING
        await connection.execute(
            sa.insert(deliveries),
            [
                {"issue_id": issue, "subscriber_id": n, "variant_id": variant, "state": pending, "next_at": at}
                for n in numbers
            ],
        )
    assert isinstance(issue, int)
    return issue


async def states(database: Database, issue: int) -> dict[str, int]:
    """Returns how many deliveries of an issue are in each state."""
    query = (
        sa.select(deliveries.c.state, sa.func.count().label("number"))
        .where(deliveries.c.issue_id == issue)
        .group_by(deliveries.c.state)
    )
    async with database.read() as connection:
        return {row.state: row.number for row in await connection.execute(query)}


async def row(database: Database, subscriber: int) -> sa.Row[tuple[object, ...]]:
    """Returns the delivery of one person who has one."""
    async with database.read() as connection:
        return (await connection.execute(sa.select(deliveries).where(deliveries.c.subscriber_id == subscriber))).one()


async def issue_state(database: Database, issue: int) -> str | None:
    """Returns the state of an issue."""
    async with database.read() as connection:
        return await connection.scalar(sa.select(issues.c.state).where(issues.c.id == issue))


def _subscriber(number: int, at: int) -> dict[str, object]:
    address = f"reader{number}@example.com"
    return {
        "id": number, "address": address, "address_key": address, "name": f"Reader {number}", "language": "en",
        "created_at": at,
    }  # fmt: skip


async def somebody_waits(database: Database) -> None:
    """Returns once somebody waits for a lock of PostgreSQL's."""
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    while True:
        async with database.read() as connection:
            if await connection.scalar(waiting):
                return
        await asyncio.sleep(0.01)
