"""What everybody works with who writes to people about single stories."""

from dataclasses import dataclass

from publisher.model.catalogue import Catalogue
from publisher.ports import Articles, IssueStore, NoticeStore, Renderer, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One publication's stories, stores and words."""

    catalogue: Catalogue
    notices: NoticeStore
    issues: IssueStore
    articles: Articles
    versions: Versions
    renderer: Renderer
    sandbox: bool
    """Whether mail goes to the sandbox's inbox at present."""
    restored: bool = False
    """Whether this is a copy that has not been told to mail."""
