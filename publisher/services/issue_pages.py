"""Past issues in public/: a page for each, the archive of each newsletter, and its feed with one entry per issue.

What an issue says is decided anew whenever a story of it changes: its page
shows what the public may have now, and one that has nothing left is no more.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from publisher.editorial.access import goes_by, settled, visible_before
from publisher.editorial.issue_entry import issue_entry
from publisher.editorial.shelves import Shelves
from publisher.feeds import FORMATS, Format
from publisher.feeds.fit import fit
from publisher.languages import date_text, direction, label
from publisher.model.archive import IssueLine, NewsletterArchive, PastIssue
from publisher.model.article import Article, Status
from publisher.model.catalogue import Catalogue, Newsletter
from publisher.model.issue import Edition
from publisher.model.people import PUBLIC
from publisher.model.view import Channel, Depth, View
from publisher.newsletters.edition import groups
from publisher.newsletters.selection import Pick, in_order
from publisher.services.archive import Archive
from publisher.services.corrections import CorrectionLog
from publisher.services.document import Document, fingerprint
from publisher.services.outline import ISSUES, Outline, archive_path, file_of, issue_feed_path, issue_path
from publisher.services.renditions import Renditions

_LOOKED_AT = 20
"""Issues among which the newest is sought of which the public may have anything."""

_Shown = tuple[PastIssue, list[Pick]]
"""An issue and what the public may have of it."""


class IssuePages:
    """The documents of past issues."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        outline: Outline,
        renditions: Renditions,
        archive: Archive,
        log: CorrectionLog,
        public: Shelves,
        depths: Mapping[int, Depth],
        latest: Callable[[int], Article | None],
        page: Callable[..., bytes],
    ) -> None:
        """`page` lays out a page with what every page has; the others as `Documents` has them."""
        self._catalogue = catalogue
        self._site = catalogue.site
        self._outline = outline
        self._renditions = renditions
        self._archive = archive
        self._log = log
        self._public = public
        self._depths = depths
        self._latest = latest
        self._page = page
        self._picked: dict[tuple[int, str], list[Pick]] = {}
        """What the public may have of each issue, by language, as of the last change of a story in it."""

    def note(self, stories: Iterable[int], issues: Iterable[PastIssue]) -> set[str]:
        """Takes note of what changed, came or went; returns the files that may lose their reason."""
        found = [*issues, *self._archive.with_stories(stories)]
        paths = set()
        for language in self._site.languages:
            for issue in found:
                self._picked.pop((issue.number, language), None)
                paths.add(issue_path(self._site, issue.newsletter, issue.edition, language))
                paths.add(archive_path(self._site, issue.newsletter, language))
                paths.add(self._outline.prefix(language) + ISSUES)
        return set(map(file_of, paths))

    def all(self, base: str) -> Iterable[Document]:
        """Yields every document."""
        yield from self._documents(base, self._archive.all(), self._archive.newsletters())

    def touched(
        self, base: str, stories: Iterable[int], issues: Iterable[PastIssue], *, lists: bool
    ) -> Iterable[Document]:
        """Yields what holds these stories, or shows these issues; `lists`: all lists of issues as well."""
        found = {issue.number: issue for issue in (*issues, *self._archive.with_stories(stories))}
        if found or lists:
            names = {issue.newsletter for issue in found.values()}
            there = [issue for issue in found.values() if issue in self._archive]
            newsletters = [one for one in self._archive.newsletters() if lists or one.id in names]
            yield from self._documents(base, there, newsletters)

    def _documents(
        self, base: str, issues: Iterable[PastIssue], newsletters: Iterable[Newsletter]
    ) -> Iterable[Document]:
        for issue in issues:
            yield from self._of_issue(base, issue)
        for newsletter in newsletters:
            yield from self._of_archive(base, newsletter)
            yield from self._of_feed(base, newsletter)
        yield from self._of_overview(base)

    def gone(self, lost: Set[int]) -> set[str]:
        """Returns the addresses of issues that the public had something of and has nothing of now.

        `lost`: the stories that it had. Of an issue that it never had anything of nothing may show.
        """
        gone = [issue for issue in self._archive.with_stories(lost) if not self._is_shown(issue)]
        languages = self._site.languages
        return {issue_path(self._site, one.newsletter, one.edition, language) for one in gone for language in languages}

    def _is_shown(self, issue: PastIssue) -> bool:
        return any(number in self._public for number, _ in issue.stories)

    # What an issue shows ----------------------------------------------------------------------------------------------

    def _picks(self, issue: PastIssue, language: str) -> list[Pick]:
        """Returns what the public may have of an issue, in order; of translations the one for these readers."""
        key = (issue.number, language)
        if key not in self._picked:
            self._picked[key] = self._pick(issue, language)
        return self._picked[key]

    def _pick(self, issue: PastIssue, language: str) -> list[Pick]:
        brought = {number: mention for number, mention in issue.stories if number in self._public}
        stories = [story for number in brought if (story := self._public.get(number)) is not None]
        if len(self._site.languages) > 1:
            stories = [one for one in stories if self._is_best(one, brought, language)]
        picks = [Pick(article=one, depth=self._depths[one.number], mention=brought[one.number]) for one in stories]
        return in_order(picks, tuple(self._catalogue.sections))

    def _is_best(self, article: Article, brought: Mapping[int, object], language: str) -> bool:
        versions = [one for one in self._public.ties.versions(article) if one.number in brought]
        return not versions or article == min(versions, key=partial(self._fitness, language))

    def _fitness(self, language: str, article: Article) -> tuple[bool, bool, int]:
        return article.language != language, article.language != self._site.language, article.number

    def _mark(self, picks: Sequence[Pick]) -> list[str]:
        return [f"{p.article.number}.{p.article.version}.{p.depth}.{p.article.access}.{p.mention}" for p in picks]

    async def _edition(self, issue: PastIssue, picks: Sequence[Pick], language: str) -> Edition:
        newsletter = self._catalogue.newsletters[issue.newsletter]
        views = await self._views([pick.article for pick in picks], Channel.PAGE)
        words = self._outline.page_language(language)
        headings = {s.id: s.title.in_language(language) for s in self._catalogue.sections.values()}
        return Edition(
            newsletter_id=newsletter.id,
            newsletter_title=newsletter.title.in_language(language),
            newsletter_description=newsletter.description.in_language(language),
            public=True,
            instant=False,
            number=issue.edition,
            language=language,
            direction=direction(language),
            local_date=_local(issue),
            groups=groups(
                list(zip(picks, views, strict=True)), headings, label("updated", words), label("corrections", words)
            ),
            web_url=self._url(issue, language),
        )

    async def _views(self, articles: Sequence[Article], channel: Channel) -> list[View]:
        return await self._renditions.at_depths(articles, self._depths, channel)

    def _url(self, issue: PastIssue, language: str) -> str:
        return self._site.absolute(issue_path(self._site, issue.newsletter, issue.edition, language))

    # One issue --------------------------------------------------------------------------------------------------------

    def _of_issue(self, base: str, issue: PastIssue) -> Iterable[Document]:
        for language in self._site.languages:
            picks = self._picks(issue, language)
            if picks:
                path = issue_path(self._site, issue.newsletter, issue.edition, language)
                mark = fingerprint(base, "issue", str(issue.due_at), issue.timezone, *self._mark(picks))
                yield Document(file_of(path), mark, partial(self._issue_page, issue, picks, language, path))

    async def rehearse(self, issue: PastIssue) -> bytes | None:
        """Returns the page of an issue that is not one yet; None when the public would have nothing of it."""
        language = self._site.language
        picks = self._pick(issue, language)
        path = issue_path(self._site, issue.newsletter, issue.edition, language)
        return await self._issue_page(issue, picks, language, path) if picks else None

    async def _issue_page(self, issue: PastIssue, picks: Sequence[Pick], language: str, path: str) -> bytes:
        newsletter = self._catalogue.newsletters[issue.newsletter]
        return self._page(
            "issue",
            language,
            path,
            edition=await self._edition(issue, picks, language),
            archive=self._site.absolute(archive_path(self._site, newsletter.id, language)),
            feeds=self._outline.issue_feed_links(newsletter),
        )

    # The archive ------------------------------------------------------------------------------------------------------

    def _of_archive(self, base: str, newsletter: Newsletter) -> Iterable[Document]:
        for language in self._site.languages:
            pages = [
                (page, shown)
                for page, issues in self._archive.pages(newsletter.id)
                if (shown := self._led(issues, language))
            ]
            numbers = [page for page, _ in pages]
            for place, (page, shown) in enumerate(pages):
                path = archive_path(self._site, newsletter.id, language, page)
                around = (numbers[place - 1 : place], numbers[place + 1 : place + 2])
                lines = [f"{issue.edition} {issue.due_at} {len(picks)}" for issue, picks in shown]
                leads = self._mark([picks[0] for _, picks in shown])
                mark = fingerprint(base, "archive", str(bool(self._log)), repr(around), *lines, *leads)
                yield Document(
                    file_of(path), mark, partial(self._archive_page, newsletter, language, path, shown, around)
                )

    def _led(self, issues: Iterable[PastIssue], language: str) -> list[_Shown]:
        """Returns the issues of which the public may have something, with that."""
        return [(issue, picks) for issue in issues if (picks := self._picks(issue, language))]

    async def _archive_page(
        self,
        newsletter: Newsletter,
        language: str,
        path: str,
        shown: Sequence[_Shown],
        around: tuple[list[int], list[int]],
    ) -> bytes:
        newer, older = (
            self._site.absolute(archive_path(self._site, newsletter.id, language, page[0])) if page else None
            for page in around
        )
        return self._page(
            "archive",
            language,
            path,
            newsletter=newsletter,
            lines=await self._lines(shown, language),
            newer=newer,
            older=older,
            feeds=self._outline.issue_feed_links(newsletter),
        )

    async def _lines(self, shown: Sequence[_Shown], language: str) -> list[IssueLine]:
        leads = await self._views([picks[0].article for _, picks in shown], Channel.PAGE)
        return [
            IssueLine(
                url=self._url(issue, language),
                number=issue.edition,
                local_date=_local(issue),
                lead=lead,
                stories=len(picks),
            )
            for (issue, picks), lead in zip(shown, leads, strict=True)
        ]

    def languages(self) -> frozenset[str]:
        """Returns the languages in which there is anything to show."""
        return frozenset(language for language in self._site.languages if self._newest(language))

    def _newest(self, language: str) -> list[tuple[Newsletter, list[_Shown]]]:
        """Returns the newsletters with the newest issue of which the public may have something."""
        looked_at = ((one, self._archive.latest(one.id)[:_LOOKED_AT]) for one in self._archive.newsletters())
        return [(one, shown[:1]) for one, issues in looked_at if (shown := self._led(issues, language))]

    def _of_overview(self, base: str) -> Iterable[Document]:
        """Yields the overview, which is there, and says that it is empty, before the first issue."""
        for language in self._site.languages if self._archive.newsletters() else ():
            latest = self._newest(language)
            marks = [str(bool(self._log))]
            marks += [
                part
                for newsletter, [(issue, picks)] in latest
                for part in (newsletter.id, str(issue.edition), str(len(picks)), *self._mark(picks[:1]))
            ]
            path = self._outline.prefix(language) + ISSUES
            make = partial(self._overview, latest, language, path)
            yield Document(file_of(path), fingerprint(base, "issues", *marks), make)

    async def _overview(
        self,
        latest: Sequence[tuple[Newsletter, Sequence[_Shown]]],
        language: str,
        path: str,
    ) -> bytes:
        archives = [
            NewsletterArchive(
                newsletter=newsletter,
                url=self._site.absolute(archive_path(self._site, newsletter.id, language)),
                latest=(await self._lines(shown, language))[0],
            )
            for newsletter, shown in latest
        ]
        return self._page("issues", language, path, archives=archives)

    # The feed ---------------------------------------------------------------------------------------------------------

    def _of_feed(self, base: str, newsletter: Newsletter) -> Iterable[Document]:
        shown = self._led(self._archive.latest(newsletter.id)[: self._site.feed_limit], self._site.language)
        marks = [part for issue, picks in shown for part in (str(issue.edition), *self._mark(picks))]
        path = issue_feed_path(newsletter.id)
        for fmt in FORMATS.values():
            make = partial(self._feed_bytes, newsletter, shown, fmt)
            mark = fingerprint(base, "issue feed", fmt.name, *marks)
            yield Document(file_of(f"{path}.{fmt.extension}"), mark, make)

    async def _feed_bytes(self, newsletter: Newsletter, shown: Sequence[_Shown], fmt: Format) -> bytes:
        entries = [await self._entry(issue, picks) for issue, picks in shown]
        feed = self._outline.issue_feed(newsletter, entries)
        return fit(feed, [fmt], self._site.feed_bytes)[1][fmt.name]

    async def _entry(self, issue: PastIssue, picks: Sequence[Pick]) -> View:
        language = self._site.language
        edition = await self._edition(issue, picks, language)
        words = self._outline.page_language(language)
        when = date_text(issue.due_at, language, issue.timezone)
        title = label(
            "digest_subject", words, newsletter=edition.newsletter_title, date=when, headline=edition.views[0].title
        )
        return issue_entry(
            edition,
            id=self._outline.issue_id(issue.newsletter, issue.edition),
            title=title,
            published_at=issue.due_at,
            updated_at=self._updated_at(issue),
            site_language=language,
        )

    def _updated_at(self, issue: PastIssue) -> datetime:
        """Returns when the entry last came to say something else: a story was revised, or is out no more."""
        stories = [settled(one, self._catalogue) for number, _ in issue.stories if (one := self._latest(number))]
        return max([issue.due_at, *map(self._changed_at, filter(self._was_open, stories))])

    def _changed_at(self, article: Article) -> datetime:
        return article.updated_at if article.number in self._public else article.revised_at

    def _was_open(self, article: Article) -> bool:
        """Returns whether the public had the story: of what it never had, nothing may show."""
        before = replace(article, status=Status.PUBLISHED)
        return goes_by(before, Channel.PAGE) and visible_before(
            [before], PUBLIC, article.revised_at, self._catalogue.policy
        )


def _local(issue: PastIssue) -> datetime:
    return issue.due_at.astimezone(ZoneInfo(issue.timezone))
