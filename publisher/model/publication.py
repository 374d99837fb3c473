"""What we remember of the folder and of public/, so that only what changed is done again."""

from dataclasses import dataclass
from datetime import datetime

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
    recalls: bool = False
    """Whether mail that waits with an earlier version must not go as it is (decisions 1)."""
    gone: bool = False
    """Whether no file tells the story any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Many stories that are gone from the folder at once: they stay out until somebody says that it is meant."""

    at: datetime
    sources: tuple[str, ...]
    """POSIX paths below the articles folder."""
    of: int
    """How many stories there were."""
    released: bool = False

    @property
    def reason(self) -> str:
        """Returns what is held, and what to do about it."""
        return (
            f"{len(self.sources)} of {self.of} stories are gone from the folder at once; nothing was taken down. "
            "Is it mounted? If it is meant so: publisher issues release losses"
        )


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One file in public/: what it was made from, and what it is."""

    path: str
    fingerprint: str
    content_hash: str
