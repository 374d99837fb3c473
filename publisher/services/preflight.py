"""Looks over everything before it goes out: what `check` says beyond what is refused anyway.

Files are looked over as intake reads them, then what only shows among all of
them, then the mails that each newsletter would make now. Nothing is changed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

from publisher.content.permalink import RESERVED
from publisher.content.preflight import CLIPPED_MAIL, LARGE_MAIL, Surroundings, line_of, look_over
from publisher.editorial.access import decide, effective_access, goes_by, settled
from publisher.errors import NotFoundError, RefusedError, TemplateError, UnsettledError
from publisher.languages import language_name
from publisher.model.article import Article, Body, Manuscript, Problem, Status
from publisher.model.catalogue import Catalogue
from publisher.model.people import PUBLIC
from publisher.model.text import Localized
from publisher.model.view import Channel, Depth
from publisher.ports import Companions, Source
from publisher.services.preview import Preview, Previewing

_CONFIG = "config.toml"
_LONGEST_SUBJECT = 120
"""Characters."""
_SAME_NEWS = timedelta(days=7)
"""Within so long two stories of one headline are taken for one story that is there twice."""
_NO_BODY = Body(html="", text="")


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is kept of a file once it was looked over."""

    story: Manuscript
    """Without its text."""
    places: Mapping[str, int]
    """Lines of what may turn out to be wrong: links into the site, and ids of other stories."""
    findings: tuple[Problem, ...]


class Preflight:
    """The list of what is looked over; `read` stands before the parser for a pass over the folder."""

    def __init__(
        self,
        *,
        parse: Callable[[str, bytes], Manuscript],
        catalogue: Catalogue,
        companions: Companions,
        source: Source,
        folder: str,
        clock: Callable[[], datetime],
        sandbox: bool,
    ) -> None:
        """`folder` is the articles folder's name, as findings show it."""
        self._parse = parse
        self._catalogue = catalogue
        self._companions = companions
        self._source = source
        self._folder = folder
        self._clock = clock
        self._sandbox = sandbox
        self._looked: dict[str, _Looked] = {}

    # Each story by itself ---------------------------------------------------------------------------------------------

    def read(self, path: str, data: bytes) -> Manuscript:
        """Parses a file and looks it over; raises RefusedError as the parser does."""
        self._looked.pop(path, None)
        story = self._parse(path, data)
        if story.status is Status.PUBLISHED:
            self._looked[path] = self._look(story, data.decode("utf-8", "replace"))
        return story

    def of_files(self, paths: Iterable[str]) -> list[Problem]:
        """Returns what is to be found in single files; none in those that cannot be read."""
        for path in paths:
            try:
                self.read(path, self._source.read(path))
            except (RefusedError, NotFoundError, UnsettledError):
                continue
        return self._named(one for path in paths if path in self._looked for one in self._looked[path].findings)

    def _look(self, story: Manuscript, written: str) -> _Looked:
        section = self._catalogue.sections.get(story.section) if story.section else None
        access = effective_access(story, section, self._catalogue.default_access)
        around = Surroundings(now=self._clock(), access=access, size_of=self._size_of)
        findings = tuple(look_over(story, written, around))
        told = {target: as_written for target, as_written in story.links if self._path_of(target) is not None}
        named = (*story.related, *story.supersedes, *filter(None, [story.translation_of]))
        places = {
            **{target: line_of(words, written) for target, words in told.items()},
            **{name: line_of(name, written) for name in named},
        }
        return _Looked(replace(story, body=_NO_BODY), places, findings)

    def _size_of(self, path: str) -> int | None:
        file = self._companions.asset(path)
        return None if file is None else file.size

    # All of them together ---------------------------------------------------------------------------------------------

    def among(self, articles: Sequence[Article], addresses: Iterable[str]) -> list[Problem]:
        """Returns what is to be found in all files that were read; `articles` are the stories they tell.

        `addresses` are root-relative ones that are no story's.
        """
        own = (one for looked in self._looked.values() for one in looked.findings)
        known = _Known(articles, self._catalogue, self._clock(), {*addresses, *self._files()})
        found = [*own, *self._dead_links(known), *self._unknown_stories(known), *self._twins()]
        return sorted(self._named(found), key=lambda one: (one.path, one.line, one.code))

    def _named(self, found: Iterable[Problem]) -> list[Problem]:
        return [replace(problem, path=f"{self._folder}/{problem.path}") for problem in found]

    def _files(self) -> Iterator[str]:
        for file in self._companions.files():
            yield f"/{file.path}"
            yield f"/{file.path.removesuffix('index.html')}"
        yield from (page.path for page in self._companions.pages())

    def _path_of(self, target: str) -> str | None:
        """Returns the decoded path of a link that leads into the site; None for any other."""
        site = self._catalogue.site.url
        if target.startswith("/") and not target.startswith("//"):
            target = site + target
        if target != site and not target.startswith((f"{site}/", f"{site}?", f"{site}#")):
            return None
        return unquote(urlsplit(target.removeprefix(site)).path) or "/"

    def _dead_links(self, known: "_Known") -> Iterator[Problem]:
        for looked in self._looked.values():
            for target, line in looked.places.items():
                path = self._path_of(target)
                if path is not None and (wrong := known.wrong_with(path)):
                    as_written = dict(looked.story.links).get(target, target)
                    yield _found(looked, line, "link-dead", f"the link {as_written} {wrong}")

    def _unknown_stories(self, known: "_Known") -> Iterator[Problem]:
        for looked in self._looked.values():
            story = looked.story
            keys = {"related": story.related, "supersedes": story.supersedes}
            keys["translation_of"] = (story.translation_of,) if story.translation_of else ()
            for key, names in keys.items():
                for name in names:
                    if name not in known.ids:
                        message = f"{key} names {name}, and no story has that id; see `id` in the other file"
                        yield _found(looked, looked.places[name], "reference-unknown", message)

    def _twins(self) -> Iterator[Problem]:
        alike: dict[tuple[str, str], list[_Looked]] = defaultdict(list)
        for _, looked in sorted(self._looked.items()):
            alike[looked.story.title.casefold(), looked.story.language].append(looked)
        for first, *others in alike.values():
            for other in others:
                if _near(first.story.date, other.story.date):
                    message = f"{first.story.source} has the same headline; is this one story twice?"
                    yield _found(other, 1, "headline-twice", message)

    def outward_links(self) -> dict[str, list[tuple[str, int]]]:
        """Returns the links that lead to other sites, with the files and lines that have them."""
        found: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for path, looked in sorted(self._looked.items()):
            for target, as_written in looked.story.links:
                if target.startswith(("http://", "https://")) and self._path_of(target) is None:
                    found[target].append((path, self._line(path, as_written)))
        return found

    def _line(self, path: str, words: str) -> int:
        try:
            return line_of(words, self._source.read(path).decode("utf-8", "replace"))
        except (RefusedError, NotFoundError, UnsettledError):
            return 1

    def unreachable(self, answers: Mapping[str, str]) -> list[Problem]:
        """Returns a finding for each link to another site that got no good answer; `answers` are those, by address."""
        links = self.outward_links()
        return self._named(
            Problem(path=path, line=line, message=f"{url}: {answers[url]}", fatal=False, code="link-unreachable")
            for url in answers
            for path, line in links.get(url, ())
        )

    # The publication, and its next issues -----------------------------------------------------------------------------

    def publication(self, config: str) -> list[Problem]:
        """Returns what config, in its own words, leaves out that readers would miss."""
        catalogue, found = self._catalogue, []
        if catalogue.newsletters and not catalogue.site.postal_address and not self._sandbox:
            message = "site.postal_address is empty: most laws want a postal address in every newsletter"
            found.append(_in_config(line_of("[site]", config), "postal-missing", message))
        titled: list[tuple[str, str, Localized]] = [
            *(("sections", one.id, one.title) for one in catalogue.sections.values()),
            *(("products", one.id, one.title) for one in catalogue.products.values()),
            *(("newsletters", one.id, one.title) for one in catalogue.newsletters.values()),
        ]
        for table, name, title in titled:
            missing = [lang for lang in catalogue.site.languages if len(title.texts) > 1 and lang not in title.texts]
            if missing:
                names = ", ".join(map(language_name, missing))
                message = f"{table} {name}: the title is not said in {names}"
                found.append(_in_config(line_of(f'"{name}"', config), "translation-missing", message))
        return found

    def missing(self, newsletters: Mapping[str, int]) -> list[Problem]:
        """Returns a finding for each newsletter that config lacks; `newsletters` are those that people have."""
        words = "there is no newsletter {name!r}, which {count} people have: they get nothing of it"
        return [
            _in_config(1, "newsletter-missing", words.format(name=name, count=count))
            for name, count in newsletters.items()
            if name not in self._catalogue.newsletters
        ]

    async def issues(self, previewing: Previewing, config: str) -> list[Problem]:
        """Returns what is to be found in the mail that each newsletter would make now, for a reader of everything."""
        found: list[Problem] = []
        for newsletter in self._catalogue.newsletters.values():
            line = line_of(f'"{newsletter.id}"', config)
            try:
                preview = await previewing.preview(newsletter.id, self._clock())
            except TemplateError as error:
                found.append(Problem(path=error.path, line=error.line, message=error.message, code="template"))
                continue
            if isinstance(preview, Preview):
                found += [
                    _in_config(line, code, f"the next issue of {newsletter.id}: {message}")
                    for code, message in _of_mail(preview.mail.subject, len(preview.mail.html.encode()))
                ]
        return found


class _Known:
    """What may be linked to."""

    def __init__(self, articles: Sequence[Article], catalogue: Catalogue, now: datetime, addresses: set[str]) -> None:
        self._addresses = addresses
        self.ids = {article.id for article in articles}
        self._stories: dict[str, str] = {}
        for stored in articles:
            article = settled(stored, catalogue)
            wrong = _hidden(article, decide(article, PUBLIC, Channel.PAGE, now, policy=catalogue.policy))
            self._stories[unquote(article.path)] = wrong
            self._stories |= {unquote(alias): wrong for alias in article.aliases}

    def wrong_with(self, path: str) -> str:
        """Returns what is wrong with a link to a path; empty: nothing."""
        whole = path if path.endswith("/") or "." in path.rpartition("/")[2] else f"{path}/"
        if path in self._addresses or whole in self._addresses or path.split("/")[1] in RESERVED:
            return ""
        for candidate in (path, whole):
            if candidate in self._stories:
                return self._stories[candidate]
        return "leads to nothing on this site; see how the other story's address is spelt"


def _hidden(article: Article, depth: Depth) -> str:
    if depth not in (Depth.HIDE, Depth.HOLD, Depth.TOMBSTONE):
        return ""
    if article.status is not Status.PUBLISHED:
        return f"leads to a story that is not out ({article.source} is {article.status})"
    if not goes_by(article, Channel.PAGE):
        return f"leads to a letter, which has no page ({article.source})"
    if article.first_published_at is None:
        return f"leads to a story that is not out yet ({article.source})"
    return f"leads to a story without a public page ({article.source})"


def _found(looked: _Looked, line: int, code: str, message: str) -> Problem:
    return Problem(path=looked.story.source, line=line, message=message, fatal=False, code=code)


def _in_config(line: int, code: str, message: str) -> Problem:
    return Problem(path=_CONFIG, line=line, message=message, fatal=False, code=code)


def _of_mail(subject: str, size: int) -> Iterator[tuple[str, str]]:
    if not subject:
        yield "subject-missing", "it has no subject; write newsletters.subject, or take it out"
    elif len(subject) > _LONGEST_SUBJECT:
        yield (
            "subject-long",
            f"its subject has {len(subject)} characters, and inboxes show less than {_LONGEST_SUBJECT}",
        )
    if size > CLIPPED_MAIL:
        yield "issue-clipped", f"it has {size // 1024} KB, and Gmail cuts off what is beyond 102; lower max_articles"
    elif size > LARGE_MAIL:
        yield "issue-large", f"it has {size // 1024} KB; from 102 on Gmail cuts mails off"


def _near(one: datetime | None, other: datetime | None) -> bool:
    return one is None or other is None or abs(one - other) <= _SAME_NEWS
