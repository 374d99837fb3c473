"""Keeps public/ equal to what the public may see: pages, feeds, sitemaps, files.

Every output has a fingerprint of all it is made from. A pass looks at the
outputs that hold what changed, makes those whose fingerprint differs from
the stored one, and writes those: nothing changed, nothing written.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import msgspec

from publisher import __version__
from publisher.editorial.access import decide, goes_by, open_from, settled
from publisher.editorial.shelves import Shelf, Shelves, shelves_of
from publisher.editorial.ties import Ties
from publisher.editorial.timing import publishable
from publisher.errors import PublisherError, StaleError
from publisher.feeds import FORMATS
from publisher.model.archive import PastIssue
from publisher.model.article import Article, Problem
from publisher.model.catalogue import Catalogue
from publisher.model.files import FileStat, Scan
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
from publisher.services.reasons import Causes, Reason
from publisher.services.renditions import Renditions
from publisher.services.standing import Standing, Standings, tree
from publisher.services.turns import Phase, Progress, in_turns, unseen

RULES = "rules"
"""The fact that says by which rules the stories were read; without it, this is the first run over the folder."""
_LOSS = "held_loss"
"""The fact that says which stories are gone without anybody having said that they should be."""
SHOWN = frozenset({Depth.HEADLINE, Depth.SUMMARY, Depth.FULL})
_WRITTEN_AT_ONCE = 4000
"""Files that are made durable together, and forgotten together by a process that is killed."""
_MADE_AT_ONCE = 50
"""Files in memory."""


@dataclass(slots=True)
class Report:
    """What one pass did."""

    taken: Taken
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    reasons: dict[str, list[Reason]] = field(default_factory=dict)
    """Why each file was written or removed."""
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
        self._opened = False
        self._known: dict[str, OutputRecord] = {}
        self._standings = Standings(facts, home)
        self._stood: Standing | None = None
        """What the last whole pass left, as it was found or made."""
        self._shown: Mapping[str, FileStat] = {}
        """The files beside stories, as of the last whole pass."""
        self._owing = False
        """Whether some output may not be as it should be: a pass failed, or could not write all."""
        self._settings = {"program": __version__, "config": setting}
        self._lost: dict[int, set[str]] = {}
        """Every address of the stories that the public once knew and knows no more."""
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

    @property
    def known(self) -> tuple[Article, ...]:
        """Every story as stored, its file there or gone."""
        return (*self.intake.articles, *self.intake.gone)

    @property
    def story_count(self) -> int:
        """How many stories there are a file of."""
        return len(self.intake.articles) if self._opened or self._stood is None else self._stood.stories

    async def open(self) -> None:
        """Reads what the store remembers of stories and outputs, unless that was done."""
        if not self._opened:
            await self.intake.load()
            self._known = await self._outputs.outputs()
            await self._feed_archives.open()
            self._opened = True

    async def wake(self, now: datetime) -> None:
        """Has the stories in memory, for those who ask for more than public/ has; at a glance nobody needed them."""
        if self.as_of is None:
            await self.refresh(now)

    def next_change_at(self, now: datetime) -> datetime | None:
        """Returns when time alone will change what is out, what is told of it, or what a front page says of today."""
        moments = [room.next_change_at(now) for room in (self.intake, self.advices, self._documents)]
        moments += [at for at in self._delayed.values() if at > now]
        return min((at for at in moments if at is not None), default=None)

    def stands(self, now: datetime) -> bool:
        """Returns whether all is at `now` as the last pass left it: time alone has changed nothing since."""
        return self._until is None or now < self._until

    def found_wrong(self) -> list[Problem]:
        """Returns what is wrong with the files, as far as this process knows without looking."""
        return self.intake.problems() if self._opened or self._stood is None else [*self._stood.problems]

    async def problems(self) -> list[Problem]:
        """Returns what was wrong with the files when they were last read, without reading them again."""
        await self.intake.load()
        return self.intake.problems()

    async def glance(self, now: datetime, *, thorough: bool) -> Report | Scan:
        """Returns what a whole pass would report when nothing has changed since the last one.

        When something has, the look at the folder, for `refresh` to go by. No story is read from the store.
        `thorough`: look as well whether every file in public/ is still there.
        """
        async with self._busy:
            scan = await asyncio.to_thread(self.intake.scan)
            await self.archive.look()
            return await self._unchanged(scan, self._causes(), now, thorough=thorough) or scan

    async def catch_up(
        self,
        now: datetime,
        *,
        thorough: bool,
        accept_loss: bool = False,
        at_once: bool = False,
        progress: Progress = unseen,
    ) -> Report:
        """Glances, and refreshes when something has changed; returns what either reports."""
        seen = await self.glance(now, thorough=thorough)
        if isinstance(seen, Report):
            return seen
        return await self.refresh(now, scan=seen, accept_loss=accept_loss, at_once=at_once, progress=progress)

    async def refresh(
        self,
        now: datetime,
        paths: Iterable[str] | None = None,
        *,
        scan: Scan | None = None,
        accept_loss: bool = False,
        at_once: bool = False,
        progress: Progress = unseen,
    ) -> Report:
        """Takes in what changed (of `paths`, or anywhere) and brings public/ up to date.

        Passes never overlap; each is idempotent, so a killed one is simply done again. `scan` is what a glance has
        just seen; `accept_loss` and `at_once` as `Intake.take` has them; `progress` is told how far a long pass is.
        """
        async with self._busy:
            await self.open()
            if paths is None or not self._base or self._unsure:
                return await self._refresh_all(
                    now, scan=scan, accept_loss=accept_loss, at_once=at_once, progress=progress
                )
            owing = await self._begin()
            report = Report(await self._taken(now, paths))
            if self._unsure:
                whole = await self._refresh_all(now)
                whole.taken.changes = report.taken.changes + whole.taken.changes
                whole.taken.gone = report.taken.gone + whole.taken.gone
                return whole
            touched, changed = await self._settle_in(report.taken, now, everything=False)
            if touched or changed:
                await self._bring_up_touched(report, touched, changed, now)
            self._owing = owing or bool(report.faults)
            return report

    async def _refresh_all(
        self,
        now: datetime,
        *,
        scan: Scan | None = None,
        accept_loss: bool = False,
        at_once: bool = False,
        progress: Progress = unseen,
    ) -> Report:
        if scan is None:
            scan = await asyncio.to_thread(self.intake.scan)
        issues = await self.archive.look()
        causes = self._causes()
        if self._base and not issues and not self._owing:
            report = await self._unchanged(scan, causes, now, thorough=True)
            if report is not None:
                return report
        before = self._stood = self._stood or await self._standings.recall()
        owing = await self._begin()
        taken = await self._taken(now, scan=scan, accept_loss=accept_loss, at_once=at_once, progress=progress)
        self._unsure = False
        report = Report(taken)
        base, first = self._documents.base(self._rules, causes), not self._base
        everything = base != self._base or owing or not len(self.everything)
        self._base = base
        touched, changed = await self._settle_in(taken, now, issues, everything=everything)
        present = await asyncio.to_thread(self._output.sweep)
        same = before is not None and before.causes == causes and self._shown == scan.assets
        if first or everything or owing or not same or not self._all_there(present):
            documents = self._documents.all(self.intake.assets(None), now)
            reasons = Causes(taken, before, causes, self._come(before, now), first=not self._known)
            await self._bring_up(documents, report, reasons, present=present, progress=progress)
        else:
            await self._bring_up_touched(report, touched, changed, now, issues)
        self._shown = scan.assets
        self._owing = bool(report.faults)
        await self._note_standing(scan, causes, report, now)
        return report

    async def _begin(self) -> bool:
        """Takes note that a pass is under way, which may be killed or fail; returns whether the last one failed."""
        owing, self._owing = self._owing, True
        if self._stood is not None and self._stood.sure:
            self._stood = await self._standings.doubt(self._stood)
        return owing

    async def _settle_in(
        self, taken: Taken, now: datetime, issues: Iterable[PastIssue] = (), *, everything: bool
    ) -> tuple[set[Shelf], set[int]]:
        """Puts what was taken in on its shelves, and notes what the public knows of; returns shelves and stories."""
        await self._follow(taken, now)
        touched, changed = await self._shelve(taken, now, everything=everything)
        self.as_of = now
        self._until = self.next_change_at(now)
        if touched or changed:
            self.generation += 1
            await self._outputs.note_public([n for n in changed if n in self.public], now)
        self._left |= self._documents.note(changed | self._kin, issues)
        if touched or changed or everything:
            await self._note_addresses(None if everything else changed)
        return touched, changed

    # At a glance ------------------------------------------------------------------------------------------------------

    def _causes(self) -> dict[str, str]:
        """Returns hashes of what all outputs depend on beside the stories."""
        issues = fingerprint(*map(str, self.archive.numbers()))
        return {**self._settings, **self._documents.causes(), "issues": issues}

    async def _unchanged(
        self, scan: Scan, causes: Mapping[str, str], now: datetime, *, thorough: bool
    ) -> Report | None:
        """Returns the report of a pass that would change nothing; None when there is something to do."""
        standing = await self._standings.recall()
        if standing is None or not standing.holds(now, causes) or standing.tree != tree(scan):
            return None
        if not await self._is_in_step(standing, now) or await self.loss() is not None:
            return None
        if thorough and not self._all_there(await asyncio.to_thread(self._output.sweep), await self._paths()):
            return None
        self._stood = standing
        if self.as_of is None:
            self._moved, self._gone = standing.moved, set(standing.gone)
        else:
            self.as_of = now
        return Report(Taken(problems=[*standing.problems]))

    async def _is_in_step(self, standing: Standing, now: datetime) -> bool:
        """Whether no other node has saved a story since, and this one's part is the same: its folder counts, or not."""
        if self._custody is None:
            return True
        self._takes_in = await self._custody.ours(now)
        if standing.takes_in is not self._takes_in or await self.intake.is_behind():
            return False
        return standing.edition == await self.intake.edition()

    async def _paths(self) -> Collection[str]:
        return self._known if self._opened else await self._outputs.output_paths()

    def _all_there(self, present: set[str], paths: Collection[str] | None = None) -> bool:
        paths = self._known if paths is None else paths
        return all(path in present or self._output.exists(path) for path in paths)

    async def _note_standing(self, scan: Scan, causes: dict[str, str], report: Report, now: datetime) -> None:
        """Remembers what this pass left, if it left nothing open."""
        edition = await self.intake.edition()
        if (
            report.faults
            or report.taken.again_at is not None
            or await self.intake.is_behind()
            or await self.loss() is not None
        ):
            return
        self._stood = Standing(
            tree=tree(scan),
            causes=causes,
            edition=edition,
            takes_in=self._takes_in,
            at=now,
            until=self.next_change_at(now),
            moved=self._moved,
            gone=tuple(sorted(self._gone)),
            problems=tuple(report.taken.problems),
            stories=len(self.intake.articles),
        )
        await self._standings.note(self._stood)

    def _come(self, before: Standing | None, now: datetime) -> list[Article]:
        """Returns the stories of which a date has come since the last whole pass."""
        return [] if before is None else self.intake.come(before.at, now)

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
                owing = await self._begin()
                documents = self._documents.touched((), (), (), now, issues)
                await self._bring_up(documents, report, Causes(report.taken))
                self._owing = owing or bool(report.faults)
            return report

    async def rehearse_issue(self, issue: PastIssue) -> bytes | None:
        """Returns the page that an issue would have; None when the public would have nothing of it."""
        return await self._documents.rehearse_issue(issue)

    @property
    def stamp(self) -> str:
        """Returns what is another one whenever what is out, or how it is laid out, has changed."""
        return f"{self.generation}.{self._base}"

    async def _taken(
        self,
        now: datetime,
        paths: Iterable[str] | None = None,
        *,
        scan: Scan | None = None,
        accept_loss: bool = False,
        at_once: bool = False,
        progress: Progress = unseen,
    ) -> Taken:
        """Takes in what changed, or follows the node that does."""
        take = partial(self._take, now, accept_loss=accept_loss, at_once=at_once, progress=progress)
        if self._custody is None:
            return await take(paths, scan)
        followed = await self.intake.follow()
        self._takes_in = await self._custody.ours(now)
        if not self._takes_in:
            return followed
        try:
            taken = await take(paths, scan)
        except StaleError:  # what was taken in up to then is on no shelf yet: everything is put there anew
            self._base, self._unsure = "", True
            followed = await self.intake.follow()
            taken = await take(None, None)
        again = {a.number for _, a in taken.changes} | {a.number for a in taken.gone}
        taken.changes = [each for each in followed.changes if each[1].number not in again] + taken.changes
        taken.gone = [each for each in followed.gone if each.number not in again] + taken.gone
        taken.followed = followed.followed
        return taken

    async def _take(
        self,
        now: datetime,
        paths: Iterable[str] | None,
        scan: Scan | None,
        *,
        accept_loss: bool = False,
        at_once: bool = False,
        progress: Progress = unseen,
    ) -> Taken:
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
            scan=scan,
            progress=progress,
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

    async def _shelve(self, taken: Taken, now: datetime, *, everything: bool) -> tuple[set[Shelf], set[int]]:
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
        async for article in in_turns([*stories, *due]):
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
        dated = self.intake.come(since, now)
        delayed = (self.everything.get(number) for number, at in self._delayed.items() if at <= now)
        return {article.number: article for article in (*dated, *delayed) if article is not None}

    async def _note_addresses(self, changed: set[int] | None) -> None:
        """Works out which old addresses lead where, and which are gone; nothing about what was never public.

        None: of all stories, else of those that `changed`.
        """
        if changed is None:
            self._lost, self._moved = {}, {}
        redirects = await self._outputs.redirects(changed)
        self._moved = dict(self._moved)
        for path, number in redirects.items():
            led = self.public.get(number) or self._alone.get(number)
            if led is not None and led.path != path:
                self._moved[path] = led.path
            else:
                self._moved.pop(path, None)
        for number in changed or ():
            self._lost.pop(number, None)
        hidden = None if changed is None else [number for number in changed if not self._is_known(number)]
        if hidden is None or hidden:
            once = await self._outputs.once_public(hidden)
            self._lost |= {number: paths for number, paths in once.items() if not self._is_known(number)}
        lost = {path for paths in self._lost.values() for path in paths}
        self._gone = {p for p in lost if p not in self._moved and not self._is_known(self.intake.holder(p))}
        self._gone |= self._documents.gone_issues(self._lost.keys())
        await self._gone_map.write(self._gone)

    def _is_known(self, number: int | None) -> bool:
        """Whether the public has a page of a story."""
        return number in self.public or number in self._alone

    # What is made -----------------------------------------------------------------------------------------------------

    async def _bring_up_touched(
        self, report: Report, shelves: set[Shelf], stories: set[int], now: datetime, issues: Iterable[PastIssue] = ()
    ) -> None:
        """Makes and writes of what holds these what is not as it should be."""
        assets = self.intake.assets(stories)
        self._left |= self._documents.asset_paths(self.intake.dropped_assets(stories))
        documents = self._documents.touched(shelves, stories | self._kin, assets, now, issues)
        await self._bring_up(documents, report, Causes(report.taken))

    async def _bring_up(
        self,
        documents: Iterable[Document],
        report: Report,
        causes: Causes,
        *,
        present: set[str] | None = None,
        progress: Progress = unseen,
    ) -> None:
        """Makes and writes what is not as it should be.

        With all files that are `present` it is told of every document: what is missing is made again, and what
        should not be there is taken away.
        """
        wanted: set[str] = set()
        found: Iterable[Document] = documents
        while (due := await self._due_among(found, wanted, present)) is not None:
            for start in range(0, len(due), _WRITTEN_AT_ONCE):
                told = partial(_onward, progress, start, len(due))
                await self._write(
                    due[start : start + _WRITTEN_AT_ONCE], report, causes, told, every=present is not None
                )
            found = self._documents.following()
        stale = sorted((self._left if present is None else set(self._known)) - wanted)
        self._left = set()
        stale = [path for path in stale if path in self._known]
        if stale:
            self._output.remove(stale)
            await self._outputs.save_outputs([], stale)
            for path in stale:
                self._known.pop(path, None)
                report.reasons[path] = causes.of_removed()
            report.removed += stale

    async def _due_among(
        self, documents: Iterable[Document], wanted: set[str], present: set[str] | None
    ) -> list[Document] | None:
        """Returns the documents that do not stand, of several with one path the first; None when there are none at all.

        The paths of all are added to `wanted`.
        """
        seen: set[str] = set()
        due = []
        async for document in in_turns(documents):
            if document.path not in seen:
                seen.add(document.path)
                if not self._stands(document, present):
                    due.append(document)
        wanted |= seen
        return due if seen else None

    def _stands(self, document: Document, present: set[str] | None) -> bool:
        known = self._known.get(document.path)
        same = known is not None and known.fingerprint == document.fingerprint
        return same and (present is None or document.path in present or self._output.exists(document.path))

    async def _announce(self, paths: Iterable[str], *, every: bool) -> None:
        """Remembers which files are about to be other ones: after a kill nobody knows whether they are.

        Of a change of a story it is enough to name the new files: no other version of it has the old fingerprints.
        """
        unknown = {path: OutputRecord(path, "", "") for path in paths}
        named = [record for path, record in unknown.items() if every or path not in self._known]
        if named:
            await self._outputs.save_outputs(named, [])
        self._known |= unknown

    async def _write(
        self, due: Sequence[Document], report: Report, causes: Causes, progress: Callable[[int], None], *, every: bool
    ) -> None:
        """Makes files and puts them in their places, all in one durable moment: few are in memory at a time."""
        records: list[OutputRecord] = []
        differing: dict[str, OutputRecord] = {}
        failed: dict[str, str] = {}
        for start in range(0, len(due), _MADE_AT_ONCE):
            contents: dict[str, bytes] = {}
            await self._documents.ahead(due[start : start + _MADE_AT_ONCE])
            for document in due[start : start + _MADE_AT_ONCE]:
                try:
                    data = await document.make()
                except PublisherError as error:  # a faulty template keeps its own pages back, and nothing else
                    report.faults[str(error)] = document.path
                    continue
                record = OutputRecord(document.path, document.fingerprint, hashlib.sha256(data).hexdigest())
                records.append(record)
                if not self._same_bytes(record):
                    contents[document.path] = data
                    differing[document.path] = record
                    report.reasons[document.path] = causes.of(document, self._known.get(document.path))
            failed |= await asyncio.to_thread(self._output.stage, contents)
            progress(min(start + _MADE_AT_ONCE, len(due)))
        await self._announce(differing, every=every)
        failed |= await asyncio.to_thread(self._output.settle)
        report.faults |= {f"public/{path}: {reason}": path for path, reason in failed.items()}
        records = [record for record in records if record.path not in failed]
        self._known |= {record.path: record for record in records}
        await self._outputs.save_outputs(records, [])
        report.written += sorted(differing.keys() - failed.keys())

    def _same_bytes(self, record: OutputRecord) -> bool:
        known = self._known.get(record.path)
        return known is not None and known.content_hash == record.content_hash and self._output.exists(record.path)


def _onward(progress: Progress, begun: int, total: int, done: int) -> None:
    progress(Phase.WRITING, begun + done, total)
