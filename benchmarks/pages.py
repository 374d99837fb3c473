"""What a page costs the server that asks the database for it, with many subscribers (SQLite).

`python -m benchmarks.pages [READERS]` prints the table alone. Half of an issue to everybody waits, half has arrived.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from starlette.types import ASGIApp, Message

from benchmarks.planning import fill
from publisher.app import open_app
from publisher.cli.status import standing
from publisher.model.issue import DeliveryState
from publisher.stores.database import Database
from publisher.stores.schema import deliveries, issues, subscribers
from publisher.web.application import application
from publisher.web.health import Vitals
from tests.ledger_rows import add_issue

_READERS = 1_000_000
_ROUNDS = 5
_SECTIONS = 10
_STORIES = 50
_CONFIG = """
[site]
title = "Benchmark"
url = "http://127.0.0.1"
contact = "mailto:desk@bench.example"
[articles]
access = "summary"
[smtp]
sender = "Benchmark <news@bench.example>"
sandbox = true
[[newsletters]]
id = "daily"
title = "Daily"
audience = "subscribers"
schedule = "daily 05:00"
"""


def table(readers: int = _READERS) -> str:
    """Returns the table of docs/benchmarks.md."""
    return asyncio.run(_measured(readers))


async def _measured(readers: int) -> str:
    lines = [f"| {readers:,} subscribers | server time, ms | CPU, ms | statements |", "|---|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _write(folder)
        async with open_app(folder) as app:
            await app.publishing.refresh(app.clock.now())
            database = Database.open("sqlite:///var/publisher.db", folder)
            await fill(database, readers)
            await _issue(database, readers)
            await database.close()
            address = f"reader{readers // 2}@bench.example"
            token = (await app.circulation.token(address, app.clock.now())).url.rpartition("/u/")[2].split("/")[0]
            web = application(app, Vitals())
            for name, path in (
                ("`/metrics`", "/metrics"),
                ("`/readyz`", "/readyz"),
                ("`/preview/`, as one of them", f"/preview/?address={address}"),
                ("somebody's `/u/TOKEN/`", f"/u/{token}/"),
                ("somebody's `/u/TOKEN/all.atom`", f"/u/{token}/all.atom"),
            ):
                lines.append(await _row(name, partial(_ask, web, path)))
            lines.append(await _row("`publisher status`", partial(standing, app)))
    return "\n".join(lines)


def _write(folder: Path) -> None:
    sections = "".join(f'[[sections]]\nid = "desk-{n}"\ntitle = "Desk {n}"\n' for n in range(_SECTIONS))
    (folder / "config.toml").write_text(_CONFIG + sections)
    (folder / "articles").mkdir()
    for number in range(_STORIES):
        head = f"---\ntitle: Story {number}\nsection: desk-{number % _SECTIONS}\ndeck: In short.\n---\n"
        (folder / "articles" / f"story-{number}.md").write_text(head + "Words of a story. " * 200)


async def _issue(database: Database, readers: int) -> None:
    """Plans an issue to everybody, half of which has arrived."""
    number = await add_issue(database, [1], sandbox=True)
    one, names = deliveries.alias(), [column.name for column in deliveries.c if column.name != "id"]
    state = sa.case((subscribers.c.id % 2 == 0, DeliveryState.ACCEPTED), else_=DeliveryState.PENDING)
    theirs = {"subscriber_id": subscribers.c.id, "state": state}
    rows = sa.select(*(theirs.get(name, one.c[name]) for name in names)).where(
        one.c.issue_id == number, one.c.subscriber_id == 1, subscribers.c.id != one.c.subscriber_id
    )
    async with database.restructure() as connection:
        await connection.execute(deliveries.insert().from_select(names, rows, include_defaults=False))
        await connection.execute(sa.update(issues).where(issues.c.id == number).values(expected=readers))


async def _row(name: str, work: Callable[[], Awaitable[object]]) -> str:
    spent: list[float] = []
    cpu: list[float] = []
    statements: list[int] = []
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        for _ in range(_ROUNDS):
            asked, began, before = 0, time.perf_counter(), time.process_time()
            await work()
            spent.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - before) * 1000)
            statements.append(asked)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
    return f"| {name} | {statistics.median(spent):.0f} | {statistics.median(cpu):.0f} | {max(statements)} |"


async def _ask(web: ASGIApp, path: str) -> None:
    """Asks for a page as somebody at this machine; it must come."""
    place, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": place,
        "raw_path": place.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 80),
    }
    said: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        said.append(message)

    await web(scope, receive, send)
    assert said[0]["status"] == 200, said


if __name__ == "__main__":
    print(table(*map(int, sys.argv[1:])))
