"""Plain text as mail carries it: short lines, whole addresses (RFC 5322 §2.1.1)."""

import re
import textwrap
from collections.abc import Callable, Container

WIDTH = 78
_INDENT = re.compile(r"(?P<quote>(?:> ?)*)(?P<room>\s*(?:(?:[*•-]|\d+\.|\[\d+\])\s+)?)")
_TARGET = re.compile(r" \((https?://[^\s()]+)\)")


def told(text: str, headings: Container[str], capitals: Callable[[str], str]) -> str:
    """Returns a story's text as one would read it aloud: headings stand out, addresses of links come after it.

    `capitals` writes a heading that has capitals; others get a line below.
    """
    targets: dict[str, int] = {}

    def note(found: re.Match[str]) -> str:
        return f" [{targets.setdefault(found[1], len(targets) + 1)}]"

    blocks = [_TARGET.sub(note, _headed(block, headings, capitals)) for block in text.split("\n\n")]
    notes = "\n".join(f"[{number}] {target}" for target, number in targets.items())
    return "\n\n".join([*blocks, *([notes] if notes else [])])


def _headed(block: str, headings: Container[str], capitals: Callable[[str], str]) -> str:
    if one_line(_TARGET.sub("", block)) not in headings:
        return block
    shouted = capitals(block)
    return f"\n{shouted}" if shouted != block else f"\n{block}\n{'-' * min(len(block), WIDTH)}"


def wrapped(text: str, width: int = WIDTH) -> str:
    """Returns the text with lines of at most `width` characters, but for single words that are longer.

    A line's indentation, and the room its bullet takes, is kept in the lines that follow it.
    """
    lines = [line for raw in text.splitlines() for line in _lines(raw.rstrip(), width)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"


def _lines(line: str, width: int) -> list[str]:
    start = _INDENT.match(line)
    if len(line) <= width or start is None:
        return [line]
    indent = start["quote"] + " " * len(start["room"])
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
