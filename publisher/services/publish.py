"""Keeps public/ equal to what the public may see: pages, feeds, sitemaps, files.

Every output has a fingerprint of all it is made from. A pass looks at the
outputs that hold what changed, makes those whose fingerprint differs from
the stored one, and writes those: nothing changed, nothing written.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from publisher import __version__
from publisher.editorial.access import decide, goes_by, open_from, settled
from publisher.editorial.shelves import Shelf, Shelves, shelves_of
from publisher.editorial.ties import Ties
from publisher.editorial.timing import next_change_at, publishable
from publisher.errors import PublisherError, StaleError
from publisher.feeds import FORMATS
from publisher.model.archive import PastIssue
from publisher.model.article import Article, Problem
from publisher.model.catalogue import Catalogue
from publisher.model.people import PUBLIC
from publisher.model.publication import Loss, OutputRecord
from publisher.model.view import Channel, Depth
from publisher.ports import Companions, Custodian, Facts, FeedArchiveStore, Output, Outputs, Renderer, Stories
from publisher.services.advices import FOLLOWED, Advices
from publisher.services.archive import Archive
from publisher.services.corrections import CorrectionLog
from publisher.services.document import Document, fingerprint
from publisher.services.documents import CORRECTIONS_FEED, Documents
from publisher.services.feed_archives import FeedArchives
from publisher.services.gone import GoneMap
from publisher.services.intake import Intake, Taken
from publisher.services.outline import Outline, feed_path, file_of
from publisher.services.renditions import Renditions

RULES = "rules"
"""The fact that says by which rules the stories were read; without it, this is the first run over the folder."""
_LOSS = "held_loss"
"""The fact that says which stories are gone without anybody having said that they should be."""
SHOWN = frozenset({Depth.HEADLINE, Depth.SUMMARY, Depth.FULL})
_WRITTEN_AT_ONCE = 200


@dataclass(slots=True)
class Report:
    """What one pass did."""

    taken: Taken
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    """What kept outputs from being made, each with one of them: the last good ones stay."""

    @property
    def refused(self) -> list[Problem]:
        """The files that cannot be used as they are."""
        return [problem for problem in self.taken.problems if problem.fatal]


class Publishing:
    """The way from stories to public/; `open` first, then `refresh` at every change."""

    def __init__(
        self,
        *,
        intake: Intake,
        articles: Stories,
        facts: Facts,
        outputs: Outputs,
        output: Output,
        beside: Output,
        companions: Companions,
        renderer: Renderer,
        catalogue: Catalogue,
        archive: Archive,
        feed_archives: FeedArchiveStore,
        authority: str,
        epoch: datetime,
        setting: str,
        custody: Custodian | None = None,
        home: str = "",
    ) -> None:
        """`beside` is the folder that public/ is in, `authority` `domain,date` of the feeds' tag URIs, `epoch` when the
        publication began, `setting` a hash of all in config that stories and outputs depend on; `custody` says whether
        this node takes the folder in, None: there is no other; `home` is what the folder is remembered by."""
        self.intake = intake
        self.catalogue = catalogue
        self.outline = Outline(catalogue, authority, epoch)
        self.renditions = Renditions(articles, catalogue)
        self.everything = Shelves(catalogue)
        """Every story that is out, for whoever may read it."""
        self.public = Shelves(catalogue)
        """What the public may know of."""
        self.advices = Advices(articles, catalogue)
        """What is told beside."""
        self.generation = 0
        """Moves with every change of what is out: caches of private renditions hang on it."""
        self.known: tuple[Article, ...] = ()
        """Every story as stored, its file there or gone, as of the end of the last pass."""
        self.as_of: datetime | None = None
        """Of which moment the last pass was."""
        self.archive = archive
        """The past issues that stand on the web."""
        self._custody = custody
        self._facts = facts
        self._companions = companions
        self._outputs = outputs
        self._output = output
        self._gone_map = GoneMap(beside, facts, home)
        self._rules = fingerprint(__version__, setting)
        self._base = ""
        self._depths: dict[int, Depth] = {}
        self._alone: dict[int, Article] = {}
        """The stories that have a page but stand on no list: on hold, or expired and kept."""
        self._aside = Ties()
        """Between those and the rest."""
        self._delayed: dict[int, datetime] = {}
        """When the public may have what so far only subscribers have."""
        self._log = CorrectionLog()
        self._until: datetime | None = None
        self._feed_archives = FeedArchives(feed_archives, catalogue, self.outline, self.public)
        self._documents = Documents(
            catalogue=catalogue,
            outline=self.outline,
            renditions=self.renditions,
            renderer=renderer,
            companions=companions,
            everything=self.everything,
            public=self.public,
            alone=self._alone,
            depths=self._depths,
            advices=self.advices,
            feed_archives=self._feed_archives,
            log=self._log,
            archive=archive,
            latest=intake.story,
        )
        self._standing: dict[str, OutputRecord] = {}
        self._moved: dict[str, str] = {}
        self._gone: set[str] = set()
        self._left: set[str] = set()
        """Files that may have lost their reason in this pass."""
        self._kin: set[int] = set()
        """Stories whose pages speak of what changed in this pass."""
        self._takes_in = custody is None
        self._unsure = False
        """Whether some of what was taken in may be on no shelf."""
        self._busy = asyncio.Lock()

    @property
    def moved(self) -> dict[str, str]:
        """Old addresses and where they lead, for the public."""
        return self._moved

    @property
    def gone(self) -> set[str]:
        """Returns the addresses of stories, and of issues, that were public and are no more: 410."""
        return self._gone

    def addresses(self) -> dict[str, str]:
        """Returns the root-relative addresses that no story may have, and what stands there."""
        return self._documents.addresses()

    async def open(self) -> None:
        """Reads what the store remembers of stories and outputs."""
        await self.intake.load()
        self._standing = await self._outputs.outputs()
        await self._feed_archives.open()
        self._output.sweep()

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns when time alone will change what is out, what is told of it, or what a front page says of today."""
        moments = [room.next_change_at(now) for room in (self.intake, self.advices, self._documents)]
        moments += [at for at in self._delayed.values() if at > now]
        return min((at for at in moments if at is not None), default=None)

    def stands(self, now: datetime) -> bool:
        """Returns whether all is at `now` as the last pass left it: time alone has changed nothing since."""
        return self._until is None or now < self._until

    async def problems(self) -> list[Problem]:
        """Returns what was wrong with the files when they were last read, without reading them again."""
        await self.intake.load()
        return self.intake.problems()

    async def refresh(
        self,
        now: datetime,
        paths: Iterable[str] | None = None,
        *,
        accept_loss: bool = False,
        at_once: bool = False,
    ) -> Report:
        """Takes in what changed (of `paths`, or anywhere) and brings public/ up to date.

        Passes never overlap; each is idempotent, so a killed one is simply done again. `accept_loss` and `at_once`
        as `Intake.take` has them.
        """
        async with self._busy:
            taken = await self._taken(now, paths, accept_loss=accept_loss, at_once=at_once)
            report = Report(taken)
            whole = paths is None or self._unsure
            self._unsure = False
            base = self._documents.base(self._rules) if whole or not self._base else self._base
            everything = whole and (base != self._base or not len(self.everything))
            self._base = base
            issues = await self.archive.look() if whole else []
            await self._follow(taken, now)
            touched, changed = self._shelve(taken, now, everything=everything)
            if touched or changed or whole:
                self.known = (*self.intake.articles, *self.intake.gone)
            self.as_of = now
            self._until = self.next_change_at(now)
            if touched or changed or whole:
                self.generation += bool(touched or changed)
                await self._outputs.note_public([n for n in changed if n in self.public], now)
                self._left |= self._documents.note(changed | self._kin, issues)
                await self._note_addresses()
                if whole:
                    documents = self._documents.all(self.intake.assets(None), now)
                else:
                    assets = self.intake.assets(changed)
                    self._left |= self._documents.asset_paths(self.intake.dropped_assets(changed))
                    documents = self._documents.touched(touched, changed | self._kin, assets, now)
                await self._bring_up(documents, report, prune=whole)
            return report

    async def is_behind(self, now: datetime) -> bool:
        """Returns whether a pass is due because of another node: it took stories in, or does so no more."""
        if self._custody is None:
            return False
        ours = await self._custody.ours(now)
        return ours is not self._takes_in or await self.intake.is_behind()

    async def refresh_issues(self, now: datetime) -> Report:
        """Brings the pages and feeds of past issues up to date with the ledger: to be said when some were planned."""
        async with self._busy:
            report = Report(Taken())
            issues = await self.archive.look() if self._base else []
            if issues:
                self._left |= self._documents.note((), issues)
                await self._bring_up(self._documents.touched((), (), (), now, issues), report, prune=False)
            return report

    async def rehearse_issue(self, issue: PastIssue) -> bytes | None:
        """Returns the page that an issue would have; None when the public would have nothing of it."""
        return await self._documents.rehearse_issue(issue)

    @property
    def stamp(self) -> str:
        """Returns what is another one whenever what is out, or how it is laid out, has changed."""
        return f"{self.generation}.{self._base}"

    async def _taken(self, now: datetime, paths: Iterable[str] | None, *, accept_loss: bool, at_once: bool) -> Taken:
        """Takes in what changed, or follows the node that does."""
        if self._custody is None:
            return await self._take(now, paths, accept_loss=accept_loss, at_once=at_once)
        followed = await self.intake.follow()
        self._takes_in = await self._custody.ours(now)
        if not self._takes_in:
            return followed
        try:
            taken = await self._take(now, paths, accept_loss=accept_loss, at_once=at_once)
        except StaleError:  # what was taken in up to then is on no shelf yet: everything is put there anew
            self._base, self._unsure = "", True
            followed = await self.intake.follow()
            taken = await self._take(now, None, accept_loss=accept_loss, at_once=at_once)
        again = {a.number for _, a in taken.changes} | {a.number for a in taken.gone}
        taken.changes = [each for each in followed.changes if each[1].number not in again] + taken.changes
        taken.gone = [each for each in followed.gone if each.number not in again] + taken.gone
        taken.followed = followed.followed
        return taken

    async def _take(self, now: datetime, paths: Iterable[str] | None, *, accept_loss: bool, at_once: bool) -> Taken:
        loss = await self.loss()
        believed = loss.sources if loss is not None and loss.released else ()
        if paths is not None:
            taken = await self.intake.take(now, paths, believed=believed)
            await self._note_loss(loss, taken.loss or loss)
            return taken
        known_rules = await self._facts.get(RULES)
        self.intake.reserve(self.addresses())
        taken = await self.intake.take(
            now,
            baseline=known_rules is None,
            accept_loss=accept_loss,
            believed=believed,
            everything=known_rules != self._rules,
            at_once=at_once,
        )
        # Right after a start nobody knows yet how long a file has been missing.
        waits = loss is not None and self.intake.misses(loss.sources)
        await self._note_loss(loss, taken.loss or (loss if waits else None))
        taken.problems += self._companions.problems()
        if known_rules != self._rules:
            await self._facts.put(RULES, self._rules)
        return taken

    # What is missing --------------------------------------------------------------------------------------------------

    async def loss(self) -> Loss | None:
        """Returns the stories that are gone from the folder and were not taken down, if there are any."""
        told = await self._facts.get(_LOSS)
        return msgspec.json.decode(told, type=Loss) if told else None

    async def release_loss(self) -> bool:
        """Has the stories that are gone taken down at the next pass; False when there are none."""
        loss = await self.loss()
        if loss is not None:
            await self._note_loss(loss, replace(loss, released=True))
        return loss is not None

    async def _note_loss(self, before: Loss | None, after: Loss | None) -> None:
        """Remembers a loss, since when it is one as well; None: there is none any more."""
        if before is not None and after is not None and set(before.sources) == set(after.sources):
            after = replace(after, at=before.at)
        if after != before:
            await self._facts.put(_LOSS, "" if after is None else msgspec.json.encode(after).decode())

    # What is out ------------------------------------------------------------------------------------------------------

    def _shelve(self, taken: Taken, now: datetime, *, everything: bool) -> tuple[set[Shelf], set[int]]:
        """Puts what changed on its shelves; returns the public shelves and the stories that are not as they were."""
        stories = self.intake.articles if everything else [article for _, article in taken.changes]
        self._kin = set()
        gone = {article.number for article in taken.gone}
        stories = [settled(stored, self.catalogue) for stored in stories if stored.number not in gone]
        changed = {article.number for article in stories} | gone
        due = [settled(stored, self.catalogue) for n, stored in self._due(now).items() if n not in changed]
        changed |= {article.number for article in due}
        aged = self.advices.aged(self.as_of, now) if self.as_of else set()
        touched = self.advices.retell(self.advices.numbers() if everything else changed | aged, now)
        self._leave_feeds(touched)
        for article in [*stories, *due]:
            touched |= self._place(article, now)
        for number in gone:
            touched |= self._remove(number)
        kin = (story for number in self._kin if (story := self.public.get(number)) is not None)
        touched |= {shelf for story in kin for shelf in shelves_of(story, self.catalogue)}
        return touched, changed | aged

    async def _follow(self, taken: Taken, now: datetime) -> None:
        """Reads the histories that there is more to tell of than before."""
        changed = [
            a.number
            for c, a in taken.changes
            if c.kind in FOLLOWED or a.number in self.advices or a.number in taken.followed
        ]
        await self.advices.follow([*changed, *(article.number for article in taken.gone)], now)

    def _place(self, article: Article, now: datetime) -> set[Shelf]:
        number, policy = article.number, self.catalogue.policy
        depth = decide(article, PUBLIC, Channel.PAGE, now, policy=policy)
        if not publishable(article, now) or not goes_by(article, Channel.PAGE):
            touched = self._remove(number)
            held = self.advices.held(number)
            if held is not None or depth in SHOWN:
                self._alone[number] = alone = article if held is None else replace(held, path=article.path)
                self._aside.put(alone)
                self._depths[number] = Depth.HOLD if held is not None else depth
            return touched
        self._leave(number)
        self.everything.put(article)
        self._depths[number] = depth
        if (opens := open_from(article, policy, now)) > now:
            self._delayed[number] = opens
        if depth not in SHOWN:
            return self.public.take(number)
        self._log.put(article, depth)
        touched = self.public.put(article)
        self._kin |= self._concerned(article)
        return touched

    def _remove(self, number: int) -> set[Shelf]:
        self._leave(number)
        self.everything.take(number)
        self._depths.pop(number, None)
        return self.public.take(number)

    def _leave(self, number: int) -> None:
        """Notes the files that a story is in and that may lose their reason: its page, and its tags' feeds."""
        self._delayed.pop(number, None)
        if self._log.take(number):
            pages = (self.outline.corrections_page(language) for language in self.catalogue.site.languages)
            self._left |= {CORRECTIONS_FEED, *map(file_of, pages)}
        listed, alone = self.public.get(number), self._alone.pop(number, None)
        if alone is not None:
            self._aside.take(alone)
        for before in filter(None, (listed, alone)):
            self._kin |= self._concerned(before)
            self._left.add(file_of(before.path))
        if listed is not None:
            self._leave_feeds(Shelf(tag=tag) for tag in listed.tags)

    def _concerned(self, article: Article) -> set[int]:
        """Returns the numbers of the stories whose pages speak of this one."""
        return self.public.ties.concerned(article) | self._aside.concerned(article)

    def _leave_feeds(self, shelves: Iterable[Shelf]) -> None:
        """Notes the feeds of tags, which are there only for what they hold."""
        for path in (feed_path(shelf) for shelf in shelves if shelf.tag):
            self._left |= {file_of(f"{path}/"), *(file_of(f"{path}.{fmt.extension}") for fmt in FORMATS.values())}

    def _due(self, now: datetime) -> dict[int, Article]:
        """Returns the stories of which a date has come since the last pass, or the public's time, by number."""
        since = self.as_of or now
        dated = (a for a in self.intake.dated if (at := next_change_at([a], since)) is not None and at <= now)
        delayed = (self.everything.get(number) for number, at in self._delayed.items() if at <= now)
        return {article.number: article for article in (*dated, *delayed) if article is not None}

    async def _note_addresses(self) -> None:
        """Works out which old addresses lead where, and which are gone; nothing about what was never public."""
        known = {*self.public.numbers(), *self._alone}
        redirects = await self._outputs.redirects()
        leads = {path: self.public.get(n) or self._alone.get(n) for path, n in redirects.items()}
        self._moved = {path: a.path for path, a in leads.items() if a is not None and a.path != path}
        lost = await self._outputs.lost_addresses(sorted(known))
        self._gone = {path for path in lost if path not in self._moved and self.intake.holder(path) not in known}
        self._gone |= self._documents.gone_issues(lost)
        await self._gone_map.write(self._gone)

    async def _bring_up(self, documents: Iterable[Document], report: Report, *, prune: bool) -> None:
        """Makes and writes what is not as it should be; on a whole pass takes away what should not be."""
        wanted: dict[str, Document] = {}
        due: Iterable[Document] = documents
        while found := _by_path(due):
            wanted |= found
            await self._write_all([one for one in found.values() if not self._stands(one, looked=prune)], report)
            due = self._documents.following()
        stale = sorted((set(self._standing) if prune else self._left) - set(wanted))
        self._left = set()
        if stale:
            self._output.remove(stale)
            await self._outputs.save_outputs([], stale)
            for path in stale:
                self._standing.pop(path, None)
            report.removed += stale

    async def _write_all(self, due: Sequence[Document], report: Report) -> None:
        for start in range(0, len(due), _WRITTEN_AT_ONCE):
            await self._write(due[start : start + _WRITTEN_AT_ONCE], report)

    def _stands(self, document: Document, *, looked: bool) -> bool:
        known = self._standing.get(document.path)
        same = known is not None and known.fingerprint == document.fingerprint
        return same and not (looked and not self._output.exists(document.path))

    async def _write(self, due: Sequence[Document], report: Report) -> None:
        contents: dict[str, bytes] = {}
        for document in due:
            try:
                contents[document.path] = await document.make()
            except PublisherError as error:  # a faulty template keeps its own pages back, and nothing else
                report.faults[str(error)] = document.path
        made = [document for document in due if document.path in contents]
        records = [OutputRecord(d.path, d.fingerprint, hashlib.sha256(contents[d.path]).hexdigest()) for d in made]
        differing = {r.path: contents[r.path] for r in records if not self._same_bytes(r)}
        failed = await asyncio.to_thread(self._written, differing)
        report.faults |= {f"public/{path}: {reason}": path for path, reason in failed.items()}
        records = [record for record in records if record.path not in failed]
        self._standing |= {record.path: record for record in records}
        await self._outputs.save_outputs(records, [])
        report.written += sorted(set(differing) - set(failed))

    def _written(self, contents: dict[str, bytes]) -> dict[str, str]:
        """Writes files, together if that can be; returns why some could not be: the last good ones stay."""
        try:
            self._output.write(contents)
        except OSError:
            failed: dict[str, str] = {}
            for path, data in contents.items():
                try:
                    self._output.write({path: data})
                except OSError as error:
                    failed[path] = error.strerror or str(error)
            return failed
        return {}

    def _same_bytes(self, record: OutputRecord) -> bool:
        known = self._standing.get(record.path)
        return known is not None and known.content_hash == record.content_hash and self._output.exists(record.path)


def _by_path(documents: Iterable[Document]) -> dict[str, Document]:
    """Returns documents by their path: of several with one, the first."""
    found: dict[str, Document] = {}
    for document in documents:
        found.setdefault(document.path, document)
    return found
