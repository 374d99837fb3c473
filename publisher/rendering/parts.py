"""What many pages have in common: rendered once for the same names, and taken from memory after that."""

from collections.abc import Iterable

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup

from publisher.model.view import Label

_ALWAYS = ("site", "language", "direction")
_KEPT = 128
"""Parts in memory; of each language there are a few."""


class Parts:
    """Gives templates `part(name, …)` and `among(labels, address)`.

    A part is told apart from another by which objects it is given, not by what they are like: whoever gives the same
    lists to many pages has it rendered once.
    """

    def __init__(self, env: jinja2.Environment) -> None:
        self._env = env
        self._made: dict[tuple[object, ...], tuple[tuple[object, ...], Markup]] = {}
        """With what they were made from: it must live as long as its identity stands for it."""
        env.globals.update(part=self.part, among=among)

    @jinja2.pass_context
    def part(self, context: Context, name: str, **own: object) -> Markup:
        """Returns a template rendered with these names, and with what `site`, `language` and `direction` are."""
        values = (*map(context.resolve, _ALWAYS), *own.values())
        key = (name, *own, *map(id, values))
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            given = dict(zip((*_ALWAYS, *own), values, strict=True))
            html = Markup(self._env.get_template(name).render(given))  # noqa: S704 - templates escape
            made = self._made[key] = (values, html)
        return made[1]

    def forget(self) -> None:
        """Has everything rendered anew, as templates are other ones now."""
        self._made.clear()


def among(labels: Iterable[Label], address: str | None) -> str | None:
    """Returns an address if one of the Labels has it."""
    return address if any(label.url == address for label in labels) else None
