"""One reader's page of an issue they got: what they may read of it at this moment (decisions 11).

The mail says where it is when it holds less than its reader may have. Nothing
of the mail is kept for it: whoever asks is decided for anew, by the licences
of now and the latest versions, and asking changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from publisher.editorial.access import decide, lapsed_at
from publisher.editorial.rendition import lapse
from publisher.mail.tokens import Tokens
from publisher.model.article import Article, Status
from publisher.model.catalogue import Audience, Catalogue
from publisher.model.choices import Form
from publisher.model.issue import BRINGS, Brought, Edition, StoryRef
from publisher.model.people import PUBLIC, Viewer, viewer_of
from publisher.model.view import Channel, Depth, View
from publisher.newsletters.selection import Pick, Selection
from publisher.ports import Articles, IssueStore, ReadingStore
from publisher.services.draft import Drafting, Outcome
from publisher.services.plan import Planning


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An issue as its reader may have it now."""

    edition: Edition
    lapse: View | None
    """What tells a former subscriber why there is less than there was."""


class ReadingRoom:
    """The pages behind `/read/TOKEN/`."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        issues: IssueStore,
        readings: ReadingStore,
        articles: Articles,
        planning: Planning,
        drafting: Drafting,
        tokens: Tokens,
    ) -> None:
        self._catalogue = catalogue
        self._issues = issues
        self._readings = readings
        self._articles = articles
        self._planning = planning
        self._drafting = drafting
        self._tokens = tokens

    async def reading(self, token: str, now: datetime) -> Reading | None:
        """Returns the issue that a link leads to; None when it never was one of ours, or is of nobody any more."""
        claim = self._tokens.read_read(token)
        if claim is None:
            return None
        issue = await self._issues.issue(claim.issue)
        if issue is not None and issue.introduces is not None:
            issue = await self._issues.issue(issue.introduces)
        occasion = self._planning.occasion_of(issue, now) if issue is not None else None
        brought = await self._readings.brought(claim.issue, claim.subscriber)
        if issue is None or occasion is None or brought is None:
            return None
        public = occasion.newsletter.audience is Audience.PUBLIC
        viewer = PUBLIC if public else viewer_of(brought.licences, self._catalogue.products)
        outcome = Outcome(
            language=brought.language,
            form=Form.FULL.value,
            selection=Selection(stories=await self._picks(brought.stories, viewer, now)),
        )
        return Reading(
            edition=await self._drafting.edition(occasion, outcome, issue.edition),
            lapse=self._lapse(viewer, brought, now),
        )

    async def _picks(self, stories: Sequence[StoryRef], viewer: Viewer, now: datetime) -> tuple[Pick, ...]:
        refs = [ref for ref in stories if ref.mention in BRINGS]
        latest = await self._articles.by_numbers(ref.article for ref in refs)
        return tuple(
            Pick(article=latest[ref.article], depth=depth, mention=ref.mention)
            for ref in refs
            if ref.article in latest and (depth := self._depth(latest[ref.article], viewer, now)) is not Depth.HIDE
        )

    def _depth(self, article: Article, viewer: Viewer, now: datetime) -> Depth:
        # It was in their mail, so that what was taken back may be named.
        earlier = () if article.status is Status.PUBLISHED else (replace(article, status=Status.PUBLISHED),)
        return decide(article, viewer, Channel.EMAIL, now, earlier=earlier, policy=self._catalogue.policy)

    def _lapse(self, viewer: Viewer, brought: Brought, now: datetime) -> View | None:
        ended = lapsed_at(viewer, now)
        if ended is None:
            return None
        return lapse(id="licence-ended", ended_at=ended, language=brought.language, catalogue=self._catalogue)
