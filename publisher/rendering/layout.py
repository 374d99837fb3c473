"""How a front page shares out its stories: a pure arrangement of Views."""

from collections.abc import Sequence
from dataclasses import dataclass

from publisher.model.view import Label, View

_LEAD_CANDIDATES = 8
_TOP_CANDIDATES = 12
_TOP = 3
_RAIL = 7
_BLOCK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One section's part of the front page; no label for stories without a section."""

    label: Label | None
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A front page: one lead, a row below it, the newest headlines beside it, a block per section."""

    lead: View | None
    top: tuple[View, ...]
    latest: tuple[View, ...]
    blocks: tuple[Block, ...]


def arrange(views: Sequence[View], sections: Sequence[Label]) -> Front:
    """Returns the front page of `views`, which come newest first; the most urgent of the newest go to the top."""
    lead = min(views[:_LEAD_CANDIDATES], key=_prominence, default=None)
    others = [view for view in views if view is not lead]
    top = sorted(others[:_TOP_CANDIDATES], key=lambda view: view.urgency)[:_TOP]
    rest = [view for view in others if view not in top]
    latest = rest if len(rest) >= _RAIL else others
    return Front(lead=lead, top=tuple(top), latest=tuple(latest[:_RAIL]), blocks=_blocks(rest, sections))


def _prominence(view: View) -> tuple[int, bool]:
    """Urgency first; between equals a picture decides, then the date."""
    return view.urgency, view.image is None


def _blocks(views: Sequence[View], sections: Sequence[Label]) -> tuple[Block, ...]:
    by_section: dict[str, list[View]] = {}
    known = {section.id for section in sections}
    for view in views:
        key = view.section.id if view.section and view.section.id in known else ""
        by_section.setdefault(key, []).append(view)
    labelled = [Block(label=s, views=tuple(by_section[s.id][:_BLOCK])) for s in sections if s.id in by_section]
    others = [Block(label=None, views=tuple(by_section[""][:_BLOCK]))] if "" in by_section else []
    return (*labelled, *others)
