"""What a parser must know of the publication; no more than that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from publisher.content.slug import slugify
from publisher.model.article import Access
from publisher.model.catalogue import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The publication as a parser sees it."""

    timezone: tzinfo
    """Zone of every time that names none."""
    language: str
    """BCP 47 tag of stories that name none."""
    languages: tuple[str, ...]
    site_url: str
    """Without trailing slash."""
    asset_path: Callable[[str], str]
    """POSIX path of a file below the articles folder → its root-relative public address, URL-escaped."""
    sections: Mapping[str, Section] = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    default_access: Access = Access.PUBLIC
    permalink: str = "/articles/{slug}/"
    """Pattern of a story's address: see `permalink.expand`."""

    names: Mapping[str, str] = field(init=False)
    """Slug of every section's id and titles → its id."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "names",
            {
                slugify(text): section.id
                for section in self.sections.values()
                for text in (*section.title.texts.values(), section.id)
            },
        )

    def section_named(self, text: str) -> str | None:
        """Returns the id of the section that config calls so, as id or as title in any language."""
        return self.names.get(slugify(text))

    def effective_access(self, access: Access | None, section: str | None) -> Access:
        """Returns the access of a story: its own, else its section's, else the site's."""
        if access is not None:
            return access
        known = self.sections.get(section) if section else None
        return known.access if known is not None and known.access is not None else self.default_access
