"""Files in the articles folder, as one look at the folder saw them."""

from dataclasses import dataclass

import msgspec

from publisher.model.article import Problem

ARTICLE_SUFFIXES = frozenset({".md", ".markdown", ".html", ".htm", ".txt"})
"""Endings of names, in lower case, that make a file an article; any other file is an asset."""

ARTICLE_BYTES = 2 * 1024 * 1024
"""The size up to which a file is read as an article."""


class FileStat(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What tells one state of a file from another without reading it; times in nanoseconds.

    There is one for every file of the folder, again at every look: the garbage collector need not know of them.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """All files of the folder by POSIX path below it, NFC."""

    articles: dict[str, FileStat]
    assets: dict[str, FileStat]
    refused: tuple[Problem, ...] = ()
    """Files and folders that were not taken: none of them has gone, so what was published from them stays."""
    unread: tuple[str, ...] = ()
    """Folders that could not be listed, with trailing slash: what is below them is not known to have gone."""
