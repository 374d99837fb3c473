"""Which names in the articles folder count, and as what."""

import os.path
import re

from publisher.model.files import ARTICLE_SUFFIXES

MAX_DEPTH = 8
"""Folders above a file that are still looked into."""

_IGNORED = re.compile(
    r"\..*|.*~|.*\.(?:swp|swx|tmp|part|crdownload|bak)|4913|#.*#|.*\.sync-conflict-.*|Thumbs\.db|desktop\.ini",
    re.IGNORECASE | re.DOTALL,
)
# Hugo's section pages: texts about a folder, not stories.
_SECTION_PAGE = re.compile(r"_index(?:\.[A-Za-z-]+)?\.(?:md|markdown|html?)", re.IGNORECASE)
# Most names are like this, and cannot be any of those above.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]*(?:\.(?:md|html|txt|jpg|png))?", re.ASCII)
is_plain_article = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]*\.(?:md|html|txt)", re.ASCII).fullmatch
"""Whether a name is a story's, and too plain to be anything else."""


def is_ignored(name: str) -> bool:
    """Returns whether a name is an editor's, a synchroniser's or a system's own, or a section page."""
    if _PLAIN.fullmatch(name) and name != "4913":
        return False
    return _IGNORED.fullmatch(name) is not None or _SECTION_PAGE.fullmatch(name) is not None


def is_article(name: str) -> bool:
    """Returns whether a file of this name holds a story."""
    return name.endswith(".md") or os.path.splitext(name)[1].lower() in ARTICLE_SUFFIXES
