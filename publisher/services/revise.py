"""Decides anew what waiting mail brings, when what was decided no longer holds (decisions 1).

A story was killed, held, withdrawn or corrected, or a licence ended: the rows
in doubt are not handed out for delivery until each has contents that are
right now, under the same Message-ID, or is cancelled because nothing is left.
A kill in the middle leaves them in doubt; whoever comes next goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import structlog

from publisher.model.issue import Issue, StaleRow, Variant
from publisher.model.people import Licence
from publisher.ports import Articles, Facts, IssueStore, Revisions
from publisher.services.draft import Drafting, Occasion, Outcome
from publisher.services.plan import Planning

_DECIDED_UNDER = "decided_under"
"""The fact that says by which rules waiting mail was decided."""
_ROWS = 1000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Alike:
    """Rows of one variant whose readers may have the same."""

    issue: int
    variant: int
    rows: tuple[StaleRow, ...]

    @property
    def numbers(self) -> list[int]:
        return [row.number for row in self.rows]

    @property
    def licences(self) -> tuple[Licence, ...]:
        return self.rows[0].licences


class Revising:
    """Makes waiting mail right again."""

    def __init__(
        self,
        *,
        planning: Planning,
        drafting: Drafting,
        issues: IssueStore,
        articles: Articles,
        revisions: Revisions,
        facts: Facts,
        setting: str,
    ) -> None:
        """`setting` is a hash of all in config by which contents are decided."""
        self._planning = planning
        self._drafting = drafting
        self._issues = issues
        self._articles = articles
        self._revisions = revisions
        self._facts = facts
        self._setting = setting
        self._same_rules = False

    async def run(self, now: datetime) -> int:
        """Decides every waiting delivery that is in doubt; returns how many there were."""
        await self._mind_the_rules()
        decided, touched = 0, set[int]()
        while rows := await self._revisions.doubtful(now, _ROWS):
            done = 0
            for alike in _alike(rows):
                done += await self._decide(alike, now)
                touched.add(alike.issue)
            decided += done
            if not done:  # others decided them meanwhile, or took them
                break
        for issue in sorted(touched):
            await self._revisions.tidy(issue)
        if decided:
            _log.info("revise.done", deliveries=decided)
        return decided

    async def _mind_the_rules(self) -> None:
        """Doubts everything that waits once the rules are others than those it was decided by."""
        if self._same_rules:
            return
        if await self._facts.settle(_DECIDED_UNDER, self._setting) != self._setting:
            await self._revisions.doubt_everything()
            await self._facts.put(_DECIDED_UNDER, self._setting)
        self._same_rules = True

    async def _decide(self, alike: _Alike, now: datetime) -> int:
        issue = await self._issues.issue(alike.issue)
        if issue is not None and issue.introduces is not None:
            issue = await self._issues.issue(issue.introduces)
        occasion = self._planning.occasion_of(issue, now) if issue is not None else None
        if issue is None or occasion is None:  # the newsletter is no more
            return await self._revisions.give_up(alike.numbers, alike.variant, now)
        stories = alike.rows[0].stories
        latest = await self._articles.by_numbers(ref.article for ref in stories)
        selection = self._drafting.left_of(occasion, stories, latest, alike.licences, alike.rows[0].elsewhere)
        if not selection.stories:
            return await self._revisions.give_up(alike.numbers, alike.variant, now)
        if selection.refs == stories and not alike.rows[0].stale:
            return await self._revisions.confirm(alike.numbers, alike.variant, now)
        if alike.rows[0].perhaps_there:
            # Replaced, nobody would know any more what they may have, and must be told of. The rest is pending again.
            return await self._revisions.give_up(alike.numbers, alike.variant, now)
        outcome = Outcome(language=alike.rows[0].language, form=alike.rows[0].form, selection=selection)
        return await self._replace(issue, occasion, outcome, alike, now)

    async def _replace(self, issue: Issue, occasion: Occasion, outcome: Outcome, alike: _Alike, now: datetime) -> int:
        web_url = self._planning.web_url(issue, occasion, outcome)
        mail = await self._drafting.mail(occasion, outcome, issue.edition, web_url=web_url)
        variant = Variant(language=outcome.language, form=outcome.form, stories=outcome.selection.refs, mail=mail)
        # Of the variant before as well: it may be stale although it says the same.
        key = f"{outcome.key}/{alike.variant}"
        return await self._revisions.replace(alike.numbers, alike.issue, alike.variant, key, variant, now)


def _alike(rows: Sequence[StaleRow]) -> Iterator[_Alike]:
    def same(row: StaleRow) -> tuple[int, int, bool, str]:
        terms = [_terms(licence) for licence in row.licences]
        return row.issue, row.variant, row.perhaps_there, repr((terms, row.elsewhere))

    for (issue, variant, *_), some in groupby(sorted(rows, key=same), key=same):
        yield _Alike(issue, variant, tuple(some))


def _terms(licence: Licence) -> tuple[object, ...]:
    return (
        licence.product,
        licence.active,
        licence.valid_from,
        licence.valid_until,
        licence.archive_days,
        licence.embargo_cleared,
    )
