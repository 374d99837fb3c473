"""Remembers the stories: identities, versions, which file said what, and what stands in public/."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from publisher.model.article import Article, Body, Problem, Status
from publisher.model.files import FileStat
from publisher.model.issue import UNFINISHED
from publisher.model.publication import FileRecord, OutputRecord, Revision
from publisher.stores.database import Database, chunks, maybe_micros, micros
from publisher.stores.edition import Edition
from publisher.stores.readers import lock_planning_here
from publisher.stores.schema import (
    article_versions,
    articles,
    files,
    issues,
    outputs,
    redirects,
    variant_stories,
    variants,
)

_RECALLS = ("corrected", "held", "released", "unpublished", "withdrawn", "killed")
"""Changes after which more is told of a story than what it says."""
_MOVED = "moved"
_VERSIONS = 1_000_000
"""More than a story ever has: its number times this, and one of them, are one key for both."""
_BRIEF = 32
"""Rows that are written at once, and not beside the event loop."""

_story = msgspec.json.Decoder(Article)
_body = msgspec.json.Decoder(Body)
_problems = msgspec.json.Decoder(tuple[Problem, ...])
_names = msgspec.json.Decoder(tuple[str, ...])


class Articles:
    """The stories' memory; `resolve` completes a stored article with what config says today (its access)."""

    def __init__(
        self,
        database: Database,
        resolve: Callable[[Article], Article] = lambda article: article,
        *,
        home: str = "",
        edition: Edition | None = None,
    ) -> None:
        """`home`: whose public/ the outputs are about; `edition`: what keeps several writers from each other."""
        self._database = database
        self._resolve = resolve
        self._home = home
        self._edition = edition
        self._public: set[int] = set()
        """The stories of which it is remembered that the public knows them."""
        self._upserts: dict[tuple[str, ...], sa.Insert] = {}
        """By table and what is kept of a row."""
        table, key = article_versions.c, sa.cast(database.each("wanted").c.value, sa.BigInteger)
        one = sa.and_(table.article_id == key // _VERSIONS, table.version == key % _VERSIONS)
        self._bodies = sa.select(table.article_id, table.version, table.body).where(one)
        """The same for however many are asked for: a statement takes longer to write than to answer."""

    async def current(self) -> list[Article]:
        """Returns the latest version of every article whose file is there, by number."""
        query = _latest().where(articles.c.gone_at.is_(None)).order_by(articles.c.id)
        return await self._articles(query)

    async def gone(self) -> list[Article]:
        """Returns the last version of every article whose file is gone."""
        query = _latest().where(articles.c.gone_at.is_not(None)).order_by(articles.c.id)
        return await self._articles(query)

    async def first_published(self, after: datetime, until: datetime) -> list[Article]:
        """Returns articles that are still there, first published in (after, until], latest version, oldest first."""
        query = (
            _latest()
            .where(
                articles.c.first_published_at > micros(after),
                articles.c.first_published_at <= micros(until),
                articles.c.gone_at.is_(None),
            )
            .order_by(articles.c.first_published_at, articles.c.id)
        )
        return await self._articles(query)

    async def ahead(self) -> list[Article]:
        """Returns articles that are still there and were never out: planned, scheduled and embargoed ones."""
        query = _latest().where(
            articles.c.first_published_at.is_(None),
            articles.c.gone_at.is_(None),
            articles.c.status.in_([Status.PLANNED.value, Status.PUBLISHED.value]),
        )
        return await self._articles(query.order_by(articles.c.id))

    async def by_numbers(self, numbers: Iterable[int]) -> dict[int, Article]:
        """Returns the latest version of these articles, gone ones too."""
        found: dict[int, Article] = {}
        for some in chunks(sorted(set(numbers))):
            rows = await self._articles(_latest().where(articles.c.id.in_(some)))
            found |= {article.number: article for article in rows}
        return found

    async def versions(self, numbers: Iterable[int]) -> dict[int, list[Article]]:
        """Returns all versions of these articles, oldest first, gone ones too."""
        table = article_versions.c
        found: dict[int, list[Article]] = {}
        for some in chunks(sorted(set(numbers))):
            query = sa.select(table.story).where(table.article_id.in_(some)).order_by(table.article_id, table.version)
            for article in await self._articles(query):
                found.setdefault(article.number, []).append(article)
        return found

    async def recalled(self, since: datetime) -> list[int]:
        """Returns the numbers of stories that were recalled, released or corrected after `since`, or are held."""
        table = article_versions.c
        changed = sa.select(table.article_id).where(table.change.in_(_RECALLS), table.revised_at > micros(since))
        held = sa.select(articles.c.id).where(articles.c.status == Status.HELD.value)
        async with self._database.read() as connection:
            return [number for (number,) in await connection.execute(sa.union(changed, held))]

    async def bodies(self, versions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        """Returns bodies by (article number, version)."""
        wanted = sorted(number * _VERSIONS + version for number, version in set(versions))
        if not wanted:
            return {}
        query = self._bodies.params(wanted=self._database.several(wanted))
        rows = await self._found(query, few=len(wanted) <= _BRIEF)
        return {(row.article_id, row.version): _body.decode(row.body) for row in rows}

    async def files(self) -> dict[str, FileRecord]:
        """Returns the snapshot of the folder: what was last read from which file."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(files))
            return {row.path: _file(row) for row in rows}

    async def note(self) -> None:
        """Takes note that everything is about to be read."""
        if self._edition is not None:
            self._edition.known = await self._edition.present()

    async def moved(self) -> bool:
        """Returns whether another process has saved since this one took note, or last saved."""
        return self._edition is not None and await self._edition.moved()

    async def edition(self) -> str:
        """Returns what is another one after every save by anybody; empty where nobody else saves."""
        return await self._edition.present() if self._edition else ""

    async def redirects(self, numbers: Collection[int] | None = None) -> dict[str, int]:
        """Returns old addresses that lead to these articles (None: to any), and the numbers of those."""
        query = sa.select(redirects.c.path, redirects.c.article_id)
        rows = await self._among(query, redirects.c.article_id, numbers)
        return {row.path: row.article_id for row in rows}

    async def note_public(self, numbers: Sequence[int], now: datetime) -> None:
        """Remembers that the public knows these articles from now on, if it did not before."""
        for some in chunks([number for number in numbers if number not in self._public]):
            unknown = sa.and_(articles.c.id.in_(some), articles.c.public_at.is_(None))
            few = len(some) <= _BRIEF
            if await self._found(sa.select(articles.c.id).where(unknown), few=few):
                noted = articles.update().where(unknown).values(public_at=micros(now))
                await self._database.change(partial(_run, noted), brief=few)
            self._public.update(some)

    async def once_public(self, numbers: Collection[int] | None = None) -> dict[int, set[str]]:
        """Returns every address of those of these articles (None: of all) that the public ever knew, by number."""
        own = sa.select(articles.c.path, articles.c.id).where(articles.c.public_at.is_not(None))
        former = own.with_only_columns(redirects.c.path, articles.c.id).select_from(redirects.join(articles))
        found: dict[int, set[str]] = {}
        for query in (own, former):
            for path, number in await self._among(query, articles.c.id, numbers):
                found.setdefault(number, set()).add(path)
        return found

    async def _among(
        self, query: sa.Select[Any], column: sa.ColumnElement[int], numbers: Collection[int] | None
    ) -> list[Any]:
        """Returns the rows whose `column` is one of some numbers; None: all."""
        if numbers is None:
            return list(await self._found(query, few=False))
        found: list[Any] = []
        for some in chunks(sorted(numbers)):
            found += await self._found(query.where(column.in_(some)), few=len(some) <= _BRIEF)
        return found

    async def _found(self, query: sa.Select[Any], *, few: bool) -> Sequence[sa.Row[Any]]:
        if few:
            return await self._database.rows(query)
        async with self._database.read() as connection:
            found: Sequence[sa.Row[Any]] = (await connection.execute(query)).all()
            return found

    async def save(
        self, revisions: Sequence[Revision], records: Sequence[FileRecord], vanished: Sequence[str], now: datetime
    ) -> list[Article]:
        """Stores new versions, what was read from which file, and which files are no more, in one transaction.

        An article with number 0 is new and gets its number here. An article whose last file vanished, or whose
        revision says so, is gone from `now` on; a file record with `article` 0 belongs to the new article with the
        same source. StaleError: another process has saved since everything was read.
        """

        def work(connection: sa.Connection) -> tuple[str, list[Article]]:
            edition = self._edition.turn(connection) if self._edition else ""
            saved = self._save_revisions(connection, revisions, now)
            numbers = {article.source: article.number for article in saved}
            rows = [_file_row(replace(r, article=numbers.get(r.path, r.article))) for r in records]
            self._upsert(connection, files, rows, ["path"])
            self._forget_files(connection, vanished, now)
            return edition, saved

        few = len(revisions) + len(records) + len(vanished) <= _BRIEF
        edition, saved = await self._database.change(work, brief=few)
        if self._edition:
            self._edition.known = edition
        return saved

    async def outputs(self) -> dict[str, OutputRecord]:
        """Returns what stands in public/, by path."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(outputs).where(outputs.c.home == self._home))
            return {row.path: OutputRecord(row.path, row.fingerprint, row.content_hash) for row in rows}

    async def output_paths(self) -> set[str]:
        """Returns the paths of what stands in public/."""
        query = sa.select(outputs.c.path).where(outputs.c.home == self._home)
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())

    async def save_outputs(self, written: Sequence[OutputRecord], removed: Sequence[str]) -> None:
        """Records what was written to public/ and what was taken away."""
        rows = [
            {"home": self._home, "path": o.path, "fingerprint": o.fingerprint, "content_hash": o.content_hash}
            for o in written
        ]

        def work(connection: sa.Connection) -> None:
            self._upsert(connection, outputs, rows, ["home", "path"])
            for some in chunks(removed):
                gone = sa.and_(outputs.c.home == self._home, outputs.c.path.in_(some))
                connection.execute(outputs.delete().where(gone))

        await self._database.change(work, brief=len(rows) + len(removed) <= _BRIEF)

    async def _articles(self, query: sa.Select[Any]) -> list[Article]:
        async with self._database.read() as connection:
            return [self._resolve(_story.decode(story)) for (story,) in await connection.execute(query)]

    def _save_revisions(self, connection: sa.Connection, revisions: Sequence[Revision], now: datetime) -> list[Article]:
        highest = (connection.execute(sa.select(sa.func.max(articles.c.id)))).scalar() or 0
        numbered = []
        for revision in revisions:
            article = revision.article
            if article.number == 0:
                highest += 1
                article = replace(article, number=highest)
            numbered.append(replace(revision, article=article))
        self._upsert(connection, articles, [_article_row(r, now) for r in numbered], ["id"])
        self._save_versions(connection, numbered)
        aliases = [{"path": path, "article_id": r.article.number} for r in numbered for path in r.former_paths]
        self._upsert(connection, redirects, aliases, ["path"])
        self._recall(connection, [r.article.number for r in numbered if r.recalls])
        return [revision.article for revision in numbered]

    def _recall(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        """Marks the mail that waits with these stories: it does not go as it is. One frozen later sees to itself."""
        if not numbers:
            return
        lock_planning_here(self._database, connection)
        for some in chunks(numbers):
            holding = sa.select(variant_stories.c.variant_id).where(variant_stories.c.article_id.in_(some))
            waiting = sa.select(issues.c.id).where(issues.c.state.in_(UNFINISHED))
            connection.execute(
                variants.update()
                .where(variants.c.id.in_(holding), variants.c.issue_id.in_(waiting), sa.not_(variants.c.stale))
                .values(stale=True)
            )

    def _save_versions(self, connection: sa.Connection, revisions: Sequence[Revision]) -> None:
        """Stores versions; a move is no change of a version, which goes on saying how it came to be."""
        key = ["article_id", "version"]
        for moved in (False, True):
            rows = [_version_row(r) for r in revisions if (r.change == _MOVED) is moved]
            self._upsert(connection, article_versions, rows, key, kept=["change", "recalls"] if moved else [])

    def _forget_files(self, connection: sa.Connection, paths: Sequence[str], now: datetime) -> None:
        for some in chunks(paths):
            gone = sa.select(files.c.article_id).where(files.c.path.in_(some), files.c.article_id.is_not(None))
            numbers = [number for (number,) in connection.execute(gone)]
            connection.execute(files.delete().where(files.c.path.in_(some)))
            still = sa.select(files.c.article_id).where(files.c.article_id.in_(numbers))
            connection.execute(
                articles.update()
                .where(articles.c.id.in_(numbers), articles.c.id.not_in(still), articles.c.gone_at.is_(None))
                .values(gone_at=micros(now))
            )

    def _upsert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        rows: Sequence[dict[str, Any]],
        key: list[str],
        kept: Sequence[str] = (),
    ) -> None:
        """Inserts rows, or replaces those with the same key but for their `kept` columns."""
        if not rows:
            return
        named = (table.name, *kept)
        if named not in self._upserts:  # to put it together takes longer than to run it
            statement = self._database.insert(table)
            changed = {column: statement.excluded[column] for column in rows[0] if column not in {*key, *kept}}
            self._upserts[named] = statement.on_conflict_do_update(index_elements=key, set_=changed)
        connection.execute(self._upserts[named], list(rows))


def _run(statement: sa.Update, connection: sa.Connection) -> None:
    connection.execute(statement)


def _latest() -> sa.Select[Any]:
    same = sa.and_(article_versions.c.article_id == articles.c.id, article_versions.c.version == articles.c.version)
    return sa.select(article_versions.c.story).select_from(articles.join(article_versions, same))


def _article_row(revision: Revision, now: datetime) -> dict[str, Any]:
    article = revision.article
    return {
        "id": article.number,
        "uri": article.id,
        "slug": article.slug,
        "path": article.path,
        "version": article.version,
        "status": article.status.value,
        "first_seen_at": micros(article.first_seen_at),
        "first_published_at": maybe_micros(article.first_published_at),
        "gone_at": micros(now) if revision.gone else None,
    }


def _version_row(revision: Revision) -> dict[str, Any]:
    return {
        "article_id": revision.article.number,
        "version": revision.article.version,
        "change": revision.change,
        "revised_at": micros(revision.article.revised_at),
        "story": msgspec.json.encode(revision.article),
        "body": msgspec.json.encode(revision.body),
        "recalls": revision.recalls,
    }


def _file(row: Any) -> FileRecord:
    return FileRecord(
        path=row.path,
        stat=FileStat(row.size, row.mtime_ns, row.ctime_ns, row.inode),
        content_hash=row.content_hash,
        article=row.article_id,
        problems=_problems.decode(row.problems),
        assets=_names.decode(row.assets),
    )


def _file_row(record: FileRecord) -> dict[str, Any]:
    return {
        "path": record.path,
        **msgspec.structs.asdict(record.stat),
        "content_hash": record.content_hash,
        "article_id": record.article or None,
        "problems": msgspec.json.encode(record.problems),
        "assets": msgspec.json.encode(record.assets),
    }
