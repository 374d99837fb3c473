"""A feed that podcast programs take in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Podcast:
    """What directories want to know of a podcast as a whole; `image` is absolute, or root-relative in config."""

    image: str
    category: str
    """One of Apple's, such as `News`."""
    subcategory: str = ""
    author: str = ""
    """Empty: the site's."""
    owner: str = ""
    """A mail address by which directories reach its makers; it stands in the feed. Empty: none."""
    explicit: bool = False
    kind: str = "episodic"
    """`serial`: to be heard from the first on."""
