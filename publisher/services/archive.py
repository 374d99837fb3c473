"""The memory of past issues that stand on the web: which there are, and which of them brought a story."""

from collections.abc import Iterable

from publisher.model.archive import PastIssue
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.ports import PastIssues

_ON_PAGE = 50
"""Editions on a page of an archive."""


class Archive:
    """Past issues by newsletter; `look` follows the ledger."""

    def __init__(self, store: PastIssues, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._issues: dict[int, PastIssue] = {}
        self._passed_over: set[int] = set()
        """Issues of newsletters that are no more, or that config keeps off the web."""
        self._by_story: dict[int, set[int]] = {}
        self._by_newsletter: dict[str, dict[int, PastIssue]] = {}

    def __contains__(self, issue: PastIssue) -> bool:
        return issue.number in self._issues

    async def look(self) -> list[PastIssue]:
        """Reads what the ledger has that was not known, and forgets what it has no more; returns both."""
        numbers = set(await self._store.numbers())
        gone = [self._forget(number) for number in self._issues.keys() - numbers]
        found = await self._store.issues(numbers - self._issues.keys() - self._passed_over)
        fresh = [issue for issue in found if self._kept(issue.newsletter)]
        self._passed_over.update(issue.number for issue in found if not self._kept(issue.newsletter))
        for issue in fresh:
            self._remember(issue)
        return [*gone, *fresh]

    def _kept(self, newsletter: str) -> bool:
        found = self._catalogue.newsletters.get(newsletter)
        return found is not None and found.archive

    def _remember(self, issue: PastIssue) -> None:
        self._issues[issue.number] = issue
        self._by_newsletter.setdefault(issue.newsletter, {})[issue.edition] = issue
        for number, _ in issue.stories:
            self._by_story.setdefault(number, set()).add(issue.number)

    def _forget(self, number: int) -> PastIssue:
        issue = self._issues.pop(number)
        del self._by_newsletter[issue.newsletter][issue.edition]
        for story, _ in issue.stories:
            self._by_story[story].discard(number)
        return issue

    def numbers(self) -> list[int]:
        """Returns the numbers of all issues."""
        return sorted(self._issues)

    def newsletters(self) -> list[Newsletter]:
        """Returns the newsletters whose issues stand on the web, in config's order, also those that have none yet."""
        return [newsletter for newsletter in self._catalogue.newsletters.values() if newsletter.archive]

    def with_stories(self, numbers: Iterable[int]) -> list[PastIssue]:
        """Returns the issues that brought any of these stories."""
        found = {issue for number in numbers for issue in self._by_story.get(number, ())}
        return [self._issues[number] for number in sorted(found)]

    def all(self) -> list[PastIssue]:
        """Returns every issue, oldest first."""
        return [self._issues[number] for number in sorted(self._issues)]

    def latest(self, newsletter: str) -> list[PastIssue]:
        """Returns a newsletter's issues, newest first."""
        editions = self._by_newsletter.get(newsletter, {})
        return [editions[edition] for edition in sorted(editions, reverse=True)]

    def pages(self, newsletter: str) -> list[tuple[int, list[PastIssue]]]:
        """Returns the issues as the pages of the archive hold them, newest first; 0 is the page that has the newest.

        A page's editions follow from its number, so that a new issue changes no older page. The newest page takes the
        next one in, and is never almost empty.
        """
        blocks: dict[int, list[PastIssue]] = {}
        for issue in self.latest(newsletter):
            blocks.setdefault((issue.edition - 1) // _ON_PAGE + 1, []).append(issue)
        found = sorted(blocks.items(), reverse=True)
        newest = [issue for _, issues in found[:2] for issue in issues]
        return [(0, newest), *found[2:]] if newest else []
