"""What we remember of the folder and of public/, so that only what changed is done again."""

from dataclasses import dataclass

from publisher.model.article import Article, Body, Problem
from publisher.model.files import FileStat


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What was last read from one file; a refused file keeps the article of its last good version."""

    path: str
    stat: FileStat
    content_hash: str
    article: int | None
    problems: tuple[Problem, ...] = ()
    assets: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the file's present content cannot be used."""
        return any(problem.fatal for problem in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One version of an article to be remembered; `change` says how it came about."""

    article: Article
    body: Body
    change: str
    former_paths: tuple[str, ...] = ()
    """Root-relative addresses that lead to the article from now on."""


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One file in public/: what it was made from, and what it is."""

    path: str
    fingerprint: str
    content_hash: str
