"""Hints that files have changed.

Only hints: queues overflow, and network file systems tell nothing. A full scan
now and then is the truth; this makes it come sooner.
"""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

from publisher.errors import SourceError
from publisher.sources import names

DEBOUNCE_MS = 50
STEP_MS = 10


async def changes(root: Path, stop: asyncio.Event, *, force_polling: bool = False) -> AsyncIterator[frozenset[str]]:
    """Yields the POSIX paths (NFC, below `root`) of what was changed, added or removed, folders included, until `stop`.

    A folder told of may hold files that are not: look at all of it. `force_polling` is for network file systems and
    container mounts, which tell of no changes. Raises SourceError when the folder cannot be watched, and when it goes
    away.
    """
    real = await asyncio.to_thread(root.resolve)
    if not await asyncio.to_thread(real.is_dir):  # watchfiles would wait for ever
        raise SourceError(f"the articles folder {root} cannot be watched: there is no such folder")
    try:
        async for batch in awatch(
            real,
            watch_filter=lambda _, path: _counts(real, path),
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=stop,
            force_polling=force_polling or None,
            ignore_permission_denied=True,
        ):
            if (Change.deleted, str(real)) in batch and not await asyncio.to_thread(real.is_dir):
                raise SourceError(f"the articles folder {root} has gone")
            if paths := frozenset(_below(real, path) for _, path in batch) - {"."}:
                yield paths
    except (OSError, RuntimeError) as error:
        raise SourceError(f"the articles folder {root} cannot be watched: {error}") from error


def _counts(root: Path, path: str) -> bool:
    return not any(map(names.is_ignored, Path(path).relative_to(root).parts))


def _below(root: Path, path: str) -> str:
    return unicodedata.normalize("NFC", Path(path).relative_to(root).as_posix())
