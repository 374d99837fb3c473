"""Plain text as mail carries it: short lines, whole addresses (RFC 5322 §2.1.1)."""

import re
import textwrap

WIDTH = 78
_INDENT = re.compile(r"\s*(?:(?:[*•-]|\d+\.)\s+)?")


def wrapped(text: str, width: int = WIDTH) -> str:
    """Returns the text with lines of at most `width` characters, but for single words that are longer.

    A line's indentation, and the room its bullet takes, is kept in the lines that follow it.
    """
    lines = [line for raw in text.splitlines() for line in _lines(raw.rstrip(), width)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _lines(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    start = _INDENT.match(line)
    indent = " " * (start.end() if start else 0)
    return textwrap.wrap(
        line,
        width=width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def one_line(text: str) -> str:
    """Returns the text on one line, its runs of white space single spaces."""
    return " ".join(text.split())


def shortened(text: str, length: int) -> str:
    """Returns the text on one line of at most `length` characters, cut between words."""
    line = one_line(text)
    if len(line) <= length:
        return line
    head = line[: length - 1].rsplit(" ", maxsplit=1)[0]
    return head.rstrip(" ,;:·–—-") + "…"
