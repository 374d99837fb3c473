"""Opens the database and hands out connections; knows the two dialects, not the tables.

What runs for every message goes to a thread as a whole (`transact`), for a
hop there costs as much as a statement; so does what runs for every saved
file (`change`, `rows`); everything else is awaited.

SQLite: WAL with `synchronous=FULL`; readers never write, and every write and
every checkpoint holds `db.lock` beside the file, also across processes:
versions before 3.51.3 can lose a race between a writer and a checkpoint, and
no process ever has to wait in vain for SQLite's own lock (decisions 16).
"""

import asyncio
import fcntl
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection, QueuePool

from publisher.errors import DiskFullError, StoreError, UnreachableError

_T = TypeVar("_T")
_AT_ONCE = 500
"""Values per statement: SQLite allows 32,766 variables, PostgreSQL 65,535."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHECKPOINT_PAGES = 1000
_LOCK_SECONDS = 60.0
_LOCK_PAUSE = 0.005
_STRANGER_SECONDS = 5.0
_STRANGER_PAUSE = 0.02
_BEGIN_WRITING = "BEGIN IMMEDIATE"
_PG_THREADS = 2
_PG_CONNECTIONS = 9
_PG_KEPT = 4
"""Connections that stay open when nobody needs them."""
_PG_DISK_FULL = "53100"
_PG_LIMITS = {
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,
    "options": "-c statement_timeout=30s -c lock_timeout=20s -c idle_in_transaction_session_timeout=60s",
}
"""Nothing waits for ever: a lost server is an error, and errors are tried again."""
SERVER_CLOCK = sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)


def micros(moment: datetime) -> int:
    """Returns an aware time as microseconds since 1970 UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def maybe_micros(moment: datetime | None) -> int | None:
    """Returns `micros` of a time that may be missing."""
    return None if moment is None else micros(moment)


def moment(value: int) -> datetime:
    """Returns the aware UTC time of `micros`."""
    return _EPOCH + value * _MICROSECOND


def maybe_moment(value: int | None) -> datetime | None:
    """Returns `moment` of a value that may be NULL."""
    return None if value is None else moment(value)


def chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yields many values in parts that one statement can be given."""
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


class Database:
    """One open database: `read()` and `write()` give connections, `write()` commits at its end or not at all."""

    def __init__(
        self,
        readers: AsyncEngine,
        writers: AsyncEngine,
        direct: sa.Engine,
        *,
        hasty: AsyncEngine | None = None,
        path: Path | None = None,
        at_hand: sa.Engine | None = None,
    ) -> None:
        """`direct`: what threads write with.

        Of SQLite `path` is the file, `hasty` what writes it without waiting for the disk, `at_hand` what reads it
        without a hop.
        """
        self._readers = readers
        self._writers = writers
        self._hasty = hasty or writers
        self._direct = direct
        self._at_hand = at_hand
        self._threads = ThreadPoolExecutor(1 if path else _PG_THREADS, "database")
        self._path = path
        self._turn = asyncio.Lock()
        self._lock_path = path.parent / "db.lock" if path is not None else None
        self._lock_files: list[TextIO] = []

    @classmethod
    def open(cls, url: str, folder: Path, *, durable: bool = True, connections: int = _PG_CONNECTIONS) -> "Database":
        """Returns the database at `url`; a relative SQLite path is below `folder`. Connects at first use.

        One that is not `durable` waits for no disk: a SQLite file that is gone with its process. `connections`: so
        many at most to a server; who finds none free waits for one.
        """
        if url.startswith("sqlite:"):
            path = folder / url.removeprefix("sqlite:///")
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            waits, hastens = ("FULL", "NORMAL") if durable else ("OFF", "OFF")
            return cls(
                _sqlite_engine(path, writing=False, synchronous=waits),
                _sqlite_engine(path, writing=True, synchronous=waits),
                _sqlite_direct(path, writing=True, synchronous=waits),
                # A connection of its own: who is cancelled may come back before a setting that is to be undone is.
                hasty=_sqlite_engine(path, writing=True, synchronous=hastens),
                path=path,
                at_hand=_sqlite_direct(path, writing=False, synchronous=waits),
            )
        url = url.replace("postgresql:", "postgresql+psycopg:", 1)
        shared = connections - _PG_THREADS
        kept = min(_PG_KEPT, shared)
        engine = create_async_engine(
            url, pool_size=kept, max_overflow=shared - kept, pool_pre_ping=True, connect_args=_PG_LIMITS
        )
        direct = sa.create_engine(
            url,
            pool_size=_PG_THREADS,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args=_PG_LIMITS,
            paramstyle="format",
        )
        return cls(engine, engine, direct)

    @property
    def embedded(self) -> bool:
        """Whether this is SQLite, inside this process."""
        return self._lock_path is not None

    @property
    def dialect(self) -> sa.Dialect:
        """Returns how statements are written for the driver itself: parameters by their places."""
        return self._direct.dialect

    def among(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        """Returns whether the column is one of those bound to `name`, which is what `several` returns of them."""
        if self.embedded:
            listed = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
            return column.in_(sa.select(listed.c.value))
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(column.type)))

    def several(self, values: list[Any]) -> object:
        """Returns many values as one parameter, so that a statement is the same however many they are."""
        return json.dumps(values) if self.embedded else values

    def each(self, name: str) -> sa.FromClause:
        """Returns the numbers bound to `name`, as `several` returns them, as a table with the column `value`."""
        if self.embedded:
            return sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
        of = sa.bindparam(name, type_=postgresql.ARRAY(sa.BigInteger))
        return sa.func.unnest(of).table_valued(sa.column("value", sa.BigInteger)).render_derived()

    def gather(self, numbers: sa.ColumnElement[int]) -> sa.ColumnElement[Any]:
        """Returns all the numbers of a group as one value; `gathered` reads it."""
        return sa.func.group_concat(numbers) if self.embedded else sa.func.array_agg(numbers)

    def gathered(self, value: Any) -> list[int]:
        """Returns the numbers that `gather` put together, in no order."""
        return json.loads(f"[{value}]") if self.embedded else list(value)

    def insert(self, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
        """Returns an INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.embedded else postgresql.insert(table)

    @property
    def path(self) -> Path | None:
        """Returns the file of the data, None when a server keeps them."""
        return self._path

    def present(self, given: "sa.ColumnElement[int]") -> "sa.ColumnElement[int]":
        """Returns the moment that leases are compared with, in microseconds.

        SQLite: the given one, for there is one machine. PostgreSQL: the server's, for the clocks of machines differ.
        """
        return given if self.embedded else SERVER_CLOCK

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Gives a connection that sees one consistent state and cannot write."""
        async with _reachable(), self._readers.connect() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Gives a connection like `read()` that sees one state also over many statements, however long they take."""
        async with self.read() as connection:
            if not self.embedded:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """Gives a connection inside a short transaction: committed and durable at the end, undone on any error.

        One that is not `durable` waits for no disk. The machine's death may undo it, with all that came after; the
        next durable one makes it last. For steps that are done again until something durable ends them.
        """
        engine = self._writers if durable else self._hasty
        async with self._alone(), _reachable(), engine.begin() as connection:
            if not durable and not self.embedded:
                await connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
            yield connection

    async def rows(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Returns what a statement finds that takes microseconds: in SQLite at once, for hops would take longer."""
        if self._at_hand is not None:
            async with _reachable():
                with suppress(_BusyError), _told_busy(), self._at_hand.connect() as at_hand:
                    return at_hand.execute(statement).all()
        async with self.read() as connection:
            found: Sequence[sa.Row[Any]] = (await connection.execute(statement)).all()
            return found

    async def change(self, work: Callable[[sa.Connection], _T], *, brief: bool = False) -> _T:
        """Runs a short transaction like `write()`, in one hop to a thread; `brief` as `transact` has it."""
        if not self.embedded:
            async with self.write() as writing:
                return await writing.run_sync(work)
        async with self._alone(), _reachable():
            with self._direct.connect() as connection:
                await _begun(connection.begin)
                return await self._carried_out(connection, work, connection, brief=brief)

    async def transact(self, work: Callable[[Any], _T], *, brief: bool = False) -> _T:
        """Runs a short transaction by the driver alone: durable when this returns, undone on any error.

        `work` gets a cursor, in a thread. `brief`: it takes microseconds; on SQLite it runs at once, and only the
        commit, which waits for the disk, in a thread: two threads that take turns at every statement cost more than
        the statements. Who is cancelled meanwhile waits for the end: nothing is written once the lock has been
        given back.
        """
        async with self._alone(), _reachable():
            if not self.embedded:
                return await self._in_thread(partial(self._transacted, work))
            with self._driven() as connection:
                cursor = connection.cursor()
                await _begun(partial(cursor.execute, _BEGIN_WRITING))
                return await self._carried_out(connection, work, cursor, brief=brief)

    async def _carried_out(
        self,
        connection: "PoolProxiedConnection | sa.Connection",
        work: Callable[[Any], _T],
        given: Any,
        *,
        brief: bool,
    ) -> _T:
        """Returns what `work` made of what it was given in a transaction that has begun, and is committed then."""
        if not brief:
            return await self._in_thread(partial(_committed, connection, work, given))
        done = work(given)
        await self._in_thread(connection.commit)
        return done

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise

    def _transacted(self, work: Callable[[Any], _T]) -> _T:
        with self._driven() as connection:
            return _committed(connection, work, connection.cursor())

    @contextmanager
    def _driven(self) -> Iterator[PoolProxiedConnection]:
        """Gives the driver's connection; what is not committed is undone, what it raises comes as from SQLAlchemy."""
        connection: PoolProxiedConnection | None = None
        errors = self.dialect.loaded_dbapi.Error
        try:
            connection = self._direct.raw_connection()  # a server that is away is told by the driver, too
            yield connection
        except errors as error:
            if connection is not None and self.dialect.is_disconnect(error, connection.driver_connection, None):
                connection.invalidate(error)
            raise sa.exc.DBAPIError.instance(None, None, error, errors, dialect=self.dialect) from error
        finally:
            if connection is not None:
                connection.close()

    @asynccontextmanager
    async def restructure(self) -> AsyncIterator[AsyncConnection]:
        """Gives a connection like `write()` for changing tables: remaking one does not cascade to other rows."""
        if self._lock_path is None:
            async with self.write() as connection:
                await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
                yield connection
            return
        async with self._alone(), _reachable(), self._writers.connect() as connection:
            await _pragma(connection, "foreign_keys=OFF")  # SQLite takes this outside of transactions only
            try:
                async with connection.begin():
                    yield connection
                    broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).first()
                    if broken is not None:
                        raise StoreError(f"the change of tables would leave a row without its owner: {tuple(broken)}")
            finally:
                await _pragma(connection, "foreign_keys=ON")

    async def duplicate(self, path: Path) -> None:
        """Copies the file of a SQLite database, as of one moment, page by page; nobody waits for it meanwhile."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        assert self._path is not None, "a server keeps the data"
        await asyncio.to_thread(_duplicated, self._path, path)

    async def scrub(self) -> bool:
        """Empties SQLite's log of changes, which still tells what was just deleted; False: a reader is in the way.

        What it is copied into was overwritten (`secure_delete`). PostgreSQL's log is its server's affair.
        """
        if self._lock_path is None:
            return True
        async with self._alone(), _reachable(), self._writers.connect() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            cursor = await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, *_ = await cursor.fetchone()
            await cursor.close()
        return not busy

    async def close(self) -> None:
        """Closes every connection; a process that does not hangs on aiosqlite's threads."""
        async with self._alone():  # the last close of SQLite checkpoints
            await self._readers.dispose()
            await self._writers.dispose()
            await self._hasty.dispose()
            self._direct.dispose()
            if self._at_hand is not None:
                self._at_hand.dispose()
        self._threads.shutdown(wait=False)
        while self._lock_files:
            self._lock_files.pop().close()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keeps every other writer of a SQLite database away, of this process and of others.

        Who waits for the lock stands in its door (`db.next`), and nobody passes them: a process that writes one
        transaction after the other would have the lock again before another one has looked.
        """
        if self._lock_path is None:
            yield
            return
        async with self._turn:
            if not self._lock_files:
                self._lock_files = [path.open("w") for path in (self._lock_path, self._lock_path.with_suffix(".next"))]
            lock, door = self._lock_files
            await _locked(door)
            try:
                await _locked(lock)
            finally:
                fcntl.flock(door, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)


def _duplicated(source: Path, target: Path) -> None:
    # Who may not write ends without a checkpoint, which would need the lock.
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there)


def _committed(connection: "PoolProxiedConnection | sa.Connection", work: Callable[[Any], _T], given: Any) -> _T:
    done = work(given)
    connection.commit()
    return done


class _BusyError(Exception):
    """SQLite has somebody else's lock in the way."""


@contextmanager
def _told_busy() -> Iterator[None]:
    """Turns what the driver or SQLAlchemy says of a lock into one error."""
    try:
        yield
    except (sqlite3.OperationalError, OperationalError) as error:
        told = error.orig if isinstance(error, OperationalError) else error
        if getattr(told, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:  # of whatever kind: recovery, say
            raise _BusyError from error
        raise


async def _begun(begin: Callable[[], object]) -> None:
    """Begins to write; asks again while a stranger does, who does not know our lock."""
    deadline = time.monotonic() + _STRANGER_SECONDS
    while True:
        try:
            with _told_busy():
                begin()
        except _BusyError as error:
            if time.monotonic() >= deadline and error.__cause__ is not None:
                raise error.__cause__ from None
            await asyncio.sleep(_STRANGER_PAUSE)
        else:
            return


async def _locked(file: TextIO) -> None:
    """Waits for the lock by asking again: a thread that waits could not be called off, and would keep the lock."""
    deadline, pause = time.monotonic() + _LOCK_SECONDS, 0.001
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise UnreachableError("the database is being written by another process that does not end") from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LOCK_PAUSE)
        else:
            return


@asynccontextmanager
async def _reachable() -> AsyncIterator[None]:
    try:
        yield
    except OperationalError as error:
        if _is_full(error.orig):
            raise DiskFullError("there is no room left where the database is") from error
        raise UnreachableError(f"the database does not answer: {error.orig}") from error
    except PoolTimeoutError as error:
        raise UnreachableError("the database is too busy: no connection became free") from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:
            raise
        raise StoreError(f"the database is damaged ({error.orig}); restore a backup") from error


def _is_full(error: object) -> bool:
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL" or getattr(error, "sqlstate", "") == _PG_DISK_FULL


async def _pragma(connection: AsyncConnection, setting: str) -> None:
    raw = await connection.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.execute(f"PRAGMA {setting}")


def _sqlite_engine(path: Path, *, writing: bool, synchronous: str) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", poolclass=AsyncAdaptedQueuePool, pool_size=1 if writing else 4, max_overflow=0
    )
    _configure(engine.sync_engine, writing=writing, synchronous=synchronous)
    return engine


def _sqlite_direct(path: Path, *, writing: bool, synchronous: str) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=1, max_overflow=0)
    _configure(engine, writing=writing, patient=False, synchronous=synchronous, begins=writing)
    return engine


def _configure(
    engine: sa.Engine, *, writing: bool, synchronous: str, patient: bool = True, begins: bool = True
) -> None:
    pragmas = [
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "foreign_keys=ON",
        f"busy_timeout={int(_STRANGER_SECONDS * 1000) if patient else 0}",
        "secure_delete=ON",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES if writing else 0}",
        f"query_only={'OFF' if writing else 'ON'}",
    ]

    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(_BEGIN_WRITING if writing else "BEGIN")

    sa.event.listen(engine, "connect", on_connect)
    if begins:
        sa.event.listen(engine, "begin", on_begin)
