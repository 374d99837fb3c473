"""Sends embargoed stories ahead of their hour to the subscribers who are cleared for them, once.

What they got counts as the story itself: no newsletter repeats it when the embargo passes, whether or not anything
ran at that moment. Another hour is told anew; corrections are told as those of any story (`services.notify`).
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import takewhile

import structlog

from publisher.editorial.access import decide, settled
from publisher.editorial.rendition import embargo_text, known_zone, view
from publisher.editorial.timing import embargoed
from publisher.languages import label
from publisher.model.article import Article, Status
from publisher.model.catalogue import Audience
from publisher.model.issue import IssueKind, IssueState, Mention, StoryRef, Variant
from publisher.model.notice import Addressee, Holders, Opened, story_of
from publisher.model.people import viewer_of
from publisher.model.view import Channel, Depth
from publisher.newsletters.caution import AT_ONCE, Plan, hold_reasons
from publisher.services.desk import Desk
from publisher.services.fit import fitted_story
from publisher.services.offers import SETTLE
from publisher.services.overtaken import OvertakenError, planned

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wording:
    """What people share who get the same mail."""

    language: str
    zone: str
    newsletter: str


class Embargoes:
    """The planner of embargoed stories' mail."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def due(self, now: datetime, *, impatient: bool = False) -> list[int]:
        """Plans the mail of every story under embargo; returns the issues that grew.

        `impatient`: a story need not have stood still.
        """
        waiting = await self._end_outdated(now)
        stories = await self._stories(now)
        ready = [story for story in stories if impatient or story.revised_at + SETTLE <= now]
        cleared = await self._desk.notices.cleared(now) if ready else []
        grown = []
        for story in ready if cleared or waiting else []:
            issue = await planned(partial(self._send, story, cleared, ready, now), "embargo", f"story {story.number}")
            grown += [issue] if issue is not None else []
        return grown

    async def next_due(self, now: datetime) -> datetime | None:
        """Returns when a story that just changed will have stood still; None: none is waiting."""
        ahead = (story.revised_at + SETTLE for story in await self._stories(now))
        return min((at for at in ahead if at > now), default=None)

    async def _stories(self, now: datetime) -> list[Article]:
        ahead = await self._desk.articles.ahead()
        return [story for story in ahead if story.status is Status.PUBLISHED and embargoed(story, now)]

    async def _end_outdated(self, now: datetime) -> bool:
        """Ends mail that names an hour which is past or holds no more, or a story that was taken back.

        Whom it has not reached gets the story like everybody else. Returns whether other mail is still open.
        """
        events = set(await self._desk.notices.unfinished(IssueKind.EMBARGO))
        stories = (await self._desk.versions.versions(map(story_of, events))).values()
        out = {_event(s) for s in stories if s[-1].status is Status.PUBLISHED and embargoed(s[-1], now)}
        await self._desk.notices.supersede(events - out, now)
        return not out.isdisjoint(events)

    # One story ------------------------------------------------------------------------------------------------------

    async def _send(
        self, story: Article, cleared: Sequence[int], together: Sequence[Article], now: datetime
    ) -> int | None:
        """Brings one story's issue up to date; returns it when somebody was added."""
        versions = (await self._desk.versions.versions([story.number])).get(story.number, [story])
        under = {version.version for version in versions if version.embargo == story.embargo}
        site = self._desk.catalogue.site
        until = self._until(story, site.language, site.timezone)
        subject = label("embargo_subject", site.language, when=until, title=story.title)
        issue = await self._desk.notices.begin(_event(versions), IssueKind.EMBARGO, subject, now)
        if issue.sandbox is not self._desk.sandbox or issue.state is IssueState.CANCELLED:
            return None
        variants = await self._desk.issues.outcomes(issue.number)
        held = await self._held([one for one in together if abs(one.first_seen_at - story.first_seen_at) <= AT_ONCE])
        added = 0
        async for some in self._desk.notices.holders(story.number):
            within = [number for number in cleared if some.first <= number <= some.last]
            due = await self._due(story, issue, some, within, under, now)
            added += await self._add(story, issue, some, due, variants, held, now)
        if issue.state is IssueState.PLANNING:
            await self._desk.notices.finish(issue.number, held, now)
        if added:
            _log.info("embargo.done", story=story.number, issue=issue.number, planned=added)
        return issue.number if added else None

    async def _held(self, together: Sequence[Article]) -> tuple[str, ...]:
        if self._desk.sandbox:
            return ()
        first = await self._desk.issues.real_recipients() is None
        plan = Plan(
            recipients=0, last_recipients=None, stories=tuple(together), first=first, restored=self._desk.restored
        )
        return hold_reasons(plan)

    async def _due(
        self, story: Article, issue: Opened, some: Holders, within: Sequence[int], under: set[int], now: datetime
    ) -> dict[Addressee, str]:
        """Returns who is to get the story, and with which newsletter: what they have last, if any, names another hour.

        `under` are the versions that name this one.
        """
        there = await self._desk.notices.told(issue.number, some.first, some.last, now)
        have = {h.number for h in some.holders if h.newest in under}
        anew = {number for number, unfit in there.items() if unfit}
        waiting = [n for n in within if n in anew or (n not in there and n not in have)]
        people = await self._desk.notices.addressees(waiting, paused=False) if waiting else {}
        kept = await self._kept(people)
        found = {}
        for person in people.values():
            newsletter = self._newsletter(person, kept)
            if newsletter is not None and self._depth(story, person, now) is Depth.FULL_EMBARGOED:
                found[person] = newsletter
        lost = anew - {person.number for person in found}
        if lost:
            await self._desk.notices.end(issue.number, lost, "no longer cleared", now)
        return found

    async def _kept(self, people: Collection[int]) -> dict[str, set[int]]:
        """Returns who is in the segments of each newsletter that is for some of its readers."""
        picky = [n for n in self._desk.catalogue.newsletters.values() if n.segments]
        return {n.id: await self._desk.notices.within(n.segments, people) for n in picky} if people else {}

    def _newsletter(self, person: Addressee, kept: Mapping[str, set[int]]) -> str | None:
        """Returns the first newsletter for subscribers that somebody reads and gets; `kept`: by their segments."""
        declared = self._desk.catalogue.newsletters.values()
        mine = (n.id for n in declared if n.audience is Audience.SUBSCRIBERS and n.id in person.newsletters)
        return next((name for name in mine if name not in kept or person.number in kept[name]), None)

    def _depth(self, story: Article, person: Addressee, now: datetime) -> Depth:
        viewer = viewer_of(person.licences, self._desk.catalogue.products)
        return decide(
            settled(story, self._desk.catalogue), viewer, Channel.EMAIL, now, policy=self._desk.catalogue.policy
        )

    async def _add(
        self,
        story: Article,
        issue: Opened,
        some: Holders,
        due: Mapping[Addressee, str],
        variants: dict[str, int],
        held: Sequence[str],
        now: datetime,
    ) -> int:
        rows = []
        for person, newsletter in due.items():
            zone = known_zone(person.timezone, self._desk.catalogue.newsletters[newsletter].timezone)
            wording = _Wording(language=person.language, zone=zone, newsletter=newsletter)
            rows.append((person.number, await self._variant(story, issue, wording, variants), person.suppressed))
        if not await self._desk.notices.add(issue.number, sorted(rows), some.mark, held, now):
            raise OvertakenError("others are planning mail to the same people")
        return len(rows)

    async def _variant(self, story: Article, issue: Opened, wording: _Wording, variants: dict[str, int]) -> int:
        key = hashlib.sha256(repr((story.version, wording)).encode()).hexdigest()
        if key not in variants:
            version = (story.number, story.version)
            body = (await self._desk.articles.bodies([version])).get(version)
            shown = view(
                settled(story, self._desk.catalogue),
                Depth.FULL_EMBARGOED,
                catalogue=self._desk.catalogue,
                body=body,
                channel=Channel.EMAIL,
            )
            assert shown is not None
            until = self._until(story, wording.language, wording.zone)
            title = self._desk.catalogue.newsletters[wording.newsletter].title.in_language(wording.language)
            lay_out = partial(self._desk.renderer.message, "embargo", wording.language, newsletter_title=title)
            mail = fitted_story(
                replace(shown, url=None, embargo_text=until),
                lambda one: lay_out(view=one),
                label("text_goes_on", wording.language),
            )
            ref = StoryRef(
                article=story.number, version=story.version, depth=Depth.FULL_EMBARGOED, mention=Mention.STORY
            )
            variant = Variant(
                language=wording.language, form="embargo", stories=(ref,), mail=mail, newsletter=wording.newsletter
            )
            variants[key] = await self._desk.issues.add_variant(issue.number, key, variant)
        return variants[key]

    def _until(self, story: Article, language: str, zone: str) -> str:
        assert story.embargo is not None
        return embargo_text(story.embargo, language, zone)


def _event(versions: Sequence[Article]) -> str:
    """Returns what is unique: a story, and the version since which it has its hour; an hour that comes back is news."""
    story = versions[-1]
    since = takewhile(lambda version: version.embargo == story.embargo, reversed(versions))
    return f"embargo:{story.number}:{min(version.version for version in since)}"
