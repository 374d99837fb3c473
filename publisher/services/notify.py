"""Tells those who have a story what happened to it: corrections, holds, releases, kills.

Of a story one advisory stands at a time; it is one issue, for everybody who got an earlier version and has not got
this one. People are added as it turns out that a copy reached them, for as long as the window lasts. Unique keys
carry the promises, so this may run in two processes at once and be killed anywhere.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from publisher.editorial.access import decide, settled
from publisher.editorial.notices import notes_since, standing
from publisher.editorial.rendition import embargo_text, known_zone, needs_body, stamp_text, view
from publisher.languages import direction, label
from publisher.model.advisory import Advisory, AdvisoryKind
from publisher.model.article import Article, Body, Correction, Status
from publisher.model.issue import IssueKind, IssueState, MailText, Mention, StoryRef, Variant
from publisher.model.notice import Addressee, Holder, Holders, NoticeText, Opened, story_of
from publisher.model.people import viewer_of
from publisher.model.reader import Sent
from publisher.model.view import FULL, Channel, Depth, View
from publisher.newsletters.caution import many_changed
from publisher.services.desk import Desk
from publisher.services.fit import fitted_story
from publisher.services.offers import SETTLE
from publisher.services.overtaken import OvertakenError, planned

_WINDOW = timedelta(days=7)
"""How long people are still added: longer than any delivery is tried."""
_CHANGES = ("corrected", "held", "released", "killed")
_TEXTS = {AdvisoryKind.HOLD: "hold", AdvisoryKind.RELEASE: "release", AdvisoryKind.KILL: "kill"}
_SUDDEN = frozenset({AdvisoryKind.CORRECTION, AdvisoryKind.CLARIFICATION, AdvisoryKind.HOLD, AdvisoryKind.KILL})
_RESTORED = "restored: this is a restored copy; it mails nobody until told"
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Told:
    """One advisory with all that its mails are made of."""

    advisory: Advisory
    versions: Sequence[Article]
    held: tuple[str, ...]
    body: Body | None = None
    variants: dict[str, int] = field(default_factory=dict)
    """By outcome, those of the issue."""

    @property
    def article(self) -> Article:
        """Returns the story as it is now."""
        return self.versions[-1]

    def concerns(self, holder: Holder) -> bool:
        """Returns whether somebody has an earlier version, and of it no newer one that says so itself."""
        if self.advisory.kind is AdvisoryKind.KILL:
            return bool(holder.received)
        at = self.advisory.article.version
        return any(version < at for version in holder.received) and holder.newest < at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wording:
    """What people share who are told the same."""

    language: str
    depth: Depth
    notes: tuple[Correction, ...]
    title: str
    newsletter: str | None
    zone: str = ""
    """Whose hour an embargo is told in; empty where there is none."""


class Notifying:
    """The planner of notices."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def due(self, now: datetime, *, impatient: bool = False) -> list[int]:
        """Plans what is to be told and adds who is newly known to have a story; returns the issues that grew.

        `impatient`: a story need not have stood still.
        """
        grown = []
        stories, waiting = await self._recent(now)
        await self._desk.notices.supersede(waiting - {advisory.event for _, advisory in stories}, now)
        moments = [advisory.at for _, advisory in stories if advisory.kind in _SUDDEN]
        for versions, advisory in stories:
            if advisory.at + SETTLE > now and not impatient:
                continue
            told = _Told(advisory, versions, self._held(moments, advisory))
            issue = await planned(partial(self._tell, told, now), "notice", advisory.event)
            grown += [issue] if issue is not None else []
        return grown

    async def untold(self, now: datetime) -> dict[int, list[Sent]]:
        """Returns, by subscriber, what notices will bring before any newsletter goes out: for looking ahead only."""
        found: dict[int, list[Sent]] = {}
        stories, _ = await self._recent(now)
        for versions, advisory in stories:
            told, number = _Told(advisory, versions, ()), advisory.article.number
            # What they have of it stays as deep as it was; only the version is newer.
            ref = StoryRef(article=number, version=told.article.version, depth=Depth.HIDE, mention=Mention.CORRECTED)
            issue = await self._desk.notices.opened(advisory.event)
            async for some in self._desk.notices.holders(number):
                there = await self._desk.notices.told(issue.number, some.first, some.last, now) if issue else {}
                for holder in some.holders:
                    if holder.number not in there and told.concerns(holder):
                        found.setdefault(holder.number, []).append(Sent(newsletter=None, stories=(ref,)))
        return found

    async def next_due(self, now: datetime) -> datetime | None:
        """Returns when a story that just changed will have stood still; None: none is waiting."""
        stories, _ = await self._recent(now)
        ahead = (advisory.at + SETTLE for _, advisory in stories)
        return min((at for at in ahead if at > now), default=None)

    async def _recent(self, now: datetime) -> tuple[list[tuple[list[Article], Advisory]], set[str]]:
        """Returns the advisories that stand and are recent or still being told, and all events still being told."""
        waiting = set(await self._desk.notices.unfinished(IssueKind.NOTICE))
        numbers = {*await self._desk.notices.changed(_CHANGES, now - _WINDOW, now), *map(story_of, waiting)}
        found = []
        for number, versions in (await self._desk.versions.versions(numbers)).items():
            advisory = standing(versions)
            if advisory is not None and (advisory.at > now - _WINDOW or advisory.event in waiting):
                found.append((number, versions, advisory))
        ordered = sorted(found, key=lambda one: (one[2].at, one[0]))
        return [(versions, advisory) for _, versions, advisory in ordered], waiting

    def _held(self, moments: Sequence[datetime], advisory: Advisory) -> tuple[str, ...]:
        if self._desk.sandbox:
            return ()
        return (*([_RESTORED] if self._desk.restored else []), *many_changed(moments, advisory.at))

    # One advisory ---------------------------------------------------------------------------------------------------

    async def _tell(self, told: _Told, now: datetime) -> int | None:
        """Brings one advisory's issue up to date; returns it when somebody was added."""
        advisory, article = told.advisory, told.article
        subject = label(f"advisory_{advisory.kind.value}", self._site_language, title=article.title, ref=article.number)
        issue = await self._desk.notices.begin(advisory.event, IssueKind.NOTICE, subject, now)
        if issue.sandbox is not self._desk.sandbox or issue.state is IssueState.CANCELLED:
            return None
        begun = issue.state is not IssueState.PLANNING
        if begun and await self._desk.notices.settled(issue.number, article.number):
            return None
        told.variants = await self._desk.issues.outcomes(issue.number)
        added = 0
        async for some in self._desk.notices.holders(article.number):
            added += await self._add(told, issue, some, now)
        if not begun:
            state = await self._desk.notices.finish(issue.number, told.held, now)
            _log.info("notice.done", notice=advisory.event, issue=issue.number, planned=added, state=state)
        await self._desk.notices.looked(issue.number, now)
        return issue.number if added else None

    @property
    def _site_language(self) -> str:
        return self._desk.catalogue.site.language

    async def _add(self, told: _Told, issue: Opened, some: Holders, now: datetime) -> int:
        """Gives those of one range who must know their rows; returns how many are new."""
        there = await self._desk.notices.told(issue.number, some.first, some.last, now)
        anew = {number for number, unfit in there.items() if unfit}
        due = [h for h in some.holders if h.number in anew or (h.number not in there and told.concerns(h))]
        if not due:
            return 0
        people = await self._desk.notices.addressees(holder.number for holder in due)
        rows = []
        for holder in due:
            if holder.number in people:
                person = people[holder.number]
                variant = await self._variant(told, issue, self._wording(told, holder, person, now))
                rows.append((holder.number, variant, person.suppressed))
        if not await self._desk.notices.add(issue.number, rows, some.mark, told.held, now):
            raise OvertakenError("others are planning mail to the same people")
        return len([row for row in rows if row[0] not in there])

    # What somebody is told ------------------------------------------------------------------------------------------

    def _wording(self, told: _Told, holder: Holder, person: Addressee, now: datetime) -> _Wording:
        had = [version for version in holder.received if version < told.article.version]
        version = max(had, default=0)
        killed = told.advisory.kind is AdvisoryKind.KILL
        depth = Depth.TOMBSTONE if killed else self._depth(told, person, now)
        # Who may no longer have the story is told under the headline it had when they got it.
        named = told.article if depth in (*FULL, Depth.SUMMARY, Depth.HEADLINE) else _version(told.versions, version)
        read = person.newsletters.intersection(self._desk.catalogue.newsletters)
        own = [name for name in holder.newsletters if name in read]
        return _Wording(
            language=person.language,
            depth=depth,
            notes=() if killed else notes_since(told.versions, version, told.article),
            title="" if killed else named.title,
            newsletter=own[-1] if own else None,
            zone=known_zone(person.timezone, self._desk.catalogue.site.timezone)
            if depth is Depth.FULL_EMBARGOED
            else "",
        )

    def _depth(self, told: _Told, person: Addressee, now: datetime) -> Depth:
        """Returns how much of the story as it is now somebody may have by mail."""
        catalogue = self._desk.catalogue
        viewer = viewer_of(person.licences, catalogue.products)
        earlier = [settled(version, catalogue) for version in told.versions[:-1]]
        article = settled(told.article, catalogue)
        return decide(article, viewer, Channel.EMAIL, now, earlier=earlier, policy=catalogue.policy)

    async def _variant(self, told: _Told, issue: Opened, wording: _Wording) -> int:
        key = hashlib.sha256(repr((told.article.version, wording)).encode()).hexdigest()
        if key not in told.variants:
            said = await self._text(told, wording)
            mail = self._laid_out(said, wording.language)
            mention = Mention.CORRECTED if wording.notes else Mention.ADVISORY
            ref = StoryRef(
                article=told.article.number, version=told.article.version, depth=wording.depth, mention=mention
            )
            variant = Variant(
                language=wording.language, form="notice", stories=(ref,), mail=mail, newsletter=wording.newsletter
            )
            told.variants[key] = await self._desk.issues.add_variant(issue.number, key, variant)
        return told.variants[key]

    def _laid_out(self, said: NoticeText, language: str) -> MailText:
        def lay_out(story: View | None) -> MailText:
            return self._desk.renderer.message("notice", language, notice=replace(said, story=story))

        if said.story is None:
            return lay_out(None)
        return fitted_story(said.story, lay_out, label("text_goes_on", language))

    async def _text(self, told: _Told, wording: _Wording) -> NoticeText:
        article, kind, language = told.article, told.advisory.kind, wording.language
        killed = kind is AdvisoryKind.KILL
        newsletter = self._desk.catalogue.newsletters.get(wording.newsletter or "")
        heading = label(f"advisory_{kind.value}", language, title=wording.title, ref=article.number)
        if until := self._until(article, wording):
            heading = label("embargo_subject", language, when=until, title=heading)
        return NoticeText(
            kind=kind,
            heading=heading,
            text=label(f"advisory_{_TEXTS[kind]}_text", language) if kind in _TEXTS else "",
            reason=article.kill_reason if killed else "",
            about=self._about(article, language) if killed else "",
            notes=wording.notes,
            language=article.language,
            direction=direction(article.language),
            story=await self._story(told, wording) if wording.notes else None,
            newsletter_title=newsletter.title.in_language(language) if newsletter else "",
        )

    def _about(self, article: Article, language: str) -> str:
        """Returns which story was killed, without anything of it: number, section and date of publication."""
        site = self._desk.catalogue.site
        section = self._desk.catalogue.sections.get(article.section or "")
        named = section.title.in_language(language) if section else article.section or ""
        date = stamp_text(article.published_at, language, site.timezone)
        return label("notice_about", language, ref=article.number, section=named or site.title, date=date)

    async def _story(self, told: _Told, wording: _Wording) -> View | None:
        """Returns the story as corrected, when it may be used and the reader may have any of it."""
        article, channel, policy = (
            settled(told.article, self._desk.catalogue),
            Channel.EMAIL,
            self._desk.catalogue.policy,
        )
        if article.status is not Status.PUBLISHED:
            return None
        if told.body is None and needs_body(wording.depth, channel, policy):
            key = (article.number, article.version)
            told.body = (await self._desk.articles.bodies([key])).get(key)
        shown = view(article, wording.depth, catalogue=self._desk.catalogue, body=told.body, channel=channel)
        if shown is None:
            return None
        # What was wrong stands above the story already.
        older = tuple(note for note in shown.corrections if note not in wording.notes)
        until = self._until(article, wording)
        return replace(shown, corrections=older, embargo_text=until, url=None if until else shown.url)

    def _until(self, article: Article, wording: _Wording) -> str:
        return embargo_text(article.embargo, wording.language, wording.zone) if wording.zone and article.embargo else ""


def _version(versions: Iterable[Article], number: int) -> Article:
    found = list(versions)
    return next((article for article in found if article.version == number), found[0])
