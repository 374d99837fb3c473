"""A summary of a story that has none: whole sentences of its first paragraph, never more."""

import re

MAX = 300

_SENTENCE_END = re.compile(r"[.!?…。]+[\"'”’»)\]]*(?=\s|$)")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:[^\W\d_]|Mr|Mrs|Ms|Dr|St|Gen|Gov|Sen|Rep|No|Prof|Sgt|Lt|Col|Av|Doç)\.$")


def generate(first_paragraph: str) -> str:
    """Returns the sentences that fit into 300 characters, or the beginning of the first one with an ellipsis."""
    text = " ".join(first_paragraph.split())
    if len(text) <= MAX:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, MAX + 1) if match.end() <= MAX]
    for end in reversed(ends):
        if not _ABBREVIATION.search(text[:end]):
            return text[:end]
    cut = text.rfind(" ", MAX // 2, MAX)
    return text[: cut if cut > 0 else MAX - 1].rstrip(" ,;:-–—") + "…"
