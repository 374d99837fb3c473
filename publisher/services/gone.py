"""`gone.map`: the addresses that answer 410, for web servers that serve public/ without us."""

import hashlib
import re
from collections.abc import Iterable

from publisher.ports import Facts, Output

NAME = "gone.map"
_FACT = "gone_map"
_UNSAFE = re.compile(r"[\s\"';{}\\$~#]")
"""What would mean something in such a file; addresses that we make have none of it."""


class GoneMap:
    """The file beside public/: never in it, as an address may tell the headline that was taken back."""

    def __init__(self, folder: Output, facts: Facts, home: str) -> None:
        """`home`: which of several nodes' folders this is; empty where there is just one."""
        self._folder = folder
        self._facts = facts
        self._fact = f"{_FACT} {home}".strip()
        self._written: str | None = None
        self._told: frozenset[str] | None = None

    async def write(self, paths: Iterable[str]) -> None:
        """Replaces the file when it would be another; there is none before anything is gone."""
        told = frozenset(paths)
        if told == self._told and (not told or self._folder.exists(NAME)):
            return
        lines = [f"{path} 1;\n" for path in sorted(told) if not _UNSAFE.search(path)]
        content = "".join(lines).encode()
        mark = hashlib.sha256(content).hexdigest()
        if self._written is None:
            self._written = await self._facts.get(self._fact) or ""
        stands = self._folder.exists(NAME)
        if (lines or stands) and not (stands and mark == self._written):
            self._folder.write({NAME: content})
            await self._facts.put(self._fact, mark)
            self._written = mark
        self._told = told
