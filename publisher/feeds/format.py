"""What a feed format is."""

from collections.abc import Callable
from dataclasses import dataclass

from publisher.model.feed import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write a feed down."""

    name: str
    title: str
    """For people: `RSS`."""
    extension: str
    """With which `Feed.url` becomes the address, without the dot."""
    media_type: str
    """Without parameters, as links name it."""
    charset: str | None
    render: Callable[[Feed], bytes]

    @property
    def content_type(self) -> str:
        """Returns the value of the HTTP header (RFC 9110 §8.3)."""
        return f"{self.media_type}; charset={self.charset}" if self.charset else self.media_type

    def url_of(self, feed: Feed) -> str:
        """Returns where the feed is served in this format."""
        return f"{feed.url}.{self.extension}"
