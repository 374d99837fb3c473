"""A planner that is killed, and several that plan at once: one issue per slot, one row and one mail per person."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from crashes import PROVE, Place, Yard, ended, judge
from worker_process import catalogue

from ledger_rows import NOW
from publisher.model.article import Access, Article, Body
from publisher.model.publication import Revision
from publisher.stores.articles import Articles
from publisher.stores.database import Database, micros
from publisher.stores.issues import Issues
from publisher.stores.schema import licences, subscribers, subscriptions

PEOPLE = 200
PAGE = 20
DUE = NOW + timedelta(days=1)
"""Some moment after the slot of the day."""


async def fill(
    url: str, folder: Path, *, people: int = PEOPLE, stories: int = 1, schedule: str = "daily 07:00"
) -> None:
    """Makes readers of a newsletter and stories that none of them has."""
    database = Database.open(url, folder)
    began = NOW - timedelta(days=2)
    await Issues(database, sandbox=True).cohort("daily", schedule, "Europe/Berlin", began)
    numbers = range(1, people + 1)
    async with database.write() as connection:
        await connection.execute(
            subscribers.insert(),
            [
                {
                    "id": n, "address": f"reader{n}@example.com", "address_key": f"reader{n}@example.com", "name": "",
                    "language": "en", "created_at": micros(began),
                }
                for n in numbers
            ],
        )  # fmt: skip
        await connection.execute(
            subscriptions.insert(),
            [
                {
                    "subscriber_id": n, "newsletter": "daily", "status": "confirmed", "created_at": micros(began),
                    "confirmed_at": micros(began),
                }
                for n in numbers
            ],
        )  # fmt: skip
        await connection.execute(
            licences.insert(),
            [
                {"subscriber_id": n, "product": "*", "origin": "test", "created_at": micros(began), "active": True}
                for n in numbers
            ],
        )
    await Articles(database).save([_revision(number) for number in range(stories)], [], [], NOW)
    await database.close()
    assert "daily" in catalogue().newsletters


def _revision(number: int) -> Revision:
    name, out = f"story{number}", NOW + timedelta(seconds=number)
    story = Article(
        id=f"tag:news.example.org,2026:{name}", number=0, version=1, source=f"{name}.md", path=f"/articles/{name}/",
        slug=name, title=name.title(), language="en", section="asia", access=Access.SUBSCRIBER, first_seen_at=out,
        first_published_at=out, published_at=out, updated_at=out, revised_at=out,
    )  # fmt: skip
    return Revision(article=story, body=Body(html="<p>One</p>", text="One"), change="new")


@pytest.fixture
def yard(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Yard:
    """Places on the database that the test names, with readers and nothing planned yet."""
    server = None if dialect == "sqlite" else str(request.getfixturevalue("postgresql_server"))
    return Yard(tmp_path, 0, server, request.getfixturevalue(f"migrated_{dialect}"))


async def outcome(place: Place) -> None:
    """Plans and delivers to the end, and judges."""
    await place.finish(plan=DUE.isoformat())
    assert judge(place, PEOPLE, crashes=0) == 0


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("point", "numbers"),
    [
        ("issue_uncommitted", [1]),
        ("issue_committed", [1]),
        ("rows", [PAGE, PEOPLE // 2, PEOPLE]),
        ("planned", [1]),
    ],
)
async def test_a_planner_that_is_killed_is_simply_run_again(yard: Yard, point: str, numbers: list[int]) -> None:
    """K1 to K4 of the test programme: nobody had anything yet, so nobody has anything twice."""
    await yard.prepare()
    for number in numbers:
        async with yard.place() as place:
            await fill(place.orders.url, Path(place.orders.folder))
            await place.killed(point, number, plan=DUE.isoformat())
            assert place.sink.copies() == []
            await outcome(place)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_four_processes_at_once_make_one_issue_and_one_mail_each(yard: Yard) -> None:
    """Nobody leads and nobody waits for a leader: the unique keys decide."""
    await yard.prepare()
    async with yard.place(connections=2) as place:
        await fill(place.orders.url, Path(place.orders.folder))
        twins = [place.start(plan=DUE.isoformat(), home=f"/{n}", until_done=True) for n in range(4)]
        assert [await ended(twin) for twin in twins] == [0] * 4
        assert Counter(place.rows().values()) == {"accepted": PEOPLE}
        assert judge(place, PEOPLE, crashes=0) == 0


SLOTS = {"sqlite": 200, "postgresql": 200 if PROVE else 20}
"""In fewer slots the other database shows the same, and sooner."""
FEW = 3
"""Readers, where it is slots that are many."""


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("processes", [2, 4] if PROVE else [2])
async def test_processes_that_plan_and_send_two_hundred_slots_at_once_make_each_once(
    yard: Yard, processes: int, dialect: str
) -> None:
    """T-TWIN: an instant newsletter has a slot per story; all of them are due at the same moment, to everybody."""
    await yard.prepare()
    number = SLOTS[dialect]
    async with yard.place(connections=2, schedule="instant") as place:
        folder = Path(place.orders.folder)
        await fill(place.orders.url, folder, people=FEW, stories=number, schedule="instant")
        twins = [place.start(plan=DUE.isoformat(), home=f"/{n}", until_done=True) for n in range(processes)]
        assert [await ended(twin) for twin in twins] == [0] * processes
        issues = place.ask("SELECT slot_id, state, expected FROM issues")
        slots = place.ask("SELECT period, state FROM slots")
        rows = place.ask("SELECT issue_id, subscriber_id, state FROM deliveries")
        copies = place.sink.copies()
    assert len(issues) == len(slots) == len({period for period, _ in slots}) == number
    assert len({slot for slot, _, _ in issues}) == number
    assert {(state, expected) for _, state, expected in issues} == {("done", FEW)}
    assert {state for _, state in slots} == {"issued"}
    assert len(rows) == len({(issue, reader) for issue, reader, _ in rows}) == number * FEW
    assert {state for _, _, state in rows} == {"accepted"}
    assert len(copies) == len(set(copies)) == number * FEW
    assert set(Counter(recipient for recipient, _ in copies).values()) == {number}
