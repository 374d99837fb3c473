"""What is published beside the stories: plain pages and files as they are."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that is neither news nor mail, such as `about`; `path` is root-relative with slashes at both ends."""

    path: str
    title: str
    summary: str
    language: str
    body_html: str
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFile:
    """A file that is published with its bytes unchanged at `path`, below the site's root, without leading slash."""

    path: str
    mark: str
    """Changes when the file does."""
    size: int
    """Bytes."""
    read: Callable[[], bytes]
