"""Parts of list pages as they were made before: of fifty teasers on a page one is new when a story is saved."""

from pathlib import Path
from typing import Any

import jinja2
from jinja2.runtime import Context, Macro

from publisher.model.kept import Kept

_OCTETS = 4 * 1024 * 1024
_FREE = frozenset({"teaser"})
"""The macros of `web/_parts.html` that hang on what they are given and on the page's language alone."""


class Fragments:
    """What macros returned, by all that it hangs on; what nobody asked for goes first."""

    def __init__(self, packaged: Path, octets: int = _OCTETS) -> None:
        """Only the `packaged` macros are known to hang on nothing else; `octets`: how many are kept at most."""
        self._file = str(packaged / "web" / "_parts.html")
        self._made: Kept[tuple[object, ...], str] = Kept(octets)

    @jinja2.pass_context
    def remembered(self, context: Context, macro: Macro, *given: Any, **named: Any) -> str:
        """Returns `macro(…)`."""
        made_by = macro._func.__code__
        if macro.name not in _FREE or made_by.co_filename != self._file:
            return macro(*given, **named)
        key = (made_by, context["language"], given, *named.items())
        made = self._made.get(key)
        if made is None:
            made = macro(*given, **named)
            self._made.put(key, made)
        return made

    def forget(self) -> None:
        """Has everything made anew, as templates are other ones now: a macro may call one that changed."""
        self._made.clear()
