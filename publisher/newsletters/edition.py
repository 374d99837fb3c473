"""From a selection and its Views to what the renderer gets: stories under headings."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from publisher.model.issue import Group, Mention
from publisher.model.view import View
from publisher.newsletters.selection import CORRECTIONS, LEAD, UPDATES, Pick, place

_MENTIONS = {UPDATES: Mention.UPDATED, CORRECTIONS: Mention.CORRECTED}


def groups(
    shown: Sequence[tuple[Pick, View]], headings: Mapping[str, str], updates: str, corrections: str = ""
) -> tuple[Group, ...]:
    """Returns the stories, which come in order, under their section's heading; what leads has none.

    `headings` are sections by id, in the edition's language; `updates` is the heading of updated stories,
    `corrections` that of corrected ones.
    """
    titles = {**headings, LEAD: "", UPDATES: updates, CORRECTIONS: corrections}
    return tuple(
        Group(
            label=titles.get(where, ""),
            views=tuple(view for _, view in part),
            mention=_MENTIONS.get(where, Mention.STORY),
        )
        for where, part in groupby(shown, key=lambda pair: _heading(pair[0], headings))
    )


def _heading(pick: Pick, headings: Mapping[str, str]) -> str:
    where = place(pick)
    return where if where in headings or where in (LEAD, UPDATES, CORRECTIONS) else ""
