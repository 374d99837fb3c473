"""Announces changed feeds to the hubs in config (W3C WebSub §6), beside everything else and never in its way.

There is no queue: what a hub has still to hear is what stands in public/ with other bytes than it was told of. So
nothing is lost when the process ends, a feed that changes twice is announced once, and only public feeds can be.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec
import structlog

from publisher.errors import PublisherError, UnreachableError
from publisher.feeds import FORMATS
from publisher.model.catalogue import Site
from publisher.model.websub import HubState, HubTrouble
from publisher.ports import AnnouncementStore, Clock, Facts, Hubs
from publisher.services.documents import CORRECTIONS_FEED

_FACT = "hub_trouble:"
_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(hours=1)
_LOOK_SECONDS = 60.0
"""Another machine may have changed a feed."""
_AT_ONCE = 4
"""Requests to one hub at a time."""
_ENDINGS = tuple(f".{fmt.extension}" for fmt in FORMATS.values())
_log = structlog.get_logger(__name__)


def is_topic(path: str) -> bool:
    """Returns whether a file below public/ is a feed that hubs are told of: not what never changes."""
    return path == CORRECTIONS_FEED or (
        path.startswith("feeds/") and path.endswith(_ENDINGS) and "/archive/" not in path
    )


def topic_url(site: Site, path: str) -> str:
    """Returns the address of a feed by its file: the one that it calls its own."""
    return site.absolute("/" + "/".join(quote(part, safe="") for part in path.split("/")))


class Announcer:
    """Who tells the hubs; `ring` when something was written, `run` beside the service."""

    def __init__(self, site: Site, store: AnnouncementStore, facts: Facts, hubs: Hubs, clock: Clock) -> None:
        self._site = site
        self._store = store
        self._facts = facts
        self._hubs = hubs
        self._clock = clock
        self._bells = {hub: asyncio.Event() for hub in site.hubs}
        self.told: Counter[tuple[str, str]] = Counter()
        """Announcements by hub and outcome, `taken` or `failed`, since the start."""

    def ring(self) -> None:
        """Says that feeds may have changed."""
        for bell in self._bells.values():
            bell.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Announces until `stop`, to each hub by itself: one that hangs keeps no other waiting."""
        serving = [asyncio.create_task(self._follow(hub)) for hub in self._site.hubs]
        await stop.wait()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _follow(self, hub: str) -> None:
        bell = self._bells[hub]
        while True:
            bell.clear()
            try:
                seconds = await self.announce(hub)
            except PublisherError as error:
                _log.warning("websub.failed", hub=hub, error=str(error))
                seconds = _LOOK_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), seconds)

    async def states(self) -> list[HubState]:
        """Returns how things stand with each hub."""
        return [
            HubState(hub=hub, waiting=len(await self._unheard(hub)), trouble=await self._trouble(hub))
            for hub in self._site.hubs
        ]

    async def announce(self, hub: str) -> float:
        """Tells a hub what it has not heard; returns in how many seconds to look again."""
        if not await self._store.knows(hub):  # nobody can have subscribed there yet
            await self._store.save(hub, await self._unheard(hub))
            return _LOOK_SECONDS
        now = self._clock.now()
        before = await self._trouble(hub)
        # A clock that was set back must not silence a hub for longer than any wait.
        if before is not None and now < before.again_at <= now + _LONGEST_WAIT:
            return min(_LOOK_SECONDS, (before.again_at - now).total_seconds())
        unheard = await self._unheard(hub)
        failure = await self._tell(hub, unheard)
        if failure:
            trouble = _worse(before, failure, now)
            await self._remember(hub, trouble)
            if before is None:
                _log.warning("websub.hub_fails", hub=hub, error=failure)
            return min(_LOOK_SECONDS, (trouble.again_at - now).total_seconds())
        if before is not None:
            await self._remember(hub, None)
            _log.info("websub.hub_is_back", hub=hub)
        return _LOOK_SECONDS

    async def _tell(self, hub: str, unheard: dict[str, str]) -> str:
        """Announces feeds, some at a time; returns why the last of those failed that did, empty when none."""
        paths, failure = list(unheard), ""
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            failures = await asyncio.gather(*(self._publish(hub, path) for path in some))
            taken = {path: unheard[path] for path, why in zip(some, failures, strict=True) if not why}
            if taken:
                await self._store.save(hub, taken)
            failure = next(filter(None, failures), failure)
            if not taken:  # it does not work at all: the others wait as well
                break
        return failure

    async def _publish(self, hub: str, path: str) -> str:
        try:
            await self._hubs.publish(hub, topic_url(self._site, path))
        except UnreachableError as error:
            self.told[hub, "failed"] += 1
            return str(error)
        self.told[hub, "taken"] += 1
        return ""

    async def _unheard(self, hub: str) -> dict[str, str]:
        return {path: mark for path, mark in (await self._store.unheard(hub)).items() if is_topic(path)}

    async def _trouble(self, hub: str) -> HubTrouble | None:
        told = await self._facts.get(_FACT + hub)
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(told, type=HubTrouble) if told else None
        return None

    async def _remember(self, hub: str, trouble: HubTrouble | None) -> None:
        await self._facts.put(_FACT + hub, msgspec.json.encode(trouble).decode() if trouble else "")


def link_header(site: Site, path: str) -> bytes:
    """Returns the Link header of a feed (W3C WebSub §4): its hubs and its own address; empty for anything else."""
    if not site.hubs or not is_topic(path):
        return b""
    links: Sequence[tuple[str, str]] = [*((hub, "hub") for hub in site.hubs), (topic_url(site, path), "self")]
    return ", ".join(f'<{url}>; rel="{rel}"' for url, rel in links).encode()


def _worse(before: HubTrouble | None, error: str, now: datetime) -> HubTrouble:
    """Returns the trouble after one more failure: each wait is twice the one before."""
    failures = before.failures + 1 if before else 1
    again_at = now + min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(failures - 1, 10))
    if before is None:
        return HubTrouble(error=error, since=now, failures=failures, again_at=again_at)
    return replace(before, error=error, failures=failures, again_at=again_at)
