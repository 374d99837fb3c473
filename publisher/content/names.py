"""What a file's path says about its story."""

import posixpath
import re
from dataclasses import dataclass

_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})-(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A path taken apart."""

    stem: str
    """The name without folder, suffix, date and language."""
    suffix: str
    """In lower case, with its dot."""
    date: str | None = None
    """`YYYY-MM-DD`, from names such as Jekyll's `2024-01-02-title.md`."""
    language: str | None = None
    """From names such as Hugo's `title.tr.md`."""
    post: bool = False
    """In Jekyll's `_posts` or `_drafts`."""
    draft: bool = False
    """In Jekyll's `_drafts`."""

    @property
    def title(self) -> str:
        """Returns the name as words."""
        words = re.sub(r"[-_\s]+", " ", self.stem).strip()
        return words[:1].upper() + words[1:]


def read(source: str, languages: tuple[str, ...]) -> FileName:
    """Returns what a path below the articles folder says; `index.md` is named by its folder (Hugo's page bundles)."""
    folder, name = posixpath.split(source)
    stem, suffix = posixpath.splitext(name)
    base, _, ending = stem.rpartition(".")
    language = ending if base and ending in languages else None
    stem = base if language else stem
    if stem == "index" and folder:
        stem = posixpath.basename(folder)
    dated = _DATED.fullmatch(stem)
    folders = folder.split("/")
    return FileName(
        stem=dated[2] if dated else stem,
        suffix=suffix.lower(),
        date=dated[1] if dated else None,
        language=language,
        post="_posts" in folders or "_drafts" in folders,
        draft="_drafts" in folders,
    )
