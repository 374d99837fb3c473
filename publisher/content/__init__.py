"""Text in, stories out: front matter, Markdown, HTML and wire text become a `Manuscript`.

Reads no file and knows no clock.
"""

from publisher.content.manuscript import parse
from publisher.content.rules import Rules

__all__ = ["Rules", "parse"]
