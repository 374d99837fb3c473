"""Plays the days to come: the real planning with a moved clock, on a copy of the state.

Nothing is foretold by rules of its own: stories come out when their hour has
come, pauses and licences end, slots are granted and planned, and every mail
that may go arrives. What is held stays held, for nobody says a word.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from publisher.model.article import Article
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.forecast import Turn
from publisher.model.issue import MailText, SlotState
from publisher.model.reader import Coverage, Reader
from publisher.newsletters.schedule import INSTANT, parse
from publisher.newsletters.selection import Offer
from publisher.ports import Articles, Facts, ForesightStore, IssueStore, ReaderStore, Renderer, Versions
from publisher.services.announce import Announcing
from publisher.services.choose import Choosing
from publisher.services.draft import Draft, Drafting, Occasion, Outcome
from publisher.services.intake import Intake
from publisher.services.offers import SETTLE
from publisher.services.plan import Planning
from publisher.services.preview import SUPPRESSED
from publisher.services.publish import RULES

_NOTHING_NEW = "nothing new since the last mail"
_NO_READER = "nobody reads it on this clock"
_NO_TITLE = MailText(subject="", preheader="", html="", text="")
_UNSETTLED_WAIT = timedelta(minutes=1)
_Clock = tuple[str, str, str, datetime, int | None]
"""Newsletter, rhythm, zone, moment and story of an occasion."""


@dataclass(slots=True)
class _Seen:
    """What a draft of one occasion said."""

    readers: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


class Watched(Drafting):
    """Drafts as ever, remembers who was left out and why, and lays nothing out: nobody reads these mails."""

    def __init__(
        self, *, catalogue: Catalogue, articles: Articles, versions: Versions, issues: IssueStore, renderer: Renderer
    ) -> None:
        super().__init__(catalogue=catalogue, articles=articles, versions=versions, issues=issues, renderer=renderer)
        self.seen: dict[_Clock, _Seen] = {}

    def draft(
        self,
        occasion: Occasion,
        readers: Sequence[Reader],
        offers: Sequence[Offer],
        coverage: Coverage,
        planned: Sequence[Article] = (),
    ) -> Draft:
        """Returns what each of the readers gets, and remembers it."""
        draft = super().draft(occasion, readers, offers, coverage, planned)
        clock = (occasion.newsletter.id, occasion.schedule.text, occasion.zone, occasion.at, occasion.article)
        seen = self.seen.setdefault(clock, _Seen())
        seen.readers += len(readers)
        seen.left_out.update(one.reason for one in draft.left_out)
        return draft

    async def mail(
        self, occasion: Occasion, outcome: Outcome, number: int, *, web_url: str | None = None, test: bool = False
    ) -> MailText:
        """Returns an empty mail."""
        return _NO_TITLE


class Simulating:
    """One future; played once, on stores that are thrown away."""

    def __init__(
        self,
        *,
        planning: Planning,
        announcing: Announcing,
        choosing: Choosing,
        watched: Watched,
        intake: Intake,
        facts: Facts,
        issues: IssueStore,
        readers: ReaderStore,
        articles: Articles,
        foresight: ForesightStore,
    ) -> None:
        """`watched` is what `planning` drafts with."""
        self._planning = planning
        self._announcing = announcing
        self._choosing = choosing
        self._watched = watched
        self._intake = intake
        self._facts = facts
        self._issues = issues
        self._readers = readers
        self._articles = articles
        self._foresight = foresight

    async def run(self, days: int, now: datetime, progress: Callable[[int, int], None] | None = None) -> list[Turn]:
        """Plays the next days from `now` on and returns what became of each slot, in order.

        `progress` is told how many of how many seconds are played.
        """
        until = now + timedelta(days=days)
        marks = await self._foresight.marks()
        waiting = [slot.number for slot in await self._issues.open_slots()]
        await self._intake.load()
        await self._intake.take(now, baseline=await self._facts.get(RULES) is None)
        await self._planning.begin(now)
        moment: datetime | None = now
        while moment is not None and moment <= until:
            await self._pass(moment)
            if progress is not None:
                progress(int((moment - now).total_seconds()), days * 86_400)
            moment = await self._next(moment)
        return await self._told(await self._foresight.turns(marks, waiting), now)

    async def _pass(self, now: datetime) -> None:
        """Does what the service does when it wakes."""
        await self._intake.take(now, ())
        await self._choosing.wake(now)
        await self._announcing.due(now)
        await self._planning.due(now)
        await self._foresight.arrive(now)

    async def _next(self, now: datetime) -> datetime | None:
        moments = [
            self._intake.next_change_at(now),
            await self._announcing.next_due(now),
            await self._planning.ahead(now),
        ]
        # What could not be planned, because a story was being written, is tried again for a while.
        moments += [now + SETTLE for slot in await self._issues.open_slots() if now - slot.due_at < _UNSETTLED_WAIT]
        return min((at for at in moments if at is not None and at > now), default=None)

    # What it means ----------------------------------------------------------------------------------------------------

    async def _told(self, turns: Sequence[Turn], now: datetime) -> list[Turn]:
        told = [await self._explained(turn) for turn in turns]
        silent = [
            one for one in self._planning.newsletters if not any(t.newsletter == one.id and t.issue for t in told)
        ]
        return [*told, *[await self._silence(one, told, now) for one in silent]]

    async def _explained(self, turn: Turn) -> Turn:
        article = int(turn.slot.split(":")[1]) if turn.cadence == INSTANT else None
        seen = self._watched.seen.get((turn.newsletter or "", turn.cadence, turn.timezone, turn.due_at, article))
        left_out = dict(seen.left_out) if seen is not None else {}
        if turn.suppressed:
            left_out[SUPPRESSED] = turn.suppressed
        readers = seen.readers if seen is not None else await self._count(turn)
        refs = await self._issues.stories(turn.issue) if turn.issue is not None else []
        titles = await self._articles.by_numbers(ref.article for ref in refs)
        return replace(
            turn,
            readers=readers,
            stories=tuple(titles[ref.article].title for ref in refs if ref.article in titles),
            mentions=tuple(ref.mention.value for ref in refs if ref.article in titles),
            left_out=left_out,
            why=_why(turn.state, readers, left_out),
        )

    async def _count(self, turn: Turn) -> int:
        newsletter = next((one for one in self._planning.newsletters if one.id == turn.newsletter), None)
        return await self._readers_of(newsletter, (turn.cadence, turn.timezone)) if newsletter is not None else 0

    async def _readers_of(self, newsletter: Newsletter, clock: tuple[str, str] | None) -> int:
        own = parse(newsletter.schedule).text
        return await self._readers.count(newsletter.id, own, newsletter.timezone, clock=clock)

    async def _silence(self, newsletter: Newsletter, told: Sequence[Turn], now: datetime) -> Turn:
        """Returns why a newsletter sends nothing in all these days."""
        readers = await self._readers_of(newsletter, None)
        slots = [turn for turn in told if turn.newsletter == newsletter.id]
        if not readers:
            why = "nobody reads it"
        elif newsletter.instant and not slots:
            why = "each story goes out as it comes, and none is known to come"
        elif not slots:
            why = f"{newsletter.schedule!r} has no slot in these days"
        else:
            why = Counter(turn.why for turn in slots).most_common(1)[0][0]
        return Turn(
            newsletter=newsletter.id,
            slot="",
            timezone=newsletter.timezone,
            due_at=now,
            planned_at=now,
            state=SlotState.SKIPPED_EMPTY,
            readers=readers,
            why=why,
        )


def _why(state: SlotState, readers: int, left_out: Mapping[str, int]) -> str:
    match state:
        case SlotState.ISSUED:
            return ""
        case SlotState.SKIPPED_LATE:
            return "given up: it comes too late (late, in config.toml)"
        case SlotState.GRANTED:
            return "it could not be planned; the log of the service says why"
    if not readers:
        return _NO_READER
    return max(left_out, key=lambda reason: left_out[reason], default=_NOTHING_NEW)
