"""One file of public/ to be."""

import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """What a file is made from, and how: nothing is made until somebody asks for the bytes."""

    path: str
    fingerprint: str
    make: Callable[[], Awaitable[bytes]]
    stories: Collection[int] = ()
    """The numbers of the stories in it."""
    file: str = ""
    """The file of pages/ or static/, or beside a story, that it is made from."""


def fingerprint(*parts: str) -> str:
    """Returns a hash of texts."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()
