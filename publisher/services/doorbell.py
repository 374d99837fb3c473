"""Says to every process what there is to deliver, once it is in the store; who hears nothing finds it by looking."""

import structlog

from publisher.errors import PublisherError
from publisher.model.delivery import Lot
from publisher.ports import Engine, Lots
from publisher.services.crowd import RANGE

_MOST = 64
"""Doorbells per issue."""
_log = structlog.get_logger(__name__)


class Doorbell:
    """Rung after a commit; each issue is announced once for as long as it is being sent."""

    def __init__(self, lots: Lots, engine: Engine) -> None:
        self._lots = lots
        self._engine = engine
        self._told: frozenset[int] = frozenset()

    async def ring(self) -> None:
        """Wakes who delivers here, and announces the issues that nobody has been told of."""
        self._engine.ring()
        try:
            found = await self._lots.lots()
        except PublisherError as error:
            _log.warning("doorbell.failed", error=str(error))
            return
        for lot in found:
            if lot.issue not in self._told:
                for part in parts(lot):
                    await self._engine.announce(part)
        self._told = frozenset(lot.issue for lot in found)


def parts(lot: Lot) -> list[Lot]:
    """Returns a lot in parts that several nodes can be woken with, as planning parts it; a huge one in larger parts."""
    width = max(RANGE, -(-(lot.last - lot.first + 1) // _MOST))
    starts = range(lot.first, lot.last + 1, width)
    return [Lot(lot.issue, start, min(start + width - 1, lot.last)) for start in starts]
