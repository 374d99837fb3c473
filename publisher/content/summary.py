"""A summary of a story that has none: the first sentence of its first paragraph, never more."""

import re

MAX = 300

_SENTENCE_END = re.compile(r"[.!?…。]+[\"'”’»)\]]*(?=\s|$)")
_ABBREVIATION = re.compile(r"(?:^|\W)(?:[^\W\d_]|Mr|Mrs|Ms|Dr|St|Gen|Gov|Sen|Rep|No|Prof|Sgt|Lt|Col|Av|Doç)\.$")


def generate(first_paragraph: str) -> str:
    """Returns the first sentence if it fits into 300 characters, else its beginning with an ellipsis."""
    text = " ".join(first_paragraph.split())
    ends = (match.end() for match in _SENTENCE_END.finditer(text, 0, MAX + 1) if match.end() <= MAX)
    end = next((end for end in ends if not _ABBREVIATION.search(text[:end])), None)
    if end is not None:
        return text[:end]
    if len(text) <= MAX:
        return text
    cut = text.rfind(" ", MAX // 2, MAX)
    return text[: cut if cut > 0 else MAX - 1].rstrip(" ,;:-–—") + "…"
