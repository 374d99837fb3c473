"""What is remembered of one story, on both databases: also of issues finished long ago."""

from datetime import timedelta

import sqlalchemy as sa
from planning_world import World, at, newsletter, publication

from publisher.model.issue import DeliveryState, IssueState, Mention
from publisher.model.people import EVERYTHING
from publisher.model.segment import Comparison, Held, Picked
from publisher.stores.compaction import Compaction
from publisher.stores.database import Database
from publisher.stores.readers import Readers
from publisher.stores.schema import deliveries, delivery_events, issues
from publisher.stores.traces import Traces

MONDAY = at("2026-10-19 04:00")
SLOT = at("2026-10-19 05:00")


async def test_a_storys_versions_and_mail(database: Database) -> None:
    w = World(database, publication(newsletter("daily", "daily 07:00")))
    await w.reader("ada", ["daily"], MONDAY, products=(EVERYTHING,))
    await w.reader("bora", ["daily"], MONDAY, products=(EVERYTHING,))
    await w.planning.due(MONDAY)
    await w.story("Story", MONDAY + timedelta(minutes=10))
    (issue,) = await w.planning.due(SLOT)
    await w.revise("Story", "updated", SLOT + timedelta(hours=1))
    story, ada, bora = w.names["Story"], w.people["ada"], w.people["bora"]
    traces = Traces(database)
    assert [(step.version, step.change) for step in await traces.steps(story)] == [(1, "new"), (2, "updated")]
    assert await traces.carried(story + 1) == []
    assert await traces.brought(story + 1, ada) == []

    (mail,) = await traces.brought(story, ada)
    assert (mail.issue, mail.version, mail.mention, mail.state) == (
        issue.number,
        1,
        Mention.STORY,
        DeliveryState.PENDING,
    )
    async with database.write() as connection:
        ours = deliveries.c.subscriber_id == bora
        said = {"state": "rejected", "reply_code": 550, "reply_text": "5.1.1 no such user"}
        await connection.execute(sa.update(deliveries).where(ours).values(**said))
        accepted = sa.update(deliveries).where(deliveries.c.subscriber_id == ada)
        await connection.execute(accepted.values(state="accepted", ended_at=1))
        number = await connection.scalar(sa.select(deliveries.c.id).where(ours))
        report = {"delivery_id": number, "kind": "hard", "at": 1, "status": "5.1.1"}
        await connection.execute(sa.insert(delivery_events).values(report))
        await connection.execute(sa.update(issues).values(state=IssueState.DONE))
    (mail,) = await traces.brought(story, bora)
    assert (mail.state, mail.reply, mail.reports) == ("rejected", "550 5.1.1 no such user", ("hard 5.1.1",))
    before = await traces.carried(story)
    assert [(one.edition, one.versions, one.recipients, one.accepted) for one in before] == [(1, (1,), 2, 1)]

    assert await Compaction(database).compact(issue.number)
    assert await traces.carried(story) == before
    (mail,) = await traces.brought(story, ada)
    assert (mail.state, mail.ended_at) == (DeliveryState.ACCEPTED, None)
    assert [mail.state for mail in await traces.brought(story, bora)] == ["rejected"]


async def test_a_page_of_readers_who_are_in_a_segment(database: Database) -> None:
    w = World(database, publication(newsletter("daily", "daily 07:00")))
    for name, language in (("ada", "en"), ("bora", "tr"), ("cem", "tr")):
        await w.reader(name, ["daily"], MONDAY, language=language)
    turkish = Picked(Held("language", (), Comparison.EQUAL, "tr"), "UTC", MONDAY)
    readers = Readers(database, lambda segments: turkish if "turkish" in segments else None)

    async def page(**options: object) -> list[int]:
        found = await readers.page("daily", "daily 07:00", "UTC", **options)  # type: ignore[arg-type]
        return [reader.number for reader in found]

    assert await page() == [w.people[name] for name in ("ada", "bora", "cem")]
    assert await page(segments=("turkish",)) == [w.people[name] for name in ("bora", "cem")]
    assert await page(segments=("turkish",), after=w.people["bora"]) == [w.people["cem"]]
    assert await page(segments=("turkish",), limit=1) == [w.people["bora"]]
