"""Takes what changed in the articles folder into the store: parse, recognise, compare, remember.

A file that cannot be used is a problem beside the others; its last good
version stays. Ids are minted once: a renamed file, a restored one and one
that names its id are the same story.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from publisher.content.settle import rested, settled
from publisher.editorial.identity import mint_id
from publisher.editorial.lifecycle import (
    Change,
    ChangeKind,
    article_from,
    compare,
    effective_status,
    given_out,
    recalls,
    released,
    removed,
)
from publisher.editorial.timing import Calendar
from publisher.errors import NotFoundError, RefusedError, UnsettledError
from publisher.model.article import Article, Body, Manuscript, Problem, Status
from publisher.model.catalogue import Site
from publisher.model.files import FileStat, Scan
from publisher.model.publication import FileRecord, Loss, Revision
from publisher.ports import ArticleStore, Source
from publisher.services.turns import Phase, Progress, unseen

_BATCH = 500
"""Files per transaction: a cold start remembers what it has done so far."""
_AT_REST_SECONDS = 1.0
_SECOND_LOOK_SECONDS = 0.02
_SOON = timedelta(milliseconds=50)
_MANY_GONE = 10
"""So many stories may vanish at once without a question (decisions 6)."""
_FEW_GONE = 5
"""As many may be most of a small folder (delivery I15)."""


@dataclass(slots=True)
class Taken:
    """What one pass over the folder brought."""

    changes: list[tuple[Change, Article]] = field(default_factory=list)
    gone: list[Article] = field(default_factory=list)
    followed: frozenset[int] = frozenset()
    """The stories that another process has changed, who knows how."""
    problems: list[Problem] = field(default_factory=list)
    """Of every file that has any, not only of those read now."""
    read: int = 0
    loss: Loss | None = None
    """Stories that are gone, and that nobody has been found to have meant."""
    again_at: datetime | None = None
    """When to look again: something was still being written, or missing for too short a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What intake must know of the publication."""

    site: Site
    folder: str
    """The articles folder's name, as problems show it."""
    permalink: str
    withdraw: bool
    """Whether a deleted file is a withdrawal (decisions 9)."""
    missing_grace: timedelta = timedelta(0)
    """How long a file must be missing before it counts as deleted."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The files that are there, and those of which nobody can say that they are not."""

    found: dict[str, FileStat]
    refused: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()

    def excuses(self, path: str) -> bool:
        """Returns whether a file that was not found may be there all the same."""
        return path in self.refused or path.startswith(self.unread)


@dataclass(frozen=True, slots=True)
class _Read:
    """One file that was read, and what came of it."""

    path: str
    stat: FileStat
    content_hash: str
    manuscript: Manuscript | RefusedError


Reader = Callable[[Sequence[tuple[str, bytes]]], list[Manuscript | RefusedError]]
"""Makes manuscripts of files' paths and bytes, or says why not, in their order."""
Parsing = Callable[[int], AbstractContextManager[Reader]]
"""Gives a reader for so many files."""


class Intake:
    """The way from files to articles; holds what is known in memory, `load` fills it."""

    def __init__(self, source: Source, articles: ArticleStore, parsing: Parsing, house: House) -> None:
        self._source = source
        self._store = articles
        self._parsing = parsing
        self._house = house
        self._files: dict[str, FileRecord] = {}
        self._hashes: dict[str, str] = {}
        self._faulty: set[str] = set()
        """The files with something wrong."""
        self._illustrating: dict[int, set[str]] = {}
        """The files that refer to others, by the story they tell."""
        self._articles: dict[int, Article] = {}
        self._ids: dict[str, int] = {}
        self._addresses: dict[str, int] = {}
        self._present: set[int] = set()
        self._calendar = Calendar()
        self._unreleased: set[int] = set()
        """The stories that were never out."""
        self._gone: set[int] = set()
        self._vacated: dict[str, int] = {}
        """By file name, the story that went last with a file of that name."""
        self._missing: dict[str, datetime] = {}
        self._claims: dict[int, str] = {}
        self._displaced: dict[int, str] = {}
        """Stories whose file tells another story now, with the hash of what it said: another file may bring it back."""
        self._displaced_at: dict[int, datetime] = {}
        """When that was first seen."""
        self._fresh: dict[str, str] = {}
        """Addresses of the batch at hand, by the file that has them."""
        self._reserved: Mapping[str, str] = {}
        self._unusable: tuple[Problem, ...] = ()
        self._loss: Loss | None = None

    @property
    def articles(self) -> list[Article]:
        """Every article whose file is there, as stored."""
        return [self._articles[number] for number in self._present]

    @property
    def gone(self) -> list[Article]:
        """Every article whose file is no more."""
        return [self._articles[number] for number in sorted(self._gone)]

    def come(self, after: datetime, until: datetime) -> list[Article]:
        """Returns the stories of which a date came in (after, until]: time alone may have changed them."""
        return [self._articles[number] for number in sorted(self._calendar.between(after, until))]

    def holder(self, address: str) -> int | None:
        """Returns the number of the story at a root-relative address."""
        return self._addresses.get(address)

    def story(self, number: int) -> Article | None:
        """Returns a story as stored, its file there or gone."""
        return self._articles.get(number)

    def misses(self, sources: Iterable[str]) -> bool:
        """Returns whether any of these files was missing at the last look."""
        return any(source in self._missing for source in sources)

    def assets(self, numbers: set[int] | None) -> list[str]:
        """Returns the files below the articles folder that these stories show; None: that any does."""
        return sorted({name for record in self._illustrated(numbers) if self._shows(record) for name in record.assets})

    def dropped_assets(self, numbers: set[int]) -> set[str]:
        """Returns the files that these stories refer to and that none shows any more."""
        named = {name for record in self._illustrated(numbers) for name in record.assets}
        return named.difference(self.assets(None)) if named else named

    def _illustrated(self, numbers: set[int] | None) -> list[FileRecord]:
        paths = self._illustrating if numbers is None else numbers & self._illustrating.keys()
        return [self._files[path] for number in paths for path in self._illustrating[number]]

    def _shows(self, record: FileRecord) -> bool:
        """Whether a file's story may show its pictures: one that was taken back takes them along."""
        article = self._articles.get(record.article or 0)
        return article is not None and article.status is Status.PUBLISHED

    async def load(self) -> None:
        """Reads what the store remembers."""
        await self._store.note()  # whoever saves from here on is noticed, also while we read
        self._files = await self._store.files()
        self._hashes = {record.content_hash: path for path, record in self._files.items()}
        self._faulty, self._illustrating = set(), {}
        for record in self._files.values():
            self._mark(record)
        current = await self._store.current()
        gone = await self._store.gone()
        self._articles = {article.number: article for article in gone}
        self._ids = {article.id: article.number for article in gone}
        self._gone = set(self._articles)
        self._vacated = {article.source: article.number for article in gone}
        self._present, self._unreleased, self._addresses = set(), set(), {}
        self._calendar = Calendar()
        self._remember([], current)
        named = {record.article for record in self._files.values()}
        self._displaced = dict.fromkeys(self._present - named, "")

    async def is_behind(self) -> bool:
        """Returns whether another process has saved since everything was read."""
        return await self._store.moved()

    async def edition(self) -> str:
        """Returns which edition of the stories the store has, whoever saved it."""
        return await self._store.edition()

    async def follow(self) -> Taken:
        """Reads again what another process saved; returns what is not as it was here."""
        taken = Taken()
        if await self._store.moved():
            before, present = self._articles, self._present
            await self.load()
            differing = (self._articles[n] for n in sorted(self._present) if before.get(n) != self._articles[n])
            back = (self._articles[n] for n in sorted(self._present - present) if before.get(n) == self._articles[n])
            followed = [(Change(kind=ChangeKind.UPDATED, version=a.version), a) for a in (*differing, *back)]
            taken.changes, taken.followed = followed, frozenset(a.number for _, a in followed)
            taken.gone = [self._articles[n] for n in sorted(present - self._present) if n in self._articles]
        taken.problems = self.problems()
        return taken

    def elsewhere(self, store: ArticleStore) -> "Intake":
        """Returns a way in from the same folder that keeps what it takes in another store."""
        return Intake(self._source, store, self._parsing, self._house)

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns the next instant at which a date alone changes what is out."""
        return self._calendar.next_after(now)

    async def take(
        self,
        now: datetime,
        paths: Iterable[str] | None = None,
        *,
        baseline: bool = False,
        accept_loss: bool = False,
        believed: Collection[str] = (),
        everything: bool = False,
        at_once: bool = False,
        scan: Scan | None = None,
        progress: Progress = unseen,
    ) -> Taken:
        """Takes in every changed file, or of `paths` those that changed.

        `baseline`: a first run; what is there counts as published at its date (decisions 3). `accept_loss`: believe
        it when many stories are gone at once; `believed`: when it is no others than these. `everything`: read
        unchanged files as well, the rules changed. `at_once`: a file that is missing is deleted, there is no later
        look that could tell. `scan`: the look at the folder, if it was had. `progress` is told of the files read.
        """
        taken = Taken()
        look = self._look(paths, scan)
        grace = timedelta(0) if at_once else self._house.missing_grace
        vanished = self._vanished(look, paths, now, taken, grace)
        everywhere = paths is None
        changed = {
            path: stat
            for path, stat in look.found.items()
            if everything or self._changed(path, stat) or (everywhere and self._files[path].refused)
        }
        whole = await self._whole(changed, now, taken)
        with self._parsing(len(whole)) as parse:
            for start in range(0, len(whole), _BATCH):
                await self._take_files(whole[start : start + _BATCH], parse, now, baseline, taken)
                progress(Phase.READING, min(start + _BATCH, len(whole)), len(whole))
        overwritten = self._overwritten(now, taken, grace)
        if vanished or overwritten or everywhere:
            lost = self._lost(vanished, overwritten)
            meant = None if accept_loss else believed
            if not self._believable(lost, meant, now, taken):
                numbers = {article.number for article in lost}
                vanished, lost = [path for path in vanished if self._files[path].article not in numbers], []
            await self._forget(vanished, lost, now, taken)
        await self._release(now, taken)
        taken.problems = self.problems()
        return taken

    def problems(self) -> list[Problem]:
        """Returns what is wrong with every file that has anything wrong, as of its last reading."""
        loss = () if self._loss is None else (Problem(path=".", line=1, message=self._loss.reason),)
        found = [*self._unusable, *loss, *(p for path in sorted(self._faulty) for p in self._files[path].problems)]
        return [replace(problem, path=f"{self._house.folder}/{problem.path}") for problem in found]

    def scan(self) -> Scan:
        """Returns a look at the whole folder."""
        return self._source.scan()

    def _look(self, paths: Iterable[str] | None, scan: Scan | None) -> "_Look":
        if paths is None:
            scan = scan or self._source.scan()
            self._unusable = scan.refused
            return _Look(scan.articles, frozenset(problem.path for problem in scan.refused), scan.unread)
        stats = {path: self._source.stat(path) for path in paths}
        return _Look({path: stat for path, stat in stats.items() if stat is not None})

    def _changed(self, path: str, stat: FileStat) -> bool:
        known = self._files.get(path)
        return known is None or known.stat != stat

    async def _whole(self, changed: dict[str, FileStat], now: datetime, taken: Taken) -> list[tuple[str, FileStat]]:
        """Returns the files that nobody is writing any more: at rest, or the same at a second look."""
        fresh = [path for path, stat in changed.items() if not rested(stat, now, _AT_REST_SECONDS)]
        if fresh:
            await asyncio.sleep(_SECOND_LOOK_SECONDS)
        moving = {path for path in fresh if not self._same(path, changed[path])}
        if moving:
            self._look_again(taken, now + _SOON)
        return sorted((path, stat) for path, stat in changed.items() if path not in moving)

    def _same(self, path: str, before: FileStat) -> bool:
        after = self._source.stat(path)
        return after is not None and settled(before, after)

    def _vanished(
        self, look: "_Look", paths: Iterable[str] | None, now: datetime, taken: Taken, grace: timedelta
    ) -> list[str]:
        """Returns the files that have been missing for long enough to count as deleted."""
        known = self._files if paths is None else [path for path in paths if path in self._files]
        missing = [path for path in known if path not in look.found and not look.excuses(path)]
        for path in look.found:
            self._missing.pop(path, None)
        since = {path: self._missing.setdefault(path, now) for path in missing}
        due = [path for path, at in since.items() if now - at >= grace]
        if len(due) < len(missing):
            self._look_again(taken, now + grace)
        return due

    def _believable(self, lost: list[Article], meant: Collection[str] | None, now: datetime, taken: Taken) -> bool:
        """Returns whether these stories may be taken down: many at once are first asked about.

        `meant` are the files that somebody has said are meant to be gone; None: all are.
        """
        self._loss = None
        sources = {article.source for article in lost}
        many = len(lost) > _MANY_GONE or (len(lost) > _FEW_GONE and 2 * len(lost) > len(self._present))
        if not many or meant is None or sources.issubset(meant):
            return True
        self._loss = taken.loss = Loss(at=now, sources=tuple(sorted(sources)), of=len(self._present))
        return False

    def _overwritten(self, now: datetime, taken: Taken, grace: timedelta) -> set[int]:
        """Returns the displaced stories that no file has brought back for as long as a file may be missing."""
        self._displaced_at = {number: self._displaced_at.get(number, now) for number in self._displaced}
        due = {number for number, at in self._displaced_at.items() if now - at >= grace}
        if len(due) < len(self._displaced):
            self._look_again(taken, now + grace)
        return due

    def _lost(self, vanished: list[str], overwritten: set[int]) -> list[Article]:
        """Returns the stories whose last file is gone; a file that moved has given its story away already."""
        if not vanished and not overwritten:
            return []
        going = set(vanished)
        kept = {record.article for path, record in self._files.items() if path not in going}
        numbers = {self._files[path].article for path in vanished} | overwritten
        return [self._articles[n] for n in sorted(n for n in numbers - kept if n is not None) if n in self._present]

    def _look_again(self, taken: Taken, at: datetime) -> None:
        taken.again_at = at if taken.again_at is None else min(taken.again_at, at)

    async def _take_files(
        self, whole: list[tuple[str, FileStat]], parse: Reader, now: datetime, baseline: bool, taken: Taken
    ) -> None:
        read = self._read(whole, parse, now, taken)
        taken.read += len(read)
        manuscripts = [one.manuscript for one in read if isinstance(one.manuscript, Manuscript)]
        moved = {self._moved_from(manuscript): manuscript.source for manuscript in manuscripts}
        self._fresh = {}
        self._claims = {number: source for number, source in moved.items() if number is not None}
        before = await self._bodies_before(manuscripts)
        revisions: list[Revision] = []
        records: list[FileRecord] = []
        kinds: list[Change] = []
        for one in read:
            try:
                if isinstance(one.manuscript, RefusedError):
                    raise one.manuscript
                change, revision = self._revised(one.manuscript, before, now, baseline)
            except RefusedError as error:
                records.append(self._refused(one, error))
                continue
            records.append(_record(one, revision.article.number, one.manuscript))
            if change.to_store:
                revisions.append(revision)
                kinds.append(change)
        saved = await self._store.save(revisions, records, [], now)
        self._remember(records, saved)
        taken.changes += zip(kinds, saved, strict=True)

    def _read(self, whole: list[tuple[str, FileStat]], parse: Reader, now: datetime, taken: Taken) -> list["_Read"]:
        """Returns what came of each file, in their order; of those that are being written nothing yet."""
        found: dict[str, tuple[FileStat, bytes]] = {}
        read: dict[str, _Read] = {}
        for path, stat in whole:
            try:
                found[path] = stat, self._source.read(path)
            except (UnsettledError, NotFoundError):
                self._look_again(taken, now + _SOON)
            except RefusedError as error:
                read[path] = _Read(path, stat, "", error)
        parsed = parse([(path, data) for path, (_, data) in found.items()])
        for (path, (stat, data)), manuscript in zip(found.items(), parsed, strict=True):
            read[path] = _Read(path, stat, hashlib.sha256(data).hexdigest(), manuscript)
        return [read[path] for path, _ in whole if path in read]

    async def _bodies_before(self, manuscripts: list[Manuscript]) -> dict[tuple[int, int], Body]:
        known = [article for one in manuscripts if (article := self._recognised(one)) is not None]
        return await self._store.bodies((article.number, article.version) for article in known)

    def _recognised(self, manuscript: Manuscript) -> Article | None:
        """Returns the article this file is about: the one it names, one that was moved here, its own, one restored.

        Text goes before name: of two files that were swapped each keeps its story, and a new text under the name of
        a story that has moved on is a new story.
        """
        number = self._ids.get(manuscript.id) if manuscript.id else None
        if not number:
            number = self._moved_from(manuscript)
        if not number:
            number = self._own(manuscript)
        if not number and not manuscript.id:
            number = self._vacated.get(manuscript.source)
            number = number if number in self._gone else None
        return self._articles.get(number) if number else None

    def _own(self, manuscript: Manuscript) -> int | None:
        record = self._files.get(manuscript.source)
        if record is None or record.article is None:
            return None
        taken_by = self._claims.get(record.article, manuscript.source)
        article = self._articles[record.article]
        elsewhere = article.source != manuscript.source and self._told(article)
        return record.article if taken_by == manuscript.source and not elsewhere else None

    def _moved_from(self, manuscript: Manuscript) -> int | None:
        """Returns the article of another file that had these bytes and has them no more."""
        path = self._hashes.get(manuscript.content_hash)
        if path is not None:
            return None if path == manuscript.source or self._stands(path) else self._files[path].article
        return next((n for n, said in self._displaced.items() if said == manuscript.content_hash), None)

    def _stands(self, path: str) -> bool:
        """Whether a file is still where and what it was when it was last read."""
        record = self._files.get(path)
        return record is not None and path not in self._missing and self._source.stat(path) == record.stat

    def _told(self, article: Article) -> bool:
        """Whether a story's file still stands and is still about it."""
        record = self._files.get(article.source)
        return record is not None and record.article == article.number and self._stands(article.source)

    def _revised(
        self,
        manuscript: Manuscript,
        before: dict[tuple[int, int], Body],
        now: datetime,
        baseline: bool,
    ) -> tuple[Change, Revision]:
        previous = self._recognised(manuscript)
        self._check_single_source(manuscript, previous)
        self._check_guid(manuscript, previous)
        if previous is not None and not manuscript.slug_given:
            manuscript = replace(manuscript, slug=previous.slug)  # a renamed file keeps its address
        status = effective_status(manuscript.status, previous, withdraw=self._house.withdraw)
        if status is not manuscript.status:
            manuscript = replace(manuscript, status=status)
        body_before = before.get((previous.number, previous.version)) if previous else None
        change = compare(previous, body_before, manuscript)
        first_seen_at = previous.first_seen_at if previous else now
        article = article_from(
            manuscript,
            id=self._id_of(manuscript, previous) if previous else self._new_id(manuscript, now),
            number=previous.number if previous else 0,
            first_seen_at=first_seen_at,
            change=change,
            now=now,
            zone=self._house.site.timezone,
            permalink=self._house.permalink,
            previous=previous,
            baseline=baseline,
        )
        self._check_address(article)
        if previous is not None and not change.to_store:
            if previous.number not in self._present:
                change = replace(change, kind=ChangeKind.RELEASED)
            elif previous.path != article.path:  # the site's pattern of addresses changed
                change = replace(change, kind=ChangeKind.MOVED)
        former = [*manuscript.aliases]
        if previous is not None and previous.path != article.path and given_out(previous):
            former.append(previous.path)
        revision = Revision(
            article=article,
            body=manuscript.body,
            change=change.kind.value,
            former_paths=tuple(former),
            recalls=previous is not None and recalls(previous, article, change),
        )
        self._reserve(article)
        return change, revision

    def _check_single_source(self, manuscript: Manuscript, previous: Article | None) -> None:
        if previous is None or previous.number not in self._present or previous.source == manuscript.source:
            return
        if self._told(previous):
            raise RefusedError(f"the id {previous.id} belongs to {previous.source}; give this story an id of its own")

    def _check_guid(self, manuscript: Manuscript, previous: Article | None) -> None:
        """Refuses to give a story another name in feeds: readers would see it as new."""
        if previous is not None and given_out(previous) and manuscript.guid != previous.guid:
            had = f"is {previous.guid!r}" if previous.guid else "is its id, and none was written"
            raise RefusedError(f"the guid of this story {had}, and never changes; write that one")

    def reserve(self, addresses: Mapping[str, str]) -> None:
        """Takes note of the addresses that no story may have, and of what stands there."""
        self._reserved = addresses

    def _check_address(self, article: Article) -> None:
        if article.path in self._reserved:
            stands = self._reserved[article.path]
            raise RefusedError(f"the address {article.path} is taken by {stands}; write another `slug` or `permalink`")
        holder = self._addresses.get(article.path)
        if holder is None or holder == article.number:
            return
        other = self._articles.get(holder)
        name = other.source if other else self._fresh.get(article.path, "another new file")
        raise RefusedError(f"the address {article.path} is taken by {name}; write another `slug`")

    def _reserve(self, article: Article) -> None:
        """Keeps address and id for a story of this batch that has no number yet."""
        self._addresses.setdefault(article.path, article.number or -1)
        self._fresh.setdefault(article.path, article.source)
        self._ids.setdefault(article.id, article.number)

    def _id_of(self, manuscript: Manuscript, previous: Article) -> str:
        """Returns the id a known story goes on under: another one only as long as nobody had it under the first."""
        if manuscript.id is None or manuscript.id == previous.id:
            return previous.id
        if given_out(previous):
            raise RefusedError(
                f"this file is the story {previous.id}, and an id never changes; write that `id` or none, "
                f"or give the other story a file of its own"
            )
        return manuscript.id

    def _new_id(self, manuscript: Manuscript, now: datetime) -> str:
        if manuscript.id:
            return manuscript.id
        day = (manuscript.date or now).astimezone(ZoneInfo(self._house.site.timezone)).date()
        suffix = 1
        wanted = mint_id(self._house.site.url, day, manuscript.slug)
        while wanted in self._ids:
            suffix += 1
            wanted = mint_id(self._house.site.url, day, manuscript.slug, str(suffix))
        return wanted

    def _refused(self, one: "_Read", error: RefusedError) -> FileRecord:
        known = self._files.get(one.path)
        return FileRecord(
            path=one.path,
            stat=one.stat,
            content_hash=one.content_hash,
            article=self._about(one, known.article if known else None),
            problems=(Problem(path=one.path, line=error.line, message=error.message),),
            assets=known.assets if known else (),
        )

    def _about(self, one: "_Read", known: int | None) -> int | None:
        """Returns the story of a file that is refused: as before, but what was killed is so under any name."""
        found = self._recognised(one.manuscript) if isinstance(one.manuscript, Manuscript) else None
        if found is not None and (known is None or found.status is Status.KILLED):
            return found.number
        return known

    def _remember(self, records: list[FileRecord], saved: list[Article]) -> None:
        numbers = {article.source: article.number for article in saved}
        for record in records:
            before = self._files.get(record.path)
            if before is not None and self._hashes.get(before.content_hash) == record.path:
                del self._hashes[before.content_hash]
            if before is not None:
                self._unmark(before)
            known = self._files[record.path] = replace(record, article=numbers.get(record.path, record.article))
            self._mark(known)
            self._hashes[record.content_hash] = record.path
            if before is not None and before.article not in (None, known.article):
                self._displace(before)
        for article in saved:
            self._displaced.pop(article.number, None)
            earlier = self._articles.get(article.number)
            if earlier is not None and self._addresses.get(earlier.path) == article.number:
                del self._addresses[earlier.path]
            if earlier is not None and earlier.id != article.id:
                self._ids.pop(earlier.id, None)
            self._articles[article.number] = article
            self._ids[article.id] = article.number
            self._addresses[article.path] = article.number
            self._present.add(article.number)
            self._gone.discard(article.number)
            self._note_dates(article)

    def _mark(self, record: FileRecord) -> None:
        """Keeps apart the few files that something is wrong with, or that show others."""
        if record.problems:
            self._faulty.add(record.path)
        if record.assets and record.article is not None:
            self._illustrating.setdefault(record.article, set()).add(record.path)

    def _unmark(self, record: FileRecord) -> None:
        self._faulty.discard(record.path)
        if record.assets and record.article is not None:
            self._illustrating[record.article].discard(record.path)

    def _displace(self, record: FileRecord) -> None:
        """Notes the story that a file told before, unless it has moved on to another one."""
        article = self._articles.get(record.article or 0)
        if article is not None and article.source == record.path:
            self._displaced[article.number] = record.content_hash

    def _note_dates(self, article: Article) -> None:
        """Keeps apart what time alone may change, so that no pass looks at all stories."""
        self._calendar.put(article)
        if article.first_published_at is None:
            self._unreleased.add(article.number)
        else:
            self._unreleased.discard(article.number)

    async def _forget(self, vanished: list[str], lost: list[Article], now: datetime, taken: Taken) -> None:
        """Takes down the stories whose last file is gone."""
        if not vanished and not lost:
            return
        bodies = await self._store.bodies((a.number, a.version) for a in lost)
        revisions = []
        for article in lost:
            after = removed(article, now, withdraw=self._house.withdraw)
            body = bodies[article.number, article.version]
            change = ChangeKind.WITHDRAWN.value
            revisions.append(Revision(article=after, body=body, change=change, recalls=True, gone=True))
        saved = await self._store.save(revisions, [], vanished, now)
        for path in vanished:
            record = self._files.pop(path)
            self._unmark(record)
            self._missing.pop(path, None)
            if self._hashes.get(record.content_hash) == path:
                del self._hashes[record.content_hash]
        for article in saved:
            self._articles[article.number] = article
            self._present.discard(article.number)
            self._calendar.take(article.number)
            self._unreleased.discard(article.number)
            self._displaced.pop(article.number, None)
            self._gone.add(article.number)
            self._vacated[article.source] = article.number
            self._addresses.pop(article.path, None)
        taken.gone += saved

    async def _release(self, now: datetime, taken: Taken) -> None:
        """Notes the first publication of stories whose hour has come."""
        due = [
            (article, after)
            for article in (self._articles[n] for n in sorted(self._unreleased))
            if (after := released(article, now)) is not article
        ]
        if not due:
            return
        bodies = await self._store.bodies((a.number, a.version) for a, _ in due)
        revisions = [
            Revision(article=after, body=bodies[a.number, a.version], change=ChangeKind.PUBLISHED.value)
            for a, after in due
        ]
        saved = await self._store.save(revisions, [], [], now)
        self._remember([], saved)
        taken.changes += [(Change(kind=ChangeKind.PUBLISHED, version=a.version), a) for a in saved]


class Rehearsal:
    """A store that reads what there is and keeps nothing: intake with it says what would happen."""

    def __init__(self, store: ArticleStore) -> None:
        self._store = store
        self._highest = 0

    async def current(self) -> list[Article]:
        """Returns what the store has."""
        found = await self._store.current()
        self._highest = max((article.number for article in found), default=0)
        return found

    async def gone(self) -> list[Article]:
        """Returns what the store has."""
        found = await self._store.gone()
        self._highest = max((article.number for article in found), default=self._highest)
        return found

    async def files(self) -> dict[str, FileRecord]:
        """Returns what the store has."""
        return await self._store.files()

    async def moved(self) -> bool:
        """Returns whether somebody else has saved."""
        return await self._store.moved()

    async def edition(self) -> str:
        """Returns what the store has."""
        return await self._store.edition()

    async def note(self) -> None:
        """Takes note of nothing: what the store knows is its own affair."""

    async def bodies(self, versions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Body]:
        """Returns what the store has."""
        return await self._store.bodies(versions)

    async def save(
        self,
        revisions: Sequence[Revision],
        records: Sequence[FileRecord],
        vanished: Sequence[str],
        now: datetime,
    ) -> list[Article]:
        """Numbers new articles and forgets them."""
        saved = []
        for revision in revisions:
            article = revision.article
            if article.number == 0:
                self._highest += 1
                article = replace(article, number=self._highest)
            saved.append(article)
        return saved


def _record(one: "_Read", article: int, manuscript: Manuscript) -> FileRecord:
    return FileRecord(
        path=one.path,
        stat=one.stat,
        content_hash=one.content_hash,
        article=article,
        problems=manuscript.warnings,
        assets=manuscript.assets,
    )
