"""Entries as they were written before: of a feed that changes, all but a few entries are as they were.

An entry is known by all that it is written from, its View above all, and by nothing less: a viewer who gets less of a
story has another View of it, so nobody gets what was written for somebody else.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

from publisher.model.kept import Kept

_K = TypeVar("_K", bound=Hashable)
_OCTETS = 8 * 1024 * 1024
"""Of the entries of one format."""


class Pieces(NamedTuple):
    """A feed's bytes, taken apart."""

    head: bytes
    entries: Sequence[bytes]
    tail: bytes


class Entries(Generic[_K]):
    """The entries of one format by what they were written from; those that nobody asked for go first."""

    def __init__(self, octets: int = _OCTETS) -> None:
        """`octets`: how many are kept at most."""
        self._written: Kept[_K, bytes] = Kept(octets)

    def together(self, keys: Sequence[_K], write: Callable[[Sequence[_K]], Pieces], between: bytes = b"") -> bytes:
        """Returns a whole feed; `write` is asked for one that has only the entries that are not known yet."""
        entries = [self._written.get(key) for key in keys]
        fresh = [place for place, entry in enumerate(entries) if entry is None]
        head, made, tail = write([keys[place] for place in fresh])
        for place, entry in zip(fresh, made, strict=True):
            entries[place] = entry
        whole = [entry for entry in entries if entry is not None]
        for key, entry in zip(keys, whole, strict=True):
            self._written.put(key, entry)
        return b"".join((head, between.join(whole), tail))


def cut(document: bytes, start: "re.Pattern[bytes]", tail: bytes) -> Pieces:
    """Returns an XML feed taken apart where its lines `start` an entry: within texts there is no `<`."""
    if not document.endswith(tail):
        raise ValueError(f"a feed that does not end with {tail!r}")
    head, *entries = start.split(document[: -len(tail)])
    return Pieces(head, entries, tail)
