"""What readers chose of a newsletter, as columns of a list of people: rhythm, clock, pause and which stories; pure."""

from collections.abc import Mapping

from publisher.errors import UsageError
from publisher.model.choices import Change, Form
from publisher.model.people import Subscription
from publisher.services.cells import listed, parse_list, parse_moment

WISHES = (
    "rhythm",
    "rhythm_timezone",
    "paused_until",
    "form",
    "only_sections",
    "only_tags",
    "only_languages",
    "only_urgency",
)
"""Their columns; they are about the newsletters of their line."""


def wish_cells(subscription: Subscription) -> dict[str, str]:
    """Returns the cells of a subscription; empty is what a newsletter does by itself."""
    choices, until = subscription.choices, subscription.paused_until
    cells = (
        subscription.cadence or "",
        subscription.timezone or "",
        until.isoformat() if until else "",
        "" if choices.form is Form.FULL else choices.form.value,
        listed(choices.sections),
        listed(choices.tags),
        listed(choices.languages),
        str(choices.urgency_max or ""),
    )
    return dict(zip(WISHES, cells, strict=True))


def parse_wish(cells: Mapping[str, str], zone: str) -> Change:
    """Returns what the cells wish for; a day is one in `zone`. UsageError names the column of what cannot be read."""
    said = {name: cell for name, cell in cells.items() if cell}
    form, urgency = said.get("form", ""), said.get("only_urgency", "")
    if form and form not in list(Form):
        raise UsageError(f"{form!r} in form is none; there are {', '.join(Form)}")
    if urgency and urgency not in list("123456789"):
        raise UsageError(f"{urgency!r} in only_urgency is not 1, the most urgent, to 9")
    return Change(
        rhythm=said.get("rhythm"),
        timezone=said.get("rhythm_timezone"),
        paused_until=parse_moment(said.get("paused_until", ""), zone, end=False),
        sections=_list(said.get("only_sections")),
        tags=_list(said.get("only_tags")),
        languages=_list(said.get("only_languages")),
        urgency_max=int(urgency) if urgency else None,
        form=Form(form) if form else None,
    )


def _list(cell: str | None) -> tuple[str, ...] | None:
    return None if cell is None else parse_list(cell)
