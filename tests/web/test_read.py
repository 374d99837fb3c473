"""A reader's own page of an issue: in full as far as they may read it when they ask, and nothing for anybody else."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desks import CANARY, HIDDEN, opened, two_desks
from starlette.applications import Starlette

from publications import ManualClock, write
from publisher.app import App
from publisher.model.issue import DeliveryState
from publisher.stores.folds import packed, span_of
from publisher.stores.schema import deliveries, issue_readers, metadata
from publisher.web.read import routes

ASIA, MONEY = CANARY["asia-pacific"], CANARY["economy"]


class Room:
    """A publication that has sent its digest, and its readers' pages."""

    def __init__(self, app: App, clock: ManualClock, client: Any) -> None:
        self.app, self.clock, self.client = app, clock, client
        self.issue = 0
        self.numbers: dict[str, int] = {}

    async def reader(self, address: str, **terms: Any) -> None:
        now = self.clock.now()
        added = await self.app.circulation.add(address, now, confirmed=True, newsletters=["daily"], **terms)
        assert added.subscriber is not None
        self.numbers[address] = added.subscriber

    async def send(self) -> None:
        sending = await self.app.planning.send(
            "daily", self.clock.now(), since=self.clock.now() - timedelta(days=30), release=True
        )
        assert sending.issue is not None
        self.issue = sending.issue.number

    def address(self, who: str, issue: int | None = None) -> str:
        return f"/read/{self.app.tokens.read(issue or self.issue, self.numbers[who])}/"

    async def page(self, who: str) -> str:
        answer = await self.client.get(self.address(who))
        assert answer.status == 200, answer.text
        return str(answer.text)

    async def edit(self, name: str, **step: float) -> None:
        """Rewrites a story's status after a while, and looks at the folder."""
        path = self.app.folder / "articles" / f"{name}.md"
        text = path.read_text(encoding="utf-8").replace("---\n", "---\nstatus: killed\nkill_reason: wrong\n", 1)
        write(self.app.folder, f"{name}.md", text)
        await self.app.publishing.refresh(self.clock.move(**step))


@pytest.fixture
async def room(tmp_path: Path, client_of: Callable[..., Any]) -> AsyncIterator[Room]:
    clock = ManualClock()
    async with opened(two_desks(tmp_path / "wire"), clock, client_of) as desk:
        made = Room(desk.app, clock, client_of(Starlette(routes=routes(desk.app))))
        await made.reader("all@example.org", products=["*"])
        await made.reader("asia@example.org", products=["asia"], language="tr")
        await made.send()
        yield made


async def test_each_reads_what_they_got(room: Room) -> None:
    everything, asia = await room.page("all@example.org"), await room.page("asia@example.org")

    assert all(words in everything for words in (ASIA, MONEY, HIDDEN, "Economy"))
    assert ASIA in asia
    assert MONEY not in asia
    assert '<html lang="tr"' in asia
    assert "Contact us" not in everything.split('<footer class="colophon">')[0]


async def test_the_page_is_for_no_cache_index_or_referrer(room: Room) -> None:
    answer = await room.client.get(room.address("all@example.org"))

    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert "script" not in answer.headers["content-security-policy"]
    assert room.address("all@example.org") not in answer.text
    assert 'content="noindex"' in answer.text


async def test_only_a_link_of_ours_opens_it(room: Room) -> None:
    tokens, mine = room.app.tokens, room.numbers["all@example.org"]
    forged = tokens.read(room.issue, mine)[:-2] + "AA"
    for token in (
        forged,
        "none",
        tokens.preferences(mine),
        tokens.read(room.issue + 7, mine),
        tokens.read(room.issue, 99),
    ):
        answer = await room.client.get(f"/read/{token}/")
        assert answer.status == 404, token
        assert ASIA not in answer.text


async def test_a_licence_that_has_ended_leaves_what_is_public(room: Room) -> None:
    """The date, and the contact; what has no public trace is not there at all."""
    await room.app.circulation.edit("all@example.org", room.clock.now(), valid_until=room.clock.now(), products=["*"])
    page = await room.page("all@example.org")

    assert "Your subscription ended on" in page
    assert "First paragraph of isle" in page
    assert not any(words in page for words in (ASIA, MONEY, HIDDEN))


async def test_what_was_killed_is_gone_from_the_page(room: Room) -> None:
    await room.edit("isle", minutes=1)
    page = await room.page("all@example.org")

    assert ASIA not in page
    assert "Isle" not in page
    assert "STORY WITHDRAWN" in page
    assert MONEY in page


async def test_asking_changes_nothing(room: Room) -> None:
    before = await everything_stored(room.app)
    for method in ("GET", "HEAD", "GET"):
        assert (await room.client.ask(method, room.address("asia@example.org"))).status == 200
    assert (await room.client.ask("POST", room.address("asia@example.org"))).status == 405

    assert await everything_stored(room.app) == before


async def test_a_reader_of_an_issue_folded_long_ago_still_reads_it(room: Room) -> None:
    """Deliveries of finished issues are kept as a list of readers alone."""
    mine = room.numbers["asia@example.org"]
    async with room.app.database.write() as connection:
        row = (
            await connection.execute(
                deliveries.delete().where(deliveries.c.subscriber_id == mine).returning(deliveries)
            )
        ).one()
        assert row.state == DeliveryState.PENDING
        folded = {"issue_id": row.issue_id, "span": span_of(mine), "number": 1}
        await connection.execute(issue_readers.insert().values(**folded, readers=packed({row.variant_id: [mine]})))

    assert ASIA in await room.page("asia@example.org")


async def test_who_has_left_reads_on_and_who_was_erased_does_not(room: Room) -> None:
    """Leaving a newsletter gives no licence back; an erased reader is nobody."""
    await room.app.circulation.edit("all@example.org", room.clock.now(), newsletters=[])
    assert ASIA in await room.page("all@example.org")

    await room.app.circulation.erase("all@example.org", room.clock.now())
    assert (await room.client.get(room.address("all@example.org"))).status == 404


async def everything_stored(app: App) -> dict[str, list[tuple[object, ...]]]:
    async with app.database.read() as connection:
        return {
            table.name: [tuple(row) for row in await connection.execute(table.select())]
            for table in metadata.sorted_tables
        }
